//! Who and what a booking takes up: loaded, locked and checked before anything is written.

use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect};

use crate::access::actor::Actor;
use crate::app::UnitOfWork;
use crate::error::{Error, Result};
use crate::graphql::input::Problems;
use crate::id::{LocationId, MembershipId, PatientId, RoomId, ServiceId};
use crate::service::entity::Model as Service;
use crate::workspace::entity::Model as Workspace;
use crate::{location, member, patient, room, service};

/// The practitioner, place and room of a booking.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    pub practitioner: MembershipId,
    pub location: Option<LocationId>,
    pub room: Option<RoomId>,
}

impl Places {
    /// Checks that they exist in the workspace, can be booked and fit together. Answers with the practitioner and
    /// where it takes place: the place asked for, or else the room's.
    pub async fn require(
        &self,
        unit: &UnitOfWork,
        actor: &Actor,
        workspace: &Workspace,
        service: Option<&Service>,
    ) -> Result<(member::entity::Model, Option<LocationId>)> {
        let mut problems = Problems::default();
        let mut place = self.location;
        let practitioner = actor
            .find::<member::entity::Entity>()
            .filter(member::entity::Column::Id.eq(self.practitioner))
            .lock(LockType::NoKeyUpdate)
            .one(&**unit)
            .await?;
        match &practitioner {
            None => problems.add("practitionerId", "Not found."),
            Some(member) if !(member.is_active && member.is_bookable) => {
                problems.add("practitionerId", "This member cannot be booked.");
            }
            Some(_) => {}
        }
        if let Some(id) = self.location {
            let location = actor
                .find::<location::entity::Entity>()
                .filter(location::entity::Column::Id.eq(id))
                .one(&**unit)
                .await?;
            match location {
                None => problems.add("locationId", "Not found."),
                Some(location) if location.archived_at.is_some() => {
                    problems.add("locationId", "This place is archived.");
                }
                Some(_) => {}
            }
        }
        match self.room {
            Some(id) => {
                let room = actor
                    .find::<room::entity::Entity>()
                    .filter(room::entity::Column::Id.eq(id))
                    .lock(LockType::NoKeyUpdate)
                    .one(&**unit)
                    .await?;
                match room {
                    None => problems.add("roomId", "Not found."),
                    Some(room) if room.archived_at.is_some() => {
                        problems.add("roomId", "This room is archived.")
                    }
                    Some(room) if elsewhere(room.location_id, self.location) => {
                        problems.add("roomId", "This room is at another place.");
                    }
                    Some(room) => place = place.or(room.location_id),
                }
            }
            None if workspace.require_room || service.is_some_and(|service| service.requires_room) => {
                problems.add("roomId", "A room is required.");
            }
            None => {}
        }
        problems.ok()?;
        Ok((practitioner.ok_or(Error::NotFound)?, place))
    }
}

/// Locks what an appointment takes up besides the patient, in the order of every booking.
pub async fn lock(
    unit: &UnitOfWork,
    actor: &Actor,
    practitioner: MembershipId,
    room: Option<RoomId>,
) -> Result<()> {
    let member = actor.find::<member::entity::Entity>().filter(member::entity::Column::Id.eq(practitioner));
    member.lock(LockType::NoKeyUpdate).one(&**unit).await?;
    if let Some(room) = room {
        let room = actor.find::<room::entity::Entity>().filter(room::entity::Column::Id.eq(room));
        room.lock(LockType::NoKeyUpdate).one(&**unit).await?;
    }
    Ok(())
}

/// Whether the room belongs to another place than the one chosen.
fn elsewhere(room: Option<LocationId>, chosen: Option<LocationId>) -> bool {
    matches!((room, chosen), (Some(room), Some(chosen)) if room != chosen)
}

/// The patient, if an appointment can be booked for them.
pub async fn bookable_patient(
    unit: &UnitOfWork,
    actor: &Actor,
    id: PatientId,
) -> Result<patient::entity::Model> {
    let found = actor
        .find::<patient::entity::Entity>()
        .filter(patient::entity::Column::Id.eq(id))
        .lock(LockType::NoKeyUpdate)
        .one(&**unit)
        .await?
        .ok_or_else(|| Error::invalid("patientId", "Not found."))?;
    if found.archived_at.is_some() || found.merged_into_id.is_some() {
        return Err(Error::invalid("patientId", "This patient is archived."));
    }
    Ok(found)
}

/// The service, if it is on offer.
pub async fn offered_service(unit: &UnitOfWork, actor: &Actor, id: ServiceId) -> Result<Service> {
    let service = service::commands::require(unit, actor, id)
        .await
        .map_err(|_| Error::invalid("serviceId", "Not found."))?;
    if service.archived_at.is_some() {
        return Err(Error::invalid("serviceId", "This service is archived."));
    }
    Ok(service)
}
