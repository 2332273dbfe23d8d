//! Wall clock and instants.
//!
//! A window `[a, b)` on a date is the set of instants whose wall clock in the zone lies in `[a, b)` on that
//! date: a gap of the clock shortens it, a fold makes it longer. Nothing here guesses.

use chrono::{
    DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc,
};
use chrono_tz::Tz;

use super::spans::{DAY, MINUTE, Span};

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;
/// How far apart the clock is looked at for changes: no zone ever changed it twice within this.
const STRIDE: i64 = 3 * 3_600;
/// The farthest that a wall clock is from UTC, in days.
const MARGIN: i64 = 2;

/// The offsets of a zone over a stretch of time.
#[derive(Clone, Debug)]
pub struct Timeline {
    pub zone: Tz,
    /// One after the other without a gap, in microseconds; the last number is the offset.
    pieces: Vec<(Span, i64)>,
}

impl Timeline {
    /// The offsets that are needed for the dates that the span touches.
    pub fn new(zone: Tz, span: Span) -> Self {
        let first = span.start.div_euclid(SECOND) - MARGIN * DAY / SECOND;
        let last = span.end.div_euclid(SECOND) + MARGIN * DAY / SECOND;
        let mut pieces = Vec::with_capacity(4);
        let (mut from, mut offset) = (first, offset_at(zone, first));
        let mut at = first;
        while at < last {
            let next = at + STRIDE;
            let after = offset_at(zone, next);
            if after != offset {
                let change = change_between(zone, at, next, offset);
                pieces.push((Span::new(from * SECOND, change * SECOND), offset * SECOND));
                (from, offset) = (change, after);
            }
            at = next;
        }
        pieces.push((Span::new(from * SECOND, at * SECOND), offset * SECOND));
        Self { zone, pieces }
    }

    /// The instants of a window of the wall clock, in minutes since midnight, on a date.
    pub fn window(&self, date: NaiveDate, from_minute: i32, to_minute: i32) -> impl Iterator<Item = Span> {
        let midnight = i64::from(date.num_days_from_ce() - EPOCH) * DAY;
        let from = midnight + i64::from(from_minute) * MINUTE;
        let to = midnight + i64::from(to_minute) * MINUTE;
        self.pieces
            .iter()
            .map(move |(piece, offset)| Span::new(from - offset, to - offset).cut(*piece))
            .filter(|span| !span.is_empty())
    }

    /// The date on the wall at an instant.
    pub fn date(&self, at: i64) -> NaiveDate {
        let wall = at + self.offset(at);
        let days = i32::try_from(wall.div_euclid(DAY)).unwrap_or_default();
        NaiveDate::from_num_days_from_ce_opt(days + EPOCH).unwrap_or_default()
    }

    /// The dates that a span touches.
    pub fn dates(&self, span: Span) -> impl Iterator<Item = NaiveDate> {
        // One more on either side: a fold at midnight can show a date twice.
        let (first, last) = (self.date(span.start), self.date(span.end));
        let first = first.checked_sub_days(Days::new(1)).unwrap_or(first);
        let count = (last - first).num_days() + 2;
        first.iter_days().take(usize::try_from(count).unwrap_or(0))
    }

    /// The instants of a span at which a multiple of `step` has passed on the wall clock since midnight.
    pub fn grid(&self, span: Span, step: i64) -> impl Iterator<Item = i64> {
        self.pieces.iter().flat_map(move |(piece, offset)| {
            let part = span.cut(*piece);
            let mut wall = part.start + offset;
            std::iter::from_fn(move || {
                let midnight = wall.div_euclid(DAY) * DAY;
                let steps = (wall - midnight + step - 1).div_euclid(step);
                let next = (midnight + steps * step).min(midnight + DAY);
                let at = next - offset;
                wall = next + 1;
                (at < part.end).then_some(at)
            })
        })
    }

    fn offset(&self, at: i64) -> i64 {
        let next = self.pieces.partition_point(|(piece, _)| piece.end <= at);
        self.pieces.get(next).or(self.pieces.last()).map_or(0, |(_, offset)| *offset)
    }
}

/// The days of the common era before 1970-01-01.
const EPOCH: i32 = 719_163;

fn offset_at(zone: Tz, second: i64) -> i64 {
    let Some(at) = DateTime::from_timestamp(second, 0) else { return 0 };
    i64::from(zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc())
}

/// The second at which the offset stops being what it was at `low`.
fn change_between(zone: Tz, mut low: i64, mut high: i64, offset: i64) -> i64 {
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if offset_at(zone, middle) == offset {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// What a time on the wall means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// One instant.
    One(DateTime<Utc>),
    /// No instant: the clock jumps over it. With the offset before the gap, and with the one after it.
    Gap { before: DateTime<Utc>, after: DateTime<Utc> },
    /// Two instants: the clock is set back over it.
    Fold { earlier: DateTime<Utc>, later: DateTime<Utc> },
}

impl Resolved {
    /// The instant that RFC 5545 §3.3.5 chooses: the offset before a gap, the first time in a fold.
    pub fn instant(self) -> DateTime<Utc> {
        match self {
            Self::One(at) | Self::Gap { before: at, .. } | Self::Fold { earlier: at, .. } => at,
        }
    }
}

/// What a time on the wall of a zone means.
pub fn resolve(zone: Tz, wall: NaiveDateTime) -> Resolved {
    match zone.from_local_datetime(&wall) {
        LocalResult::Single(at) => Resolved::One(at.with_timezone(&Utc)),
        LocalResult::Ambiguous(earlier, later) => {
            Resolved::Fold { earlier: earlier.with_timezone(&Utc), later: later.with_timezone(&Utc) }
        }
        LocalResult::None => {
            let as_utc = wall.and_utc().timestamp();
            let span = Span::new(as_utc * SECOND, as_utc * SECOND);
            let timeline = Timeline::new(zone, span);
            // The gap is the change that the time, read with the offset before it, does not come before.
            let (before, after) = timeline
                .pieces
                .windows(2)
                .map(|pair| (pair[0], pair[1]))
                .find(|((piece, offset), (_, next))| {
                    let change = piece.end;
                    as_utc * SECOND - offset >= change && as_utc * SECOND - next < change
                })
                .map_or((0, 0), |((_, before), (_, after))| (before, after));
            let at = |offset: i64| super::spans::instant(wall.and_utc().timestamp_micros() - offset);
            Resolved::Gap { before: at(before), after: at(after) }
        }
    }
}

/// The first instant of a date, in a zone where midnight may not exist.
pub fn start_of_day(zone: Tz, date: NaiveDate) -> DateTime<Utc> {
    resolve(zone, date.and_time(NaiveTime::MIN)).instant()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        format!("{text}:00Z").parse().unwrap()
    }

    fn wall(text: &str) -> NaiveDateTime {
        format!("{text}:00").parse().unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn zone(name: &str) -> Tz {
        name.parse().unwrap()
    }

    fn around(date: NaiveDate) -> Span {
        let at = date.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
        Span::new(at - DAY, at + 2 * DAY)
    }

    #[test]
    fn a_time_in_a_gap_or_a_fold_is_what_both_offsets_make_of_it() {
        let gap = |before, after| Resolved::Gap { before: utc(before), after: utc(after) };
        let fold = |earlier, later| Resolved::Fold { earlier: utc(earlier), later: utc(later) };
        let one = |at| Resolved::One(utc(at));
        for (name, local, expected) in [
            ("Europe/Berlin", "2027-03-28T02:30", gap("2027-03-28T01:30", "2027-03-28T00:30")),
            ("Europe/Berlin", "2026-10-25T02:30", fold("2026-10-25T00:30", "2026-10-25T01:30")),
            ("Europe/Berlin", "2027-03-27T09:00", one("2027-03-27T08:00")),
            ("Europe/Berlin", "2027-03-28T09:00", one("2027-03-28T07:00")),
            ("America/New_York", "2027-03-14T02:30", gap("2027-03-14T07:30", "2027-03-14T06:30")),
            ("America/New_York", "2026-11-01T01:30", fold("2026-11-01T05:30", "2026-11-01T06:30")),
            ("Australia/Lord_Howe", "2026-10-04T02:15", gap("2026-10-03T15:45", "2026-10-03T15:15")),
            ("Australia/Lord_Howe", "2027-04-04T01:45", fold("2027-04-03T14:45", "2027-04-03T15:15")),
            ("America/Santiago", "2026-09-06T00:00", gap("2026-09-06T04:00", "2026-09-06T03:00")),
            ("Asia/Beirut", "2027-03-28T00:00", gap("2027-03-27T22:00", "2027-03-27T21:00")),
            ("Africa/Casablanca", "2027-02-07T02:30", fold("2027-02-07T01:30", "2027-02-07T02:30")),
            ("Africa/Cairo", "2027-04-30T00:00", gap("2027-04-29T22:00", "2027-04-29T21:00")),
            ("Asia/Kathmandu", "2026-12-01T09:00", one("2026-12-01T03:15")),
        ] {
            assert_eq!(resolve(zone(name), wall(local)), expected, "{name} {local}");
        }
        assert!(matches!(resolve(zone("Pacific/Apia"), wall("2011-12-30T12:00")), Resolved::Gap { .. }));
    }

    #[test]
    fn a_day_is_as_long_as_the_clock_makes_it() {
        for (name, date, minutes) in [
            ("Europe/Berlin", "2027-03-27", 1_440),
            ("Europe/Berlin", "2027-03-28", 1_380),
            ("Europe/Berlin", "2026-10-25", 1_500),
            ("Australia/Lord_Howe", "2026-10-04", 1_410),
            ("Australia/Lord_Howe", "2027-04-04", 1_470),
            ("America/Santiago", "2026-09-06", 1_380),
            ("Asia/Beirut", "2027-03-28", 1_380),
            ("Africa/Cairo", "2027-04-30", 1_380),
            ("Africa/Casablanca", "2027-02-07", 1_500),
            ("Asia/Kathmandu", "2026-12-01", 1_440),
            ("Pacific/Apia", "2011-12-29", 1_440),
            ("Pacific/Apia", "2011-12-30", 0),
            ("Pacific/Apia", "2011-12-31", 1_440),
        ] {
            let timeline = Timeline::new(zone(name), around(day(date)));
            let length: i64 = timeline.window(day(date), 0, 1_440).map(|span| span.end - span.start).sum();
            assert_eq!(length / MINUTE, minutes, "{name} {date}");
        }
    }

    #[test]
    fn a_window_is_the_instants_whose_wall_clock_lies_in_it() {
        let windows = |name: &str, date: &str, from: i32, to: i32| -> Vec<Span> {
            Timeline::new(zone(name), around(day(date))).window(day(date), from, to).collect()
        };
        let span = |from, to| Span::between(utc(from), utc(to));
        // Half of the hour that does not exist, with half an hour on either side.
        let spring = windows("Europe/Berlin", "2027-03-28", 90, 210);
        assert_eq!(super::super::spans::merged(spring), [span("2027-03-28T00:30", "2027-03-28T01:30")]);
        assert_eq!(windows("Europe/Berlin", "2027-03-28", 120, 180), []);
        // The hour that exists twice: its first half is two windows.
        assert_eq!(
            windows("Europe/Berlin", "2026-10-25", 120, 150),
            [span("2026-10-25T00:00", "2026-10-25T00:30"), span("2026-10-25T01:00", "2026-10-25T01:30")]
        );
        assert_eq!(
            windows("America/Santiago", "2026-09-06", 0, 120),
            [span("2026-09-06T04:00", "2026-09-06T05:00")]
        );
        assert_eq!(windows("Pacific/Apia", "2011-12-30", 540, 1_020), []);
        // Hours that cross midnight in UTC are one window all the same.
        assert_eq!(
            windows("Pacific/Auckland", "2026-07-01", 540, 1_020),
            [span("2026-06-30T21:00", "2026-07-01T05:00")]
        );
    }

    #[test]
    fn the_grid_is_anchored_to_local_midnight() {
        let starts = |name: &str, from: &str, to: &str, minutes: i64| -> Vec<String> {
            let span = Span::between(utc(from), utc(to));
            let timeline = Timeline::new(zone(name), span);
            let walls = timeline.grid(span, minutes * MINUTE).map(|at| {
                super::super::spans::instant(at).with_timezone(&zone(name)).format("%d %H:%M").to_string()
            });
            walls.collect()
        };
        assert_eq!(
            starts("Asia/Kathmandu", "2026-12-01T03:00", "2026-12-01T04:30", 30),
            ["01 09:00", "01 09:30", "01 10:00"]
        );
        // Across the gap, and twice through the fold.
        assert_eq!(
            starts("Europe/Berlin", "2027-03-28T00:30", "2027-03-28T02:00", 30),
            ["28 01:30", "28 03:00", "28 03:30"]
        );
        assert_eq!(
            starts("Europe/Berlin", "2026-10-25T00:00", "2026-10-25T02:00", 60),
            ["25 02:00", "25 02:00"]
        );
        // A step that does not divide the day begins anew at midnight.
        assert_eq!(
            starts("UTC", "2026-12-01T23:00", "2026-12-02T00:51", 50),
            ["01 23:20", "02 00:00", "02 00:50"]
        );
        assert_eq!(
            starts("Australia/Lord_Howe", "2026-10-03T14:30", "2026-10-03T17:00", 60),
            ["04 01:00", "04 03:00"]
        );
    }

    #[test]
    fn a_day_starts_when_it_starts() {
        assert_eq!(start_of_day(zone("America/Santiago"), day("2026-09-06")), utc("2026-09-06T04:00"));
        assert_eq!(start_of_day(zone("Pacific/Apia"), day("2011-12-30")), utc("2011-12-30T10:00"));
        assert_eq!(start_of_day(zone("Pacific/Kiritimati"), day("2026-06-01")), utc("2026-05-31T10:00"));
        assert_eq!(start_of_day(zone("Etc/GMT+12"), day("2026-06-01")), utc("2026-06-01T12:00"));
    }

    proptest::proptest! {
        /// The definition itself, minute by minute, in zones that change their clocks oddly.
        #[test]
        fn windows_agree_with_the_wall_clock_minute_by_minute(
            name in proptest::sample::select(vec!["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe",
                "America/Santiago", "Asia/Beirut", "Africa/Casablanca", "Pacific/Apia", "Pacific/Chatham"]),
            day in 0u64..20_000,
            from in 0i32..1_440,
            long in 0i32..1_440,
        ) {
            let (zone, to) = (zone(name), (from + long).min(1_440));
            let date = NaiveDate::from_ymd_opt(1985, 1, 1).unwrap() + Days::new(day);
            let span = around(date);
            let timeline = Timeline::new(zone, span);
            let found: Vec<Span> = timeline.window(date, from, to).collect();
            let mut at = span.start;
            while at < span.end {
                let wall = super::super::spans::instant(at).with_timezone(&zone).naive_local();
                let minute = chrono::Timelike::num_seconds_from_midnight(&wall) as i32 / 60;
                let expected = wall.date() == date && from <= minute && minute < to;
                proptest::prop_assert_eq!(found.iter().any(|s| s.start <= at && at < s.end), expected, "{}", wall);
                proptest::prop_assert_eq!(timeline.date(at), wall.date());
                at += MINUTE;
            }
        }
    }
}
