//! A time is listed exactly when booking it succeeds: under random hours, exceptions, zones, changes of clocks,
//! bookings, buffers, notice and limits.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Timelike, Utc};
use chrono_tz::Tz;
use praxis::appointment::book::{Booking, place};
use praxis::appointment::entity::AppointmentPriority;
use praxis::appointment::places::Places;
use praxis::error::Error;
use praxis::id::{LocationId, RoomId, ServiceId, TypedId};
use serde_json::{Value as Json, json};

use super::{BOOK, Clinic, SLOTS, utc};
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
            let anywhere = Places { practitioner: doctor.membership(), location: None, room: None };
            let bookable = can_be_booked(clinic, anywhere, &service, at).await;
            assert_eq!(listed.contains(&at), bookable, "seed {seed}: {at} in {zone}, step {step}");
        }
        assert!(group || listed.iter().all(on_grid));
    }
    assert!(listed_in_all > 0 || !seed.is_multiple_of(3), "nothing to compare in seed {seed}");
}

/// Books for real, and takes it back.
async fn can_be_booked(clinic: &Clinic, places: Places, service: &Json, at: DateTime<Utc>) -> bool {
    let booking = &Booking {
        patient: clinic.bob,
        places,
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
        // A room is required, or the room is at another place.
        Err(Error::Invalid(problems))
            if problems.iter().all(|one| one.path.last().is_some_and(|f| f == "roomId")) =>
        {
            false
        }
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

/// A practice with two houses, a room in each, one that belongs to neither, and a scanner.
struct Houses {
    clinic: Clinic,
    service: Json,
    houses: [Json; 2],
    rooms: Vec<Json>,
    needs_room: bool,
}

impl Houses {
    async fn new(clinic: Clinic, dice: &mut Dice, seed: u64, start: DateTime<Utc>) -> Self {
        let mut houses = Vec::new();
        for name in ["House", "Annex"] {
            houses.push(clinic.create("createLocation", "location", json!({ "name": name })).await);
        }
        let houses: [Json; 2] = houses.try_into().unwrap();
        let mut rooms = Vec::new();
        for (name, house) in [("Blue", Some(0)), ("Green", Some(1)), ("Van", None)] {
            let house = house.map(|house: usize| houses[house].clone());
            rooms.push(
                clinic.create("createRoom", "room", json!({ "name": name, "locationId": house })).await,
            );
        }
        let scanner = clinic.create("createEquipment", "equipment", json!({ "name": "Scanner" })).await;
        let needs_room = seed % 4 != 3;
        let service = clinic
            .service(json!({ "durationMinutes": dice.one_of(&[30, 60]), "bufferAfterMinutes": dice.one_of(&[0, 15]),
                "requiresRoom": needs_room, "equipmentIds": if seed.is_multiple_of(2) { vec![scanner.clone()] } else { vec![] } }))
            .await;
        let scan =
            clinic.service(json!({ "name": "Scan", "durationMinutes": 45, "equipmentIds": [scanner] })).await;
        let place = |dice: &mut Dice| {
            dice.one_of(&[None, Some(0), Some(1)]).map(|house: usize| houses[house].clone())
        };
        // Hours at one house follow hours at the other, or anywhere.
        for window in 0..4 {
            let from = window * 6 + dice.below(2);
            let (from, to) = (format!("{from:02}:00"), format!("{:02}:00", window * 6 + 4 + dice.below(3)));
            let hours = json!({ "locationId": place(dice) });
            clinic.hours(&clinic.doctor, &from, &to, hours).await;
        }
        for _ in 0..2 {
            let from = start + dice.minutes(1_440);
            let input = json!({ "kind": "TIME_OFF", "startsAt": from, "endsAt": from + Duration::minutes(30) + dice.minutes(120),
                "locationId": place(dice) });
            clinic.create("createScheduleException", "scheduleException", input).await;
        }
        // A colleague takes the rooms and the scanner; some of it is refused.
        for number in 0..12 {
            let from = start + dice.minutes(1_440);
            let input = json!({ "practitionerId": clinic.other.membership().to_string(), "patientId": clinic.ada.to_string(),
                "serviceId": if number % 2 == 0 { Some(&scan) } else { None }, "startsAt": from,
                "endsAt": from + Duration::minutes(20) + dice.minutes(120), "roomId": dice.one_of(&[None, Some(0), Some(1), Some(2)]).map(|room: usize| &rooms[room]) });
            clinic.desk.run(BOOK, json!({ "input": input })).await;
        }
        Self { clinic, service, houses, rooms, needs_room }
    }

    fn places(&self, house: Option<&Json>, room: Option<&Json>) -> Places {
        Places {
            practitioner: self.clinic.doctor.membership(),
            location: house.map(|id| LocationId::parse(id.as_str().unwrap()).unwrap()),
            room: room.map(|id| RoomId::parse(id.as_str().unwrap()).unwrap()),
        }
    }

    /// Whether it can be booked in any of these rooms, or without one when none is needed.
    async fn is_bookable(&self, house: Option<&Json>, rooms: &[Json], at: DateTime<Utc>) -> bool {
        if rooms.is_empty() {
            return can_be_booked(&self.clinic, self.places(house, None), &self.service, at).await;
        }
        for room in rooms {
            if can_be_booked(&self.clinic, self.places(house, Some(room)), &self.service, at).await {
                return true;
            }
        }
        false
    }

    /// What is listed, each with its house and room.
    async fn listed(&self, start: DateTime<Utc>, changes: Json) -> Vec<(DateTime<Utc>, Json)> {
        let mut input = json!({ "serviceId": self.service, "practitionerIds": [self.clinic.doctor.membership().to_string()],
            "patientId": self.clinic.bob.to_string(), "from": start, "to": start + Duration::days(1), "stepMinutes": 60,
            "limit": 100 });
        for (field, value) in changes.as_object().unwrap() {
            input[field] = value.clone();
        }
        let answer = self.clinic.desk.ok(SLOTS, json!({ "input": input })).await["availableSlots"].clone();
        let mut listed = Vec::new();
        for slot in answer["slots"].as_array().unwrap() {
            let at = utc(slot["startsAt"].as_str().unwrap());
            listed.extend(slot["options"].as_array().unwrap().iter().map(|option| (at, option.clone())));
        }
        listed
    }
}

async fn check_places(clinic: Clinic, seed: u64) {
    let dice = &mut Dice(1_000 + seed);
    let start = utc("2026-06-02T00:00:00Z");
    let houses = Houses::new(clinic, dice, seed, start).await;
    let any: &[Json] = if houses.needs_room { &houses.rooms } else { &[] };
    let of_room = std::slice::from_ref(&houses.rooms[0]);
    let searches = [
        (json!({}), None, any),
        (json!({ "locationIds": [houses.houses[0]] }), Some(&houses.houses[0]), any),
        (json!({ "roomIds": of_room }), None, of_room),
    ];
    let (mut listed_in_all, mut refused_in_all) = (0, 0);
    for (changes, house, rooms) in searches {
        let listed = houses.listed(start, changes.clone()).await;
        listed_in_all += listed.len();
        for hour in 0..24 {
            let at = start + Duration::hours(hour);
            let found = listed.iter().any(|(listed, _)| *listed == at);
            assert_eq!(found, houses.is_bookable(house, rooms, at).await, "seed {seed}: {at} with {changes}");
            refused_in_all += usize::from(!found);
        }
        // And each of them as it was listed: there, and in that room.
        for (at, option) in &listed {
            let of = |field: &str| (!option[field].is_null()).then(|| &option[field]["id"]);
            let places = houses.places(of("location"), of("room"));
            assert!(
                can_be_booked(&houses.clinic, places, &houses.service, *at).await,
                "seed {seed}: {at} {option}"
            );
        }
    }
    assert!(
        listed_in_all > 5 && refused_in_all > 5,
        "seed {seed}: {listed_in_all} listed, {refused_in_all} not"
    );
}

on_both_engines! {
    async fn a_place_a_room_and_equipment_are_listed_exactly_when_booking_them_succeeds(on: On) {
        for seed in 0..4 {
            check_places(Clinic::new(on).await, seed).await;
        }
    }
}
