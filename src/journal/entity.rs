//! The journal: audit trail, change feed and resume cursor at once. Rows are only ever added, and name
//! other rows without referring to them, so that the journal outlives everything it tells of.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{AuditEventId, AuthSessionId, MembershipId, PatientId, UserId, WorkspaceId};
use crate::member::entity::Role;

/// What sort of event an audit entry records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum AuditKind {
    /// Data was changed.
    #[sea_orm(string_value = "WRITE")]
    Write,
    /// Health data was read.
    #[sea_orm(string_value = "READ")]
    Read,
    /// Something was asked for and refused.
    #[sea_orm(string_value = "DENIED")]
    Denied,
    /// Something was attempted and failed.
    #[sea_orm(string_value = "FAILED")]
    Failed,
    /// A sign-in, a sign-out, or a change to an account.
    #[sea_orm(string_value = "AUTH")]
    Auth,
    /// Data left the system.
    #[sea_orm(string_value = "EXPORT")]
    Export,
    /// Patients or notes were searched.
    #[sea_orm(string_value = "SEARCH")]
    Search,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub struct Model {
    /// The nil UUID for the system's own chain.
    #[sea_orm(primary_key, auto_increment = false)]
    pub workspace_id: WorkspaceId,
    /// Without gaps within the workspace, in the order of commits.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub id: AuditEventId,
    pub occurred_at: DateTimeUtc,
    /// What was done, such as `appointment.booked`.
    pub action: String,
    pub kind: AuditKind,
    pub actor_user_id: Option<UserId>,
    pub actor_membership_id: Option<MembershipId>,
    pub actor_role: Option<Role>,
    pub auth_session_id: Option<AuthSessionId>,
    /// The table of the subject.
    pub subject_type: Option<String>,
    pub subject_id: Option<Uuid>,
    pub patient_id: Option<PatientId>,
    pub request_id: Option<String>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub purpose: Option<String>,
    pub reason: Option<String>,
    /// JSON, free of personal data.
    pub detail: String,
    /// The changed values, under the patient's key.
    pub changes: Option<Sealed>,
    pub prev_hash: Vec<u8>,
    pub hash: Vec<u8>,
}

impl ActiveModelBehavior for ActiveModel {}
