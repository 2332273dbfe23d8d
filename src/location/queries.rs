//! Reading locations.

use std::collections::HashMap;
use std::sync::LazyLock;

use sea_orm::{ColumnTrait, Order, QueryFilter, Select};

use super::entity::{Column, Entity, Model, ModelEx};
use crate::access::actor::Actor;
use crate::error::Result;
use crate::graphql::batch::BatchKey;
use crate::graphql::context::Call;
use crate::graphql::page::Key;
use crate::graphql::project::Shape;
use crate::id::LocationId;

/// What the fields of a location read.
pub static SHAPE: LazyLock<Shape<Entity>> = LazyLock::new(|| Shape::new([Column::Id]));

/// By name, as people compare names.
pub const ORDER: [(Column, Order); 2] = [(Column::NameKey, Order::Asc), (Column::Id, Order::Asc)];

pub fn list(actor: &Actor, include_archived: bool) -> Select<Entity> {
    let query = actor.find::<Entity>();
    if include_archived { query } else { query.filter(Column::ArchivedAt.is_null()) }
}

pub fn position(row: &Model) -> Vec<Key> {
    vec![Key::Text(row.name_key.clone()), Key::Id(row.id.0)]
}

impl BatchKey for LocationId {
    type Value = ModelEx;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, ModelEx>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let rows = actor.find::<Entity>().filter(Column::Id.is_in(keys)).all(&*tx).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }
}
