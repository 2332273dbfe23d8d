//! Reading what a search needs: one select for each table, however many practitioners are asked for.
//!
//! A booking page must know that a time is taken, not by whom: these reads see the whole practice, and answer
//! with intervals only.

use std::collections::HashMap;

use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::hours::{Clocks, Closed, Extra, Hours, Rule};
use super::search::Session;
use super::spans::{Span, instant};
use crate::access::actor::Actor;
use crate::appointment::entity::{self as appointment, AppointmentStatus};
use crate::appointment::queries::live;
use crate::appointment::{group, hold, occupancy};
use crate::error::Result;
use crate::id::{AppointmentHoldId, AppointmentId, MembershipId, ServiceId};
use crate::schedule::entity as schedule;
use crate::schedule::exception::{self, ExceptionKind};
use crate::service::entity::Model as Service;

/// Whoever asks: the whole practice is looked at.
pub fn eyes(actor: &Actor) -> Actor {
    Actor::system(actor.workspace, "availability")
}

/// The working hours of some practitioners, and when the practice is closed.
#[derive(Debug, Default)]
pub struct Plan {
    hours: HashMap<MembershipId, Hours>,
    pub closings: Vec<Closed>,
}

impl Plan {
    pub fn hours(&self, practitioner: MembershipId) -> Hours {
        self.hours.get(&practitioner).cloned().unwrap_or_default()
    }

    /// The zones that the rules and the extra hours are in.
    pub fn zones(&self) -> impl Iterator<Item = Tz> {
        self.hours.values().flat_map(|hours| {
            let rules = hours.rules.iter().flatten().map(|rule| rule.zone);
            rules.chain(hours.extra.iter().map(|extra| extra.zone))
        })
    }

    /// The clocks for a search that starts appointments in this span and looks at what lies around it.
    pub fn clocks(&self, span: Span, home: Tz) -> Clocks {
        Clocks::new(span, home, self.zones())
    }
}

/// The weekly schedules of these practitioners with the exceptions that touch the span: two statements.
pub async fn plan(
    db: &impl ConnectionTrait,
    actor: &Actor,
    practitioners: &[MembershipId],
    span: Span,
) -> Result<Plan> {
    let schedules = schedules(db, actor, practitioners).await?;
    Ok(Plan::of(&schedules, &exceptions(db, actor, practitioners, span).await?))
}

/// All weekly entries of these practitioners, not only those that hold now: whoever had hours once is not there at
/// any time.
pub async fn schedules(
    db: &impl ConnectionTrait,
    actor: &Actor,
    practitioners: &[MembershipId],
) -> Result<Vec<schedule::Model>> {
    Ok(schedules_of(actor, Some(practitioners)).all(db).await?)
}

/// The same of these practitioners, or of all.
pub fn schedules_of(actor: &Actor, practitioners: Option<&[MembershipId]>) -> Select<schedule::Entity> {
    let query = actor.find::<schedule::Entity>();
    match practitioners {
        Some(ids) => query.filter(schedule::Column::PractitionerId.is_in(ids.iter().copied())),
        None => query,
    }
}

/// The exceptions of these practitioners and of the practice that touch the span, by start.
pub async fn exceptions(
    db: &impl ConnectionTrait,
    actor: &Actor,
    practitioners: &[MembershipId],
    span: Span,
) -> Result<Vec<exception::Model>> {
    Ok(exceptions_of(actor, Some(practitioners), span).all(db).await?)
}

/// The same of the practice and these practitioners, or of all.
pub fn exceptions_of(
    actor: &Actor,
    practitioners: Option<&[MembershipId]>,
    span: Span,
) -> Select<exception::Entity> {
    let mut query = actor.find::<exception::Entity>();
    if let Some(ids) = practitioners {
        let everybody = exception::Column::PractitionerId.is_null();
        let own = exception::Column::PractitionerId.is_in(ids.iter().copied());
        query = query.filter(Condition::any().add(everybody).add(own));
    }
    query
        .filter(exception::Column::StartsAt.lt(instant(span.end)))
        .filter(exception::Column::EndsAt.gt(instant(span.start)))
        .order_by_asc(exception::Column::StartsAt)
        .order_by_asc(exception::Column::Id)
}

impl Plan {
    pub fn of(schedules: &[schedule::Model], exceptions: &[exception::Model]) -> Self {
        let mut plan = Self::default();
        for row in schedules {
            let hours = plan.hours.entry(row.practitioner_id).or_default();
            hours.rules.get_or_insert_default().push(rule(row));
        }
        for row in exceptions {
            plan.except(row);
        }
        plan
    }

    fn except(&mut self, row: &exception::Model) {
        let closed = Closed { span: Span::between(row.starts_at, row.ends_at), location: row.location_id };
        match (row.practitioner_id, row.kind) {
            (None, _) => self.closings.push(closed),
            (Some(id), ExceptionKind::TimeOff) => self.hours.entry(id).or_default().time_off.push(closed),
            (Some(id), ExceptionKind::ExtraHours) => self.hours.entry(id).or_default().extra.push(Extra {
                span: closed.span,
                zone: zone(&row.timezone),
                location: row.location_id,
            }),
        }
    }
}

fn rule(row: &schedule::Model) -> Rule {
    Rule {
        zone: zone(&row.timezone),
        weekday: u32::try_from(row.weekday).unwrap_or_default(),
        minutes: (row.starts_minute, row.ends_minute),
        pause: row.break_starts_minute.zip(row.break_ends_minute),
        from: row.valid_from,
        until: row.valid_until,
        location: row.location_id,
    }
}

/// The zone of that name. Names are checked when they are stored; one that the zone database dropped is UTC.
pub fn zone(name: &str) -> Tz {
    name.parse().unwrap_or(Tz::UTC)
}

/// What is taken of these practitioners, rooms and patients in the span: one statement.
///
/// What stands beside another appointment on purpose takes its time like any other; an expired hold takes none.
pub async fn busy(
    db: &impl ConnectionTrait,
    actor: &Actor,
    resources: Vec<Uuid>,
    span: Span,
    now: DateTime<Utc>,
    except: Option<AppointmentId>,
) -> Result<HashMap<Uuid, Vec<Span>>> {
    let (from, to) = (instant(span.start), instant(span.end));
    let last = to.checked_add_signed(occupancy::LONGEST).unwrap_or(to);
    let mut query = actor
        .find::<occupancy::Entity>()
        .select_only()
        .columns([occupancy::Column::ResourceId, occupancy::Column::StartsAt, occupancy::Column::EndsAt])
        .filter(occupancy::Column::ResourceId.is_in(resources))
        .filter(occupancy::Column::EndsAt.gt(from))
        // Bounds the search in the index, which is by end.
        .filter(occupancy::Column::EndsAt.lt(last))
        .filter(occupancy::Column::StartsAt.lt(to))
        .filter(live(now));
    if let Some(id) = except {
        let another = Condition::any()
            .add(occupancy::Column::AppointmentId.is_null())
            .add(occupancy::Column::AppointmentId.ne(id));
        query = query.filter(another);
    }
    let rows: Vec<(Uuid, DateTime<Utc>, DateTime<Utc>)> =
        query.order_by_asc(occupancy::Column::EndsAt).into_tuple().all(db).await?;
    let mut busy: HashMap<Uuid, Vec<Span>> = HashMap::new();
    for (resource, starts_at, ends_at) in rows {
        busy.entry(resource).or_default().push(Span::between(starts_at, ends_at));
    }
    Ok(busy)
}

/// The group sessions of the service with these practitioners that have begun to fill and have a seat left: one
/// statement, and none for a service that is not for groups.
pub async fn sessions(
    db: &impl ConnectionTrait,
    actor: &Actor,
    service: Option<&Service>,
    practitioners: &[MembershipId],
    starts: Span,
) -> Result<HashMap<MembershipId, Vec<Session>>> {
    let mut sessions: HashMap<MembershipId, Vec<Session>> = HashMap::new();
    let Some(service) = service.filter(|service| service.capacity > 1) else { return Ok(sessions) };
    let rows = actor
        .find::<group::Entity>()
        .filter(group::Column::PractitionerId.is_in(practitioners.iter().copied()))
        .filter(group::Column::ServiceId.eq(service.id))
        .filter(group::Column::StartsAt.gte(instant(starts.start)))
        .filter(group::Column::StartsAt.lt(instant(starts.end)))
        .filter(group::Column::Booked.gt(0))
        .filter(Expr::col(group::Column::Booked).lt(Expr::col(group::Column::Capacity)))
        .all(db)
        .await?;
    for row in rows {
        sessions.entry(row.practitioner_id).or_default().push(Session {
            span: Span::between(row.starts_at, row.ends_at),
            room: row.room_id,
            seats: row.capacity - row.booked,
        });
    }
    Ok(sessions)
}

/// How many a practitioner may have on one day.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Appointments of any kind, for those practitioners who have a limit.
    pub of_practitioner: HashMap<MembershipId, i32>,
    /// Appointments of the service that is asked for, with each practitioner.
    pub of_service: Option<(ServiceId, i32)>,
}

impl Limits {
    fn none(&self) -> bool {
        self.of_practitioner.is_empty() && self.of_service.is_none()
    }
}

/// What does not count towards a limit: what is being moved, or turned into an appointment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Except<'a> {
    pub appointments: &'a [AppointmentId],
    pub hold: Option<AppointmentHoldId>,
}

/// The days of the practice on which a practitioner has reached a limit: no statement when there is no limit,
/// and two otherwise.
pub async fn full_days(
    db: &impl ConnectionTrait,
    actor: &Actor,
    practitioners: &[MembershipId],
    limits: &Limits,
    clocks: &Clocks,
    (span, now): (Span, DateTime<Utc>),
    except: Except<'_>,
) -> Result<HashMap<MembershipId, Vec<NaiveDate>>> {
    if limits.none() {
        return Ok(HashMap::new());
    }
    let home = clocks.at_home();
    // Whole days: what was booked this morning counts for this afternoon.
    let (from, to) = (home.date(span.start), home.date(span.end));
    let from = super::local::start_of_day(home.zone, from);
    let to = super::local::start_of_day(home.zone, to.checked_add_days(Days::new(1)).unwrap_or(to));
    let ids = || practitioners.iter().copied();
    type Row = (MembershipId, Option<ServiceId>, DateTime<Utc>);
    let mut booked = actor
        .find::<appointment::Entity>()
        .select_only()
        .columns([
            appointment::Column::PractitionerId,
            appointment::Column::ServiceId,
            appointment::Column::StartsAt,
        ])
        .filter(appointment::Column::PractitionerId.is_in(ids()))
        .filter(appointment::Column::StartsAt.gte(from))
        .filter(appointment::Column::StartsAt.lt(to))
        .filter(
            appointment::Column::Status.is_not_in([AppointmentStatus::Cancelled, AppointmentStatus::NoShow]),
        );
    if !except.appointments.is_empty() {
        booked = booked.filter(appointment::Column::Id.is_not_in(except.appointments.iter().copied()));
    }
    let mut rows: Vec<Row> = booked.into_tuple().all(db).await?;
    let mut held = actor
        .find::<hold::Entity>()
        .select_only()
        .columns([hold::Column::PractitionerId, hold::Column::ServiceId, hold::Column::StartsAt])
        .filter(hold::Column::PractitionerId.is_in(ids()))
        .filter(hold::Column::ExpiresAt.gt(now))
        .filter(hold::Column::ReleasedAt.is_null())
        .filter(hold::Column::StartsAt.gte(from))
        .filter(hold::Column::StartsAt.lt(to));
    if let Some(id) = except.hold {
        held = held.filter(hold::Column::Id.ne(id));
    }
    rows.extend(held.into_tuple::<Row>().all(db).await?);

    let mut counts: HashMap<(MembershipId, NaiveDate), (i32, i32)> = HashMap::new();
    for (practitioner, service, starts_at) in rows {
        let day = home.date(starts_at.timestamp_micros());
        let (all, of_service) = counts.entry((practitioner, day)).or_default();
        *all += 1;
        let same = limits.of_service.is_some_and(|(id, _)| service == Some(id));
        *of_service += i32::from(same);
    }
    let mut full: HashMap<MembershipId, Vec<NaiveDate>> = HashMap::new();
    for ((practitioner, day), (all, of_service)) in counts {
        let whole = limits.of_practitioner.get(&practitioner).is_some_and(|limit| all >= *limit);
        if whole || limits.of_service.is_some_and(|(_, limit)| of_service >= limit) {
            full.entry(practitioner).or_default().push(day);
        }
    }
    Ok(full)
}
