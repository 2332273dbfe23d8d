//! Whether one appointment can be booked: the counterpart of the search, for one time.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter};
use uuid::Uuid;

use super::load::{self, Except, zone};
use super::query::{bookable_span, limits};
use super::search::{Practitioner, Shape, is_free, obstacles};
use super::spans::Span;
use crate::access::actor::Actor;
use crate::app::UnitOfWork;
use crate::appointment::occupancy;
use crate::error::{Error, Result};
use crate::id::{AppointmentId, LocationId, PatientId, RoomId};
use crate::member::entity::Model as Member;
use crate::service::entity::Model as Service;
use crate::workspace::entity::Model as Workspace;

/// Why a time cannot be booked, besides something being taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "BookingObstacle")]
pub enum Obstacle {
    /// The practitioner does not work then, or not at this place, or not until the end of the appointment.
    OutsideWorkingHours,
    /// The practitioner is away, or the practice is closed.
    TimeOff,
    /// It starts sooner than the service's minimum notice allows.
    MinimumNotice,
    /// It starts later than the service can be booked ahead.
    MaximumAdvance,
    /// The practitioner, or the service with this practitioner, has as many on that day as there may be.
    DailyLimit,
    /// Nobody who can be booked is free then.
    NobodyAvailable,
}

impl Obstacle {
    /// One sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::OutsideWorkingHours => "This is outside the practitioner's working hours.",
            Self::TimeOff => "The practitioner is away, or the practice is closed.",
            Self::MinimumNotice => "This is too soon to be booked.",
            Self::MaximumAdvance => "This is too far ahead to be booked.",
            Self::DailyLimit => "No more can be booked on this day.",
            Self::NobodyAvailable => "Nobody is available then.",
        }
    }
}

/// One appointment that somebody wants.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub workspace: &'a Workspace,
    pub service: Option<&'a Service>,
    pub practitioner: &'a Member,
    pub patient: Option<PatientId>,
    pub room: Option<RoomId>,
    /// Where it takes place: the place asked for, or else the room's.
    pub location: Option<LocationId>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// Minutes kept free before and after.
    pub buffers: (i32, i32),
    /// The appointment that is being moved: it is not in its own way.
    pub except: Option<AppointmentId>,
}

impl Wanted<'_> {
    fn shape(&self) -> Shape {
        let around = Shape::minutes(0, self.buffers.0, self.buffers.1);
        let span = Span::between(self.starts_at, self.ends_at);
        Shape { duration: span.end - span.start, ..around }
    }
}

/// Refuses a time at which the practitioner cannot be booked, or that something takes which stands beside another
/// appointment on purpose and so is not refused by the database.
///
/// The caller holds the locks on practitioner, room and patient.
pub async fn require(unit: &UnitOfWork, actor: &Actor, wanted: &Wanted<'_>) -> Result<()> {
    let now = unit.clock().now();
    let found = against(&**unit, actor, wanted, now).await?;
    if !found.is_empty() {
        return Err(Error::Unbookable(found));
    }
    refuse_beside(unit, actor, wanted, now).await
}

/// What stands against the appointment, besides what is taken.
pub async fn against(
    db: &impl ConnectionTrait,
    actor: &Actor,
    wanted: &Wanted<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<Obstacle>> {
    let eyes = &load::eyes(actor);
    let home = zone(&wanted.workspace.timezone);
    let span = Span::between(wanted.starts_at, wanted.ends_at);
    let ids = [wanted.practitioner.id];
    let plan = load::plan(db, eyes, &ids, span).await?;
    let clocks = plan.clocks(span, home);
    let limits = limits([wanted.practitioner], wanted.service);
    let except = Except { appointment: wanted.except, hold: None };
    let mut full = load::full_days(db, eyes, &ids, &limits, &clocks, (span, now), except).await?;
    let practitioner = Practitioner {
        id: wanted.practitioner.id,
        hours: plan.hours(wanted.practitioner.id),
        busy: Vec::new(),
        full_days: full.remove(&wanted.practitioner.id).unwrap_or_default(),
        sessions: Vec::new(),
    };
    let against = obstacles(&practitioner, &plan.closings, &clocks, span, wanted.location);
    let allowed = bookable_span(wanted.service, home, now);
    // What is entered after the fact has no notice; whether it may be is decided elsewhere.
    let short = span.start < allowed.start && wanted.starts_at >= now;
    let found = [
        (against.outside_hours, Obstacle::OutsideWorkingHours),
        (against.time_off, Obstacle::TimeOff),
        (short, Obstacle::MinimumNotice),
        (span.start >= allowed.end, Obstacle::MaximumAdvance),
        (against.full_day, Obstacle::DailyLimit),
    ];
    Ok(found.into_iter().filter_map(|(is, obstacle)| is.then_some(obstacle)).collect())
}

/// Appointments that were booked over others do not refuse rows of the table, but their time is taken all the same.
async fn refuse_beside(
    unit: &UnitOfWork,
    actor: &Actor,
    wanted: &Wanted<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    let eyes = load::eyes(actor);
    let shape = wanted.shape();
    let span = Span::between(wanted.starts_at, wanted.ends_at);
    let around = span.padded(shape.before, shape.after);
    let resources: Vec<Uuid> = [Some(wanted.practitioner.id.0), wanted.room.map(|room| room.0)]
        .into_iter()
        .chain([wanted.patient.map(|patient| patient.0)])
        .flatten()
        .collect();
    let mut beside = eyes
        .find::<occupancy::Entity>()
        .filter(occupancy::Column::Exclusive.eq(false))
        .filter(occupancy::Column::ResourceId.is_in(resources))
        .filter(occupancy::Column::EndsAt.gt(super::spans::instant(around.start)))
        .filter(occupancy::Column::StartsAt.lt(super::spans::instant(around.end)))
        .filter(load::live(&eyes, now));
    if let Some(id) = wanted.except {
        beside = beside.filter(occupancy::Column::AppointmentId.ne(id));
    }
    let rows = beside.all(&**unit).await?;
    let unpadded = Shape { before: 0, after: 0, ..shape };
    let free = rows.iter().all(|row| {
        let taken = [Span::between(row.starts_at, row.ends_at)];
        let shape = if row.resource_kind == occupancy::ResourceKind::Patient { unpadded } else { shape };
        is_free(&taken, shape, span.start)
    });
    if free { Ok(()) } else { Err(Error::Occupied) }
}
