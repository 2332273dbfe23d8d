//! Who and what a booking takes up: loaded, locked and checked before anything is written.

use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, Select};

use super::book::Booking;
use super::occupancy::LONGEST;
use super::seats;
use crate::access::actor::Actor;
use crate::app::UnitOfWork;
use crate::availability::load;
use crate::availability::sight::{Look, Sight};
use crate::crypto::entity::patient_key;
use crate::crypto::keys::Keys;
use crate::db::Engine;
use crate::db::together::Together;
use crate::error::{Error, Result};
use crate::graphql::input::Problems;
use crate::id::{LocationId, MembershipId, PatientId, RoomId, ServiceId};
use crate::member::entity::Model as Member;
use crate::reminder::notification_setting;
use crate::service::entity::Model as Service;
use crate::workspace::entity::Model as Workspace;
use crate::{location, member, patient, reminder, room, service, workspace};

/// The practitioner, place and room of a booking.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    pub practitioner: MembershipId,
    pub location: Option<LocationId>,
    pub room: Option<RoomId>,
}

impl Places {
    /// Loads and locks them, and checks that they exist in the workspace, can be booked and fit together. Answers
    /// with the practitioner and where it takes place: the place asked for, or else the room's.
    pub async fn require(
        &self,
        unit: &UnitOfWork,
        actor: &Actor,
        workspace: &Workspace,
        service: Option<&Service>,
    ) -> Result<(Member, Option<LocationId>)> {
        let mut look = Together::default();
        let location = self.location.map(|id| look.find_one(location_of(actor, id)));
        let practitioner = look.lock(practitioner_of(actor, self.practitioner));
        let room = self.room.map(|id| look.lock(room_of(actor, id)));
        let found = look.run(unit).await?;
        let named = Named {
            practitioner: found.one(&practitioner)?,
            location: found.maybe(location.as_ref())?,
            room: found.maybe(room.as_ref())?,
        };
        self.judge(named, workspace, service)
    }

    fn judge(
        &self,
        named: Named,
        workspace: &Workspace,
        service: Option<&Service>,
    ) -> Result<(Member, Option<LocationId>)> {
        let mut problems = Problems::default();
        let mut place = self.location;
        match &named.practitioner {
            None => problems.add("practitionerId", "Not found."),
            Some(member) if !(member.is_active && member.is_bookable) => {
                problems.add("practitionerId", "This member cannot be booked.");
            }
            Some(_) => {}
        }
        if self.location.is_some() {
            match named.location {
                None => problems.add("locationId", "Not found."),
                Some(location) if location.archived_at.is_some() => {
                    problems.add("locationId", "This place is archived.");
                }
                Some(_) => {}
            }
        }
        match self.room {
            Some(_) => match named.room {
                None => problems.add("roomId", "Not found."),
                Some(room) if room.archived_at.is_some() => problems.add("roomId", "This room is archived."),
                Some(room) if elsewhere(room.location_id, self.location) => {
                    problems.add("roomId", "This room is at another place.");
                }
                Some(room) => place = place.or(room.location_id),
            },
            None if workspace.require_room || service.is_some_and(|service| service.requires_room) => {
                problems.add("roomId", "A room is required.");
            }
            None => {}
        }
        problems.ok()?;
        Ok((named.practitioner.ok_or(Error::NotFound)?, place))
    }
}

/// What [`Places`] name, as it was found.
struct Named {
    practitioner: Option<Member>,
    location: Option<location::entity::Model>,
    room: Option<room::entity::Model>,
}

/// All that a booking names: in one statement, in which the locks are taken in the order of every booking.
pub struct Party {
    pub workspace: Workspace,
    pub service: Option<Service>,
    pub practitioner: Member,
    /// With the room of the group session that is joined.
    pub places: Places,
    /// Where it takes place: the place asked for, or else the room's.
    pub location: Option<LocationId>,
    pub patient: patient::entity::Model,
    /// What the practitioner wants to be told.
    pub settings: Option<notification_setting::Model>,
    /// The patient's, as they are stored.
    pub keys: Vec<patient_key::Model>,
    /// What stands around the appointment, where it was looked at with the rest.
    pub sight: Option<Sight>,
}

impl Party {
    /// Loads and checks it. A booking that stands `alone` comes into the room of the group session that it joins if
    /// it names none, and on PostgreSQL its time is looked at in the same round trip.
    pub async fn load(unit: &UnitOfWork, actor: &Actor, booking: &Booking, alone: bool) -> Result<Self> {
        let mut places = booking.places;
        let mut look = Together::default();
        let workspace = look.find_one(workspace::queries::one(actor.workspace));
        let service = booking.service.map(|id| look.find_one(service_of(actor, id)));
        let location = places.location.map(|id| look.find_one(location_of(actor, id)));
        let settings = look.find_one(reminder::plan::settings_query(actor, places.practitioner));
        let keys = look.find(Keys::of_patient(actor, booking.patient));
        let practitioner = look.lock(practitioner_of(actor, places.practitioner));
        let room = match (places.room, booking.service) {
            (Some(id), _) => Some(look.lock(room_of(actor, id))),
            (None, Some(service)) if alone => {
                let key = (places.practitioner, service, booking.starts_at);
                Some(look.lock(seats::rooms(actor, key)))
            }
            (None, _) => None,
        };
        let patient = look.lock(patient_of(actor, booking.patient));
        // What cannot be an appointment is refused later, and would find everything there ever was.
        let short = |ends_at| booking.starts_at < ends_at && ends_at - booking.starts_at < LONGEST;
        let looks = alone
            && booking.override_reason.is_none()
            && booking.ends_at.is_none_or(short)
            && unit.engine() == Engine::Postgres;
        let ahead = looks
            .then(|| Look::ahead(&mut look, &load::eyes(actor), booking, service.as_ref(), room.as_ref()));
        let found = look.run(unit).await?;

        let workspace = found.one(&workspace)?.ok_or(Error::NotFound)?;
        let service = match service {
            Some(service) => Some(on_offer(found.one(&service)?)?),
            None => None,
        };
        let named = Named {
            practitioner: found.one(&practitioner)?,
            location: found.maybe(location.as_ref())?,
            room: found.maybe(room.as_ref())?,
        };
        places.room = places.room.or(named.room.as_ref().map(|room| room.id));
        let (practitioner, location) = places.judge(named, &workspace, service.as_ref())?;
        // A seat depends on its session, which was read before the locks were held.
        let ahead = ahead.filter(|_| service.as_ref().is_none_or(|service| service.capacity == 1));
        Ok(Self {
            workspace,
            service,
            practitioner,
            places,
            location,
            patient: bookable(found.one(&patient)?)?,
            settings: found.one(&settings)?,
            keys: found.all(&keys)?,
            sight: ahead.map(|ahead| ahead.seen(&found)).transpose()?,
        })
    }
}

fn practitioner_of(actor: &Actor, id: MembershipId) -> Select<member::entity::Entity> {
    actor.find::<member::entity::Entity>().filter(member::entity::Column::Id.eq(id))
}

fn location_of(actor: &Actor, id: LocationId) -> Select<location::entity::Entity> {
    actor.find::<location::entity::Entity>().filter(location::entity::Column::Id.eq(id))
}

fn room_of(actor: &Actor, id: RoomId) -> Select<room::entity::Entity> {
    actor.find::<room::entity::Entity>().filter(room::entity::Column::Id.eq(id))
}

fn patient_of(actor: &Actor, id: PatientId) -> Select<patient::entity::Entity> {
    actor.find::<patient::entity::Entity>().filter(patient::entity::Column::Id.eq(id))
}

fn service_of(actor: &Actor, id: ServiceId) -> Select<service::entity::Entity> {
    actor.find::<service::entity::Entity>().filter(service::entity::Column::Id.eq(id))
}

/// Locks what an appointment takes up besides the patient, in the order of every booking.
pub async fn lock(
    unit: &UnitOfWork,
    actor: &Actor,
    practitioner: MembershipId,
    room: Option<RoomId>,
) -> Result<()> {
    let mut look = Together::default();
    look.lock(practitioner_of(actor, practitioner));
    if let Some(room) = room {
        look.lock(room_of(actor, room));
    }
    look.run(unit).await?;
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
    bookable(patient_of(actor, id).lock(LockType::NoKeyUpdate).one(&**unit).await?)
}

fn bookable(found: Option<patient::entity::Model>) -> Result<patient::entity::Model> {
    let found = found.ok_or_else(|| Error::invalid("patientId", "Not found."))?;
    if found.archived_at.is_some() || found.merged_into_id.is_some() {
        return Err(Error::invalid("patientId", "This patient is archived."));
    }
    Ok(found)
}

/// The service, if it is on offer.
pub async fn offered_service(unit: &UnitOfWork, actor: &Actor, id: ServiceId) -> Result<Service> {
    on_offer(service_of(actor, id).one(&**unit).await?)
}

fn on_offer(found: Option<Service>) -> Result<Service> {
    let service = found.ok_or_else(|| Error::invalid("serviceId", "Not found."))?;
    if service.archived_at.is_some() {
        return Err(Error::invalid("serviceId", "This service is archived."));
    }
    Ok(service)
}
