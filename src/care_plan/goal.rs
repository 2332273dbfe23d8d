//! The table `care_plan_goals`.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{CarePlanGoalId, CarePlanId, PatientId, WorkspaceId};

/// Where a goal of a care plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum CarePlanGoalStatus {
    /// Agreed on, not begun.
    #[sea_orm(string_value = "PROPOSED")]
    Proposed,
    /// Being worked on.
    #[sea_orm(string_value = "IN_PROGRESS")]
    InProgress,
    /// Reached.
    #[sea_orm(string_value = "ACHIEVED")]
    Achieved,
    /// No longer pursued.
    #[sea_orm(string_value = "CANCELLED")]
    Cancelled,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "care_plan_goals")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CarePlanGoalId,
    pub workspace_id: WorkspaceId,
    /// The plan's patient, whose key seals the texts.
    pub patient_id: PatientId,
    pub care_plan_id: CarePlanId,
    pub description: Sealed,
    pub target_on: Option<Date>,
    pub achieved_on: Option<Date>,
    pub status: CarePlanGoalStatus,
    pub progress_percent: i32,
    /// The goal's place among the goals of its plan, from 0.
    pub position: i32,
    pub notes: Option<Sealed>,
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "CarePlan",
        from = "(workspace_id, care_plan_id)",
        to = "(workspace_id, id)"
    )]
    pub care_plan: BelongsTo<super::entity::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
