//! The status flow: which status may follow which, and what that means for the time taken.

use chrono::{DateTime, Duration, Utc};

use super::entity::AppointmentStatus as Status;
use super::event::AppointmentEventKind as Kind;

/// How one status follows another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The ordinary course of an appointment.
    Forward(Kind),
    /// A mistake put right: takes a reason and the permission to correct.
    Correction(Kind),
    /// Never.
    Forbidden,
}

/// What the status may become. The whole table, one line each way.
pub fn step(from: Status, to: Status) -> Step {
    use Status::{Cancelled, Completed, Confirmed, InProgress, NoShow, Scheduled};
    use Step::{Correction, Forbidden, Forward};
    match (from, to) {
        (Scheduled, Confirmed) => Forward(Kind::Confirmed),
        (Scheduled | Confirmed, InProgress) => Forward(Kind::Started),
        (InProgress, Completed) => Forward(Kind::Completed),
        (Scheduled | Confirmed | InProgress, Cancelled) => Forward(Kind::Cancelled),
        (Scheduled | Confirmed, NoShow) => Forward(Kind::NoShow),
        (Completed, NoShow | Cancelled) | (NoShow, Completed) => Correction(Kind::Corrected),
        (NoShow | Cancelled, Scheduled) => Correction(Kind::Reopened),
        (Scheduled, Scheduled | Completed)
        | (Confirmed, Scheduled | Confirmed | Completed)
        | (InProgress, Scheduled | Confirmed | InProgress | NoShow)
        | (Completed, Scheduled | Confirmed | InProgress | Completed)
        | (Cancelled, Confirmed | InProgress | Completed | Cancelled | NoShow)
        | (NoShow, Confirmed | InProgress | Cancelled | NoShow) => Forbidden,
    }
}

/// Whether an appointment of this status takes up its practitioner, room and patient.
pub fn occupies(status: Status) -> bool {
    match status {
        Status::Scheduled | Status::Confirmed | Status::InProgress | Status::Completed => true,
        Status::Cancelled | Status::NoShow => false,
    }
}

/// Whether the time of an appointment of this status can still be changed.
pub fn can_move(status: Status) -> bool {
    matches!(status, Status::Scheduled | Status::Confirmed)
}

/// Whether nobody can be expected any more: the start and the practice's grace have passed.
pub fn is_missed(starts_at: DateTime<Utc>, grace_minutes: i32, now: DateTime<Utc>) -> bool {
    now >= starts_at + Duration::minutes(grace_minutes.into())
}

/// Whether a cancellation comes late by the practice's policy, in absolute hours before the start.
pub fn is_late(starts_at: DateTime<Utc>, notice_hours: i32, now: DateTime<Utc>) -> bool {
    now > starts_at - Duration::hours(notice_hours.into())
}

#[cfg(test)]
mod tests {
    use sea_orm::Iterable;

    use super::*;

    /// The table as the practice reads it: rows from, columns to, in the order of the enum.
    const TABLE: [[char; 6]; 6] = [
        // S    C    P    D    X    N
        ['-', 'f', 'f', '-', 'f', 'f'], // scheduled
        ['-', '-', 'f', '-', 'f', 'f'], // confirmed
        ['-', '-', '-', 'f', 'f', '-'], // in progress
        ['-', '-', '-', '-', 'c', 'c'], // completed
        ['c', '-', '-', '-', '-', '-'], // cancelled
        ['c', '-', '-', 'c', '-', '-'], // no show
    ];

    #[test]
    fn every_pair_of_statuses_is_what_the_table_says() {
        for (from, row) in Status::iter().zip(TABLE) {
            for (to, expected) in Status::iter().zip(row) {
                let actual = match step(from, to) {
                    Step::Forward(_) => 'f',
                    Step::Correction(_) => 'c',
                    Step::Forbidden => '-',
                };
                assert_eq!(actual, expected, "{from:?} -> {to:?}");
            }
        }
    }

    #[test]
    fn a_cancellation_exactly_at_the_limit_is_in_time() {
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        assert!(!is_late(start, 24, start - Duration::hours(24)));
        assert!(is_late(start, 24, start - Duration::hours(24) + Duration::microseconds(1)));
        assert!(!is_late(start, 0, start));
    }

    #[test]
    fn a_no_show_needs_the_start_and_the_grace_to_have_passed() {
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        assert!(!is_missed(start, 15, start + Duration::minutes(15) - Duration::microseconds(1)));
        assert!(is_missed(start, 15, start + Duration::minutes(15)));
        assert!(is_missed(start, 0, start));
    }
}
