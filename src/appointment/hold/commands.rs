//! What can be done with a hold.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QuerySelect,
    Set,
};

use uuid::Uuid;

use super::input::HoldSlotInput;
use super::{ActiveModel, Column, Entity, Model};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, IdempotencyKey, UnitOfWork};
use crate::appointment::book::{Booking, Ground, buffers, check_slot, end_of};
use crate::appointment::commands::workspace_of;
use crate::appointment::occupy::{self, Claim, Owner, Span};
use crate::appointment::places::{Places, bookable_patient, offered_service};
use crate::appointment::{entity, occupancy, seat, waitlist};
use crate::availability::check::Wanted;
use crate::error::{Error, Result};
use crate::graphql::input::Problems;
use crate::id::{AppointmentHoldId, MembershipId, PatientId, ServiceId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::member::entity::Role;
use crate::reminder::plan;

/// How many slots a patient can hold at a time.
const MOST_OF_A_PATIENT: u64 = 2;
/// How many slots anybody else can hold at a time.
const MOST: u64 = 20;

pub async fn hold(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &HoldSlotInput,
) -> Result<AppointmentHoldId> {
    actor.require(Permission::BookAppointments)?;
    let held_by = actor.membership.ok_or(Error::Forbidden)?;
    let patient = match actor.role {
        Role::Patient => Some(input.patient_id.or(actor.patient).ok_or(Error::Forbidden)?),
        _ => input.patient_id,
    };

    app.write_once(actor, key, move |unit| async move {
        let most = workspace_of(&unit, actor).await?.hold_minutes;
        let mut problems = Problems::default();
        problems.range("minutes", input.minutes.unwrap_or(most), 1..=most);
        problems.ok()?;
        let places =
            Places { practitioner: input.practitioner_id, location: input.location_id, room: input.room_id };
        let wish = Wish {
            places,
            service: input.service_id,
            patient,
            starts_at: input.starts_at,
            ends_at: input.ends_at,
            expires_at: unit.clock().now() + Duration::minutes(input.minutes.unwrap_or(most).into()),
            held_by,
            for_waitlist: false,
        };
        let held = place(&unit, actor, &wish).await?;
        check_count(&unit, actor, held_by).await?;
        Ok(held.id)
    })
    .await
}

/// A slot that is to be held.
pub struct Wish {
    pub places: Places,
    pub service: Option<ServiceId>,
    pub patient: Option<PatientId>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
    pub held_by: MembershipId,
    pub for_waitlist: bool,
}

/// Holds a slot in this unit of work, or fails with `Occupied`.
pub async fn place(unit: &UnitOfWork, actor: &Actor, wish: &Wish) -> Result<Model> {
    let workspace = workspace_of(unit, actor).await?;
    let service = match wish.service {
        Some(id) => Some(offered_service(unit, actor, id).await?),
        None => None,
    };
    let service = service.as_ref();
    let (practitioner, location) = wish.places.require(unit, actor, &workspace, service).await?;
    if let Some(patient) = wish.patient {
        bookable_patient(unit, actor, patient).await?;
    }
    let ends_at = end_of(wish.starts_at, wish.ends_at, service)?;
    let wanted = Wanted {
        workspace: &workspace,
        service,
        practitioner: &practitioner,
        patient: wish.patient,
        room: wish.places.room,
        location,
        starts_at: wish.starts_at,
        ends_at,
        buffers: buffers(service),
        except: None,
    };
    // What the waiting list is offered was somebody's appointment.
    let seen = check_slot(unit, actor, &wanted, wish.for_waitlist, None).await?;

    let held = unit
        .insert(ActiveModel {
            id: Set(unit.id::<AppointmentHoldId>()),
            practitioner_id: Set(wish.places.practitioner),
            room_id: Set(wish.places.room),
            patient_id: Set(wish.patient),
            service_id: Set(wish.service),
            starts_at: Set(wish.starts_at),
            ends_at: Set(ends_at),
            expires_at: Set(wish.expires_at),
            buffer_before_minutes: Set(service.map_or(0, |service| service.buffer_before_minutes)),
            buffer_after_minutes: Set(service.map_or(0, |service| service.buffer_after_minutes)),
            for_waitlist: Set(wish.for_waitlist),
            held_by: Set(wish.held_by),
            released_at: Set(None),
            ..Default::default()
        })
        .await?;
    let owner = Owner::Hold(held.id, held.expires_at);
    occupy::claim(unit, actor, owner, claim_of(&held), service, seen).await?;

    unit.record(told(actor, "hold.placed", &held));
    Ok(held)
}

/// What a hold takes up besides its service's equipment.
pub fn claim_of(held: &Model) -> Claim {
    Claim {
        practitioner: held.practitioner_id,
        room: held.room_id,
        equipment: Vec::new(),
        patient: held.patient_id,
        starts_at: held.starts_at,
        ends_at: held.ends_at,
        before_minutes: held.buffer_before_minutes,
        after_minutes: held.buffer_after_minutes,
        exclusive: true,
    }
}

/// Gives a hold up before it expires. Doing it twice is doing it once.
pub async fn release(app: &App, actor: &Actor, id: AppointmentHoldId) -> Result<()> {
    actor.require(Permission::BookAppointments)?;

    app.write(actor, move |unit| async move {
        let held = require(&unit, actor, id).await?;
        if held.for_waitlist || !(is_own(actor, &held) || actor.may(Permission::ManageAppointments)) {
            return Err(Error::NotFound);
        }
        let_go(&unit, actor, &held, "hold.released").await?;
        Ok(())
    })
    .await
}

/// The hold that this member may book with.
pub async fn own(unit: &UnitOfWork, actor: &Actor, id: AppointmentHoldId) -> Result<Model> {
    match require(unit, actor, id).await {
        Ok(held) if !held.for_waitlist && is_own(actor, &held) => Ok(held),
        Ok(_) | Err(Error::NotFound) => Err(Error::invalid("holdId", "Not found.")),
        Err(error) => Err(error),
    }
}

/// Makes the appointment that the slot was held for.
pub async fn confirm(
    app: &App,
    unit: &UnitOfWork,
    actor: &Actor,
    held: &Model,
    booking: &Booking,
) -> Result<entity::Model> {
    let mut problems = Problems::default();
    let same = [
        ("practitionerId", held.practitioner_id == booking.places.practitioner),
        ("roomId", held.room_id == booking.places.room),
        ("serviceId", held.service_id == booking.service),
        ("startsAt", held.starts_at == booking.starts_at),
        ("endsAt", booking.ends_at.is_none_or(|ends_at| ends_at == held.ends_at)),
        ("patientId", held.patient_id.is_none_or(|patient| patient == booking.patient)),
    ];
    for (field, _) in same.iter().filter(|(_, same)| !same) {
        problems.add(field, "The slot was held otherwise.");
    }
    problems.ok()?;
    redeem(app, unit, actor, held, booking).await
}

/// Turns a hold into the appointment: what it has taken up goes over in this transaction.
pub async fn redeem(
    app: &App,
    unit: &UnitOfWork,
    actor: &Actor,
    held: &Model,
    booking: &Booking,
) -> Result<entity::Model> {
    let ground = Ground::of(app, unit, actor, booking, false).await?;
    if held.expires_at <= unit.clock().now() || !mark_released(unit, actor, held).await? {
        return Err(Error::conflict("The slot is not held any more."));
    }
    let mut row = ground.row(unit, actor, booking, held.ends_at);
    row.buffer_before_minutes = held.buffer_before_minutes;
    row.buffer_after_minutes = held.buffer_after_minutes;
    row.is_override = false;
    let appointment = unit.insert(row.into_active_model().reset_all()).await?;
    occupancy::Entity::update_many()
        .col_expr(occupancy::Column::AppointmentId, Expr::value(appointment.id))
        .col_expr(occupancy::Column::HoldId, Expr::value(None::<AppointmentHoldId>))
        .col_expr(occupancy::Column::ExpiresAt, Expr::value(None::<DateTime<Utc>>))
        .filter(occupancy::Column::WorkspaceId.eq(actor.workspace))
        .filter(occupancy::Column::HoldId.eq(held.id))
        .exec(&**unit)
        .await?;
    seat::Entity::update_many()
        .col_expr(seat::Column::AppointmentId, Expr::value(appointment.id))
        .col_expr(seat::Column::HoldId, Expr::value(None::<AppointmentHoldId>))
        .filter(seat::Column::WorkspaceId.eq(actor.workspace))
        .filter(seat::Column::HoldId.eq(held.id))
        .exec(&**unit)
        .await?;
    if held.patient_id.is_none() {
        let spans: Vec<Span> = Claim::of(&appointment).patient_span().into_iter().collect();
        yield_expired(unit, actor, &spans).await?;
        let owner = Owner::Appointment(appointment.id);
        unit.insert_all(occupy::rows_of(unit, actor.workspace, owner, spans, true)).await?;
    }
    ground.tell(unit, actor, booking, &appointment).await?;

    unit.record(told(actor, "hold.confirmed", held).with("appointment", appointment.id.to_string()));
    Ok(appointment)
}

/// Puts the expired holds aside that stand in the way of these spans.
///
/// Anybody's: a patient who books does not see whose they were.
pub async fn yield_expired(unit: &UnitOfWork, actor: &Actor, spans: &[Span]) -> Result<()> {
    let house = Actor::system(actor.workspace, "holds");
    let (Some(from), Some(to)) =
        (spans.iter().map(|span| span.starts_at).min(), spans.iter().map(|span| span.ends_at).max())
    else {
        return Ok(());
    };
    let resources: BTreeSet<Uuid> = spans.iter().map(|span| span.resource).collect();
    let expired: Vec<Option<AppointmentHoldId>> = house
        .find::<occupancy::Entity>()
        .filter(occupancy::Column::ResourceId.is_in(resources))
        .filter(occupancy::Column::StartsAt.lt(to))
        .filter(occupancy::Column::EndsAt.gt(from))
        .filter(occupancy::Column::ExpiresAt.lte(unit.clock().now()))
        .select_only()
        .column(occupancy::Column::HoldId)
        .distinct()
        .into_tuple()
        .all(&**unit)
        .await?;
    for id in expired.into_iter().flatten() {
        let held = require(unit, &house, id).await?;
        expire(unit, &house, &held).await?;
    }
    Ok(())
}

/// Ends a hold whose time is over; the patient it was offered to waits on. False when somebody else did.
pub async fn expire(unit: &UnitOfWork, house: &Actor, held: &Model) -> Result<bool> {
    if !let_go(unit, house, held, "hold.expired").await? {
        return Ok(false);
    }
    if held.for_waitlist {
        waitlist::offer::lapse(unit, house, held.id).await?;
    }
    Ok(true)
}

/// Gives back what a hold has taken up. False when that was done already.
pub async fn let_go(unit: &UnitOfWork, actor: &Actor, held: &Model, action: &'static str) -> Result<bool> {
    if !mark_released(unit, actor, held).await? {
        return Ok(false);
    }
    occupancy::Entity::delete_many()
        .filter(occupancy::Column::WorkspaceId.eq(actor.workspace))
        .filter(occupancy::Column::HoldId.eq(held.id))
        .exec(&**unit)
        .await?;
    crate::appointment::seats::stand_up(unit, actor, Owner::Hold(held.id, held.expires_at)).await?;
    unit.record(told(actor, action, held));
    Ok(true)
}

/// The one who marks a hold as released may decide what becomes of its slot.
async fn mark_released(unit: &UnitOfWork, actor: &Actor, held: &Model) -> Result<bool> {
    let now = unit.clock().now();
    let marked = Entity::update_many()
        .col_expr(Column::ReleasedAt, Expr::value(now))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::WorkspaceId.eq(actor.workspace))
        .filter(Column::Id.eq(held.id))
        .filter(Column::ReleasedAt.is_null())
        .exec(&**unit)
        .await?;
    if held.for_waitlist {
        plan::call_off_offer(unit, actor, held.id).await?;
    }
    Ok(marked.rows_affected == 1)
}

/// Refuses one hold too many.
async fn check_count(unit: &UnitOfWork, actor: &Actor, held_by: MembershipId) -> Result<()> {
    let most = if actor.role == Role::Patient { MOST_OF_A_PATIENT } else { MOST };
    let count = actor
        .find::<Entity>()
        .filter(Column::HeldBy.eq(held_by))
        .filter(Column::ForWaitlist.eq(false))
        .filter(Column::ReleasedAt.is_null())
        .filter(Column::ExpiresAt.gt(unit.clock().now()))
        .count(&**unit)
        .await?;
    if count > most {
        return Err(Error::conflict(format!("At most {most} slots can be held at a time.")));
    }
    Ok(())
}

fn is_own(actor: &Actor, held: &Model) -> bool {
    actor.membership == Some(held.held_by)
}

/// The hold for a change, or `NotFound`.
pub async fn require(unit: &UnitOfWork, actor: &Actor, id: AppointmentHoldId) -> Result<Model> {
    let found = actor.find::<Entity>().filter(Column::Id.eq(id)).one(&**unit).await?;
    found.ok_or(Error::NotFound)
}

fn told(actor: &Actor, action: &'static str, held: &Model) -> Event {
    let event = Event::by(actor, AuditKind::Write, action).on(held.id);
    match held.patient_id {
        Some(patient) => event.of_patient(patient),
        None => event,
    }
}
