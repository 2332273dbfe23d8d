//! The search for free times: pure, and the same for listing times and for checking one.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::hours::{Clocks, Closed, Hours, Window, stretches};
use super::spans::{MINUTE, Span, merged, without};
use crate::id::{LocationId, MembershipId, RoomId};

/// How long an appointment takes, and what is kept free around it.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub duration: i64,
    pub before: i64,
    pub after: i64,
}

impl Shape {
    pub fn minutes(duration: i32, before: i32, after: i32) -> Self {
        let micros = |minutes: i32| i64::from(minutes) * MINUTE;
        Self { duration: micros(duration), before: micros(before), after: micros(after) }
    }

    /// The starts at which an appointment inside the span ends in time.
    fn starts_inside(self, span: Span) -> Span {
        Span::new(span.start, span.end - self.duration + 1)
    }

    /// The starts at which an appointment with its buffers meets something taken.
    fn starts_against(self, taken: Span) -> Span {
        Span::new(taken.start - self.duration - self.after + 1, taken.end + self.before)
    }

    /// The same without buffers: the patient's own time has none.
    fn starts_against_unpadded(self, taken: Span) -> Span {
        Span::new(taken.start - self.duration + 1, taken.end)
    }
}

/// Somebody who can be booked.
#[derive(Clone, Debug)]
pub struct Practitioner {
    pub id: MembershipId,
    pub hours: Hours,
    /// What is taken, buffers included.
    pub busy: Vec<Span>,
    /// Days of the practice on which no more can be booked.
    pub full_days: Vec<NaiveDate>,
    /// Group sessions of the service that others have booked and that have a seat left.
    pub sessions: Vec<Session>,
}

/// A group session that can be joined.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    pub span: Span,
    pub room: Option<RoomId>,
    /// Seats that are left.
    pub seats: i32,
}

/// A room that can be booked.
#[derive(Clone, Debug)]
pub struct Room {
    pub id: RoomId,
    pub location: Option<LocationId>,
    pub busy: Vec<Span>,
}

/// What a search looks at.
#[derive(Clone, Debug)]
pub struct Setting {
    pub clocks: Clocks,
    pub practitioners: Vec<Practitioner>,
    /// The rooms to choose from; none when no room is needed.
    pub rooms: Option<Vec<Room>>,
    /// When the practice is closed.
    pub closings: Vec<Closed>,
    /// What is taken of the patient's time.
    pub patient_busy: Vec<Span>,
    /// What is taken of the equipment that the service needs.
    pub equipment_busy: Vec<Span>,
    /// How many can attend one appointment.
    pub capacity: i32,
    pub shape: Shape,
    /// Earliest and latest start: the range, the minimum notice and the maximum advance together.
    pub starts: Span,
}

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The places asked for; any when there are none.
    pub locations: Vec<LocationId>,
    /// Starts are multiples of this after local midnight.
    pub step: i64,
    /// One practitioner for each time is enough.
    pub anyone: bool,
    /// At most so many times.
    pub limit: usize,
    /// At most so many of each day of the practice.
    pub per_day: Option<usize>,
}

/// A time that can be booked, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Choice {
    pub starts_at: i64,
    /// The place of the practitioner in the setting.
    pub practitioner: usize,
    pub location: Option<LocationId>,
    pub room: Option<RoomId>,
    /// How many can still attend.
    pub seats: i32,
}

/// What was found, by start and then by practitioner.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub choices: Vec<Choice>,
    /// There are further times in the range.
    pub more: bool,
}

/// The times that can be booked.
pub fn search(setting: &Setting, wish: &Wish) -> Found {
    let mut choices: Vec<Choice> = Vec::new();
    let mut earliest = Earliest::new(wish);
    let ways = setting.ways(&wish.locations);
    for (index, practitioner) in setting.practitioners.iter().enumerate() {
        for way in &ways {
            let windows = practitioner.hours.windows(&setting.closings, &setting.clocks, way.location);
            let against = setting.against(practitioner);
            for (location, stretches) in stretches(&windows, way.location) {
                for session in setting.joinable(practitioner, &stretches, way) {
                    let starts_at = session.span.start;
                    let room = way.rooms.as_ref().and(session.room);
                    if earliest.wants(starts_at) && earliest.take(starts_at) {
                        let seats = session.seats;
                        choices.push(Choice { starts_at, practitioner: index, location, room, seats });
                    }
                }
                let starts = setting.free(&stretches, &against);
                let here = windows.iter().filter(|window| way.location.or(window.location) == location);
                let mut walk = Walk { starts: &starts, next: 0, step: wish.step, clocks: &setting.clocks };
                for window in here {
                    walk.through(window, |at| {
                        if !earliest.wants(at) {
                            return !earliest.past(at);
                        }
                        let Some(room) = way.room_at(setting, at) else { return true };
                        if earliest.take(at) {
                            let seats = setting.capacity;
                            choices.push(Choice {
                                starts_at: at,
                                practitioner: index,
                                location,
                                room,
                                seats,
                            });
                        }
                        true
                    });
                }
            }
        }
    }
    choices.sort_unstable();
    // Two windows may overlap, and a place may be named twice; one room for each place is enough.
    choices.dedup_by_key(|choice| (choice.starts_at, choice.practitioner, choice.location));
    earliest.conclude(choices, setting, wish)
}

impl Setting {
    /// The places and rooms to be tried one after the other.
    fn ways(&self, locations: &[LocationId]) -> Vec<Way> {
        let asked: Vec<Option<LocationId>> = match locations {
            [] => vec![None],
            locations => locations.iter().copied().map(Some).collect(),
        };
        let Some(rooms) = &self.rooms else {
            return asked.into_iter().map(|location| Way { location, rooms: None }).collect();
        };
        let mut ways: Vec<Way> = Vec::new();
        for location in asked {
            for (index, room) in rooms.iter().enumerate() {
                if location.is_some() && room.location.is_some() && room.location != location {
                    continue;
                }
                // A room decides where the appointment is, unless that was said already.
                let place = location.or(room.location);
                match ways.iter_mut().find(|way| way.location == place) {
                    Some(way) => way.rooms.get_or_insert_default().push(index),
                    None => ways.push(Way { location: place, rooms: Some(vec![index]) }),
                }
            }
        }
        ways
    }

    /// The starts that meet something taken of the practitioner, the patient or the equipment, or a full day.
    fn against(&self, practitioner: &Practitioner) -> Vec<Span> {
        let shape = self.shape;
        let taken = practitioner.busy.iter().chain(&self.equipment_busy);
        let mut against: Vec<Span> = taken.map(|taken| shape.starts_against(*taken)).collect();
        against.extend(self.patient_busy.iter().map(|taken| shape.starts_against_unpadded(*taken)));
        for day in &practitioner.full_days {
            against.extend(self.clocks.at_home().window(*day, 0, 1_440));
        }
        merged(against)
    }

    /// The starts of appointments that fit into these stretches.
    fn free(&self, stretches: &[Span], against: &[Span]) -> Vec<Span> {
        let starts = stretches.iter().map(|span| self.shape.starts_inside(*span).cut(self.starts));
        let starts: Vec<Span> = starts.filter(|span| !span.is_empty()).collect();
        without(&starts, against)
    }

    /// The group sessions in these stretches that the patient can join.
    fn joinable<'a>(
        &'a self,
        practitioner: &'a Practitioner,
        stretches: &'a [Span],
        way: &'a Way,
    ) -> impl Iterator<Item = &'a Session> {
        practitioner.sessions.iter().filter(move |session| {
            let span = session.span;
            span.end - span.start == self.shape.duration
                && session.seats > 0
                && (self.starts.start..self.starts.end).contains(&span.start)
                && stretches.iter().any(|stretch| stretch.contains(span))
                && !self.patient_busy.iter().any(|taken| taken.overlaps(span))
                && !practitioner.full_days.contains(&self.clocks.at_home().date(span.start))
                && way.may_use(self, session.room)
        })
    }
}

/// A place, and the rooms that may be used for it.
struct Way {
    location: Option<LocationId>,
    rooms: Option<Vec<usize>>,
}

impl Way {
    /// Whether the room of a session is one of those that may be used.
    fn may_use(&self, setting: &Setting, room: Option<RoomId>) -> bool {
        let (Some(indexes), Some(rooms)) = (&self.rooms, &setting.rooms) else { return true };
        indexes.iter().filter_map(|index| rooms.get(*index)).any(|known| Some(known.id) == room)
    }

    /// The first room that is free: `Some(None)` when none is needed.
    fn room_at(&self, setting: &Setting, at: i64) -> Option<Option<RoomId>> {
        let (Some(indexes), Some(rooms)) = (&self.rooms, &setting.rooms) else { return Some(None) };
        let shape = setting.shape;
        let padded = Span::new(at, at + shape.duration).padded(shape.before, shape.after);
        let free = |room: &Room| {
            let next = room.busy.partition_point(|taken| taken.end <= padded.start);
            room.busy.get(next).is_none_or(|taken| taken.start >= padded.end)
        };
        indexes.iter().filter_map(|index| rooms.get(*index)).find(|room| free(room)).map(|room| Some(room.id))
    }
}

/// Goes along the grid of each window and stops at the starts that are free.
struct Walk<'a> {
    starts: &'a [Span],
    next: usize,
    step: i64,
    clocks: &'a Clocks,
}

impl Walk<'_> {
    /// `visit` says whether to go on.
    fn through(&mut self, window: &Window, mut visit: impl FnMut(i64) -> bool) {
        while self.next < self.starts.len() && self.starts[self.next].end <= window.span.start {
            self.next += 1;
        }
        let timeline = self.clocks.of(window.zone);
        for starts in &self.starts[self.next..] {
            let free = starts.cut(window.span);
            if starts.start >= window.span.end {
                break;
            }
            for at in timeline.grid(free, self.step) {
                if !visit(at) {
                    return;
                }
            }
        }
    }
}

/// The earliest times found so far: whoever comes later need not be looked at beyond the last of them.
struct Earliest {
    times: BTreeSet<i64>,
    anyone: bool,
    /// One more than asked for, to know whether there are more. No bound when each day has its own.
    most: usize,
}

impl Earliest {
    fn new(wish: &Wish) -> Self {
        let most = if wish.per_day.is_some() { usize::MAX } else { wish.limit.saturating_add(1) };
        Self { times: BTreeSet::new(), anyone: wish.anyone, most }
    }

    /// Whether the time is later than all that will be answered.
    fn past(&self, at: i64) -> bool {
        self.times.len() >= self.most && self.times.last().is_some_and(|last| at > *last)
    }

    fn wants(&self, at: i64) -> bool {
        let is_listed = self.anyone && self.times.contains(&at);
        !self.past(at) && !is_listed
    }

    fn take(&mut self, at: i64) -> bool {
        if self.times.insert(at) && self.times.len() > self.most {
            self.times.pop_last();
        }
        !self.past(at)
    }

    fn conclude(self, mut choices: Vec<Choice>, setting: &Setting, wish: &Wish) -> Found {
        let mut times: Vec<i64> = self.times.into_iter().collect();
        if let Some(per_day) = wish.per_day {
            let mut day = (NaiveDate::MIN, 0);
            times.retain(|at| {
                let date = setting.clocks.at_home().date(*at);
                day = if day.0 == date { (date, day.1 + 1) } else { (date, 1) };
                day.1 <= per_day
            });
        }
        let more = times.len() > wish.limit;
        times.truncate(wish.limit);
        choices.retain(|choice| times.binary_search(&choice.starts_at).is_ok());
        Found { choices, more }
    }
}

/// Why a time cannot be booked, apart from what is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obstacles {
    pub outside_hours: bool,
    pub time_off: bool,
    pub full_day: bool,
}

/// What stands against one appointment of one practitioner: the counterpart of [`search`] for one time.
///
/// `location` is where it takes place: the place asked for, or else the room's.
pub fn obstacles(
    practitioner: &Practitioner,
    closings: &[Closed],
    clocks: &Clocks,
    appointment: Span,
    location: Option<LocationId>,
) -> Obstacles {
    let fits = |hours: &Hours, closings: &[Closed]| {
        let stretches = stretches(&hours.windows(closings, clocks, location), location);
        stretches.values().any(|spans| spans.iter().any(|span| span.contains(appointment)))
    };
    let open = fits(&practitioner.hours, closings);
    // Without exceptions that close, would it fit? Then one of them is why it does not.
    let undisturbed = Hours { time_off: Vec::new(), ..practitioner.hours.clone() };
    let otherwise = !open && fits(&undisturbed, &[]);
    let day = clocks.at_home().date(appointment.start);
    Obstacles {
        outside_hours: !open && !otherwise,
        time_off: otherwise,
        full_day: practitioner.full_days.contains(&day),
    }
}

/// Whether the appointment, with its buffers, meets nothing that is taken.
pub fn is_free(busy: &[Span], shape: Shape, start: i64) -> bool {
    let appointment = Span::new(start, start + shape.duration).padded(shape.before, shape.after);
    !busy.iter().any(|taken| taken.overlaps(appointment))
}

#[cfg(test)]
mod tests;
