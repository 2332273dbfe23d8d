//! Locations in the schema.

use async_graphql::{Context, Object, SimpleObject};
use sea_orm::prelude::DateTimeUtc;

use super::entity::{LocationKind, ModelEx};
use super::input::{CreateLocationInput, UpdateLocationInput};
use super::{commands, queries};
use crate::access::permission::Permission;
use crate::error::Error;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::graphql::input::ArchiveInput;
use crate::graphql::join::Related;
use crate::graphql::page::{self, Binding, List, Page, PageArgs};
use crate::id::LocationId;

/// A place where patients are seen: a branch of the practice, the patient's home, or a call.
#[Object(name = "Location")]
impl ModelEx {
    /// The location's id.
    pub async fn id(&self) -> LocationId {
        self.id
    }

    /// Its name, unique in the workspace.
    async fn name(&self) -> &str {
        &self.name
    }

    /// What sort of place it is.
    async fn kind(&self) -> LocationKind {
        self.kind
    }

    /// The postal address, or the address of the video call.
    async fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// How to get there or in.
    async fn details(&self) -> Option<&str> {
        self.details.as_deref()
    }

    /// Its IANA time zone. Null when it is the workspace's.
    async fn timezone(&self) -> Option<&str> {
        self.timezone.as_deref()
    }

    /// How the system that it comes from names it.
    async fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    /// When it was archived. Null while it is in use.
    async fn archived_at(&self) -> Option<DateTimeUtc> {
        self.archived_at
    }

    /// Counts the changes; pass it as `expectedVersion` to change the location.
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

/// The location that was created or changed.
#[derive(SimpleObject)]
pub struct LocationPayload {
    /// The location as it is now.
    location: ModelEx,
}

#[derive(Default)]
pub struct LocationQuery;

#[Object]
impl LocationQuery {
    /// One location, or null when there is none that you may see.
    #[graphql(directive = requires::apply(Permission::ReadPractice))]
    async fn location(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The location's id.")] id: LocationId,
    ) -> Result<Option<Related<'static, ModelEx>>> {
        Related::load(ctx, id).await
    }

    /// The locations in use, by name.
    #[graphql(directive = requires::apply(Permission::ReadPractice))]
    async fn locations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Lists archived locations as well.", default)] include_archived: bool,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<List<ModelEx>> {
        let actor = ctx.actor()?;
        let binding = Binding::new(actor.workspace, "locations", &include_archived);
        let page = Page::new(binding, PageArgs { first, after, last, before })?;
        let query = queries::list(&actor, include_archived);
        Ok(page::read(ctx, &page, query, &queries::ORDER, queries::position).await?)
    }
}

#[derive(Default)]
pub struct LocationMutation;

#[Object]
impl LocationMutation {
    /// Adds a location to the practice.
    #[graphql(directive = requires::apply(Permission::ManagePractice))]
    async fn create_location(
        &self,
        ctx: &Context<'_>,
        input: CreateLocationInput,
    ) -> Result<Option<LocationPayload>> {
        let key = ctx.idempotency(input.idempotency_key.as_deref())?;
        let id = commands::create(ctx.app(), &*ctx.actor()?, key.as_ref(), &input).await?;
        payload(ctx, id).await
    }

    /// Changes a location.
    #[graphql(directive = requires::apply(Permission::ManagePractice))]
    async fn update_location(
        &self,
        ctx: &Context<'_>,
        input: UpdateLocationInput,
    ) -> Result<Option<LocationPayload>> {
        commands::update(ctx.app(), &*ctx.actor()?, &input).await?;
        payload(ctx, input.id).await
    }

    /// Takes a location off the list of where can be booked. Its appointments and rooms stay.
    #[graphql(directive = requires::apply(Permission::ManagePractice))]
    async fn archive_location(
        &self,
        ctx: &Context<'_>,
        input: ArchiveInput<LocationId>,
    ) -> Result<Option<LocationPayload>> {
        commands::set_archived(ctx.app(), &*ctx.actor()?, input.id, input.expected_version, true).await?;
        payload(ctx, input.id).await
    }

    /// Uses an archived location again.
    #[graphql(directive = requires::apply(Permission::ManagePractice))]
    async fn restore_location(
        &self,
        ctx: &Context<'_>,
        input: ArchiveInput<LocationId>,
    ) -> Result<Option<LocationPayload>> {
        commands::set_archived(ctx.app(), &*ctx.actor()?, input.id, input.expected_version, false).await?;
        payload(ctx, input.id).await
    }
}

async fn payload(ctx: &Context<'_>, id: LocationId) -> Result<Option<LocationPayload>> {
    let location = ctx.call().load(id).await?.ok_or(Error::NotFound)?;
    Ok(Some(LocationPayload { location }))
}
