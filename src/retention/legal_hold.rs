//! The table `legal_holds`.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{LegalHoldId, MembershipId, PatientId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "legal_holds")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LegalHoldId,
    pub workspace_id: WorkspaceId,
    /// The patient whose data is held; without one, all data of the workspace is.
    pub patient_id: Option<PatientId>,
    /// Sealed with the patient's key, or with the workspace's when there is no patient.
    pub reason: Sealed,
    pub placed_by: MembershipId,
    pub placed_at: DateTimeUtc,
    pub lifted_by: Option<MembershipId>,
    pub lifted_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Patient",
        from = "(workspace_id, patient_id)",
        to = "(workspace_id, id)"
    )]
    pub patient: BelongsTo<Option<crate::patient::entity::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Placer",
        from = "(workspace_id, placed_by)",
        to = "(workspace_id, id)"
    )]
    pub placer: BelongsTo<crate::member::entity::Entity>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Lifter",
        from = "(workspace_id, lifted_by)",
        to = "(workspace_id, id)"
    )]
    pub lifter: BelongsTo<Option<crate::member::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
