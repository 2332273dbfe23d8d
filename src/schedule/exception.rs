//! A dated exception to the weekly schedules: time off, or extra hours.

use sea_orm::entity::prelude::*;

use crate::id::{LocationId, MembershipId, ScheduleExceptionId, WorkspaceId};

/// What a dated exception does to the weekly schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum ExceptionKind {
    /// Takes time away: nothing can be booked in it.
    #[default]
    #[sea_orm(string_value = "TIME_OFF")]
    TimeOff,
    /// Adds hours outside the weekly schedule.
    #[sea_orm(string_value = "EXTRA_HOURS")]
    ExtraHours,
}

/// Why somebody is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum AbsenceReason {
    /// On vacation.
    #[sea_orm(string_value = "VACATION")]
    Vacation,
    /// At a training.
    #[sea_orm(string_value = "TRAINING")]
    Training,
    /// Ill.
    #[sea_orm(string_value = "SICK_LEAVE")]
    SickLeave,
    /// In a meeting.
    #[sea_orm(string_value = "MEETING")]
    Meeting,
    /// A public holiday.
    #[sea_orm(string_value = "HOLIDAY")]
    Holiday,
    /// Any other reason.
    #[sea_orm(string_value = "OTHER")]
    Other,
}

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "schedule_exceptions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ScheduleExceptionId,
    pub workspace_id: WorkspaceId,
    /// None for a holiday of the whole practice.
    pub practitioner_id: Option<MembershipId>,
    pub kind: ExceptionKind,
    pub reason_kind: Option<AbsenceReason>,
    pub starts_at: DateTimeUtc,
    pub ends_at: DateTimeUtc,
    /// IANA name of the zone that it was meant in.
    pub timezone: String,
    pub location_id: Option<LocationId>,
    pub note: Option<String>,
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Practitioner",
        from = "(workspace_id, practitioner_id)",
        to = "(workspace_id, id)"
    )]
    pub practitioner: BelongsTo<Option<crate::member::entity::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Location",
        from = "(workspace_id, location_id)",
        to = "(workspace_id, id)"
    )]
    pub location: BelongsTo<Option<crate::location::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
