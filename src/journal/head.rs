//! The head of a workspace's journal: its last sequence number and hash.

use sea_orm::entity::prelude::*;

use crate::id::WorkspaceId;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_heads")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub workspace_id: WorkspaceId,
    pub seq: i64,
    pub hash: Vec<u8>,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
