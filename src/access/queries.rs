//! Reading one's own sign-ins.

use std::collections::HashMap;

use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ColumnTrait, Order, QueryFilter, Select};

use super::entity::auth_session::{Column, Entity, Model, ModelEx};
use super::scope::find_global;
use crate::error::{Error, Result};
use crate::graphql::batch::BatchKey;
use crate::graphql::context::Call;
use crate::graphql::page::Key;
use crate::id::{AuthSessionId, UserId};

/// The latest first.
pub const ORDER: [(Column, Order); 2] = [(Column::LastSeenAt, Order::Desc), (Column::Id, Order::Desc)];

/// The sign-ins of a person that go on, in whatever workspace: they belong to the person.
pub fn list(user: UserId, now: DateTimeUtc) -> Select<Entity> {
    find_global::<Entity>()
        .filter(Column::UserId.eq(user))
        .filter(Column::RevokedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .filter(Column::IdleExpiresAt.gt(now))
}

pub fn position(row: &Model) -> Vec<Key> {
    vec![Key::At(row.last_seen_at.timestamp_micros()), Key::Id(row.id.0)]
}

impl BatchKey for AuthSessionId {
    type Value = ModelEx;

    /// The own sign-ins only, also those that have ended.
    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, ModelEx>> {
        let user = call.identity().ok_or(Error::Unauthenticated)?.user;
        let tx = call.tx().await?;
        let rows = find_global::<Entity>()
            .filter(Column::UserId.eq(user))
            .filter(Column::Id.is_in(keys))
            .all(&*tx)
            .await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }
}
