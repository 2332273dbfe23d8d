//! Writing the outbox: which messages follow from what happened to an appointment or to the waiting list.

use chrono::{DateTime, Duration, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Set};

use super::entity::{ActiveModel, Column, Entity, ReminderChannel, ReminderRecipient, ReminderState};
use super::notification_setting::{self, Model as Settings};
use super::rules::{Kind, Quiet, is_expected, minutes_of, zone_of};
use crate::access::actor::Actor;
use crate::app::UnitOfWork;
use crate::appointment::entity::{self as appointment, AppointmentStatus, Model as Appointment};
use crate::appointment::event::AppointmentEventKind;
use crate::appointment::hold::{self, Model as Hold};
use crate::appointment::places::Party;
use crate::crypto::keys::PatientCipher;
use crate::error::Result;
use crate::id::{AppointmentHoldId, MembershipId, PatientId, ReminderId};
use crate::workspace::entity::Model as Workspace;
use crate::{patient, workspace};

/// So many appointments are gone through when somebody changes their mind about reminders.
const AHEAD: u64 = 500;

/// Rows of one statement.
const CHUNK: usize = 500;

/// Follows a change of an appointment: calls off what it makes wrong, and plans what it makes due.
pub async fn follow(
    unit: &UnitOfWork,
    actor: &Actor,
    cipher: &PatientCipher,
    kind: AppointmentEventKind,
    before: Option<&Appointment>,
    after: &Appointment,
) -> Result<()> {
    let holds = |row: &Appointment| {
        is_expected(row.status)
            && (row.starts_at, row.practitioner_id) == (after.starts_at, after.practitioner_id)
    };
    let (planned, wanted) = (before.is_some_and(holds), holds(after));
    if before.is_some() && !wanted || before.is_some_and(|before| !holds(before)) {
        call_off(unit, actor, Column::AppointmentId.eq(after.id)).await?;
    }
    if after.starts_at <= unit.clock().now() {
        return Ok(());
    }
    let settings = settings_of(unit, actor, after.practitioner_id).await?;
    let mut rows = Vec::new();
    if wanted && !planned {
        let patient = patient::commands::require(unit, actor, after.patient_id).await?;
        let workspace = workspace::queries::require(&**unit, actor.workspace).await?;
        rows.extend(for_patient(unit, &workspace, &patient, cipher, after)?);
        rows.extend(settings.as_ref().and_then(|settings| for_practitioner(unit, settings, after)));
    }
    rows.extend(settings.and_then(|settings| notice(unit, actor, &settings, kind, after)));
    put(unit, rows).await
}

/// The same for a booking, which knows all that it takes to tell.
pub async fn follow_booking(
    unit: &UnitOfWork,
    actor: &Actor,
    cipher: &PatientCipher,
    party: &Party,
    after: &Appointment,
) -> Result<()> {
    if after.starts_at <= unit.clock().now() {
        return Ok(());
    }
    let mut rows = Vec::new();
    if is_expected(after.status) {
        rows.extend(for_patient(unit, &party.workspace, &party.patient, cipher, after)?);
        rows.extend(party.settings.as_ref().and_then(|settings| for_practitioner(unit, settings, after)));
    }
    let settings = party.settings.as_ref();
    rows.extend(
        settings.and_then(|settings| notice(unit, actor, settings, AppointmentEventKind::Booked, after)),
    );
    put(unit, rows).await
}

/// Plans what follows from the booking of a series: a reminder of each appointment, one notice of all of them.
pub async fn follow_series(
    unit: &UnitOfWork,
    actor: &Actor,
    cipher: &PatientCipher,
    rows: &[Appointment],
) -> Result<()> {
    let now = unit.clock().now();
    let ahead: Vec<&Appointment> = rows.iter().filter(|row| row.starts_at > now).collect();
    let Some(first) = ahead.first() else { return Ok(()) };
    let settings = settings_of(unit, actor, first.practitioner_id).await?;
    let patient = patient::commands::require(unit, actor, first.patient_id).await?;
    let workspace = workspace::queries::require(&**unit, actor.workspace).await?;
    let mut planned: Vec<ActiveModel> = settings
        .as_ref()
        .and_then(|settings| notice(unit, actor, settings, AppointmentEventKind::Booked, first))
        .into_iter()
        .collect();
    for row in ahead {
        planned.extend(for_patient(unit, &workspace, &patient, cipher, row)?);
        planned.extend(settings.as_ref().and_then(|settings| for_practitioner(unit, settings, row)));
    }
    put(unit, planned).await
}

/// Tells a patient of the waiting list of the slot that is kept for them, if they agreed to messages.
pub async fn follow_offer(unit: &UnitOfWork, actor: &Actor, held: &Hold) -> Result<()> {
    let Some(patient) = held.patient_id else { return Ok(()) };
    let patient = patient::commands::require(unit, actor, patient).await?;
    let rows = if patient.reminder_consent { vec![of_offer(unit, held)] } else { Vec::new() };
    store(unit, rows, revive([Column::WorkspaceId, Column::HoldId])).await
}

/// Calls off the message about an offer that is over.
pub async fn call_off_offer(unit: &UnitOfWork, actor: &Actor, held: AppointmentHoldId) -> Result<()> {
    call_off(unit, actor, Column::HoldId.eq(held)).await
}

/// Plans the messages of a patient who has just agreed to them: about everything that they are expected to, and
/// about the slots that are kept for them.
pub async fn for_all_of_patient(
    unit: &UnitOfWork,
    actor: &Actor,
    patient: &patient::entity::Model,
    cipher: &PatientCipher,
) -> Result<()> {
    let workspace = workspace::queries::require(&**unit, actor.workspace).await?;
    let mut rows = Vec::new();
    for row in ahead(unit, actor, appointment::Column::PatientId.eq(patient.id)).await? {
        rows.extend(for_patient(unit, &workspace, patient, cipher, &row)?);
    }
    put(unit, rows).await?;
    let kept = actor
        .find::<hold::Entity>()
        .filter(hold::Column::PatientId.eq(patient.id))
        .filter(hold::Column::ForWaitlist.eq(true))
        .filter(hold::Column::ReleasedAt.is_null())
        .filter(hold::Column::ExpiresAt.gt(unit.clock().now()))
        .all(&**unit)
        .await?;
    let rows = kept.iter().map(|held| of_offer(unit, held)).collect();
    store(unit, rows, revive([Column::WorkspaceId, Column::HoldId])).await
}

/// Plans a practitioner's own reminders anew, who has just changed when they want them.
pub async fn for_all_of_practitioner(unit: &UnitOfWork, actor: &Actor, settings: &Settings) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(ReminderState::Cancelled))
        .filter(Column::WorkspaceId.eq(actor.workspace))
        .filter(Column::MembershipId.eq(settings.membership_id))
        .filter(Column::Kind.starts_with("before_"))
        .filter(Column::State.eq(ReminderState::Pending))
        .exec(&**unit)
        .await?;
    let appointments =
        ahead(unit, actor, appointment::Column::PractitionerId.eq(settings.membership_id)).await?;
    put(unit, appointments.iter().filter_map(|row| for_practitioner(unit, settings, row)).collect()).await
}

/// Calls off what waits for a patient who does not want it any more.
pub async fn call_off_patient(unit: &UnitOfWork, actor: &Actor, patient: PatientId) -> Result<()> {
    let theirs = actor
        .find::<appointment::Entity>()
        .select_only()
        .column(appointment::Column::Id)
        .filter(appointment::Column::PatientId.eq(patient))
        .into_query();
    let kept = actor
        .find::<hold::Entity>()
        .select_only()
        .column(hold::Column::Id)
        .filter(hold::Column::PatientId.eq(patient))
        .into_query();
    for about in [Column::AppointmentId.in_subquery(theirs), Column::HoldId.in_subquery(kept)] {
        call_off(unit, actor, Column::Recipient.eq(ReminderRecipient::Patient).and(about)).await?;
    }
    Ok(())
}

/// Adds the agendas that are due, unless another node was faster.
pub async fn put_agendas(unit: &UnitOfWork, agendas: &[(MembershipId, Kind, DateTime<Utc>)]) -> Result<()> {
    let rows = agendas.iter().map(|(member, kind, due)| ActiveModel {
        membership_id: Set(Some(*member)),
        starts_at: Set(*due),
        ..row(unit, ReminderRecipient::Member, *kind, *due)
    });
    let nothing = OnConflict::new().do_nothing().to_owned();
    store(unit, rows.collect(), nothing).await
}

async fn call_off(unit: &UnitOfWork, actor: &Actor, which: SimpleExpr) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(ReminderState::Cancelled))
        .col_expr(Column::UpdatedAt, Expr::value(unit.clock().now()))
        .filter(Column::WorkspaceId.eq(actor.workspace))
        .filter(which)
        .filter(Column::State.eq(ReminderState::Pending))
        .exec(&**unit)
        .await?;
    Ok(())
}

/// The next appointments of somebody that are still expected.
async fn ahead(unit: &UnitOfWork, actor: &Actor, whose: SimpleExpr) -> Result<Vec<Appointment>> {
    let rows = actor
        .find::<appointment::Entity>()
        .filter(whose)
        .filter(appointment::Column::StartsAt.gt(unit.clock().now()))
        .filter(
            appointment::Column::Status.is_in([AppointmentStatus::Scheduled, AppointmentStatus::Confirmed]),
        )
        .order_by_asc(appointment::Column::StartsAt)
        .limit(AHEAD)
        .all(&**unit)
        .await?;
    Ok(rows)
}

pub async fn settings_of(unit: &UnitOfWork, actor: &Actor, member: MembershipId) -> Result<Option<Settings>> {
    Ok(settings_query(actor, member).one(&**unit).await?)
}

pub fn settings_query(actor: &Actor, member: MembershipId) -> Select<notification_setting::Entity> {
    let own = notification_setting::Column::MembershipId.eq(member);
    actor.find::<notification_setting::Entity>().filter(own)
}

/// The patient's reminders of one appointment.
fn for_patient(
    unit: &UnitOfWork,
    workspace: &Workspace,
    patient: &patient::entity::Model,
    cipher: &PatientCipher,
    of: &Appointment,
) -> Result<Vec<ActiveModel>> {
    if !patient.reminder_consent {
        return Ok(Vec::new());
    }
    let zone = match &patient.timezone {
        Some(sealed) => zone_of(&cipher.open(patient.id, "timezone", sealed)?),
        None => zone_of(&of.timezone),
    };
    let quiet = Quiet::of(workspace, zone);
    let now = unit.clock().now();
    let due = minutes_of(&workspace.reminder_minutes)
        .into_iter()
        .map(|minutes| (Kind::Before(minutes), quiet.due(of.starts_at, minutes)))
        .filter(|(_, due)| *due > now);
    Ok(due.map(|(kind, due)| about(of, row(unit, ReminderRecipient::Patient, kind, due))).collect())
}

/// The practitioner's own reminder of one appointment.
fn for_practitioner(unit: &UnitOfWork, settings: &Settings, of: &Appointment) -> Option<ActiveModel> {
    let due = of.starts_at - Duration::minutes(settings.reminder_minutes.into());
    if !(settings.email_enabled && settings.reminder_enabled && due > unit.clock().now()) {
        return None;
    }
    let kind = Kind::Before(settings.reminder_minutes);
    Some(to(settings.membership_id, about(of, row(unit, ReminderRecipient::Member, kind, due))))
}

/// Tells the practitioner what somebody else did to their calendar.
fn notice(
    unit: &UnitOfWork,
    actor: &Actor,
    settings: &Settings,
    kind: AppointmentEventKind,
    of: &Appointment,
) -> Option<ActiveModel> {
    let (kind, wanted) = match kind {
        AppointmentEventKind::Booked => (Kind::Booked, settings.notify_booked),
        AppointmentEventKind::Rescheduled => (Kind::Rescheduled, settings.notify_rescheduled),
        AppointmentEventKind::Confirmed => (Kind::Confirmed, settings.notify_confirmed),
        AppointmentEventKind::Cancelled => (Kind::Cancelled, settings.notify_cancelled),
        AppointmentEventKind::Started
        | AppointmentEventKind::Completed
        | AppointmentEventKind::NoShow
        | AppointmentEventKind::Reopened
        | AppointmentEventKind::Corrected
        | AppointmentEventKind::Edited => return None,
    };
    if !(settings.email_enabled && wanted) || actor.membership == Some(settings.membership_id) {
        return None;
    }
    let row = row(unit, ReminderRecipient::Member, kind, unit.clock().now());
    Some(to(settings.membership_id, about(of, row)))
}

fn row(unit: &UnitOfWork, recipient: ReminderRecipient, kind: Kind, due: DateTime<Utc>) -> ActiveModel {
    let now = unit.clock().now();
    ActiveModel {
        id: Set(unit.id::<ReminderId>()),
        appointment_id: Set(None),
        hold_id: Set(None),
        membership_id: Set(None),
        recipient: Set(recipient),
        channel: Set(ReminderChannel::Email),
        kind: Set(kind.to_string()),
        due_at: Set(due),
        state: Set(ReminderState::Pending),
        attempts: Set(0),
        lease_until: Set(None),
        lease_owner: Set(None),
        sent_at: Set(None),
        last_error: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    }
}

fn about(of: &Appointment, row: ActiveModel) -> ActiveModel {
    ActiveModel { appointment_id: Set(Some(of.id)), starts_at: Set(of.starts_at), ..row }
}

/// The message about a slot that is kept for a patient: due at once.
fn of_offer(unit: &UnitOfWork, held: &Hold) -> ActiveModel {
    let row = row(unit, ReminderRecipient::Patient, Kind::Offer, unit.clock().now());
    ActiveModel { hold_id: Set(Some(held.id)), starts_at: Set(held.starts_at), ..row }
}

fn to(member: MembershipId, row: ActiveModel) -> ActiveModel {
    ActiveModel { membership_id: Set(Some(member)), ..row }
}

/// Stores reminders of appointments. One that was called off for the same start comes to life again, as does one
/// that went to another practitioner; one that was sent stays sent.
async fn put(unit: &UnitOfWork, rows: Vec<ActiveModel>) -> Result<()> {
    let key = [Column::WorkspaceId, Column::AppointmentId, Column::Recipient, Column::Kind, Column::StartsAt];
    store(unit, rows, revive(key)).await
}

fn revive(key: impl IntoIterator<Item = Column>) -> OnConflict {
    OnConflict::columns(key)
        .update_columns([
            Column::MembershipId,
            Column::DueAt,
            Column::State,
            Column::Attempts,
            Column::LeaseUntil,
            Column::LeaseOwner,
            Column::SentAt,
            Column::LastError,
            Column::UpdatedAt,
        ])
        .action_and_where(Expr::cust(
            "reminders.state = 'CANCELLED' OR reminders.membership_id IS DISTINCT FROM excluded.membership_id",
        ))
        .to_owned()
}

async fn store(unit: &UnitOfWork, mut rows: Vec<ActiveModel>, conflict: OnConflict) -> Result<()> {
    // Both engines limit the values of one statement.
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(CHUNK));
        unit.put_or(rows, conflict.clone()).await?;
        rows = rest;
    }
    Ok(())
}
