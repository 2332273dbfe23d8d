//! Reading workspaces.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, ConnectionTrait, Order, QueryFilter, Select};

use super::entity::{Column, Entity, Model, ModelEx, WorkspaceStatus};
use crate::access::scope::find_global;
use crate::error::{Error, Result};
use crate::graphql::batch::BatchKey;
use crate::graphql::context::Call;
use crate::graphql::page::Key;
use crate::id::WorkspaceId;

/// In the order in which they were opened.
pub const ORDER: [(Column, Order); 1] = [(Column::Id, Order::Asc)];

/// All workspaces, for the platform's operators only: the one list that crosses their borders.
pub fn list(status: Option<WorkspaceStatus>) -> Select<Entity> {
    let query = find_global::<Entity>();
    match status {
        Some(status) => query.filter(Column::Status.eq(status)),
        None => query,
    }
}

/// The workspace's row. Its id comes from the token, so no finder needs to scope it.
pub fn one(id: WorkspaceId) -> Select<Entity> {
    find_global::<Entity>().filter(Column::Id.eq(id))
}

pub async fn require(db: &impl ConnectionTrait, id: WorkspaceId) -> Result<Model> {
    one(id).one(db).await?.ok_or(Error::NotFound)
}

pub fn position(row: &Model) -> Vec<Key> {
    vec![Key::Id(row.id.0)]
}

impl BatchKey for WorkspaceId {
    type Value = ModelEx;

    /// The own workspace; for the platform's operators any.
    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, ModelEx>> {
        let operator = call.identity().is_some_and(|identity| identity.platform_admin);
        let own = call.actor().ok().map(|actor| actor.workspace);
        let keys: Vec<_> = keys.into_iter().filter(|key| operator || Some(*key) == own).collect();
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let tx = call.tx().await?;
        let rows = find_global::<Entity>().filter(Column::Id.is_in(keys)).all(&*tx).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }
}
