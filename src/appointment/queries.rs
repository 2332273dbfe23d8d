//! Reading appointments.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, WindowStatement};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    RelationTrait, Select,
};

use super::entity::{Column, Entity, ModelEx, Relation};
use super::input::AppointmentFilter;
use super::occupy::{Claim, Span};
use super::{event, group, occupancy};
use crate::access::actor::Actor;
use crate::availability::spans;
use crate::error::Result;
use crate::graphql::batch::BatchKey;
use crate::graphql::context::Call;
use crate::graphql::join::Join;
use crate::graphql::page::Key;
use crate::graphql::project::{self, Chosen, Shape};
use crate::id::{AppointmentId, EquipmentId, GroupSessionId, PatientId, ServiceId};
use crate::{location, member, patient, room, service};

/// What the fields of an appointment read.
pub static SHAPE: LazyLock<Shape<Entity>> = LazyLock::new(|| {
    Shape::new([Column::Id, Column::StartsAt])
        .field("durationMinutes", [Column::StartsAt, Column::EndsAt])
        .field("reason", [Column::PatientId, Column::Reason])
        .field("notes", [Column::PatientId, Column::Notes])
        .field("cancellationReason", [Column::PatientId, Column::CancellationReason])
        .field("series", [Column::SeriesId])
        .field("seriesStartsAtLocal", [Column::SeriesStartsLocal])
        .field("history", [Column::PatientId])
        .field("reminders", [])
        .join(Join::one(
            "patient",
            Relation::Patient.def(),
            |row: &mut ModelEx| &mut row.patient,
            &patient::queries::SHAPE,
        ))
        .join(Join::one(
            "practitioner",
            Relation::Practitioner.def(),
            |row: &mut ModelEx| &mut row.practitioner,
            &member::queries::SHAPE,
        ))
        .join(Join::maybe(
            "service",
            Relation::Service.def(),
            |row: &mut ModelEx| &mut row.service,
            &service::queries::SHAPE,
        ))
        .join(Join::maybe(
            "location",
            Relation::Location.def(),
            |row: &mut ModelEx| &mut row.location,
            &location::queries::SHAPE,
        ))
        .join(Join::maybe(
            "room",
            Relation::Room.def(),
            |row: &mut ModelEx| &mut row.room,
            &room::queries::SHAPE,
        ))
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
    let mut query = actor.seek::<Entity>();
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
        let earliest = from.checked_sub_signed(occupancy::LONGEST).unwrap_or(from);
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
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FirstOfPatient {
    pub patient: PatientId,
    pub first: First,
}

/// Which appointments of a patient.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct First {
    pub descending: bool,
    /// How many, with the one that tells whether there are more.
    pub limit: u64,
    pub chosen: Chosen,
}

impl BatchKey for FirstOfPatient {
    type Value = Vec<ModelEx>;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, Vec<ModelEx>>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let mut alike: HashMap<First, Vec<PatientId>> = HashMap::new();
        for key in keys {
            alike.entry(key.first).or_default().push(key.patient);
        }
        let mut lists = HashMap::new();
        for (first, patients) in alike {
            for patient in &patients {
                lists.insert(Self { patient: *patient, first: first.clone() }, Vec::new());
            }
            for (patient, row) in first_of_each(&*tx, &actor, patients, &first).await? {
                lists.entry(Self { patient, first: first.clone() }).or_default().push(row);
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
    first: &First,
) -> Result<Vec<(PatientId, ModelEx)>> {
    let order = if first.descending { Order::Desc } else { Order::Asc };
    let (ranked, rank, of) = (Alias::new("ranked"), Alias::new("rank_in_chart"), Alias::new("of_patient"));
    let window = WindowStatement::partition_by(Column::PatientId.as_column_ref())
        .order_by(Column::StartsAt.as_column_ref(), order.clone())
        .order_by(Column::Id.as_column_ref(), order)
        .to_owned();
    let select = actor.seek::<Entity>().filter(Column::PatientId.is_in(patients));
    let mut inner = project::query(&SHAPE, &first.chosen, select).into_query();
    inner.expr_as(Expr::col(Column::PatientId.as_column_ref()), of.clone());
    inner.expr_window_as(Expr::cust("ROW_NUMBER()"), window, rank.clone());
    let outer = Query::select()
        .expr(Expr::cust("*"))
        .from_subquery(inner, ranked)
        .and_where(Expr::col(rank.clone()).lte(first.limit))
        .order_by(rank, Order::Asc)
        .to_owned();
    let results = db.query_all(&outer).await?;
    let of = results.iter().map(|row| row.try_get::<PatientId>("", "of_patient"));
    let of = of.collect::<Result<Vec<_>, _>>()?;
    Ok(of.into_iter().zip(project::rows(&SHAPE, &first.chosen, &results)?).collect())
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

/// What a booking would take up.
pub struct Wanted {
    pub claim: Claim,
    pub service: Option<ServiceId>,
    /// The appointment that is being moved: it does not stand in its own way.
    pub except: Option<AppointmentId>,
}

/// What stands in the way of a booking.
#[derive(Default)]
pub struct Taken {
    /// By start.
    pub rows: Vec<occupancy::Model>,
    /// The group session is there, and has no seat left.
    pub full: bool,
}

/// Everything that takes up what is wanted. Of a group session only one without a seat left is in the way.
pub async fn conflicts(
    db: &impl ConnectionTrait,
    actor: &Actor,
    wanted: &Wanted,
    now: DateTime<Utc>,
) -> Result<Taken> {
    let mut claim = wanted.claim.clone();
    if let Some(service) = wanted.service {
        claim.equipment = equipment_of(db, actor, service).await?;
    }
    let busy = Busy::load(db, actor, &claim.spans(), now).await?;
    Ok(busy.in_the_way(&claim, wanted.service, |row| {
        wanted.except.is_some() && row.appointment_id == wanted.except
    }))
}

/// What some resources are taken up by.
pub struct Busy {
    /// By start.
    rows: Vec<occupancy::Model>,
    /// The group sessions among what takes them up.
    sessions: HashMap<GroupSessionId, group::Model>,
}

impl Busy {
    /// What takes these resources up from the first span's start to the last one's end. An expired hold gives way,
    /// so it is none of it; what was booked over something
    /// else on purpose takes its time like anything else.
    pub async fn load(
        db: &impl ConnectionTrait,
        actor: &Actor,
        spans: &[Span],
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let mut busy = Self { rows: Vec::new(), sessions: HashMap::new() };
        if spans.is_empty() {
            return Ok(busy);
        }
        busy.rows = taking_up(actor, spans)
            .filter(live(now))
            .order_by(occupancy::Column::StartsAt, Order::Asc)
            .all(db)
            .await?;
        let ids: BTreeSet<GroupSessionId> = busy.rows.iter().filter_map(|row| row.session_id).collect();
        if !ids.is_empty() {
            let sessions = actor.find::<group::Entity>().filter(group::Column::Id.is_in(ids)).all(db).await?;
            busy.sessions = sessions.into_iter().map(|session| (session.id, session)).collect();
        }
        Ok(busy)
    }

    /// The same of rows that were read already, and the session that would be joined.
    pub fn of(mut rows: Vec<occupancy::Model>, session: Option<group::Model>, now: DateTime<Utc>) -> Self {
        rows.retain(|row| row.expires_at.is_none_or(|expires_at| expires_at > now));
        rows.sort_unstable_by_key(|row| row.starts_at);
        Self { rows, sessions: session.into_iter().map(|session| (session.id, session)).collect() }
    }

    /// When each resource is taken, apart from what is excepted.
    pub fn times(&self, except: impl Fn(&occupancy::Model) -> bool) -> HashMap<uuid::Uuid, Vec<spans::Span>> {
        let mut times: HashMap<uuid::Uuid, Vec<spans::Span>> = HashMap::new();
        for row in self.rows.iter().filter(|row| !except(row)) {
            let span = spans::Span::between(row.starts_at, row.ends_at);
            times.entry(row.resource_id).or_default().push(span);
        }
        for taken in times.values_mut() {
            *taken = spans::merged(std::mem::take(taken));
        }
        times
    }

    /// What the claim would meet, apart from what is excepted.
    pub fn in_the_way(
        &self,
        claim: &Claim,
        service: Option<ServiceId>,
        except: impl Fn(&occupancy::Model) -> bool,
    ) -> Taken {
        let spans = claim.spans();
        let joins = |session: &&group::Model| {
            Some(session.service_id) == service
                && session.practitioner_id == claim.practitioner
                && session.starts_at == claim.starts_at
        };
        let own = self.sessions.values().find(joins);
        let full = own.is_some_and(|session| session.booked >= session.capacity);
        let meets = |row: &&occupancy::Model| {
            let joined = !full && row.session_id.is_some() && row.session_id == own.map(|session| session.id);
            !joined
                && !except(row)
                && spans.iter().any(|span| {
                    span.resource == row.resource_id
                        && row.starts_at < span.ends_at
                        && row.ends_at > span.starts_at
                })
        };
        Taken { rows: self.rows.iter().filter(meets).cloned().collect(), full }
    }
}

/// What takes these resources up from the first span's start to the last one's end, expired or not.
pub fn taking_up(actor: &Actor, spans: &[Span]) -> Select<occupancy::Entity> {
    let resources: BTreeSet<uuid::Uuid> = spans.iter().map(|span| span.resource).collect();
    within(actor, spans).filter(occupancy::Column::ResourceId.is_in(resources))
}

/// The same for the equipment of a service.
pub fn taking_up_equipment(actor: &Actor, service: ServiceId, spans: &[Span]) -> Select<occupancy::Entity> {
    use crate::service::equipment::Column;
    let equipment = equipment_links(actor, service).select_only().column(Column::EquipmentId).into_query();
    within(actor, spans).filter(occupancy::Column::ResourceId.in_subquery(equipment))
}

fn within(actor: &Actor, spans: &[Span]) -> Select<occupancy::Entity> {
    let from = spans.iter().map(|span| span.starts_at).min().unwrap_or_default();
    let to = spans.iter().map(|span| span.ends_at).max().unwrap_or_default();
    actor
        .find::<occupancy::Entity>()
        .filter(occupancy::Column::StartsAt.lt(to))
        .filter(occupancy::Column::EndsAt.gt(from))
        // Bounds the search in the index, which is by end.
        .filter(occupancy::Column::EndsAt.lt(to.checked_add_signed(occupancy::LONGEST).unwrap_or(to)))
}

/// Occupancies of appointments, and of holds that have not expired.
pub fn live(now: DateTime<Utc>) -> Condition {
    Condition::any().add(occupancy::Column::ExpiresAt.is_null()).add(occupancy::Column::ExpiresAt.gt(now))
}

/// The equipment that a service takes up, in the order of its ids.
pub async fn equipment_of(
    db: &impl ConnectionTrait,
    actor: &Actor,
    service: ServiceId,
) -> Result<Vec<EquipmentId>> {
    use crate::service::equipment::Column;
    let ids = equipment_links(actor, service)
        .select_only()
        .column(Column::EquipmentId)
        .order_by_asc(Column::EquipmentId);
    Ok(ids.into_tuple().all(db).await?)
}

/// Which equipment a service takes up.
pub fn equipment_links(actor: &Actor, service: ServiceId) -> Select<crate::service::equipment::Entity> {
    use crate::service::equipment::{Column, Entity};
    actor.find::<Entity>().filter(Column::ServiceId.eq(service))
}

pub fn one(actor: &Actor, id: AppointmentId) -> Select<Entity> {
    actor.seek::<Entity>().filter(Column::Id.eq(id))
}
