//! Reading equipment.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, Order, QueryFilter, QueryOrder, Select};

use super::entity::{Column, Entity, Model, ModelEx};
use crate::access::actor::Actor;
use crate::error::Result;
use crate::graphql::batch::BatchKey;
use crate::graphql::context::Call;
use crate::graphql::page::Key;
use crate::id::{EquipmentId, ServiceId};

/// By name, as people compare names.
pub const ORDER: [(Column, Order); 2] = [(Column::NameKey, Order::Asc), (Column::Id, Order::Asc)];

pub fn list(actor: &Actor, include_archived: bool) -> Select<Entity> {
    let query = actor.find::<Entity>();
    if include_archived { query } else { query.filter(Column::ArchivedAt.is_null()) }
}

pub fn position(row: &Model) -> Vec<Key> {
    vec![Key::Text(row.name_key.clone()), Key::Id(row.id.0)]
}

impl BatchKey for EquipmentId {
    type Value = ModelEx;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, ModelEx>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let rows = actor.find::<Entity>().filter(Column::Id.is_in(keys)).all(&*tx).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }
}

/// The equipment that a service takes up.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EquipmentOf(pub ServiceId);

impl BatchKey for EquipmentOf {
    type Value = Vec<ModelEx>;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, Vec<ModelEx>>> {
        use crate::service::equipment as link;
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let of_these = link::Column::ServiceId.is_in(keys.iter().map(|key| key.0));
        let links = actor.find::<link::Entity>().filter(of_these).all(&*tx).await?;
        let ids = Column::Id.is_in(links.iter().map(|link| link.equipment_id));
        let rows = actor.find::<Entity>().filter(ids).order_by_asc(Column::NameKey).all(&*tx).await?;
        let of = |key: &Self| {
            let needed = |row: &&Model| {
                links.iter().any(|link| link.service_id == key.0 && link.equipment_id == row.id)
            };
            rows.iter().filter(needed).cloned().map(Into::into).collect()
        };
        Ok(keys.iter().map(|key| (*key, of(key))).collect())
    }
}
