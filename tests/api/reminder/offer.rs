//! What patients of the waiting list are told.

use std::time::Duration;

use praxis::appointment::sweep::sweep;
use serde_json::{Value as Json, json};

use super::{Practice, tick};
use crate::support::on_both_engines;
use crate::support::smtp::{Sink, Treatment};

const ENTRY: &str = "query($id: ID!) { node(id: $id) { ... on WaitlistEntry { status version offer { expiresAt } \
    offerMessage { kind state attempts lastError dueAt offer { startsAt } appointment { id } } } } }";
const JOIN: &str = "mutation($input: JoinWaitlistInput!) { joinWaitlist(input: $input) { entry { id } } }";

/// A slot of the third of June that somebody else has, and that Ada waits for.
struct Wait {
    practice: Practice,
    taken: Json,
    entry: Json,
}

impl Wait {
    async fn of(practice: Practice) -> Self {
        let bob = practice.app.patient(&practice.owner, "Bob", "North").await;
        let input = json!({ "patientId": bob.to_string(), "serviceId": practice.service,
            "practitionerId": practice.doctor.membership().to_string(), "startsAt": "2026-06-03T09:00:00Z" });
        let taken = practice.owner.ok(crate::appointment::BOOK, json!({ "input": input })).await;
        let taken = taken["bookAppointment"]["appointment"]["id"].clone();
        let wish = json!({ "patientId": practice.ada.to_string(), "serviceId": practice.service, "note": "Relapse",
            "earliest": "2026-06-02T00:00:00Z", "latest": "2026-06-04T00:00:00Z" });
        let entry =
            practice.owner.ok(JOIN, json!({ "input": wish })).await["joinWaitlist"]["entry"]["id"].clone();
        Self { practice, taken, entry }
    }

    /// The slot becomes free.
    async fn cancel(&self) {
        self.practice.change("cancelAppointment", &self.taken, json!({})).await;
    }

    async fn entry(&self) -> Json {
        self.practice.owner.ok(ENTRY, json!({ "id": self.entry })).await["node"].clone()
    }

    async fn message(&self) -> Json {
        self.entry().await["offerMessage"].clone()
    }

    async fn answer(&self, mutation: &str) {
        let version = self.entry().await["version"].clone();
        let input =
            if mutation == "acceptWaitlistOffer" { "AcceptWaitlistOfferInput" } else { "WaitlistEntryInput" };
        let document = format!("mutation($input: {input}!) {{ {mutation}(input: $input) {{ __typename }} }}");
        let input = json!({ "id": self.entry, "expectedVersion": version });
        self.practice.owner.ok(&document, json!({ "input": input })).await;
    }

    fn advance(&self, minutes: u64) {
        self.practice.app.app.clock.advance(Duration::from_secs(60 * minutes));
    }

    async fn tick(&self) {
        tick(&self.practice.app.app).await;
    }
}

on_both_engines! {
    async fn a_patient_who_waits_is_told_once_of_the_slot_that_is_kept_and_of_nothing_else(on: On) {
        let wait = Wait::of(Practice::agreed(on).await).await;
        let sink = Sink::start().await;
        let node = wait.practice.app.another_node_with(sink.mailer(&wait.practice.app.app.clock)).await;
        wait.cancel().await;
        let message = wait.message().await;
        assert_eq!((&message["kind"], &message["state"]), (&json!("OFFER"), &json!("PENDING")));
        assert_eq!((&message["offer"]["startsAt"], &message["appointment"]), (&json!("2026-06-03T09:00:00+00:00"), &Json::Null));

        // The server fails once; the message keeps its name.
        sink.next([Treatment::HangUp]);
        tick(&node.app).await;
        wait.advance(2);
        tick(&node.app).await;
        tick(&node.app).await;

        let names = sink.names();
        assert_eq!((names.len(), &names[0]), (2, &names[1]), "{names:?}");
        let mail = &sink.inbox()[1];
        assert_eq!((mail.to.as_str(), mail.header("Subject")), ("ada@example.org", "An appointment is free for you"));
        for told in [
            "Wednesday 3 June 2026, 11:00 (Europe/Berlin)",
            "until Monday 1 June 2026, 16:00 (Europe/Berlin)",
            "north practice",
        ] {
            assert!(mail.data.contains(told), "{told}: {}", mail.data);
        }
        for secret in ["Ada", "Lovelace", "Bob", "Chemotherapy", "Therapy", "THERAPY", "Relapse"] {
            assert!(!mail.data.contains(secret), "{secret}: {}", mail.data);
        }
        let message = wait.message().await;
        assert_eq!((&message["state"], &message["attempts"]), (&json!("SENT"), &json!(2)));
        // Opening the address is in the journal, without the address.
        let journal = wait.practice.app.journal(wait.practice.owner.workspace()).await;
        let told: Vec<_> = journal.iter().filter(|event| event.request_id.as_deref() == Some("task:reminders")).collect();
        assert_eq!(
            told.iter().map(|event| event.action.as_str()).collect::<Vec<_>>(),
            ["patient.read", "patient.read", "reminder.sent"]
        );
        assert!(!format!("{told:?}").contains("example.org"));
    }

    async fn nobody_is_told_of_an_offer_without_consent_or_once_it_is_withdrawn(on: On) {
        let wait = Wait::of(Practice::new(on).await).await;
        wait.cancel().await;
        assert_eq!((&wait.entry().await["status"], wait.message().await), (&json!("OFFERED"), Json::Null));
        wait.tick().await;
        assert_eq!(wait.practice.mail(), []);

        // Whoever agrees while the slot is kept is told of it, unless they change their mind before it is sent.
        wait.practice.grant(json!({})).await;
        assert_eq!(wait.message().await["state"], "PENDING");
        wait.practice.withdraw().await;
        assert_eq!(wait.message().await["state"], "CANCELLED");
        wait.tick().await;
        assert_eq!(wait.practice.mail(), []);
        wait.practice.grant(json!({})).await;
        assert_eq!(wait.message().await["state"], "PENDING");
        wait.practice.change_patient(json!({ "email": null })).await;
        wait.tick().await;
        let message = wait.message().await;
        assert_eq!((&message["state"], &message["lastError"]), (&json!("CANCELLED"), &json!("address")));
        assert_eq!(wait.practice.mail(), []);
    }

    async fn an_offer_that_is_answered_or_over_is_not_told_any_more(on: On) {
        for answer in ["acceptWaitlistOffer", "declineWaitlistOffer", "leaveWaitlist"] {
            let wait = Wait::of(Practice::agreed(on).await).await;
            wait.cancel().await;
            wait.answer(answer).await;
            wait.tick().await;
            assert_eq!(wait.practice.mail(), [], "{answer}");
        }
        // Nobody worked until the time to answer had passed, and nobody had swept.
        let wait = Wait::of(Practice::agreed(on).await).await;
        wait.cancel().await;
        wait.advance(120);
        wait.tick().await;
        let message = wait.message().await;
        assert_eq!((&message["state"], &message["lastError"]), (&json!("CANCELLED"), &json!("over")));
        sweep(&wait.practice.app.app).await.unwrap();
        wait.tick().await;
        assert_eq!(wait.practice.mail(), []);
    }

    async fn an_offer_of_the_night_is_told_in_the_morning_and_kept_until_it_can_be_answered(on: On) {
        let wait = Wait::of(Practice::agreed(on).await).await;
        wait.advance(10 * 60); // Monday 22:00 UTC, midnight in Berlin
        wait.cancel().await;
        // Two hours from eight in the morning.
        assert_eq!(wait.entry().await["offer"]["expiresAt"], "2026-06-02T08:00:00+00:00");
        wait.tick().await;
        assert_eq!(wait.practice.mail(), []);
        assert_eq!(wait.message().await["dueAt"], "2026-06-02T06:00:00+00:00");
        wait.advance(8 * 60);
        wait.tick().await;
        let mail = wait.practice.mail();
        assert_eq!(mail.len(), 1);
        assert!(mail[0].text.contains("until Tuesday 2 June 2026, 10:00 (Europe/Berlin)"), "{}", mail[0].text);
    }
}
