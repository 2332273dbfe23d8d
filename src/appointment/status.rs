//! The course of an appointment: each step reads permit, load, decide, write, audit.

use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};

use super::commands::{cipher_of, require, workspace_of};
use super::entity::{AppointmentStatus, Model};
use super::event::AppointmentEventKind;
use super::history::{History, action_of, told};
use super::input::{CancelAppointmentInput, CorrectAppointmentStatusInput, check_texts};
use super::rules::{self, Step};
use super::waitlist::offer::Opening;
use super::{occupy, places, waitlist};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, UnitOfWork};
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::graphql::input::Problems;
use crate::id::AppointmentId;
use crate::member::entity::Role;
use crate::{service, therapy_session};

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
pub async fn change_status(
    app: &App,
    unit: &UnitOfWork,
    actor: &Actor,
    before: Model,
    to: AppointmentStatus,
    kind: AppointmentEventKind,
    reason: Option<&str>,
) -> Result<()> {
    let now = unit.clock().now();
    // In the order of every booking, so that the two do not wait for each other.
    places::lock(unit, actor, before.practitioner_id, before.room_id).await?;
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
        (true, false) => occupy::free(unit, actor, &after).await?,
        (false, true) => {
            let service = match after.service_id {
                Some(id) => Some(service::commands::require(unit, actor, id).await?),
                None => None,
            };
            occupy::take(unit, actor, &after, service.as_ref()).await?;
        }
        _ => {}
    }
    History { kind, before: Some(&before), reason }.write(unit, actor, &cipher, &after).await?;

    unit.record(told(actor, action_of(kind), &after));
    if rules::occupies(before.status) && !rules::occupies(to) {
        Box::pin(waitlist::offer::offer(unit, actor.workspace, &Opening::of(&before))).await?;
    }
    Ok(())
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

fn no_step(from: AppointmentStatus, to: AppointmentStatus) -> Error {
    use sea_orm::ActiveEnum;
    Error::conflict(format!("An appointment that is {} cannot become {}.", from.to_value(), to.to_value()))
}
