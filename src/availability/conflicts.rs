//! What is in the way of an appointment, and when it could be instead.

use async_graphql::Context;
use chrono::{DateTime, Utc};

use super::check::{self, Obstacle};
use super::graphql::{AvailableSlot, BookingCheck, find, known, practice};
use super::input::FindConflictsInput;
use super::query::{Request, alternatives};
use super::search::Shape;
use super::spans::Span;
use crate::access::permission::Permission;
use crate::appointment::graphql::roots;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::input::Problems;
use crate::id::{AppointmentId, LocationId, MembershipId, PatientId, RoomId};
use crate::service::entity::Model as Service;

/// Checks an appointment that somebody thinks of.
pub async fn check(ctx: &Context<'_>, input: &FindConflictsInput) -> Result<BookingCheck> {
    let practitioner = known(ctx, input.practitioner_id, "practitionerId").await?;
    let service: Option<Service> = match input.service_id {
        Some(id) => Some(known(ctx, id, "serviceId").await?.into()),
        None => None,
    };
    if let Some(id) = input.patient_id {
        known(ctx, id, "patientId").await?;
    }
    let mut location = input.location_id;
    if let Some(id) = input.location_id {
        known(ctx, id, "locationId").await?;
    }
    if let Some(id) = input.room_id {
        location = location.or(known(ctx, id, "roomId").await?.location_id);
    }
    if let Some(id) = input.appointment_id {
        known(ctx, id, "appointmentId").await?;
    }
    let ends_at = crate::appointment::book::end_of(input.starts_at, input.ends_at, service.as_ref())?;
    let now = ctx.app().clock.now();
    let mut problems = Problems::default();
    crate::appointment::input::check_times(&mut problems, input.starts_at, ends_at, now);
    problems.ok()?;

    let (actor, workspace) = (ctx.actor()?, practice(ctx).await?);
    let buffers = service.as_ref().map_or((0, 0), |s| (s.buffer_before_minutes, s.buffer_after_minutes));
    let wanted = check::Wanted {
        workspace: &workspace,
        service: service.as_ref(),
        practitioner: &practitioner.into(),
        patient: input.patient_id,
        room: input.room_id,
        location,
        starts_at: input.starts_at,
        ends_at,
        buffers,
        except: input.appointment_id,
    };
    let tx = ctx.call().tx().await?;
    let mut obstacles = check::against(&*tx, &actor, &wanted, now).await?;
    let may_past = workspace.allow_past_booking && actor.may(Permission::BookInThePast);
    if input.starts_at < now && !may_past && !obstacles.contains(&Obstacle::MinimumNotice) {
        obstacles.push(Obstacle::MinimumNotice);
    }
    let instead = Instead {
        service: service.as_ref(),
        practitioner: Some(input.practitioner_id),
        patient: input.patient_id,
        room: input.room_id,
        location: input.location_id,
        starts_at: input.starts_at,
        ends_at,
        buffers,
        except: input.appointment_id,
    };
    let (conflicts, _) = roots::in_the_way(ctx, &instead).await?;
    let bookable = obstacles.is_empty() && conflicts.is_empty();
    let alternatives = if bookable { Vec::new() } else { instead.times(ctx).await? };
    Ok(BookingCheck { bookable, obstacles, conflicts, alternatives })
}

/// An appointment that could not be booked.
#[derive(Clone, Copy, Debug)]
pub struct Instead<'a> {
    pub service: Option<&'a Service>,
    /// None when anybody would do.
    pub practitioner: Option<MembershipId>,
    pub patient: Option<PatientId>,
    pub room: Option<RoomId>,
    pub location: Option<LocationId>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// Minutes kept free before and after.
    pub buffers: (i32, i32),
    /// The appointment that is being moved.
    pub except: Option<AppointmentId>,
}

impl Instead<'_> {
    /// The next times from the one that was wanted on, or from now on.
    pub async fn times(&self, ctx: &Context<'_>) -> Result<Vec<AvailableSlot>> {
        let wanted = self.request();
        let from = wanted.range.start.max(ctx.app().clock.now().timestamp_micros());
        Ok(find(ctx, self.service, &alternatives(&wanted, from)).await?.slots)
    }

    /// The search for exactly this time.
    pub fn request(&self) -> Request {
        let span = Span::between(self.starts_at, self.ends_at);
        let shape =
            Shape { duration: span.end - span.start, ..Shape::minutes(0, self.buffers.0, self.buffers.1) };
        Request {
            practitioners: self.practitioner.into_iter().collect(),
            locations: self.location.into_iter().collect(),
            rooms: self.room.into_iter().collect(),
            patient: self.patient,
            shape,
            range: Span::new(span.start, span.start + 1),
            step: 1,
            anyone: false,
            limit: 1,
            per_day: None,
            except: self.except,
        }
    }
}
