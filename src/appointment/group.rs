//! A group session: one hour of a practitioner that several patients have booked.
//!
//! Practitioner, room and equipment are taken up once, by the session; each patient by their own appointment.

use sea_orm::entity::prelude::*;

use crate::id::{GroupSessionId, MembershipId, RoomId, ServiceId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "group_sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GroupSessionId,
    pub workspace_id: WorkspaceId,
    pub service_id: ServiceId,
    pub practitioner_id: MembershipId,
    pub room_id: Option<RoomId>,
    pub starts_at: DateTimeUtc,
    pub ends_at: DateTimeUtc,
    pub buffer_before_minutes: i32,
    pub buffer_after_minutes: i32,
    /// How many patients can attend.
    pub capacity: i32,
    /// Seats that appointments and holds have.
    pub booked: i32,
    /// Booked over something else on purpose.
    pub is_override: bool,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
