//! Weekly schedules and exceptions in the schema.

use async_graphql::{Context, Object, SimpleObject};
use chrono::NaiveDate;
use sea_orm::prelude::DateTimeUtc;

use super::entity::ModelEx;
use super::exception::{self, AbsenceReason, ExceptionKind};
use super::input::{
    CreateScheduleExceptionInput, CreateWeeklyScheduleInput, DeleteScheduleExceptionInput,
    DeleteWeeklyScheduleInput, UpdateScheduleExceptionInput, UpdateWeeklyScheduleInput,
};
use super::queries::{ScheduleExceptionFilter, WeeklyScheduleFilter};
use super::time::{LocalTime, Weekday};
use super::{commands, exceptions, queries};
use crate::access::permission::Permission;
use crate::error::Error;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::graphql::join::Related;
use crate::graphql::page::{self, Binding, List, Page, PageArgs};
use crate::id::{DoctorScheduleId, ScheduleExceptionId};
use crate::{location, member};

/// An interval of the week in which a practitioner works. A practitioner without any can be booked at any time.
#[Object(name = "WeeklySchedule")]
impl ModelEx {
    /// The entry's id.
    pub async fn id(&self) -> DoctorScheduleId {
        self.id
    }

    /// Who works then.
    async fn practitioner(&self, ctx: &Context<'_>) -> Result<Option<Related<'_, member::entity::ModelEx>>> {
        Related::one(&self.practitioner, ctx, self.practitioner_id).await
    }

    /// Where. Null for hours that serve every place.
    async fn location(&self, ctx: &Context<'_>) -> Result<Option<Related<'_, location::entity::ModelEx>>> {
        Related::maybe(&self.location, ctx, self.location_id).await
    }

    /// On which day of the week.
    async fn weekday(&self) -> Weekday {
        Weekday::from_number(self.weekday)
    }

    /// When work begins, on the wall clock of the zone.
    async fn start_time(&self) -> LocalTime {
        LocalTime(self.starts_minute)
    }

    /// When work ends.
    async fn end_time(&self) -> LocalTime {
        LocalTime(self.ends_minute)
    }

    /// When the break begins. Null without one.
    async fn break_start(&self) -> Option<LocalTime> {
        self.break_starts_minute.map(LocalTime)
    }

    /// When the break ends. Null without one.
    async fn break_end(&self) -> Option<LocalTime> {
        self.break_ends_minute.map(LocalTime)
    }

    /// IANA name of the zone of the wall clock.
    async fn timezone(&self) -> &str {
        &self.timezone
    }

    /// The first day it holds on. Null when it always did.
    async fn valid_from(&self) -> Option<NaiveDate> {
        self.valid_from
    }

    /// The last day it holds on. Null while no end is known.
    async fn valid_until(&self) -> Option<NaiveDate> {
        self.valid_until
    }

    /// Counts the changes; pass it as `expectedVersion` to change the entry.
    async fn version(&self) -> i32 {
        self.version
    }

    /// When it was created.
    async fn created_at(&self) -> DateTimeUtc {
        self.created_at
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTimeUtc {
        self.updated_at
    }
}

/// A dated exception to the weekly schedules: time off, extra hours, or a time at which the practice is closed.
///
/// Extra hours are open although the practice is closed; own time off always wins.
#[Object(name = "ScheduleException")]
impl exception::ModelEx {
    /// The exception's id.
    pub async fn id(&self) -> ScheduleExceptionId {
        self.id
    }

    /// Whom it concerns. Null when the practice is closed.
    async fn practitioner(&self, ctx: &Context<'_>) -> Result<Option<Related<'_, member::entity::ModelEx>>> {
        Related::maybe(&self.practitioner, ctx, self.practitioner_id).await
    }

    /// Whether it takes time away or adds some.
    async fn kind(&self) -> ExceptionKind {
        self.kind
    }

    /// Why somebody is away. Null when nobody said.
    #[graphql(directive = requires::apply(Permission::ReadMembers))]
    async fn reason(&self) -> Option<AbsenceReason> {
        self.reason_kind
    }

    /// From when.
    async fn starts_at(&self) -> DateTimeUtc {
        self.starts_at
    }

    /// Until when, exclusive.
    async fn ends_at(&self) -> DateTimeUtc {
        self.ends_at
    }

    /// IANA name of the zone that it was meant in.
    async fn timezone(&self) -> &str {
        &self.timezone
    }

    /// Only at this place. Null when it holds everywhere.
    async fn location(&self, ctx: &Context<'_>) -> Result<Option<Related<'_, location::entity::ModelEx>>> {
        Related::maybe(&self.location, ctx, self.location_id).await
    }

    /// A note for colleagues.
    #[graphql(directive = requires::apply(Permission::ReadMembers))]
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Counts the changes; pass it as `expectedVersion` to change the exception.
    async fn version(&self) -> i32 {
        self.version
    }

    /// When it was created.
    async fn created_at(&self) -> DateTimeUtc {
        self.created_at
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTimeUtc {
        self.updated_at
    }
}

/// The weekly interval that was created or changed.
#[derive(SimpleObject)]
pub struct WeeklySchedulePayload {
    /// The entry as it is now.
    weekly_schedule: ModelEx,
}

/// The weekly interval is gone.
#[derive(SimpleObject)]
pub struct DeleteWeeklySchedulePayload {
    /// The id that it had.
    deleted_id: DoctorScheduleId,
}

/// The exception that was created or changed.
#[derive(SimpleObject)]
pub struct ScheduleExceptionPayload {
    /// The exception as it is now.
    schedule_exception: exception::ModelEx,
}

/// The exception is gone.
#[derive(SimpleObject)]
pub struct DeleteScheduleExceptionPayload {
    /// The id that it had.
    deleted_id: ScheduleExceptionId,
}

#[derive(Default)]
pub struct ScheduleQuery;

#[Object]
impl ScheduleQuery {
    /// One weekly interval, or null when there is none that you may see.
    #[graphql(directive = requires::apply(Permission::ReadPractice))]
    async fn weekly_schedule(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The entry's id.")] id: DoctorScheduleId,
    ) -> Result<Option<Related<'static, ModelEx>>> {
        Related::load(ctx, id).await
    }

    /// Weekly working hours, practitioner by practitioner, through the week. For what they come to on given days,
    /// see `calendar`.
    #[graphql(directive = requires::apply(Permission::ReadPractice))]
    async fn weekly_schedules(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones.")] filter: Option<WeeklyScheduleFilter>,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<List<ModelEx>> {
        let actor = ctx.actor()?;
        let filter = filter.unwrap_or_default();
        let binding = Binding::new(actor.workspace, "weeklySchedules", &filter);
        let page = Page::new(binding, PageArgs { first, after, last, before })?;
        let query = queries::list(&actor, &filter);
        Ok(page::read(ctx, &page, query, &queries::ORDER, queries::position).await?)
    }

    /// One exception, or null when there is none that you may see.
    #[graphql(directive = requires::apply(Permission::ReadPractice))]
    async fn schedule_exception(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The exception's id.")] id: ScheduleExceptionId,
    ) -> Result<Option<exception::ModelEx>> {
        Ok(ctx.call().load(id).await?)
    }

    /// Time off, extra hours and closing times, by start.
    #[graphql(directive = requires::apply(Permission::ReadPractice))]
    async fn schedule_exceptions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones.")] filter: Option<ScheduleExceptionFilter>,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<List<exception::ModelEx>> {
        let actor = ctx.actor()?;
        let filter = filter.unwrap_or_default();
        let binding = Binding::new(actor.workspace, "scheduleExceptions", &filter);
        let page = Page::new(binding, PageArgs { first, after, last, before })?;
        let query = queries::exceptions(&actor, &filter);
        Ok(page::read(ctx, &page, query, &queries::EXCEPTION_ORDER, queries::exception_position).await?)
    }
}

#[derive(Default)]
pub struct ScheduleMutation;

#[Object]
impl ScheduleMutation {
    /// Adds a weekly interval of work: your own, or with the permission MANAGE_SCHEDULES anybody's. A
    /// practitioner's intervals on one clock do not overlap while both hold. Appointments already booked stay.
    #[graphql(directive = requires::apply(Permission::ManageOwnSchedule))]
    async fn create_weekly_schedule(
        &self,
        ctx: &Context<'_>,
        input: CreateWeeklyScheduleInput,
    ) -> Result<Option<WeeklySchedulePayload>> {
        let key = ctx.idempotency(input.idempotency_key.as_deref())?;
        let id = commands::create(ctx.app(), &*ctx.actor()?, key.as_ref(), &input).await?;
        weekly(ctx, id).await
    }

    /// Changes a weekly interval, for all weeks in which it holds. To change it from a day on, end this one with
    /// `validUntil` and add another. Appointments already booked stay.
    #[graphql(directive = requires::apply(Permission::ManageOwnSchedule))]
    async fn update_weekly_schedule(
        &self,
        ctx: &Context<'_>,
        input: UpdateWeeklyScheduleInput,
    ) -> Result<Option<WeeklySchedulePayload>> {
        commands::update(ctx.app(), &*ctx.actor()?, &input).await?;
        weekly(ctx, input.id).await
    }

    /// Deletes a weekly interval. A practitioner whose last one is deleted can be booked at any time again: to
    /// close a practitioner's calendar, end the interval with `validUntil` or make the member not bookable.
    #[graphql(directive = requires::apply(Permission::ManageOwnSchedule))]
    async fn delete_weekly_schedule(
        &self,
        ctx: &Context<'_>,
        input: DeleteWeeklyScheduleInput,
    ) -> Result<Option<DeleteWeeklySchedulePayload>> {
        commands::delete(ctx.app(), &*ctx.actor()?, &input).await?;
        Ok(Some(DeleteWeeklySchedulePayload { deleted_id: input.id }))
    }

    /// Adds time off, extra hours or a closing time of the practice. Your own, or with the permission
    /// MANAGE_SCHEDULES anybody's and the practice's. Appointments already booked stay.
    #[graphql(directive = requires::apply(Permission::ManageOwnSchedule))]
    async fn create_schedule_exception(
        &self,
        ctx: &Context<'_>,
        input: CreateScheduleExceptionInput,
    ) -> Result<Option<ScheduleExceptionPayload>> {
        let key = ctx.idempotency(input.idempotency_key.as_deref())?;
        let id = exceptions::create(ctx.app(), &*ctx.actor()?, key.as_ref(), &input).await?;
        dated(ctx, id).await
    }

    /// Changes an exception.
    #[graphql(directive = requires::apply(Permission::ManageOwnSchedule))]
    async fn update_schedule_exception(
        &self,
        ctx: &Context<'_>,
        input: UpdateScheduleExceptionInput,
    ) -> Result<Option<ScheduleExceptionPayload>> {
        exceptions::update(ctx.app(), &*ctx.actor()?, &input).await?;
        dated(ctx, input.id).await
    }

    /// Deletes an exception: the weekly schedule holds again.
    #[graphql(directive = requires::apply(Permission::ManageOwnSchedule))]
    async fn delete_schedule_exception(
        &self,
        ctx: &Context<'_>,
        input: DeleteScheduleExceptionInput,
    ) -> Result<Option<DeleteScheduleExceptionPayload>> {
        exceptions::delete(ctx.app(), &*ctx.actor()?, &input).await?;
        Ok(Some(DeleteScheduleExceptionPayload { deleted_id: input.id }))
    }
}

async fn weekly(ctx: &Context<'_>, id: DoctorScheduleId) -> Result<Option<WeeklySchedulePayload>> {
    let weekly_schedule = ctx.call().load(id).await?.ok_or(Error::NotFound)?;
    Ok(Some(WeeklySchedulePayload { weekly_schedule }))
}

async fn dated(ctx: &Context<'_>, id: ScheduleExceptionId) -> Result<Option<ScheduleExceptionPayload>> {
    let schedule_exception = ctx.call().load(id).await?.ok_or(Error::NotFound)?;
    Ok(Some(ScheduleExceptionPayload { schedule_exception }))
}
