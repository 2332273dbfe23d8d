//! Taking up and giving back the time of practitioner, room and patient.
//!
//! The rows go in sorted by resource, so that two bookings of the same resources cannot wait for each other
//! in a circle; the database refuses overlaps (`Error::Occupied`).

use chrono::Duration;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use uuid::Uuid;

use super::entity::Model;
use super::occupancy::{self, ResourceKind};
use crate::app::UnitOfWork;
use crate::error::Result;
use crate::id::OccupancyId;

/// The rows of an appointment: practitioner and room with the buffers around, the patient without.
pub fn rows(unit: &UnitOfWork, appointment: &Model, exclusive: bool) -> Vec<occupancy::ActiveModel> {
    let before = Duration::minutes(appointment.buffer_before_minutes.into());
    let after = Duration::minutes(appointment.buffer_after_minutes.into());
    let mut resources: Vec<(ResourceKind, Uuid, Duration, Duration)> = vec![
        (ResourceKind::Practitioner, appointment.practitioner_id.0, before, after),
        (ResourceKind::Patient, appointment.patient_id.0, Duration::zero(), Duration::zero()),
    ];
    resources.extend(appointment.room_id.map(|room| (ResourceKind::Room, room.0, before, after)));
    resources.sort_unstable_by_key(|(_, id, ..)| *id);
    resources
        .into_iter()
        .map(|(kind, id, before, after)| occupancy::ActiveModel {
            id: Set(unit.id::<OccupancyId>()),
            workspace_id: Set(appointment.workspace_id),
            appointment_id: Set(Some(appointment.id)),
            hold_id: Set(None),
            resource_kind: Set(kind),
            resource_id: Set(id),
            starts_at: Set(appointment.starts_at - before),
            ends_at: Set(appointment.ends_at + after),
            exclusive: Set(exclusive),
            ..Default::default()
        })
        .collect()
}

/// Takes up the appointment's time, or fails with `Occupied`.
pub async fn take(unit: &UnitOfWork, appointment: &Model) -> Result<()> {
    unit.insert_all(rows(unit, appointment, !appointment.is_override)).await
}

/// Gives the appointment's time back.
pub async fn free(unit: &UnitOfWork, appointment: &Model) -> Result<()> {
    occupancy::Entity::delete_many()
        .filter(occupancy::Column::WorkspaceId.eq(appointment.workspace_id))
        .filter(occupancy::Column::AppointmentId.eq(appointment.id))
        .exec(&**unit)
        .await?;
    Ok(())
}
