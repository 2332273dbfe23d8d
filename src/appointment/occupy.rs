//! Taking up and giving back the time of practitioner, room, equipment and patient.
//!
//! The rows go in sorted by resource, so that two bookings of the same resources cannot wait for each other
//! in a circle; the database refuses overlaps (`Error::Occupied`).

use chrono::{DateTime, Duration, Utc};
use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use uuid::Uuid;

use super::entity::Model;
use super::occupancy::{self, ResourceKind};
use super::{hold, queries, seats};
use crate::access::actor::Actor;
use crate::app::UnitOfWork;
use crate::availability::check::Seen;
use crate::equipment;
use crate::error::Result;
use crate::id::{
    AppointmentHoldId, AppointmentId, EquipmentId, GroupSessionId, MembershipId, OccupancyId, PatientId,
    RoomId, WorkspaceId,
};
use crate::service::entity::Model as Service;

/// Who takes something up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Appointment(AppointmentId),
    /// Until it expires.
    Hold(AppointmentHoldId, DateTime<Utc>),
    /// What the appointments of a group session share.
    Session(GroupSessionId),
}

/// Who and what is taken up, and when.
#[derive(Clone, Debug)]
pub struct Claim {
    pub practitioner: MembershipId,
    pub room: Option<RoomId>,
    /// In the order of their ids.
    pub equipment: Vec<EquipmentId>,
    pub patient: Option<PatientId>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub before_minutes: i32,
    pub after_minutes: i32,
    /// Refuses others, and is refused by them.
    pub exclusive: bool,
}

/// A resource and the time during which it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub kind: ResourceKind,
    pub resource: Uuid,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

impl Claim {
    pub fn of(appointment: &Model) -> Self {
        Self {
            practitioner: appointment.practitioner_id,
            room: appointment.room_id,
            equipment: Vec::new(),
            patient: Some(appointment.patient_id),
            starts_at: appointment.starts_at,
            ends_at: appointment.ends_at,
            before_minutes: appointment.buffer_before_minutes,
            after_minutes: appointment.buffer_after_minutes,
            exclusive: !appointment.is_override,
        }
    }

    /// Practitioner, room and equipment with the buffers around.
    pub fn practice_spans(&self) -> Vec<Span> {
        let starts_at = self.starts_at - Duration::minutes(self.before_minutes.into());
        let ends_at = self.ends_at + Duration::minutes(self.after_minutes.into());
        let mut resources = vec![(ResourceKind::Practitioner, self.practitioner.0)];
        resources.extend(self.room.map(|room| (ResourceKind::Room, room.0)));
        resources.extend(self.equipment.iter().map(|equipment| (ResourceKind::Equipment, equipment.0)));
        resources.into_iter().map(|(kind, resource)| Span { kind, resource, starts_at, ends_at }).collect()
    }

    /// The patient, without buffers.
    pub fn patient_span(&self) -> Option<Span> {
        let (starts_at, ends_at) = (self.starts_at, self.ends_at);
        self.patient.map(|patient| Span {
            kind: ResourceKind::Patient,
            resource: patient.0,
            starts_at,
            ends_at,
        })
    }

    pub fn spans(&self) -> Vec<Span> {
        let mut spans = self.practice_spans();
        spans.extend(self.patient_span());
        spans
    }
}

/// The rows of these spans, in the order in which they go in.
pub fn rows_of(
    unit: &UnitOfWork,
    workspace: WorkspaceId,
    owner: Owner,
    mut spans: Vec<Span>,
    exclusive: bool,
) -> Vec<occupancy::ActiveModel> {
    spans.sort_unstable_by_key(|span| span.resource);
    let (mut appointment, mut held, mut session, mut expires_at) = (None, None, None, None);
    match owner {
        Owner::Appointment(id) => appointment = Some(id),
        Owner::Hold(id, until) => (held, expires_at) = (Some(id), Some(until)),
        Owner::Session(id) => session = Some(id),
    }
    spans
        .into_iter()
        .map(|span| occupancy::ActiveModel {
            id: Set(unit.id::<OccupancyId>()),
            workspace_id: Set(workspace),
            appointment_id: Set(appointment),
            hold_id: Set(held),
            session_id: Set(session),
            resource_kind: Set(span.kind),
            resource_id: Set(span.resource),
            starts_at: Set(span.starts_at),
            ends_at: Set(span.ends_at),
            exclusive: Set(exclusive),
            expires_at: Set(expires_at),
            ..Default::default()
        })
        .collect()
}

/// The rows of an appointment of its own: practitioner and room with the buffers around, the patient without.
pub fn rows(unit: &UnitOfWork, appointment: &Model, exclusive: bool) -> Vec<occupancy::ActiveModel> {
    let owner = Owner::Appointment(appointment.id);
    rows_of(unit, appointment.workspace_id, owner, Claim::of(appointment).spans(), exclusive)
}

/// Takes up the appointment's time, or fails with `Occupied`, at the latest when the transaction ends.
pub async fn take(
    unit: &UnitOfWork,
    actor: &Actor,
    appointment: &Model,
    service: Option<&Service>,
) -> Result<()> {
    let owner = Owner::Appointment(appointment.id);
    claim(unit, actor, owner, Claim::of(appointment), service, None).await
}

/// Takes up what the claim says together with the service's equipment, or fails with `Occupied`, at the latest when the
/// transaction ends.
///
/// In a group session only the first seat takes up practitioner, room and equipment. Holds that have expired
/// give way first. What a check has just seen need not be looked up again.
pub async fn claim(
    unit: &UnitOfWork,
    actor: &Actor,
    owner: Owner,
    mut claim: Claim,
    service: Option<&Service>,
    seen: Option<Seen>,
) -> Result<()> {
    let seen = match (seen, service) {
        (Some(seen), _) => seen,
        (None, Some(service)) => {
            Seen { equipment: queries::equipment_of(&**unit, actor, service.id).await?, expired: true }
        }
        (None, None) => Seen { equipment: Vec::new(), expired: true },
    };
    claim.equipment = seen.equipment;
    lock(unit, actor, &claim.equipment).await?;
    if seen.expired {
        Box::pin(hold::commands::yield_expired(unit, actor, &claim.spans())).await?;
    }
    let spans = match service.filter(|service| service.capacity > 1) {
        Some(service) => {
            seats::sit(unit, actor, owner, &claim, service).await?;
            claim.patient_span().into_iter().collect()
        }
        None => claim.spans(),
    };
    unit.put(rows_of(unit, actor.workspace, owner, spans, claim.exclusive)).await
}

/// Locks the equipment, in the order of its ids: two bookings that want it queue instead of meeting.
async fn lock(unit: &UnitOfWork, actor: &Actor, ids: &[EquipmentId]) -> Result<()> {
    use equipment::entity::{Column, Entity};
    if !ids.is_empty() {
        let rows = actor.find::<Entity>().filter(Column::Id.is_in(ids.iter().copied()));
        rows.order_by_asc(Column::Id).lock(LockType::NoKeyUpdate).all(&**unit).await?;
    }
    Ok(())
}

/// Gives the appointment's time back.
pub async fn free(unit: &UnitOfWork, actor: &Actor, appointment: &Model) -> Result<()> {
    occupancy::Entity::delete_many()
        .filter(occupancy::Column::WorkspaceId.eq(appointment.workspace_id))
        .filter(occupancy::Column::AppointmentId.eq(appointment.id))
        .exec(&**unit)
        .await?;
    seats::stand_up(unit, actor, Owner::Appointment(appointment.id)).await
}
