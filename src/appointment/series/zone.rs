//! From a wall clock to an instant, by RFC 5545 §3.3.5.

use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

/// The longest that clocks were ever put forward: a whole day, at the date line.
const LONGEST_GAP_HOURS: i64 = 25;

/// The instant that the wall clock shows: the first of two where clocks are put back; where they are put
/// forward over it, the time by the offset before.
pub fn instant(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc(),
        LocalResult::None => {
            let before = (1..=LONGEST_GAP_HOURS)
                .find_map(|hours| zone.from_local_datetime(&(local - Duration::hours(hours))).latest());
            let offset =
                before.map_or_else(|| zone.offset_from_utc_datetime(&local).fix(), |at| at.offset().fix());
            (local - Duration::seconds(offset.local_minus_utc().into())).and_utc()
        }
    }
}

/// What the wall clock shows at the instant.
pub fn local(at: DateTime<Utc>, zone: Tz) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_take_the_offset_before_and_folds_the_first() {
        for (zone, wall, utc) in [
            ("Europe/Berlin", "2027-03-28T02:30", "2027-03-28T01:30"),
            ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),
            ("Europe/Berlin", "2027-03-27T09:00", "2027-03-27T08:00"),
            ("Europe/Berlin", "2027-03-28T09:00", "2027-03-28T07:00"),
            ("America/New_York", "2027-03-14T02:30", "2027-03-14T07:30"),
            ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30"),
            ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45"),
            ("Australia/Lord_Howe", "2027-04-04T01:45", "2027-04-03T14:45"),
            ("America/Santiago", "2026-09-06T00:00", "2026-09-06T04:00"),
            ("Asia/Beirut", "2027-03-28T00:00", "2027-03-27T22:00"),
            ("Africa/Casablanca", "2027-02-07T02:30", "2027-02-07T01:30"),
            ("Africa/Cairo", "2027-04-30T00:00", "2027-04-29T22:00"),
            ("Asia/Kathmandu", "2026-12-01T09:00", "2026-12-01T03:15"),
            ("Pacific/Apia", "2011-12-30T09:00", "2011-12-30T19:00"),
        ] {
            let at = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").unwrap();
            assert_eq!(instant(at(wall), zone.parse().unwrap()), at(utc).and_utc(), "{zone} {wall}");
        }
    }
}
