//! A refresh token: good for one use, and known by its hash only.

use sea_orm::entity::prelude::*;

use crate::id::{AuthSessionId, RefreshTokenId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RefreshTokenId,
    pub auth_session_id: AuthSessionId,
    /// All tokens that descend from one sign-in; reuse of any revokes all.
    pub family_id: Uuid,
    pub token_hash: Vec<u8>,
    pub expires_at: DateTimeUtc,
    pub used_at: Option<DateTimeUtc>,
    pub replaced_by: Option<RefreshTokenId>,
    pub revoked_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
