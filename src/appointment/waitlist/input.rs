//! What waiting for a slot takes.

use async_graphql::InputObject;
use chrono::{DateTime, Utc};

use super::WaitlistStatus;
use crate::id::{MembershipId, PatientId, ServiceId, WaitlistEntryId};

/// A patient to be put on the waiting list.
#[derive(Clone, InputObject)]
pub struct JoinWaitlistInput {
    /// Who waits. A patient always waits for themselves.
    pub patient_id: Option<PatientId>,
    /// For which service. Any that becomes free when omitted.
    pub service_id: Option<ServiceId>,
    /// For whom. Any practitioner when omitted.
    pub practitioner_id: Option<MembershipId>,
    /// The slot starts at this instant or later.
    pub earliest: DateTime<Utc>,
    /// The slot ends at this instant or earlier: at most a year ahead.
    pub latest: DateTime<Utc>,
    /// Higher goes first: -100 to 100, 0 by default. Takes the permission `MANAGE_APPOINTMENTS`.
    pub priority: Option<i32>,
    /// A note for the front desk: at most 5,000 characters, stored encrypted.
    pub note: Option<String>,
    /// Makes a repetition of this request harmless: the same key answers with the same entry.
    pub idempotency_key: Option<String>,
}

/// The entry of the waiting list to be left, or whose offer is declined.
#[derive(Clone, InputObject)]
pub struct WaitlistEntryInput {
    /// The entry.
    pub id: WaitlistEntryId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
}

/// The offer to be accepted.
#[derive(Clone, InputObject)]
pub struct AcceptWaitlistOfferInput {
    /// The entry of the waiting list.
    pub id: WaitlistEntryId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// Why the patient comes: at most 5,000 characters, stored encrypted.
    pub reason: Option<String>,
    /// Makes a repetition of this request harmless: the same key answers with the same appointment.
    pub idempotency_key: Option<String>,
}

/// Which entries of the waiting list. Conditions hold together.
#[derive(Clone, Debug, Default, InputObject)]
pub struct WaitlistFilter {
    /// Those of this patient.
    pub patient_id: Option<PatientId>,
    /// Those for this practitioner, not those for any.
    pub practitioner_id: Option<MembershipId>,
    /// Those for this service, not those for any.
    pub service_id: Option<ServiceId>,
    /// Those with one of these statuses: waiting and offered by default. At most 5.
    pub statuses: Option<Vec<WaitlistStatus>>,
}
