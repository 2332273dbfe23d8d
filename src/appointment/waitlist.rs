//! The waiting list: patients who want a slot that is not free yet.
//!
//! When an appointment is cancelled or moved, its slot is offered in the same transaction to the first patient of
//! the list who can come: by priority, then by who came first. The offer is a hold, so nobody can book the slot
//! in between; the patient is told by e-mail, if they agreed to messages. Who declines, or does not answer in
//! time, waits on, and the slot goes to the next; nobody is offered the same slot twice.

pub mod commands;
pub mod graphql;
pub mod input;
pub mod offer;

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{AppointmentHoldId, MembershipId, PatientId, ServiceId, WaitlistEntryId, WorkspaceId};

/// Where somebody on the waiting list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum WaitlistStatus {
    /// Waiting for a free slot.
    #[sea_orm(string_value = "WAITING")]
    Waiting,
    /// A slot is held for the patient, who has yet to answer.
    #[sea_orm(string_value = "OFFERED")]
    Offered,
    /// An appointment came of it.
    #[sea_orm(string_value = "BOOKED")]
    Booked,
    /// Taken off the list.
    #[sea_orm(string_value = "LEFT")]
    Left,
    /// The time that was asked for has passed.
    #[sea_orm(string_value = "EXPIRED")]
    Expired,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "waitlist_entries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WaitlistEntryId,
    pub workspace_id: WorkspaceId,
    pub patient_id: PatientId,
    pub service_id: Option<ServiceId>,
    pub practitioner_id: Option<MembershipId>,
    pub earliest: DateTimeUtc,
    pub latest: DateTimeUtc,
    /// Higher goes first.
    pub priority: i32,
    pub status: WaitlistStatus,
    pub offered_hold_id: Option<AppointmentHoldId>,
    pub note: Option<Sealed>,
    pub created_by: Option<MembershipId>,
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Patient",
        from = "(workspace_id, patient_id)",
        to = "(workspace_id, id)"
    )]
    pub patient: BelongsTo<crate::patient::entity::Entity>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Service",
        from = "(workspace_id, service_id)",
        to = "(workspace_id, id)"
    )]
    pub service: BelongsTo<Option<crate::service::entity::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Practitioner",
        from = "(workspace_id, practitioner_id)",
        to = "(workspace_id, id)"
    )]
    pub practitioner: BelongsTo<Option<crate::member::entity::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "OfferedHold",
        from = "(workspace_id, offered_hold_id)",
        to = "(workspace_id, id)"
    )]
    pub offered_hold: BelongsTo<Option<crate::appointment::hold::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
