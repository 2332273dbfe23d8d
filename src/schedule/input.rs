//! What creating and changing weekly schedules and exceptions takes.

use async_graphql::{InputObject, MaybeUndefined};
use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use chrono_tz::Tz;
use sea_orm::Set;

use super::entity;
use super::exception::{self, AbsenceReason, ExceptionKind};
use super::time::{LocalTime, Weekday};
use crate::availability::local::start_of_day;
use crate::error::Result;
use crate::graphql::input::{Problems, patch, set};
use crate::id::{DoctorScheduleId, LocationId, MembershipId, ScheduleExceptionId};
use crate::workspace::input::check_timezone;

/// A weekly interval of work to be added.
#[derive(Clone, InputObject)]
pub struct CreateWeeklyScheduleInput {
    /// Who works then: a member. By default you.
    pub practitioner_id: Option<MembershipId>,
    /// On which day of the week.
    pub weekday: Weekday,
    /// When work begins, on the wall clock of the zone.
    pub start_time: LocalTime,
    /// When work ends; `24:00` is midnight. Night shifts are two intervals, one for each day.
    pub end_time: LocalTime,
    /// When the break begins. Give both ends of it or neither.
    pub break_start: Option<LocalTime>,
    /// When the break ends.
    pub break_end: Option<LocalTime>,
    /// IANA name of the zone of the wall clock. By default the location's, or else the workspace's.
    pub timezone: Option<String>,
    /// Where. Without one the hours serve every place.
    pub location_id: Option<LocationId>,
    /// The first day it holds on.
    pub valid_from: Option<NaiveDate>,
    /// The last day it holds on.
    pub valid_until: Option<NaiveDate>,
    /// Makes a repetition of this request harmless: the same key answers with the same entry.
    pub idempotency_key: Option<String>,
}

impl CreateWeeklyScheduleInput {
    /// The row to insert.
    pub fn row(
        &self,
        id: DoctorScheduleId,
        practitioner: MembershipId,
        timezone: String,
    ) -> Result<entity::ActiveModel> {
        checked_schedule(entity::ActiveModel {
            id: Set(id),
            practitioner_id: Set(practitioner),
            location_id: Set(self.location_id),
            weekday: Set(self.weekday.number()),
            starts_minute: Set(self.start_time.0),
            ends_minute: Set(self.end_time.0),
            break_starts_minute: Set(self.break_start.map(|time| time.0)),
            break_ends_minute: Set(self.break_end.map(|time| time.0)),
            timezone: Set(timezone),
            valid_from: Set(self.valid_from),
            valid_until: Set(self.valid_until),
            ..Default::default()
        })
    }
}

/// What to change about a weekly interval. What is omitted stays; null empties what may be empty.
#[derive(Clone, InputObject)]
pub struct UpdateWeeklyScheduleInput {
    /// The entry.
    pub id: DoctorScheduleId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// On which day of the week.
    pub weekday: Option<Weekday>,
    /// When work begins.
    pub start_time: Option<LocalTime>,
    /// When work ends.
    pub end_time: Option<LocalTime>,
    /// When the break begins. Null, for both ends, takes it away.
    pub break_start: MaybeUndefined<LocalTime>,
    /// When the break ends.
    pub break_end: MaybeUndefined<LocalTime>,
    /// IANA name of the zone of the wall clock.
    pub timezone: Option<String>,
    /// Where. Null serves every place.
    pub location_id: MaybeUndefined<LocationId>,
    /// The first day it holds on.
    pub valid_from: MaybeUndefined<NaiveDate>,
    /// The last day it holds on.
    pub valid_until: MaybeUndefined<NaiveDate>,
}

impl UpdateWeeklyScheduleInput {
    /// The loaded row with the changes.
    pub fn apply(&self, mut row: entity::ActiveModel) -> Result<entity::ActiveModel> {
        set(&mut row.weekday, self.weekday.map(Weekday::number));
        set(&mut row.starts_minute, self.start_time.map(|time| time.0));
        set(&mut row.ends_minute, self.end_time.map(|time| time.0));
        set(&mut row.timezone, self.timezone.clone());
        patch(&mut row.break_starts_minute, &self.break_start.map_value(|time| time.0));
        patch(&mut row.break_ends_minute, &self.break_end.map_value(|time| time.0));
        patch(&mut row.location_id, &self.location_id);
        patch(&mut row.valid_from, &self.valid_from);
        patch(&mut row.valid_until, &self.valid_until);
        checked_schedule(row)
    }
}

/// The row, if anybody can work like that.
fn checked_schedule(row: entity::ActiveModel) -> Result<entity::ActiveModel> {
    let mut problems = Problems::default();
    let (start, end) = (*row.starts_minute.as_ref(), *row.ends_minute.as_ref());
    if start >= end {
        problems.add("endTime", "The end must be after the start.");
    }
    match (*row.break_starts_minute.as_ref(), *row.break_ends_minute.as_ref()) {
        (None, None) => {}
        (Some(from), Some(to)) if from >= to => {
            problems.add("breakEnd", "The end of the break must be after its start.");
        }
        (Some(from), Some(to)) if from < start || to > end => {
            problems.add("breakStart", "The break must lie inside the working time.");
        }
        (Some(_), Some(_)) => {}
        (Some(_), None) => problems.add("breakEnd", "Give both ends of the break or neither."),
        (None, Some(_)) => problems.add("breakStart", "Give both ends of the break or neither."),
    }
    check_timezone(&mut problems, "timezone", row.timezone.as_ref());
    if let (Some(from), Some(until)) = (*row.valid_from.as_ref(), *row.valid_until.as_ref())
        && until < from
    {
        problems.add("validUntil", "The last day must not be before the first.");
    }
    for (field, date) in [("validFrom", *row.valid_from.as_ref()), ("validUntil", *row.valid_until.as_ref())]
    {
        if date.is_some_and(|date| !near(date)) {
            problems.add(field, "This date is too far away.");
        }
    }
    problems.ok()?;
    Ok(row)
}

/// A date that both engines store and no arithmetic leaves.
fn near(date: NaiveDate) -> bool {
    use chrono::Datelike;
    (1900..=2200).contains(&date.year())
}

/// The weekly interval to be deleted.
#[derive(InputObject)]
pub struct DeleteWeeklyScheduleInput {
    /// The entry.
    pub id: DoctorScheduleId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
}

/// A dated exception to be added. Give either the two instants or the two days.
#[derive(Clone, InputObject)]
pub struct CreateScheduleExceptionInput {
    /// Whom it concerns. Null closes the practice, or the location, for everybody.
    pub practitioner_id: Option<MembershipId>,
    /// Time off, or extra hours.
    pub kind: ExceptionKind,
    /// Why somebody is away. Only for time off.
    pub reason: Option<AbsenceReason>,
    /// From when. With `endsAt`, instead of days.
    pub starts_at: Option<DateTime<Utc>>,
    /// Until when, exclusive.
    pub ends_at: Option<DateTime<Utc>>,
    /// The first whole day. With `lastDay`, instead of instants.
    pub first_day: Option<NaiveDate>,
    /// The last whole day, inclusive.
    pub last_day: Option<NaiveDate>,
    /// IANA name of the zone that days are meant in, and that free times of extra hours are counted in. By default
    /// the location's, or else the workspace's.
    pub timezone: Option<String>,
    /// Only at this place. Without one it holds everywhere.
    pub location_id: Option<LocationId>,
    /// A note for colleagues: at most 500 characters. Nothing about patients.
    pub note: Option<String>,
    /// Makes a repetition of this request harmless: the same key answers with the same exception.
    pub idempotency_key: Option<String>,
}

impl CreateScheduleExceptionInput {
    /// The row to insert.
    pub fn row(&self, id: ScheduleExceptionId, timezone: String) -> Result<exception::ActiveModel> {
        let ends = Ends {
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            first_day: self.first_day,
            last_day: self.last_day,
        };
        let (starts_at, ends_at) = ends.resolve(&timezone)?;
        checked_exception(exception::ActiveModel {
            id: Set(id),
            practitioner_id: Set(self.practitioner_id),
            kind: Set(self.kind),
            reason_kind: Set(self.reason),
            starts_at: Set(starts_at),
            ends_at: Set(ends_at),
            timezone: Set(timezone),
            location_id: Set(self.location_id),
            note: Set(self.note.clone()),
            ..Default::default()
        })
    }
}

/// What to change about an exception. What is omitted stays; null empties what may be empty.
#[derive(Clone, InputObject)]
pub struct UpdateScheduleExceptionInput {
    /// The exception.
    pub id: ScheduleExceptionId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// Why somebody is away.
    pub reason: MaybeUndefined<AbsenceReason>,
    /// From when. With `endsAt`, instead of days.
    pub starts_at: Option<DateTime<Utc>>,
    /// Until when, exclusive.
    pub ends_at: Option<DateTime<Utc>>,
    /// The first whole day. With `lastDay`, instead of instants.
    pub first_day: Option<NaiveDate>,
    /// The last whole day, inclusive.
    pub last_day: Option<NaiveDate>,
    /// IANA name of the zone that days are meant in.
    pub timezone: Option<String>,
    /// Only at this place. Null holds everywhere.
    pub location_id: MaybeUndefined<LocationId>,
    /// A note for colleagues: at most 500 characters. Nothing about patients.
    pub note: MaybeUndefined<String>,
}

impl UpdateScheduleExceptionInput {
    /// The loaded row with the changes.
    pub fn apply(&self, mut row: exception::ActiveModel) -> Result<exception::ActiveModel> {
        set(&mut row.timezone, self.timezone.clone());
        let ends = Ends {
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            first_day: self.first_day,
            last_day: self.last_day,
        };
        if !ends.omitted() {
            let (starts_at, ends_at) = ends.resolve(row.timezone.as_ref())?;
            (row.starts_at, row.ends_at) = (Set(starts_at), Set(ends_at));
        }
        patch(&mut row.reason_kind, &self.reason);
        patch(&mut row.location_id, &self.location_id);
        patch(&mut row.note, &self.note);
        checked_exception(row)
    }
}

/// From when to when, in either of two ways.
struct Ends {
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    first_day: Option<NaiveDate>,
    last_day: Option<NaiveDate>,
}

impl Ends {
    fn omitted(&self) -> bool {
        self.starts_at.or(self.ends_at).is_none() && self.first_day.or(self.last_day).is_none()
    }

    fn resolve(&self, timezone: &str) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
        let mut problems = Problems::default();
        check_timezone(&mut problems, "timezone", timezone);
        let zone = timezone.parse::<Tz>().unwrap_or(Tz::UTC);
        let ends = match (self.starts_at, self.ends_at, self.first_day, self.last_day) {
            (Some(from), Some(to), None, None) => Some((from, to)),
            (None, None, Some(first), Some(last)) if near(first) && near(last) => {
                let after = last.checked_add_days(Days::new(1)).unwrap_or(last);
                Some((start_of_day(zone, first), start_of_day(zone, after)))
            }
            (None, None, Some(_), Some(_)) => {
                problems.add("firstDay", "This date is too far away.");
                None
            }
            _ => {
                problems.add("startsAt", "Give startsAt and endsAt, or firstDay and lastDay.");
                None
            }
        };
        problems.ok()?;
        Ok(ends.unwrap_or_default())
    }
}

/// The row, if it says something.
fn checked_exception(row: exception::ActiveModel) -> Result<exception::ActiveModel> {
    use chrono::Datelike;
    let mut problems = Problems::default();
    let (from, to) = (*row.starts_at.as_ref(), *row.ends_at.as_ref());
    if to <= from {
        problems.add("endsAt", "The end must be after the start.");
    } else if to - from > Duration::days(3 * 366) {
        problems.add("endsAt", "At most three years.");
    }
    for (field, at) in [("startsAt", from), ("endsAt", to)] {
        if !(1900..=2200).contains(&at.year()) {
            problems.add(field, "This date is too far away.");
        }
    }
    check_timezone(&mut problems, "timezone", row.timezone.as_ref());
    if *row.kind.as_ref() == ExceptionKind::ExtraHours {
        if row.practitioner_id.as_ref().is_none() {
            problems.add("practitionerId", "Extra hours are somebody's.");
        }
        if row.reason_kind.as_ref().is_some() {
            problems.add("reason", "Only time off has a reason.");
        }
        if to - from > Duration::days(1) {
            problems.add("endsAt", "Extra hours last 24 hours at most.");
        }
    }
    problems.length("note", row.note.as_ref().as_deref(), 500);
    problems.ok()?;
    Ok(row)
}

/// The exception to be deleted.
#[derive(InputObject)]
pub struct DeleteScheduleExceptionInput {
    /// The exception.
    pub id: ScheduleExceptionId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
}
