//! Reminders: what is planned, what is sent, and what is not.

mod delivery;
mod offer;

use std::sync::Arc;
use std::time::Duration;

use praxis::app::App;
use praxis::id::PatientId;
use praxis::mail::Mail;
use praxis::member::entity::Role;
use praxis::reminder::worker::Worker;
use serde_json::{Value as Json, json};

use crate::support::app::{Client, TestApp};
use crate::support::database::On;
use crate::support::on_both_engines;

const GRANT: &str = "mutation($input: GrantConsentInput!) { grantConsent(input: $input) { consent { \
    purpose event textVersion channel expiresAt } } }";
const WITHDRAW: &str = "mutation($input: WithdrawConsentInput!) { withdrawConsent(input: $input) { consent { \
    event textVersion } } }";
const REMINDERS: &str = "query($id: ID!) { appointment(id: $id) { version reminders { id recipient kind \
    minutesBefore dueAt startsAt state attempts sentAt lastError member { id } } } }";
const SETTINGS: &str = "mutation($input: UpdateNotificationSettingsInput!) { \
    updateNotificationSettings(input: $input) { settings { version emailEnabled timezone digestMinute } } }";

/// One node's share of the work, now.
async fn tick(app: &Arc<App>) {
    let worker = Worker::new(app.clone(), app.shutdown.subscribe());
    Box::pin(worker.tick()).await.unwrap();
}

/// A practice in Berlin on a Monday at 14:00, with a doctor, a place, a service that must not be named, and a
/// patient who has an address.
struct Practice {
    app: TestApp,
    owner: Client,
    doctor: Client,
    place: Json,
    service: Json,
    ada: PatientId,
}

impl Practice {
    async fn new(on: On) -> Self {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let doctor = app.member(owner.workspace(), Role::Doctor).await;
        let ada = app.patient(&owner, "Ada", "Lovelace").await;
        let place =
            json!({ "input": { "name": "Harbour Street", "kind": "CLINIC", "address": "Harbour Street 1" } });
        let create =
            "mutation($input: CreateLocationInput!) { createLocation(input: $input) { location { id } } }";
        let place = owner.ok(create, place).await["createLocation"]["location"]["id"].clone();
        let service = json!({ "input": { "name": "Chemotherapy", "durationMinutes": 30, "appointmentType": "THERAPY" } });
        let create =
            "mutation($input: CreateServiceInput!) { createService(input: $input) { service { id } } }";
        let service = owner.ok(create, service).await["createService"]["service"]["id"].clone();
        let practice = Self { app, owner, doctor, place, service, ada };
        practice.change_patient(json!({ "email": "ada@example.org" })).await;
        practice
    }

    /// The same with a patient who agreed to reminders.
    async fn agreed(on: On) -> Self {
        let practice = Self::new(on).await;
        practice.grant(json!({})).await;
        practice
    }

    async fn change_patient(&self, mut change: Json) {
        let version = "query($id: ID!) { patient(id: $id) { version } }";
        let patient = self.owner.ok(version, json!({ "id": self.ada.to_string() })).await;
        change["id"] = self.ada.to_string().into();
        change["expectedVersion"] = patient["patient"]["version"].clone();
        let update = "mutation($input: UpdatePatientInput!) { updatePatient(input: $input) { __typename } }";
        self.owner.ok(update, json!({ "input": change })).await;
    }

    async fn grant(&self, mut more: Json) -> Json {
        more["patientId"] = self.ada.to_string().into();
        for (field, value) in
            [("purpose", "REMINDERS"), ("textVersion", "2026-1"), ("language", "de"), ("channel", "PAPER")]
        {
            more[field] = value.into();
        }
        self.owner.ok(GRANT, json!({ "input": more })).await["grantConsent"]["consent"].clone()
    }

    async fn withdraw(&self) -> Json {
        let input = json!({ "patientId": self.ada.to_string(), "purpose": "REMINDERS", "channel": "PHONE" });
        self.owner.ok(WITHDRAW, json!({ "input": input })).await["withdrawConsent"]["consent"].clone()
    }

    /// Books half an hour, and answers the appointment's id.
    async fn book(&self, starts_at: &str) -> Json {
        let input = json!({ "patientId": self.ada.to_string(), "serviceId": self.service,
            "practitionerId": self.doctor.membership().to_string(), "locationId": self.place,
            "startsAt": starts_at, "reason": "Relapse" });
        let booked = self.owner.ok(crate::appointment::BOOK, json!({ "input": input })).await;
        booked["bookAppointment"]["appointment"]["id"].clone()
    }

    async fn change(&self, mutation: &str, id: &Json, mut more: Json) -> Json {
        let appointment = self.owner.ok(REMINDERS, json!({ "id": id })).await;
        more["id"] = id.clone();
        more["expectedVersion"] = appointment["appointment"]["version"].clone();
        let input = match mutation {
            "rescheduleAppointment" => "RescheduleAppointmentInput",
            "cancelAppointment" => "CancelAppointmentInput",
            "correctAppointmentStatus" => "CorrectAppointmentStatusInput",
            _ => "AppointmentStatusInput",
        };
        let document = format!("mutation($input: {input}!) {{ {mutation}(input: $input) {{ __typename }} }}");
        self.owner.ok(&document, json!({ "input": more })).await
    }

    async fn reminders(&self, id: &Json) -> Vec<Json> {
        let appointment = self.owner.ok(REMINDERS, json!({ "id": id })).await;
        appointment["appointment"]["reminders"].as_array().unwrap().clone()
    }

    /// The states of an appointment's reminders with the starts that they are for.
    async fn states(&self, id: &Json) -> Vec<(String, String)> {
        let text = |value: &Json| value.as_str().unwrap().to_owned();
        let reminders = self.reminders(id).await;
        reminders.iter().map(|one| (text(&one["startsAt"]), text(&one["state"]))).collect()
    }

    async fn settings(&self, change: Json) -> Json {
        self.doctor.ok(SETTINGS, json!({ "input": change })).await["updateNotificationSettings"]["settings"]
            .clone()
    }

    async fn pass(&self, hours: u64) {
        self.app.app.clock.advance(Duration::from_secs(hours * 3600));
        tick(&self.app.app).await;
    }

    fn mail(&self) -> Vec<Mail> {
        self.app.mail.sent()
    }
}

fn pair(starts_at: &str, state: &str) -> (String, String) {
    (starts_at.replace('Z', "+00:00"), state.into())
}

on_both_engines! {
    async fn a_patient_who_agreed_is_reminded_once_of_time_place_and_name_and_nothing_else(on: On) {
        let practice = Practice::agreed(on).await;
        let id = practice.book("2026-06-03T09:00:00Z").await;

        let planned = practice.reminders(&id).await;
        assert_eq!(planned.len(), 1);
        assert_eq!((&planned[0]["kind"], &planned[0]["minutesBefore"]), (&json!("BEFORE"), &json!(1440)));
        assert_eq!((&planned[0]["recipient"], &planned[0]["state"]), (&json!("PATIENT"), &json!("PENDING")));
        assert_eq!(planned[0]["dueAt"], "2026-06-02T09:00:00+00:00");

        practice.pass(20).await;
        assert_eq!(practice.mail(), []);
        practice.pass(1).await;
        practice.pass(0).await;
        practice.pass(1).await;
        let mail = practice.mail();
        assert_eq!(mail.len(), 1, "{mail:?}");
        assert_eq!(mail[0].to, "ada@example.org");
        let doctor = practice.owner.ok("{ members(role: DOCTOR) { nodes { displayName } } }", json!({})).await;
        for told in [
            "Wednesday 3 June 2026, 11:00 (Europe/Berlin)",
            "Harbour Street, Harbour Street 1",
            doctor["members"]["nodes"][0]["displayName"].as_str().unwrap(),
            "north practice",
        ] {
            assert!(mail[0].text.contains(told), "{told}: {}", mail[0].text);
        }
        for secret in ["Ada", "Lovelace", "Chemotherapy", "THERAPY", "Therapy", "Relapse"] {
            assert!(!format!("{:?}", mail[0]).contains(secret), "{secret}: {}", mail[0].text);
        }
        let sent = practice.reminders(&id).await;
        assert_eq!((&sent[0]["state"], &sent[0]["attempts"]), (&json!("SENT"), &json!(1)));
        assert_eq!(sent[0]["sentAt"], "2026-06-02T09:00:00+00:00");
        // Opening the address and sending are in the journal, without the address.
        let journal = practice.app.journal(practice.owner.workspace()).await;
        let told: Vec<_> = journal.iter().filter(|event| event.request_id.as_deref() == Some("task:reminders")).collect();
        assert_eq!(told.iter().map(|event| event.action.as_str()).collect::<Vec<_>>(), ["patient.read", "reminder.sent"]);
        assert!(!format!("{told:?}").contains("example.org"));
    }

    async fn nobody_is_reminded_without_consent_or_once_it_is_withdrawn(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.book("2026-06-03T09:00:00Z").await;
        assert_eq!(practice.reminders(&id).await, Vec::<Json>::new());
        assert_eq!(
            practice.owner.code(WITHDRAW, json!({ "input": { "patientId": practice.ada.to_string(),
                "purpose": "REMINDERS", "channel": "PHONE" } })).await,
            "CONFLICT"
        );

        // Whoever agrees later is reminded of what was booked before.
        let given = practice.grant(json!({})).await;
        assert_eq!((&given["event"], &given["textVersion"]), (&json!("GRANTED"), &json!("2026-1")));
        let start = "2026-06-03T09:00:00Z";
        assert_eq!(practice.states(&id).await, [pair(start, "PENDING")]);
        assert_eq!(practice.withdraw().await, json!({ "event": "WITHDRAWN", "textVersion": "2026-1" }));
        assert_eq!(practice.states(&id).await, [pair(start, "CANCELLED")]);
        practice.pass(21).await;
        assert_eq!(practice.mail(), []);

        // The tick in the chart is the same consent.
        let other = practice.book("2026-06-05T09:00:00Z").await;
        practice.change_patient(json!({ "reminderConsent": true })).await;
        assert_eq!(practice.states(&other).await, [pair("2026-06-05T09:00:00Z", "PENDING")]);
        practice.change_patient(json!({ "reminderConsent": false })).await;
        assert_eq!(practice.states(&other).await, [pair("2026-06-05T09:00:00Z", "CANCELLED")]);
    }

    async fn what_changed_since_a_reminder_was_planned_is_asked_again_before_it_is_sent(on: On) {
        let practice = Practice::new(on).await;
        practice.grant(json!({ "expiresAt": "2026-06-02T08:00:00Z" })).await;
        let id = practice.book("2026-06-03T09:00:00Z").await;
        assert_eq!(practice.states(&id).await, [pair("2026-06-03T09:00:00Z", "PENDING")]);
        practice.pass(21).await;
        let expired = practice.reminders(&id).await;
        assert_eq!((&expired[0]["state"], &expired[0]["lastError"]), (&json!("CANCELLED"), &json!("consent")));

        // Too late is not at all: nobody worked until the appointment had begun.
        practice.grant(json!({})).await;
        let late = practice.book("2026-06-04T09:00:00Z").await;
        practice.pass(48).await;
        let dropped = practice.reminders(&late).await;
        assert_eq!((&dropped[0]["state"], &dropped[0]["lastError"]), (&json!("CANCELLED"), &json!("past")));

        let gone = practice.book("2026-06-06T09:00:00Z").await;
        practice.change_patient(json!({ "email": null })).await;
        practice.pass(24).await;
        let dropped = practice.reminders(&gone).await;
        assert_eq!((&dropped[0]["state"], &dropped[0]["lastError"]), (&json!("CANCELLED"), &json!("address")));
        assert_eq!(practice.mail(), []);
    }

    /// B20.
    async fn a_cancelled_or_moved_appointment_leaves_no_stale_reminder(on: On) {
        let practice = Practice::agreed(on).await;
        let (first, second) = ("2026-06-03T09:00:00Z", "2026-06-04T09:00:00Z");
        let id = practice.book(first).await;
        practice.change("rescheduleAppointment", &id, json!({ "startsAt": second })).await;
        assert_eq!(practice.states(&id).await, [pair(first, "CANCELLED"), pair(second, "PENDING")]);
        practice.change("rescheduleAppointment", &id, json!({ "startsAt": first })).await;
        assert_eq!(practice.states(&id).await, [pair(first, "PENDING"), pair(second, "CANCELLED")]);
        practice.change("confirmAppointment", &id, json!({})).await;
        assert_eq!(practice.states(&id).await, [pair(first, "PENDING"), pair(second, "CANCELLED")]);
        practice.change("cancelAppointment", &id, json!({})).await;
        assert_eq!(practice.states(&id).await, [pair(first, "CANCELLED"), pair(second, "CANCELLED")]);
        practice.pass(21).await;
        practice.pass(24).await;
        assert_eq!(practice.mail(), []);

        // Put back on the calendar, it is remembered again.
        let third = "2026-06-06T09:00:00Z";
        let id = practice.book(third).await;
        practice.change("cancelAppointment", &id, json!({})).await;
        practice.change("correctAppointmentStatus", &id, json!({ "status": "SCHEDULED", "reason": "Mistake" })).await;
        assert_eq!(practice.states(&id).await, [pair(third, "PENDING")]);
        practice.change("startAppointment", &id, json!({})).await;
        assert_eq!(practice.states(&id).await, [pair(third, "CANCELLED")]);
    }

    /// B20: the providers of others called off a hundred at most.
    async fn any_number_of_reminders_is_called_off_at_once(on: On) {
        let practice = Practice::agreed(on).await;
        let mut booked = Vec::new();
        for number in 0..120 {
            let (day, hour, half) = (10 + number / 20, 6 + number % 20 / 2, 30 * (number % 2));
            booked.push(practice.book(&format!("2026-06-{day}T{hour:02}:{half:02}:00Z")).await);
        }
        practice.withdraw().await;
        for id in booked {
            let states = practice.states(&id).await;
            assert!(states.len() == 1 && states[0].1 == "CANCELLED", "{states:?}");
        }
    }

    async fn every_appointment_of_a_series_is_reminded_of_and_its_booking_is_told_once(on: On) {
        let practice = Practice::agreed(on).await;
        practice.settings(json!({ "expectedVersion": 0, "emailEnabled": true, "reminderEnabled": false })).await;
        let series = json!({ "patientId": practice.ada.to_string(), "startsAtLocal": "2026-06-04T11:00",
            "practitionerId": practice.doctor.membership().to_string(), "durationMinutes": 30,
            "rule": "FREQ=WEEKLY;COUNT=5", "onConflict": "FAIL_ALL" });
        practice.owner.ok(crate::series::BOOK, json!({ "input": series })).await;
        let list = "{ appointments { nodes { startsAt reminders { recipient kind dueAt } } } }";
        let list = practice.owner.ok(list, json!({})).await;
        let reminders: Vec<&Json> = list["appointments"]["nodes"].as_array().unwrap().iter()
            .flat_map(|one| one["reminders"].as_array().unwrap()).collect();
        let to_patient: Vec<&Json> =
            reminders.iter().filter(|one| one["recipient"] == "PATIENT").map(|one| &one["dueAt"]).collect();
        assert_eq!(to_patient.len(), 5, "{reminders:?}");
        assert_eq!(to_patient[4], "2026-07-01T09:00:00+00:00");
        assert_eq!(reminders.iter().filter(|one| one["kind"] == "BOOKED").count(), 1);
    }

    /// B26.
    async fn a_patient_elsewhere_reads_their_own_clock_and_date_and_is_not_woken(on: On) {
        let practice = Practice::agreed(on).await;
        practice.change_patient(json!({ "timezone": "Pacific/Auckland" })).await;
        let id = practice.book("2026-06-03T14:00:00Z").await;
        // 24 hours before is 02:00 there; the quiet hours end at 08:00.
        assert_eq!(practice.reminders(&id).await[0]["dueAt"], "2026-06-02T20:00:00+00:00");
        practice.pass(31).await;
        assert_eq!(practice.mail(), []);
        practice.pass(1).await;
        let mail = practice.mail();
        assert!(mail[0].text.contains("Thursday 4 June 2026, 02:00 (Pacific/Auckland)"), "{}", mail[0].text);

        // A node that was down in the evening does not make up for it at night.
        let morning = practice.book("2026-06-04T14:00:00Z").await;
        practice.pass(24).await; // Thursday 08:00 there
        practice.change_patient(json!({ "timezone": "Europe/Berlin" })).await;
        assert_eq!(practice.states(&morning).await[0].1, "SENT");
        let before = practice.mail().len();
        let next = practice.book("2026-06-05T10:00:00Z").await;
        practice.app.app.clock.advance(Duration::from_secs(25 * 3600)); // Thursday 23:00 in Berlin
        tick(&practice.app.app).await;
        assert_eq!(practice.mail().len(), before);
        let waiting = practice.reminders(&next).await;
        assert_eq!((&waiting[0]["state"], &waiting[0]["attempts"]), (&json!("PENDING"), &json!(0)));
        assert_eq!(waiting[0]["dueAt"], "2026-06-05T06:00:00+00:00");
    }

    async fn practitioners_are_told_what_they_want_to_be_told(on: On) {
        let practice = Practice::new(on).await;
        // Nothing until they say so.
        let quiet = practice.book("2026-06-03T07:00:00Z").await;
        assert_eq!(practice.reminders(&quiet).await, Vec::<Json>::new());
        let defaults = practice.doctor.ok("{ notificationSettings { version emailEnabled reminderMinutes } }", json!({})).await;
        assert_eq!(defaults["notificationSettings"], json!({ "version": 0, "emailEnabled": false, "reminderMinutes": 60 }));
        practice.settings(json!({ "expectedVersion": 0, "emailEnabled": true, "notifyConfirmed": false })).await;
        assert_eq!(practice.doctor.code(SETTINGS, json!({ "input": { "expectedVersion": 0 } })).await, "STALE_VERSION");
        // What was booked before is planned now.
        assert_eq!(practice.reminders(&quiet).await[0]["dueAt"], "2026-06-03T06:00:00+00:00");

        let id = practice.book("2026-06-03T09:00:00Z").await;
        practice.change("confirmAppointment", &id, json!({})).await;
        practice.pass(0).await;
        assert_eq!(practice.mail().iter().map(|mail| mail.subject.as_str()).collect::<Vec<_>>(), ["Appointment booked"]);
        practice.change("rescheduleAppointment", &id, json!({ "startsAt": "2026-06-03T10:00:00Z" })).await;
        practice.change("cancelAppointment", &id, json!({})).await;
        practice.pass(0).await;
        // The move was over before anybody was told of it.
        let told: Vec<_> = practice.mail().into_iter().map(|mail| mail.subject).collect();
        assert_eq!(told, ["Appointment booked", "Appointment cancelled"]);
        let mail = practice.mail();
        assert!(mail[1].text.contains("Wednesday 3 June 2026, 12:00 (Europe/Berlin)"), "{}", mail[1].text);
        assert!(!mail[1].text.contains("Lovelace") && !mail[1].text.contains("Chemotherapy"));
    }

    async fn a_practitioner_gets_the_agenda_once_at_their_hour_in_their_zone(on: On) {
        let practice = Practice::new(on).await;
        practice.settings(json!({ "expectedVersion": 0, "emailEnabled": true, "digestEnabled": true,
            "digestMinute": 420, "reminderEnabled": false, "notifyBooked": false, "timezone": "Europe/London" })).await;
        practice.book("2026-06-02T08:00:00Z").await;
        let cancelled = practice.book("2026-06-02T10:00:00Z").await;
        practice.change("cancelAppointment", &cancelled, json!({})).await;
        practice.settings(json!({ "expectedVersion": 1, "notifyCancelled": false })).await;

        practice.pass(17).await; // Tuesday 05:00 UTC, 06:00 in London
        assert_eq!(practice.mail(), []);
        practice.pass(1).await;
        practice.pass(0).await;
        practice.pass(1).await;
        let mail = practice.mail();
        assert_eq!(mail.len(), 1, "{mail:?}");
        assert_eq!(mail[0].subject, "Your appointments on Tuesday 2 June");
        assert!(mail[0].text.contains("09:00–09:30  Harbour Street"), "{}", mail[0].text);
        assert!(!mail[0].text.contains("11:00") && !mail[0].text.contains("Ada"), "{}", mail[0].text);
        // Saturday is none of the days; a node that was down all Wednesday morning is too late.
        practice.pass(24 + 5).await;
        practice.pass(24 * 3 - 6).await;
        assert_eq!(practice.mail().len(), 1);
    }

    async fn the_reminders_of_a_list_are_read_together_and_only_by_staff(on: On) {
        let practice = Practice::agreed(on).await;
        for day in 10..20 {
            practice.book(&format!("2026-06-{day}T09:00:00Z")).await;
        }
        let list = "{ appointments { nodes { id reminders { state } } } }";
        let answer = practice.owner.run(list, json!({})).await;
        assert!(answer.errors.is_empty(), "{:?}", answer.errors);
        assert_eq!(answer.data["appointments"]["nodes"].as_array().unwrap().len(), 10);
        assert_eq!(answer.data["appointments"]["nodes"][9]["reminders"][0]["state"], "PENDING");
        assert_eq!(answer.statements, 2);
        let technician = practice.app.member(practice.owner.workspace(), Role::LabTech).await;
        let refused = technician.run(list, json!({})).await;
        assert_eq!(refused.code(), "FORBIDDEN");
        assert_eq!(refused.data["appointments"]["nodes"][0]["reminders"], Json::Null);
    }
}
