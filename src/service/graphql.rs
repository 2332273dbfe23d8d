//! Services in the schema.

use async_graphql::{Context, Object, SimpleObject};
use sea_orm::prelude::DateTimeUtc;

use super::entity::ModelEx;
use super::input::{CreateServiceInput, UpdateServiceInput};
use super::{commands, queries};
use crate::access::permission::Permission;
use crate::appointment::entity::AppointmentType;
use crate::equipment;
use crate::equipment::queries::EquipmentOf;
use crate::error::Error;
use crate::graphql::context::ContextExt;
use crate::graphql::document::cost::list_size;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::graphql::input::ArchiveInput;
use crate::graphql::join::Related;
use crate::graphql::page::{self, Binding, List, Page, PageArgs};
use crate::id::ServiceId;

/// Something the practice offers: how long it takes, what is kept free around it, what it costs.
#[Object(name = "Service")]
impl ModelEx {
    /// The service's id.
    pub async fn id(&self) -> ServiceId {
        self.id
    }

    /// Its name, unique in the workspace.
    async fn name(&self) -> &str {
        &self.name
    }

    /// What it is, for patients.
    async fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// How long an appointment takes, in minutes.
    async fn duration_minutes(&self) -> i32 {
        self.duration_minutes
    }

    /// Minutes kept free before an appointment.
    async fn buffer_before_minutes(&self) -> i32 {
        self.buffer_before_minutes
    }

    /// Minutes kept free after an appointment.
    async fn buffer_after_minutes(&self) -> i32 {
        self.buffer_after_minutes
    }

    /// Its price in minor units of the workspace's currency (cents). Null when none is set.
    async fn price_minor(&self) -> Option<i64> {
        self.price_minor
    }

    /// How many patients can attend one appointment.
    async fn capacity(&self) -> i32 {
        self.capacity
    }

    /// A colour for calendars.
    async fn color(&self) -> Option<&str> {
        self.color.as_deref()
    }

    /// What kind of appointment it is.
    async fn appointment_type(&self) -> AppointmentType {
        self.appointment_type
    }

    /// Whether booking it takes a room.
    async fn requires_room(&self) -> bool {
        self.requires_room
    }

    /// How many minutes ahead it must be booked.
    async fn min_notice_minutes(&self) -> i32 {
        self.min_notice_minutes
    }

    /// How many days ahead it can be booked: until the end of that day of the practice.
    async fn max_advance_days(&self) -> i32 {
        self.max_advance_days
    }

    /// How many of it a practitioner may have on one day of the practice. Null for no limit.
    async fn daily_limit(&self) -> Option<i32> {
        self.daily_limit
    }

    /// The equipment that an appointment takes up, all of it.
    #[graphql(directive = list_size::apply(5))]
    async fn equipment(&self, ctx: &Context<'_>) -> Result<Vec<equipment::entity::ModelEx>> {
        Ok(ctx.call().load(EquipmentOf(self.id)).await?.unwrap_or_default())
    }

    /// When it was archived. Null while it is offered.
    async fn archived_at(&self) -> Option<DateTimeUtc> {
        self.archived_at
    }

    /// Counts the changes; pass it as `expectedVersion` to change the service.
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

/// The service that was created or changed.
#[derive(SimpleObject)]
pub struct ServicePayload {
    /// The service as it is now.
    service: ModelEx,
}

#[derive(Default)]
pub struct ServiceQuery;

#[Object]
impl ServiceQuery {
    /// One service, or null when there is none that you may see.
    #[graphql(directive = requires::apply(Permission::ReadPractice))]
    async fn service(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The service's id.")] id: ServiceId,
    ) -> Result<Option<Related<'static, ModelEx>>> {
        Related::load(ctx, id).await
    }

    /// The services on offer, by name.
    #[graphql(directive = requires::apply(Permission::ReadPractice))]
    async fn services(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Lists archived services as well.", default)] include_archived: bool,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<List<ModelEx>> {
        let actor = ctx.actor()?;
        let binding = Binding::new(actor.workspace, "services", &include_archived);
        let page = Page::new(binding, PageArgs { first, after, last, before })?;
        let query = queries::list(&actor, include_archived);
        Ok(page::read(ctx, &page, query, &queries::ORDER, queries::position).await?)
    }
}

#[derive(Default)]
pub struct ServiceMutation;

#[Object]
impl ServiceMutation {
    /// Adds a service to what the practice offers.
    #[graphql(directive = requires::apply(Permission::ManagePractice))]
    async fn create_service(
        &self,
        ctx: &Context<'_>,
        input: CreateServiceInput,
    ) -> Result<Option<ServicePayload>> {
        let key = ctx.idempotency(input.idempotency_key.as_deref())?;
        let id = commands::create(ctx.app(), &*ctx.actor()?, key.as_ref(), &input).await?;
        payload(ctx, id).await
    }

    /// Changes a service. Appointments that are booked already stay as they are.
    #[graphql(directive = requires::apply(Permission::ManagePractice))]
    async fn update_service(
        &self,
        ctx: &Context<'_>,
        input: UpdateServiceInput,
    ) -> Result<Option<ServicePayload>> {
        commands::update(ctx.app(), &*ctx.actor()?, &input).await?;
        payload(ctx, input.id).await
    }

    /// Takes a service off the list of what can be booked. Its appointments stay.
    #[graphql(directive = requires::apply(Permission::ManagePractice))]
    async fn archive_service(
        &self,
        ctx: &Context<'_>,
        input: ArchiveInput<ServiceId>,
    ) -> Result<Option<ServicePayload>> {
        commands::set_archived(ctx.app(), &*ctx.actor()?, input.id, input.expected_version, true).await?;
        payload(ctx, input.id).await
    }

    /// Offers an archived service again.
    #[graphql(directive = requires::apply(Permission::ManagePractice))]
    async fn restore_service(
        &self,
        ctx: &Context<'_>,
        input: ArchiveInput<ServiceId>,
    ) -> Result<Option<ServicePayload>> {
        commands::set_archived(ctx.app(), &*ctx.actor()?, input.id, input.expected_version, false).await?;
        payload(ctx, input.id).await
    }
}

async fn payload(ctx: &Context<'_>, id: ServiceId) -> Result<Option<ServicePayload>> {
    let service = ctx.call().load(id).await?.ok_or(Error::NotFound)?;
    Ok(Some(ServicePayload { service }))
}
