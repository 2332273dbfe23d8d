//! Reading weekly schedules and exceptions.

use std::collections::HashMap;

use async_graphql::InputObject;
use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ColumnTrait, Condition, Order, QueryFilter, Select};

use super::entity::{Column, Entity, Model, ModelEx};
use super::exception::{self, ExceptionKind};
use crate::access::actor::Actor;
use crate::error::Result;
use crate::graphql::batch::BatchKey;
use crate::graphql::context::Call;
use crate::graphql::page::Key;
use crate::id::{DoctorScheduleId, LocationId, MembershipId, ScheduleExceptionId};

/// Which weekly entries to list. Conditions hold together.
#[derive(Clone, Debug, Default, InputObject)]
pub struct WeeklyScheduleFilter {
    /// Those of this practitioner.
    pub practitioner_id: Option<MembershipId>,
    /// Those at this place.
    pub location_id: Option<LocationId>,
    /// Those that hold on this day.
    pub valid_on: Option<NaiveDate>,
}

/// Which exceptions to list. Conditions hold together.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ScheduleExceptionFilter {
    /// Those that end after this instant.
    pub from: Option<DateTime<Utc>>,
    /// Those that start before this instant.
    pub to: Option<DateTime<Utc>>,
    /// Those of this practitioner. Closing times of the practice have none.
    pub practitioner_id: Option<MembershipId>,
    /// Time off only, or extra hours only.
    pub kind: Option<ExceptionKind>,
    /// True for the practice's closing times only, false for those of practitioners only.
    pub whole_practice: Option<bool>,
}

/// Practitioner by practitioner, through the week.
pub const ORDER: [(Column, Order); 4] = [
    (Column::PractitionerId, Order::Asc),
    (Column::Weekday, Order::Asc),
    (Column::StartsMinute, Order::Asc),
    (Column::Id, Order::Asc),
];

pub fn position(row: &Model) -> Vec<Key> {
    vec![
        Key::Id(row.practitioner_id.0),
        Key::Int(row.weekday.into()),
        Key::Int(row.starts_minute.into()),
        Key::Id(row.id.0),
    ]
}

pub fn list(actor: &Actor, filter: &WeeklyScheduleFilter) -> Select<Entity> {
    let mut query = actor.find::<Entity>();
    if let Some(id) = filter.practitioner_id {
        query = query.filter(Column::PractitionerId.eq(id));
    }
    if let Some(id) = filter.location_id {
        query = query.filter(Column::LocationId.eq(id));
    }
    if let Some(day) = filter.valid_on {
        query = query
            .filter(Condition::any().add(Column::ValidFrom.is_null()).add(Column::ValidFrom.lte(day)))
            .filter(Condition::any().add(Column::ValidUntil.is_null()).add(Column::ValidUntil.gte(day)));
    }
    query
}

impl BatchKey for DoctorScheduleId {
    type Value = ModelEx;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, ModelEx>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let rows = actor.find::<Entity>().filter(Column::Id.is_in(keys)).all(&*tx).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }
}

/// By start.
pub const EXCEPTION_ORDER: [(exception::Column, Order); 2] =
    [(exception::Column::StartsAt, Order::Asc), (exception::Column::Id, Order::Asc)];

pub fn exception_position(row: &exception::Model) -> Vec<Key> {
    vec![Key::At(row.starts_at.timestamp_micros()), Key::Id(row.id.0)]
}

pub fn exceptions(actor: &Actor, filter: &ScheduleExceptionFilter) -> Select<exception::Entity> {
    let mut query = actor.find::<exception::Entity>();
    let conditions = [
        filter.from.map(|from| exception::Column::EndsAt.gt(from)),
        filter.to.map(|to| exception::Column::StartsAt.lt(to)),
        filter.practitioner_id.map(|id| exception::Column::PractitionerId.eq(id)),
        filter.kind.map(|kind| exception::Column::Kind.eq(kind)),
        filter.whole_practice.map(|whole| match whole {
            true => exception::Column::PractitionerId.is_null(),
            false => exception::Column::PractitionerId.is_not_null(),
        }),
    ];
    for condition in conditions.into_iter().flatten() {
        query = query.filter(condition);
    }
    query
}

impl BatchKey for ScheduleExceptionId {
    type Value = exception::ModelEx;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, exception::ModelEx>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let rows =
            actor.find::<exception::Entity>().filter(exception::Column::Id.is_in(keys)).all(&*tx).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }
}
