//! The search against its definition, minute by minute.

use chrono::{DateTime, Datelike, Days, NaiveDate, Timelike, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::availability::hours::{Extra, Rule};
use crate::availability::spans::instant;

const ZONES: [&str; 7] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
    "Africa/Casablanca",
];

/// Days around which clocks change somewhere, and a plain one.
const DAYS: [&str; 7] =
    ["2026-06-02", "2026-10-24", "2026-10-31", "2026-10-03", "2026-09-05", "2027-02-06", "2027-03-27"];

/// A random practice with one practitioner, and what is looked for.
#[derive(Clone, Debug)]
struct Case {
    zone: Tz,
    day: NaiveDate,
    rules: Option<Vec<Rule>>,
    /// In minutes from the day's start in UTC.
    extra: Vec<(i64, i64)>,
    off: Vec<(i64, i64)>,
    closed: Vec<(i64, i64)>,
    busy: Vec<(i64, i64)>,
    patient: Vec<(i64, i64)>,
    shape: (i32, i32, i32),
    step: i64,
    notice: i64,
    full: Option<u64>,
}

fn stretches_of(most: usize, long: i64) -> impl Strategy<Value = Vec<(i64, i64)>> {
    let one = (0i64..2_880, 1i64..long).prop_map(|(from, long)| (from, from + long));
    prop::collection::vec(one, 0..most)
}

/// Weekday, start, end, break, place.
type Weekly = (u32, i32, i32, Option<(i32, i32)>, Option<u64>);

fn rules() -> impl Strategy<Value = Vec<Weekly>> {
    let quarter = 0i32..96;
    let one = (
        1u32..=7,
        quarter.clone(),
        quarter.clone(),
        prop::option::of((0i32..8, 1i32..8)),
        prop::option::of(0u64..3),
    );
    let one = one.prop_filter_map("an interval", |(weekday, from, to, pause, until)| {
        let (from, to) = (from * 15, (to + 1) * 15);
        let pause = pause.map(|(at, long)| (from + at * 15, from + (at + long) * 15));
        let pause = pause.filter(|(_, back)| *back <= to);
        (from < to).then_some((weekday, from, to, pause, until))
    });
    prop::collection::vec(one, 0..10)
}

fn case() -> impl Strategy<Value = Case> {
    let shape =
        (1i32..10, 0i32..3, 0i32..3).prop_map(|(long, before, after)| (long * 10, before * 5, after * 5));
    let place = (prop::sample::select(ZONES.to_vec()), prop::sample::select(DAYS.to_vec()));
    let taken = (
        stretches_of(3, 400),
        stretches_of(3, 900),
        stretches_of(2, 900),
        stretches_of(6, 90),
        stretches_of(3, 120),
    );
    let limits =
        (prop::sample::select(vec![5i64, 15, 30, 50]), 0i64..600, prop::option::weighted(0.2, 0u64..3));
    (place, prop::option::weighted(0.9, rules()), taken, shape, limits).prop_map(
        |((zone, day), weekly, (extra, off, closed, busy, patient), shape, (step, notice, full))| {
            let (zone, day): (Tz, NaiveDate) = (zone.parse().unwrap(), day.parse().unwrap());
            let rule =
                |(weekday, from, to, pause, until): (u32, i32, i32, Option<(i32, i32)>, Option<u64>)| Rule {
                    zone,
                    weekday,
                    minutes: (from, to),
                    pause,
                    from: None,
                    until: until.map(|days| day + Days::new(days)),
                    location: None,
                };
            let rules = weekly.map(|rules| rules.into_iter().map(rule).collect());
            Case { zone, day, rules, extra, off, closed, busy, patient, shape, step, notice, full }
        },
    )
}

impl Case {
    fn start(&self) -> i64 {
        self.day.and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp_micros()
    }

    fn spans(&self, minutes: &[(i64, i64)]) -> Vec<Span> {
        let at = |minute: i64| self.start() + minute * MINUTE;
        minutes.iter().map(|(from, to)| Span::new(at(*from), at(*to))).collect()
    }

    fn setting(&self) -> Setting {
        let (duration, before, after) = self.shape;
        let shape = Shape::minutes(duration, before, after);
        let start = self.start();
        let range = Span::new(start + self.notice * MINUTE, start + 2_880 * MINUTE);
        let around = Span::new(range.start, range.end + shape.duration).padded(shape.before, shape.after);
        let closed = |span| Closed { span, location: None };
        let extra = |span| Extra { span, zone: self.zone, location: None };
        Setting {
            clocks: Clocks::new(around, self.zone, []),
            practitioners: vec![Practitioner {
                id: MembershipId(Uuid::nil()),
                hours: Hours {
                    rules: self.rules.clone(),
                    extra: self.spans(&self.extra).into_iter().map(extra).collect(),
                    time_off: self.spans(&self.off).into_iter().map(closed).collect(),
                },
                busy: self.spans(&self.busy),
                full_days: self.full.map(|days| self.day + Days::new(days)).into_iter().collect(),
                sessions: Vec::new(),
            }],
            rooms: None,
            closings: self.spans(&self.closed).into_iter().map(closed).collect(),
            patient_busy: self.spans(&self.patient),
            equipment_busy: Vec::new(),
            capacity: 1,
            shape,
            starts: range,
        }
    }

    fn wall(&self, at: i64) -> chrono::NaiveDateTime {
        instant(at).with_timezone(&self.zone).naive_local()
    }

    /// The definition of working time, for one minute.
    fn works(&self, at: i64) -> bool {
        let within = |minutes: &[(i64, i64)]| self.spans(minutes).iter().any(|s| s.start <= at && at < s.end);
        let wall = self.wall(at);
        let minute = (wall.num_seconds_from_midnight() / 60) as i32;
        let holds = |rule: &Rule| {
            rule.weekday == wall.weekday().number_from_monday()
                && rule.until.is_none_or(|until| wall.date() <= until)
                && (rule.minutes.0..rule.minutes.1).contains(&minute)
                && !rule.pause.is_some_and(|(from, to)| (from..to).contains(&minute))
        };
        let weekly = self.rules.as_ref().is_none_or(|rules| rules.iter().any(holds));
        ((weekly && !within(&self.closed)) || within(&self.extra)) && !within(&self.off)
    }

    /// The definition of a free time.
    fn fits(&self, at: i64) -> bool {
        let (duration, before, after) = self.shape;
        let minutes = |count: i32| i64::from(count) * MINUTE;
        let plain = Span::new(at, at + minutes(duration));
        let padded = plain.padded(minutes(before), minutes(after));
        let on_grid = i64::from(self.wall(at).num_seconds_from_midnight()) % (self.step * 60) == 0;
        let full = self.full.is_some_and(|days| self.wall(at).date() == self.day + Days::new(days));
        on_grid
            && !full
            && at >= self.start() + self.notice * MINUTE
            && (0..i64::from(duration)).all(|minute| self.works(at + minute * MINUTE))
            && !self.spans(&self.busy).iter().any(|taken| taken.overlaps(padded))
            && !self.spans(&self.patient).iter().any(|taken| taken.overlaps(plain))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_time_is_found_exactly_when_it_is_free(case in case()) {
        let wish = Wish {
            locations: Vec::new(), step: case.step * MINUTE, anyone: false, limit: usize::MAX - 1, per_day: None,
        };
        let setting = case.setting();
        let found: Vec<i64> = search(&setting, &wish).choices.iter().map(|choice| choice.starts_at).collect();
        let minutes = (0..2_880).map(|minute| case.start() + minute * MINUTE);
        let expected: Vec<i64> = minutes.filter(|at| case.fits(*at)).collect();
        prop_assert_eq!(&found, &expected);

        // And the check of one time says the same as the search.
        let practitioner = &setting.practitioners[0];
        for minute in (0..2_880).step_by(15) {
            let at = case.start() + minute * MINUTE;
            let appointment = Span::new(at, at + setting.shape.duration);
            if case.wall(at).num_seconds_from_midnight() as i64 % (case.step * 60) != 0 || at < setting.starts.start {
                continue;
            }
            let against = obstacles(practitioner, &setting.closings, &setting.clocks, appointment, None);
            let bookable = !(against.outside_hours || against.time_off || against.full_day)
                && is_free(&practitioner.busy, setting.shape, at)
                && !setting.patient_busy.iter().any(|taken| taken.overlaps(appointment));
            prop_assert_eq!(bookable, found.binary_search(&at).is_ok());
        }

        // A limit cuts off the end, and says so.
        let few = search(&setting, &Wish { limit: 3, ..wish });
        let starts: Vec<i64> = few.choices.iter().map(|choice| choice.starts_at).collect();
        prop_assert_eq!(&starts[..], &expected[..expected.len().min(3)]);
        prop_assert_eq!(few.more, expected.len() > 3);
    }
}

fn utc(text: &str) -> i64 {
    format!("{text}:00Z").parse::<DateTime<Utc>>().unwrap().timestamp_micros()
}

/// Practitioners who work from nine to twelve, UTC, on the first of June.
fn setting(busy: &[&[(&str, &str)]]) -> Setting {
    let span = Span::new(utc("2026-06-01T00:00"), utc("2026-06-02T00:00"));
    let at = |time: &str| utc(&format!("2026-06-01T{time}"));
    let practitioner = |(number, busy): (usize, &&[(&str, &str)])| Practitioner {
        id: MembershipId(Uuid::from_u128(number as u128)),
        hours: Hours {
            extra: vec![Extra { span: Span::new(at("09:00"), at("12:00")), zone: Tz::UTC, location: None }],
            rules: Some(Vec::new()),
            time_off: Vec::new(),
        },
        busy: busy.iter().map(|(from, to)| Span::new(at(from), at(to))).collect(),
        full_days: Vec::new(),
        sessions: Vec::new(),
    };
    Setting {
        clocks: Clocks::new(span, Tz::UTC, []),
        practitioners: busy.iter().enumerate().map(practitioner).collect(),
        rooms: None,
        closings: Vec::new(),
        patient_busy: Vec::new(),
        equipment_busy: Vec::new(),
        capacity: 1,
        shape: Shape::minutes(60, 0, 0),
        starts: span,
    }
}

fn wish() -> Wish {
    Wish { locations: Vec::new(), step: 60 * MINUTE, anyone: false, limit: 100, per_day: None }
}

fn found(setting: &Setting, wish: &Wish) -> Vec<(String, usize)> {
    let text = |choice: &Choice| (instant(choice.starts_at).format("%H:%M").to_string(), choice.practitioner);
    search(setting, wish).choices.iter().map(text).collect()
}

fn pairs(pairs: &[(&str, usize)]) -> Vec<(String, usize)> {
    pairs.iter().map(|(time, who)| ((*time).into(), *who)).collect()
}

#[test]
fn anybody_is_one_for_each_time_and_nobody_twice() {
    let setting = setting(&[&[("09:00", "10:30")], &[("11:00", "12:00")]]);
    assert_eq!(found(&setting, &wish()), pairs(&[("09:00", 1), ("10:00", 1), ("11:00", 0)]));
    let free = self::setting(&[&[], &[]]);
    assert_eq!(found(&free, &wish()).len(), 6);
    let anyone = Wish { anyone: true, ..wish() };
    assert_eq!(found(&free, &anyone), pairs(&[("09:00", 0), ("10:00", 0), ("11:00", 0)]));
}

#[test]
fn a_limit_counts_times_and_keeps_all_who_are_free_then() {
    let setting = setting(&[&[("09:00", "10:00")], &[]]);
    let two = Wish { limit: 2, ..wish() };
    assert_eq!(found(&setting, &two), pairs(&[("09:00", 1), ("10:00", 0), ("10:00", 1)]));
    assert!(search(&setting, &two).more);
    assert!(!search(&setting, &wish()).more);
    let a_day = Wish { per_day: Some(1), ..wish() };
    assert_eq!(found(&setting, &a_day), pairs(&[("09:00", 1)]));
}

#[test]
fn a_session_can_be_joined_while_it_has_seats_and_its_room_is_one_of_those_asked_for() {
    let room = RoomId(Uuid::from_u128(9));
    let mut setting = setting(&[&[("09:30", "10:30")]]);
    let span = Span::new(utc("2026-06-01T09:30"), utc("2026-06-01T10:30"));
    setting.practitioners[0].sessions.push(Session { span, room: Some(room), seats: 2 });
    setting.capacity = 5;
    let choices = search(&setting, &wish()).choices;
    let seats: Vec<_> =
        choices.iter().map(|choice| (instant(choice.starts_at).to_rfc3339(), choice.seats)).collect();
    assert_eq!(
        seats,
        [("2026-06-01T09:30:00+00:00".to_owned(), 2), ("2026-06-01T11:00:00+00:00".to_owned(), 5)]
    );
    setting.patient_busy.push(Span::new(span.end - MINUTE, span.end));
    assert_eq!(found(&setting, &wish()), pairs(&[("11:00", 0)]));
    setting.patient_busy.clear();
    setting.rooms = Some(vec![Room { id: RoomId(Uuid::from_u128(8)), location: None, busy: Vec::new() }]);
    assert_eq!(found(&setting, &wish()), pairs(&[("11:00", 0)]));
}

#[test]
fn equipment_that_is_taken_leaves_no_time() {
    let mut setting = setting(&[&[]]);
    setting.equipment_busy.push(Span::new(utc("2026-06-01T10:00"), utc("2026-06-01T11:00")));
    assert_eq!(found(&setting, &wish()), pairs(&[("09:00", 0), ("11:00", 0)]));
}

/// A room: its place, and when it is taken.
type Taken = (Option<u128>, Vec<(i64, i64)>);

/// Places, rooms and equipment of a random day: minutes of the second of June, in UTC.
#[derive(Clone, Debug)]
struct Houses {
    /// Weekday hours, each at a place or anywhere.
    hours: Vec<(i64, i64, Option<u128>)>,
    closed: Vec<(i64, i64, Option<u128>)>,
    off: Vec<(i64, i64, Option<u128>)>,
    busy: Vec<(i64, i64)>,
    equipment: Vec<(i64, i64)>,
    /// Each with its place and what is taken of it.
    rooms: Option<Vec<Taken>>,
    asked: Vec<u128>,
    shape: (i32, i32, i32),
}

fn houses() -> impl Strategy<Value = Houses> {
    let somewhere = || prop::option::of(1u128..=2);
    let at = move |most: usize, long: i64| {
        let one = (0i64..96, 1i64..long, somewhere()).prop_map(|(from, long, place)| {
            let (from, to) = (from * 15, (from + long) * 15);
            (from, to.min(1_440), place)
        });
        prop::collection::vec(one, 0..most)
    };
    let taken = || {
        let one = (0i64..288, 1i64..36).prop_map(|(from, long)| (from * 5, (from + long) * 5));
        prop::collection::vec(one, 0..4)
    };
    let rooms = prop::option::weighted(0.7, prop::collection::vec((somewhere(), taken()), 0..4));
    let shape =
        (1i32..8, 0i32..3, 0i32..3).prop_map(|(long, before, after)| (long * 15, before * 5, after * 5));
    let asked = prop::collection::btree_set(1u128..=2, 0..=2);
    (at(6, 40), at(3, 24), at(3, 24), taken(), taken(), rooms, asked, shape).prop_map(
        |(hours, closed, off, busy, equipment, rooms, asked, shape)| Houses {
            hours,
            closed,
            off,
            busy,
            equipment,
            rooms,
            asked: asked.into_iter().collect(),
            shape,
        },
    )
}

fn house(number: u128) -> LocationId {
    LocationId(Uuid::from_u128(number))
}

impl Houses {
    const DAY: &str = "2026-06-02T00:00";

    fn span(&self, (from, to): (i64, i64)) -> Span {
        let start = utc(Self::DAY);
        Span::new(start + from * MINUTE, start + to * MINUTE)
    }

    fn spans(&self, minutes: &[(i64, i64)]) -> Vec<Span> {
        minutes.iter().map(|pair| self.span(*pair)).collect()
    }

    fn setting(&self) -> Setting {
        let (duration, before, after) = self.shape;
        let shape = Shape::minutes(duration, before, after);
        let starts = self.span((0, 1_440));
        let closed = |(from, to, place): &(i64, i64, Option<u128>)| Closed {
            span: self.span((*from, *to)),
            location: place.map(house),
        };
        let rule = |(from, to, place): &(i64, i64, Option<u128>)| Rule {
            zone: Tz::UTC,
            weekday: 2,
            minutes: (*from as i32, *to as i32),
            pause: None,
            from: None,
            until: None,
            location: place.map(house),
        };
        let room = |(number, (place, busy)): (usize, &Taken)| Room {
            id: RoomId(Uuid::from_u128(number as u128)),
            location: place.map(house),
            busy: merged(self.spans(busy)),
        };
        Setting {
            clocks: Clocks::new(starts.padded(480 * MINUTE, 480 * MINUTE), Tz::UTC, []),
            practitioners: vec![Practitioner {
                id: MembershipId(Uuid::nil()),
                hours: Hours {
                    rules: Some(self.hours.iter().map(rule).collect()),
                    extra: Vec::new(),
                    time_off: self.off.iter().map(closed).collect(),
                },
                busy: self.spans(&self.busy),
                full_days: Vec::new(),
                sessions: Vec::new(),
            }],
            rooms: self.rooms.as_ref().map(|rooms| rooms.iter().enumerate().map(room).collect()),
            closings: self.closed.iter().map(closed).collect(),
            patient_busy: Vec::new(),
            equipment_busy: self.spans(&self.equipment),
            capacity: 1,
            shape,
            starts,
        }
    }

    /// Whether the practitioner works in this minute in hours that count as at `group`, when `place` is asked for.
    fn works(&self, minute: i64, place: Option<u128>, group: Option<u128>) -> bool {
        let within = |list: &[(i64, i64, Option<u128>)], at: Option<u128>| {
            list.iter()
                .any(|(from, to, only)| (*from..*to).contains(&minute) && (only.is_none() || *only == at))
        };
        self.hours.iter().any(|(from, to, own)| {
            let serves = own.is_none() || place.is_none() || *own == place;
            let at = own.or(place);
            serves
                && place.or(*own) == group
                && (*from..*to).contains(&minute)
                && !within(&self.closed, at)
                && !within(&self.off, at)
        })
    }

    /// Whether an appointment then fits at the place asked for.
    fn fits(&self, minute: i64, place: Option<u128>) -> bool {
        let (duration, before, after) = self.shape;
        let padded = (minute - i64::from(before), minute + i64::from(duration + after));
        let free = |taken: &[(i64, i64)]| !taken.iter().any(|(from, to)| *from < padded.1 && padded.0 < *to);
        let open = |group| (minute..minute + i64::from(duration)).all(|at| self.works(at, place, group));
        let groups = if place.is_some() { vec![place] } else { vec![None, Some(1), Some(2)] };
        groups.into_iter().any(open) && free(&self.busy) && free(&self.equipment)
    }

    /// The definition: a place that was asked for, or any, and where one is needed a room there that is free.
    fn is_listed(&self, minute: i64) -> bool {
        let (duration, before, after) = self.shape;
        let padded = (minute - i64::from(before), minute + i64::from(duration + after));
        let asked: Vec<Option<u128>> =
            if self.asked.is_empty() { vec![None] } else { self.asked.iter().copied().map(Some).collect() };
        asked.into_iter().any(|asked| match &self.rooms {
            None => self.fits(minute, asked),
            Some(rooms) => rooms.iter().any(|(place, taken)| {
                let there = asked.is_none() || place.is_none() || *place == asked;
                let free = !taken.iter().any(|(from, to)| *from < padded.1 && padded.0 < *to);
                there && free && self.fits(minute, asked.or(*place))
            }),
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_time_is_found_exactly_when_place_room_and_equipment_are_free(case in houses()) {
        let setting = case.setting();
        let wish = Wish {
            locations: case.asked.iter().copied().map(house).collect(),
            step: 15 * MINUTE, anyone: false, limit: 1_000, per_day: None,
        };
        let choices = search(&setting, &wish).choices;
        let start = utc(Houses::DAY);
        for minute in (0..1_440).step_by(15) {
            let at = start + minute * MINUTE;
            let mut listed = choices.iter().filter(|choice| choice.starts_at == at).peekable();
            prop_assert_eq!(listed.peek().is_some(), case.is_listed(minute), "minute {}", minute);
            // And as it is listed: at that place, in a room that is there and free.
            for choice in listed {
                let appointment = Span::new(at, at + setting.shape.duration);
                let practitioner = &setting.practitioners[0];
                let against = obstacles(practitioner, &setting.closings, &setting.clocks, appointment, choice.location);
                prop_assert!(!against.outside_hours && !against.time_off);
                prop_assert!(is_free(&practitioner.busy, setting.shape, at));
                prop_assert!(is_free(&setting.equipment_busy, setting.shape, at));
                prop_assert_eq!(choice.room.is_some(), setting.rooms.is_some());
                if let Some(room) = setting.rooms.iter().flatten().find(|room| Some(room.id) == choice.room) {
                    prop_assert!(is_free(&room.busy, setting.shape, at));
                    prop_assert!(room.location.is_none() || room.location == choice.location);
                }
            }
        }
    }
}
