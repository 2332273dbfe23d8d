//! Group sessions: several patients in one hour of a practitioner.

use std::collections::BTreeMap;
use std::time::Duration;

use praxis::appointment::sweep::sweep;
use praxis::id::PatientId;
use praxis::member::entity::Role;
use serde_json::{Value as Json, json};

use crate::appointment::{BOOK, MOVE, Practice};
use crate::hold::HOLD;
use crate::support::app::Client;
use crate::support::on_both_engines;

const NINE: &str = "2026-06-02T09:00:00Z";

struct Group {
    practice: Practice,
    /// A service for this many patients at once.
    service: Json,
    patients: Vec<PatientId>,
}

impl Group {
    async fn new(on: crate::support::database::On, capacity: i32, patients: usize) -> Self {
        let practice = Practice::new(on).await;
        let service = service(&practice, "Yoga", capacity).await;
        let mut known = Vec::new();
        for number in 0..patients {
            known.push(practice.app.patient(&practice.owner, "Pat", &format!("Ient{number}")).await);
        }
        Self { practice, service, patients: known }
    }

    fn seat(&self, patient: usize, starts_at: &str) -> Json {
        let mut input = self.practice.booking(self.patients[patient], starts_at);
        input["serviceId"] = self.service.clone();
        input
    }

    async fn book(&self, patient: usize) -> Json {
        self.practice.book(&self.practice.desk, self.seat(patient, NINE)).await
    }

    async fn booked(&self, patient: usize) -> Json {
        let answer = self.book(patient).await;
        assert_eq!(answer["__typename"], "AppointmentBooked", "{answer}");
        answer["appointment"]["id"].clone()
    }

    async fn is_full(&self, patient: usize) -> bool {
        let input = self.seat(patient, NINE);
        let document = BOOK.replace("conflicts {", "sessionFull conflicts {");
        let answer =
            self.practice.desk.ok(&document, json!({ "input": input })).await["bookAppointment"].clone();
        answer["__typename"] == "AppointmentConflict" && answer["sessionFull"] == true
    }
}

async fn service(practice: &Practice, name: &str, capacity: i32) -> Json {
    let input = json!({ "input": { "name": name, "durationMinutes": 60, "capacity": capacity, "bufferAfterMinutes": 10,
        "appointmentType": "THERAPY" } });
    let create = "mutation($input: CreateServiceInput!) { createService(input: $input) { service { id } } }";
    practice.owner.ok(create, input).await["createService"]["service"]["id"].clone()
}

/// How often each type of answer came.
async fn race(bookings: Vec<(Client, Json)>) -> BTreeMap<String, u32> {
    let mut tasks = tokio::task::JoinSet::new();
    for (client, input) in bookings {
        tasks.spawn(async move { client.ok(BOOK, json!({ "input": input })).await });
    }
    let mut outcomes = BTreeMap::new();
    while let Some(answer) = tasks.join_next().await {
        let outcome = answer.unwrap()["bookAppointment"]["__typename"].as_str().unwrap().to_owned();
        *outcomes.entry(outcome).or_default() += 1;
    }
    outcomes
}

on_both_engines! {
    async fn two_first_comers_at_once_join_the_same_session(on: On) {
        let group = Group::new(on, 3, 2).await;
        let second = group.practice.app.another_node().await;
        let actor = || group.practice.desk.actor.as_deref().cloned();
        let outcomes = race(vec![
            (group.practice.app.client(actor()), group.seat(0, NINE)),
            (second.client(actor()), group.seat(1, NINE)),
        ]).await;
        assert_eq!(outcomes, [("AppointmentBooked".to_owned(), 2)].into_iter().collect());
    }
}

on_both_engines! {
    async fn seats_are_exact_when_many_want_the_last_ones(on: On) {
        let group = Group::new(on, 5, 20).await;
        let second = group.practice.app.another_node().await;
        let bookings = (0..20).map(|number| {
            let actor = group.practice.desk.actor.as_deref().cloned();
            let client = if number % 2 == 0 { group.practice.app.client(actor) } else { second.client(actor) };
            (client, group.seat(number, NINE))
        });
        let outcomes = race(bookings.collect()).await;
        let expected = [("AppointmentBooked".to_owned(), 5), ("AppointmentConflict".to_owned(), 15)];
        assert_eq!(outcomes, expected.into_iter().collect());
    }
}

on_both_engines! {
    async fn remaining_seats_are_exact_by_every_way_in_and_out(on: On) {
        let group = Group::new(on, 2, 4).await;
        let (practice, desk) = (&group.practice, &group.practice.desk);
        let first = group.booked(0).await;
        let hold = desk.ok(HOLD, json!({ "input": { "practitionerId": practice.doctor.membership().to_string(),
            "serviceId": group.service, "startsAt": NINE } })).await["holdSlot"].clone();
        assert_eq!(hold["__typename"], "SlotHeld", "a hold takes a seat");
        assert!(group.is_full(2).await);
        // The hold becomes an appointment: still two seats.
        let mut confirm = group.seat(1, NINE);
        confirm["holdId"] = hold["hold"]["id"].clone();
        let second = practice.book(desk, confirm).await["appointment"]["id"].clone();
        assert!(group.is_full(2).await);
        // Cancelled: one seat again, for one.
        practice.step(desk, "cancelAppointment", &first, 1).await.unwrap();
        let third = group.booked(2).await;
        assert!(group.is_full(3).await);
        assert_eq!(practice.correct(&practice.doctor, &first, 2, "SCHEDULED").await, Err("CONFLICT".into()));
        // Moved away: one seat again. Moved back: none.
        let to = |start: &str, version: i32| json!({ "input": { "id": third, "expectedVersion": version, "startsAt": start } });
        desk.ok(MOVE, to("2026-06-02T14:00:00Z", 1)).await;
        let fourth = group.booked(3).await;
        let back = desk.ok(MOVE, to(NINE, 2)).await["rescheduleAppointment"].clone();
        assert_eq!(back["__typename"], "AppointmentConflict");
        practice.step(desk, "cancelAppointment", &fourth, 1).await.unwrap();
        let back = desk.ok(MOVE, to(NINE, 2)).await["rescheduleAppointment"].clone();
        assert_eq!(back["__typename"], "AppointmentRescheduled");
        assert!(group.is_full(3).await);
        // A hold that expires gives its seat to whoever comes.
        practice.step(desk, "cancelAppointment", &second, 1).await.unwrap();
        let held = desk.ok(HOLD, json!({ "input": { "practitionerId": practice.doctor.membership().to_string(),
            "serviceId": group.service, "startsAt": NINE } })).await["holdSlot"].clone();
        assert_eq!(held["__typename"], "SlotHeld");
        practice.app.app.clock.advance(Duration::from_secs(10 * 60));
        sweep(&practice.app.app).await.unwrap();
        group.booked(3).await;
        assert!(group.is_full(0).await);
    }
}

on_both_engines! {
    async fn two_group_services_of_one_practitioner_cannot_share_an_hour(on: On) {
        let group = Group::new(on, 5, 4).await;
        let practice = &group.practice;
        group.booked(0).await;
        let other = service(practice, "Pilates", 5).await;
        let mut input = group.seat(1, NINE);
        input["serviceId"] = other.clone();
        assert_eq!(practice.book(&practice.desk, input.clone()).await["__typename"], "AppointmentConflict");
        // Nor the same service at another start, nor anything in the buffer after it.
        for start in ["2026-06-02T09:30:00Z", "2026-06-02T10:05:00Z", "2026-06-02T08:00:00Z"] {
            let answer = practice.book(&practice.desk, group.seat(1, start)).await;
            assert_eq!(answer["__typename"], "AppointmentConflict", "{start}");
        }
        let single = practice.book(&practice.desk, practice.booking(group.patients[1], NINE)).await;
        assert_eq!(single["__typename"], "AppointmentConflict");
        // When the last one has left, the hour is free for anything.
        let alone = practice.all_appointments().await[0]["id"].clone();
        practice.step(&practice.desk, "cancelAppointment", &alone, 1).await.unwrap();
        assert_eq!(practice.book(&practice.desk, input).await["__typename"], "AppointmentBooked");
    }
}

on_both_engines! {
    async fn a_patient_sits_in_one_place_at_a_time_and_the_session_in_one_room(on: On) {
        let group = Group::new(on, 3, 3).await;
        let practice = &group.practice;
        let mut first = group.seat(0, NINE);
        first["roomId"] = practice.room.clone();
        practice.book(&practice.desk, first).await;
        // Twice the same patient.
        let again = group.book(0).await;
        assert_eq!(again["conflicts"][0]["resource"], "PATIENT", "{again}");
        let mut elsewhere = practice.booking(group.patients[0], "2026-06-02T09:30:00Z");
        elsewhere["practitionerId"] = practice.owner.membership().to_string().into();
        assert_eq!(practice.book(&practice.desk, elsewhere).await["conflicts"][0]["resource"], "PATIENT");
        // Whoever joins is in the same room; another room is refused.
        let second = group.book(1).await;
        assert_eq!(second["appointment"]["room"]["id"], practice.room);
        let create = "mutation($input: CreateRoomInput!) { createRoom(input: $input) { room { id } } }";
        let other = practice.owner.ok(create, json!({ "input": { "name": "Room 2" } })).await["createRoom"]["room"]["id"].clone();
        let mut third = group.seat(2, NINE);
        third["roomId"] = other;
        assert_eq!(practice.desk.code(BOOK, json!({ "input": third })).await, "BAD_USER_INPUT");
        third["roomId"] = practice.room.clone();
        third["endsAt"] = "2026-06-02T09:30:00Z".into();
        assert_eq!(practice.desk.code(BOOK, json!({ "input": third })).await, "BAD_USER_INPUT");
        // The room is taken once, by the session.
        let mut single = practice.booking(practice.bob, "2026-06-02T09:30:00Z");
        single["practitionerId"] = practice.owner.membership().to_string().into();
        single["roomId"] = practice.room.clone();
        assert_eq!(practice.book(&practice.desk, single).await["conflicts"][0]["resource"], "ROOM");
    }
}

on_both_engines! {
    async fn a_seat_that_is_given_back_is_offered_to_the_waiting_list(on: On) {
        let group = Group::new(on, 2, 3).await;
        let practice = &group.practice;
        let first = group.booked(0).await;
        group.booked(1).await;
        let join = "mutation($input: JoinWaitlistInput!) { joinWaitlist(input: $input) { entry { id } } }";
        practice.desk.ok(join, json!({ "input": { "patientId": group.patients[2].to_string(), "serviceId": group.service,
            "earliest": "2026-06-02T00:00:00Z", "latest": "2026-06-03T00:00:00Z" } })).await;
        practice.step(&practice.desk, "cancelAppointment", &first, 1).await.unwrap();

        assert!(group.is_full(0).await, "the seat is held for the one who waits");
        let list = practice.desk.ok("{ waitlist { nodes { version status id } } }", json!({})).await;
        let entry = &list["waitlist"]["nodes"][0];
        assert_eq!(entry["status"], "OFFERED");
        let accept = "mutation($input: AcceptWaitlistOfferInput!) { acceptWaitlistOffer(input: $input) { appointment { id } } }";
        practice.desk.ok(accept, json!({ "input": { "id": entry["id"], "expectedVersion": entry["version"] } })).await;
        assert!(group.is_full(0).await);
    }
}

on_both_engines! {
    async fn free_times_tell_how_many_seats_are_left(on: On) {
        let group = Group::new(on, 3, 3).await;
        let practice = &group.practice;
        let slots = "query($input: AvailableSlotsInput!) { availableSlots(input: $input) { slots { startsAt \
                     options { remainingCapacity } } } }";
        let input = json!({ "input": { "practitionerIds": [practice.doctor.membership().to_string()],
            "serviceId": group.service, "from": NINE, "to": "2026-06-02T09:00:01Z", "stepMinutes": 60 } });
        let seats = async || {
            let found = practice.desk.ok(slots, input.clone()).await;
            found["availableSlots"]["slots"][0]["options"][0]["remainingCapacity"].clone()
        };
        for left in [3, 2, 1] {
            assert_eq!(seats().await, left);
            group.booked(3 - left as usize).await;
        }
        assert_eq!(seats().await, Json::Null);
        let lab = practice.app.member(practice.owner.workspace(), Role::LabTech).await;
        assert_eq!(lab.code(BOOK, json!({ "input": group.seat(0, NINE) })).await, "FORBIDDEN");
    }
}
