//! Patients who wait for a slot, and the offers they get.

use std::time::Duration;

use praxis::appointment::sweep::sweep;
use praxis::id::PatientId;
use serde_json::{Value as Json, json};

use crate::appointment::{BOOK, MOVE, Practice};
use crate::support::app::Client;
use crate::support::on_both_engines;

const JOIN: &str = "mutation($input: JoinWaitlistInput!) { joinWaitlist(input: $input) { entry { id status \
    priority version note } } }";
const LIST: &str = "query($filter: WaitlistFilter) { waitlist(filter: $filter) { totalCount nodes { id status version \
    priority patient { id } offer { id startsAt endsAt expiresAt isOffer } } } }";
const ACCEPT: &str = "mutation($input: AcceptWaitlistOfferInput!) { acceptWaitlistOffer(input: $input) { appointment { \
    id status startsAt endsAt patient { id } service { id } practitioner { id } } } }";

impl Practice {
    fn wish(&self, patient: PatientId) -> Json {
        json!({ "patientId": patient.to_string(), "serviceId": self.service, "earliest": "2026-06-02T00:00:00Z",
            "latest": "2026-06-04T00:00:00Z" })
    }

    async fn waits(&self, client: &Client, input: Json) -> Json {
        client.ok(JOIN, json!({ "input": input })).await["joinWaitlist"]["entry"]["id"].clone()
    }

    /// The live entries as they stand.
    async fn waitlist(&self) -> Vec<Json> {
        self.desk.ok(LIST, json!({})).await["waitlist"]["nodes"].as_array().unwrap().clone()
    }

    async fn entry(&self, id: &Json) -> Json {
        let filter = json!({ "statuses": ["WAITING", "OFFERED", "BOOKED", "LEFT", "EXPIRED"] });
        let all = self.desk.ok(LIST, json!({ "filter": filter })).await;
        let nodes = all["waitlist"]["nodes"].as_array().unwrap();
        nodes.iter().find(|entry| entry["id"] == *id).unwrap().clone()
    }

    async fn status_of(&self, id: &Json) -> String {
        self.entry(id).await["status"].as_str().unwrap().to_owned()
    }

    async fn answer(&self, client: &Client, mutation: &str, id: &Json) -> Result<Json, String> {
        let version = self.entry(id).await["version"].clone();
        let document = format!(
            "mutation($input: WaitlistEntryInput!) {{ {mutation}(input: $input) {{ entry {{ id status }} }} }}"
        );
        let answer =
            client.run(&document, json!({ "input": { "id": id, "expectedVersion": version } })).await;
        if answer.errors.is_empty() { Ok(answer.data[mutation]["entry"].clone()) } else { Err(answer.code()) }
    }

    async fn accept(&self, client: &Client, id: &Json) -> Result<Json, String> {
        let version = self.entry(id).await["version"].clone();
        let answer = client.run(ACCEPT, json!({ "input": { "id": id, "expectedVersion": version } })).await;
        if answer.errors.is_empty() {
            Ok(answer.data["acceptWaitlistOffer"]["appointment"].clone())
        } else {
            Err(answer.code())
        }
    }

    async fn another_patient(&self, name: &str) -> PatientId {
        self.app.patient(&self.owner, name, "North").await
    }
}

on_both_engines! {
    async fn a_cancelled_slot_is_offered_by_priority_and_then_by_who_came_first(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let cleo = practice.another_patient("Cleo").await;
        let first = practice.waits(&practice.desk, practice.wish(practice.bob)).await;
        let mut urgent = practice.wish(cleo);
        urgent["priority"] = 5.into();
        let urgent = practice.waits(&practice.desk, urgent).await;
        let order: Vec<Json> = practice.waitlist().await.iter().map(|entry| entry["id"].clone()).collect();
        assert_eq!(order, [urgent.clone(), first.clone()]);

        practice.step(&practice.desk, "cancelAppointment", &id, 1).await.unwrap();

        let offered = practice.entry(&urgent).await;
        assert_eq!(offered["status"], "OFFERED");
        assert_eq!(offered["offer"]["startsAt"], "2026-06-02T09:00:00+00:00");
        assert_eq!(offered["offer"]["expiresAt"], "2026-06-01T14:00:00+00:00");
        assert_eq!(practice.status_of(&first).await, "WAITING");
        // Nobody can walk in between.
        let walk_in = practice.book(&practice.doctor, practice.booking(practice.ada, "2026-06-02T09:00:00Z")).await;
        assert_eq!(walk_in["__typename"], "AppointmentConflict");

        // Declined: it goes to the next, and whoever declined waits on.
        assert_eq!(practice.answer(&practice.desk, "declineWaitlistOffer", &urgent).await.unwrap()["status"], "WAITING");
        assert_eq!(practice.status_of(&first).await, "OFFERED");
        assert_eq!(practice.answer(&practice.desk, "declineWaitlistOffer", &urgent).await, Err("CONFLICT".into()));

        let booked = practice.accept(&practice.desk, &first).await.unwrap();
        assert_eq!(booked["patient"]["id"], practice.bob.to_string());
        assert_eq!((&booked["status"], &booked["service"]["id"]), (&json!("SCHEDULED"), &practice.service));
        assert_eq!(practice.status_of(&first).await, "BOOKED");
        assert_eq!(practice.accept(&practice.desk, &first).await, Err("CONFLICT".into()));
        // Nobody is offered the same slot twice.
        practice.step(&practice.desk, "cancelAppointment", &booked["id"], 1).await.unwrap();
        assert_eq!(practice.status_of(&urgent).await, "WAITING");
    }
}

on_both_engines! {
    async fn an_offer_that_is_not_answered_goes_to_the_next(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let cleo = practice.another_patient("Cleo").await;
        let first = practice.waits(&practice.desk, practice.wish(practice.bob)).await;
        let second = practice.waits(&practice.desk, practice.wish(cleo)).await;
        practice.step(&practice.desk, "cancelAppointment", &id, 1).await.unwrap();
        let late = practice.entry(&first).await;

        practice.app.app.clock.advance(Duration::from_secs(120 * 60));
        // The answer comes too late even before anybody has swept.
        assert_eq!(practice.accept(&practice.desk, &first).await, Err("CONFLICT".into()));
        sweep(&practice.app.app).await.unwrap();

        assert_eq!(practice.status_of(&first).await, "WAITING");
        let offered = practice.entry(&second).await;
        assert_eq!(offered["status"], "OFFERED");
        assert_ne!(offered["offer"]["id"], late["offer"]["id"]);
        practice.app.app.clock.advance(Duration::from_secs(120 * 60));
        sweep(&practice.app.app).await.unwrap();
        // Both had their turn: the slot is anybody's.
        assert_eq!(practice.status_of(&first).await, "WAITING");
        assert_eq!(practice.status_of(&second).await, "WAITING");
        practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
    }
}

on_both_engines! {
    async fn a_moved_appointment_offers_the_slot_it_leaves(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let entry = practice.waits(&practice.desk, practice.wish(practice.bob)).await;
        let to = |start: &str, version: i32| json!({ "input": { "id": id, "expectedVersion": version, "startsAt": start } });

        // Its own new time is still in the way of the old one.
        practice.desk.ok(MOVE, to("2026-06-02T09:10:00Z", 1)).await;
        assert_eq!(practice.status_of(&entry).await, "WAITING");
        practice.desk.ok(MOVE, to("2026-06-02T15:00:00Z", 2)).await;
        assert_eq!(practice.entry(&entry).await["offer"]["startsAt"], "2026-06-02T09:10:00+00:00");
    }
}

on_both_engines! {
    async fn only_those_are_asked_who_want_the_slot_and_can_come(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let mut entries = Vec::new();
        let mut other_practitioner = practice.wish(practice.another_patient("Other").await);
        other_practitioner["practitionerId"] = practice.owner.membership().to_string().into();
        let mut too_late = practice.wish(practice.another_patient("Late").await);
        too_late["earliest"] = "2026-06-02T09:00:01Z".into();
        let mut too_early = practice.wish(practice.another_patient("Early").await);
        too_early["latest"] = "2026-06-02T09:29:59Z".into();
        // Bob has another appointment at that time.
        let mut busy = practice.booking(practice.bob, "2026-06-02T09:15:00Z");
        busy["practitionerId"] = practice.owner.membership().to_string().into();
        practice.book(&practice.desk, busy).await;
        for wish in [other_practitioner, too_late, too_early, practice.wish(practice.bob)] {
            entries.push(practice.waits(&practice.desk, wish).await);
        }
        let gone = practice.another_patient("Gone").await;
        entries.push(practice.waits(&practice.desk, practice.wish(gone)).await);
        let archive = "mutation($input: ArchivePatientInput!) { archivePatient(input: $input) { patient { id } } }";
        practice.owner.ok(archive, json!({ "input": { "id": gone.to_string(), "expectedVersion": 1 } })).await;
        let mut any = practice.wish(practice.another_patient("Any").await);
        any["serviceId"] = Json::Null;
        let any = practice.waits(&practice.desk, any).await;

        practice.step(&practice.desk, "cancelAppointment", &id, 1).await.unwrap();

        for entry in &entries {
            assert_eq!(practice.status_of(entry).await, "WAITING");
        }
        assert_eq!(practice.status_of(&any).await, "OFFERED");
    }
}

on_both_engines! {
    async fn a_patient_waits_for_themselves_and_cannot_push_ahead(on: On) {
        let practice = Practice::new(on).await;
        let ada = practice.as_patient(practice.ada).await;
        let own = json!({ "earliest": "2026-06-02T00:00:00Z", "latest": "2026-06-03T00:00:00Z", "note": "Mornings" });
        let entry = practice.waits(&ada, own.clone()).await;
        assert_eq!(ada.code(JOIN, json!({ "input": practice.wish(practice.bob) })).await, "BAD_USER_INPUT");
        let mut pushing = own.clone();
        pushing["priority"] = 1.into();
        assert_eq!(ada.code(JOIN, json!({ "input": pushing })).await, "FORBIDDEN");
        let others = practice.waits(&practice.desk, practice.wish(practice.bob)).await;
        let seen = ada.ok(LIST, json!({})).await;
        assert_eq!(seen["waitlist"]["totalCount"], 1);
        assert_eq!(practice.answer(&ada, "leaveWaitlist", &others).await, Err("NOT_FOUND".into()));
        assert_eq!(practice.answer(&ada, "leaveWaitlist", &entry).await.unwrap()["status"], "LEFT");
        assert_eq!(practice.answer(&ada, "leaveWaitlist", &entry).await, Err("CONFLICT".into()));
        for (field, value) in [
            ("latest", json!("2026-06-02T00:00:00Z")),
            ("latest", json!("2026-06-01T11:00:00Z")),
            ("latest", json!("2028-06-01T11:00:00Z")),
            ("earliest", json!("-262143-01-01T00:00:00Z")),
        ] {
            let mut bad = own.clone();
            bad[field] = value;
            assert_eq!(ada.code(JOIN, json!({ "input": bad })).await, "BAD_USER_INPUT");
        }
    }
}

on_both_engines! {
    async fn leaving_with_an_offer_passes_it_on_and_a_past_window_expires(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let first = practice.waits(&practice.desk, practice.wish(practice.bob)).await;
        let second = practice.waits(&practice.desk, practice.wish(practice.another_patient("Cleo").await)).await;
        let mut brief = practice.wish(practice.another_patient("Dora").await);
        brief["earliest"] = "2026-06-01T12:00:00Z".into();
        brief["latest"] = "2026-06-01T13:00:00Z".into();
        let brief = practice.waits(&practice.desk, brief).await;
        practice.step(&practice.desk, "cancelAppointment", &id, 1).await.unwrap();

        practice.answer(&practice.desk, "leaveWaitlist", &first).await.unwrap();
        assert_eq!(practice.status_of(&second).await, "OFFERED");
        practice.app.app.clock.advance(Duration::from_secs(60 * 60));
        sweep(&practice.app.app).await.unwrap();
        assert_eq!(practice.status_of(&brief).await, "EXPIRED");
        assert_eq!(practice.status_of(&second).await, "OFFERED");
        // When the slot itself has begun there is nothing to pass on.
        practice.app.app.clock.advance(Duration::from_secs(4 * 24 * 3_600));
        sweep(&practice.app.app).await.unwrap();
        assert_eq!(practice.status_of(&second).await, "WAITING");
        sweep(&practice.app.app).await.unwrap();
        assert_eq!(practice.status_of(&second).await, "EXPIRED");
    }
}

on_both_engines! {
    async fn an_acceptance_and_walk_ins_on_two_nodes_leave_one_appointment(on: On) {
        let practice = Practice::new(on).await;
        let second = practice.app.another_node().await;
        let id = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let entry = practice.waits(&practice.desk, practice.wish(practice.bob)).await;
        let cancel = "mutation($input: CancelAppointmentInput!) { cancelAppointment(input: $input) { appointment { id } } }";
        let mut tasks = tokio::task::JoinSet::new();
        for turn in 0..10 {
            let actor = practice.desk.actor.as_deref().cloned();
            let client = if turn % 2 == 0 { practice.app.client(actor) } else { second.client(actor) };
            let input = practice.booking(practice.ada, "2026-06-02T09:00:00Z");
            let gone = json!({ "input": { "id": id, "expectedVersion": 1 } });
            tasks.spawn(async move {
                if turn == 5 {
                    client.ok(cancel, gone).await;
                    return false;
                }
                let answer = client.ok(BOOK, json!({ "input": input })).await;
                answer["bookAppointment"]["__typename"] == "AppointmentBooked"
            });
        }
        let mut walked_in = 0;
        while let Some(booked) = tasks.join_next().await {
            walked_in += u32::from(booked.unwrap());
        }
        // Freed and offered in one transaction: no walk-in comes between.
        assert_eq!(walked_in, 0);
        assert_eq!(practice.status_of(&entry).await, "OFFERED");

        practice.app.app.clock.advance(Duration::from_secs(119 * 60));
        let mut tasks = tokio::task::JoinSet::new();
        for turn in 0..6 {
            let actor = practice.desk.actor.as_deref().cloned();
            let client = if turn % 2 == 0 { practice.app.client(actor) } else { second.client(actor) };
            let accepts = json!({ "input": { "id": entry, "expectedVersion": 2 } });
            tasks.spawn(async move { client.run(ACCEPT, accepts).await });
        }
        let mut accepted = 0;
        while let Some(answer) = tasks.join_next().await {
            let answer = answer.unwrap();
            if answer.errors.is_empty() {
                accepted += 1;
            } else {
                assert!(["CONFLICT", "STALE_VERSION"].contains(&answer.code().as_str()), "{}", answer.code());
            }
        }
        assert_eq!(accepted, 1);
    }
}

on_both_engines! {
    async fn a_walk_in_after_the_offer_has_expired_takes_the_slot_and_the_patient_waits_on(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let entry = practice.waits(&practice.desk, practice.wish(practice.bob)).await;
        practice.step(&practice.desk, "cancelAppointment", &id, 1).await.unwrap();
        practice.app.app.clock.advance(Duration::from_secs(120 * 60));

        practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;

        assert_eq!(practice.status_of(&entry).await, "WAITING");
    }
}
