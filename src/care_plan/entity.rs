//! The table `care_plans`.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{CarePlanId, MembershipId, PatientId, WorkspaceId};

/// Where a care plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum CarePlanStatus {
    /// The plan is being followed.
    #[sea_orm(string_value = "ACTIVE")]
    Active,
    /// The plan came to its end.
    #[sea_orm(string_value = "COMPLETED")]
    Completed,
    /// The plan was given up before its end.
    #[sea_orm(string_value = "DISCONTINUED")]
    Discontinued,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "care_plans")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CarePlanId,
    pub workspace_id: WorkspaceId,
    pub patient_id: PatientId,
    pub title: Sealed,
    pub diagnosis: Option<Sealed>,
    pub goals_summary: Option<Sealed>,
    pub starts_on: Date,
    pub ends_on: Option<Date>,
    pub frequency: Option<Sealed>,
    pub status: CarePlanStatus,
    pub created_by: MembershipId,
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
        relation_enum = "Creator",
        from = "(workspace_id, created_by)",
        to = "(workspace_id, id)"
    )]
    pub creator: BelongsTo<crate::member::entity::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
