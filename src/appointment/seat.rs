//! A seat in a group session, of an appointment or of a hold.

use sea_orm::entity::prelude::*;

use crate::id::{AppointmentHoldId, AppointmentId, GroupSeatId, GroupSessionId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "group_seats")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GroupSeatId,
    pub workspace_id: WorkspaceId,
    pub session_id: GroupSessionId,
    pub appointment_id: Option<AppointmentId>,
    pub hold_id: Option<AppointmentHoldId>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
