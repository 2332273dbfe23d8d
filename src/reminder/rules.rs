//! When a reminder is due, and when people are left alone.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Duration, NaiveDate, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use sea_orm::prelude::Json;

use crate::appointment::entity::AppointmentStatus;
use crate::workspace::entity::Model as Workspace;

/// What comes less than this before the appointment, or before an offer ends, is of no use to the patient.
const LEAST_NOTICE: Duration = Duration::hours(1);
/// An agenda that could not be sent for so long is not sent any more.
pub const AGENDA_KEEPS: Duration = Duration::hours(2);

/// What a reminder says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An appointment begins so many minutes after this.
    Before(i32),
    Booked,
    Rescheduled,
    Confirmed,
    Cancelled,
    /// The practitioner's appointments of today.
    AgendaToday,
    /// Those of tomorrow.
    AgendaTomorrow,
    /// A slot is kept for a patient of the waiting list.
    Offer,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(minutes) => write!(f, "before_{minutes}"),
            Self::Booked => f.write_str("booked"),
            Self::Rescheduled => f.write_str("rescheduled"),
            Self::Confirmed => f.write_str("confirmed"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::AgendaToday => f.write_str("agenda_today"),
            Self::AgendaTomorrow => f.write_str("agenda_tomorrow"),
            Self::Offer => f.write_str("offer"),
        }
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text {
            "booked" => Self::Booked,
            "rescheduled" => Self::Rescheduled,
            "confirmed" => Self::Confirmed,
            "cancelled" => Self::Cancelled,
            "agenda_today" => Self::AgendaToday,
            "agenda_tomorrow" => Self::AgendaTomorrow,
            "offer" => Self::Offer,
            other => Self::Before(other.strip_prefix("before_").ok_or(())?.parse().map_err(|_| ())?),
        })
    }
}

/// Whether somebody is still expected: what is under way or over needs no reminder.
pub fn is_expected(status: AppointmentStatus) -> bool {
    matches!(status, AppointmentStatus::Scheduled | AppointmentStatus::Confirmed)
}

/// The minutes of a workspace's list, each once, the longest first.
pub fn minutes_of(list: &Json) -> Vec<i32> {
    let numbers = list.as_array().into_iter().flatten().filter_map(Json::as_i64);
    let mut minutes: Vec<i32> = numbers.filter_map(|minutes| i32::try_from(minutes).ok()).collect();
    minutes.sort_unstable_by(|one, other| other.cmp(one));
    minutes.dedup();
    minutes
}

/// The zone of that name. What is stored was checked; a name that the zone data has lost means UTC.
pub fn zone_of(name: &str) -> Tz {
    name.parse().unwrap_or(Tz::UTC)
}

/// The instant of a wall clock's minute. A minute that the clock skips is moved by what it skips, one that it shows
/// twice is the first.
pub fn instant(zone: Tz, date: NaiveDate, minute: i32) -> DateTime<Utc> {
    let local = date.and_time(chrono::NaiveTime::MIN) + Duration::minutes(minute.into());
    // The offset before a gap: nowhere is one longer than a day.
    (0..=25)
        .map(Duration::hours)
        .find_map(|back| {
            Some(zone.from_local_datetime(&(local - back)).earliest()?.with_timezone(&Utc) + back)
        })
        .unwrap_or_else(|| local.and_utc())
}

/// The hours in which nobody is disturbed.
#[derive(Clone, Copy, Debug)]
pub struct Quiet {
    pub from: i32,
    pub until: i32,
    pub zone: Tz,
}

impl Quiet {
    pub fn of(workspace: &Workspace, zone: Tz) -> Self {
        Self { from: workspace.quiet_from_minute, until: workspace.quiet_until_minute, zone }
    }

    fn contains(&self, minute: i32) -> bool {
        if self.from <= self.until {
            (self.from..self.until).contains(&minute)
        } else {
            minute >= self.from || minute < self.until
        }
    }

    /// When the quiet around this instant began and when it ends; `None` outside.
    fn around(&self, at: DateTime<Utc>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let local = at.with_timezone(&self.zone);
        let minute = i32::try_from(local.hour() * 60 + local.minute()).unwrap_or(0);
        if !self.contains(minute) {
            return None;
        }
        let today = local.date_naive();
        let (began, ends) = match self.from < self.until {
            true => (today, today),
            false if minute >= self.from => (today, today + Duration::days(1)),
            false => (today - Duration::days(1), today),
        };
        Some((instant(self.zone, began, self.from), instant(self.zone, ends, self.until)))
    }

    /// When to remind of a start, so many minutes before: at the end of the quiet, or where that is too late at its
    /// beginning.
    pub fn due(&self, starts_at: DateTime<Utc>, minutes: i32) -> DateTime<Utc> {
        let wanted = starts_at - Duration::minutes(minutes.into());
        match self.around(wanted) {
            None => wanted,
            Some((_, ends)) if ends + LEAST_NOTICE <= starts_at => ends,
            Some((began, _)) => began - Duration::minutes(1),
        }
    }

    /// The instant at which nobody is disturbed any more: the end of the quiet, or the instant itself outside.
    pub fn over(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        self.around(at).map_or(at, |(_, ends)| ends)
    }

    /// Whether a message can go out now, later, or not at all any more: it is of use until an hour before `until`.
    pub fn allows(&self, now: DateTime<Utc>, until: DateTime<Utc>) -> Allowed {
        match self.around(now) {
            None => Allowed::Now,
            Some((_, ends)) if ends + LEAST_NOTICE <= until => Allowed::From(ends),
            Some(_) => Allowed::Never,
        }
    }
}

/// Whether quiet hours let a message out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    Now,
    From(DateTime<Utc>),
    Never,
}

/// The instant of today's agenda if it is due and still of use. Weekdays are a sum of Monday 1 … Sunday 64.
pub fn agenda_due(now: DateTime<Utc>, zone: Tz, minute: i32, weekdays: i32) -> Option<DateTime<Utc>> {
    let today = now.with_timezone(&zone).date_naive();
    let due = instant(zone, today, minute);
    let wanted = weekdays & (1 << today.weekday().num_days_from_monday()) != 0;
    (wanted && due <= now && now < due + AGENDA_KEEPS).then_some(due)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn night(zone: &str) -> Quiet {
        Quiet { from: 21 * 60, until: 8 * 60, zone: zone.parse().unwrap() }
    }

    #[test]
    fn a_kind_survives_its_text() {
        for kind in [Kind::Before(1440), Kind::Booked, Kind::Rescheduled, Kind::Confirmed, Kind::Cancelled]
            .into_iter()
            .chain([Kind::AgendaToday, Kind::AgendaTomorrow, Kind::Offer])
        {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!("nothing".parse::<Kind>(), Err(()));
    }

    #[test]
    fn a_reminder_that_falls_into_the_night_comes_in_the_morning_or_the_evening_before() {
        let berlin = night("Europe/Berlin");
        // 24 hours before an afternoon is an afternoon.
        assert_eq!(berlin.due(at("2026-06-02T12:00:00Z"), 1440), at("2026-06-01T12:00:00Z"));
        // 24 hours before 07:00 local is moved to 08:00.
        assert_eq!(berlin.due(at("2026-06-02T05:00:00Z"), 1440), at("2026-06-01T06:00:00Z"));
        // One hour before 08:30 local would leave half an hour: one minute before the night.
        assert_eq!(berlin.due(at("2026-06-02T06:30:00Z"), 60), at("2026-06-01T18:59:00Z"));
        // The same instant is daytime elsewhere.
        assert_eq!(night("America/New_York").due(at("2026-06-02T16:30:00Z"), 60), at("2026-06-02T15:30:00Z"));
    }

    #[test]
    fn at_night_a_message_waits_or_is_given_up() {
        let auckland = night("Pacific/Auckland");
        let now = at("2026-06-01T12:00:00Z"); // midnight there
        assert_eq!(
            auckland.allows(now, at("2026-06-02T12:00:00Z")),
            Allowed::From(at("2026-06-01T20:00:00Z"))
        );
        assert_eq!(auckland.allows(now, at("2026-06-01T20:30:00Z")), Allowed::Never);
        assert_eq!(auckland.allows(at("2026-06-01T20:00:00Z"), now), Allowed::Now);
        let never_quiet = Quiet { from: 0, until: 0, zone: Tz::UTC };
        assert_eq!(never_quiet.allows(now, now), Allowed::Now);
    }

    #[test]
    fn a_minute_that_the_clock_skips_is_moved_and_one_shown_twice_is_the_first() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(instant(berlin, day("2026-03-29"), 150), at("2026-03-29T01:30:00Z"));
        assert_eq!(instant(berlin, day("2026-10-25"), 150), at("2026-10-25T00:30:00Z"));
        // Samoa had no 30 December 2011.
        assert_eq!(instant(chrono_tz::Pacific::Apia, day("2011-12-30"), 600), at("2011-12-30T20:00:00Z"));
    }

    #[test]
    fn zones_that_show_the_same_time_are_equal() {
        let start = at("2026-07-02T05:00:00Z");
        assert_eq!(night("Europe/Berlin").due(start, 1440), night("Europe/Paris").due(start, 1440));
    }

    #[test]
    fn an_agenda_is_due_at_its_minute_on_its_weekdays_in_its_zone() {
        let (berlin, weekdays) = (chrono_tz::Europe::Berlin, 31);
        let due = at("2026-06-01T06:00:00Z"); // Monday 08:00 in Berlin
        assert_eq!(agenda_due(due, berlin, 480, weekdays), Some(due));
        assert_eq!(agenda_due(due - Duration::minutes(1), berlin, 480, weekdays), None);
        assert_eq!(agenda_due(due + Duration::hours(2), berlin, 480, weekdays), None);
        assert_eq!(agenda_due(due - Duration::days(1), berlin, 480, weekdays), None);
        // Still Sunday in Honolulu.
        assert_eq!(agenda_due(due, chrono_tz::Pacific::Honolulu, 480, weekdays), None);
    }
}
