//! The table `care_plan_interventions`.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{CarePlanGoalId, CarePlanId, CarePlanInterventionId, MembershipId, PatientId, WorkspaceId};

/// Where an intervention of a care plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum CarePlanInterventionStatus {
    /// Planned, not begun.
    #[sea_orm(string_value = "PLANNED")]
    Planned,
    /// Being carried out.
    #[sea_orm(string_value = "IN_PROGRESS")]
    InProgress,
    /// Carried out.
    #[sea_orm(string_value = "COMPLETED")]
    Completed,
    /// Not carried out, or not to its end.
    #[sea_orm(string_value = "CANCELLED")]
    Cancelled,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "care_plan_interventions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CarePlanInterventionId,
    pub workspace_id: WorkspaceId,
    /// The plan's patient, whose key seals the texts.
    pub patient_id: PatientId,
    pub care_plan_id: CarePlanId,
    /// The goal that the intervention serves: one of the same plan.
    pub goal_id: Option<CarePlanGoalId>,
    pub description: Sealed,
    pub responsible_id: Option<MembershipId>,
    pub frequency: Option<Sealed>,
    pub status: CarePlanInterventionStatus,
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
    #[sea_orm(
        belongs_to,
        relation_enum = "Goal",
        from = "(workspace_id, goal_id)",
        to = "(workspace_id, id)"
    )]
    pub goal: BelongsTo<Option<super::goal::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Responsible",
        from = "(workspace_id, responsible_id)",
        to = "(workspace_id, id)"
    )]
    pub responsible: BelongsTo<Option<crate::member::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
