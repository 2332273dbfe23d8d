//! An idempotency key: the stored answer to a write, for a client that asks again.

use sea_orm::entity::prelude::*;

use crate::id::{IdempotencyKeyId, UserId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: IdempotencyKeyId,
    pub workspace_id: WorkspaceId,
    pub user_id: UserId,
    pub key: String,
    /// The mutation's name.
    pub operation: String,
    /// Tells the same arguments from others.
    pub request_hash: Vec<u8>,
    /// JSON.
    pub response: String,
    pub expires_at: DateTimeUtc,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
