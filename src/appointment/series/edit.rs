//! Changing many occurrences of a series at once.
//!
//! What has begun or is over is never touched, nor is an occurrence that was cancelled; one that was moved alone
//! keeps its own time. The series ends before the first occurrence that is changed, and a new one begins with it.

use std::collections::BTreeSet;

use chrono::{Duration, NaiveDateTime};
use chrono_tz::Tz;
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, QueryOrder, Set};

use super::commands::{Plan, exception_text, local_text, parse_local};
use super::input::SeriesScope;
use super::instead::{self, Scale, Times};
use super::rule::{End, Rule};
use super::{ActiveModel, zone};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, UnitOfWork};
use crate::appointment::book::{Move, check_time};
use crate::appointment::commands::{cipher_of, require};
use crate::appointment::entity::{self, AppointmentStatus, Column, Entity, Model};
use crate::appointment::event::AppointmentEventKind;
use crate::appointment::history::{History, told};
use crate::appointment::input::{CancelAppointmentInput, RescheduleAppointmentInput, check_texts};
use crate::appointment::occupy::{self, Claim};
use crate::appointment::queries::Busy;
use crate::appointment::waitlist::offer::{Opening, offer};
use crate::appointment::{occupancy, places, rules, status};
use crate::availability::check::Obstacle;
use crate::availability::spans::Span as InstantSpan;
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::id::{AppointmentId, AppointmentSeriesId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::service;

/// What became of moving several occurrences.
#[derive(Debug)]
pub enum Moved {
    /// All of them have their new time.
    Done(Vec<AppointmentId>),
    /// None was moved.
    Taken(Box<InTheWay>),
}

/// Why none of several occurrences was moved.
#[derive(Debug)]
pub struct InTheWay {
    pub rows: Vec<occupancy::Model>,
    pub full: bool,
    pub obstacles: Vec<Obstacle>,
    /// The times of the named occurrence to which all of them could go.
    pub instead: Times,
}

/// Cancels the named occurrence and the others of the scope; answers with all of them.
pub async fn cancel(app: &App, actor: &Actor, input: &CancelAppointmentInput) -> Result<Vec<AppointmentId>> {
    actor.require(Permission::BookAppointments)?;
    check_texts(&[("reason", input.reason.as_ref())])?;

    app.write(actor, move |unit| async move {
        let named = require(&unit, actor, input.id).await?;
        expect_version(named.version, input.expected_version)?;
        let plan = Edit::of(&unit, actor, &named, input.scope).await?;

        let mut cancelled = Vec::with_capacity(plan.affected.len());
        for before in &plan.affected {
            let (to, kind) = (AppointmentStatus::Cancelled, AppointmentEventKind::Cancelled);
            let reason = input.reason.as_deref();
            Box::pin(status::change_status(app, &unit, actor, before.clone(), to, kind, reason)).await?;
            cancelled.push(before.id);
        }
        let first = plan.first()?;
        let (id, patient) = (plan.series.id, plan.series.patient_id);
        let mut row = plan.series.clone().into_active_model();
        row.rule =
            Set(Rule { end: End::Until(first - Duration::minutes(1)), ..plan.rule.clone() }.to_string());
        row.until = Set(plan.kept_until);
        unit.update(row).await?;

        unit.record(Event::by(actor, AuditKind::Write, "series.ended").on(id).of_patient(patient));
        Ok(cancelled)
    })
    .await
}

/// Moves the named occurrence, and the others of the scope by as much on the wall clock.
pub async fn reschedule(app: &App, actor: &Actor, input: &RescheduleAppointmentInput) -> Result<Moved> {
    actor.require(Permission::BookAppointments)?;
    check_texts(&[("reason", input.reason.as_ref())])?;
    if input.override_reason.is_some() {
        return Err(Error::invalid("overrideReason", "An override is for one appointment at a time."));
    }

    app.write(actor, move |unit| async move {
        let named = require(&unit, actor, input.id).await?;
        expect_version(named.version, input.expected_version)?;
        let edit = Edit::of(&unit, actor, &named, input.scope).await?;
        let to = Move::of(&named, input);
        let by = edit.distance(&named, &to)?;
        let plan = edit.shifted(by)?;

        let moved = match edit.weigh(&unit, actor, &named, &to, by).await? {
            Weighed::Fits(moved) => moved,
            Weighed::Taken(why) => return Ok(Moved::Taken(why)),
        };
        let id = edit.store(&unit, actor, plan, &to, &moved).await?;
        edit.write(app, &unit, actor, (id, by), &to, &moved).await?;

        let count = i64::try_from(moved.len()).unwrap_or(i64::MAX);
        let event = Event::by(actor, AuditKind::Write, "series.rescheduled").on(id);
        unit.record(event.of_patient(named.patient_id).with("appointments", count));
        Ok(Moved::Done(moved.into_iter().map(|(before, _)| before.id).collect()))
    })
    .await
}

/// A change of several occurrences, decided upon.
pub(super) struct Edit {
    series: super::Model,
    rule: Rule,
    zone: Tz,
    /// All starts that the rule gives, on the wall clock.
    starts: Vec<NaiveDateTime>,
    exceptions: Vec<NaiveDateTime>,
    /// The appointments that the change is for, by the start that the rule gave them.
    pub(super) affected: Vec<Model>,
    /// When the last one ends that the change is not for.
    kept_until: Option<chrono::DateTime<chrono::Utc>>,
}

/// Where the occurrences would go.
enum Weighed {
    Fits(Vec<(Model, Model)>),
    Taken(Box<InTheWay>),
}

impl Edit {
    async fn of(unit: &UnitOfWork, actor: &Actor, named: &Model, scope: SeriesScope) -> Result<Self> {
        let (Some(id), Some(start)) = (named.series_id, named.series_starts_local.as_deref()) else {
            return Err(Error::invalid("scope", "The appointment is not part of a series."));
        };
        let series = actor.find::<super::Entity>().filter(super::Column::Id.eq(id)).one(&**unit).await?;
        let series = series.ok_or(Error::NotFound)?;
        let unreadable = || Error::conflict("The series cannot be changed any more.");
        let zone: Tz = series.timezone.parse().map_err(|_| unreadable())?;
        let rule = Rule::parse(&series.rule, zone).map_err(|_| unreadable())?;
        let first = parse_local(&series.starts_local).ok_or_else(unreadable)?;
        let starts = rule.expand(first).map_err(|_| unreadable())?;
        let exceptions = series.exception_dates.split(',').filter_map(parse_local).collect();

        let now = unit.clock().now();
        let all: Vec<Model> = actor
            .find::<Entity>()
            .filter(Column::SeriesId.eq(id))
            .order_by_asc(Column::SeriesStartsLocal)
            .all(&**unit)
            .await?;
        let concerns = |one: &Model| {
            let in_scope = match scope {
                SeriesScope::This => one.id == named.id,
                SeriesScope::ThisAndFollowing => one.series_starts_local.as_deref() >= Some(start),
                SeriesScope::AllFuture => true,
            };
            in_scope && rules::can_move(one.status) && one.starts_at > now
        };
        let (affected, kept): (Vec<Model>, Vec<Model>) = all.into_iter().partition(concerns);
        if affected.is_empty()
            || (scope == SeriesScope::ThisAndFollowing && !affected.iter().any(|one| one.id == named.id))
        {
            return Err(Error::conflict(
                "Only what is scheduled or confirmed and has not begun can be changed.",
            ));
        }
        let kept_until = kept.iter().map(|one| one.ends_at).max();
        Ok(Self { series, rule, zone, starts, exceptions, affected, kept_until })
    }

    /// The start of the first occurrence that is changed, as the rule gave it.
    fn first(&self) -> Result<NaiveDateTime> {
        let first = self.affected.first().and_then(given_start);
        first.ok_or_else(|| Error::conflict("The series cannot be changed any more."))
    }

    /// How far the named occurrence goes on the wall clock, from where its rule had it.
    pub(super) fn distance(&self, named: &Model, to: &Move) -> Result<Duration> {
        let from = given_start(named).ok_or(Error::NotFound)?;
        Ok(zone::local(to.starts_at, self.zone) - from)
    }

    /// The series that begins with the first occurrence that is changed.
    pub(super) fn shifted(&self, by: Duration) -> Result<Plan> {
        let cut = self.first()?;
        let rest: Vec<NaiveDateTime> = self.starts.iter().copied().filter(|start| *start >= cut).collect();
        let shift = |start: NaiveDateTime| start.checked_add_signed(by);
        let far = || Error::invalid("startsAt", "The start is too far away.");
        let wanted: Vec<NaiveDateTime> =
            rest.iter().map(|start| shift(*start)).collect::<Option<_>>().ok_or_else(far)?;
        let first = shift(cut).ok_or_else(far)?;
        let mut rule = Rule { end: End::Count(rest.len()), ..self.rule.clone() };
        rule.turn_weekdays((first.date() - cut.date()).num_days());
        // The rule must say what the appointments will do: `BYMONTHDAY=1` cannot be moved to the second.
        if rule.expand(first).as_ref() != Ok(&wanted) {
            return Err(Error::invalid(
                "startsAt",
                "By this rule only the time of day can be changed. Book a new series for other days.",
            ));
        }
        let missing =
            rest.iter().filter(|start| !self.affected.iter().any(|one| given_start(one) == Some(**start)));
        let left_out = self.exceptions.iter().chain(missing).filter(|start| **start >= cut);
        let exceptions: BTreeSet<NaiveDateTime> = left_out.filter_map(|start| shift(*start)).collect();
        Ok(Plan { rule, zone: self.zone, first, exceptions: exceptions.into_iter().collect() })
    }

    /// Whether everything fits where it is to go: with everybody locked, one look at the calendar.
    async fn weigh(
        &self,
        unit: &UnitOfWork,
        actor: &Actor,
        named: &Model,
        to: &Move,
        by: Duration,
    ) -> Result<Weighed> {
        places::lock(unit, actor, named.practitioner_id, named.room_id).await?;
        let scale = Scale::of(unit, actor, self, named, to).await?;
        let moved: Vec<(Model, Model)> =
            self.affected.iter().map(|before| (before.clone(), self.place(before, named, to, by))).collect();
        let claims: Vec<Claim> = moved.iter().map(|(_, after)| scale.claim(after)).collect();
        let spans: Vec<_> = claims.iter().flat_map(Claim::spans).collect();
        let busy = Busy::load(&**unit, &scale.house, &spans, unit.clock().now()).await?;
        let (Some(from), Some(until)) = (
            moved.iter().map(|(_, after)| after.starts_at).min(),
            moved.iter().map(|(_, after)| after.ends_at).max(),
        ) else {
            return Ok(Weighed::Fits(moved));
        };
        let judge = scale.judge(unit, actor, named, InstantSpan::between(from, until)).await?;
        let far = judge.is_too_far(from);
        let (mut rows, mut full, mut obstacles) = (Vec::new(), false, Vec::new());
        for ((_, after), claim) in moved.iter().zip(&claims) {
            check_time(unit, actor, &scale.workspace, after.starts_at, after.ends_at)?;
            let taken = busy.in_the_way(claim, after.service_id, |row| scale.is_own(row));
            full |= taken.full;
            rows.extend(taken.rows);
            for obstacle in scale.against(actor, &judge, after, far) {
                if !obstacles.contains(&obstacle) {
                    obstacles.push(obstacle);
                }
            }
        }
        if rows.is_empty() && obstacles.is_empty() {
            return Ok(Weighed::Fits(moved));
        }
        let instead = Box::pin(instead::times(unit, actor, self, &scale, named, to)).await?;
        Ok(Weighed::Taken(Box::new(InTheWay { rows, full, obstacles, instead })))
    }

    /// The appointment at its new place. One that was moved alone keeps its time, unless it is the named one.
    pub(super) fn place(&self, before: &Model, named: &Model, to: &Move, by: Duration) -> Model {
        let given = given_start(before);
        let moved_alone = given != Some(zone::local(before.starts_at, self.zone)) && before.id != named.id;
        let mut after = before.clone();
        after.practitioner_id = to.places.practitioner;
        after.location_id = to.places.location;
        after.room_id = to.places.room;
        if let (false, Some(given)) = (moved_alone, given) {
            let length =
                to.ends_at.map_or(before.ends_at - before.starts_at, |ends_at| ends_at - to.starts_at);
            after.starts_at = zone::instant(given + by, self.zone);
            after.ends_at = after.starts_at + length;
        }
        after
    }

    /// Ends the series before the change and begins a new one with it.
    async fn store(
        &self,
        unit: &UnitOfWork,
        actor: &Actor,
        plan: Plan,
        to: &Move,
        moved: &[(Model, Model)],
    ) -> Result<AppointmentSeriesId> {
        let cut = self.first()?;
        let minutes = to.ends_at.map_or(i64::from(self.series.duration_minutes), |ends_at| {
            (ends_at - to.starts_at).num_minutes()
        });
        let mut past = self.series.clone().into_active_model();
        past.rule =
            Set(Rule { end: End::Until(cut - Duration::minutes(1)), ..self.rule.clone() }.to_string());
        past.exception_dates =
            Set(exception_text(self.exceptions.iter().copied().filter(|start| *start < cut).collect()));
        past.until = Set(self.kept_until);
        unit.update(past).await?;
        let id = unit.id::<AppointmentSeriesId>();
        unit.insert(ActiveModel {
            id: Set(id),
            patient_id: Set(self.series.patient_id),
            practitioner_id: Set(to.places.practitioner),
            service_id: Set(self.series.service_id),
            rule: Set(plan.rule.to_string()),
            timezone: Set(self.series.timezone.clone()),
            starts_local: Set(local_text(plan.first)),
            duration_minutes: Set(i32::try_from(minutes).unwrap_or(self.series.duration_minutes)),
            exception_dates: Set(exception_text(plan.exceptions)),
            until: Set(moved.iter().map(|(_, after)| after.ends_at).max()),
            created_by: Set(actor.membership),
            ..Default::default()
        })
        .await?;
        Ok(id)
    }

    /// Gives all the old times back before any new one is taken.
    async fn write(
        &self,
        app: &App,
        unit: &UnitOfWork,
        actor: &Actor,
        (series, by): (AppointmentSeriesId, Duration),
        to: &Move,
        moved: &[(Model, Model)],
    ) -> Result<()> {
        for (before, _) in moved {
            occupy::free(unit, actor, before).await?;
        }
        let service = match self.series.service_id {
            Some(id) => Some(service::commands::require(unit, actor, id).await?),
            None => None,
        };
        let Some((any, _)) = moved.first() else { return Ok(()) };
        let cipher = cipher_of(app, unit, actor, any).await?;
        for (before, after) in moved {
            let given = given_start(before).map(|given| local_text(given + by));
            let mut row = before.clone().into_active_model();
            row.starts_at = Set(after.starts_at);
            row.ends_at = Set(after.ends_at);
            row.practitioner_id = Set(after.practitioner_id);
            row.location_id = Set(after.location_id);
            row.room_id = Set(after.room_id);
            row.series_id = Set(Some(series));
            row.series_starts_local = Set(given);
            row.sequence = Set(before.sequence + 1);
            let after = unit.update(row).await?;
            Box::pin(occupy::take(unit, actor, &after, service.as_ref())).await?;
            let past = History {
                kind: AppointmentEventKind::Rescheduled,
                before: Some(before),
                reason: to.reason.as_deref(),
            };
            past.write(unit, actor, &cipher, &after).await?;
            unit.record(told(actor, "appointment.rescheduled", &after));
        }
        for (before, _) in moved {
            Box::pin(offer(unit, actor.workspace, &Opening::of(before))).await?;
        }
        Ok(())
    }
}

/// The start on the wall clock that the rule gave the occurrence.
fn given_start(occurrence: &entity::Model) -> Option<NaiveDateTime> {
    occurrence.series_starts_local.as_deref().and_then(parse_local)
}
