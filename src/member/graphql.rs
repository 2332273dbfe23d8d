//! Members in the schema.

use async_graphql::{Context, Object, SimpleObject};
use sea_orm::prelude::DateTimeUtc;
use secrecy::SecretString;

use super::entity::{ModelEx, Role};
use super::input::{
    AcceptInvitationInput, AddMemberInput, ChangeMemberRoleInput, InviteMemberInput, MemberActivationInput,
    UpdateMemberInput,
};
use super::{commands, queries};
use crate::access::permission::Permission;
use crate::error::Error;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::graphql::join::Related;
use crate::graphql::page::{self, Binding, List, Page, PageArgs};
use crate::id::MembershipId;

/// A person's place in the workspace: as practitioner, colleague or patient.
#[Object(name = "Member")]
impl ModelEx {
    /// The member's id.
    pub async fn id(&self) -> MembershipId {
        self.id
    }

    /// The name that patients and colleagues see.
    async fn display_name(&self) -> &str {
        &self.display_name
    }

    /// A title, such as `Dr. med.`.
    async fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// The field of work.
    async fn specialization(&self) -> Option<&str> {
        self.specialization.as_deref()
    }

    /// The number of the licence to practise.
    #[graphql(directive = requires::apply(Permission::ReadMembers))]
    async fn license_number(&self) -> Option<&str> {
        self.license_number.as_deref()
    }

    /// What the member may do.
    async fn role(&self) -> Role {
        self.role
    }

    /// The colour in calendars, as `#rrggbb`.
    async fn color(&self) -> Option<&str> {
        self.color.as_deref()
    }

    /// Whether the member takes part. False as well until an invitation is accepted.
    async fn is_active(&self) -> bool {
        self.is_active
    }

    /// Whether appointments can be made with the member.
    async fn is_bookable(&self) -> bool {
        self.is_bookable
    }

    /// How many appointments the member may have on one day of the practice. Null for no limit.
    #[graphql(directive = requires::apply(Permission::ReadMembers))]
    async fn daily_limit(&self) -> Option<i32> {
        self.daily_limit
    }

    /// Whether the member can sign in.
    async fn has_account(&self) -> bool {
        self.user_id.is_some()
    }

    /// The address that the member signs in with. Null without an account.
    #[graphql(directive = requires::apply(Permission::ReadMembers))]
    async fn email(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        match self.user_id {
            Some(user) => Ok(ctx.call().load(queries::EmailOf(user)).await?),
            None => Ok(None),
        }
    }

    /// When the member was last invited. Null for one who was not.
    #[graphql(directive = requires::apply(Permission::ReadMembers))]
    async fn invited_at(&self) -> Option<DateTimeUtc> {
        self.invited_at
    }

    /// When the member joined. Null without an account.
    #[graphql(directive = requires::apply(Permission::ReadMembers))]
    async fn accepted_at(&self) -> Option<DateTimeUtc> {
        self.accepted_at
    }

    /// When the member was shut out. Null otherwise.
    #[graphql(directive = requires::apply(Permission::ReadMembers))]
    async fn deactivated_at(&self) -> Option<DateTimeUtc> {
        self.deactivated_at
    }

    /// Counts the changes; pass it as `expectedVersion` to change the member.
    async fn version(&self) -> i32 {
        self.version
    }

    /// When the member was added.
    async fn created_at(&self) -> DateTimeUtc {
        self.created_at
    }

    /// When the member was last changed.
    async fn updated_at(&self) -> DateTimeUtc {
        self.updated_at
    }
}

/// The member who was added or changed.
#[derive(SimpleObject)]
pub struct MemberPayload {
    /// The member as they are now.
    member: ModelEx,
}

/// The workspace that was joined.
#[derive(SimpleObject)]
pub struct AcceptInvitationPayload {
    /// Its name. Sign in with the invited address now.
    workspace_name: String,
}

#[derive(Default)]
pub struct MemberQuery;

#[Object]
impl MemberQuery {
    /// One member, or null when there is none that you may see.
    #[graphql(directive = requires::apply(Permission::ReadMembers))]
    async fn member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The member's id.")] id: MembershipId,
    ) -> Result<Option<Related<'static, ModelEx>>> {
        Related::load(ctx, id).await
    }

    /// The active members by name; patients with an account only when asked for by role.
    #[graphql(directive = requires::apply(Permission::ReadMembers))]
    #[expect(clippy::too_many_arguments, reason = "the paging arguments of the Relay specification")]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those with this role.")] role: Option<Role>,
        #[graphql(desc = "Lists inactive and invited members as well.", default)] include_inactive: bool,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<List<ModelEx>> {
        let actor = ctx.actor()?;
        let binding = Binding::new(actor.workspace, "members", &(role, include_inactive));
        let page = Page::new(binding, PageArgs { first, after, last, before })?;
        Ok(page::read(
            ctx,
            &page,
            queries::list(&actor, role, include_inactive),
            &queries::ORDER,
            queries::position,
        )
        .await?)
    }
}

#[derive(Default)]
pub struct MemberMutation;

#[Object]
impl MemberMutation {
    /// Adds a member without an account, such as a locum.
    #[graphql(directive = requires::apply(Permission::ManageMembers))]
    async fn add_member(&self, ctx: &Context<'_>, input: AddMemberInput) -> Result<Option<MemberPayload>> {
        let key = ctx.idempotency(input.idempotency_key.as_deref())?;
        let id = commands::add(ctx.app(), &*ctx.actor()?, key.as_ref(), &input).await?;
        payload(ctx, id).await
    }

    /// Changes a member's name, profession and calendar.
    #[graphql(directive = requires::apply(Permission::ManageMembers))]
    async fn update_member(
        &self,
        ctx: &Context<'_>,
        input: UpdateMemberInput,
    ) -> Result<Option<MemberPayload>> {
        commands::update(ctx.app(), &*ctx.actor()?, &input).await?;
        payload(ctx, input.id).await
    }

    /// Gives a member another role, felt within five seconds. Only owners make or unmake owners, and the last
    /// active owner stays one.
    #[graphql(directive = requires::apply(Permission::ManageMembers))]
    async fn change_member_role(
        &self,
        ctx: &Context<'_>,
        input: ChangeMemberRoleInput,
    ) -> Result<Option<MemberPayload>> {
        commands::change_role(ctx.app(), &*ctx.actor()?, &input).await?;
        payload(ctx, input.id).await
    }

    /// Shuts a member out: the sign-ins in this workspace end within five seconds. Appointments stay. The last
    /// active owner cannot be shut out.
    #[graphql(directive = requires::apply(Permission::ManageMembers))]
    async fn deactivate_member(
        &self,
        ctx: &Context<'_>,
        input: MemberActivationInput,
    ) -> Result<Option<MemberPayload>> {
        commands::set_active(ctx.app(), &*ctx.actor()?, input.id, input.expected_version, false).await?;
        payload(ctx, input.id).await
    }

    /// Lets a member in again.
    #[graphql(directive = requires::apply(Permission::ManageMembers))]
    async fn reactivate_member(
        &self,
        ctx: &Context<'_>,
        input: MemberActivationInput,
    ) -> Result<Option<MemberPayload>> {
        commands::set_active(ctx.app(), &*ctx.actor()?, input.id, input.expected_version, true).await?;
        payload(ctx, input.id).await
    }

    /// Invites somebody by e-mail. The link works once, for 72 hours; until then the member is inactive.
    /// Inviting the same address again replaces the open invitation. Whether the address has an account with
    /// another practice is not told.
    #[graphql(directive = requires::apply(Permission::ManageMembers))]
    async fn invite_member(
        &self,
        ctx: &Context<'_>,
        input: InviteMemberInput,
    ) -> Result<Option<MemberPayload>> {
        let id = commands::invitation::invite(ctx.app(), &*ctx.actor()?, &input).await?;
        payload(ctx, id).await
    }

    /// Accepts an invitation, for anybody who holds its link. Signs nobody in. At most one such field in an
    /// operation.
    async fn accept_invitation(
        &self,
        ctx: &Context<'_>,
        input: AcceptInvitationInput,
    ) -> Result<Option<AcceptInvitationPayload>> {
        let call = ctx.call();
        call.one_secret()?;
        let password = SecretString::from(input.password);
        let workspace_name =
            commands::invitation::accept(ctx.app(), &call.request, &input.token, &input.name, &password)
                .await?;
        Ok(Some(AcceptInvitationPayload { workspace_name }))
    }
}

async fn payload(ctx: &Context<'_>, id: MembershipId) -> Result<Option<MemberPayload>> {
    let member = ctx.call().load(id).await?.ok_or(Error::NotFound)?;
    Ok(Some(MemberPayload { member }))
}
