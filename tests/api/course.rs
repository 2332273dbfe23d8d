//! The course of an appointment: every step and every correction, and who may take it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use praxis::member::entity::Role;
use serde_json::{Value as Json, json};

use crate::appointment::{BOOK, MOVE, Practice};
use crate::support::app::Client;
use crate::support::on_both_engines;

const STATUSES: [&str; 6] = ["SCHEDULED", "CONFIRMED", "IN_PROGRESS", "COMPLETED", "CANCELLED", "NO_SHOW"];

/// Rows from, columns to, in the order of the statuses: forward, by correction, or not at all.
const TABLE: [[char; 6]; 6] = [
    ['-', 'f', 'f', '-', 'f', 'f'],
    ['-', '-', 'f', '-', 'f', 'f'],
    ['-', '-', '-', 'f', 'f', '-'],
    ['-', '-', '-', '-', 'c', 'c'],
    ['c', '-', '-', '-', '-', '-'],
    ['c', '-', '-', 'c', '-', '-'],
];

fn mutation_to(status: &str) -> Option<&'static str> {
    match status {
        "CONFIRMED" => Some("confirmAppointment"),
        "IN_PROGRESS" => Some("startAppointment"),
        "COMPLETED" => Some("completeAppointment"),
        "CANCELLED" => Some("cancelAppointment"),
        "NO_SHOW" => Some("markNoShow"),
        _ => None,
    }
}

impl Practice {
    /// An appointment that has begun an hour ago, in this status; and its version.
    async fn in_status(&self, status: &str, number: usize) -> (Json, i32) {
        // Each on a day of its own. Nothing can be cancelled by a patient or marked early: the clock stands later.
        let start = self.app.app.clock.now() + chrono::Duration::minutes(60);
        let patient = self.app.patient(&self.owner, "Pat", &format!("Ient{number}")).await;
        let id = self.booked(patient, &start.to_rfc3339()).await;
        self.app.app.clock.advance(Duration::from_secs(2 * 3_600));
        let steps: &[&str] = match status {
            "SCHEDULED" => &[],
            "CONFIRMED" => &["confirmAppointment"],
            "IN_PROGRESS" => &["startAppointment"],
            "COMPLETED" => &["startAppointment", "completeAppointment"],
            "CANCELLED" => &["cancelAppointment"],
            _ => &["markNoShow"],
        };
        let mut version = 1;
        for step in steps {
            self.step(&self.desk, step, &id, version).await.unwrap();
            version += 1;
        }
        (id, version)
    }

    async fn history(&self, id: &Json) -> Json {
        let document = "query($id: ID!) { appointment(id: $id) { status lateCancellation cancellationReason history { kind \
                        fromStatus toStatus reason occurredAt actor { id } } } }";
        self.doctor.ok(document, json!({ "id": id })).await["appointment"].clone()
    }
}

on_both_engines! {
    async fn every_status_becomes_what_the_table_says_and_nothing_else(on: On) {
        let practice = Practice::new(on).await;
        let mut number = 0;
        for (from, row) in STATUSES.iter().zip(TABLE) {
            for (to, step) in STATUSES.iter().zip(row) {
                number += 1;
                let (id, version) = practice.in_status(from, number).await;
                let forward = match mutation_to(to) {
                    Some(mutation) => practice.step(&practice.desk, mutation, &id, version).await,
                    None => Err("CONFLICT".into()),
                };
                let is_forward = step == 'f';
                assert_eq!(forward.is_ok(), is_forward, "{from} -> {to}: {forward:?}");
                if is_forward {
                    assert_eq!(forward.unwrap()["status"], *to);
                    continue;
                }
                assert_eq!(forward, Err("CONFLICT".into()), "{from} -> {to}");
                let corrected = practice.correct(&practice.doctor, &id, version, to).await;
                assert_eq!(corrected.is_ok(), step == 'c', "{from} -> {to}: {corrected:?}");
                if step == 'c' {
                    assert_eq!(corrected.unwrap()["status"], *to);
                    let history = practice.history(&id).await;
                    let last = history["history"].as_array().unwrap().last().unwrap().clone();
                    assert_eq!((&last["fromStatus"], &last["toStatus"]), (&json!(from), &json!(to)));
                    assert_eq!(last["reason"], "entered by mistake");
                } else {
                    assert_eq!(corrected, Err("CONFLICT".into()), "{from} -> {to}");
                }
            }
        }
    }
}

on_both_engines! {
    /// Who takes steps forward, who cancels, and who corrects.
    async fn each_role_takes_the_steps_that_are_its_own(on: On) {
        let practice = Practice::new(on).await;
        let roles = [Role::Owner, Role::Admin, Role::Doctor, Role::Nurse, Role::LabTech, Role::Staff, Role::Researcher];
        for (number, role) in roles.into_iter().enumerate() {
            let client = practice.app.member(practice.owner.workspace(), role).await;
            let works = !matches!(role, Role::LabTech | Role::Researcher);
            let corrects = matches!(role, Role::Owner | Role::Admin | Role::Doctor);
            let (id, version) = practice.in_status("SCHEDULED", number).await;
            for mutation in ["confirmAppointment", "startAppointment", "completeAppointment", "markNoShow", "cancelAppointment"] {
                let outcome = practice.step(&client, mutation, &id, 99).await;
                let expected = if works { "STALE_VERSION" } else { "FORBIDDEN" };
                assert_eq!(outcome, Err(expected.into()), "{role:?} {mutation}");
            }
            let corrected = practice.correct(&client, &id, 99, "COMPLETED").await;
            assert_eq!(corrected, Err(if corrects { "STALE_VERSION" } else { "FORBIDDEN" }.into()), "{role:?}");
            practice.step(&practice.desk, "cancelAppointment", &id, version).await.unwrap();
        }
    }
}

on_both_engines! {
    async fn a_correction_says_why(on: On) {
        let practice = Practice::new(on).await;
        let (id, version) = practice.in_status("COMPLETED", 1).await;
        let document = "mutation($input: CorrectAppointmentStatusInput!) { correctAppointmentStatus(input: $input) { \
                        appointment { status } } }";
        for reason in [json!(""), json!("   "), json!("x".repeat(5_001))] {
            let input = json!({ "id": id, "expectedVersion": version, "status": "NO_SHOW", "reason": reason });
            assert_eq!(practice.doctor.code(document, json!({ "input": input })).await, "BAD_USER_INPUT");
        }
    }
}

on_both_engines! {
    async fn the_history_tells_who_when_and_why(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        practice.step(&practice.desk, "confirmAppointment", &id, 1).await.unwrap();
        practice.app.app.clock.advance(Duration::from_secs(60));
        let cancel = "mutation($input: CancelAppointmentInput!) { cancelAppointment(input: $input) { appointment { id } } }";
        practice.doctor
            .ok(cancel, json!({ "input": { "id": id, "expectedVersion": 2, "reason": "The doctor is ill" } })).await;
        let told = practice.history(&id).await;
        assert_eq!(told["cancellationReason"], "The doctor is ill");
        let (desk, doctor) = (practice.desk.membership().to_string(), practice.doctor.membership().to_string());
        assert_eq!(told["history"], json!([
            { "kind": "BOOKED", "fromStatus": null, "toStatus": "SCHEDULED", "reason": null,
              "occurredAt": "2026-06-01T12:00:00+00:00", "actor": { "id": desk } },
            { "kind": "CONFIRMED", "fromStatus": "SCHEDULED", "toStatus": "CONFIRMED", "reason": null,
              "occurredAt": "2026-06-01T12:00:00+00:00", "actor": { "id": desk } },
            { "kind": "CANCELLED", "fromStatus": "CONFIRMED", "toStatus": "CANCELLED", "reason": "The doctor is ill",
              "occurredAt": "2026-06-01T12:01:00+00:00", "actor": { "id": doctor } },
        ]));
    }
}

on_both_engines! {
    /// In Berlin the clocks go back on 2026-10-25: 24 hours before 12:00 on that day is 13:00 on the day before.
    async fn late_cancellation_counts_hours_that_pass_not_hours_on_the_wall(on: On) {
        let practice = Practice::new(on).await;
        let start: DateTime<Utc> = "2026-10-25T11:00:00Z".parse().unwrap();
        let id = practice.booked(practice.ada, "2026-10-25T11:00:00Z").await;
        let exactly = start - chrono::Duration::hours(24) - practice.app.app.clock.now();
        practice.app.app.clock.advance(exactly.to_std().unwrap());
        let in_time = practice.step(&practice.desk, "cancelAppointment", &id, 1).await.unwrap();
        assert_eq!(in_time["lateCancellation"], false);
        let again = practice.booked(practice.ada, "2026-10-25T11:00:00Z").await;
        practice.app.app.clock.advance(Duration::from_micros(1));
        let late = practice.step(&practice.desk, "cancelAppointment", &again, 1).await.unwrap();
        assert_eq!(late["lateCancellation"], true);
    }
}

on_both_engines! {
    async fn of_many_confirmations_at_once_one_takes_place(on: On) {
        let practice = Practice::new(on).await;
        let second = practice.app.another_node().await;
        let id = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let confirm = "mutation($input: AppointmentStatusInput!) { confirmAppointment(input: $input) { appointment { version } } }";
        let mut tasks = tokio::task::JoinSet::new();
        for turn in 0..10 {
            let actor = practice.desk.actor.as_deref().cloned();
            let client = if turn % 2 == 0 { practice.app.client(actor) } else { second.client(actor) };
            let input = json!({ "input": { "id": id, "expectedVersion": 1 } });
            tasks.spawn(async move { client.run(confirm, input).await });
        }
        let mut confirmed = 0;
        while let Some(answer) = tasks.join_next().await {
            let answer = answer.unwrap();
            if answer.errors.is_empty() {
                confirmed += 1;
            } else {
                assert_eq!(answer.code(), "STALE_VERSION");
            }
        }
        assert_eq!(confirmed, 1);
        assert_eq!(practice.history(&id).await["history"].as_array().unwrap().len(), 2);
        let told = practice.app.journal(practice.owner.workspace()).await;
        assert_eq!(told.iter().filter(|event| event.action == "appointment.confirmed").count(), 1);
    }
}

on_both_engines! {
    async fn what_is_cancelled_or_over_cannot_be_moved_and_a_move_is_made_once(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let to = |start: &str, version: i32| json!({ "input": { "id": id, "expectedVersion": version, "startsAt": start } });
        practice.desk.ok(MOVE, to("2026-06-02T10:00:00Z", 1)).await;
        // The same request again, as from a link that was used.
        assert_eq!(practice.desk.code(MOVE, to("2026-06-02T10:00:00Z", 1)).await, "STALE_VERSION");
        practice.step(&practice.desk, "cancelAppointment", &id, 2).await.unwrap();
        assert_eq!(practice.desk.code(MOVE, to("2026-06-02T11:00:00Z", 3)).await, "CONFLICT");
        for (number, status) in ["IN_PROGRESS", "COMPLETED", "NO_SHOW"].into_iter().enumerate() {
            let (id, version) = practice.in_status(status, number).await;
            let start = practice.app.app.clock.now() + chrono::Duration::hours(30);
            let input = json!({ "input": { "id": id, "expectedVersion": version, "startsAt": start } });
            assert_eq!(practice.desk.code(MOVE, input).await, "CONFLICT", "{status}");
        }
    }
}

on_both_engines! {
    async fn of_two_requests_for_one_slot_only_one_can_be_confirmed(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        // What is not confirmed yet takes its time all the same.
        let second = practice.book(&practice.desk, practice.booking(practice.bob, "2026-06-02T09:00:00Z")).await;
        assert_eq!(second["conflicts"][0]["appointment"]["id"], id);
        practice.step(&practice.desk, "confirmAppointment", &id, 1).await.unwrap();
    }
}

on_both_engines! {
    async fn a_patient_reaches_nobody_elses_appointments_and_sees_no_names_in_a_conflict(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let bob: Client = practice.as_patient(practice.bob).await;
        let to = json!({ "input": { "id": id, "expectedVersion": 1, "startsAt": "2026-06-02T10:00:00Z" } });
        assert_eq!(bob.code(MOVE, to).await, "NOT_FOUND");
        assert_eq!(practice.step(&bob, "cancelAppointment", &id, 1).await, Err("NOT_FOUND".into()));
        let answer = bob.ok(BOOK, json!({ "input": practice.booking(practice.bob, "2026-06-02T09:00:00Z") })).await;
        let conflict = &answer["bookAppointment"]["conflicts"][0];
        assert_eq!((&conflict["resource"], &conflict["appointment"]), (&json!("PRACTITIONER"), &Json::Null));
        // For somebody else they cannot book at all.
        let other = practice.booking(practice.ada, "2026-06-02T12:00:00Z");
        assert_eq!(bob.code(BOOK, json!({ "input": other })).await, "BAD_USER_INPUT");
    }
}

on_both_engines! {
    async fn an_override_stands_beside_what_it_met_and_later_bookings_are_told_of_both(on: On) {
        let practice = Practice::new(on).await;
        let first = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let mut over = practice.booking(practice.bob, "2026-06-02T09:00:00Z");
        over["overrideReason"] = "Emergency".into();
        let second = practice.book(&practice.doctor, over).await["appointment"].clone();
        assert_eq!(second["isOverride"], true);
        let cleo = practice.app.patient(&practice.owner, "Cleo", "North").await;
        let third = practice.book(&practice.desk, practice.booking(cleo, "2026-06-02T09:00:00Z")).await;
        let mut met: Vec<&str> = third["conflicts"].as_array().unwrap().iter()
            .map(|conflict| conflict["appointment"]["id"].as_str().unwrap()).collect();
        met.sort_unstable();
        let mut both = [first.as_str().unwrap(), second["id"].as_str().unwrap()];
        both.sort_unstable();
        assert_eq!(met, both);
        // When the first is gone, the override's time is still taken.
        practice.step(&practice.desk, "cancelAppointment", &first, 1).await.unwrap();
        let third = practice.book(&practice.desk, practice.booking(cleo, "2026-06-02T09:00:00Z")).await;
        assert_eq!(third["conflicts"][0]["appointment"]["id"], second["id"]);
    }
}

on_both_engines! {
    /// B30: what is in a patient's way, and what they can have instead, names nobody.
    async fn a_refused_move_and_a_refused_hold_show_a_patient_times_and_nobody_else(on: On) {
        let practice = Practice::new(on).await;
        let own = practice.booked(practice.bob, "2026-06-02T14:00:00Z").await;
        practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let bob: Client = practice.as_patient(practice.bob).await;
        let conflict = "... on AppointmentConflict { conflicts { resource startsAt appointment { id patient { lastName } reason } } \
            alternatives { startsAt } }";
        let to = json!({ "input": { "id": own, "expectedVersion": 1, "startsAt": "2026-06-02T09:15:00Z" } });
        let document = format!("mutation($input: RescheduleAppointmentInput!) {{ refused: rescheduleAppointment(input: $input) {{ {conflict} }} }}");
        let moved = bob.ok(&document, to).await["refused"].clone();
        let document = format!("mutation($input: HoldSlotInput!) {{ refused: holdSlot(input: $input) {{ {conflict} }} }}");
        let held = bob.ok(&document, json!({ "input": practice.slot("2026-06-02T09:00:00Z") })).await["refused"].clone();
        for refused in [moved, held] {
            let conflicts = refused["conflicts"].as_array().unwrap();
            assert_eq!((conflicts.len(), &conflicts[0]["resource"]), (1, &json!("PRACTITIONER")));
            assert_eq!(conflicts[0]["appointment"], Json::Null);
            assert!(!refused["alternatives"].as_array().unwrap().is_empty());
        }
        // The calendar of the day has the own appointment only.
        let calendar = "{ calendar(from: \"2026-06-02T00:00:00Z\", to: \"2026-06-03T00:00:00Z\") { practitioners { \
            appointments { id } holds { id } } } }";
        let seen = bob.ok(calendar, json!({})).await["calendar"].to_string();
        assert_eq!((seen.matches("apt_").count(), seen.contains(own.as_str().unwrap())), (1, true), "{seen}");
    }
}
