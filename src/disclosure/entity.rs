//! The table `disclosures`.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{DisclosureId, MembershipId, PatientId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "disclosures")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DisclosureId,
    pub workspace_id: WorkspaceId,
    pub patient_id: PatientId,
    pub disclosed_at: DateTimeUtc,
    pub recipient: Sealed,
    pub recipient_address: Option<Sealed>,
    pub description: Sealed,
    pub purpose: Sealed,
    /// The provision that allows or demands it, such as `45 CFR 164.512(b)`.
    pub legal_basis: String,
    pub recorded_by: MembershipId,
    pub created_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Patient",
        from = "(workspace_id, patient_id)",
        to = "(workspace_id, id)"
    )]
    pub patient: BelongsTo<crate::patient::entity::Entity>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Recorder",
        from = "(workspace_id, recorded_by)",
        to = "(workspace_id, id)"
    )]
    pub recorder: BelongsTo<crate::member::entity::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
