//! An authentication session: a sign-in on one device.

use sea_orm::entity::prelude::*;

use crate::id::{AuthSessionId, MembershipId, UserId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "auth_sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuthSessionId,
    pub user_id: UserId,
    /// The membership that the session acts as; none for a user who has chosen no workspace.
    pub membership_id: Option<MembershipId>,
    pub workspace_id: Option<WorkspaceId>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub last_seen_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    pub idle_expires_at: DateTimeUtc,
    pub revoked_at: Option<DateTimeUtc>,
    pub revoked_reason: Option<String>,
    /// When the second factor was given.
    pub mfa_verified_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(belongs_to, relation_enum = "User", from = "user_id", to = "id")]
    pub user: BelongsTo<crate::access::entity::user::Entity>,
    #[sea_orm(belongs_to, relation_enum = "Membership", from = "membership_id", to = "id")]
    pub membership: BelongsTo<Option<crate::member::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
