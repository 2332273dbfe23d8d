//! A one-time token: the secret of a link sent by e-mail, known by its hash only.

use sea_orm::entity::prelude::*;

use crate::id::{MembershipId, OneTimeTokenId, UserId, WorkspaceId};

/// What a one-time token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum TokenPurpose {
    /// Join a workspace.
    #[sea_orm(string_value = "INVITATION")]
    Invitation,
    /// Choose a new password.
    #[sea_orm(string_value = "PASSWORD_RESET")]
    PasswordReset,
    /// Prove that an e-mail address is read.
    #[sea_orm(string_value = "EMAIL_VERIFICATION")]
    EmailVerification,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "one_time_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OneTimeTokenId,
    pub purpose: TokenPurpose,
    pub token_hash: Vec<u8>,
    pub user_id: Option<UserId>,
    /// The address that the link was sent to, in lower case.
    pub email: String,
    pub membership_id: Option<MembershipId>,
    pub workspace_id: Option<WorkspaceId>,
    pub expires_at: DateTimeUtc,
    pub used_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
