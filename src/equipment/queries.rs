//! Reading equipment.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, Condition, Order, QueryFilter, QueryOrder, Select};

use super::entity::{Column, Entity, Model, ModelEx};
use crate::access::actor::Actor;
use crate::appointment::occupancy::{self, ResourceKind};
use crate::appointment::seat;
use crate::error::Result;
use crate::graphql::batch::BatchKey;
use crate::graphql::context::Call;
use crate::graphql::page::Key;
use crate::id::{AppointmentId, EquipmentId, ServiceId};

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

/// The equipment that an appointment takes up, by itself or with the group session that it is part of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EquipmentTakenBy(pub AppointmentId);

impl BatchKey for EquipmentTakenBy {
    type Value = Vec<ModelEx>;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, Vec<ModelEx>>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let appointments = || keys.iter().map(|key| key.0);
        let seats = actor
            .find::<seat::Entity>()
            .filter(seat::Column::AppointmentId.is_in(appointments()))
            .all(&*tx)
            .await?;
        let theirs = Condition::any()
            .add(occupancy::Column::AppointmentId.is_in(appointments()))
            .add(occupancy::Column::SessionId.is_in(seats.iter().map(|seat| seat.session_id)));
        let taken = actor
            .find::<occupancy::Entity>()
            .filter(occupancy::Column::ResourceKind.eq(ResourceKind::Equipment))
            .filter(theirs)
            .all(&*tx)
            .await?;
        let mut lists: HashMap<Self, Vec<ModelEx>> = keys.iter().map(|key| (*key, Vec::new())).collect();
        if taken.is_empty() {
            return Ok(lists);
        }
        let ids = Column::Id.is_in(taken.iter().map(|row| row.resource_id));
        let rows = actor.find::<Entity>().filter(ids).order_by_asc(Column::NameKey).all(&*tx).await?;
        for (key, list) in &mut lists {
            let session =
                seats.iter().find(|seat| seat.appointment_id == Some(key.0)).map(|seat| seat.session_id);
            let own = |row: &&occupancy::Model| {
                row.appointment_id == Some(key.0) || session.is_some() && row.session_id == session
            };
            let ids: Vec<_> = taken.iter().filter(own).map(|row| row.resource_id).collect();
            let own = rows.iter().filter(|row| ids.contains(&row.id.0));
            list.extend(own.cloned().map(Into::into));
        }
        Ok(lists)
    }
}
