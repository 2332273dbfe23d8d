//! The e-mail block list: addresses that cannot sign up and get no mail.

use sea_orm::entity::prelude::*;

use crate::id::{EmailBlocklistId, UserId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "email_blocklist")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EmailBlocklistId,
    /// In lower case.
    pub email: String,
    pub reason: String,
    pub added_by: Option<UserId>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
