//! What can be done to an appointment. Each command reads: permit, load, decide, write, audit.
//!
//! What a booking takes up is locked while it is loaded: practitioner, then room, then patient. The database's
//! exclusion decides all the same, but on PostgreSQL two bookings that meet in it wait for each other until one
//! is found to be a deadlock, a second later; in a queue for the practitioner they never meet there.

use chrono::{DateTime, Duration, Utc};
use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, QuerySelect, Set};

use super::entity::{self, AppointmentPriority, AppointmentStatus, AppointmentType, Model, PaymentStatus};
use super::event::{self, AppointmentEventKind};
use super::input::{
    BookAppointmentInput, CancelAppointmentInput, CorrectAppointmentStatusInput, RescheduleAppointmentInput,
    UpdateAppointmentInput, check_texts, check_times,
};
use super::occupy;
use super::places::{Places, bookable_patient, offered_service};
use super::rules::{self, Step};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, IdempotencyKey, UnitOfWork};
use crate::crypto::keys::PatientCipher;
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::graphql::input::Problems;
use crate::id::{AppointmentEventId, AppointmentId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::member::entity::Role;
use crate::service::entity::Model as Service;
use crate::workspace::entity::Model as Workspace;
use crate::{patient, service, therapy_session, workspace};

pub async fn book(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &BookAppointmentInput,
) -> Result<AppointmentId> {
    actor.require(Permission::BookAppointments)?;
    permit_override(actor, input.override_reason.as_deref())?;
    check_texts(&[("reason", input.reason.as_ref()), ("notes", input.notes.as_ref())])?;
    if input.notes.is_some() {
        actor.require(Permission::WriteClinical)?;
    }

    app.write_once(actor, key, move |unit| async move {
        let workspace = workspace_of(&unit, actor).await?;
        let service = match input.service_id {
            Some(id) => Some(offered_service(&unit, actor, id).await?),
            None => None,
        };
        let places =
            Places { practitioner: input.practitioner_id, location: input.location_id, room: input.room_id };
        places.require(&unit, actor, &workspace, service.as_ref()).await?;
        let patient = bookable_patient(&unit, actor, input.patient_id).await?;

        let now = unit.clock().now();
        let ends_at = end_of(input.starts_at, input.ends_at, service.as_ref())?;
        let mut problems = Problems::default();
        check_times(&mut problems, input.starts_at, ends_at, now);
        check_past(&mut problems, actor, &workspace, input.starts_at, now);
        let timezone = input.timezone.clone().unwrap_or_else(|| workspace.timezone.clone());
        if timezone.parse::<chrono_tz::Tz>().is_err() {
            problems.add("timezone", "This is not an IANA time zone.");
        }
        problems.ok()?;

        let id = unit.id::<AppointmentId>();
        let cipher = app.keys.patient(&**unit, actor, patient.id, patient.key_version).await?;
        let appointment = unit
            .insert(entity::ActiveModel {
                id: Set(id),
                patient_id: Set(patient.id),
                practitioner_id: Set(input.practitioner_id),
                service_id: Set(input.service_id),
                location_id: Set(input.location_id),
                room_id: Set(input.room_id),
                starts_at: Set(input.starts_at),
                ends_at: Set(ends_at),
                timezone: Set(timezone),
                appointment_type: Set(kind_of(input.appointment_type, service.as_ref())),
                priority: Set(input.priority.unwrap_or(AppointmentPriority::Normal)),
                status: Set(AppointmentStatus::Scheduled),
                payment_status: Set(PaymentStatus::NotPaid),
                price_minor: Set(service.as_ref().and_then(|service| service.price_minor)),
                reason: Set(cipher.seal_some(id, "reason", input.reason.as_deref())),
                notes: Set(cipher.seal_some(id, "notes", input.notes.as_deref())),
                buffer_before_minutes: Set(service
                    .as_ref()
                    .map_or(0, |service| service.buffer_before_minutes)),
                buffer_after_minutes: Set(service.as_ref().map_or(0, |service| service.buffer_after_minutes)),
                late_cancellation: Set(false),
                sequence: Set(0),
                is_override: Set(input.override_reason.is_some()),
                created_by: Set(actor.membership),
                ..Default::default()
            })
            .await?;
        occupy::take(&unit, &appointment).await?;
        let past = History {
            kind: AppointmentEventKind::Booked,
            before: None,
            reason: input.override_reason.as_deref(),
        };
        past.write(&unit, actor, &cipher, &appointment).await?;

        unit.record(told(actor, "appointment.booked", &appointment));
        Ok(id)
    })
    .await
}

pub async fn reschedule(app: &App, actor: &Actor, input: &RescheduleAppointmentInput) -> Result<()> {
    actor.require(Permission::BookAppointments)?;
    permit_override(actor, input.override_reason.as_deref())?;
    check_texts(&[("reason", input.reason.as_ref())])?;

    app.write(actor, move |unit| async move {
        let before = require(&unit, actor, input.id).await?;
        expect_version(before.version, input.expected_version)?;
        let workspace = workspace_of(&unit, actor).await?;
        let service = match before.service_id {
            Some(id) => Some(service::commands::require(&unit, actor, id).await?),
            None => None,
        };
        let places = Places {
            practitioner: input.practitioner_id.unwrap_or(before.practitioner_id),
            location: patched(&input.location_id, before.location_id),
            room: patched(&input.room_id, before.room_id),
        };
        places.require(&unit, actor, &workspace, service.as_ref()).await?;

        if !rules::can_move(before.status) {
            return Err(Error::conflict("Only an appointment that is scheduled or confirmed can be moved."));
        }
        let now = unit.clock().now();
        let ends_at = input
            .ends_at
            .or_else(|| later(input.starts_at, before.ends_at - before.starts_at))
            .ok_or_else(|| Error::invalid("startsAt", "The start is too far away."))?;
        let mut problems = Problems::default();
        check_times(&mut problems, input.starts_at, ends_at, now);
        check_past(&mut problems, actor, &workspace, input.starts_at, now);
        problems.ok()?;

        let mut row = before.clone().into_active_model();
        row.starts_at = Set(input.starts_at);
        row.ends_at = Set(ends_at);
        row.practitioner_id = Set(places.practitioner);
        row.location_id = Set(places.location);
        row.room_id = Set(places.room);
        row.is_override = Set(input.override_reason.is_some());
        row.sequence = Set(before.sequence + 1);
        let after = unit.update(row).await?;
        occupy::free(&unit, &before).await?;
        occupy::take(&unit, &after).await?;
        let reason = input.reason.as_deref().or(input.override_reason.as_deref());
        let past = History { kind: AppointmentEventKind::Rescheduled, before: Some(&before), reason };
        let cipher = cipher_of(app, &unit, actor, &after).await?;
        past.write(&unit, actor, &cipher, &after).await?;

        unit.record(told(actor, "appointment.rescheduled", &after));
        Ok(())
    })
    .await
}

pub async fn update(app: &App, actor: &Actor, input: &UpdateAppointmentInput) -> Result<()> {
    actor.require(Permission::ManageAppointments)?;
    check_texts(&[("reason", input.reason.value()), ("notes", input.notes.value())])?;
    if !input.notes.is_undefined() {
        actor.require(Permission::WriteClinical)?;
    }

    app.write(actor, move |unit| async move {
        let before = require(&unit, actor, input.id).await?;
        expect_version(before.version, input.expected_version)?;

        let cipher = cipher_of(app, &unit, actor, &before).await?;
        let mut row = before.clone().into_active_model();
        crate::graphql::input::set(&mut row.priority, input.priority);
        crate::graphql::input::set(&mut row.appointment_type, input.appointment_type);
        if !input.reason.is_undefined() {
            row.reason = Set(cipher.seal_some(input.id, "reason", input.reason.value().map(String::as_str)));
        }
        if !input.notes.is_undefined() {
            row.notes = Set(cipher.seal_some(input.id, "notes", input.notes.value().map(String::as_str)));
        }
        let after = unit.update(row).await?;
        let past = History { kind: AppointmentEventKind::Edited, before: Some(&before), reason: None };
        past.write(&unit, actor, &cipher, &after).await?;

        unit.record(told(actor, "appointment.updated", &after));
        Ok(())
    })
    .await
}

/// Confirms, starts or completes an appointment, or marks that the patient did not come.
pub async fn advance(
    app: &App,
    actor: &Actor,
    id: AppointmentId,
    version: i32,
    to: AppointmentStatus,
) -> Result<()> {
    actor.require(Permission::ManageAppointments)?;

    app.write(actor, move |unit| async move {
        let before = require(&unit, actor, id).await?;
        expect_version(before.version, version)?;

        let Step::Forward(kind) = rules::step(before.status, to) else {
            return Err(no_step(before.status, to));
        };
        let now = unit.clock().now();
        if to == AppointmentStatus::NoShow {
            let grace = workspace_of(&unit, actor).await?.no_show_grace_minutes;
            if !rules::is_missed(before.starts_at, grace, now) {
                return Err(Error::conflict("A no-show can be marked only once the appointment has begun."));
            }
        }

        change_status(app, &unit, actor, before, to, kind, None).await
    })
    .await
}

pub async fn cancel(app: &App, actor: &Actor, input: &CancelAppointmentInput) -> Result<()> {
    actor.require(Permission::BookAppointments)?;
    check_texts(&[("reason", input.reason.as_ref())])?;

    app.write(actor, move |unit| async move {
        let before = require(&unit, actor, input.id).await?;
        expect_version(before.version, input.expected_version)?;

        let to = AppointmentStatus::Cancelled;
        if actor.role == Role::Patient
            && (!rules::can_move(before.status) || before.starts_at <= unit.clock().now())
        {
            return Err(Error::conflict("It has begun; ask the practice."));
        }
        let Step::Forward(kind) = rules::step(before.status, to) else {
            return Err(no_step(before.status, to));
        };

        change_status(app, &unit, actor, before, to, kind, input.reason.as_deref()).await
    })
    .await
}

/// Puts a status right after the fact.
pub async fn correct(app: &App, actor: &Actor, input: &CorrectAppointmentStatusInput) -> Result<()> {
    actor.require(Permission::CorrectAppointments)?;
    let mut problems = Problems::default();
    problems.text("reason", &input.reason, super::input::TEXT);
    problems.ok()?;

    app.write(actor, move |unit| async move {
        let before = require(&unit, actor, input.id).await?;
        expect_version(before.version, input.expected_version)?;

        let Step::Correction(kind) = rules::step(before.status, input.status) else {
            return Err(no_step(before.status, input.status));
        };
        if before.status == AppointmentStatus::Completed && has_note(&unit, actor, before.id).await? {
            return Err(Error::conflict("The appointment has a session note, so it took place."));
        }

        change_status(app, &unit, actor, before, input.status, kind, Some(&input.reason)).await
    })
    .await
}

/// Writes the new status with what follows from it: the time taken or given back, the history, the journal.
async fn change_status(
    app: &App,
    unit: &UnitOfWork,
    actor: &Actor,
    before: Model,
    to: AppointmentStatus,
    kind: AppointmentEventKind,
    reason: Option<&str>,
) -> Result<()> {
    let now = unit.clock().now();
    let cipher = cipher_of(app, unit, actor, &before).await?;
    let mut row = before.clone().into_active_model();
    row.status = Set(to);
    match to {
        AppointmentStatus::InProgress => row.started_at = Set(Some(now)),
        AppointmentStatus::Completed => row.completed_at = Set(Some(now)),
        AppointmentStatus::Cancelled => {
            let notice = workspace_of(unit, actor).await?.late_cancellation_hours;
            row.cancelled_at = Set(Some(now));
            row.cancellation_reason = Set(cipher.seal_some(before.id, "cancellation_reason", reason));
            row.late_cancellation = Set(rules::is_late(before.starts_at, notice, now));
            row.sequence = Set(before.sequence + 1);
        }
        AppointmentStatus::Scheduled => {
            row.cancelled_at = Set(None);
            row.cancellation_reason = Set(None);
            row.late_cancellation = Set(false);
            row.completed_at = Set(None);
            row.sequence = Set(before.sequence + 1);
        }
        AppointmentStatus::Confirmed | AppointmentStatus::NoShow => {}
    }
    let after = unit.update(row).await?;
    match (rules::occupies(before.status), rules::occupies(to)) {
        (true, false) => occupy::free(unit, &after).await?,
        (false, true) => occupy::take(unit, &after).await?,
        _ => {}
    }
    History { kind, before: Some(&before), reason }.write(unit, actor, &cipher, &after).await?;

    unit.record(told(actor, action_of(kind), &after));
    Ok(())
}

/// One line of an appointment's history.
struct History<'a> {
    kind: AppointmentEventKind,
    before: Option<&'a Model>,
    reason: Option<&'a str>,
}

impl History<'_> {
    async fn write(
        &self,
        unit: &UnitOfWork,
        actor: &Actor,
        cipher: &PatientCipher,
        after: &Model,
    ) -> Result<()> {
        let id = unit.id::<AppointmentEventId>();
        let moved = self
            .before
            .is_none_or(|before| (before.starts_at, before.ends_at) != (after.starts_at, after.ends_at));
        unit.insert(event::ActiveModel {
            id: Set(id),
            appointment_id: Set(after.id),
            kind: Set(self.kind),
            from_status: Set(self.before.map(|before| before.status)),
            to_status: Set(after.status),
            from_starts_at: Set(self.before.filter(|_| moved).map(|before| before.starts_at)),
            from_ends_at: Set(self.before.filter(|_| moved).map(|before| before.ends_at)),
            to_starts_at: Set(moved.then_some(after.starts_at)),
            to_ends_at: Set(moved.then_some(after.ends_at)),
            reason: Set(cipher.seal_some(id, "reason", self.reason)),
            actor_id: Set(actor.membership),
            occurred_at: Set(unit.clock().now()),
            ..Default::default()
        })
        .await?;
        Ok(())
    }
}

fn told(actor: &Actor, action: &'static str, appointment: &Model) -> Event {
    Event::by(actor, AuditKind::Write, action)
        .on(appointment.id)
        .of_patient(appointment.patient_id)
        .with("override", appointment.is_override)
}

fn action_of(kind: AppointmentEventKind) -> &'static str {
    match kind {
        AppointmentEventKind::Booked => "appointment.booked",
        AppointmentEventKind::Rescheduled => "appointment.rescheduled",
        AppointmentEventKind::Confirmed => "appointment.confirmed",
        AppointmentEventKind::Started => "appointment.started",
        AppointmentEventKind::Completed => "appointment.completed",
        AppointmentEventKind::Cancelled => "appointment.cancelled",
        AppointmentEventKind::NoShow => "appointment.no_show",
        AppointmentEventKind::Reopened => "appointment.reopened",
        AppointmentEventKind::Corrected => "appointment.corrected",
        AppointmentEventKind::Edited => "appointment.updated",
    }
}

fn no_step(from: AppointmentStatus, to: AppointmentStatus) -> Error {
    use sea_orm::ActiveEnum;
    Error::conflict(format!("An appointment that is {} cannot become {}.", from.to_value(), to.to_value()))
}

fn patched<T: Copy>(patch: &async_graphql::MaybeUndefined<T>, present: Option<T>) -> Option<T> {
    if patch.is_undefined() { present } else { patch.value().copied() }
}

fn permit_override(actor: &Actor, reason: Option<&str>) -> Result<()> {
    let Some(reason) = reason else { return Ok(()) };
    actor.require(Permission::OverrideBooking)?;
    let mut problems = Problems::default();
    problems.text("overrideReason", reason, super::input::TEXT);
    problems.ok()
}

fn check_past(
    problems: &mut Problems,
    actor: &Actor,
    workspace: &Workspace,
    starts_at: DateTime<Utc>,
    now: DateTime<Utc>,
) {
    if starts_at < now && !(workspace.allow_past_booking && actor.may(Permission::BookInThePast)) {
        problems.add("startsAt", "The start is in the past.");
    }
}

/// A sum that does not overflow, whatever instant a client sends.
fn later(at: DateTime<Utc>, by: Duration) -> Option<DateTime<Utc>> {
    at.checked_add_signed(by)
}

fn end_of(
    starts_at: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
    service: Option<&Service>,
) -> Result<DateTime<Utc>> {
    match (ends_at, service) {
        (Some(ends_at), _) => Ok(ends_at),
        (None, Some(service)) => later(starts_at, Duration::minutes(service.duration_minutes.into()))
            .ok_or_else(|| Error::invalid("startsAt", "The start is too far away.")),
        (None, None) => Err(Error::invalid("endsAt", "Give an end, or a service that has a duration.")),
    }
}

fn kind_of(given: Option<AppointmentType>, service: Option<&Service>) -> AppointmentType {
    given.or(service.map(|service| service.appointment_type)).unwrap_or(AppointmentType::Consultation)
}

async fn workspace_of(unit: &UnitOfWork, actor: &Actor) -> Result<Workspace> {
    workspace::queries::require(&**unit, actor.workspace).await
}

async fn cipher_of(
    app: &App,
    unit: &UnitOfWork,
    actor: &Actor,
    appointment: &Model,
) -> Result<PatientCipher> {
    let patient = actor
        .find::<patient::entity::Entity>()
        .filter(patient::entity::Column::Id.eq(appointment.patient_id))
        .lock(LockType::NoKeyUpdate)
        .one(&**unit)
        .await?
        .ok_or(Error::NotFound)?;
    app.keys.patient(&**unit, actor, patient.id, patient.key_version).await
}

async fn has_note(unit: &UnitOfWork, actor: &Actor, id: AppointmentId) -> Result<bool> {
    use therapy_session::entity::{Column, Entity};
    let note = actor
        .find::<Entity>()
        .filter(Column::AppointmentId.eq(id))
        .filter(Column::DeletedAt.is_null())
        .one(&**unit)
        .await?;
    Ok(note.is_some())
}

/// The appointment for a change, or `NotFound`.
async fn require(unit: &UnitOfWork, actor: &Actor, id: AppointmentId) -> Result<Model> {
    let found = actor.find::<entity::Entity>().filter(entity::Column::Id.eq(id)).one(&**unit).await?;
    found.ok_or(Error::NotFound)
}
