//! Zones: whose clock says what, and what no clock changes.

use serde_json::{Value as Json, json};

use super::{Clinic, SLOTS, texts};
use crate::support::on_both_engines;

impl Clinic {
    /// Sets the practice's zone.
    async fn in_zone(&self, zone: &str) {
        let version =
            self.owner.ok("{ workspace { version } }", json!({})).await["workspace"]["version"].clone();
        let update =
            "mutation($input: UpdateWorkspaceInput!) { updateWorkspace(input: $input) { __typename } }";
        let input = json!({ "expectedVersion": version, "timezone": zone });
        self.owner.ok(update, json!({ "input": input })).await;
    }

    /// Everything with an instant in it that the practice can read about its calendar.
    async fn instants(&self) -> Json {
        let read = "query($from: DateTime!, $to: DateTime!) { \
            appointments { nodes { startsAt endsAt timezone history { toStartsAt } } } \
            scheduleExceptions { nodes { startsAt endsAt } } slotHolds { nodes { startsAt endsAt expiresAt } } \
            calendar(from: $from, to: $to) { practitioners { workingHours { startsAt endsAt } \
                appointments { startsAt } holds { startsAt } exceptions { startsAt endsAt } } } }";
        self.desk.ok(read, json!({ "from": "2026-06-01T00:00:00Z", "to": "2026-06-08T00:00:00Z" })).await
    }
}

on_both_engines! {
    /// B14.
    async fn changing_the_practices_zone_and_back_moves_nothing_that_is_on_the_calendar(on: On) {
        let clinic = Clinic::new(on).await;
        let service = clinic.service(json!({})).await;
        for who in [&clinic.doctor, &clinic.other, &clinic.owner] {
            clinic.hours(who, "09:00", "17:00", json!({ "timezone": "Asia/Kathmandu" })).await;
        }
        clinic.away(Some(&clinic.doctor), "2026-06-04T00:00:00Z", "2026-06-05T00:00:00Z").await;
        clinic.booked(clinic.booking(&service, "2026-06-02T04:00:00Z")).await;
        let hold = json!({ "input": { "practitionerId": clinic.doctor.membership().to_string(), "serviceId": service,
            "startsAt": "2026-06-03T04:00:00Z" } });
        clinic.desk.ok("mutation($input: HoldSlotInput!) { holdSlot(input: $input) { __typename } }", hold).await;
        let (before, free) = (clinic.instants().await, clinic.starts(json!({})).await);
        assert_eq!(before["appointments"]["nodes"][0]["startsAt"], "2026-06-02T04:00:00+00:00");
        assert_eq!(before["slotHolds"]["nodes"][0]["startsAt"], "2026-06-03T04:00:00+00:00");

        for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago", "America/St_Johns", "Europe/Berlin"] {
            clinic.in_zone(zone).await;
            assert_eq!(clinic.instants().await, before, "{zone}");
            assert_eq!(clinic.starts(json!({})).await, free, "{zone}");
        }
    }
}

on_both_engines! {
    /// B17.
    async fn both_ends_of_working_hours_are_on_the_clock_of_their_own_zone(on: On) {
        let clinic = Clinic::new(on).await;
        // The practice is in Berlin; the doctor travels.
        for (zone, first, last) in [
            ("America/New_York", "02T13:00", "02T20:30"),
            ("Asia/Kathmandu", "02T03:15", "02T10:45"),
            ("Europe/Berlin", "02T07:00", "02T14:30"),
        ] {
            let clinic = Clinic::new(on).await;
            clinic.hours(&clinic.doctor, "09:00", "17:00", json!({ "timezone": zone, "weekday": "TUESDAY" })).await;
            let listed = clinic.starts(json!({ "from": "2026-06-01T12:00:00Z", "to": "2026-06-04T00:00:00Z" })).await;
            assert_eq!(listed.len(), 16, "{zone}");
            assert_eq!((listed[0].as_str(), listed[15].as_str()), (first, last), "{zone}");
        }
        // Until the last minute of the day, and until its end.
        clinic.hours(&clinic.doctor, "23:00", "23:59", json!({ "timezone": "America/New_York", "weekday": "TUESDAY" })).await;
        clinic.hours(&clinic.other, "23:00", "24:00", json!({ "timezone": "America/New_York", "weekday": "TUESDAY" })).await;
        let night = json!({ "from": "2026-06-02T12:00:00Z", "to": "2026-06-04T00:00:00Z" });
        assert_eq!(clinic.starts(night.clone()).await, texts(&["03T03:00"]));
        let mut whole = night;
        whole["practitionerIds"] = json!([clinic.other.membership().to_string()]);
        assert_eq!(clinic.starts(whole).await, texts(&["03T03:00", "03T03:30"]));
    }
}

on_both_engines! {
    /// B26.
    async fn a_slot_has_the_date_of_the_practice_and_zones_with_the_same_clock_are_the_same(on: On) {
        let clinic = Clinic::new(on).await;
        clinic.hours(&clinic.doctor, "22:00", "24:00", json!({ "weekday": "TUESDAY" })).await;
        let input = json!({ "input": { "practitionerIds": [clinic.doctor.membership().to_string()], "durationMinutes": 30,
            "from": "2026-06-02T00:00:00Z", "to": "2026-06-03T00:00:00Z", "stepMinutes": 30 } });
        for (zone, date) in [
            ("UTC", "2026-06-02"),
            ("Europe/Berlin", "2026-06-03"),
            ("Europe/Paris", "2026-06-03"),
            ("Pacific/Kiritimati", "2026-06-03"),
            ("America/Los_Angeles", "2026-06-02"),
        ] {
            clinic.in_zone(zone).await;
            let found = clinic.desk.ok(SLOTS, input.clone()).await["availableSlots"].clone();
            assert_eq!(found["timezone"], zone);
            let slots = found["slots"].as_array().unwrap();
            assert_eq!(slots.len(), 4, "{zone}");
            assert!(slots.iter().all(|slot| slot["date"] == date), "{zone}: {slots:?}");
        }
    }
}

on_both_engines! {
    /// B36: these zones had other offsets in 1970, or have others at that time of the year.
    async fn the_offset_of_working_hours_is_that_of_their_own_date(on: On) {
        for (zone, first) in [
            ("Europe/London", "02T08:00"),
            ("Africa/Monrovia", "02T09:00"),
            ("Asia/Kathmandu", "02T03:15"),
            ("Asia/Singapore", "02T01:00"),
            ("America/New_York", "02T13:00"),
            ("Europe/Moscow", "02T06:00"),
        ] {
            let clinic = Clinic::new(on).await;
            clinic.hours(&clinic.doctor, "09:00", "10:00", json!({ "timezone": zone, "weekday": "TUESDAY" })).await;
            let listed = clinic.starts(json!({ "to": "2026-06-04T00:00:00Z" })).await;
            assert_eq!(listed.first().map(String::as_str), Some(first), "{zone}");
            // In winter, as far as that differs.
            let winter = json!({ "from": "2026-12-01T00:00:00Z", "to": "2026-12-02T00:00:00Z" });
            let hour = clinic.starts(winter).await[0][3..5].parse::<i32>().unwrap();
            let summer: i32 = first[3..5].parse().unwrap();
            let turns = matches!(zone, "Europe/London" | "America/New_York");
            assert_eq!(hour - summer, i32::from(turns), "{zone}");
        }
    }
}
