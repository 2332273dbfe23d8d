//! Appointments in the schema: queries and mutations.

use async_graphql::{Context, Enum, Object};

use super::{
    AppointmentBooked, AppointmentConflict, AppointmentPayload, AppointmentRescheduled,
    BookAppointmentPayload, RescheduleAppointmentPayload, ResourceConflict,
};
use crate::access::permission::Permission;
use crate::appointment::entity::{AppointmentStatus, ModelEx};
use crate::appointment::input::{
    AppointmentFilter, AppointmentStatusInput, BookAppointmentInput, CancelAppointmentInput,
    CorrectAppointmentStatusInput, RescheduleAppointmentInput, UpdateAppointmentInput,
};
use crate::appointment::occupy::Claim;
use crate::appointment::queries::{self, First, FirstOfPatient, Wanted};
use crate::appointment::series::edit::{self, InTheWay, Moved};
use crate::appointment::series::input::SeriesScope;
use crate::appointment::series::instead::Times;
use crate::appointment::{book, commands, occupancy, status};
use crate::availability::conflicts::Instead;
use crate::availability::graphql::AvailableSlots;
use crate::error::Error;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::graphql::join::Related;
use crate::graphql::page::{self, Binding, List, Page, PageArgs};
use crate::graphql::project::{self, Asked};
use crate::id::{AppointmentId, MembershipId, PatientId};
use crate::service::entity::Model as Service;

/// The order of a list of appointments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
pub enum AppointmentOrder {
    /// The earliest start first.
    #[default]
    StartsAtAsc,
    /// The latest start first.
    StartsAtDesc,
}

#[derive(Default)]
pub struct AppointmentQuery;

#[Object]
impl AppointmentQuery {
    /// One appointment, or null when there is none that you may see.
    #[graphql(directive = requires::apply(Permission::ReadAppointments))]
    async fn appointment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The appointment's id.")] id: AppointmentId,
    ) -> Result<Option<Related<'static, ModelEx>>> {
        let (call, actor) = (ctx.call(), ctx.actor()?);
        let chosen = queries::SHAPE.choose(&Asked::of(ctx));
        let tx = call.tx().await?;
        let found = project::select(&queries::SHAPE, &chosen, queries::one(&actor, id), &*tx).await?;
        Ok(found.into_iter().next().map(Related::alone))
    }

    /// Appointments by start. A patient sees the own ones.
    #[graphql(
        directive = requires::apply(Permission::ReadAppointments)
    )]
    #[expect(clippy::too_many_arguments, reason = "the paging arguments of the Relay specification")]
    async fn appointments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones.")] filter: Option<AppointmentFilter>,
        #[graphql(desc = "In which order.", default)] order_by: AppointmentOrder,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<List<ModelEx>> {
        let (call, actor) = (ctx.call(), ctx.actor()?);
        let filter = filter.unwrap_or_default();
        if filter.statuses.as_ref().is_some_and(|statuses| statuses.len() > 6) {
            return Err(Error::invalid_argument("filter", "At most 6 statuses.").into());
        }
        let binding = Binding::new(actor.workspace, "appointments", &(&filter, order_by));
        let page = Page::new(binding, PageArgs { first, after, last, before })?;
        let query = queries::list(&actor, &filter);
        let tx = call.tx().await?;
        let total = page::total(ctx, &query).await?;
        let order = queries::order(order_by == AppointmentOrder::StartsAtDesc);
        let chosen = queries::SHAPE.choose(&Asked::nodes(ctx));
        let rows = project::select(&queries::SHAPE, &chosen, page.apply(query, &order)?, &*tx).await?;
        Ok(page.connect(rows, queries::position, |row| row, total))
    }
}

#[derive(Default)]
pub struct AppointmentMutation;

#[Object]
impl AppointmentMutation {
    /// Books an appointment inside the practitioner's working hours. The database itself refuses a time that
    /// practitioner, room or patient do not have. When it cannot be booked, the answer says what is in the way and
    /// when it could be instead.
    #[graphql(directive = requires::apply(Permission::BookAppointments))]
    async fn book_appointment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, when and where.")] input: BookAppointmentInput,
    ) -> Result<Option<BookAppointmentPayload>> {
        let actor = ctx.actor()?;
        let key = ctx.idempotency(input.idempotency_key.as_deref())?;
        match book::book(ctx.app(), &actor, key.as_ref(), &input).await {
            Ok(booked) => {
                let appointment = match booked.row {
                    Some(row) => row.into(),
                    None => reload(ctx, booked.id).await?,
                };
                Ok(Some(BookAppointmentPayload::Booked(Box::new(AppointmentBooked { appointment }))))
            }
            Err(error @ (Error::Occupied | Error::Unbookable(_))) => {
                let service: Option<Service> = match input.service_id {
                    Some(id) => ctx.call().load(id).await?.map(Into::into),
                    None => None,
                };
                let ends_at = book::end_of(input.starts_at, input.ends_at, service.as_ref())?;
                let wanted = Instead {
                    service: service.as_ref(),
                    practitioner: input.practitioner_id,
                    patient: Some(input.patient_id),
                    room: input.room_id,
                    location: input.location_id,
                    starts_at: input.starts_at,
                    ends_at,
                    buffers: book::buffers(service.as_ref()),
                    except: None,
                };
                Ok(Some(BookAppointmentPayload::Conflict(conflict(ctx, &wanted, error).await?)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Moves an appointment that is scheduled or confirmed to another time, practitioner, room or place; with a
    /// `scope` also others of its series.
    #[graphql(directive = requires::apply(Permission::BookAppointments))]
    async fn reschedule_appointment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one, and where to.")] input: RescheduleAppointmentInput,
    ) -> Result<Option<RescheduleAppointmentPayload>> {
        let actor = ctx.actor()?;
        if input.scope != SeriesScope::This {
            return Ok(Some(reschedule_series(ctx, &input).await?));
        }
        match book::reschedule(ctx.app(), &actor, &input).await {
            Ok(()) => {
                let appointment = reload(ctx, input.id).await?;
                let moved = AppointmentRescheduled { appointment, others: Vec::new() };
                Ok(Some(RescheduleAppointmentPayload::Rescheduled(Box::new(moved))))
            }
            Err(error @ (Error::Occupied | Error::Unbookable(_))) => {
                let before = reload(ctx, input.id).await?;
                let service: Option<Service> = match before.service_id {
                    Some(id) => ctx.call().load(id).await?.map(Into::into),
                    None => None,
                };
                let to = book::Move::of(&before.clone().into(), &input);
                let wanted = Instead {
                    service: service.as_ref(),
                    practitioner: Some(to.places.practitioner),
                    patient: Some(before.patient_id),
                    room: to.places.room,
                    location: to.places.location,
                    starts_at: to.starts_at,
                    ends_at: to.ends_at.unwrap_or(to.starts_at + (before.ends_at - before.starts_at)),
                    buffers: (before.buffer_before_minutes, before.buffer_after_minutes),
                    except: Some(before.id),
                };
                Ok(Some(RescheduleAppointmentPayload::Conflict(conflict(ctx, &wanted, error).await?)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Changes an appointment's priority, kind, reason and notes.
    #[graphql(directive = requires::apply(Permission::ManageAppointments))]
    async fn update_appointment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateAppointmentInput,
    ) -> Result<Option<AppointmentPayload>> {
        commands::update(ctx.app(), &*ctx.actor()?, &input).await?;
        payload(ctx, input.id).await
    }

    /// Confirms a scheduled appointment.
    #[graphql(directive = requires::apply(Permission::ManageAppointments))]
    async fn confirm_appointment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: AppointmentStatusInput,
    ) -> Result<Option<AppointmentPayload>> {
        advance(ctx, &input, AppointmentStatus::Confirmed).await
    }

    /// Starts a scheduled or confirmed appointment: the patient is there.
    #[graphql(directive = requires::apply(Permission::ManageAppointments))]
    async fn start_appointment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: AppointmentStatusInput,
    ) -> Result<Option<AppointmentPayload>> {
        advance(ctx, &input, AppointmentStatus::InProgress).await
    }

    /// Completes an appointment that is in progress.
    #[graphql(directive = requires::apply(Permission::ManageAppointments))]
    async fn complete_appointment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: AppointmentStatusInput,
    ) -> Result<Option<AppointmentPayload>> {
        advance(ctx, &input, AppointmentStatus::Completed).await
    }

    /// Marks that the patient did not come, once the appointment has begun. Its time is free again.
    #[graphql(directive = requires::apply(Permission::ManageAppointments))]
    async fn mark_no_show(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: AppointmentStatusInput,
    ) -> Result<Option<AppointmentPayload>> {
        advance(ctx, &input, AppointmentStatus::NoShow).await
    }

    /// Cancels an appointment that is not over; with a `scope` also others of its series that have not begun. Its
    /// time is free again, and offered to the waiting list.
    #[graphql(directive = requires::apply(Permission::BookAppointments))]
    async fn cancel_appointment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one, and why.")] input: CancelAppointmentInput,
    ) -> Result<Option<AppointmentPayload>> {
        if input.scope == SeriesScope::This {
            status::cancel(ctx.app(), &*ctx.actor()?, &input).await?;
            return payload(ctx, input.id).await;
        }
        let cancelled = edit::cancel(ctx.app(), &*ctx.actor()?, &input).await?;
        let (appointment, others) = with_others(ctx, input.id, cancelled).await?;
        Ok(Some(AppointmentPayload { appointment, others }))
    }

    /// Puts a status right after the fact: a completed appointment to no-show or cancelled (unless it has a
    /// session note), a no-show to completed or scheduled, a cancelled one to scheduled. What becomes
    /// scheduled again needs its time to be free.
    #[graphql(directive = requires::apply(Permission::CorrectAppointments))]
    async fn correct_appointment_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one, what it should be, and why.")] input: CorrectAppointmentStatusInput,
    ) -> Result<Option<AppointmentPayload>> {
        status::correct(ctx.app(), &*ctx.actor()?, &input).await?;
        payload(ctx, input.id).await
    }
}

async fn advance(
    ctx: &Context<'_>,
    input: &AppointmentStatusInput,
    to: AppointmentStatus,
) -> Result<Option<AppointmentPayload>> {
    status::advance(ctx.app(), &*ctx.actor()?, input.id, input.expected_version, to).await?;
    payload(ctx, input.id).await
}

async fn payload(ctx: &Context<'_>, id: AppointmentId) -> Result<Option<AppointmentPayload>> {
    Ok(Some(AppointmentPayload { appointment: reload(ctx, id).await?, others: Vec::new() }))
}

async fn reload(ctx: &Context<'_>, id: AppointmentId) -> Result<ModelEx> {
    Ok(ctx.call().load(id).await?.ok_or(Error::NotFound)?)
}

async fn reschedule_series(
    ctx: &Context<'_>,
    input: &RescheduleAppointmentInput,
) -> Result<RescheduleAppointmentPayload> {
    match edit::reschedule(ctx.app(), &*ctx.actor()?, input).await? {
        Moved::Done(moved) => {
            let (appointment, others) = with_others(ctx, input.id, moved).await?;
            let moved = AppointmentRescheduled { appointment, others };
            Ok(RescheduleAppointmentPayload::Rescheduled(Box::new(moved)))
        }
        Moved::Taken(why) => {
            let InTheWay { rows, full, obstacles, instead: Times { answer, request } } = *why;
            let conflicts = resource_conflicts(ctx, rows).await?;
            let alternatives = AvailableSlots::of(answer, &request).slots;
            let conflict = AppointmentConflict { conflicts, session_full: full, obstacles, alternatives };
            Ok(RescheduleAppointmentPayload::Conflict(conflict))
        }
    }
}

/// The named appointment, and the others in their order.
async fn with_others(
    ctx: &Context<'_>,
    id: AppointmentId,
    all: Vec<AppointmentId>,
) -> Result<(ModelEx, Vec<ModelEx>)> {
    let loads = all.into_iter().filter(|other| *other != id).map(|other| reload(ctx, other));
    let (appointment, others) =
        futures::future::join(reload(ctx, id), futures::future::join_all(loads)).await;
    Ok((appointment?, others.into_iter().collect::<Result<_>>()?))
}

/// Why nothing was booked: what is in the way as far as the caller may see it, and the next times.
pub async fn conflict(ctx: &Context<'_>, wanted: &Instead<'_>, error: Error) -> Result<AppointmentConflict> {
    let obstacles = if let Error::Unbookable(obstacles) = error { obstacles } else { Vec::new() };
    let (conflicts, session_full) = in_the_way(ctx, wanted).await?;
    Ok(AppointmentConflict { conflicts, session_full, obstacles, alternatives: wanted.times(ctx).await? })
}

/// Who and what is taken, with the appointments that the caller may see, and whether it is a full group session.
pub async fn in_the_way(ctx: &Context<'_>, wanted: &Instead<'_>) -> Result<(Vec<ResourceConflict>, bool)> {
    let now = ctx.app().clock.now();
    let claim = Claim {
        // Nobody's id, which nothing takes up, when anybody would do.
        practitioner: wanted.practitioner.unwrap_or(MembershipId(uuid::Uuid::nil())),
        room: wanted.room,
        equipment: Vec::new(),
        patient: wanted.patient,
        starts_at: wanted.starts_at,
        ends_at: wanted.ends_at,
        before_minutes: wanted.buffers.0,
        after_minutes: wanted.buffers.1,
        exclusive: true,
    };
    let service = wanted.service.map(|service| service.id);
    let wanted = Wanted { claim, service, except: wanted.except };
    let taken = queries::conflicts(&*ctx.call().tx().await?, &*ctx.actor()?, &wanted, now).await?;
    Ok((resource_conflicts(ctx, taken.rows).await?, taken.full))
}

/// What is taken, with the appointments that the caller may see.
async fn resource_conflicts(ctx: &Context<'_>, rows: Vec<occupancy::Model>) -> Result<Vec<ResourceConflict>> {
    let loads = rows.into_iter().map(|row| async move {
        let appointment = match row.appointment_id {
            Some(id) => ctx.call().load(id).await?,
            None => None,
        };
        Ok(ResourceConflict {
            resource: row.resource_kind,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            appointment,
        })
    });
    futures::future::join_all(loads).await.into_iter().collect()
}

/// The appointments of one patient of a list: their first pages are read together, in one statement.
pub async fn of_patient(
    ctx: &Context<'_>,
    patient: PatientId,
    order_by: AppointmentOrder,
    args: PageArgs,
) -> Result<List<ModelEx>> {
    let (call, actor) = (ctx.call(), ctx.actor()?);
    let descending = order_by == AppointmentOrder::StartsAtDesc;
    let binding = Binding::new(actor.workspace, "patient.appointments", &(patient, order_by));
    let page = Page::new(binding, args)?;
    let filter = AppointmentFilter { patient_id: Some(patient), ..AppointmentFilter::default() };
    let total = page::total(ctx, &queries::list(&actor, &filter)).await?;
    let chosen = queries::SHAPE.choose(&Asked::nodes(ctx));
    let rows = if page.after.is_none() && page.before.is_none() && !page.backwards {
        let limit = page.size as u64 + 1;
        let first = First { descending, limit, chosen };
        call.load(FirstOfPatient { patient, first }).await?.unwrap_or_default()
    } else {
        let query = page.apply(queries::list(&actor, &filter), &queries::order(descending))?;
        project::select(&queries::SHAPE, &chosen, query, &*call.tx().await?).await?
    };
    Ok(page.connect(rows, queries::position, |row| row, total))
}
