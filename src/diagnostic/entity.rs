//! The table `diagnostic_results`.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{DiagnosticResultId, MembershipId, PatientId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "diagnostic_results")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DiagnosticResultId,
    pub workspace_id: WorkspaceId,
    pub patient_id: PatientId,
    /// The laboratory's own number of the sample.
    pub identifier: String,
    /// The three measured values, 0 to 10, as decimal text.
    pub protein1: Sealed,
    pub protein2: Sealed,
    pub protein3: Sealed,
    pub result: Sealed,
    pub confidence: Option<Sealed>,
    pub recommendation: Option<Sealed>,
    pub model_version: String,
    pub created_by: MembershipId,
    pub deleted_at: Option<DateTimeUtc>,
    pub deleted_by: Option<MembershipId>,
    pub deletion_reason: Option<Sealed>,
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
