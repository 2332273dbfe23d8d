//! The table `test_orders`.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{DiagnosticResultId, MembershipId, PatientId, TestOrderId, WorkspaceId};

/// Where an ordered test stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum TestOrderStatus {
    /// Ordered; the laboratory has not answered yet.
    #[sea_orm(string_value = "PENDING")]
    Pending,
    /// The laboratory answered with a result.
    #[sea_orm(string_value = "FULFILLED")]
    Fulfilled,
    /// Called off before there was a result.
    #[sea_orm(string_value = "CANCELLED")]
    Cancelled,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "test_orders")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TestOrderId,
    pub workspace_id: WorkspaceId,
    pub patient_id: PatientId,
    pub ordered_by: MembershipId,
    pub lab_tech_id: Option<MembershipId>,
    pub diagnostic_result_id: Option<DiagnosticResultId>,
    pub status: TestOrderStatus,
    pub note: Option<Sealed>,
    pub fulfilled_at: Option<DateTimeUtc>,
    pub cancelled_at: Option<DateTimeUtc>,
    pub cancel_reason: Option<Sealed>,
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
        relation_enum = "DiagnosticResult",
        from = "(workspace_id, diagnostic_result_id)",
        to = "(workspace_id, id)"
    )]
    pub diagnostic_result: BelongsTo<Option<super::entity::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Orderer",
        from = "(workspace_id, ordered_by)",
        to = "(workspace_id, id)"
    )]
    pub orderer: BelongsTo<crate::member::entity::Entity>,
    #[sea_orm(
        belongs_to,
        relation_enum = "LabTech",
        from = "(workspace_id, lab_tech_id)",
        to = "(workspace_id, id)"
    )]
    pub lab_tech: BelongsTo<Option<crate::member::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
