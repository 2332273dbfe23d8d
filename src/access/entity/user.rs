//! A user: a person who can sign in, across workspaces.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::UserId;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// In lower case, so that one address is one account.
    pub email: String,
    pub name: String,
    /// PHC string of Argon2id; none until the person has chosen a password.
    pub password_hash: Option<String>,
    pub is_active: bool,
    /// May run the platform; sees no health data by it.
    pub is_platform_admin: bool,
    pub email_verified_at: Option<DateTimeUtc>,
    pub last_login_at: Option<DateTimeUtc>,
    pub locale: Option<String>,
    pub totp_secret: Option<Sealed>,
    pub totp_enabled_at: Option<DateTimeUtc>,
    /// The last time step whose code was accepted, so that no code is accepted twice.
    pub totp_last_step: Option<i64>,
    /// Hashes of the recovery codes that are left.
    pub recovery_codes: Option<Sealed>,
    /// Wrong passwords since the last right one.
    pub failed_sign_ins: i32,
    pub sign_in_blocked_until: Option<DateTimeUtc>,
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
