//! A weekly working interval of a practitioner, in wall-clock time.

use sea_orm::entity::prelude::*;

use crate::id::{DoctorScheduleId, LocationId, MembershipId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "doctor_schedules")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DoctorScheduleId,
    pub workspace_id: WorkspaceId,
    pub practitioner_id: MembershipId,
    pub location_id: Option<LocationId>,
    /// ISO: Monday is 1, Sunday is 7.
    pub weekday: i32,
    /// Minutes since midnight.
    pub starts_minute: i32,
    pub ends_minute: i32,
    pub break_starts_minute: Option<i32>,
    pub break_ends_minute: Option<i32>,
    /// IANA name of the clock on the wall.
    pub timezone: String,
    /// The first day it holds on.
    pub valid_from: Option<Date>,
    /// The last day it holds on.
    pub valid_until: Option<Date>,
    pub version: i32,
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
        relation_enum = "Location",
        from = "(workspace_id, location_id)",
        to = "(workspace_id, id)"
    )]
    pub location: BelongsTo<Option<crate::location::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
