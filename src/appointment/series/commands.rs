//! Booking a series.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use chrono_tz::Tz;
use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};
use serde::{Deserialize, Serialize};

use super::input::{BookSeriesInput, SeriesConflictPolicy};
use super::rule::Rule;
use super::{ActiveModel, zone};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, IdempotencyKey, UnitOfWork};
use crate::appointment::book::{Booking, Ground, check_time};
use crate::appointment::commands::workspace_of;
use crate::appointment::entity::{AppointmentPriority, Model};
use crate::appointment::event::AppointmentEventKind;
use crate::appointment::history::{History, told};
use crate::appointment::hold::commands::yield_expired;
use crate::appointment::input::check_texts;
use crate::appointment::occupancy::ResourceKind;
use crate::appointment::occupy::{self, Claim, Owner, Span};
use crate::appointment::places::Places;
use crate::appointment::queries::{self, Busy, Taken};
use crate::availability::check::{Judge, Obstacle};
use crate::availability::spans::Span as InstantSpan;
use crate::error::{Error, Result};
use crate::graphql::input::Problems;
use crate::id::{AppointmentId, AppointmentSeriesId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::member::entity::Role;
use crate::reminder;

/// The most dates that a series leaves out.
const MOST_EXCEPTIONS: usize = 366;

/// What became of a series.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Booked {
    /// None when nothing was booked.
    pub series: Option<AppointmentSeriesId>,
    pub occurrences: Vec<Occurrence>,
}

/// What became of one occurrence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Occurrence {
    pub local: NaiveDateTime,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub appointment: Option<AppointmentId>,
    /// What it would have met.
    pub meets: Vec<Meeting>,
    /// Why it cannot be booked, whoever else is there.
    pub problems: Vec<String>,
}

impl Occurrence {
    pub fn is_free(&self) -> bool {
        self.meets.is_empty() && self.problems.is_empty()
    }
}

/// Something that is taken, as it was when the series was booked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Meeting {
    pub kind: String,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub appointment: Option<AppointmentId>,
}

impl Meeting {
    pub fn all(taken: &Taken) -> Vec<Self> {
        use sea_orm::ActiveEnum;
        let of = |row: &crate::appointment::occupancy::Model| Self {
            kind: row.resource_kind.to_value(),
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            appointment: row.appointment_id,
        };
        taken.rows.iter().map(of).collect()
    }

    pub fn resource(&self) -> ResourceKind {
        use sea_orm::ActiveEnum;
        ResourceKind::try_from_value(&self.kind).unwrap_or(ResourceKind::Practitioner)
    }
}

/// A rule with where it starts and what it leaves out: what a series is made from.
pub struct Plan {
    pub rule: Rule,
    pub zone: Tz,
    pub first: NaiveDateTime,
    pub exceptions: Vec<NaiveDateTime>,
}

impl Plan {
    fn read(input: &BookSeriesInput, timezone: &str) -> Result<Self> {
        let mut problems = Problems::default();
        let zone = timezone.parse::<Tz>();
        let first = parse_local(&input.starts_at_local);
        let exceptions: Option<Vec<_>> =
            input.exception_dates.iter().flatten().map(|text| parse_local(text)).collect();
        if zone.is_err() {
            problems.add("timezone", "This is not an IANA time zone.");
        }
        if first.is_none() {
            problems.add("startsAtLocal", "Write it as 2026-06-02T09:00.");
        }
        if exceptions.as_ref().is_none_or(|dates| dates.len() > MOST_EXCEPTIONS) {
            problems
                .add("exceptionDates", format!("At most {MOST_EXCEPTIONS} times such as 2026-06-02T09:00."));
        }
        let rule = Rule::parse(&input.rule, zone.unwrap_or(Tz::UTC));
        if let Err(problem) = &rule {
            problems.add("rule", problem.as_str());
        }
        problems.ok()?;
        let (Ok(zone), Ok(rule), Some(first), Some(exceptions)) = (zone, rule, first, exceptions) else {
            return Err(Error::invalid("rule", "Not readable."));
        };
        Ok(Self { rule, zone, first, exceptions })
    }

    /// The starts on the wall clock, without those left out.
    pub fn starts(&self) -> Result<Vec<NaiveDateTime>> {
        let mut starts = self.rule.expand(self.first).map_err(|problem| Error::invalid("rule", problem))?;
        if starts.first() != Some(&self.first) {
            return Err(Error::invalid("startsAtLocal", "The rule gives no appointment at the first start."));
        }
        starts.retain(|start| !self.exceptions.contains(start));
        if starts.is_empty() {
            return Err(Error::invalid("exceptionDates", "Nothing is left."));
        }
        Ok(starts)
    }
}

pub async fn book(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &BookSeriesInput,
) -> Result<Booked> {
    actor.require(Permission::BookAppointments)?;
    check_texts(&[("reason", input.reason.as_ref())])?;

    app.write_once(actor, key, move |unit| async move {
        let workspace = workspace_of(&unit, actor).await?;
        let timezone = input.timezone.clone().unwrap_or_else(|| workspace.timezone.clone());
        let plan = Plan::read(input, &timezone)?;
        let starts = plan.starts()?;
        let booking = booking_of(input, &plan);
        let ground = Ground::of(app, &unit, actor, &booking, false).await?;
        let minutes = input.duration_minutes.or(ground.service.as_ref().map(|s| s.duration_minutes));
        let minutes = minutes.ok_or_else(|| {
            Error::invalid("durationMinutes", "Give a duration, or a service that has one.")
        })?;
        let mut problems = Problems::default();
        problems.range("durationMinutes", minutes, 5..=480);
        problems.ok()?;

        let mut rows: Vec<Model> = Vec::with_capacity(starts.len());
        for local in &starts {
            let starts_at = zone::instant(*local, plan.zone);
            let ends_at = starts_at + Duration::minutes(minutes.into());
            let one = Booking { starts_at, ends_at: Some(ends_at), ..booking.clone() };
            rows.push(ground.row(&unit, actor, &one, ends_at));
        }
        let mut occurrences = judge(&unit, actor, &ground, &booking.places, &starts, &rows).await?;
        let free = occurrences.iter().filter(|occurrence| occurrence.is_free()).count();
        let complete = free == occurrences.len();
        if free == 0 || (input.on_conflict == SeriesConflictPolicy::FailAll && !complete) {
            return Ok(Booked { series: None, occurrences });
        }

        let series = unit.id::<AppointmentSeriesId>();
        let left_out = occurrences.iter().filter(|one| !one.is_free()).map(|one| one.local);
        let exceptions: Vec<NaiveDateTime> = plan.exceptions.iter().copied().chain(left_out).collect();
        unit.insert(ActiveModel {
            id: Set(series),
            patient_id: Set(ground.patient.id),
            practitioner_id: Set(input.practitioner_id),
            service_id: Set(input.service_id),
            rule: Set(plan.rule.to_string()),
            timezone: Set(timezone),
            starts_local: Set(local_text(plan.first)),
            duration_minutes: Set(minutes),
            exception_dates: Set(exception_text(exceptions)),
            until: Set(rows.iter().map(|row| row.ends_at).max()),
            created_by: Set(actor.membership),
            ..Default::default()
        })
        .await?;
        let mut kept = Vec::with_capacity(free);
        for (occurrence, mut row) in occurrences.iter_mut().zip(rows) {
            if occurrence.is_free() {
                occurrence.appointment = Some(row.id);
                row.series_id = Some(series);
                row.series_starts_local = Some(local_text(occurrence.local));
                kept.push(row);
            }
        }
        write(&unit, actor, &ground, &kept).await?;

        let event = Event::by(actor, AuditKind::Write, "series.booked").on(series);
        let count = i64::try_from(kept.len()).unwrap_or(i64::MAX);
        unit.record(event.of_patient(ground.patient.id).with("appointments", count));
        Ok(Booked { series: Some(series), occurrences })
    })
    .await
}

/// What becomes of each occurrence: one look at everything that takes up the resources.
async fn judge(
    unit: &UnitOfWork,
    actor: &Actor,
    ground: &Ground,
    places: &Places,
    starts: &[NaiveDateTime],
    rows: &[Model],
) -> Result<Vec<Occurrence>> {
    let service = ground.service.as_ref();
    let equipment = match service {
        Some(service) => queries::equipment_of(&**unit, actor, service.id).await?,
        None => Vec::new(),
    };
    let claims: Vec<Claim> =
        rows.iter().map(|row| Claim { equipment: equipment.clone(), ..Claim::of(row) }).collect();
    let spans: Vec<Span> = claims.iter().flat_map(Claim::spans).collect();
    let house = Actor::system(actor.workspace, "series");
    let busy = Busy::load(&**unit, &house, &spans, unit.clock().now()).await?;
    let mut occurrences = Vec::with_capacity(rows.len());
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(occurrences) };
    let whole = InstantSpan::between(first.starts_at, last.ends_at);
    let wanted = ground.wanted(places, first.starts_at, first.ends_at);
    let judge = Judge::load(&**unit, actor, &wanted, whole, (unit.clock().now(), &[])).await?;
    let far = judge.is_too_far(first.starts_at);
    for ((local, row), claim) in starts.iter().zip(rows).zip(&claims) {
        let problems = match check_time(unit, actor, &ground.workspace, row.starts_at, row.ends_at) {
            Ok(()) => {
                let found = judge.against(&ground.wanted(places, row.starts_at, row.ends_at));
                let found = found.into_iter().filter(|found| counts(actor, *found, far));
                found.map(|obstacle| obstacle.sentence().to_owned()).collect()
            }
            Err(Error::Invalid(problems)) => problems.into_iter().map(|problem| problem.message).collect(),
            Err(error) => return Err(error),
        };
        let taken = busy.in_the_way(claim, row.service_id, |_| false);
        occurrences.push(Occurrence {
            local: *local,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            appointment: None,
            meets: Meeting::all(&taken),
            problems,
        });
    }
    Ok(occurrences)
}

/// Whether an obstacle stands against an occurrence. How far ahead a service can be booked is said of when a series
/// begins: a course of weekly sessions is longer than that. For a patient it holds for each of them.
pub fn counts(actor: &Actor, obstacle: Obstacle, begins_too_far: bool) -> bool {
    begins_too_far || actor.role == Role::Patient || obstacle != Obstacle::MaximumAdvance
}

/// Writes the appointments with what they take up, their history and the journal.
async fn write(unit: &UnitOfWork, actor: &Actor, ground: &Ground, rows: &[Model]) -> Result<()> {
    let models = rows.iter().map(|row| row.clone().into_active_model().reset_all()).collect();
    unit.insert_all(models).await?;
    let service = ground.service.as_ref();
    if service.is_some_and(|service| service.capacity > 1) {
        for row in rows {
            occupy::take(unit, actor, row, service).await?;
        }
    } else {
        let equipment = match service {
            Some(service) => queries::equipment_of(&**unit, actor, service.id).await?,
            None => Vec::new(),
        };
        let mut all: Vec<(AppointmentId, Vec<Span>)> = Vec::with_capacity(rows.len());
        for row in rows {
            all.push((row.id, Claim { equipment: equipment.clone(), ..Claim::of(row) }.spans()));
        }
        let spans: Vec<Span> = all.iter().flat_map(|(_, spans)| spans.iter().copied()).collect();
        yield_expired(unit, actor, &spans).await?;
        let rows = all.into_iter().flat_map(|(id, spans)| {
            occupy::rows_of(unit, actor.workspace, Owner::Appointment(id), spans, true)
        });
        unit.insert_all(rows.collect()).await?;
    }
    let past = History { kind: AppointmentEventKind::Booked, before: None, reason: None };
    let history = rows.iter().map(|row| past.row(unit, actor, &ground.cipher, row)).collect();
    unit.insert_all(history).await?;
    Box::pin(reminder::plan::follow_series(unit, actor, &ground.cipher, rows)).await?;
    for row in rows {
        unit.record(told(actor, "appointment.booked", row));
    }
    Ok(())
}

fn booking_of(input: &BookSeriesInput, plan: &Plan) -> Booking {
    Booking {
        patient: input.patient_id,
        places: Places {
            practitioner: input.practitioner_id,
            location: input.location_id,
            room: input.room_id,
        },
        service: input.service_id,
        starts_at: zone::instant(plan.first, plan.zone),
        ends_at: None,
        timezone: Some(plan.zone.name().to_owned()),
        appointment_type: input.appointment_type,
        priority: input.priority.unwrap_or(AppointmentPriority::Normal),
        reason: input.reason.clone(),
        notes: None,
        override_reason: None,
    }
}

const LOCAL: &str = "%Y-%m-%dT%H:%M";

/// A wall clock as it is stored: `2026-06-02T09:00`.
pub fn local_text(local: NaiveDateTime) -> String {
    local.format(LOCAL).to_string()
}

pub fn parse_local(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, LOCAL).ok()
}

pub fn exception_text(mut dates: Vec<NaiveDateTime>) -> String {
    dates.sort_unstable();
    dates.dedup();
    dates.into_iter().map(local_text).collect::<Vec<_>>().join(",")
}
