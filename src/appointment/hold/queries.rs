//! Reading holds.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Order, QueryFilter, Select};

use super::input::SlotHoldFilter;
use super::{Column, Entity, Model, ModelEx};
use crate::access::actor::Actor;
use crate::error::Result;
use crate::graphql::batch::BatchKey;
use crate::graphql::context::Call;
use crate::graphql::page::Key;
use crate::id::AppointmentHoldId;

/// By start.
pub const ORDER: [(Column, Order); 2] = [(Column::StartsAt, Order::Asc), (Column::Id, Order::Asc)];

pub fn position(row: &Model) -> Vec<Key> {
    vec![Key::At(row.starts_at.timestamp_micros()), Key::Id(row.id.0)]
}

/// The holds that the filter lets through.
pub fn list(actor: &Actor, filter: &SlotHoldFilter, now: DateTime<Utc>) -> Select<Entity> {
    let mut query = actor.find::<Entity>();
    for condition in [
        filter.practitioner_id.map(|id| Column::PractitionerId.eq(id)),
        filter.from.map(|from| Column::EndsAt.gt(from)),
        filter.to.map(|to| Column::StartsAt.lt(to)),
        (!filter.include_ended).then(|| Column::ReleasedAt.is_null()),
        (!filter.include_ended).then(|| Column::ExpiresAt.gt(now)),
    ] {
        query = condition.into_iter().fold(query, |query, condition| query.filter(condition));
    }
    query
}

impl BatchKey for AppointmentHoldId {
    type Value = ModelEx;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, ModelEx>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let rows = actor.find::<Entity>().filter(Column::Id.is_in(keys)).all(&*tx).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }
}
