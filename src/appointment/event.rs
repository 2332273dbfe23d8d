//! The history of an appointment: each change of its status or time. Nothing in it is ever changed.

use sea_orm::entity::prelude::*;

use crate::appointment::entity::AppointmentStatus;
use crate::crypto::sealed::Sealed;
use crate::id::{AppointmentEventId, AppointmentId, MembershipId, WorkspaceId};

/// What happened to an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum AppointmentEventKind {
    /// It was booked.
    #[sea_orm(string_value = "BOOKED")]
    Booked,
    /// It was moved to another time.
    #[sea_orm(string_value = "RESCHEDULED")]
    Rescheduled,
    /// The patient confirmed it.
    #[sea_orm(string_value = "CONFIRMED")]
    Confirmed,
    /// The visit began.
    #[sea_orm(string_value = "STARTED")]
    Started,
    /// The visit ended.
    #[sea_orm(string_value = "COMPLETED")]
    Completed,
    /// It was called off.
    #[sea_orm(string_value = "CANCELLED")]
    Cancelled,
    /// The patient did not come.
    #[sea_orm(string_value = "NO_SHOW")]
    NoShow,
    /// It stands again after a cancellation or a no-show.
    #[sea_orm(string_value = "REOPENED")]
    Reopened,
    /// Its outcome was corrected afterwards.
    #[sea_orm(string_value = "CORRECTED")]
    Corrected,
    /// Something else about it was changed.
    #[sea_orm(string_value = "EDITED")]
    Edited,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "appointment_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AppointmentEventId,
    pub workspace_id: WorkspaceId,
    pub appointment_id: AppointmentId,
    pub kind: AppointmentEventKind,
    pub from_status: Option<AppointmentStatus>,
    pub to_status: AppointmentStatus,
    pub from_starts_at: Option<DateTimeUtc>,
    pub from_ends_at: Option<DateTimeUtc>,
    pub to_starts_at: Option<DateTimeUtc>,
    pub to_ends_at: Option<DateTimeUtc>,
    pub reason: Option<Sealed>,
    pub actor_id: Option<MembershipId>,
    pub occurred_at: DateTimeUtc,
    pub created_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Appointment",
        from = "(workspace_id, appointment_id)",
        to = "(workspace_id, id)"
    )]
    pub appointment: BelongsTo<crate::appointment::entity::Entity>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Actor",
        from = "(workspace_id, actor_id)",
        to = "(workspace_id, id)"
    )]
    pub actor: BelongsTo<Option<crate::member::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
