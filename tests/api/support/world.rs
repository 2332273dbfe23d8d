//! A workspace with one object of every kind, each carrying a marker that nobody else may ever see.

use std::collections::BTreeMap;

use praxis::member::entity::Role;
use serde_json::{Value as Json, json};

use super::app::{Client, TestApp};

pub struct North {
    pub owner: Client,
    /// One id of each kind, by its prefix.
    pub ids: BTreeMap<String, String>,
    /// What the workspace looked like when it was filled.
    pub before: String,
}

impl North {
    /// Is part of every text of this workspace.
    pub const MARKER: &str = "Nordlicht";

    pub async fn fill(app: &TestApp) -> Self {
        let owner = app.workspace("north").await;
        let doctor = app.member(owner.workspace(), Role::Doctor).await;
        let mut north = Self { owner, ids: BTreeMap::new(), before: String::new() };
        let name = Self::MARKER;
        let location =
            north.create("createLocation", "location", json!({ "name": name, "kind": "CLINIC" })).await;
        north
            .create(
                "createRoom",
                "room",
                json!({ "name": name, "kind": "CONSULTATION", "locationId": location }),
            )
            .await;
        north.create("createEquipment", "equipment", json!({ "name": name })).await;
        let service = json!({ "name": name, "durationMinutes": 30, "appointmentType": "CONSULTATION" });
        north.create("createService", "service", service).await;
        let patient =
            north.create("createPatient", "patient", json!({ "firstName": name, "lastName": name })).await;
        let relative = json!({ "patientId": patient, "relation": "Mother", "condition": name });
        north.create("addFamilyHistory", "entry", relative).await;
        let hours = json!({ "weekday": "MONDAY", "startTime": "09:00", "endTime": "17:00" });
        north.create("createWeeklySchedule", "weeklySchedule", hours).await;
        let closed =
            json!({ "kind": "TIME_OFF", "firstDay": "2026-12-24", "lastDay": "2026-12-26", "note": name });
        north.create("createScheduleException", "scheduleException", closed).await;
        let an_hour = json!({ "input": { "expectedVersion": 1, "reminderMinutes": [60] } });
        let remind =
            "mutation($input: UpdateWorkspaceInput!) { updateWorkspace(input: $input) { __typename } }";
        north.owner.ok(remind, an_hour).await;
        north.create("createCalendarFeed", "feed", json!({ "name": name })).await;
        let consent = json!({ "patientId": patient, "purpose": "REMINDERS", "textVersion": name,
            "language": "de", "channel": "PAPER" });
        north.create("grantConsent", "consent", consent).await;
        let booking = json!({ "patientId": patient, "practitionerId": doctor.membership().to_string(),
            "startsAt": "2026-06-02T09:00:00Z", "endsAt": "2026-06-02T09:30:00Z" });
        let booked = north.owner.ok(crate::appointment::BOOK, json!({ "input": booking })).await;
        let appointment = &booked["bookAppointment"]["appointment"]["id"];
        north.keep(appointment);
        let reminders = "query($id: ID!) { appointment(id: $id) { reminders { id } } }";
        let reminded = north.owner.ok(reminders, json!({ "id": appointment })).await;
        north.keep(&reminded["appointment"]["reminders"][0]["id"]);
        let hold = json!({ "practitionerId": doctor.membership().to_string(), "patientId": patient,
            "startsAt": "2026-06-02T11:00:00Z", "endsAt": "2026-06-02T11:30:00Z" });
        let held = north.owner.ok(crate::hold::HOLD, json!({ "input": hold })).await;
        north.keep(&held["holdSlot"]["hold"]["id"]);
        let wish = json!({ "patientId": patient, "earliest": "2026-06-02T09:00:00Z", "latest": "2026-06-03T09:00:00Z" });
        north.create("joinWaitlist", "entry", wish).await;
        let series = json!({ "patientId": patient, "practitionerId": doctor.membership().to_string(),
            "startsAtLocal": "2026-07-02T09:00", "durationMinutes": 30, "rule": "FREQ=DAILY;COUNT=2",
            "onConflict": "FAIL_ALL" });
        let booked = north.owner.ok(crate::series::BOOK, json!({ "input": series })).await;
        north.keep(&booked["bookSeries"]["series"]["id"]);
        north.keep(&doctor.membership().to_string().into());
        north.keep(&north.owner.workspace().to_string().into());
        north.before = north.fingerprint().await;
        north
    }

    async fn create(&mut self, mutation: &str, noun: &str, input: Json) -> Json {
        let type_name = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
        let document =
            format!("mutation($input: {type_name}!) {{ {mutation}(input: $input) {{ {noun} {{ id }} }} }}");
        let id = self.owner.ok(&document, json!({ "input": input })).await[mutation][noun]["id"].clone();
        self.keep(&id);
        id
    }

    fn keep(&mut self, id: &Json) {
        let id = id.as_str().expect("an id");
        let (prefix, _) = id.rsplit_once('_').expect("a TypeID");
        self.ids.insert(prefix.into(), id.into());
    }

    /// Every object of the workspace with its version.
    pub async fn fingerprint(&self) -> String {
        let everything = "{ services(includeArchived: true) { nodes { id name version } } \
            locations(includeArchived: true) { nodes { id name version } } \
            rooms(includeArchived: true) { nodes { id name version } } \
            equipment(includeArchived: true) { nodes { id name version } } \
            appointments { nodes { id version status startsAt } } waitlist { nodes { id version status } } \
            patients(filter: { includeArchived: true }) { nodes { id version lastName } } \
            weeklySchedules { nodes { id version startTime } } \
            scheduleExceptions { nodes { id version note } } \
            calendarFeeds { nodes { id revokedAt } } notificationSettings { version } \
            members { nodes { id version role displayName } } workspace { id version name } }";
        self.owner.ok(everything, json!({})).await.to_string()
    }
}
