//! What holding a slot takes.

use async_graphql::InputObject;
use chrono::{DateTime, Utc};

use crate::id::{AppointmentHoldId, LocationId, MembershipId, PatientId, RoomId, ServiceId};

/// A slot to be held.
#[derive(Clone, InputObject)]
pub struct HoldSlotInput {
    /// Who would see the patient: a bookable member.
    pub practitioner_id: MembershipId,
    /// What would be done. It gives the duration and the buffers.
    pub service_id: Option<ServiceId>,
    /// Where it would take place.
    pub location_id: Option<LocationId>,
    /// The room it would take up.
    pub room_id: Option<RoomId>,
    /// Who would come. May stay open; a patient always holds for themselves.
    pub patient_id: Option<PatientId>,
    /// When it would start.
    pub starts_at: DateTime<Utc>,
    /// When it would end. By default after the service's duration. 5 to 480 minutes after the start.
    pub ends_at: Option<DateTime<Utc>>,
    /// For how many minutes: at most, and by default, the workspace's `holdMinutes`.
    pub minutes: Option<i32>,
    /// Makes a repetition of this request harmless: the same key answers with the same hold.
    pub idempotency_key: Option<String>,
}

/// The hold to be given up.
#[derive(Clone, InputObject)]
pub struct ReleaseHoldInput {
    /// The hold.
    pub id: AppointmentHoldId,
}

/// Which holds. Conditions hold together.
#[derive(Clone, Debug, Default, InputObject)]
pub struct SlotHoldFilter {
    /// Those of this practitioner.
    pub practitioner_id: Option<MembershipId>,
    /// Those that end after this instant.
    pub from: Option<DateTime<Utc>>,
    /// Those that start before this instant.
    pub to: Option<DateTime<Utc>>,
    /// Also those that were booked, given up, or have expired.
    #[graphql(default)]
    pub include_ended: bool,
}
