//! Offering a slot that became free to the patients who wait for one.

use chrono::{DateTime, Duration, Utc};
use sea_orm::{ColumnTrait, Condition, IntoActiveModel, Order, QueryFilter, QueryOrder, QuerySelect, Set};

use super::{Column, Entity, Model, WaitlistStatus};
use crate::access::actor::Actor;
use crate::app::UnitOfWork;
use crate::appointment::commands::workspace_of;
use crate::appointment::hold::commands::{self as holds, Wish, claim_of};
use crate::appointment::occupancy::ResourceKind;
use crate::appointment::occupy::Claim;
use crate::appointment::places::{Places, bookable_patient, offered_service};
use crate::appointment::queries::{self, Wanted};
use crate::appointment::{entity, hold};
use crate::availability::check::{self, Obstacle};
use crate::error::{Error, Result};
use crate::id::{AppointmentHoldId, PatientId, ServiceId, WorkspaceId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::reminder::plan;
use crate::reminder::rules::{Quiet, zone_of};

/// How many patients are tried for one slot.
const CANDIDATES: u64 = 50;

/// A slot that became free.
#[derive(Clone, Debug)]
pub struct Opening {
    pub service: Option<ServiceId>,
    pub claim: Claim,
}

impl Opening {
    /// What the appointment had.
    pub fn of(appointment: &entity::Model) -> Self {
        let claim = Claim { patient: None, exclusive: true, ..Claim::of(appointment) };
        Self { service: appointment.service_id, claim }
    }

    /// What the hold kept.
    pub fn of_hold(held: &hold::Model) -> Self {
        Self { service: held.service_id, claim: Claim { patient: None, ..claim_of(held) } }
    }
}

/// Offers the slot to the first patient of the list who can come, if it is free and there is one.
pub async fn offer(unit: &UnitOfWork, workspace: WorkspaceId, opening: &Opening) -> Result<()> {
    let (house, now) = (&Actor::system(workspace, "waitlist"), unit.clock().now());
    if opening.claim.starts_at <= now {
        return Ok(());
    }
    let waiting = candidates(unit, house, opening).await?;
    if waiting.is_empty() || !stands(unit, house, opening).await? {
        return Ok(());
    }
    let asked = asked_before(unit, house, opening).await?;
    for entry in waiting.into_iter().filter(|entry| !asked.contains(&entry.patient_id)) {
        match bookable_patient(unit, house, entry.patient_id).await {
            Ok(_) => {}
            Err(Error::Invalid(_)) => continue,
            Err(error) => return Err(error),
        }
        let claim = Claim { patient: Some(entry.patient_id), ..opening.claim.clone() };
        let wanted = Wanted { claim, service: opening.service, except: None };
        let taken = queries::conflicts(&**unit, house, &wanted, now).await?;
        if taken.rows.iter().any(|row| row.resource_kind != ResourceKind::Patient) {
            return Ok(());
        }
        if taken.rows.is_empty() {
            return Box::pin(make(unit, house, opening, entry, now)).await;
        }
    }
    Ok(())
}

/// Those who wait for such a slot, the first of them first.
async fn candidates(unit: &UnitOfWork, house: &Actor, opening: &Opening) -> Result<Vec<Model>> {
    let of_service = match opening.service {
        Some(service) => Condition::any().add(Column::ServiceId.is_null()).add(Column::ServiceId.eq(service)),
        None => Condition::all().add(Column::ServiceId.is_null()),
    };
    let of_practitioner = Condition::any()
        .add(Column::PractitionerId.is_null())
        .add(Column::PractitionerId.eq(opening.claim.practitioner));
    Ok(house
        .find::<Entity>()
        .filter(Column::Status.eq(WaitlistStatus::Waiting))
        .filter(of_service)
        .filter(of_practitioner)
        .filter(Column::Earliest.lte(opening.claim.starts_at))
        .filter(Column::Latest.gte(opening.claim.ends_at))
        .order_by(Column::Priority, Order::Desc)
        .order_by(Column::Id, Order::Asc)
        .limit(CANDIDATES)
        .all(&**unit)
        .await?)
}

/// Whether practitioner, room and service can still be booked then, be it at short notice. Locks them.
async fn stands(unit: &UnitOfWork, house: &Actor, opening: &Opening) -> Result<bool> {
    let (workspace, claim) = (workspace_of(unit, house).await?, &opening.claim);
    let fit = async {
        let service = match opening.service {
            Some(id) => Some(offered_service(unit, house, id).await?),
            None => None,
        };
        let found = places_of(claim).require(unit, house, &workspace, service.as_ref()).await?;
        Ok((service, found))
    };
    let (service, (practitioner, location)) = match fit.await {
        Ok(fit) => fit,
        Err(Error::Invalid(_)) => return Ok(false),
        Err(error) => return Err(error),
    };
    let wanted = check::Wanted {
        workspace: &workspace,
        service: service.as_ref(),
        practitioner: &practitioner,
        patient: None,
        room: claim.room,
        location,
        starts_at: claim.starts_at,
        ends_at: claim.ends_at,
        buffers: (claim.before_minutes, claim.after_minutes),
        except: None,
    };
    let against = check::against(&**unit, house, &wanted, unit.clock().now()).await?;
    Ok(against.iter().all(|obstacle| *obstacle == Obstacle::MinimumNotice))
}

/// The patients who were offered this very slot already.
async fn asked_before(unit: &UnitOfWork, house: &Actor, opening: &Opening) -> Result<Vec<PatientId>> {
    let patients: Vec<Option<PatientId>> = house
        .find::<hold::Entity>()
        .filter(hold::Column::PractitionerId.eq(opening.claim.practitioner))
        .filter(hold::Column::StartsAt.eq(opening.claim.starts_at))
        .filter(hold::Column::ForWaitlist.eq(true))
        .select_only()
        .column(hold::Column::PatientId)
        .into_tuple()
        .all(&**unit)
        .await?;
    Ok(patients.into_iter().flatten().collect())
}

async fn make(
    unit: &UnitOfWork,
    house: &Actor,
    opening: &Opening,
    entry: Model,
    now: DateTime<Utc>,
) -> Result<()> {
    let workspace = workspace_of(unit, house).await?;
    // At night nobody hears of it: the patient's time to answer begins in the morning.
    let heard = Quiet::of(&workspace, zone_of(&workspace.timezone)).over(now);
    let minutes = workspace.waitlist_offer_minutes;
    let claim = &opening.claim;
    let wish = Wish {
        places: places_of(claim),
        service: opening.service,
        patient: Some(entry.patient_id),
        starts_at: claim.starts_at,
        ends_at: Some(claim.ends_at),
        expires_at: (heard + Duration::minutes(minutes.into())).min(claim.starts_at),
        held_by: entry.created_by.unwrap_or(claim.practitioner),
        for_waitlist: true,
    };
    let held = Box::pin(holds::place(unit, house, &wish)).await?;
    let (id, patient) = (entry.id, entry.patient_id);
    let mut row = entry.into_active_model();
    row.status = Set(WaitlistStatus::Offered);
    row.offered_hold_id = Set(Some(held.id));
    unit.update(row).await?;
    unit.record(Event::by(house, AuditKind::Write, "waitlist.offered").on(id).of_patient(patient));
    Box::pin(plan::follow_offer(unit, house, &held)).await
}

/// The patient whom the hold was an offer to waits on.
pub async fn lapse(unit: &UnitOfWork, house: &Actor, id: AppointmentHoldId) -> Result<()> {
    let entry = house
        .find::<Entity>()
        .filter(Column::OfferedHoldId.eq(id))
        .filter(Column::Status.eq(WaitlistStatus::Offered))
        .one(&**unit)
        .await?;
    let Some(entry) = entry else { return Ok(()) };
    let (id, patient) = (entry.id, entry.patient_id);
    wait_on(unit, entry).await?;
    unit.record(Event::by(house, AuditKind::Write, "waitlist.offer_lapsed").on(id).of_patient(patient));
    Ok(())
}

/// Puts the patient back among those who wait, at the same place.
pub async fn wait_on(unit: &UnitOfWork, entry: Model) -> Result<()> {
    let mut row = entry.into_active_model();
    row.status = Set(WaitlistStatus::Waiting);
    row.offered_hold_id = Set(None);
    unit.update(row).await?;
    Ok(())
}

fn places_of(claim: &Claim) -> Places {
    Places { practitioner: claim.practitioner, location: None, room: claim.room }
}
