//! A hold: a slot kept for somebody who has not booked yet.
//!
//! It takes up the time as an appointment does, until it expires. Whoever books next puts an expired hold
//! aside before anything else, so nobody waits for the sweeper. A booking that names its hold takes over what
//! the hold has taken up, in one transaction: at no moment is the slot free for anybody else. Offers to patients
//! of the waiting list are holds, too.

pub mod commands;
pub mod graphql;
pub mod input;
pub mod queries;

use sea_orm::entity::prelude::*;

use crate::id::{AppointmentHoldId, MembershipId, PatientId, RoomId, ServiceId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "appointment_holds")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AppointmentHoldId,
    pub workspace_id: WorkspaceId,
    pub practitioner_id: MembershipId,
    pub room_id: Option<RoomId>,
    pub patient_id: Option<PatientId>,
    pub service_id: Option<ServiceId>,
    pub starts_at: DateTimeUtc,
    pub ends_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    /// Kept free before the start.
    pub buffer_before_minutes: i32,
    /// Kept free after the end.
    pub buffer_after_minutes: i32,
    /// An offer to a patient of the waiting list.
    pub for_waitlist: bool,
    pub held_by: MembershipId,
    pub released_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Practitioner",
        from = "(workspace_id, practitioner_id)",
        to = "(workspace_id, id)"
    )]
    pub practitioner: BelongsTo<crate::member::entity::Entity>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Room",
        from = "(workspace_id, room_id)",
        to = "(workspace_id, id)"
    )]
    pub room: BelongsTo<Option<crate::room::entity::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Patient",
        from = "(workspace_id, patient_id)",
        to = "(workspace_id, id)"
    )]
    pub patient: BelongsTo<Option<crate::patient::entity::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Service",
        from = "(workspace_id, service_id)",
        to = "(workspace_id, id)"
    )]
    pub service: BelongsTo<Option<crate::service::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
