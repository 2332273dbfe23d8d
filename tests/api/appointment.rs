//! Booking, moving and the course of appointments.

mod at_once;

use std::time::Duration;

use praxis::id::PatientId;
use praxis::member::entity::Role;
use serde_json::{Value as Json, json};

use crate::support::app::{Client, TestApp};
use crate::support::database::On;
use crate::support::on_both_engines;

pub const BOOK: &str = "mutation($input: BookAppointmentInput!) { bookAppointment(input: $input) { __typename \
    ... on AppointmentBooked { appointment { id version status startsAt endsAt isOverride \
        practitioner { id } room { id } service { name } } } \
    ... on AppointmentConflict { conflicts { resource startsAt endsAt appointment { id } } } } }";

pub const MOVE: &str = "mutation($input: RescheduleAppointmentInput!) { rescheduleAppointment(input: $input) { \
    __typename ... on AppointmentRescheduled { appointment { id version startsAt endsAt sequence room { id } } } \
    ... on AppointmentConflict { conflicts { resource } } } }";

/// A practice with a doctor, a front desk, a service with buffers, a room and two patients.
pub struct Practice {
    pub app: TestApp,
    pub owner: Client,
    pub desk: Client,
    pub doctor: Client,
    pub service: Json,
    pub room: Json,
    pub ada: PatientId,
    pub bob: PatientId,
}

impl Practice {
    pub async fn new(on: crate::support::database::On) -> Self {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let desk = app.member(owner.workspace(), Role::Staff).await;
        let doctor = app.member(owner.workspace(), Role::Doctor).await;
        let service = json!({ "input": { "name": "Consultation", "durationMinutes": 30, "bufferAfterMinutes": 10,
            "appointmentType": "CONSULTATION" } });
        let service = owner
            .ok(
                "mutation($input: CreateServiceInput!) { createService(input: $input) { service { id } } }",
                service,
            )
            .await["createService"]["service"]["id"]
            .clone();
        let room = json!({ "input": { "name": "Room 1", "kind": "CONSULTATION" } });
        let room = owner
            .ok("mutation($input: CreateRoomInput!) { createRoom(input: $input) { room { id } } }", room)
            .await["createRoom"]["room"]["id"]
            .clone();
        let ada = app.patient(&owner, "Ada", "North").await;
        let bob = app.patient(&owner, "Bob", "North").await;
        Self { app, owner, desk, doctor, service, room, ada, bob }
    }

    pub fn booking(&self, patient: PatientId, starts_at: &str) -> Json {
        json!({ "patientId": patient.to_string(), "practitionerId": self.doctor.membership().to_string(),
            "serviceId": self.service, "startsAt": starts_at })
    }

    pub async fn book(&self, client: &Client, input: Json) -> Json {
        client.ok(BOOK, json!({ "input": input })).await["bookAppointment"].clone()
    }

    /// Books and returns the appointment's id; its version is 1.
    pub async fn booked(&self, patient: PatientId, starts_at: &str) -> Json {
        let answer = self.book(&self.desk, self.booking(patient, starts_at)).await;
        assert_eq!(answer["__typename"], "AppointmentBooked", "{answer}");
        answer["appointment"]["id"].clone()
    }

    /// Takes one step of the status flow; returns the appointment or the error's code.
    pub async fn step(
        &self,
        client: &Client,
        mutation: &str,
        id: &Json,
        version: i32,
    ) -> Result<Json, String> {
        let input =
            if mutation == "cancelAppointment" { "CancelAppointmentInput" } else { "AppointmentStatusInput" };
        let document = format!(
            "mutation($input: {input}!) {{ {mutation}(input: $input) {{ appointment {{ \
             id version status lateCancellation startedAt completedAt cancelledAt }} }} }}"
        );
        let answer =
            client.run(&document, json!({ "input": { "id": id, "expectedVersion": version } })).await;
        if answer.errors.is_empty() {
            Ok(answer.data[mutation]["appointment"].clone())
        } else {
            Err(answer.code())
        }
    }

    pub async fn correct(
        &self,
        client: &Client,
        id: &Json,
        version: i32,
        status: &str,
    ) -> Result<Json, String> {
        let document = "mutation($input: CorrectAppointmentStatusInput!) { correctAppointmentStatus(input: $input) { \
                        appointment { status version } } }";
        let input =
            json!({ "id": id, "expectedVersion": version, "status": status, "reason": "entered by mistake" });
        let answer = client.run(document, json!({ "input": input })).await;
        if answer.errors.is_empty() {
            Ok(answer.data["correctAppointmentStatus"]["appointment"].clone())
        } else {
            Err(answer.code())
        }
    }
}

on_both_engines! {
    async fn a_booking_takes_the_services_duration_and_shows_with_its_relations(on: On) {
        let practice = Practice::new(on).await;
        let mut input = practice.booking(practice.ada, "2026-06-02T09:00:00Z");
        input["roomId"] = practice.room.clone();
        input["reason"] = "Back pain".into();

        let answer = practice.book(&practice.desk, input).await;

        let appointment = &answer["appointment"];
        assert_eq!(appointment["status"], "SCHEDULED");
        assert_eq!(appointment["endsAt"], "2026-06-02T09:30:00+00:00");
        assert_eq!(appointment["practitioner"]["id"], practice.doctor.membership().to_string());
        assert_eq!(appointment["room"]["id"], practice.room);
        assert_eq!(appointment["service"]["name"], "Consultation");
        let found = practice.doctor.ok(
            "query($id: ID!) { appointment(id: $id) { reason history { kind toStatus actor { id } } } }",
            json!({ "id": appointment["id"] }),
        ).await;
        assert_eq!(found["appointment"]["reason"], "Back pain");
        assert_eq!(found["appointment"]["history"], json!([{ "kind": "BOOKED", "toStatus": "SCHEDULED",
            "actor": { "id": practice.desk.membership().to_string() } }]));
    }
}

on_both_engines! {
    async fn a_taken_practitioner_room_or_patient_refuses_and_is_named(on: On) {
        let practice = Practice::new(on).await;
        let other = practice.app.member(practice.owner.workspace(), Role::Doctor).await;
        let mut first = practice.booking(practice.ada, "2026-06-02T09:00:00Z");
        first["roomId"] = practice.room.clone();
        let first = practice.book(&practice.desk, first).await["appointment"]["id"].clone();

        // The practitioner's buffer after the first appointment ends at 09:40.
        let answer = practice.book(&practice.desk, practice.booking(practice.bob, "2026-06-02T09:39:00Z")).await;
        assert_eq!(answer["__typename"], "AppointmentConflict");
        assert_eq!(answer["conflicts"], json!([{ "resource": "PRACTITIONER", "startsAt": "2026-06-02T09:00:00+00:00",
            "endsAt": "2026-06-02T09:40:00+00:00", "appointment": { "id": first } }]));

        let mut room = practice.booking(practice.bob, "2026-06-02T09:10:00Z");
        room["practitionerId"] = other.membership().to_string().into();
        room["roomId"] = practice.room.clone();
        let answer = practice.book(&practice.desk, room).await;
        assert_eq!(answer["conflicts"][0]["resource"], "ROOM");

        let mut patient = practice.booking(practice.ada, "2026-06-02T09:10:00Z");
        patient["practitionerId"] = other.membership().to_string().into();
        let answer = practice.book(&practice.desk, patient).await;
        assert_eq!(answer["conflicts"][0]["resource"], "PATIENT");

        // The patient is free when the appointment ends, the practitioner when the buffer does.
        let mut touching = practice.booking(practice.ada, "2026-06-02T09:30:00Z");
        touching["practitionerId"] = other.membership().to_string().into();
        assert_eq!(practice.book(&practice.desk, touching).await["__typename"], "AppointmentBooked");
        practice.booked(practice.bob, "2026-06-02T09:40:00Z").await;
    }
}

on_both_engines! {
    async fn of_two_hundred_parallel_bookings_of_one_slot_exactly_one_succeeds(on: On) {
        let practice = Practice::new(on).await;
        let mut tasks = tokio::task::JoinSet::new();
        for turn in 0..200 {
            let client = practice.desk.clone();
            let patient = if turn % 2 == 0 { practice.ada } else { practice.bob };
            let mut input = practice.booking(patient, "2026-06-02T09:00:00Z");
            input["roomId"] = practice.room.clone();
            tasks.spawn(async move { client.run(BOOK, json!({ "input": input })).await });
        }

        let mut outcomes = std::collections::BTreeMap::<String, u32>::new();
        while let Some(answer) = tasks.join_next().await {
            let answer = answer.unwrap();
            let outcome = match answer.errors.first() {
                Some(error) => error["extensions"]["code"].as_str().unwrap().to_owned(),
                None => answer.data["bookAppointment"]["__typename"].as_str().unwrap().to_owned(),
            };
            *outcomes.entry(outcome).or_default() += 1;
        }

        let expected = [("AppointmentBooked".to_owned(), 1), ("AppointmentConflict".to_owned(), 199)];
        assert_eq!(outcomes, expected.into_iter().collect());
    }
}

on_both_engines! {
    async fn an_appointment_goes_its_course_and_keeps_its_history(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;

        let confirmed = practice.step(&practice.desk, "confirmAppointment", &id, 1).await.unwrap();
        assert_eq!(confirmed["status"], "CONFIRMED");
        assert_eq!(practice.step(&practice.desk, "confirmAppointment", &id, 1).await, Err("STALE_VERSION".into()));
        assert_eq!(practice.step(&practice.desk, "confirmAppointment", &id, 2).await, Err("CONFLICT".into()));
        assert_eq!(practice.step(&practice.desk, "completeAppointment", &id, 2).await, Err("CONFLICT".into()));
        let started = practice.step(&practice.doctor, "startAppointment", &id, 2).await.unwrap();
        assert!(!started["startedAt"].is_null());
        let completed = practice.step(&practice.doctor, "completeAppointment", &id, 3).await.unwrap();
        assert_eq!(completed["status"], "COMPLETED");
        assert_eq!(practice.step(&practice.desk, "cancelAppointment", &id, 4).await, Err("CONFLICT".into()));
        // What is completed still takes its time.
        let again = practice.book(&practice.desk, practice.booking(practice.bob, "2026-06-02T09:00:00Z")).await;
        assert_eq!(again["__typename"], "AppointmentConflict");

        let history = practice.desk
            .ok("query($id: ID!) { appointment(id: $id) { history { kind fromStatus } } }", json!({ "id": id }))
            .await;
        assert_eq!(history["appointment"]["history"], json!([
            { "kind": "BOOKED", "fromStatus": null }, { "kind": "CONFIRMED", "fromStatus": "SCHEDULED" },
            { "kind": "STARTED", "fromStatus": "CONFIRMED" }, { "kind": "COMPLETED", "fromStatus": "IN_PROGRESS" },
        ]));
    }
}

on_both_engines! {
    async fn a_cancelled_time_is_free_again_and_lateness_follows_the_policy(on: On) {
        let practice = Practice::new(on).await;
        // Noon on 1 June: the first is more than 24 hours away, the second less.
        let early = practice.booked(practice.ada, "2026-06-02T12:00:00Z").await;
        let late = practice.booked(practice.bob, "2026-06-02T09:00:00Z").await;

        let early = practice.step(&practice.desk, "cancelAppointment", &early, 1).await.unwrap();
        let late = practice.step(&practice.desk, "cancelAppointment", &late, 1).await.unwrap();

        assert_eq!((&early["lateCancellation"], &late["lateCancellation"]), (&json!(false), &json!(true)));
        practice.booked(practice.ada, "2026-06-02T12:00:00Z").await;
    }
}

on_both_engines! {
    async fn a_no_show_waits_for_the_start_and_can_be_corrected(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.booked(practice.ada, "2026-06-01T13:00:00Z").await;
        assert_eq!(practice.step(&practice.desk, "markNoShow", &id, 1).await, Err("CONFLICT".into()));
        practice.app.app.clock.advance(Duration::from_secs(3_600));

        practice.step(&practice.desk, "markNoShow", &id, 1).await.unwrap();

        assert_eq!(practice.correct(&practice.desk, &id, 2, "COMPLETED").await, Err("FORBIDDEN".into()));
        assert_eq!(practice.correct(&practice.doctor, &id, 2, "CONFIRMED").await, Err("CONFLICT".into()));
        let corrected = practice.correct(&practice.doctor, &id, 2, "COMPLETED").await.unwrap();
        assert_eq!(corrected["status"], "COMPLETED");
    }
}

on_both_engines! {
    async fn reopening_a_cancelled_appointment_needs_its_time_to_be_free(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        practice.step(&practice.desk, "cancelAppointment", &id, 1).await.unwrap();
        let other = practice.booked(practice.bob, "2026-06-02T09:00:00Z").await;

        assert_eq!(practice.correct(&practice.doctor, &id, 2, "SCHEDULED").await, Err("CONFLICT".into()));
        practice.step(&practice.desk, "cancelAppointment", &other, 1).await.unwrap();
        let reopened = practice.correct(&practice.doctor, &id, 2, "SCHEDULED").await.unwrap();
        assert_eq!(reopened["status"], "SCHEDULED");
    }
}

on_both_engines! {
    async fn a_moved_appointment_frees_its_old_time_and_never_stands_in_its_own_way(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let input = |starts_at: &str, version: i32| json!({ "input": {
            "id": id, "expectedVersion": version, "startsAt": starts_at, "roomId": practice.room } });

        // Ten minutes later overlaps only itself.
        let moved = practice.desk.ok(MOVE, input("2026-06-02T09:10:00Z", 1)).await;
        let moved = &moved["rescheduleAppointment"]["appointment"];
        assert_eq!((&moved["endsAt"], &moved["sequence"]), (&json!("2026-06-02T09:40:00+00:00"), &json!(1)));
        assert_eq!(moved["room"]["id"], practice.room);
        practice.booked(practice.bob, "2026-06-02T08:20:00Z").await;

        let taken = practice.desk.ok(MOVE, input("2026-06-02T08:30:00Z", 2)).await;
        assert_eq!(taken["rescheduleAppointment"]["__typename"], "AppointmentConflict");
        let unmoved = practice.desk
            .ok("query($id: ID!) { appointment(id: $id) { startsAt version } }", json!({ "id": id })).await;
        assert_eq!(unmoved["appointment"], json!({ "startsAt": "2026-06-02T09:10:00+00:00", "version": 2 }));
    }
}

on_both_engines! {
    async fn an_override_takes_a_permission_and_a_reason_and_stands_beside_the_other(on: On) {
        let practice = Practice::new(on).await;
        practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let mut input = practice.booking(practice.bob, "2026-06-02T09:00:00Z");
        input["overrideReason"] = "Emergency between two patients".into();

        assert_eq!(practice.desk.code(BOOK, json!({ "input": input })).await, "FORBIDDEN");
        let booked = practice.book(&practice.doctor, input.clone()).await;
        assert_eq!(booked["appointment"]["isOverride"], true);
        input["overrideReason"] = "  ".into();
        assert_eq!(practice.doctor.code(BOOK, json!({ "input": input })).await, "BAD_USER_INPUT");
    }
}

on_both_engines! {
    async fn what_cannot_be_booked_is_refused_with_its_field(on: On) {
        let practice = Practice::new(on).await;
        let desk_member = practice.desk.membership().to_string();
        let strange = "pat_00000000000000000000000000";
        for (field, value, path) in [
            ("startsAt", json!("2026-06-01T11:59:00Z"), "startsAt"),
            ("startsAt", json!("2126-06-01T11:59:00Z"), "startsAt"),
            ("startsAt", json!("+262142-12-31T23:59:59Z"), "startsAt"),
            ("endsAt", json!("2026-06-02T09:00:00Z"), "endsAt"),
            ("endsAt", json!("2026-06-02T09:04:00Z"), "endsAt"),
            ("endsAt", json!("2026-06-02T17:00:01Z"), "endsAt"),
            ("timezone", json!("Mars/Olympus"), "timezone"),
            ("practitionerId", json!(desk_member), "practitionerId"),
            ("patientId", json!(strange), "patientId"),
        ] {
            let mut input = practice.booking(practice.ada, "2026-06-02T09:00:00Z");
            input[field] = value;
            let answer = practice.desk.run(BOOK, json!({ "input": input })).await;
            assert_eq!(answer.code(), "BAD_USER_INPUT", "{field}");
            assert_eq!(answer.errors[0]["extensions"]["fields"][0]["path"], json!(["input", path]), "{field}");
        }
        let mut input = practice.booking(practice.ada, "2026-06-02T09:00:00Z");
        input["notes"] = "Clinical, so not for the front desk".into();
        assert_eq!(practice.desk.code(BOOK, json!({ "input": input })).await, "FORBIDDEN");
        let extreme = json!({ "from": "-262143-01-01T00:00:00Z", "to": "+262142-12-31T23:59:59Z" });
        let list = "query($filter: AppointmentFilter) { appointments(filter: $filter) { nodes { id } } }";
        let answer = practice.desk.run(list, json!({ "filter": extreme })).await;
        assert!(answer.errors.is_empty() || answer.code() == "BAD_USER_INPUT", "{:?}", answer.errors);
        let mut input = practice.booking(practice.ada, "2026-06-02T09:00:00Z");
        input["patientId"] = input["practitionerId"].clone();
        assert_eq!(practice.desk.code(BOOK, json!({ "input": input })).await, "BAD_USER_INPUT");
    }
}

on_both_engines! {
    async fn the_list_filters_orders_and_pages_both_ways(on: On) {
        let practice = Practice::new(on).await;
        let mut ids = Vec::new();
        for hour in 9..16 {
            ids.push(practice.booked(practice.ada, &format!("2026-06-02T{hour:02}:00:00Z")).await);
        }
        let list = "query($first: Int, $after: String, $last: Int, $before: String, $filter: AppointmentFilter) { \
            appointments(first: $first, after: $after, last: $last, before: $before, filter: $filter) { totalCount \
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes { id } } }";

        let mut seen = Vec::new();
        let mut after = Json::Null;
        loop {
            let page = practice.desk.ok(list, json!({ "first": 3, "after": after })).await["appointments"].clone();
            assert_eq!(page["totalCount"], 7);
            seen.extend(page["nodes"].as_array().unwrap().iter().map(|node| node["id"].clone()));
            if page["pageInfo"]["hasNextPage"] == false { break; }
            after = page["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(seen, ids);
        let last = practice.desk.ok(list, json!({ "last": 2 })).await["appointments"].clone();
        assert_eq!(last["nodes"][0]["id"], ids[5]);
        assert_eq!(last["pageInfo"]["hasPreviousPage"], true);
        let filter = json!({ "from": "2026-06-02T10:30:00Z", "to": "2026-06-02T12:00:00Z" });
        let filtered = practice.desk.ok(list, json!({ "filter": filter })).await["appointments"].clone();
        // 10:00 ends at 10:30 and 12:00 starts at the end: neither is inside.
        assert_eq!(filtered["nodes"], json!([{ "id": ids[2] }]));
        // A cursor belongs to its list.
        let foreign = practice.desk.run(list, json!({ "after": after, "filter": filter })).await;
        assert_eq!(foreign.code(), "BAD_USER_INPUT");
        assert_eq!(practice.desk.code(list, json!({ "first": 101 })).await, "BAD_USER_INPUT");
        assert_eq!(practice.desk.code(list, json!({ "first": 1, "last": 1 })).await, "BAD_USER_INPUT");
    }
}

on_both_engines! {
    async fn reads_take_few_statements(on: On) {
        let practice = Practice::new(on).await;
        let mut id = Json::Null;
        for number in 0..50 {
            let patient = practice.app.patient(&practice.owner, "Pat", &format!("Ient{number}")).await;
            let day = 2 + number / 10;
            let start = format!("2026-06-{day:02}T{:02}:00:00Z", 8 + number % 10);
            let mut input = practice.booking(patient, &start);
            input["roomId"] = practice.room.clone();
            id = practice.book(&practice.desk, input).await["appointment"]["id"].clone();
        }
        // A node that has nothing in memory yet.
        let cold = practice.app.another_node().await.client(practice.desk.actor.as_deref().cloned());
        let one = cold
            .run("query($id: ID!) { appointment(id: $id) { startsAt patient { lastName } practitioner { displayName } \
                  service { name } room { name } } }", json!({ "id": id }))
            .await;
        assert!(one.errors.is_empty(), "{:?}", one.errors);
        assert_eq!(one.data["appointment"]["patient"]["lastName"], "Ient49");
        assert!(one.statements <= 3, "{}", one.statements);
        // The tenant's settings, and the journal's statements: one on PostgreSQL, two on SQLite.
        assert!(one.overhead <= 3, "{}", one.overhead);

        let many = cold
            .run("{ appointments(first: 50) { nodes { startsAt patient { lastName } practitioner { displayName } \
                  service { name } room { name } } } }", json!({}))
            .await;
        assert_eq!(many.data["appointments"]["nodes"].as_array().unwrap().len(), 50);
        assert!(many.statements <= 6, "{}", many.statements);
    }
}

on_both_engines! {
    async fn a_booking_takes_few_statements(on: On) {
        let practice = Practice::new(on).await;
        let book = "mutation($input: BookAppointmentInput!) { bookAppointment(input: $input) { __typename } }";
        // The patient's key comes into memory.
        practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let mut input = practice.booking(practice.ada, "2026-06-02T11:00:00Z");
        input["roomId"] = practice.room.clone();
        let plain = practice.desk.run(book, json!({ "input": input })).await;
        input["startsAt"] = json!("2026-06-02T13:00:00Z");
        input["idempotencyKey"] = json!("once");
        let with_key = practice.desk.run(book, json!({ "input": input })).await;
        // A node that knows the key of the practice, and not the patient's.
        let cold = practice.app.another_node().await.client(practice.desk.actor.as_deref().cloned());
        input["startsAt"] = json!("2026-06-02T14:00:00Z");
        input["idempotencyKey"] = json!("twice");
        cold.ok(book, json!({ "input": input })).await;
        input["patientId"] = json!(practice.bob.to_string());
        input["startsAt"] = json!("2026-06-02T15:00:00Z");
        input["idempotencyKey"] = json!("thrice");
        let cold = cold.run(book, json!({ "input": input })).await;
        for answer in [&plain, &with_key, &cold] {
            assert_eq!(answer.data["bookAppointment"]["__typename"], "AppointmentBooked", "{answer:?}");
        }
        // On PostgreSQL two round trips besides BEGIN, with which the tenant's setting goes, and COMMIT: what it names,
        // with the key, the locks and what is taken; and all that it writes, with the journal's event, which is counted
        // beside. The answer shows the appointment as it was written.
        // On SQLite all that it writes goes with the COMMIT.
        let few = if on == On::Postgres { [(1, 2), (1, 2), (1, 2)] } else { [(3, 1), (4, 1), (4, 1)] };
        assert_eq!([&plain, &with_key, &cold].map(|answer| (answer.statements, answer.overhead)), few);
    }
}

on_both_engines! {
    async fn patients_of_a_list_get_their_latest_appointments_in_one_statement(on: On) {
        let practice = Practice::new(on).await;
        for number in 0..20 {
            let patient = practice.app.patient(&practice.owner, "Pat", &format!("Ient{number:02}")).await;
            for visit in 0..12 {
                let day = 2 + number;
                practice.booked(patient, &format!("2026-06-{day:02}T{:02}:00:00Z", 8 + visit)).await;
            }
        }
        let cold = practice.app.another_node().await.client(practice.desk.actor.as_deref().cloned());
        let query = "{ patients(search: \"ient\", first: 20) { nodes { lastName appointments(first: 10, orderBy: STARTS_AT_DESC) { \
            pageInfo { hasNextPage } nodes { startsAt practitioner { displayName } } } } } }";
        // The directory is built by the first search of a node.
        cold.ok("{ patients(first: 1) { nodes { id } } }", json!({})).await;

        let answer = cold.run(query, json!({})).await;

        assert!(answer.errors.is_empty(), "{:?}", answer.errors);
        let nodes = answer.data["patients"]["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), 20);
        for (number, node) in nodes.iter().enumerate() {
            let visits = node["appointments"]["nodes"].as_array().unwrap();
            assert_eq!((visits.len(), &node["appointments"]["pageInfo"]["hasNextPage"]), (10, &json!(true)));
            assert_eq!(visits[0]["startsAt"], format!("2026-06-{:02}T19:00:00+00:00", 2 + number));
        }
        assert!(answer.statements <= 5, "{}", answer.statements);
    }
}
