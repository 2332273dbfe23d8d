//! Reading appointments.

use std::collections::HashMap;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, WindowStatement};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, FromQueryResult, Order, QueryFilter, QueryOrder, QueryTrait,
    RelationTrait, Select,
};

use super::entity::{Column, Entity, Model, ModelEx, Relation};
use super::input::AppointmentFilter;
use super::{event, occupancy};
use crate::access::actor::Actor;
use crate::error::Result;
use crate::graphql::batch::BatchKey;
use crate::graphql::context::Call;
use crate::graphql::join::Join;
use crate::graphql::page::Key;
use crate::id::{AppointmentId, PatientId};

/// The relations that come along in the same statement when they are asked for.
pub static JOINS: LazyLock<Vec<Join<Entity>>> = LazyLock::new(|| {
    vec![
        Join::one("patient", Relation::Patient.def(), |row: &mut ModelEx| &mut row.patient),
        Join::one("practitioner", Relation::Practitioner.def(), |row: &mut ModelEx| &mut row.practitioner),
        Join::maybe("service", Relation::Service.def(), |row: &mut ModelEx| &mut row.service),
        Join::maybe("location", Relation::Location.def(), |row: &mut ModelEx| &mut row.location),
        Join::maybe("room", Relation::Room.def(), |row: &mut ModelEx| &mut row.room),
    ]
});

/// By start.
pub fn order(descending: bool) -> [(Column, Order); 2] {
    let order = if descending { Order::Desc } else { Order::Asc };
    [(Column::StartsAt, order.clone()), (Column::Id, order)]
}

pub fn position(row: &ModelEx) -> Vec<Key> {
    vec![Key::At(row.starts_at.timestamp_micros()), Key::Id(row.id.0)]
}

/// The appointments that the filter lets through.
pub fn list(actor: &Actor, filter: &AppointmentFilter) -> Select<Entity> {
    let mut query = actor.find::<Entity>();
    let equal = [
        filter.practitioner_id.map(|id| Column::PractitionerId.eq(id)),
        filter.patient_id.map(|id| Column::PatientId.eq(id)),
        filter.location_id.map(|id| Column::LocationId.eq(id)),
        filter.room_id.map(|id| Column::RoomId.eq(id)),
        filter.service_id.map(|id| Column::ServiceId.eq(id)),
        filter.from.map(|from| Column::EndsAt.gt(from)),
        filter.to.map(|to| Column::StartsAt.lt(to)),
        filter.statuses.as_ref().map(|statuses| Column::Status.is_in(statuses.iter().copied())),
    ];
    if let Some(from) = filter.from {
        // No appointment is longer than this, so the index on the start bounds the search at both ends.
        let earliest = from.checked_sub_signed(chrono::Duration::days(32)).unwrap_or(from);
        query = query.filter(Column::StartsAt.gt(earliest));
    }
    for condition in equal.into_iter().flatten() {
        query = query.filter(condition);
    }
    query
}

impl BatchKey for AppointmentId {
    type Value = ModelEx;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, ModelEx>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let rows = actor.find::<Entity>().filter(Column::Id.is_in(keys)).all(&*tx).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }
}

/// The first appointments of a patient in an order: what the patients of a list are asked for together.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FirstOfPatient {
    pub patient: PatientId,
    pub descending: bool,
    /// How many, with the one that tells whether there are more.
    pub limit: u64,
}

impl BatchKey for FirstOfPatient {
    type Value = Vec<ModelEx>;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, Vec<ModelEx>>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let mut lists: HashMap<Self, Vec<ModelEx>> = keys.iter().map(|key| (*key, Vec::new())).collect();
        let mut alike: HashMap<(bool, u64), Vec<PatientId>> = HashMap::new();
        for key in keys {
            alike.entry((key.descending, key.limit)).or_default().push(key.patient);
        }
        for ((descending, limit), patients) in alike {
            for row in first_of_each(&*tx, &actor, patients, descending, limit).await? {
                let key = Self { patient: row.patient_id, descending, limit };
                lists.entry(key).or_default().push(row.into());
            }
        }
        Ok(lists)
    }
}

/// One statement for the first appointments of each of these patients.
async fn first_of_each(
    db: &impl ConnectionTrait,
    actor: &Actor,
    patients: Vec<PatientId>,
    descending: bool,
    limit: u64,
) -> Result<Vec<Model>> {
    let order = if descending { Order::Desc } else { Order::Asc };
    let (ranked, rank) = (Alias::new("ranked"), Alias::new("rank_in_chart"));
    let window = WindowStatement::partition_by(Column::PatientId)
        .order_by(Column::StartsAt, order.clone())
        .order_by(Column::Id, order)
        .to_owned();
    let mut inner = actor.find::<Entity>().filter(Column::PatientId.is_in(patients)).into_query();
    inner.expr_window_as(Expr::cust("ROW_NUMBER()"), window, rank.clone());
    let outer = Query::select()
        .expr(Expr::cust("*"))
        .from_subquery(inner, ranked)
        .and_where(Expr::col(rank.clone()).lte(limit))
        .order_by(rank, Order::Asc)
        .to_owned();
    let rows = db.query_all(&outer).await?;
    rows.iter().map(|row| Ok(Model::from_query_result(row, "")?)).collect()
}

/// The history of an appointment, oldest first.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HistoryOf(pub AppointmentId);

impl BatchKey for HistoryOf {
    type Value = Vec<event::ModelEx>;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, Vec<event::ModelEx>>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let rows = actor
            .find::<event::Entity>()
            .filter(event::Column::AppointmentId.is_in(keys.iter().map(|key| key.0)))
            .order_by(event::Column::OccurredAt, Order::Asc)
            .order_by(event::Column::Id, Order::Asc)
            .all(&*tx)
            .await?;
        let mut histories: HashMap<Self, Vec<event::ModelEx>> =
            keys.into_iter().map(|key| (key, Vec::new())).collect();
        for row in rows {
            histories.entry(HistoryOf(row.appointment_id)).or_default().push(row.into());
        }
        Ok(histories)
    }
}

/// What stands in the way of a booking.
pub struct Wanted {
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub before_minutes: i32,
    pub after_minutes: i32,
    pub practitioner: Option<uuid::Uuid>,
    pub patient: Option<uuid::Uuid>,
    pub room: Option<uuid::Uuid>,
    /// The appointment that is being moved: it does not stand in its own way.
    pub except: Option<AppointmentId>,
}

pub async fn conflicts(
    db: &impl ConnectionTrait,
    actor: &Actor,
    wanted: &Wanted,
    now: DateTime<Utc>,
) -> Result<Vec<occupancy::Model>> {
    let padded = |id: uuid::Uuid| {
        Condition::all()
            .add(occupancy::Column::ResourceId.eq(id))
            .add(occupancy::Column::StartsAt.lt(wanted.ends_at + minutes(wanted.after_minutes)))
            .add(occupancy::Column::EndsAt.gt(wanted.starts_at - minutes(wanted.before_minutes)))
    };
    let mut any = Condition::any();
    for id in wanted.practitioner.into_iter().chain(wanted.room) {
        any = any.add(padded(id));
    }
    if let Some(patient) = wanted.patient {
        any = any.add(
            Condition::all()
                .add(occupancy::Column::ResourceId.eq(patient))
                .add(occupancy::Column::StartsAt.lt(wanted.ends_at))
                .add(occupancy::Column::EndsAt.gt(wanted.starts_at)),
        );
    }
    if any.is_empty() {
        return Ok(Vec::new());
    }
    let rows = actor
        .find::<occupancy::Entity>()
        .filter(any)
        .filter(crate::availability::load::live(&crate::availability::load::eyes(actor), now))
        .order_by(occupancy::Column::StartsAt, Order::Asc)
        .all(db)
        .await?;
    Ok(rows
        .into_iter()
        .filter(|row| row.appointment_id.is_none() || row.appointment_id != wanted.except)
        .collect())
}

fn minutes(count: i32) -> chrono::Duration {
    chrono::Duration::minutes(count.into())
}

pub fn one(actor: &Actor, id: AppointmentId) -> Select<Entity> {
    actor.find::<Entity>().filter(Column::Id.eq(id))
}
