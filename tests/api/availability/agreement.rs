//! A time is listed exactly when booking it succeeds: under random hours, exceptions, zones, changes of clocks,
//! bookings, buffers, notice and limits.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Timelike, Utc};
use chrono_tz::Tz;
use praxis::appointment::book::{Booking, place};
use praxis::appointment::entity::AppointmentPriority;
use praxis::appointment::places::Places;
use praxis::error::Error;
use praxis::id::{ServiceId, TypedId};
use serde_json::{Value as Json, json};

use super::{BOOK, Clinic, SLOTS, utc};
use crate::support::app::Client;
use crate::support::on_both_engines;

const ZONES: [&str; 6] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
];

/// The first of two days: clocks change on some of them, in some of the zones.
const DAYS: [&str; 5] = [
    "2026-06-01T12:00:00Z",
    "2026-10-24T12:00:00Z",
    "2026-10-31T12:00:00Z",
    "2026-10-03T00:00:00Z",
    "2026-09-05T12:00:00Z",
];

/// Numbers that are the same at every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }

    fn minutes(&mut self, end: u64) -> Duration {
        Duration::minutes(i64::try_from(self.below(end / 5) * 5).unwrap())
    }
}

async fn check(clinic: &Clinic, seed: u64) {
    let dice = &mut Dice(seed);
    let start = utc(DAYS[(seed % DAYS.len() as u64) as usize]);
    let step = dice.one_of(&[15, 30, 60]);
    let group = seed % 3 == 2;
    let service = clinic
        .service(json!({
            "name": format!("Service {seed}"), "durationMinutes": dice.one_of(&[15, 30, 50, 90]),
            "bufferBeforeMinutes": dice.one_of(&[0, 0, 10]), "bufferAfterMinutes": dice.one_of(&[0, 5, 15]),
            "minNoticeMinutes": dice.one_of(&[0, 0, 200]), "maxAdvanceDays": dice.one_of(&[1, 365, 365]),
            "dailyLimit": dice.one_of(&[None, None, Some(2)]), "capacity": if group { 3 } else { 1 },
        }))
        .await;
    let doctors = [&clinic.doctor, &clinic.other];
    let zones: Vec<Tz> = doctors.iter().map(|_| dice.one_of(&ZONES).parse().unwrap()).collect();
    for (doctor, zone) in doctors.iter().zip(&zones) {
        for window in 0..1 + dice.below(2) {
            let from = window * 12 + dice.below(6);
            let to = (from + 2 + dice.below(8)).min(window * 12 + 12);
            let mut hours = json!({ "timezone": zone.name() });
            if dice.below(2) == 0 {
                hours["breakStart"] = format!("{:02}:15", from).into();
                hours["breakEnd"] = format!("{:02}:45", from).into();
            }
            clinic.hours(doctor, &format!("{from:02}:00"), &format!("{to:02}:00"), hours).await;
        }
        for kind in ["TIME_OFF", "EXTRA_HOURS"] {
            let from = start + dice.minutes(2_880);
            let mut input = json!({ "kind": kind, "practitionerId": doctor.membership().to_string(),
                "timezone": zone.name(), "startsAt": from, "endsAt": from + Duration::minutes(5) + dice.minutes(600) });
            if kind == "TIME_OFF" && dice.below(4) == 0 {
                input["practitionerId"] = Json::Null;
            }
            clinic.create("createScheduleException", "scheduleException", input).await;
        }
    }
    // Some of these are refused by the hours, some by one another; the doctor overrides a few.
    for number in 0..14 {
        let doctor = doctors[number % 2];
        let from = start + dice.minutes(2_880);
        let mut input = clinic.booking(&service, &from.to_rfc3339());
        input["practitionerId"] = doctor.membership().to_string().into();
        input["endsAt"] = json!(from + Duration::minutes(5) + dice.minutes(100));
        if number < 4 {
            input["patientId"] = clinic.bob.to_string().into();
        }
        if number % 3 == 0 {
            input["overrideReason"] = "For the test".into();
        }
        if number % 4 == 1 {
            input.as_object_mut().unwrap().remove("serviceId");
        }
        clinic.doctor.run(BOOK, json!({ "input": input })).await;
    }

    for _ in 0..4 {
        let input = json!({ "practitionerId": doctors[dice.below(2) as usize].membership().to_string(),
            "serviceId": service, "startsAt": start + dice.minutes(2_880), "minutes": 1 + dice.below(10) });
        clinic
            .desk
            .run(
                "mutation($input: HoldSlotInput!) { holdSlot(input: $input) { __typename } }",
                json!({ "input": input }),
            )
            .await;
    }
    // Some of the holds have expired since.
    clinic.app.app.clock.advance(std::time::Duration::from_secs(300));

    let mut listed_in_all = 0;
    for (doctor, zone) in doctors.iter().zip(&zones) {
        let input = json!({ "serviceId": service, "practitionerIds": [doctor.membership().to_string()],
            "patientId": clinic.bob.to_string(), "from": start, "to": start + Duration::days(2), "stepMinutes": step, "limit": 500 });
        let answer = clinic.desk.ok(SLOTS, json!({ "input": input })).await["availableSlots"].clone();
        let listed: BTreeSet<DateTime<Utc>> = answer["slots"]
            .as_array()
            .unwrap()
            .iter()
            .map(|slot| utc(slot["startsAt"].as_str().unwrap()))
            .collect();
        listed_in_all += listed.len();
        let quarters = (0..2 * 96).map(|quarter| start + Duration::minutes(15 * quarter));
        let on_grid =
            |at: &DateTime<Utc>| at.with_timezone(zone).num_seconds_from_midnight().is_multiple_of(step * 60);
        // Group sessions that others have booked are listed wherever they are.
        for at in quarters.filter(on_grid).chain(listed.iter().copied().filter(|at| !on_grid(at))) {
            let bookable = can_be_booked(clinic, doctor, &service, at).await;
            assert_eq!(listed.contains(&at), bookable, "seed {seed}: {at} in {zone}, step {step}");
        }
        assert!(group || listed.iter().all(on_grid));
    }
    assert!(listed_in_all > 0 || !seed.is_multiple_of(3), "nothing to compare in seed {seed}");
}

/// Books for real, and takes it back.
async fn can_be_booked(clinic: &Clinic, doctor: &Client, service: &Json, at: DateTime<Utc>) -> bool {
    let booking = &Booking {
        patient: clinic.bob,
        places: Places { practitioner: doctor.membership(), location: None, room: None },
        service: ServiceId::parse(service.as_str().unwrap()),
        starts_at: at,
        ends_at: None,
        timezone: None,
        appointment_type: None,
        priority: AppointmentPriority::Normal,
        reason: None,
        notes: None,
        override_reason: None,
    };
    let (app, actor) = (&clinic.app.app, clinic.desk.actor.as_deref().unwrap());
    let outcome = app
        .write(actor, move |unit| async move {
            place(app, &unit, actor, booking).await?;
            Err::<(), Error>(Error::conflict("taken back"))
        })
        .await;
    match outcome {
        Err(Error::Conflict(_)) => true,
        Err(Error::Occupied | Error::Unbookable(_)) => false,
        // Five minutes have passed since the first of these days began.
        Err(Error::Invalid(_)) if at < clinic.app.app.clock.now() => false,
        other => panic!("{at}: {other:?}"),
    }
}

on_both_engines! {
    async fn a_time_is_listed_exactly_when_booking_it_succeeds(on: On) {
        for seed in 0..5 {
            let clinic = Clinic::new(on).await;
            check(&clinic, seed).await;
        }
    }
}
