//! The table `record_grants`: leave to read one record from outside its workspace.
//!
//! It has no `workspace_id`, because two workspaces meet in a row: the owner writes it, and both it and the
//! grantee see it.

use sea_orm::entity::prelude::*;

use crate::id::{MedicalRecordId, MembershipId, PatientId, RecordGrantId, UserId, WorkspaceId};

/// Why a record is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum GrantPurpose {
    /// The grantee treats the patient too.
    #[sea_orm(string_value = "TREATMENT")]
    Treatment,
    /// The grantee takes the patient over or sees them once.
    #[sea_orm(string_value = "REFERRAL")]
    Referral,
    /// The grantee is asked for a second opinion.
    #[sea_orm(string_value = "SECOND_OPINION")]
    SecondOpinion,
    /// The patient asked for it.
    #[sea_orm(string_value = "PATIENT_REQUEST")]
    PatientRequest,
    /// The grantee needs it in an emergency.
    #[sea_orm(string_value = "EMERGENCY")]
    Emergency,
    /// Any other purpose.
    #[sea_orm(string_value = "OTHER")]
    Other,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "record_grants")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RecordGrantId,
    pub owner_workspace_id: WorkspaceId,
    pub record_id: MedicalRecordId,
    pub patient_id: PatientId,
    /// The practice that may read; every one of its clinicians, unless a user is named as well.
    pub grantee_workspace_id: Option<WorkspaceId>,
    /// The one person who may read.
    pub grantee_user_id: Option<UserId>,
    pub purpose: GrantPurpose,
    pub granted_by: MembershipId,
    pub expires_at: Option<DateTimeUtc>,
    pub revoked_at: Option<DateTimeUtc>,
    pub revoked_by: Option<MembershipId>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Record",
        from = "(owner_workspace_id, record_id)",
        to = "(workspace_id, id)"
    )]
    pub record: BelongsTo<super::entity::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
