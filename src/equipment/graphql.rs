//! Equipment in the schema.

use async_graphql::{Context, Object, SimpleObject};
use sea_orm::prelude::{BelongsTo, DateTimeUtc};

use super::entity::ModelEx;
use super::input::{CreateEquipmentInput, UpdateEquipmentInput};
use super::{commands, queries};
use crate::access::permission::Permission;
use crate::error::Error;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::graphql::input::ArchiveInput;
use crate::graphql::join::Related;
use crate::graphql::page::{self, Binding, List, Page, PageArgs};
use crate::id::EquipmentId;
use crate::location::entity as location;

/// A piece of equipment of the practice, which one appointment at a time can have.
#[Object(name = "Equipment")]
impl ModelEx {
    /// The piece of equipment's id.
    pub async fn id(&self) -> EquipmentId {
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

    /// Notes for colleagues.
    #[graphql(directive = requires::apply(Permission::ReadMembers))]
    async fn notes(&self) -> Option<&str> {
        self.notes.as_deref()
    }

    /// When it was archived. Null while it is in use.
    async fn archived_at(&self) -> Option<DateTimeUtc> {
        self.archived_at
    }

    /// Counts the changes; pass it as `expectedVersion` to change the equipment.
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

/// The equipment that was created or changed.
#[derive(SimpleObject)]
pub struct EquipmentPayload {
    /// The equipment as it is now.
    equipment: ModelEx,
}

#[derive(Default)]
pub struct EquipmentQuery;

#[Object]
impl EquipmentQuery {
    /// One piece of equipment, or null when there is none that you may see.
    #[graphql(directive = requires::apply(Permission::ReadPractice))]
    async fn equipment_item(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The piece of equipment's id.")] id: EquipmentId,
    ) -> Result<Option<Related<'static, ModelEx>>> {
        Related::load(ctx, id).await
    }

    /// The equipment in use, by name.
    #[graphql(directive = requires::apply(Permission::ReadPractice))]
    async fn equipment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Lists archived equipment as well.", default)] include_archived: bool,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<List<ModelEx>> {
        let actor = ctx.actor()?;
        let binding = Binding::new(actor.workspace, "equipment", &include_archived);
        let page = Page::new(binding, PageArgs { first, after, last, before })?;
        let query = queries::list(&actor, include_archived);
        Ok(page::read(ctx, &page, query, &queries::ORDER, queries::position).await?)
    }
}

#[derive(Default)]
pub struct EquipmentMutation;

#[Object]
impl EquipmentMutation {
    /// Adds a piece of equipment to the practice.
    #[graphql(directive = requires::apply(Permission::ManagePractice))]
    async fn create_equipment(
        &self,
        ctx: &Context<'_>,
        input: CreateEquipmentInput,
    ) -> Result<Option<EquipmentPayload>> {
        let key = ctx.idempotency(input.idempotency_key.as_deref())?;
        let id = commands::create(ctx.app(), &*ctx.actor()?, key.as_ref(), &input).await?;
        payload(ctx, id).await
    }

    /// Changes a piece of equipment.
    #[graphql(directive = requires::apply(Permission::ManagePractice))]
    async fn update_equipment(
        &self,
        ctx: &Context<'_>,
        input: UpdateEquipmentInput,
    ) -> Result<Option<EquipmentPayload>> {
        commands::update(ctx.app(), &*ctx.actor()?, &input).await?;
        payload(ctx, input.id).await
    }

    /// Takes a piece of equipment off the list of what can be booked. Its appointments stay.
    #[graphql(directive = requires::apply(Permission::ManagePractice))]
    async fn archive_equipment(
        &self,
        ctx: &Context<'_>,
        input: ArchiveInput<EquipmentId>,
    ) -> Result<Option<EquipmentPayload>> {
        commands::set_archived(ctx.app(), &*ctx.actor()?, input.id, input.expected_version, true).await?;
        payload(ctx, input.id).await
    }

    /// Uses an archived equipment again.
    #[graphql(directive = requires::apply(Permission::ManagePractice))]
    async fn restore_equipment(
        &self,
        ctx: &Context<'_>,
        input: ArchiveInput<EquipmentId>,
    ) -> Result<Option<EquipmentPayload>> {
        commands::set_archived(ctx.app(), &*ctx.actor()?, input.id, input.expected_version, false).await?;
        payload(ctx, input.id).await
    }
}

async fn payload(ctx: &Context<'_>, id: EquipmentId) -> Result<Option<EquipmentPayload>> {
    let equipment = ctx.call().load(id).await?.ok_or(Error::NotFound)?;
    Ok(Some(EquipmentPayload { equipment }))
}
