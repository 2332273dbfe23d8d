//! Booking an appointment, and moving one: the one place where either happens, whoever asks for it.
//!
//! What a booking takes up is locked while it is loaded: practitioner, then room, then patient. The database's
//! exclusion decides all the same, but on PostgreSQL two bookings that meet in it wait for each other until one
//! is found to be a deadlock, a second later; in a queue for the practitioner they never meet there.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Duration, SubsecRound, Utc};
use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};

use super::commands::{cipher_of, require, workspace_of};
use super::entity::{AppointmentPriority, AppointmentStatus, AppointmentType, Model, PaymentStatus};
use super::event::AppointmentEventKind;
use super::history::{History, told};
use super::input::{BookAppointmentInput, RescheduleAppointmentInput, check_texts, check_times};
use super::occupy::{Claim, Owner};
use super::places::{Party, Places, offered_service};
use super::waitlist::offer::Opening;
use super::{hold, occupy, rules, waitlist};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, IdempotencyKey, UnitOfWork};
use crate::availability::check::{self, Seen, Wanted};
use crate::availability::choose;
use crate::availability::conflicts::Instead;
use crate::availability::sight::Sight;
use crate::crypto::keys::PatientCipher;
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::graphql::input::Problems;
use crate::id::{AppointmentId, MembershipId, PatientId, ServiceId};
use crate::service::entity::Model as Service;
use crate::workspace::entity::Model as Workspace;
use crate::{reminder, service};

/// What is to be booked.
#[derive(Clone, Debug)]
pub struct Booking {
    pub patient: PatientId,
    pub places: Places,
    pub service: Option<ServiceId>,
    pub starts_at: DateTime<Utc>,
    /// By default after the service's duration.
    pub ends_at: Option<DateTime<Utc>>,
    /// By default the workspace's.
    pub timezone: Option<String>,
    /// By default the service's.
    pub appointment_type: Option<AppointmentType>,
    pub priority: AppointmentPriority,
    pub reason: Option<String>,
    pub notes: Option<String>,
    /// Books although something is taken.
    pub override_reason: Option<String>,
}

impl Booking {
    /// What the input asks for, with this practitioner.
    fn of(input: &BookAppointmentInput, practitioner: MembershipId) -> Self {
        Self {
            patient: input.patient_id,
            places: Places { practitioner, location: input.location_id, room: input.room_id },
            service: input.service_id,
            // As exactly as it is stored.
            starts_at: input.starts_at.trunc_subsecs(6),
            ends_at: input.ends_at.map(|ends_at| ends_at.trunc_subsecs(6)),
            timezone: input.timezone.clone(),
            appointment_type: input.appointment_type,
            priority: input.priority.unwrap_or(AppointmentPriority::Normal),
            reason: input.reason.clone(),
            notes: input.notes.clone(),
            override_reason: input.override_reason.clone(),
        }
    }
}

/// What a request to book led to.
pub struct Booked {
    pub id: AppointmentId,
    /// As it was stored; nothing when the request repeats an earlier one.
    pub row: Option<Model>,
}

pub async fn book(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &BookAppointmentInput,
) -> Result<Booked> {
    actor.require(Permission::BookAppointments)?;
    permit_override(actor, input.override_reason.as_deref())?;
    check_texts(&[("reason", input.reason.as_ref()), ("notes", input.notes.as_ref())])?;
    if input.notes.is_some() {
        actor.require(Permission::WriteClinical)?;
    }
    if input.practitioner_id.is_none() && input.override_reason.is_some() {
        return Err(Error::invalid("practitionerId", "An override says whose time it takes."));
    }

    let placed = Mutex::new(None);
    let keep = |row: Model| {
        let id = row.id;
        *placed.lock().unwrap_or_else(PoisonError::into_inner) = Some(row);
        id
    };
    let keep = &keep;
    let booked = app.write_once(actor, key, move |unit| async move {
        if let Some(id) = input.hold_id {
            let held = hold::commands::own(&unit, actor, id).await?;
            let booking = Booking::of(input, input.practitioner_id.unwrap_or(held.practitioner_id));
            return Ok(keep(Box::pin(hold::commands::confirm(app, &unit, actor, &held, &booking)).await?));
        }
        let practitioner = match input.practitioner_id {
            Some(id) => id,
            None => somebody(&unit, actor, input).await?,
        };
        Ok(keep(place(app, &unit, actor, &Booking::of(input, practitioner)).await?))
    });
    let id = booked.await?;
    // What another attempt placed was undone.
    let row = placed.into_inner().unwrap_or_else(PoisonError::into_inner).filter(|row: &Model| row.id == id);
    Ok(Booked { id, row })
}

/// The practitioner for a booking that names none.
async fn somebody(unit: &UnitOfWork, actor: &Actor, input: &BookAppointmentInput) -> Result<MembershipId> {
    let workspace = workspace_of(unit, actor).await?;
    let service = match input.service_id {
        Some(id) => Some(offered_service(unit, actor, id).await?),
        None => None,
    };
    let service = service.as_ref();
    let ends_at = end_of(input.starts_at, input.ends_at, service)?;
    check_time(unit, actor, &workspace, input.starts_at, ends_at)?;
    // Without the patient: that the patient is elsewhere is not a matter of who is free.
    let wanted = Instead {
        service,
        practitioner: None,
        patient: None,
        room: None,
        location: input.location_id,
        starts_at: input.starts_at,
        ends_at,
        buffers: buffers(service),
        except: None,
    };
    choose::anybody(unit, actor, &workspace, service, &wanted.request()).await
}

/// Minutes kept free before and after.
pub fn buffers(service: Option<&Service>) -> (i32, i32) {
    service.map_or((0, 0), |service| (service.buffer_before_minutes, service.buffer_after_minutes))
}

/// Makes an appointment in this unit of work, or fails with `Occupied`, at the latest when that ends.
pub async fn place(app: &App, unit: &UnitOfWork, actor: &Actor, booking: &Booking) -> Result<Model> {
    let mut ground = Ground::of(app, unit, actor, booking, true).await?;
    let sight = ground.party.sight.take();
    let ends_at = ground.end_of(booking)?;
    let wanted = ground.wanted(&ground.places, booking.starts_at, ends_at);
    let seen = check_slot(unit, actor, &wanted, booking.override_reason.is_some(), sight).await?;

    let appointment = ground.row(unit, actor, booking, ends_at);
    unit.put(vec![appointment.clone().into_active_model().reset_all()]).await?;
    let owner = Owner::Appointment(appointment.id);
    occupy::claim(unit, actor, owner, Claim::of(&appointment), ground.service.as_ref(), seen).await?;
    ground.tell(unit, actor, booking, &appointment).await?;
    Ok(appointment)
}

/// What a booking stands on: loaded, locked and found fit before anything is written.
pub struct Ground {
    party: Party,
    pub cipher: PatientCipher,
    /// The zone that the time is meant in.
    pub timezone: String,
}

impl std::ops::Deref for Ground {
    type Target = Party;

    fn deref(&self) -> &Party {
        &self.party
    }
}

impl Ground {
    /// `alone`: see [`Party::load`].
    pub async fn of(
        app: &App,
        unit: &UnitOfWork,
        actor: &Actor,
        booking: &Booking,
        alone: bool,
    ) -> Result<Self> {
        let mut party = Party::load(unit, actor, booking, alone).await?;
        let timezone = booking.timezone.clone().unwrap_or_else(|| party.workspace.timezone.clone());
        if timezone.parse::<chrono_tz::Tz>().is_err() {
            return Err(Error::invalid("timezone", "This is not an IANA time zone."));
        }
        let patient = &party.patient;
        let stored = std::mem::take(&mut party.keys);
        let cipher = app.keys.stored(&**unit, actor, patient.key_version, stored).await?;
        Ok(Self { party, cipher, timezone })
    }

    pub fn end_of(&self, booking: &Booking) -> Result<DateTime<Utc>> {
        end_of(booking.starts_at, booking.ends_at, self.service.as_ref())
    }

    /// What the rules of the practice are asked about.
    pub fn wanted(&self, places: &Places, starts_at: DateTime<Utc>, ends_at: DateTime<Utc>) -> Wanted<'_> {
        Wanted {
            workspace: &self.workspace,
            service: self.service.as_ref(),
            practitioner: &self.practitioner,
            patient: Some(self.patient.id),
            room: places.room,
            location: self.location,
            starts_at,
            ends_at,
            buffers: buffers(self.service.as_ref()),
            except: None,
        }
    }

    /// The row of the appointment.
    pub fn row(&self, unit: &UnitOfWork, actor: &Actor, booking: &Booking, ends_at: DateTime<Utc>) -> Model {
        let (id, service, now) = (unit.id::<AppointmentId>(), self.service.as_ref(), unit.clock().now());
        Model {
            id,
            workspace_id: actor.workspace,
            patient_id: self.patient.id,
            practitioner_id: self.places.practitioner,
            service_id: booking.service,
            location_id: self.places.location,
            room_id: self.places.room,
            series_id: None,
            series_starts_local: None,
            starts_at: booking.starts_at,
            ends_at,
            timezone: self.timezone.clone(),
            appointment_type: kind_of(booking.appointment_type, service),
            location_kind: None,
            location_details: None,
            priority: booking.priority,
            status: AppointmentStatus::Scheduled,
            reason: self.cipher.seal_some(id, "reason", booking.reason.as_deref()),
            notes: self.cipher.seal_some(id, "notes", booking.notes.as_deref()),
            buffer_before_minutes: service.map_or(0, |service| service.buffer_before_minutes),
            buffer_after_minutes: service.map_or(0, |service| service.buffer_after_minutes),
            cancelled_at: None,
            cancellation_reason: None,
            late_cancellation: false,
            started_at: None,
            completed_at: None,
            sequence: 0,
            is_override: booking.override_reason.is_some(),
            external_key: None,
            price_minor: service.and_then(|service| service.price_minor),
            payment_status: PaymentStatus::NotPaid,
            payment_method: None,
            payment_notes: None,
            paid_at: None,
            created_by: actor.membership,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Tells the appointment's history and the journal that it was booked.
    pub async fn tell(
        &self,
        unit: &UnitOfWork,
        actor: &Actor,
        booking: &Booking,
        appointment: &Model,
    ) -> Result<()> {
        let reason = booking.override_reason.as_deref();
        let past = History { kind: AppointmentEventKind::Booked, before: None, reason };
        unit.put(vec![past.row(unit, actor, &self.cipher, appointment)]).await?;
        // On the heap, as in `History::write`.
        Box::pin(reminder::plan::follow_booking(unit, actor, &self.cipher, &self.party, appointment)).await?;
        unit.record(told(actor, "appointment.booked", appointment));
        Ok(())
    }
}

pub async fn reschedule(app: &App, actor: &Actor, input: &RescheduleAppointmentInput) -> Result<()> {
    actor.require(Permission::BookAppointments)?;
    permit_override(actor, input.override_reason.as_deref())?;
    check_texts(&[("reason", input.reason.as_ref())])?;

    app.write(actor, move |unit| async move {
        let before = require(&unit, actor, input.id).await?;
        expect_version(before.version, input.expected_version)?;

        shift(app, &unit, actor, &before, &Move::of(&before, input)).await?;
        Ok(())
    })
    .await
}

/// Where an appointment is to go.
#[derive(Clone, Debug)]
pub struct Move {
    pub places: Places,
    pub starts_at: DateTime<Utc>,
    /// By default it stays as long as it was.
    pub ends_at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
    pub override_reason: Option<String>,
}

impl Move {
    pub fn of(before: &Model, input: &RescheduleAppointmentInput) -> Self {
        Self {
            places: Places {
                practitioner: input.practitioner_id.unwrap_or(before.practitioner_id),
                location: patched(&input.location_id, before.location_id),
                room: patched(&input.room_id, before.room_id),
            },
            starts_at: input.starts_at,
            ends_at: input.ends_at,
            reason: input.reason.clone(),
            override_reason: input.override_reason.clone(),
        }
    }
}

/// Moves an appointment in this unit of work, or fails with `Occupied`, at the latest when that ends.
pub async fn shift(app: &App, unit: &UnitOfWork, actor: &Actor, before: &Model, to: &Move) -> Result<Model> {
    let workspace = workspace_of(unit, actor).await?;
    let service = match before.service_id {
        Some(id) => Some(service::commands::require(unit, actor, id).await?),
        None => None,
    };
    let (practitioner, location) = to.places.require(unit, actor, &workspace, service.as_ref()).await?;

    if !rules::can_move(before.status) {
        return Err(Error::conflict("Only an appointment that is scheduled or confirmed can be moved."));
    }
    let ends_at = to
        .ends_at
        .or_else(|| later(to.starts_at, before.ends_at - before.starts_at))
        .ok_or_else(|| Error::invalid("startsAt", "The start is too far away."))?;
    let wanted = Wanted {
        workspace: &workspace,
        service: service.as_ref(),
        practitioner: &practitioner,
        patient: Some(before.patient_id),
        room: to.places.room,
        location,
        starts_at: to.starts_at,
        ends_at,
        buffers: (before.buffer_before_minutes, before.buffer_after_minutes),
        except: Some(before.id),
    };
    check_slot(unit, actor, &wanted, to.override_reason.is_some(), None).await?;

    let mut row = before.clone().into_active_model();
    row.starts_at = Set(to.starts_at);
    row.ends_at = Set(ends_at);
    row.practitioner_id = Set(to.places.practitioner);
    row.location_id = Set(to.places.location);
    row.room_id = Set(to.places.room);
    row.is_override = Set(to.override_reason.is_some());
    row.sequence = Set(before.sequence + 1);
    let after = unit.update(row).await?;
    occupy::free(unit, actor, before).await?;
    occupy::take(unit, actor, &after, service.as_ref()).await?;
    let reason = to.reason.as_deref().or(to.override_reason.as_deref());
    let past = History { kind: AppointmentEventKind::Rescheduled, before: Some(before), reason };
    let cipher = cipher_of(app, unit, actor, &after).await?;
    past.write(unit, actor, &cipher, &after).await?;

    unit.record(told(actor, "appointment.rescheduled", &after));
    Box::pin(waitlist::offer::offer(unit, actor.workspace, &Opening::of(before))).await?;
    Ok(after)
}

fn patched<T: Copy>(patch: &async_graphql::MaybeUndefined<T>, present: Option<T>) -> Option<T> {
    if patch.is_undefined() { present } else { patch.value().copied() }
}

pub fn permit_override(actor: &Actor, reason: Option<&str>) -> Result<()> {
    let Some(reason) = reason else { return Ok(()) };
    actor.require(Permission::OverrideBooking)?;
    let mut problems = Problems::default();
    problems.text("overrideReason", reason, super::input::TEXT);
    problems.ok()
}

/// Whether an appointment may be there and then: asked by every way to book, hold or move one, with the locks on
/// what it takes up. An override is bound by the calendar only. What was seen with the locks is not looked at again.
pub async fn check_slot(
    unit: &UnitOfWork,
    actor: &Actor,
    wanted: &Wanted<'_>,
    is_override: bool,
    sight: Option<Sight>,
) -> Result<Option<Seen>> {
    check_time(unit, actor, wanted.workspace, wanted.starts_at, wanted.ends_at)?;
    if is_override {
        return Ok(None);
    }
    let sight = match sight {
        Some(sight) => sight,
        None => Box::pin(Sight::of(unit, actor, wanted)).await?,
    };
    Box::pin(check::require(unit, actor, wanted, sight)).await.map(Some)
}

/// Whether anything can be booked at this time, by this member.
pub fn check_time(
    unit: &UnitOfWork,
    actor: &Actor,
    workspace: &Workspace,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
) -> Result<()> {
    let now = unit.clock().now();
    let mut problems = Problems::default();
    check_times(&mut problems, starts_at, ends_at, now);
    if starts_at < now && !(workspace.allow_past_booking && actor.may(Permission::BookInThePast)) {
        problems.add("startsAt", "The start is in the past.");
    }
    problems.ok()
}

/// A sum that does not overflow, whatever instant a client sends.
pub fn later(at: DateTime<Utc>, by: Duration) -> Option<DateTime<Utc>> {
    at.checked_add_signed(by)
}

pub fn end_of(
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
