//! Reading workspaces.

use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter};

use super::entity::{Column, Entity, Model};
use crate::access::scope::find_global;
use crate::error::{Error, Result};
use crate::id::WorkspaceId;

/// The workspace's row. Its id comes from the token, so no finder needs to scope it.
pub async fn require(db: &impl ConnectionTrait, id: WorkspaceId) -> Result<Model> {
    find_global::<Entity>().filter(Column::Id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}
