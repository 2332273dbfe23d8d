//! What a search is about: the practice, the service and the people, loaded and put together.

use std::cmp::Ordering;
use std::collections::HashMap;

use chrono::{DateTime, Days, Duration, Utc};
use chrono_tz::Tz;
use sea_orm::{ColumnTrait, QueryFilter, Select};
use uuid::Uuid;

use super::load::{self, Except, Limits, Plan, zone};
use super::local::start_of_day;
use super::search::{Found, Practitioner, Room, Setting, Shape, Wish, search};
use super::spans::{MINUTE, Span, merged};
use crate::access::actor::Actor;
use crate::appointment::queries::equipment_links;
use crate::db::together::Together;
use crate::db::tx::Tx;
use crate::error::Result;
use crate::id::{AppointmentId, LocationId, MembershipId, PatientId, RoomId};
use crate::service::entity::Model as Service;
use crate::workspace::entity::Model as Workspace;
use crate::{member, room};

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Any that can be booked when there are none.
    pub practitioners: Vec<MembershipId>,
    pub locations: Vec<LocationId>,
    /// Any that are in use when there are none and one is needed.
    pub rooms: Vec<RoomId>,
    pub patient: Option<PatientId>,
    pub shape: Shape,
    /// The first and the last instant at which an appointment may start; the last one is exclusive.
    pub range: Span,
    /// Starts are multiples of this after local midnight, in microseconds.
    pub step: i64,
    pub anyone: bool,
    pub limit: usize,
    pub per_day: Option<usize>,
    /// An appointment that is to be moved: it is not in its own way.
    pub except: Option<AppointmentId>,
}

/// What was found, with the people and rooms it names.
#[derive(Debug)]
pub struct Answer {
    pub found: Found,
    pub practitioners: Vec<member::entity::ModelEx>,
    pub rooms: HashMap<RoomId, room::entity::ModelEx>,
    pub zone: Tz,
}

/// The instants at which a booking made now may start.
pub fn bookable_span(service: Option<&Service>, zone: Tz, now: DateTime<Utc>) -> Span {
    let notice = service.map_or(0, |service| service.min_notice_minutes);
    let earliest = now.timestamp_micros() + i64::from(notice) * MINUTE;
    let latest = service.map_or(i64::MAX, |service| {
        let days = u64::try_from(service.max_advance_days).unwrap_or(0);
        let today = now.with_timezone(&zone).date_naive();
        let after = today.checked_add_days(Days::new(days + 1));
        after.map_or(i64::MAX, |day| start_of_day(zone, day).timestamp_micros())
    });
    Span::new(earliest, latest)
}

/// Searches the practice for free times. The number of statements does not depend on how many are asked for.
pub async fn find(
    db: &Tx,
    actor: &Actor,
    workspace: &Workspace,
    service: Option<&Service>,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<Answer> {
    let eyes = &load::eyes(actor);
    let home = zone(&workspace.timezone);
    let mut answer =
        Answer { found: Found::default(), practitioners: Vec::new(), rooms: HashMap::new(), zone: home };
    let Shape { duration, before, after } = request.shape;
    let starts = request.range.cut(bookable_span(service, home, now));
    if starts.is_empty() {
        return Ok(answer);
    }
    // Whatever an appointment that starts in time can reach.
    let around = Span::new(starts.start, starts.end + duration).padded(before, after);
    let needs_room = workspace.require_room
        || service.is_some_and(|service| service.requires_room)
        || !request.rooms.is_empty();

    let mut look = Together::default();
    let named = Some(request.practitioners.as_slice()).filter(|named| !named.is_empty());
    let members = look.find(bookable(eyes, &request.practitioners));
    let schedules = look.find(load::schedules_of(eyes, named));
    let exceptions = look.find(load::exceptions_of(eyes, named, around));
    let rooms = needs_room.then(|| look.find(rooms_in_use(eyes, &request.rooms)));
    let equipment = service.map(|service| look.find(equipment_links(eyes, service.id)));
    let found = look.run(db).await?;
    let mut members = found.all(&members)?;
    members.sort_unstable_by(by_name);
    let mut rooms = rooms.map(|rooms| found.all(&rooms)).transpose()?;
    if let Some(rooms) = &mut rooms {
        rooms.sort_unstable_by(|one, other| (&one.name_key, one.id).cmp(&(&other.name_key, other.id)));
    }
    if members.is_empty() {
        return Ok(answer);
    }
    let ids: Vec<MembershipId> = members.iter().map(|member| member.id).collect();
    let plan = Plan::of(&found.all(&schedules)?, &found.all(&exceptions)?);
    let clocks = plan.clocks(around, home);

    let mut resources: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    resources.extend(rooms.iter().flatten().map(|room| room.id.0));
    resources.extend(request.patient.map(|patient| patient.0));
    let equipment = equipment.map(|equipment| found.all(&equipment)).transpose()?.unwrap_or_default();
    resources.extend(equipment.iter().map(|link| link.equipment_id.0));
    let mut busy = load::busy(db, eyes, resources, around, now, request.except).await?;
    let mut busy_of = |id: Uuid| busy.remove(&id).unwrap_or_default();

    let mut sessions = load::sessions(db, eyes, service, &ids, starts).await?;
    let limits = limits(&members, service);
    let except = Except { appointments: request.except.as_slice(), hold: None };
    let mut full = load::full_days(db, eyes, &ids, &limits, &clocks, (starts, now), except).await?;

    let setting = Setting {
        practitioners: ids
            .iter()
            .map(|id| Practitioner {
                id: *id,
                hours: plan.hours(*id),
                busy: busy_of(id.0),
                full_days: full.remove(id).unwrap_or_default(),
                sessions: sessions.remove(id).unwrap_or_default(),
            })
            .collect(),
        rooms: rooms.as_ref().map(|rooms| {
            let room = |room: &room::entity::Model| Room {
                id: room.id,
                location: room.location_id,
                busy: merged(busy_of(room.id.0)),
            };
            rooms.iter().map(room).collect()
        }),
        patient_busy: request.patient.map(|patient| busy_of(patient.0)).unwrap_or_default(),
        equipment_busy: equipment.iter().flat_map(|link| busy_of(link.equipment_id.0)).collect(),
        capacity: service.map_or(1, |service| service.capacity),
        closings: plan.closings,
        clocks,
        shape: request.shape,
        starts,
    };
    let wish = Wish {
        locations: request.locations.clone(),
        step: request.step,
        anyone: request.anyone,
        limit: request.limit,
        per_day: request.per_day,
    };
    answer.found = search(&setting, &wish);
    answer.practitioners = members.into_iter().map(Into::into).collect();
    answer.rooms = rooms.into_iter().flatten().map(|room| (room.id, room.into())).collect();
    Ok(answer)
}

/// The members that can be booked: those named, or all.
pub fn bookable(actor: &Actor, among: &[MembershipId]) -> Select<member::entity::Entity> {
    use member::entity::{Column, Entity};
    let query = actor.find::<Entity>().filter(Column::IsActive.eq(true)).filter(Column::IsBookable.eq(true));
    if among.is_empty() { query } else { query.filter(Column::Id.is_in(among.iter().copied())) }
}

/// By name, byte for byte: the same on both engines.
pub fn by_name(one: &member::entity::Model, other: &member::entity::Model) -> Ordering {
    (&one.display_name, one.id).cmp(&(&other.display_name, other.id))
}

/// The rooms in use: those named, or all.
fn rooms_in_use(actor: &Actor, among: &[RoomId]) -> Select<room::entity::Entity> {
    use room::entity::{Column, Entity};
    let query = actor.find::<Entity>().filter(Column::ArchivedAt.is_null());
    if among.is_empty() { query } else { query.filter(Column::Id.is_in(among.iter().copied())) }
}

/// The limits that hold for these members and this service.
pub fn limits<'a>(
    members: impl IntoIterator<Item = &'a member::entity::Model>,
    service: Option<&Service>,
) -> Limits {
    let of_member = |member: &member::entity::Model| Some((member.id, member.daily_limit?));
    Limits {
        of_practitioner: members.into_iter().filter_map(of_member).collect(),
        of_service: service.and_then(|service| Some((service.id, service.daily_limit?))),
    }
}

/// The next times instead of one that cannot be had: at most three a day within two weeks, ten in all.
pub fn alternatives(wanted: &Request, from: i64) -> Request {
    let two_weeks = Duration::days(14).num_microseconds().unwrap_or(i64::MAX);
    Request {
        range: Span::new(from, from.saturating_add(two_weeks)),
        step: 15 * MINUTE,
        anyone: true,
        limit: 10,
        per_day: Some(3),
        ..wanted.clone()
    }
}
