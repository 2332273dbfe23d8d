//! Reading reminders, settings and feeds.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, Order, QueryFilter, QueryOrder, Select};

use super::{calendar_feed as feed, entity, notification_setting as setting};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::error::Result;
use crate::graphql::batch::BatchKey;
use crate::graphql::context::Call;
use crate::graphql::page::Key;
use crate::id::{AppointmentHoldId, AppointmentId, CalendarFeedId, MembershipId, ReminderId};

impl BatchKey for ReminderId {
    type Value = entity::ModelEx;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, entity::ModelEx>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let query = actor.find::<entity::Entity>().filter(entity::Column::Id.is_in(keys));
        Ok(query.all(&*tx).await?.into_iter().map(|row| (row.id, row.into())).collect())
    }
}

/// The reminders of an appointment, in the order in which they are due.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RemindersOf(pub AppointmentId);

impl BatchKey for RemindersOf {
    type Value = Vec<entity::ModelEx>;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, Vec<entity::ModelEx>>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let rows = actor
            .find::<entity::Entity>()
            .filter(entity::Column::AppointmentId.is_in(keys.iter().map(|key| key.0)))
            .order_by_asc(entity::Column::DueAt)
            .order_by_asc(entity::Column::Id)
            .all(&*tx)
            .await?;
        let mut lists: HashMap<Self, Vec<entity::ModelEx>> =
            keys.into_iter().map(|key| (key, Vec::new())).collect();
        for row in rows {
            let Some(appointment) = row.appointment_id else { continue };
            lists.entry(Self(appointment)).or_default().push(row.into());
        }
        Ok(lists)
    }
}

/// The message about an offer of the waiting list.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageOf(pub AppointmentHoldId);

impl BatchKey for MessageOf {
    type Value = entity::ModelEx;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, entity::ModelEx>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let of_these = entity::Column::HoldId.is_in(keys.iter().map(|key| key.0));
        let rows = actor.find::<entity::Entity>().filter(of_these).all(&*tx).await?;
        Ok(rows.into_iter().filter_map(|row| Some((Self(row.hold_id?), row.into()))).collect())
    }
}

/// What was given up.
pub fn failed(actor: &Actor) -> Select<entity::Entity> {
    actor.find::<entity::Entity>().filter(entity::Column::State.eq(entity::ReminderState::Failed))
}

/// The latest first.
pub const LATEST: [(entity::Column, Order); 2] =
    [(entity::Column::DueAt, Order::Desc), (entity::Column::Id, Order::Desc)];

pub fn position(row: &entity::Model) -> Vec<Key> {
    vec![Key::At(row.due_at.timestamp_micros()), Key::Id(row.id.0)]
}

/// What a member wants to be told; nothing until they have said so.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SettingsOf(pub MembershipId);

impl BatchKey for SettingsOf {
    type Value = setting::Model;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, setting::Model>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let rows = actor
            .find::<setting::Entity>()
            .filter(setting::Column::MembershipId.is_in(keys.into_iter().map(|key| key.0)))
            .all(&*tx)
            .await?;
        Ok(rows.into_iter().map(|row| (Self(row.membership_id), row)).collect())
    }
}

impl BatchKey for CalendarFeedId {
    type Value = feed::ModelEx;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, feed::ModelEx>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let query = feeds(&actor).filter(feed::Column::Id.is_in(keys));
        Ok(query.all(&*tx).await?.into_iter().map(|row| (row.id, row.into())).collect())
    }
}

/// The newest first.
pub const FEED_ORDER: [(feed::Column, Order); 1] = [(feed::Column::Id, Order::Desc)];

pub fn feed_position(row: &feed::Model) -> Vec<Key> {
    vec![Key::Id(row.id.0)]
}

/// The own feeds; for those who manage members, all of them.
pub fn feeds(actor: &Actor) -> Select<feed::Entity> {
    let query = actor.find::<feed::Entity>();
    if actor.may(Permission::ManageMembers) {
        return query;
    }
    query.filter(feed::Column::MembershipId.eq(actor.membership.unwrap_or(MembershipId(uuid::Uuid::nil()))))
}

/// The feeds of a list: with or without those that were revoked.
pub fn feed_list(actor: &Actor, include_revoked: bool) -> Select<feed::Entity> {
    let query = feeds(actor);
    if include_revoked { query } else { query.filter(feed::Column::RevokedAt.is_null()) }
}
