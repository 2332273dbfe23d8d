//! A workspace's key, wrapped by a root key.

use sea_orm::entity::prelude::*;

use crate::id::{WorkspaceId, WorkspaceKeyId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workspace_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WorkspaceKeyId,
    pub workspace_id: WorkspaceId,
    /// Counts the workspace's keys.
    pub version: i32,
    /// The root key that wraps this one.
    pub root_version: i32,
    pub wrapped: Vec<u8>,
    pub destroyed_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
