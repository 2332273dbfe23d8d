//! A login challenge: a sign-in whose password was right and whose second factor is awaited.

use sea_orm::entity::prelude::*;

use crate::id::{LoginChallengeId, UserId};

/// What a sign-in still waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum ChallengeKind {
    /// A code of the authenticator, or a recovery code.
    #[sea_orm(string_value = "TOTP")]
    Totp,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "login_challenges")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LoginChallengeId,
    pub user_id: UserId,
    pub kind: ChallengeKind,
    pub token_hash: Vec<u8>,
    pub expires_at: DateTimeUtc,
    pub consumed_at: Option<DateTimeUtc>,
    pub attempts: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
