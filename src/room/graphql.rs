//! Rooms in the schema.

use async_graphql::{Context, Object, SimpleObject};
use sea_orm::prelude::{BelongsTo, DateTimeUtc};

use super::entity::{ModelEx, RoomKind};
use super::input::{CreateRoomInput, UpdateRoomInput};
use super::{commands, queries};
use crate::access::permission::Permission;
use crate::error::Error;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::graphql::input::ArchiveInput;
use crate::graphql::join::Related;
use crate::graphql::page::{self, Binding, List, Page, PageArgs};
use crate::id::RoomId;
use crate::location::entity as location;

/// A room of the practice, which one appointment at a time can have.
#[Object(name = "Room")]
impl ModelEx {
    /// The room's id.
    pub async fn id(&self) -> RoomId {
        self.id
    }

    /// Its name, unique in the workspace.
    async fn name(&self) -> &str {
        &self.name
    }

    /// The location that it belongs to. Null when none was given.
    async fn location(&self, ctx: &Context<'_>) -> Result<Option<location::ModelEx>> {
        match (&self.location, self.location_id) {
            (BelongsTo::Loaded(location), _) => Ok(location.as_deref().cloned()),
            (_, Some(id)) => Ok(ctx.call().load(id).await?),
            (_, None) => Ok(None),
        }
    }

    /// What it is fit for.
    async fn kind(&self) -> RoomKind {
        self.kind
    }

    /// The floor it is on.
    async fn floor(&self) -> Option<&str> {
        self.floor.as_deref()
    }

    /// The department that uses it.
    async fn department(&self) -> Option<&str> {
        self.department.as_deref()
    }

    /// How many people fit in.
    async fn capacity(&self) -> i32 {
        self.capacity
    }

    /// What is in it.
    async fn equipment(&self) -> Option<&str> {
        self.equipment.as_deref()
    }

    /// Notes for colleagues.
    #[graphql(directive = requires::apply(Permission::ReadMembers))]
    async fn notes(&self) -> Option<&str> {
        self.notes.as_deref()
    }

    /// When it was archived. Null while it is in use.
    async fn archived_at(&self) -> Option<DateTimeUtc> {
        self.archived_at
    }

    /// Counts the changes; pass it as `expectedVersion` to change the room.
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

/// The room that was created or changed.
#[derive(SimpleObject)]
pub struct RoomPayload {
    /// The room as it is now.
    room: ModelEx,
}

#[derive(Default)]
pub struct RoomQuery;

#[Object]
impl RoomQuery {
    /// One room, or null when there is none that you may see.
    #[graphql(directive = requires::apply(Permission::ReadPractice))]
    async fn room(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room's id.")] id: RoomId,
    ) -> Result<Option<Related<'static, ModelEx>>> {
        Related::load(ctx, id).await
    }

    /// The rooms in use, by name.
    #[graphql(directive = requires::apply(Permission::ReadPractice))]
    async fn rooms(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Lists archived rooms as well.", default)] include_archived: bool,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<List<ModelEx>> {
        let actor = ctx.actor()?;
        let binding = Binding::new(actor.workspace, "rooms", &include_archived);
        let page = Page::new(binding, PageArgs { first, after, last, before })?;
        let query = queries::list(&actor, include_archived);
        Ok(page::read(ctx, &page, query, &queries::ORDER, queries::position).await?)
    }
}

#[derive(Default)]
pub struct RoomMutation;

#[Object]
impl RoomMutation {
    /// Adds a room to the practice.
    #[graphql(directive = requires::apply(Permission::ManagePractice))]
    async fn create_room(&self, ctx: &Context<'_>, input: CreateRoomInput) -> Result<Option<RoomPayload>> {
        let key = ctx.idempotency(input.idempotency_key.as_deref())?;
        let id = commands::create(ctx.app(), &*ctx.actor()?, key.as_ref(), &input).await?;
        payload(ctx, id).await
    }

    /// Changes a room.
    #[graphql(directive = requires::apply(Permission::ManagePractice))]
    async fn update_room(&self, ctx: &Context<'_>, input: UpdateRoomInput) -> Result<Option<RoomPayload>> {
        commands::update(ctx.app(), &*ctx.actor()?, &input).await?;
        payload(ctx, input.id).await
    }

    /// Takes a room off the list of what can be booked. Its appointments stay.
    #[graphql(directive = requires::apply(Permission::ManagePractice))]
    async fn archive_room(
        &self,
        ctx: &Context<'_>,
        input: ArchiveInput<RoomId>,
    ) -> Result<Option<RoomPayload>> {
        commands::set_archived(ctx.app(), &*ctx.actor()?, input.id, input.expected_version, true).await?;
        payload(ctx, input.id).await
    }

    /// Uses an archived room again.
    #[graphql(directive = requires::apply(Permission::ManagePractice))]
    async fn restore_room(
        &self,
        ctx: &Context<'_>,
        input: ArchiveInput<RoomId>,
    ) -> Result<Option<RoomPayload>> {
        commands::set_archived(ctx.app(), &*ctx.actor()?, input.id, input.expected_version, false).await?;
        payload(ctx, input.id).await
    }
}

async fn payload(ctx: &Context<'_>, id: RoomId) -> Result<Option<RoomPayload>> {
    let room = ctx.call().load(id).await?.ok_or(Error::NotFound)?;
    Ok(Some(RoomPayload { room }))
}
