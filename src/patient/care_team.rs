//! The care team: who treats a patient besides the primary practitioner.

use sea_orm::entity::prelude::*;

use crate::id::{CareTeamMemberId, MembershipId, PatientId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "patient_care_team")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CareTeamMemberId,
    pub workspace_id: WorkspaceId,
    pub patient_id: PatientId,
    pub membership_id: MembershipId,
    pub role_in_care: Option<String>,
    pub since: Option<DateTimeUtc>,
    pub until: Option<DateTimeUtc>,
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
        relation_enum = "Member",
        from = "(workspace_id, membership_id)",
        to = "(workspace_id, id)"
    )]
    pub member: BelongsTo<crate::member::entity::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
