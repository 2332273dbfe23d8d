//! Family history: an illness of a patient's relative.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{FamilyHistoryId, MembershipId, PatientId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "family_history")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: FamilyHistoryId,
    pub workspace_id: WorkspaceId,
    pub patient_id: PatientId,
    pub relation: Sealed,
    pub condition: Sealed,
    /// The relative's age when it began, in years.
    pub onset_age: Option<Sealed>,
    pub note: Option<Sealed>,
    pub created_by: Option<MembershipId>,
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
}

impl ActiveModelBehavior for ActiveModel {}
