//! Equipment: what one appointment at a time can have.

use praxis::member::entity::Role;
use serde_json::{Value as Json, json};

use crate::appointment::{BOOK, MOVE, Practice};
use crate::support::on_both_engines;

const CREATE: &str = "mutation($input: CreateEquipmentInput!) { createEquipment(input: $input) { equipment { id name version } } }";
const UPDATE_SERVICE: &str =
    "mutation($input: UpdateServiceInput!) { updateService(input: $input) { service { equipment { id } } } }";

impl Practice {
    async fn equipment(&self, name: &str) -> Json {
        self.owner.ok(CREATE, json!({ "input": { "name": name } })).await["createEquipment"]["equipment"]["id"].clone()
    }

    /// The service takes up a scanner; so does a service of another length that a colleague offers.
    async fn with_scanner(&self) -> (Json, Json) {
        let scanner = self.equipment("Scanner").await;
        let needs =
            json!({ "input": { "id": self.service, "expectedVersion": 1, "equipmentIds": [scanner] } });
        let service = self.owner.ok(UPDATE_SERVICE, needs).await;
        assert_eq!(service["updateService"]["service"]["equipment"], json!([{ "id": scanner }]));
        let create =
            "mutation($input: CreateServiceInput!) { createService(input: $input) { service { id } } }";
        let input = json!({ "input": { "name": "Scan", "durationMinutes": 60, "appointmentType": "PROCEDURE",
            "equipmentIds": [scanner] } });
        (scanner, self.owner.ok(create, input).await["createService"]["service"]["id"].clone())
    }

    /// The same start with another practitioner and patient.
    fn elsewhere(&self, service: &Json, starts_at: &str) -> Json {
        json!({ "patientId": self.bob.to_string(), "practitionerId": self.owner.membership().to_string(),
            "serviceId": service, "startsAt": starts_at })
    }
}

on_both_engines! {
    async fn a_scanner_is_in_one_appointment_at_a_time(on: On) {
        let practice = Practice::new(on).await;
        let (_, scan) = practice.with_scanner().await;
        let first = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;

        let other = practice.elsewhere(&scan, "2026-06-02T09:00:00Z");
        let taken = practice.book(&practice.desk, other.clone()).await;
        // With the buffer after it, as practitioner and room.
        assert_eq!(taken["conflicts"], json!([{ "resource": "EQUIPMENT", "startsAt": "2026-06-02T09:00:00+00:00",
            "endsAt": "2026-06-02T09:40:00+00:00", "appointment": { "id": first } }]));
        let later = practice.elsewhere(&scan, "2026-06-02T09:40:00Z");
        assert_eq!(practice.book(&practice.desk, later).await["__typename"], "AppointmentBooked");
        // Moved into the other one's time, it is refused; moved away, the scanner is free.
        let to = |start: &str| json!({ "input": { "id": first, "expectedVersion": 1, "startsAt": start } });
        let moved = practice.desk.ok(MOVE, to("2026-06-02T10:00:00Z")).await["rescheduleAppointment"].clone();
        assert_eq!(moved["conflicts"], json!([{ "resource": "EQUIPMENT" }]));
        practice.desk.ok(MOVE, to("2026-06-02T15:00:00Z")).await;
        let mut other = other;
        other["endsAt"] = "2026-06-02T09:30:00Z".into();
        assert_eq!(practice.book(&practice.desk, other).await["__typename"], "AppointmentBooked");
    }
}

on_both_engines! {
    async fn of_many_who_want_the_scanner_at_once_one_gets_it(on: On) {
        let practice = Practice::new(on).await;
        let (_, scan) = practice.with_scanner().await;
        let second = practice.app.another_node().await;
        let mut tasks = tokio::task::JoinSet::new();
        for turn in 0..12 {
            let actor = practice.desk.actor.as_deref().cloned();
            let client = if turn % 2 == 0 { practice.app.client(actor) } else { second.client(actor) };
            // Every booking is for a practitioner and a patient of its own.
            let doctor = practice.app.member(practice.owner.workspace(), Role::Doctor).await;
            let patient = practice.app.patient(&practice.owner, "Pat", &format!("Ient{turn}")).await;
            let mut input = practice.elsewhere(&scan, "2026-06-02T09:00:00Z");
            input["practitionerId"] = doctor.membership().to_string().into();
            input["patientId"] = patient.to_string().into();
            tasks.spawn(async move { client.ok(BOOK, json!({ "input": input })).await });
        }
        let mut booked = 0;
        while let Some(answer) = tasks.join_next().await {
            booked += u32::from(answer.unwrap()["bookAppointment"]["__typename"] == "AppointmentBooked");
        }
        assert_eq!(booked, 1);
    }
}

on_both_engines! {
    async fn free_times_and_series_know_of_the_scanner(on: On) {
        let practice = Practice::new(on).await;
        let (_, scan) = practice.with_scanner().await;
        practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let slots = "query($input: AvailableSlotsInput!) { availableSlots(input: $input) { slots { startsAt } } }";
        let input = json!({ "input": { "practitionerIds": [practice.owner.membership().to_string()], "serviceId": scan,
            "from": "2026-06-02T08:00:00Z", "to": "2026-06-02T10:00:00Z", "stepMinutes": 20 } });
        let found = practice.desk.ok(slots, input).await;
        // An hour before the first one begins, and from the end of its buffer on.
        assert_eq!(found["availableSlots"]["slots"],
            json!([{ "startsAt": "2026-06-02T08:00:00+00:00" }, { "startsAt": "2026-06-02T09:40:00+00:00" }]));
        let mut series = practice.series("2026-06-02T11:00", "FREQ=DAILY;COUNT=2");
        series["practitionerId"] = practice.owner.membership().to_string().into();
        series["patientId"] = practice.bob.to_string().into();
        series["serviceId"] = scan;
        let booked = practice.book_series(&practice.desk, series).await;
        assert_eq!(booked["occurrences"][0]["conflicts"][0]["resource"], "EQUIPMENT");
    }
}

on_both_engines! {
    async fn equipment_is_kept_by_those_who_manage_the_practice(on: On) {
        let practice = Practice::new(on).await;
        let (scanner, _) = practice.with_scanner().await;
        assert_eq!(practice.owner.code(CREATE, json!({ "input": { "name": " SCANNER" } })).await, "BAD_USER_INPUT");
        assert_eq!(practice.desk.code(CREATE, json!({ "input": { "name": "Laser" } })).await, "FORBIDDEN");
        let archive = "mutation($input: ArchiveEquipmentInput!) { archiveEquipment(input: $input) { equipment { archivedAt } } }";
        let input = json!({ "input": { "id": scanner, "expectedVersion": 1 } });
        // Two services need it.
        assert_eq!(practice.owner.code(archive, input).await, "CONFLICT");
        let laser = practice.equipment("Laser").await;
        let input = json!({ "input": { "id": laser, "expectedVersion": 1 } });
        assert!(!practice.owner.ok(archive, input).await["archiveEquipment"]["equipment"]["archivedAt"].is_null());
        let needs = json!({ "input": { "id": practice.service, "expectedVersion": 2, "equipmentIds": [laser] } });
        assert_eq!(practice.owner.code(UPDATE_SERVICE, needs).await, "BAD_USER_INPUT");
        let none = json!({ "input": { "id": practice.service, "expectedVersion": 2, "equipmentIds": [] } });
        assert_eq!(practice.owner.ok(UPDATE_SERVICE, none).await["updateService"]["service"]["equipment"], json!([]));
        let list = practice.desk.ok("{ equipment { nodes { name } } }", json!({})).await;
        assert_eq!(list["equipment"]["nodes"], json!([{ "name": "Scanner" }]));
    }
}

on_both_engines! {
    async fn appointments_show_the_equipment_that_they_take_up(on: On) {
        let practice = Practice::new(on).await;
        let (scanner, scan) = practice.with_scanner().await;
        let first = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let laser = practice.equipment("Laser").await;
        let create = "mutation($input: CreateServiceInput!) { createService(input: $input) { service { id } } }";
        let group = json!({ "input": { "name": "Course", "durationMinutes": 60, "appointmentType": "THERAPY", "capacity": 3,
            "equipmentIds": [laser, scanner] } });
        let group = practice.owner.ok(create, group).await["createService"]["service"]["id"].clone();
        let both = practice.book(&practice.desk, practice.elsewhere(&group, "2026-06-02T11:00:00Z")).await;
        let mut second = practice.elsewhere(&group, "2026-06-02T11:00:00Z");
        second["patientId"] = practice.ada.to_string().into();
        practice.book(&practice.desk, second).await;

        let list = "{ appointments { nodes { id equipment { id name } } } }";
        let answer = practice.desk.run(list, json!({})).await;
        assert!(answer.errors.is_empty(), "{:?}", answer.errors);
        let nodes = answer.data["appointments"]["nodes"].as_array().unwrap().clone();
        assert_eq!(nodes[0]["equipment"], json!([{ "id": scanner, "name": "Scanner" }]));
        // The session has it once; whoever takes part in it shows it.
        for seat in &nodes[1..] {
            assert_eq!(seat["equipment"], json!([{ "id": laser, "name": "Laser" }, { "id": scanner, "name": "Scanner" }]));
        }
        assert_eq!((nodes.len(), answer.statements), (3, 4));
        for day in 10..20 {
            practice.book(&practice.desk, practice.elsewhere(&scan, &format!("2026-06-{day}T09:00:00Z"))).await;
        }
        assert_eq!(practice.desk.run(list, json!({})).await.statements, 4);

        // What was given back is not shown, and what the service needs from now on is for bookings to come.
        let of = "query($id: ID!) { appointment(id: $id) { equipment { name } } }";
        let none = json!({ "input": { "id": practice.service, "expectedVersion": 2, "equipmentIds": [] } });
        practice.owner.ok(UPDATE_SERVICE, none).await;
        let kept = practice.desk.ok(of, json!({ "id": first })).await;
        assert_eq!(kept["appointment"]["equipment"], json!([{ "name": "Scanner" }]));
        practice.step(&practice.desk, "cancelAppointment", &first, 1).await.unwrap();
        let gone = practice.desk.ok(of, json!({ "id": first })).await;
        assert_eq!(gone["appointment"]["equipment"], json!([]));
        practice.step(&practice.desk, "cancelAppointment", &both["appointment"]["id"], 1).await.unwrap();
        let left = practice.desk.ok(of, json!({ "id": both["appointment"]["id"] })).await;
        assert_eq!(left["appointment"]["equipment"], json!([]));
    }
}
