//! Slots that are held for a while, and what becomes of them.

use std::time::Duration;

use praxis::access::actor::Actor;
use praxis::appointment::sweep::sweep;
use praxis::id::PatientId;
use praxis::member::entity::Role;
use serde_json::{Value as Json, json};

use crate::appointment::{BOOK, Practice};
use crate::support::app::Client;
use crate::support::on_both_engines;

pub const HOLD: &str = "mutation($input: HoldSlotInput!) { holdSlot(input: $input) { __typename \
    ... on SlotHeld { hold { id startsAt endsAt expiresAt releasedAt patient { id } } } \
    ... on AppointmentConflict { sessionFull conflicts { resource startsAt endsAt appointment { id } } } } }";

const RELEASE: &str =
    "mutation($input: ReleaseHoldInput!) { releaseHold(input: $input) { hold { id releasedAt } } }";

impl Practice {
    pub fn slot(&self, starts_at: &str) -> Json {
        json!({ "practitionerId": self.doctor.membership().to_string(), "serviceId": self.service,
            "startsAt": starts_at })
    }

    async fn held(&self, client: &Client, input: Json) -> Json {
        let answer = client.ok(HOLD, json!({ "input": input })).await["holdSlot"].clone();
        assert_eq!(answer["__typename"], "SlotHeld", "{answer}");
        answer["hold"].clone()
    }

    /// Somebody who can sign in and only reaches this chart.
    pub async fn as_patient(&self, patient: PatientId) -> Client {
        let member = self.app.member(self.owner.workspace(), Role::Patient).await;
        let actor = Actor { patient: Some(patient), ..member.actor.as_deref().unwrap().clone() };
        self.app.client(Some(actor))
    }

    pub async fn all_appointments(&self) -> Json {
        self.owner.ok("{ appointments { nodes { id startsAt patient { id } } } }", json!({})).await["appointments"]
            ["nodes"]
            .clone()
    }
}

on_both_engines! {
    async fn a_held_slot_is_nobody_elses_until_it_is_confirmed_or_given_up(on: On) {
        let practice = Practice::new(on).await;
        let hold = practice.held(&practice.desk, practice.slot("2026-06-02T09:00:00Z")).await;
        assert_eq!(hold["expiresAt"], "2026-06-01T12:10:00+00:00");
        assert_eq!(hold["endsAt"], "2026-06-02T09:30:00+00:00");

        let walk_in = practice.book(&practice.doctor, practice.booking(practice.bob, "2026-06-02T09:00:00Z")).await;
        assert_eq!(walk_in["conflicts"], json!([{ "resource": "PRACTITIONER", "startsAt": "2026-06-02T09:00:00+00:00",
            "endsAt": "2026-06-02T09:40:00+00:00", "appointment": null }]));
        let again = practice.doctor.ok(HOLD, json!({ "input": practice.slot("2026-06-02T09:15:00Z") })).await;
        assert_eq!(again["holdSlot"]["__typename"], "AppointmentConflict");

        // Somebody else cannot use the hold, and it is for this slot only.
        let mut confirm = practice.booking(practice.ada, "2026-06-02T09:00:00Z");
        confirm["holdId"] = hold["id"].clone();
        assert_eq!(practice.doctor.code(BOOK, json!({ "input": confirm })).await, "BAD_USER_INPUT");
        let mut other = confirm.clone();
        other["startsAt"] = "2026-06-02T10:00:00Z".into();
        assert_eq!(practice.desk.code(BOOK, json!({ "input": other })).await, "BAD_USER_INPUT");

        let booked = practice.book(&practice.desk, confirm.clone()).await;
        assert_eq!(booked["appointment"]["startsAt"], "2026-06-02T09:00:00+00:00");
        // A hold is used once, and the appointment now takes what the hold did.
        assert_eq!(practice.desk.code(BOOK, json!({ "input": confirm })).await, "CONFLICT");
        let walk_in = practice.book(&practice.doctor, practice.booking(practice.bob, "2026-06-02T09:35:00Z")).await;
        assert_eq!(walk_in["conflicts"][0]["appointment"]["id"], booked["appointment"]["id"]);
        let patient = practice.book(&practice.owner, {
            let mut input = practice.booking(practice.ada, "2026-06-02T09:10:00Z");
            input["practitionerId"] = practice.owner.membership().to_string().into();
            input
        }).await;
        assert_eq!(patient["conflicts"][0]["resource"], "PATIENT");

        let hold = practice.held(&practice.desk, practice.slot("2026-06-02T14:00:00Z")).await;
        for _ in 0..2 {
            let released = practice.desk.ok(RELEASE, json!({ "input": { "id": hold["id"] } })).await;
            assert_eq!(released["releaseHold"]["hold"]["releasedAt"], "2026-06-01T12:00:00+00:00");
        }
        practice.booked(practice.bob, "2026-06-02T14:00:00Z").await;
    }
}

on_both_engines! {
    async fn whoever_books_next_puts_an_expired_hold_aside(on: On) {
        let practice = Practice::new(on).await;
        let hold = practice.held(&practice.desk, practice.slot("2026-06-02T09:00:00Z")).await;
        practice.app.app.clock.advance(Duration::from_secs(10 * 60 - 1));
        let early = practice.book(&practice.doctor, practice.booking(practice.bob, "2026-06-02T09:00:00Z")).await;
        assert_eq!(early["__typename"], "AppointmentConflict");
        practice.app.app.clock.advance(Duration::from_secs(1));

        practice.booked(practice.bob, "2026-06-02T09:00:00Z").await;

        let mut confirm = practice.booking(practice.ada, "2026-06-02T09:00:00Z");
        confirm["holdId"] = hold["id"].clone();
        assert_eq!(practice.desk.code(BOOK, json!({ "input": confirm })).await, "CONFLICT");
    }
}

on_both_engines! {
    async fn an_expired_hold_cannot_be_confirmed_although_nobody_else_booked(on: On) {
        let practice = Practice::new(on).await;
        let hold = practice.held(&practice.desk, practice.slot("2026-06-02T09:00:00Z")).await;
        practice.app.app.clock.advance(Duration::from_secs(10 * 60));
        let mut confirm = practice.booking(practice.ada, "2026-06-02T09:00:00Z");
        confirm["holdId"] = hold["id"].clone();
        assert_eq!(practice.desk.code(BOOK, json!({ "input": confirm })).await, "CONFLICT");
        assert_eq!(practice.all_appointments().await, json!([]));
    }
}

on_both_engines! {
    async fn the_sweeper_ends_expired_holds_of_every_workspace(on: On) {
        let practice = Practice::new(on).await;
        let other = practice.app.workspace("south").await;
        let elsewhere = json!({ "practitionerId": other.membership().to_string(), "startsAt": "2026-06-02T09:00:00Z",
            "endsAt": "2026-06-02T09:30:00Z" });
        let theirs = other.ok(HOLD, json!({ "input": elsewhere })).await["holdSlot"]["hold"]["id"].clone();
        let mut short = practice.slot("2026-06-02T09:00:00Z");
        short["minutes"] = 5.into();
        let ours = practice.held(&practice.desk, short).await["id"].clone();
        let lasting = practice.held(&practice.desk, practice.slot("2026-06-02T11:00:00Z")).await["id"].clone();
        let released = "query($id: ID!) { node(id: $id) { ... on SlotHold { releasedAt } } }";

        practice.app.app.clock.advance(Duration::from_secs(5 * 60));
        sweep(&practice.app.app).await.unwrap();
        let ended = practice.desk.ok(released, json!({ "id": ours })).await;
        assert_eq!(ended["node"]["releasedAt"], "2026-06-01T12:05:00+00:00");
        for (client, id) in [(&practice.desk, &lasting), (&other, &theirs)] {
            assert!(client.ok(released, json!({ "id": id })).await["node"]["releasedAt"].is_null());
        }

        practice.app.app.clock.advance(Duration::from_secs(5 * 60));
        sweep(&practice.app.app).await.unwrap();
        for (client, id) in [(&practice.desk, &lasting), (&other, &theirs)] {
            assert!(!client.ok(released, json!({ "id": id })).await["node"]["releasedAt"].is_null());
        }
    }
}

on_both_engines! {
    async fn a_patient_holds_for_themselves_only_and_two_slots_at_a_time(on: On) {
        let practice = Practice::new(on).await;
        let ada = practice.as_patient(practice.ada).await;
        let mut for_bob = practice.slot("2026-06-02T09:00:00Z");
        for_bob["patientId"] = practice.bob.to_string().into();
        assert_eq!(ada.code(HOLD, json!({ "input": for_bob })).await, "BAD_USER_INPUT");

        let hold = practice.held(&ada, practice.slot("2026-06-02T09:00:00Z")).await;
        assert_eq!(hold["patient"]["id"], practice.ada.to_string());
        let second = practice.held(&ada, practice.slot("2026-06-02T10:00:00Z")).await;
        assert_eq!(ada.code(HOLD, json!({ "input": practice.slot("2026-06-02T11:00:00Z") })).await, "CONFLICT");
        ada.ok(RELEASE, json!({ "input": { "id": second["id"] } })).await;
        practice.held(&ada, practice.slot("2026-06-02T11:00:00Z")).await;

        // Nobody else's: another patient neither sees nor ends it, and a colleague cannot book with it.
        let bob = practice.as_patient(practice.bob).await;
        assert_eq!(bob.code(RELEASE, json!({ "input": { "id": hold["id"] } })).await, "NOT_FOUND");
        let mut stolen = practice.booking(practice.bob, "2026-06-02T09:00:00Z");
        stolen["holdId"] = hold["id"].clone();
        assert_eq!(bob.code(BOOK, json!({ "input": stolen })).await, "BAD_USER_INPUT");
        let node = "query($id: ID!) { node(id: $id) { id } }";
        assert!(bob.ok(node, json!({ "id": hold["id"] })).await["node"].is_null());
        // The front desk can end it.
        practice.desk.ok(RELEASE, json!({ "input": { "id": hold["id"] } })).await;
    }
}

on_both_engines! {
    async fn a_hold_lasts_no_longer_than_the_workspace_allows(on: On) {
        let practice = Practice::new(on).await;
        for minutes in [0, -5, 11] {
            let mut input = practice.slot("2026-06-02T09:00:00Z");
            input["minutes"] = minutes.into();
            assert_eq!(practice.desk.code(HOLD, json!({ "input": input })).await, "BAD_USER_INPUT", "{minutes}");
        }
        let update = "mutation($input: UpdateWorkspaceInput!) { updateWorkspace(input: $input) { workspace { \
                      holdMinutes waitlistOfferMinutes } } }";
        let changed = practice.owner
            .ok(update, json!({ "input": { "expectedVersion": 1, "holdMinutes": 60, "waitlistOfferMinutes": 30 } })).await;
        assert_eq!(changed["updateWorkspace"]["workspace"], json!({ "holdMinutes": 60, "waitlistOfferMinutes": 30 }));
        let too_long = json!({ "input": { "expectedVersion": 2, "holdMinutes": 61 } });
        assert_eq!(practice.owner.code(update, too_long).await, "BAD_USER_INPUT");
        let hold = practice.held(&practice.desk, practice.slot("2026-06-02T09:00:00Z")).await;
        assert_eq!(hold["expiresAt"], "2026-06-01T13:00:00+00:00");
    }
}

on_both_engines! {
    async fn a_confirmation_and_bookings_on_two_nodes_leave_one_appointment(on: On) {
        let practice = Practice::new(on).await;
        let second = practice.app.another_node().await;
        for hour in 8..13 {
            let start = format!("2026-06-02T{hour:02}:00:00Z");
            let hold = practice.held(&practice.desk, practice.slot(&start)).await;
            let mut tasks = tokio::task::JoinSet::new();
            for turn in 0..12 {
                let mut input = practice.booking(if turn % 2 == 0 { practice.ada } else { practice.bob }, &start);
                // Every third one redeems the hold, the others walk in.
                if turn % 3 == 0 {
                    input["holdId"] = hold["id"].clone();
                }
                let actor = practice.desk.actor.as_deref().cloned();
                let client =
                    if turn % 2 == 0 { practice.app.client(actor) } else { second.client(actor) };
                tasks.spawn(async move { (turn % 3 == 0, client.run(BOOK, json!({ "input": input })).await) });
            }
            let mut booked = 0;
            while let Some(answer) = tasks.join_next().await {
                let (redeemed, answer) = answer.unwrap();
                if answer.data["bookAppointment"]["__typename"] == "AppointmentBooked" {
                    assert!(redeemed, "a slot was free between hold and booking");
                    booked += 1;
                } else if !answer.errors.is_empty() {
                    assert_eq!(answer.code(), "CONFLICT");
                }
            }
            assert_eq!(booked, 1, "{start}");
        }
        assert_eq!(practice.all_appointments().await.as_array().unwrap().len(), 5);
    }
}

on_both_engines! {
    async fn at_the_moment_of_expiry_hold_and_walk_in_never_both_win(on: On) {
        let practice = Practice::new(on).await;
        let second = practice.app.another_node().await;
        for hour in 8..13 {
            let start = format!("2026-06-02T{hour:02}:00:00Z");
            practice.held(&practice.desk, practice.slot(&start)).await;
            practice.app.app.clock.advance(Duration::from_secs(10 * 60));
            let mut tasks = tokio::task::JoinSet::new();
            for turn in 0..8 {
                let input = practice.booking(if turn % 2 == 0 { practice.ada } else { practice.bob }, &start);
                let actor = practice.desk.actor.as_deref().cloned();
                let client = if turn % 2 == 0 { practice.app.client(actor) } else { second.client(actor) };
                tasks.spawn(async move { client.ok(BOOK, json!({ "input": input })).await });
            }
            let (app, other) = (practice.app.app.clone(), second.app.clone());
            let sweeps = tokio::spawn(async move { futures::future::join(sweep(&app), sweep(&other)).await });
            let mut booked = 0;
            while let Some(answer) = tasks.join_next().await {
                booked += u32::from(answer.unwrap()["bookAppointment"]["__typename"] == "AppointmentBooked");
            }
            let (one, two) = sweeps.await.unwrap();
            one.unwrap();
            two.unwrap();
            assert_eq!(booked, 1, "{start}");
        }
    }
}

on_both_engines! {
    async fn holding_with_the_same_key_holds_once_and_changes_are_told(on: On) {
        let practice = Practice::new(on).await;
        let mut input = practice.slot("2026-06-02T09:00:00Z");
        input["idempotencyKey"] = "click-1".into();
        let first = practice.held(&practice.desk, input.clone()).await;
        assert_eq!(practice.held(&practice.desk, input).await["id"], first["id"]);
        practice.desk.ok(RELEASE, json!({ "input": { "id": first["id"] } })).await;

        let told: Vec<String> = practice.app.journal(practice.owner.workspace()).await.into_iter()
            .map(|event| event.action).filter(|action| action.starts_with("hold.")).collect();
        assert_eq!(told, ["hold.placed", "hold.released"]);
    }
}

on_both_engines! {
    async fn holds_are_listed_by_practitioner_and_range_until_they_end(on: On) {
        let practice = Practice::new(on).await;
        let list = "query($filter: SlotHoldFilter, $first: Int, $after: String) { slotHolds(filter: $filter, first: $first, \
            after: $after) { totalCount pageInfo { endCursor hasNextPage } nodes { id startsAt practitioner { id } } } }";
        let starts = async |client: &Client, filter: Json| -> Vec<String> {
            let found = client.ok(list, json!({ "filter": filter })).await["slotHolds"]["nodes"].clone();
            found.as_array().unwrap().iter().map(|hold| hold["startsAt"].as_str().unwrap()[8..16].to_owned()).collect()
        };
        let first = practice.held(&practice.desk, practice.slot("2026-06-02T09:00:00Z")).await;
        practice.held(&practice.desk, practice.slot("2026-06-03T09:00:00Z")).await;
        let mut other = practice.slot("2026-06-02T10:00:00Z");
        other["practitionerId"] = practice.owner.membership().to_string().into();
        practice.held(&practice.desk, other).await;
        let ada = practice.as_patient(practice.ada).await;
        practice.held(&ada, practice.slot("2026-06-04T09:00:00Z")).await;

        assert_eq!(starts(&practice.desk, json!({})).await, ["02T09:00", "02T10:00", "03T09:00", "04T09:00"]);
        let of_doctor = json!({ "practitionerId": practice.doctor.membership().to_string() });
        assert_eq!(starts(&practice.desk, of_doctor).await, ["02T09:00", "03T09:00", "04T09:00"]);
        // What ends when the range begins is not in it, nor what starts when it ends.
        let range = json!({ "from": "2026-06-02T09:30:00Z", "to": "2026-06-03T09:00:00Z" });
        assert_eq!(starts(&practice.desk, range).await, ["02T10:00"]);
        assert_eq!(starts(&ada, json!({})).await, ["04T09:00"]);
        let page = practice.desk.ok(list, json!({ "first": 3 })).await["slotHolds"].clone();
        assert_eq!((&page["totalCount"], &page["pageInfo"]["hasNextPage"]), (&json!(4), &json!(true)));
        let rest = practice.desk.ok(list, json!({ "first": 3, "after": page["pageInfo"]["endCursor"] })).await;
        assert_eq!(rest["slotHolds"]["nodes"].as_array().unwrap().len(), 1);

        practice.desk.ok(RELEASE, json!({ "input": { "id": first["id"] } })).await;
        assert_eq!(starts(&practice.desk, json!({})).await, ["02T10:00", "03T09:00", "04T09:00"]);
        practice.app.app.clock.advance(Duration::from_secs(10 * 60));
        assert_eq!(starts(&practice.desk, json!({})).await, Vec::<String>::new());
        assert_eq!(starts(&practice.desk, json!({ "includeEnded": true })).await.len(), 4);
        let researcher = practice.app.member(practice.owner.workspace(), Role::Researcher).await;
        assert_eq!(researcher.code(list, json!({})).await, "FORBIDDEN");
        let elsewhere = practice.app.workspace("south").await;
        assert_eq!(starts(&elsewhere, json!({ "includeEnded": true })).await, Vec::<String>::new());
    }
}
