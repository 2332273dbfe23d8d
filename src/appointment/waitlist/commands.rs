//! What can be done with an entry of the waiting list.

use chrono::Duration;
use sea_orm::{ColumnTrait, IntoActiveModel, PaginatorTrait, QueryFilter, Set};

use super::input::{AcceptWaitlistOfferInput, JoinWaitlistInput, WaitlistEntryInput};
use super::offer::{self, Opening};
use super::{ActiveModel, Column, Entity, Model, WaitlistStatus};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, IdempotencyKey, UnitOfWork};
use crate::appointment::book::Booking;
use crate::appointment::entity::AppointmentPriority;
use crate::appointment::hold;
use crate::appointment::hold::commands as holds;
use crate::appointment::input::check_texts;
use crate::appointment::places::{Places, bookable_patient, offered_service};
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::graphql::input::Problems;
use crate::id::{AppointmentId, WaitlistEntryId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::member::entity::Role;
use crate::{member, room};

/// For how many slots a patient can wait at a time.
const MOST: u64 = 10;

pub async fn join(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &JoinWaitlistInput,
) -> Result<WaitlistEntryId> {
    actor.require(Permission::BookAppointments)?;
    if input.priority.is_some() {
        actor.require(Permission::ManageAppointments)?;
    }
    check_texts(&[("note", input.note.as_ref())])?;
    let own = if actor.role == Role::Patient { actor.patient } else { None };
    let patient = input.patient_id.or(own).ok_or_else(|| Error::invalid("patientId", "Say who waits."))?;

    app.write_once(actor, key, move |unit| async move {
        let now = unit.clock().now();
        let mut problems = Problems::default();
        problems.range("priority", input.priority.unwrap_or(0), -100..=100);
        if input.latest <= input.earliest {
            problems.add("latest", "Must be after the earliest start.");
        }
        if input.latest <= now || input.latest > now + Duration::days(366) {
            problems.add("latest", "Must be within a year from now.");
        }
        if input.earliest < now - Duration::days(36_525) {
            problems.add("earliest", "Is too far away.");
        }
        if let Some(id) = input.practitioner_id {
            let member = actor.find::<member::entity::Entity>().filter(member::entity::Column::Id.eq(id));
            match member.one(&**unit).await? {
                None => problems.add("practitionerId", "Not found."),
                Some(member) if !(member.is_active && member.is_bookable) => {
                    problems.add("practitionerId", "This member cannot be booked.");
                }
                Some(_) => {}
            }
        }
        problems.ok()?;
        if let Some(id) = input.service_id {
            offered_service(&unit, actor, id).await?;
        }
        let patient = bookable_patient(&unit, actor, patient).await?;
        let waiting = actor
            .find::<Entity>()
            .filter(Column::PatientId.eq(patient.id))
            .filter(Column::Status.is_in([WaitlistStatus::Waiting, WaitlistStatus::Offered]))
            .count(&**unit)
            .await?;
        if waiting >= MOST {
            return Err(Error::conflict(format!("A patient can wait for {MOST} slots at a time.")));
        }

        let id = unit.id::<WaitlistEntryId>();
        let cipher = app.keys.patient(&**unit, actor, patient.id, patient.key_version).await?;
        unit.insert(ActiveModel {
            id: Set(id),
            patient_id: Set(patient.id),
            service_id: Set(input.service_id),
            practitioner_id: Set(input.practitioner_id),
            earliest: Set(input.earliest),
            latest: Set(input.latest),
            priority: Set(input.priority.unwrap_or(0)),
            status: Set(WaitlistStatus::Waiting),
            offered_hold_id: Set(None),
            note: Set(cipher.seal_some(id, "note", input.note.as_deref())),
            created_by: Set(actor.membership),
            ..Default::default()
        })
        .await?;

        unit.record(Event::by(actor, AuditKind::Write, "waitlist.joined").on(id).of_patient(patient.id));
        Ok(id)
    })
    .await
}

pub async fn leave(app: &App, actor: &Actor, input: &WaitlistEntryInput) -> Result<()> {
    actor.require(Permission::BookAppointments)?;

    app.write(actor, move |unit| async move {
        let entry = require(&unit, actor, input.id).await?;
        expect_version(entry.version, input.expected_version)?;
        if !matches!(entry.status, WaitlistStatus::Waiting | WaitlistStatus::Offered) {
            return Err(Error::conflict("Nobody waits there any more."));
        }

        let patient = entry.patient_id;
        let offered = offered(&unit, actor, &entry).await?;
        let mut row = entry.into_active_model();
        row.status = Set(WaitlistStatus::Left);
        row.offered_hold_id = Set(None);
        unit.update(row).await?;
        unit.record(Event::by(actor, AuditKind::Write, "waitlist.left").on(input.id).of_patient(patient));
        pass_on(&unit, actor, offered).await
    })
    .await
}

/// Books what the patient was offered.
pub async fn accept(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &AcceptWaitlistOfferInput,
) -> Result<AppointmentId> {
    actor.require(Permission::BookAppointments)?;
    check_texts(&[("reason", input.reason.as_ref())])?;

    app.write_once(actor, key, move |unit| async move {
        let entry = require(&unit, actor, input.id).await?;
        expect_version(entry.version, input.expected_version)?;
        let Some(held) = offered(&unit, actor, &entry).await? else { return Err(no_offer()) };

        let location = match held.room_id {
            Some(id) => room::commands::require(&unit, actor, id).await?.location_id,
            None => None,
        };
        let booking = Booking {
            patient: entry.patient_id,
            places: Places { practitioner: held.practitioner_id, location, room: held.room_id },
            service: held.service_id,
            starts_at: held.starts_at,
            ends_at: Some(held.ends_at),
            timezone: None,
            appointment_type: None,
            priority: AppointmentPriority::Normal,
            reason: input.reason.clone(),
            notes: None,
            override_reason: None,
        };
        let appointment = Box::pin(holds::redeem(app, &unit, actor, &held, &booking)).await?;
        let mut row = entry.into_active_model();
        row.status = Set(WaitlistStatus::Booked);
        unit.update(row).await?;

        let event = Event::by(actor, AuditKind::Write, "waitlist.booked").on(input.id);
        unit.record(event.of_patient(appointment.patient_id));
        Ok(appointment.id)
    })
    .await
}

/// Lets the offer go to the next one; the patient waits on for another slot.
pub async fn decline(app: &App, actor: &Actor, input: &WaitlistEntryInput) -> Result<()> {
    actor.require(Permission::BookAppointments)?;

    app.write(actor, move |unit| async move {
        let entry = require(&unit, actor, input.id).await?;
        expect_version(entry.version, input.expected_version)?;
        let Some(held) = offered(&unit, actor, &entry).await? else { return Err(no_offer()) };

        let patient = entry.patient_id;
        offer::wait_on(&unit, entry).await?;
        unit.record(Event::by(actor, AuditKind::Write, "waitlist.declined").on(input.id).of_patient(patient));
        pass_on(&unit, actor, Some(held)).await
    })
    .await
}

/// Offers a slot that is not wanted to the next one.
async fn pass_on(unit: &UnitOfWork, actor: &Actor, held: Option<hold::Model>) -> Result<()> {
    let Some(held) = held else { return Ok(()) };
    if holds::let_go(unit, actor, &held, "hold.released").await? {
        Box::pin(offer::offer(unit, actor.workspace, &Opening::of_hold(&held))).await?;
    }
    Ok(())
}

/// The hold that is offered to the entry's patient.
async fn offered(unit: &UnitOfWork, actor: &Actor, entry: &Model) -> Result<Option<hold::Model>> {
    match entry.offered_hold_id {
        Some(id) if entry.status == WaitlistStatus::Offered => {
            Ok(Some(holds::require(unit, actor, id).await?))
        }
        _ => Ok(None),
    }
}

fn no_offer() -> Error {
    Error::conflict("There is no offer any more.")
}

/// The entry for a change, or `NotFound`.
async fn require(unit: &UnitOfWork, actor: &Actor, id: WaitlistEntryId) -> Result<Model> {
    let found = actor.find::<Entity>().filter(Column::Id.eq(id)).one(&**unit).await?;
    found.ok_or(Error::NotFound)
}
