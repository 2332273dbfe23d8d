//! What booking and changing an appointment takes.

use async_graphql::{InputObject, MaybeUndefined};
use chrono::{DateTime, Duration, Utc};

use super::entity::{AppointmentPriority, AppointmentStatus, AppointmentType};
use super::series::input::SeriesScope;
use crate::error::Result;
use crate::graphql::input::Problems;
use crate::id::{AppointmentHoldId, AppointmentId, LocationId, MembershipId, PatientId, RoomId, ServiceId};

/// The shortest and the longest appointment that is booked by hand.
const MINUTES: std::ops::RangeInclusive<i64> = 5..=480;
/// Characters of a free text.
pub const TEXT: usize = 5_000;

/// An appointment to be booked.
#[derive(Clone, InputObject)]
pub struct BookAppointmentInput {
    /// Who comes.
    pub patient_id: PatientId,
    /// Who sees the patient: a bookable member. Omitted: anybody who is free then, whoever has the fewest
    /// appointments on that day.
    pub practitioner_id: Option<MembershipId>,
    /// What is done. It gives the duration, the buffers and the type unless they are given here.
    pub service_id: Option<ServiceId>,
    /// Where it takes place.
    pub location_id: Option<LocationId>,
    /// The room it takes up. Required where the service or the workspace says so.
    pub room_id: Option<RoomId>,
    /// When it starts.
    pub starts_at: DateTime<Utc>,
    /// When it ends. By default after the service's duration. 5 to 480 minutes after the start.
    pub ends_at: Option<DateTime<Utc>>,
    /// IANA name of the zone that the time is meant in. By default the workspace's.
    pub timezone: Option<String>,
    /// What kind of appointment it is. By default the service's.
    pub appointment_type: Option<AppointmentType>,
    /// How urgent it is.
    pub priority: Option<AppointmentPriority>,
    /// Why the patient comes: at most 5,000 characters, stored encrypted.
    pub reason: Option<String>,
    /// Notes for the practitioner: at most 5,000 characters, stored encrypted.
    pub notes: Option<String>,
    /// Books although somebody or something is taken, or outside working hours, notice and limits, for this reason.
    /// Takes the permission `OVERRIDE_BOOKING`.
    pub override_reason: Option<String>,
    /// The slot that was held for it, by you. Practitioner, service, room and start must be those of the hold.
    pub hold_id: Option<AppointmentHoldId>,
    /// Makes a repetition of this request harmless: the same key answers with the same appointment.
    pub idempotency_key: Option<String>,
}

/// A new time, and perhaps a new place or practitioner, for an appointment.
#[derive(Clone, InputObject)]
pub struct RescheduleAppointmentInput {
    /// The appointment.
    pub id: AppointmentId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// When it starts now.
    pub starts_at: DateTime<Utc>,
    /// When it ends now. By default it stays as long as it was.
    pub ends_at: Option<DateTime<Utc>>,
    /// Another practitioner. Omitted keeps the present one.
    pub practitioner_id: Option<MembershipId>,
    /// Another room. Omitted keeps the present one, null gives it up.
    pub room_id: MaybeUndefined<RoomId>,
    /// Another place. Omitted keeps the present one, null leaves it open.
    pub location_id: MaybeUndefined<LocationId>,
    /// Why, stored encrypted.
    pub reason: Option<String>,
    /// Books although somebody or something is taken, or outside working hours, notice and limits, for this reason.
    /// Takes the permission `OVERRIDE_BOOKING`.
    pub override_reason: Option<String>,
    /// Which occurrences of its series move with it, by as much on the wall clock. All of them or none.
    #[graphql(default)]
    pub scope: SeriesScope,
}

/// What to change about an appointment besides its time. What is omitted stays; null empties what may be empty.
#[derive(Clone, InputObject)]
pub struct UpdateAppointmentInput {
    /// The appointment.
    pub id: AppointmentId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// How urgent it is.
    pub priority: Option<AppointmentPriority>,
    /// What kind of appointment it is.
    pub appointment_type: Option<AppointmentType>,
    /// Why the patient comes.
    pub reason: MaybeUndefined<String>,
    /// Notes for the practitioner.
    pub notes: MaybeUndefined<String>,
}

/// The appointment whose status goes forward.
#[derive(Clone, InputObject)]
pub struct AppointmentStatusInput {
    /// The appointment.
    pub id: AppointmentId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
}

/// The appointment to be cancelled.
#[derive(Clone, InputObject)]
pub struct CancelAppointmentInput {
    /// The appointment.
    pub id: AppointmentId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// Why: at most 5,000 characters, stored encrypted.
    pub reason: Option<String>,
    /// Which occurrences of its series are cancelled with it.
    #[graphql(default)]
    pub scope: SeriesScope,
}

/// A status put right after the fact.
#[derive(Clone, InputObject)]
pub struct CorrectAppointmentStatusInput {
    /// The appointment.
    pub id: AppointmentId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// What it should have been.
    pub status: AppointmentStatus,
    /// Why: 1 to 5,000 characters, stored encrypted.
    pub reason: String,
}

/// Which appointments to list. Conditions hold together.
#[derive(Clone, Debug, Default, InputObject)]
pub struct AppointmentFilter {
    /// Those that end after this instant.
    pub from: Option<DateTime<Utc>>,
    /// Those that start before this instant.
    pub to: Option<DateTime<Utc>>,
    /// Those of this practitioner.
    pub practitioner_id: Option<MembershipId>,
    /// Those of this patient.
    pub patient_id: Option<PatientId>,
    /// Those at this place.
    pub location_id: Option<LocationId>,
    /// Those in this room.
    pub room_id: Option<RoomId>,
    /// Those for this service.
    pub service_id: Option<ServiceId>,
    /// Those with one of these statuses. At most 6.
    pub statuses: Option<Vec<AppointmentStatus>>,
}

/// The problems of a start and an end.
pub fn check_times(
    problems: &mut Problems,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    now: DateTime<Utc>,
) {
    let minutes = (ends_at - starts_at).num_minutes();
    if ends_at <= starts_at {
        problems.add("endsAt", "The end must be after the start.");
    } else if !MINUTES.contains(&minutes) || ends_at - starts_at > Duration::minutes(*MINUTES.end()) {
        problems
            .add("endsAt", format!("An appointment takes {} to {} minutes.", MINUTES.start(), MINUTES.end()));
    }
    let span = now - Duration::days(36_525)..now + Duration::days(3_653);
    if !span.contains(&starts_at) {
        problems.add("startsAt", "The start is too far away: at most ten years ahead.");
    }
}

/// The problems of free texts.
pub fn check_texts(texts: &[(&str, Option<&String>)]) -> Result<()> {
    let mut problems = Problems::default();
    for (field, text) in texts {
        problems.length(field, text.map(String::as_str), TEXT);
    }
    problems.ok()
}
