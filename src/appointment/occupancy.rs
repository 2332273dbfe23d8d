//! An occupancy: the time during which an appointment or a hold takes up a practitioner, a room, a
//! patient or equipment.
//! Double booking is impossible because exclusive rows of one resource cannot overlap.

use sea_orm::entity::prelude::*;

use crate::id::{AppointmentHoldId, AppointmentId, GroupSessionId, OccupancyId, WorkspaceId};

/// The longest that something is taken: the longest appointment that was ever imported, with its buffers.
pub const LONGEST: chrono::TimeDelta = chrono::TimeDelta::days(32);

/// What cannot be in two appointments at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum ResourceKind {
    /// The one who treats.
    #[default]
    #[sea_orm(string_value = "PRACTITIONER")]
    Practitioner,
    /// The room.
    #[sea_orm(string_value = "ROOM")]
    Room,
    /// The patient.
    #[sea_orm(string_value = "PATIENT")]
    Patient,
    /// A piece of equipment.
    #[sea_orm(string_value = "EQUIPMENT")]
    Equipment,
}

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "occupancies")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OccupancyId,
    pub workspace_id: WorkspaceId,
    pub appointment_id: Option<AppointmentId>,
    pub hold_id: Option<AppointmentHoldId>,
    /// The group session whose practitioner, room and equipment these are.
    pub session_id: Option<GroupSessionId>,
    pub resource_kind: ResourceKind,
    /// The membership, room, patient or piece of equipment.
    pub resource_id: Uuid,
    /// With the buffer before.
    pub starts_at: DateTimeUtc,
    /// With the buffer after; not part of the occupied time.
    pub ends_at: DateTimeUtc,
    /// False for an appointment that was booked over another on purpose.
    pub exclusive: bool,
    /// When a hold lets go. Null for everything else.
    pub expires_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Appointment",
        from = "(workspace_id, appointment_id)",
        to = "(workspace_id, id)"
    )]
    pub appointment: BelongsTo<Option<crate::appointment::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
