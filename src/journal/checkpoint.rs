//! The table `audit_checkpoints`: signed states of a workspace's audit log.
//!
//! A row says: with `tree_size` events the log's Merkle tree had this root. The nil workspace stands for the
//! system's own log. Rows are only added; the one thing that is filled in later, once, is the transaction
//! that anchored the root.

use sea_orm::entity::prelude::*;

use crate::id::{AuditCheckpointId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_checkpoints")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditCheckpointId,
    pub workspace_id: WorkspaceId,
    pub tree_size: i64,
    pub root_hash: Vec<u8>,
    pub signature: Vec<u8>,
    pub key_id: String,
    pub anchored_tx: Option<String>,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
