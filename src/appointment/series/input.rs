//! What booking a series takes.

use async_graphql::{Enum, InputObject};

use crate::appointment::entity::{AppointmentPriority, AppointmentType};
use crate::id::{LocationId, MembershipId, PatientId, RoomId, ServiceId};

/// What to do when some occurrences of a series cannot be booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum SeriesConflictPolicy {
    /// Book none of them.
    FailAll,
    /// Leave those out and book the others.
    Skip,
}

/// Which occurrences of a series a change is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
pub enum SeriesScope {
    /// This one alone. It stays part of its series.
    #[default]
    This,
    /// This one and those after it. The series ends before it, and a new one begins with it.
    ThisAndFollowing,
    /// Those that have not begun yet, earlier ones than this included.
    AllFuture,
}

/// A series of appointments to be booked.
#[derive(Clone, InputObject)]
pub struct BookSeriesInput {
    /// Who comes.
    pub patient_id: PatientId,
    /// Who sees the patient: a bookable member.
    pub practitioner_id: MembershipId,
    /// What is done. It gives the duration, the buffers and the type unless they are given here.
    pub service_id: Option<ServiceId>,
    /// Where it takes place.
    pub location_id: Option<LocationId>,
    /// The room it takes up.
    pub room_id: Option<RoomId>,
    /// The first start on the wall clock, without a zone: `2026-06-02T09:00`. It must be one that the rule gives.
    pub starts_at_local: String,
    /// IANA name of the zone of that clock. By default the workspace's. Occurrences keep their time on it when the
    /// clocks change; one that the clocks skip takes place an hour later, one that they repeat the first time.
    pub timezone: Option<String>,
    /// How long each takes: 5 to 480 minutes. By default the service's duration.
    pub duration_minutes: Option<i32>,
    /// The RFC 5545 recurrence rule, such as `FREQ=WEEKLY;BYDAY=TU,TH;COUNT=20`: DAILY, WEEKLY, MONTHLY or YEARLY
    /// with INTERVAL, COUNT, UNTIL, BYDAY, BYMONTHDAY, BYMONTH, BYSETPOS and WKST. Without COUNT and UNTIL it goes
    /// on for a year. At most 732 occurrences.
    pub rule: String,
    /// Starts on the wall clock to leave out, written as the first start. At most 366.
    pub exception_dates: Option<Vec<String>>,
    /// What to do when some of them cannot be booked.
    pub on_conflict: SeriesConflictPolicy,
    /// What kind of appointments they are. By default the service's.
    pub appointment_type: Option<AppointmentType>,
    /// How urgent they are.
    pub priority: Option<AppointmentPriority>,
    /// Why the patient comes: at most 5,000 characters, stored encrypted.
    pub reason: Option<String>,
    /// Makes a repetition of this request harmless: the same key answers with the same series.
    pub idempotency_key: Option<String>,
}
