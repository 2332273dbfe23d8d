//! Free times, and bookings that agree with them.

mod agreement;
mod calendar;
mod zones;

use chrono::{DateTime, Utc};
use praxis::id::PatientId;
use praxis::member::entity::Role;
use serde_json::{Value as Json, json};

use crate::support::app::{Client, TestApp};
use crate::support::database::On;
use crate::support::on_both_engines;

pub const SLOTS: &str = "query($input: AvailableSlotsInput!) { availableSlots(input: $input) { hasMore nextFrom timezone \
    slots { startsAt endsAt date options { practitioner { id } location { id } room { id } remainingCapacity } } } }";
pub const BOOK: &str = "mutation($input: BookAppointmentInput!) { bookAppointment(input: $input) { __typename \
    ... on AppointmentBooked { appointment { id version startsAt practitioner { id } } } \
    ... on AppointmentConflict { obstacles conflicts { resource startsAt endsAt appointment { id } } \
        alternatives { startsAt options { practitioner { id } } } } } }";
const MOVE: &str = "mutation($input: RescheduleAppointmentInput!) { rescheduleAppointment(input: $input) { __typename \
    ... on AppointmentRescheduled { appointment { id version startsAt } } \
    ... on AppointmentConflict { obstacles conflicts { resource } alternatives { startsAt } } } }";

/// A practice with two doctors, a front desk and two patients. The clock stands at Monday, 2026-06-01, 12:00 UTC.
pub struct Clinic {
    pub app: TestApp,
    pub owner: Client,
    pub desk: Client,
    pub doctor: Client,
    pub other: Client,
    pub ada: PatientId,
    pub bob: PatientId,
}

impl Clinic {
    pub async fn new(on: On) -> Self {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let desk = app.member(owner.workspace(), Role::Staff).await;
        let doctor = app.member(owner.workspace(), Role::Doctor).await;
        let other = app.member(owner.workspace(), Role::Doctor).await;
        let ada = app.patient(&owner, "Ada", "North").await;
        let bob = app.patient(&owner, "Bob", "North").await;
        Self { app, owner, desk, doctor, other, ada, bob }
    }

    pub async fn create(&self, mutation: &str, noun: &str, input: Json) -> Json {
        let type_name = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
        let document =
            format!("mutation($input: {type_name}!) {{ {mutation}(input: $input) {{ {noun} {{ id }} }} }}");
        self.owner.ok(&document, json!({ "input": input })).await[mutation][noun]["id"].clone()
    }

    pub async fn service(&self, changes: Json) -> Json {
        let mut input = json!({ "name": format!("Service {changes}"), "durationMinutes": 30,
            "appointmentType": "CONSULTATION" });
        for (field, value) in changes.as_object().unwrap() {
            input[field] = value.clone();
        }
        self.create("createService", "service", input).await
    }

    /// Weekly hours, from Monday to Sunday unless a day is named.
    pub async fn hours(&self, who: &Client, from: &str, to: &str, changes: Json) {
        let days = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
        let only = changes["weekday"].as_str().map(str::to_owned);
        for day in days.iter().filter(|day| only.as_deref().is_none_or(|only| only == **day)) {
            let mut input = json!({ "practitionerId": who.membership().to_string(), "startTime": from, "endTime": to,
                "timezone": "UTC" });
            for (field, value) in changes.as_object().unwrap() {
                input[field] = value.clone();
            }
            input["weekday"] = (*day).into();
            self.create("createWeeklySchedule", "weeklySchedule", input).await;
        }
    }

    pub async fn away(&self, who: Option<&Client>, from: &str, to: &str) {
        let input = json!({ "practitionerId": who.map(|who| who.membership().to_string()), "kind": "TIME_OFF",
            "startsAt": from, "endsAt": to });
        self.create("createScheduleException", "scheduleException", input).await;
    }

    /// The starts of the free times of the doctor, as `02T09:00`.
    pub async fn starts(&self, changes: Json) -> Vec<String> {
        let mut input = json!({ "practitionerIds": [self.doctor.membership().to_string()], "durationMinutes": 30,
            "from": "2026-06-02T00:00:00Z", "to": "2026-06-03T00:00:00Z", "stepMinutes": 30 });
        for (field, value) in changes.as_object().unwrap() {
            input[field] = value.clone();
        }
        let found = self.desk.ok(SLOTS, json!({ "input": input })).await["availableSlots"].clone();
        let start = |slot: &Json| slot["startsAt"].as_str().unwrap()[8..16].to_owned();
        found["slots"].as_array().unwrap().iter().map(start).collect()
    }

    pub fn booking(&self, service: &Json, starts_at: &str) -> Json {
        json!({ "patientId": self.ada.to_string(), "practitionerId": self.doctor.membership().to_string(),
            "serviceId": service, "startsAt": starts_at })
    }

    pub async fn book(&self, input: Json) -> Json {
        self.desk.ok(BOOK, json!({ "input": input })).await["bookAppointment"].clone()
    }

    async fn booked(&self, input: Json) -> Json {
        let answer = self.book(input).await;
        assert_eq!(answer["__typename"], "AppointmentBooked", "{answer}");
        answer["appointment"].clone()
    }

    async fn refused(&self, input: Json) -> Json {
        let answer = self.book(input).await;
        assert_eq!(answer["__typename"], "AppointmentConflict", "{answer}");
        answer
    }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

on_both_engines! {
    async fn free_times_lie_inside_the_hours_and_end_in_them(on: On) {
        let clinic = Clinic::new(on).await;
        let lunch = json!({ "breakStart": "12:00", "breakEnd": "13:00" });
        clinic.hours(&clinic.doctor, "10:00", "15:00", lunch).await;
        // The one that starts when the break ends, and the one that ends when work does, are there.
        assert_eq!(clinic.starts(json!({ "durationMinutes": 60 })).await,
            texts(&["02T10:00", "02T10:30", "02T11:00", "02T13:00", "02T13:30", "02T14:00"]));
        assert_eq!(clinic.starts(json!({ "durationMinutes": 120 })).await, texts(&["02T10:00", "02T13:00"]));
        assert_eq!(clinic.starts(json!({ "durationMinutes": 125 })).await, texts(&[]));
    }
}

on_both_engines! {
    async fn a_practitioner_with_a_single_slot_a_day_can_be_booked(on: On) {
        let clinic = Clinic::new(on).await;
        clinic.hours(&clinic.doctor, "10:10", "10:40", json!({})).await;
        assert_eq!(clinic.starts(json!({ "stepMinutes": 5 })).await, texts(&["02T10:10"]));
        let service = clinic.service(json!({})).await;
        clinic.booked(clinic.booking(&service, "2026-06-02T10:10:00Z")).await;
        assert_eq!(clinic.starts(json!({ "stepMinutes": 5 })).await, texts(&[]));
    }
}

on_both_engines! {
    async fn buffers_count_once_and_hold_for_listing_booking_and_moving(on: On) {
        let clinic = Clinic::new(on).await;
        clinic.hours(&clinic.doctor, "09:00", "11:00", json!({})).await;
        let service = clinic.service(json!({ "durationMinutes": 20, "bufferAfterMinutes": 5 })).await;
        let first = clinic.booked(clinic.booking(&service, "2026-06-02T09:30:00Z")).await;
        let listed = clinic.starts(json!({ "serviceId": service, "durationMinutes": null, "stepMinutes": 5 })).await;
        // 09:05 ends with its buffer at 09:30; 09:55 begins when the buffer of the first one ends.
        assert_eq!(listed.first().unwrap(), "02T09:00");
        assert!(listed.contains(&"02T09:05".to_owned()) && !listed.contains(&"02T09:10".to_owned()), "{listed:?}");
        assert!(!listed.contains(&"02T09:50".to_owned()) && listed.contains(&"02T09:55".to_owned()), "{listed:?}");
        // The last one ends with work; its buffer may lie after it.
        assert_eq!(listed.last().unwrap(), "02T10:40");
        let mut inside = clinic.booking(&service, "2026-06-02T09:50:00Z");
        inside["patientId"] = clinic.bob.to_string().into();
        assert_eq!(clinic.refused(inside).await["conflicts"][0]["resource"], "PRACTITIONER");
        let mut second = clinic.booking(&service, "2026-06-02T09:55:00Z");
        second["patientId"] = clinic.bob.to_string().into();
        let second = clinic.booked(second).await;
        let back = json!({ "id": second["id"], "expectedVersion": 1, "startsAt": "2026-06-02T09:50:00Z" });
        let back = clinic.desk.ok(MOVE, json!({ "input": back })).await["rescheduleAppointment"].clone();
        assert_eq!(back["conflicts"][0]["resource"], "PRACTITIONER");
        // An appointment is not in its own way, and a cancelled one in nobody's.
        let along = json!({ "id": second["id"], "expectedVersion": 1, "startsAt": "2026-06-02T10:00:00Z" });
        let along = clinic.desk.ok(MOVE, json!({ "input": along })).await["rescheduleAppointment"].clone();
        assert_eq!(along["__typename"], "AppointmentRescheduled");
        let cancel = "mutation($input: CancelAppointmentInput!) { cancelAppointment(input: $input) { appointment { id } } }";
        clinic.desk.ok(cancel, json!({ "input": { "id": first["id"], "expectedVersion": 1 } })).await;
        let listed = clinic.starts(json!({ "serviceId": service, "durationMinutes": null, "stepMinutes": 5 })).await;
        assert!(listed.contains(&"02T09:35".to_owned()) && !listed.contains(&"02T09:40".to_owned()), "{listed:?}");
    }
}

on_both_engines! {
    async fn a_time_outside_the_hours_is_refused_with_its_reason_and_the_next_times(on: On) {
        let clinic = Clinic::new(on).await;
        clinic.hours(&clinic.doctor, "09:00", "11:00", json!({})).await;
        clinic.away(Some(&clinic.doctor), "2026-06-03T00:00:00Z", "2026-06-05T00:00:00Z").await;
        clinic.away(None, "2026-06-08T00:00:00Z", "2026-06-09T00:00:00Z").await;
        let service = clinic.service(json!({ "minNoticeMinutes": 120, "maxAdvanceDays": 30, "dailyLimit": 1 })).await;
        for (start, obstacles) in [
            ("2026-06-02T08:59:00Z", json!(["OUTSIDE_WORKING_HOURS"])),
            ("2026-06-02T10:31:00Z", json!(["OUTSIDE_WORKING_HOURS"])),
            ("2026-06-03T09:00:00Z", json!(["TIME_OFF"])),
            ("2026-06-04T09:00:00Z", json!(["TIME_OFF"])),
            ("2026-06-08T09:00:00Z", json!(["TIME_OFF"])),
            ("2026-06-01T13:59:00Z", json!(["OUTSIDE_WORKING_HOURS", "MINIMUM_NOTICE"])),
            ("2026-07-02T09:00:00Z", json!(["MAXIMUM_ADVANCE"])),
        ] {
            let answer = clinic.refused(clinic.booking(&service, start)).await;
            assert_eq!(answer["obstacles"], obstacles, "{start}");
            assert_eq!(answer["conflicts"], json!([]), "{start}");
        }
        let answer = clinic.refused(clinic.booking(&service, "2026-06-02T08:00:00Z")).await;
        let next: Vec<&str> = answer["alternatives"].as_array().unwrap().iter().map(|slot| slot["startsAt"].as_str().unwrap()).collect();
        // Three a day, ten in all, none on the days off.
        assert_eq!(next.len(), 10);
        assert_eq!(next[..4], ["2026-06-02T09:00:00+00:00", "2026-06-02T09:15:00+00:00", "2026-06-02T09:30:00+00:00", "2026-06-05T09:00:00+00:00"]);
        // The limit of one a day.
        clinic.booked(clinic.booking(&service, "2026-06-02T09:00:00Z")).await;
        let mut second = clinic.booking(&service, "2026-06-02T10:00:00Z");
        second["patientId"] = clinic.bob.to_string().into();
        let full = clinic.refused(second.clone()).await;
        assert_eq!(full["obstacles"], json!(["DAILY_LIMIT"]));
        assert!(full["alternatives"][0]["startsAt"].as_str().unwrap().starts_with("2026-06-05"), "{full}");
        assert_eq!(clinic.starts(json!({ "serviceId": service })).await, texts(&[]));
        // Whoever may, with a reason, books it all the same.
        second["overrideReason"] = "An emergency".into();
        assert_eq!(clinic.desk.code(BOOK, json!({ "input": second })).await, "FORBIDDEN");
        let booked = clinic.doctor.ok(BOOK, json!({ "input": second })).await;
        assert_eq!(booked["bookAppointment"]["__typename"], "AppointmentBooked");
        // What was booked that way takes its time like any other.
        let short = clinic.service(json!({ "durationMinutes": 15 })).await;
        let beside = clinic.refused(clinic.booking(&short, "2026-06-02T10:10:00Z")).await;
        assert_eq!((&beside["obstacles"], &beside["conflicts"][0]["resource"]), (&json!([]), &json!("PRACTITIONER")));
    }
}

on_both_engines! {
    async fn notice_and_advance_are_counted_from_now_in_every_zone(on: On) {
        for zone in ["America/Los_Angeles", "Asia/Kathmandu", "Pacific/Kiritimati"] {
            let clinic = Clinic::new(on).await;
            clinic.hours(&clinic.doctor, "00:00", "24:00", json!({ "timezone": zone })).await;
            let service = clinic.service(json!({ "minNoticeMinutes": 90, "maxAdvanceDays": 1 })).await;
            let input = json!({ "serviceId": service, "from": "2026-06-01T00:00:00Z", "to": "2026-06-06T00:00:00Z", "limit": 500, "stepMinutes": 15 });
            let listed = clinic.starts(input).await;
            // An hour and a half from noon; until the end of tomorrow in the practice's zone, which is Berlin's.
            assert_eq!(listed.first().unwrap(), "01T13:30", "{zone}");
            assert_eq!(listed.last().unwrap(), "02T21:45", "{zone}");
        }
    }
}

on_both_engines! {
    async fn every_day_has_its_slots_however_far_from_utc(on: On) {
        for zone in ["Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kathmandu", "Pacific/Auckland"] {
            let clinic = Clinic::new(on).await;
            clinic.hours(&clinic.doctor, "09:00", "17:00", json!({ "timezone": zone })).await;
            let input = json!({ "from": "2026-06-02T00:00:00Z", "to": "2026-06-09T00:00:00Z", "limit": 500, "durationMinutes": 60, "stepMinutes": 60 });
            assert_eq!(clinic.starts(input).await.len(), 7 * 8, "{zone}");
        }
    }
}

on_both_engines! {
    async fn a_night_shift_ends_where_time_off_begins(on: On) {
        let clinic = Clinic::new(on).await;
        clinic.hours(&clinic.doctor, "22:00", "24:00", json!({ "weekday": "TUESDAY" })).await;
        clinic.hours(&clinic.doctor, "00:00", "02:00", json!({ "weekday": "WEDNESDAY" })).await;
        let night = json!({ "to": "2026-06-04T00:00:00Z", "durationMinutes": 60, "stepMinutes": 60 });
        let shifted = json!({ "to": "2026-06-04T00:00:00Z", "durationMinutes": 90 });
        assert_eq!(clinic.starts(night.clone()).await, texts(&["02T22:00", "02T23:00", "03T00:00", "03T01:00"]));
        assert_eq!(clinic.starts(shifted).await, texts(&["02T22:00", "02T22:30", "02T23:00", "02T23:30", "03T00:00", "03T00:30"]));
        clinic.away(Some(&clinic.doctor), "2026-06-03T00:00:00Z", "2026-06-04T00:00:00Z").await;
        assert_eq!(clinic.starts(night).await, texts(&["02T22:00", "02T23:00"]));
    }
}

on_both_engines! {
    async fn without_a_schedule_a_practitioner_can_be_booked_at_any_time(on: On) {
        let clinic = Clinic::new(on).await;
        let service = clinic.service(json!({})).await;
        assert_eq!(clinic.starts(json!({})).await.len(), 48);
        clinic.booked(clinic.booking(&service, "2026-06-02T03:00:00Z")).await;
        // With one that ended, at none.
        clinic.hours(&clinic.doctor, "09:00", "10:00", json!({ "weekday": "TUESDAY", "validUntil": "2026-05-31" })).await;
        assert_eq!(clinic.starts(json!({})).await, texts(&[]));
        assert_eq!(clinic.refused(clinic.booking(&service, "2026-06-02T09:00:00Z")).await["obstacles"], json!(["OUTSIDE_WORKING_HOURS"]));
    }
}

on_both_engines! {
    async fn two_practitioners_at_the_same_time_are_no_conflict_and_one_patient_at_two_places_is(on: On) {
        let clinic = Clinic::new(on).await;
        let service = clinic.service(json!({})).await;
        clinic.booked(clinic.booking(&service, "2026-06-02T11:00:00Z")).await;
        let mut other = clinic.booking(&service, "2026-06-02T11:00:00Z");
        other["practitionerId"] = clinic.other.membership().to_string().into();
        assert_eq!(clinic.refused(other.clone()).await["conflicts"][0]["resource"], "PATIENT");
        other["patientId"] = clinic.bob.to_string().into();
        clinic.booked(other).await;
        let both = json!([clinic.doctor.membership().to_string(), clinic.other.membership().to_string()]);
        let hour = json!({ "practitionerIds": both, "from": "2026-06-02T10:30:00Z", "to": "2026-06-02T12:30:00Z" });
        assert_eq!(clinic.starts(hour.clone()).await, texts(&["02T10:30", "02T11:30", "02T12:00"]));
        // The times at which a patient is somewhere else are left out for that patient only.
        let mut third = clinic.booking(&service, "2026-06-02T12:00:00Z");
        third["practitionerId"] = clinic.owner.membership().to_string().into();
        clinic.booked(third).await;
        let mut of_ada = hour;
        of_ada["patientId"] = clinic.ada.to_string().into();
        assert_eq!(clinic.starts(of_ada).await, texts(&["02T10:30", "02T11:30"]));
    }
}

on_both_engines! {
    async fn rooms_are_part_of_what_must_be_free(on: On) {
        let clinic = Clinic::new(on).await;
        let house = clinic.create("createLocation", "location", json!({ "name": "House" })).await;
        let annex = clinic.create("createLocation", "location", json!({ "name": "Annex" })).await;
        let blue = clinic.create("createRoom", "room", json!({ "name": "Blue", "locationId": house })).await;
        let green = clinic.create("createRoom", "room", json!({ "name": "Green", "locationId": house })).await;
        clinic.create("createRoom", "room", json!({ "name": "Far", "locationId": annex })).await;
        clinic.hours(&clinic.doctor, "09:00", "11:00", json!({ "locationId": house })).await;
        clinic.hours(&clinic.other, "09:00", "11:00", json!({ "locationId": house })).await;
        let service = clinic.service(json!({ "requiresRoom": true })).await;
        let slots = async |changes: Json| -> Vec<Json> {
            let mut input = json!({ "serviceId": service, "stepMinutes": 60, "from": "2026-06-02T09:00:00Z", "to": "2026-06-02T10:00:00Z",
                "practitionerIds": [clinic.doctor.membership().to_string()] });
            for (field, value) in changes.as_object().unwrap() {
                input[field] = value.clone();
            }
            clinic.desk.ok(SLOTS, json!({ "input": input })).await["availableSlots"]["slots"].as_array().unwrap().clone()
        };
        let found = slots(json!({})).await;
        assert_eq!((found.len(), &found[0]["options"][0]["room"]["id"]), (1, &blue));
        assert_eq!(found[0]["options"][0]["location"]["id"], house);
        assert_eq!(slots(json!({ "locationIds": [annex] })).await, Vec::<Json>::new());
        let mut booking = clinic.booking(&service, "2026-06-02T09:00:00Z");
        assert_eq!(clinic.desk.code(BOOK, json!({ "input": booking })).await, "BAD_USER_INPUT");
        booking["roomId"] = blue.clone();
        booking["practitionerId"] = clinic.other.membership().to_string().into();
        clinic.booked(booking.clone()).await;
        assert_eq!(slots(json!({})).await[0]["options"][0]["room"]["id"], green);
        assert_eq!(slots(json!({ "roomIds": [blue] })).await, Vec::<Json>::new());
        booking["practitionerId"] = clinic.doctor.membership().to_string().into();
        booking["patientId"] = clinic.bob.to_string().into();
        assert_eq!(clinic.refused(booking.clone()).await["conflicts"][0]["resource"], "ROOM");
        booking["roomId"] = green;
        clinic.booked(booking.clone()).await;
        // At the house only: the hours are not at the annex.
        booking["startsAt"] = "2026-06-02T10:00:00Z".into();
        booking["locationId"] = annex.clone();
        booking["roomId"] = clinic.create("createRoom", "room", json!({ "name": "Far two", "locationId": annex })).await;
        assert_eq!(clinic.refused(booking).await["obstacles"], json!(["OUTSIDE_WORKING_HOURS"]));
    }
}

on_both_engines! {
    async fn anybody_is_somebody_who_is_free_also_when_many_ask_at_once(on: On) {
        let clinic = Clinic::new(on).await;
        clinic.hours(&clinic.doctor, "09:00", "17:00", json!({})).await;
        clinic.hours(&clinic.other, "09:00", "17:00", json!({})).await;
        clinic.hours(&clinic.owner, "18:00", "19:00", json!({})).await;
        let service = clinic.service(json!({})).await;
        let mut patients = Vec::new();
        for number in 0..8 {
            patients.push(clinic.app.patient(&clinic.owner, "Pat", &format!("Ient{number}")).await);
        }
        let bookings = patients.iter().map(|patient| {
            let input = json!({ "patientId": patient.to_string(), "serviceId": service, "startsAt": "2026-06-02T09:00:00Z" });
            clinic.book(input)
        });
        let answers = futures::future::join_all(bookings).await;
        let booked: Vec<&Json> = answers.iter().filter(|answer| answer["__typename"] == "AppointmentBooked").collect();
        assert_eq!(booked.len(), 2, "{answers:#?}");
        assert_ne!(booked[0]["appointment"]["practitioner"]["id"], booked[1]["appointment"]["practitioner"]["id"]);
        for refused in answers.iter().filter(|answer| answer["__typename"] == "AppointmentConflict") {
            assert_eq!(refused["obstacles"], json!(["NOBODY_AVAILABLE"]));
            assert_eq!(refused["alternatives"][0]["startsAt"], "2026-06-02T09:30:00+00:00");
        }
        // Whoever has less to do on that day gets the next one.
        let mut more = clinic.booking(&service, "2026-06-02T10:00:00Z");
        clinic.booked(more.clone()).await;
        more.as_object_mut().unwrap().remove("practitionerId");
        more["startsAt"] = "2026-06-02T14:00:00Z".into();
        assert_eq!(clinic.booked(more.clone()).await["practitioner"]["id"], clinic.other.membership().to_string());
        more["startsAt"] = "2026-06-02T18:00:00Z".into();
        assert_eq!(clinic.booked(more.clone()).await["practitioner"]["id"], clinic.owner.membership().to_string());
        more["overrideReason"] = "Whoever".into();
        assert_eq!(clinic.doctor.code(BOOK, json!({ "input": more })).await, "BAD_USER_INPUT");
    }
}

on_both_engines! {
    async fn slots_are_limited_paged_and_read_in_few_statements(on: On) {
        let clinic = Clinic::new(on).await;
        let service = clinic.service(json!({ "dailyLimit": 20 })).await;
        for who in [&clinic.doctor, &clinic.other, &clinic.owner] {
            clinic.hours(who, "09:00", "12:00", json!({})).await;
        }
        clinic.booked(clinic.booking(&service, "2026-06-02T09:00:00Z")).await;
        let input = |changes: Json| {
            let mut input = json!({ "serviceId": service, "from": "2026-06-02T00:00:00Z", "to": "2026-06-09T00:00:00Z", "stepMinutes": 30, "limit": 4 });
            for (field, value) in changes.as_object().unwrap() {
                input[field] = value.clone();
            }
            json!({ "input": input })
        };
        let answer = clinic.desk.run(SLOTS, input(json!({}))).await;
        let page = &answer.data["availableSlots"];
        assert_eq!(page["slots"].as_array().unwrap().len(), 4);
        assert_eq!(page["slots"][0]["options"].as_array().unwrap().len(), 2);
        assert_eq!(page["slots"][1]["options"].as_array().unwrap().len(), 3);
        assert_eq!((&page["hasMore"], &page["timezone"]), (&json!(true), &json!("Europe/Berlin")));
        let next = clinic.desk.ok(SLOTS, input(json!({ "from": page["nextFrom"] }))).await["availableSlots"].clone();
        assert_eq!(next["slots"][0]["startsAt"], "2026-06-02T11:00:00+00:00");
        let all = clinic.desk.run(SLOTS, input(json!({ "limit": 500 }))).await;
        assert_eq!(all.data["availableSlots"]["slots"].as_array().unwrap().len(), 7 * 6);
        assert_eq!((&all.data["availableSlots"]["hasMore"], &all.data["availableSlots"]["nextFrom"]), (&json!(false), &Json::Null));
        let any = clinic.desk.run(SLOTS, input(json!({ "limit": 500, "anyPractitioner": true }))).await;
        let options = |slot: &Json| slot["options"].as_array().unwrap().len();
        assert!(any.data["availableSlots"]["slots"].as_array().unwrap().iter().all(|slot| options(slot) == 1));
        assert_eq!(any.data["availableSlots"]["slots"].as_array().unwrap().len(), 7 * 6);
        // However many practitioners there are.
        for _ in 0..6 {
            let who = clinic.app.member(clinic.owner.workspace(), Role::Doctor).await;
            clinic.hours(&who, "09:00", "12:00", json!({ "weekday": "TUESDAY" })).await;
        }
        let more = clinic.desk.run(SLOTS, input(json!({ "limit": 500 }))).await;
        assert_eq!(more.data["availableSlots"]["slots"][1]["options"].as_array().unwrap().len(), 9);
        assert_eq!(more.statements, all.statements);
        assert!(all.statements <= 10, "{}", all.statements);
    }
}

on_both_engines! {
    async fn what_cannot_be_searched_is_refused_with_its_field(on: On) {
        let clinic = Clinic::new(on).await;
        let service = clinic.service(json!({})).await;
        for (changes, path) in [
            (json!({ "serviceId": null }), "durationMinutes"),
            (json!({ "to": "2026-06-02T00:00:00Z" }), "to"),
            (json!({ "to": "2026-08-04T00:00:01Z" }), "to"),
            (json!({ "stepMinutes": 4 }), "stepMinutes"),
            (json!({ "limit": 501 }), "limit"),
            (json!({ "durationMinutes": 481 }), "durationMinutes"),
            (json!({ "practitionerIds": ["mem_00000000000000000000000000"] }), "practitionerIds"),
            (json!({ "roomIds": ["room_00000000000000000000000000"] }), "roomIds"),
            (json!({ "patientId": "pat_00000000000000000000000000" }), "patientId"),
        ] {
            let mut input = json!({ "serviceId": service, "from": "2026-06-02T00:00:00Z", "to": "2026-06-03T00:00:00Z" });
            for (field, value) in changes.as_object().unwrap() {
                input[field] = value.clone();
            }
            let answer = clinic.desk.run(SLOTS, json!({ "input": input })).await;
            assert_eq!(answer.code(), "BAD_USER_INPUT", "{changes}");
            assert_eq!(answer.errors[0]["extensions"]["fields"][0]["path"], json!(["input", path]), "{changes}");
        }
        let extreme = json!({ "input": { "serviceId": service, "from": "-262143-01-01T00:00:00Z", "to": "-262143-01-02T00:00:00Z" } });
        assert_eq!(clinic.desk.code(SLOTS, extreme).await, "BAD_USER_INPUT");
        let extreme = json!({ "input": { "durationMinutes": 30, "from": "+262142-12-01T00:00:00Z", "to": "+262142-12-31T00:00:00Z" } });
        assert_eq!(clinic.desk.code(SLOTS, extreme).await, "BAD_USER_INPUT");
    }
}

on_both_engines! {
    async fn conflicts_are_found_without_booking(on: On) {
        let clinic = Clinic::new(on).await;
        clinic.hours(&clinic.doctor, "09:00", "11:00", json!({})).await;
        let service = clinic.service(json!({})).await;
        let booked = clinic.booked(clinic.booking(&service, "2026-06-02T09:00:00Z")).await;
        let find = "query($input: FindConflictsInput!) { findConflicts(input: $input) { bookable obstacles \
            conflicts { resource appointment { id } } alternatives { startsAt } } }";
        let check = async |changes: Json| -> Json {
            let mut input = json!({ "practitionerId": clinic.doctor.membership().to_string(), "serviceId": service,
                "patientId": clinic.bob.to_string(), "startsAt": "2026-06-02T09:15:00Z" });
            for (field, value) in changes.as_object().unwrap() {
                input[field] = value.clone();
            }
            clinic.desk.ok(find, json!({ "input": input })).await["findConflicts"].clone()
        };
        let taken = check(json!({})).await;
        assert_eq!(taken["bookable"], false);
        assert_eq!(taken["conflicts"], json!([{ "resource": "PRACTITIONER", "appointment": { "id": booked["id"] } }]));
        assert_eq!(taken["alternatives"][0]["startsAt"], "2026-06-02T09:30:00+00:00");
        assert_eq!(check(json!({ "appointmentId": booked["id"] })).await["bookable"], true);
        assert_eq!(check(json!({ "startsAt": "2026-06-02T10:45:00Z" })).await["obstacles"], json!(["OUTSIDE_WORKING_HOURS"]));
        assert_eq!(check(json!({ "startsAt": "2026-06-01T10:00:00Z" })).await["obstacles"], json!(["MINIMUM_NOTICE"]));
        assert_eq!(check(json!({ "startsAt": "2026-06-02T10:00:00Z" })).await,
            json!({ "bookable": true, "obstacles": [], "conflicts": [], "alternatives": [] }));
    }
}

pub fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
