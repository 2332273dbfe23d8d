//! Whether one appointment can be booked: the counterpart of the search, for one time.

use async_graphql::Enum;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use sea_orm::ConnectionTrait;

use super::load::{self, Except, Plan, zone};
use super::query::{bookable_span, limits};
use super::search::{Practitioner, obstacles};
use super::sight::Sight;
use super::spans::Span;
use crate::access::actor::Actor;
use crate::app::UnitOfWork;
use crate::appointment::occupancy;
use crate::appointment::occupy::Claim;
use crate::appointment::queries::Busy;
use crate::error::{Error, Result};
use crate::id::{AppointmentId, EquipmentId, LocationId, PatientId, RoomId};
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
    pub fn claim(&self) -> Claim {
        Claim {
            practitioner: self.practitioner.id,
            room: self.room,
            equipment: Vec::new(),
            patient: self.patient,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            before_minutes: self.buffers.0,
            after_minutes: self.buffers.1,
            exclusive: true,
        }
    }
}

/// Refuses a time at which the practitioner cannot be booked, or at which something is taken. The database refuses
/// what is taken as well, but not what stands beside another appointment on purpose.
///
/// The caller has looked with the locks on practitioner, room and patient. Only a limit of the day takes further
/// statements.
pub async fn require(unit: &UnitOfWork, actor: &Actor, wanted: &Wanted<'_>, sight: Sight) -> Result<Seen> {
    let Sight { schedules, exceptions, equipment, taken, session } = sight;
    let now = unit.clock().now();
    let span = Span::between(wanted.starts_at, wanted.ends_at);
    let plan = Plan::of(&schedules, &exceptions);
    let judge = Judge::of(&**unit, actor, plan, wanted, span, (now, wanted.except.as_slice())).await?;
    let obstacles = judge.against(wanted);
    if !obstacles.is_empty() {
        return Err(Error::Unbookable(obstacles));
    }
    let claim = Claim { equipment, ..wanted.claim() };
    let expired = taken.iter().any(|row| row.expires_at.is_some_and(|expires_at| expires_at <= now));
    let busy = Busy::of(taken, session, now);
    let own = |row: &occupancy::Model| wanted.except.is_some() && row.appointment_id == wanted.except;
    match busy.in_the_way(&claim, wanted.service.map(|service| service.id), own).rows.is_empty() {
        true => Ok(Seen { equipment: claim.equipment, expired }),
        false => Err(Error::Occupied),
    }
}

/// What a check has seen that whoever takes up the time wants to know.
#[derive(Debug)]
pub struct Seen {
    /// The service's equipment, in the order of its ids.
    pub equipment: Vec<EquipmentId>,
    /// Whether an expired hold is in the way, which has to be put aside.
    pub expired: bool,
}

/// What stands against the appointment, besides what is taken.
pub async fn against(
    db: &impl ConnectionTrait,
    actor: &Actor,
    wanted: &Wanted<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<Obstacle>> {
    let span = Span::between(wanted.starts_at, wanted.ends_at);
    let leaving = wanted.except.as_slice();
    Ok(Judge::load(db, actor, wanted, span, (now, leaving)).await?.against(wanted))
}

/// What decides about the appointments of one practitioner in a span, however many they are.
pub struct Judge {
    plan: Plan,
    full_days: Vec<NaiveDate>,
    home: Tz,
    /// When a booking made now may start.
    allowed: Span,
    now: DateTime<Utc>,
}

impl Judge {
    /// `leaving` are appointments that are about to be elsewhere: they count towards no limit.
    pub async fn load(
        db: &impl ConnectionTrait,
        actor: &Actor,
        wanted: &Wanted<'_>,
        span: Span,
        (now, leaving): (DateTime<Utc>, &[AppointmentId]),
    ) -> Result<Self> {
        let plan = load::plan(db, &load::eyes(actor), &[wanted.practitioner.id], span).await?;
        Self::of(db, actor, plan, wanted, span, (now, leaving)).await
    }

    /// The same with the hours at hand: no statement, unless there is a limit of the day.
    async fn of(
        db: &impl ConnectionTrait,
        actor: &Actor,
        plan: Plan,
        wanted: &Wanted<'_>,
        span: Span,
        (now, leaving): (DateTime<Utc>, &[AppointmentId]),
    ) -> Result<Self> {
        let eyes = &load::eyes(actor);
        let home = zone(&wanted.workspace.timezone);
        let ids = [wanted.practitioner.id];
        let limits = limits([wanted.practitioner], wanted.service);
        let except = Except { appointments: leaving, hold: None };
        let clocks = plan.clocks(span, home);
        let mut full = load::full_days(db, eyes, &ids, &limits, &clocks, (span, now), except).await?;
        Ok(Self {
            plan,
            full_days: full.remove(&wanted.practitioner.id).unwrap_or_default(),
            home,
            allowed: bookable_span(wanted.service, home, now),
            now,
        })
    }

    /// Whether something that starts then is farther ahead than the service can be booked.
    pub fn is_too_far(&self, starts_at: DateTime<Utc>) -> bool {
        starts_at.timestamp_micros() >= self.allowed.end
    }

    pub fn against(&self, wanted: &Wanted<'_>) -> Vec<Obstacle> {
        let span = Span::between(wanted.starts_at, wanted.ends_at);
        let practitioner = Practitioner {
            id: wanted.practitioner.id,
            hours: self.plan.hours(wanted.practitioner.id),
            busy: Vec::new(),
            full_days: self.full_days.clone(),
            sessions: Vec::new(),
        };
        let clocks = self.plan.clocks(span, self.home);
        let against = obstacles(&practitioner, &self.plan.closings, &clocks, span, wanted.location);
        // What is entered after the fact has no notice; whether it may be is decided elsewhere.
        let short = span.start < self.allowed.start && wanted.starts_at >= self.now;
        let found = [
            (against.outside_hours, Obstacle::OutsideWorkingHours),
            (against.time_off, Obstacle::TimeOff),
            (short, Obstacle::MinimumNotice),
            (self.is_too_far(wanted.starts_at), Obstacle::MaximumAdvance),
            (against.full_day, Obstacle::DailyLimit),
        ];
        found.into_iter().filter_map(|(is, obstacle)| is.then_some(obstacle)).collect()
    }
}
