//! The workspace in the schema.

use async_graphql::{Context, Object, SimpleObject};
use sea_orm::prelude::DateTimeUtc;

use super::entity::{ModelEx, WorkspaceKind, WorkspaceStatus};
use super::input::{ReactivateWorkspaceInput, SuspendWorkspaceInput, UpdateWorkspaceInput};
use super::{commands, queries};
use crate::access::permission::Permission;
use crate::error::Error;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::graphql::input::Problems;
use crate::graphql::join::Related;
use crate::graphql::page::{self, Binding, List, Page, PageArgs};
use crate::id::WorkspaceId;
use crate::journal::event::SYSTEM_CHAIN;

/// A practice: everything in it is invisible to every other.
#[Object(name = "Workspace")]
impl ModelEx {
    /// The workspace's id.
    pub async fn id(&self) -> WorkspaceId {
        self.id
    }

    /// Its short name in addresses: lower-case letters, digits and hyphens.
    async fn slug(&self) -> &str {
        &self.slug
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.name
    }

    /// What sort of practice it is.
    async fn kind(&self) -> WorkspaceKind {
        self.kind
    }

    /// Whether it can be used.
    async fn status(&self) -> WorkspaceStatus {
        self.status
    }

    /// Why the platform has closed it. Null while it is open.
    async fn suspended_reason(&self) -> Option<&str> {
        self.suspended_reason.as_deref()
    }

    /// The IANA name of its time zone, such as `Europe/Paris`.
    async fn timezone(&self) -> &str {
        &self.timezone
    }

    /// A BCP 47 language tag, such as `fr-CA`.
    async fn locale(&self) -> &str {
        &self.locale
    }

    /// The ISO 4217 code of the currency of all its prices.
    async fn currency(&self) -> &str {
        &self.currency
    }

    /// The ISO 3166-1 code of the country, two letters.
    async fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }

    /// A telephone number for patients.
    async fn phone(&self) -> Option<&str> {
        self.phone.as_deref()
    }

    /// An e-mail address for patients.
    async fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The address of the web site.
    async fn website(&self) -> Option<&str> {
        self.website.as_deref()
    }

    /// Street and number.
    async fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// City.
    async fn city(&self) -> Option<&str> {
        self.city.as_deref()
    }

    /// State, province or region.
    async fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Postal code.
    async fn postal_code(&self) -> Option<&str> {
        self.postal_code.as_deref()
    }

    /// The number of the permit to practise.
    async fn license(&self) -> Option<&str> {
        self.license.as_deref()
    }

    /// The tax number.
    async fn tax_id(&self) -> Option<&str> {
        self.tax_id.as_deref()
    }

    /// The name on receipts. Null when it is the practice's own.
    async fn business_name(&self) -> Option<&str> {
        self.business_name.as_deref()
    }

    /// Whether an appointment at the practice needs a room.
    async fn require_room(&self) -> bool {
        self.require_room
    }

    /// Whether appointments can be booked in the past.
    async fn allow_past_booking(&self) -> bool {
        self.allow_past_booking
    }

    /// A cancellation with less notice than so many hours counts as late.
    async fn late_cancellation_hours(&self) -> i32 {
        self.late_cancellation_hours
    }

    /// A patient is a no-show so many minutes after the start.
    async fn no_show_grace_minutes(&self) -> i32 {
        self.no_show_grace_minutes
    }

    /// For how many minutes a slot can be held.
    async fn hold_minutes(&self) -> i32 {
        self.hold_minutes
    }

    /// How many minutes a patient of the waiting list has to answer an offer.
    async fn waitlist_offer_minutes(&self) -> i32 {
        self.waitlist_offer_minutes
    }

    /// How many minutes before an appointment its patient is reminded.
    async fn reminder_minutes(&self) -> Vec<i32> {
        crate::reminder::rules::minutes_of(&self.reminder_minutes)
    }

    /// Patients get no reminder from this minute of their day on.
    async fn quiet_from_minute(&self) -> i32 {
        self.quiet_from_minute
    }

    /// And get them again from this minute of their day on.
    async fn quiet_until_minute(&self) -> i32 {
        self.quiet_until_minute
    }

    /// Bytes that its attachments take.
    async fn storage_used_bytes(&self) -> i64 {
        self.storage_used_bytes
    }

    /// Bytes that its attachments may take.
    async fn storage_quota_bytes(&self) -> i64 {
        self.storage_quota_bytes
    }

    /// A sign-in ends after so many hours without use.
    async fn refresh_idle_hours(&self) -> i32 {
        self.refresh_idle_hours
    }

    /// A sign-in ends after so many hours, used or not.
    async fn refresh_absolute_hours(&self) -> i32 {
        self.refresh_absolute_hours
    }

    /// Counts the changes; pass it as `expectedVersion` to change the workspace.
    async fn version(&self) -> i32 {
        self.version
    }

    /// When it was opened.
    async fn created_at(&self) -> DateTimeUtc {
        self.created_at
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTimeUtc {
        self.updated_at
    }
}

/// The workspace that was changed.
#[derive(SimpleObject)]
pub struct WorkspacePayload {
    /// The workspace as it is now.
    workspace: ModelEx,
}

#[derive(Default)]
pub struct WorkspaceQuery;

#[Object]
impl WorkspaceQuery {
    /// The workspace that you are signed in to.
    #[graphql(directive = requires::apply(Permission::ReadWorkspace))]
    async fn workspace(&self, ctx: &Context<'_>) -> Result<Option<Related<'static, ModelEx>>> {
        Related::load(ctx, ctx.actor()?.workspace).await
    }

    /// All workspaces of the platform, in the order in which they were opened. For platform administrators,
    /// who see no health data by it.
    #[graphql(directive = requires::apply(Permission::ManagePlatform))]
    async fn workspaces(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those in this state.")] status: Option<WorkspaceStatus>,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<List<ModelEx>> {
        let binding = Binding::new(SYSTEM_CHAIN, "workspaces", &status);
        let page = Page::new(binding, PageArgs { first, after, last, before })?;
        Ok(page::read(ctx, &page, queries::list(status), &queries::ORDER, queries::position).await?)
    }
}

#[derive(Default)]
pub struct WorkspaceMutation;

#[Object]
impl WorkspaceMutation {
    /// Changes the workspace that you are signed in to.
    #[graphql(directive = requires::apply(Permission::ManageWorkspace))]
    async fn update_workspace(
        &self,
        ctx: &Context<'_>,
        input: UpdateWorkspaceInput,
    ) -> Result<Option<WorkspacePayload>> {
        let actor = ctx.actor()?;
        commands::update(ctx.app(), &actor, &input).await?;
        payload(ctx, actor.workspace).await
    }

    /// Closes a workspace until further notice: its members are out within five seconds, nothing is lost.
    #[graphql(directive = requires::apply(Permission::ManagePlatform))]
    async fn suspend_workspace(
        &self,
        ctx: &Context<'_>,
        input: SuspendWorkspaceInput,
    ) -> Result<Option<WorkspacePayload>> {
        let mut problems = Problems::default();
        problems.text("reason", &input.reason, 500);
        problems.ok()?;
        set_suspended(ctx, input.workspace_id, Some(input.reason.trim())).await
    }

    /// Opens a suspended workspace again. Sign-ins that have not expired go on.
    #[graphql(directive = requires::apply(Permission::ManagePlatform))]
    async fn reactivate_workspace(
        &self,
        ctx: &Context<'_>,
        input: ReactivateWorkspaceInput,
    ) -> Result<Option<WorkspacePayload>> {
        set_suspended(ctx, input.workspace_id, None).await
    }
}

async fn set_suspended(
    ctx: &Context<'_>,
    id: WorkspaceId,
    suspension: Option<&str>,
) -> Result<Option<WorkspacePayload>> {
    let call = ctx.call();
    let operator = call.identity().ok_or(Error::Unauthenticated)?;
    commands::set_suspended(ctx.app(), &operator, &call.request, id, suspension).await?;
    payload(ctx, id).await
}

async fn payload(ctx: &Context<'_>, id: WorkspaceId) -> Result<Option<WorkspacePayload>> {
    let workspace = ctx.call().load(id).await?.ok_or(Error::NotFound)?;
    Ok(Some(WorkspacePayload { workspace }))
}
