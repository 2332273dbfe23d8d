//! Signing up, in and out, in the schema.
//!
//! These root fields have no `@requires`: some are for people who are not signed in yet, the others for anybody
//! who is, in whatever workspace and role.

use async_graphql::{Context, Object, SimpleObject};
use sea_orm::prelude::DateTimeUtc;
use secrecy::SecretString;

use super::commands::session::Grant;
use super::commands::sign_in::{self, SignIn};
use super::commands::sign_out::{self, Which};
use super::commands::sign_up::{self, SignUp};
use super::commands::{password, refresh, switch_workspace};
use super::entity::auth_session::ModelEx;
use super::input::{
    ChangePasswordInput, RefreshTokensInput, RevokeAuthSessionInput, SignInInput, SignUpInput,
    SwitchWorkspaceInput,
};
use super::queries;
use super::sessions::Identity;
use super::viewer::{SessionPayload, Viewer};
use crate::error::Error;
use crate::graphql::context::{Call, ContextExt};
use crate::graphql::error::Result;
use crate::graphql::page::{self, Binding, List, Page, PageArgs};
use crate::id::{AuthSessionId, WorkspaceId};
use crate::journal::event::SYSTEM_CHAIN;
use crate::workspace::commands::NewWorkspace;
use crate::workspace::entity::WorkspaceKind;

/// A sign-in on one device.
#[Object(name = "AuthSession")]
impl ModelEx {
    /// The sign-in's id.
    pub async fn id(&self) -> AuthSessionId {
        self.id
    }

    /// The workspace that it is in. Null before one is chosen.
    async fn workspace_id(&self) -> Option<WorkspaceId> {
        self.workspace_id
    }

    /// The network address that it came from.
    async fn ip(&self) -> Option<&str> {
        self.ip.as_deref()
    }

    /// The browser or program that it came from.
    async fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// Whether it is the one that asks.
    async fn is_current(&self, ctx: &Context<'_>) -> bool {
        ctx.call().identity().is_some_and(|identity| identity.session == self.id)
    }

    /// When it began.
    async fn created_at(&self) -> DateTimeUtc {
        self.created_at
    }

    /// When it last got new tokens.
    async fn last_seen_at(&self) -> DateTimeUtc {
        self.last_seen_at
    }

    /// When it ends unless it is used before, by getting new tokens.
    async fn idle_expires_at(&self) -> DateTimeUtc {
        self.idle_expires_at
    }

    /// When it ends in any case.
    async fn expires_at(&self) -> DateTimeUtc {
        self.expires_at
    }

    /// When it was ended before its time. Null while it goes on.
    async fn revoked_at(&self) -> Option<DateTimeUtc> {
        self.revoked_at
    }
}

/// What signing out ended.
#[derive(SimpleObject)]
pub struct SignOutPayload {
    /// How many sign-ins ended: 0 when they had ended before.
    ended_sessions: i32,
}

/// The sign-in that was ended.
#[derive(SimpleObject)]
pub struct RevokeAuthSessionPayload {
    /// The sign-in as it is now.
    auth_session: ModelEx,
}

/// What choosing another password ended.
#[derive(SimpleObject)]
pub struct ChangePasswordPayload {
    /// How many other sign-ins of yours ended. This one goes on.
    ended_sessions: i32,
}

#[derive(Default)]
pub struct AccessQuery;

#[Object]
impl AccessQuery {
    /// You. Null when you are not signed in.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Option<Viewer>> {
        Viewer::load(ctx.call()).await
    }

    /// Your sign-ins that go on, on whatever device and in whatever workspace; the latest first.
    async fn auth_sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<Option<List<ModelEx>>> {
        let call = ctx.call();
        let user = signed_in(call)?.user;
        let binding = Binding::new(SYSTEM_CHAIN, "authSessions", &user);
        let page = Page::new(binding, PageArgs { first, after, last, before })?;
        Ok(Some(
            page::read(
                ctx,
                &page,
                queries::list(user, call.app.clock.now()),
                &queries::ORDER,
                queries::position,
            )
            .await?,
        ))
    }
}

#[derive(Default)]
pub struct AccessMutation;

#[Object]
impl AccessMutation {
    /// Opens a workspace, makes you its owner and signs you in. `FORBIDDEN` where the platform does not let
    /// anybody do that. An address that has an account already needs that account's password; another one
    /// fails like a wrong password at `signIn`. At most one field that takes a secret in an operation.
    async fn sign_up(&self, ctx: &Context<'_>, input: SignUpInput) -> Result<Option<SessionPayload>> {
        let call = ctx.call();
        call.one_secret()?;
        let sign_up = SignUp {
            email: input.email,
            password: input.password.into(),
            name: input.name,
            workspace: NewWorkspace {
                name: input.workspace_name,
                slug: input.workspace_slug.unwrap_or_default(),
                kind: input.kind.unwrap_or(WorkspaceKind::Clinic),
                timezone: input.timezone.unwrap_or_else(|| "UTC".into()),
                currency: input.currency.unwrap_or_else(|| "USD".into()),
                locale: input.locale.unwrap_or_else(|| "en".into()),
            },
        };
        let grant = sign_up::sign_up(ctx.app(), &call.request, &sign_up).await?;
        come_in(call, grant).await
    }

    /// Signs you in. An unknown address, a wrong password and a closed account are the same
    /// `UNAUTHENTICATED`; after ten wrong passwords in a row the account waits before it looks at the next one,
    /// at most 15 minutes. At most one field that takes a secret in an operation.
    async fn sign_in(&self, ctx: &Context<'_>, input: SignInInput) -> Result<Option<SessionPayload>> {
        let call = ctx.call();
        call.one_secret()?;
        let who = SignIn {
            email: input.email,
            password: input.password.into(),
            workspace_slug: input.workspace_slug,
        };
        let grant = sign_in::sign_in(ctx.app(), &call.request, &who).await?;
        come_in(call, grant).await
    }

    /// Exchanges a refresh token for new tokens. It works once: a token that comes a second time ends the
    /// sign-in, unless within 30 seconds and before its successor was used. At most one field that takes a secret
    /// in an operation.
    async fn refresh_tokens(
        &self,
        ctx: &Context<'_>,
        input: RefreshTokensInput,
    ) -> Result<Option<SessionPayload>> {
        let call = ctx.call();
        call.one_secret()?;
        let grant = refresh::refresh(ctx.app(), &call.request, &input.refresh_token).await?;
        come_in(call, grant).await
    }

    /// Moves this sign-in to another workspace of yours. Its tokens until now are void. A workspace that you are
    /// no active member of is `NOT_FOUND`.
    async fn switch_workspace(
        &self,
        ctx: &Context<'_>,
        input: SwitchWorkspaceInput,
    ) -> Result<Option<SessionPayload>> {
        let call = ctx.call();
        let identity = signed_in(call)?;
        let moved =
            switch_workspace::switch_workspace(ctx.app(), &identity, &call.request, input.workspace_id)
                .await?;
        come_in(call, moved).await
    }

    /// Ends this sign-in: its tokens stop within five seconds.
    async fn sign_out(&self, ctx: &Context<'_>) -> Result<Option<SignOutPayload>> {
        leave(ctx, Which::This).await
    }

    /// Ends all your sign-ins, this one included, in all workspaces.
    async fn sign_out_everywhere(&self, ctx: &Context<'_>) -> Result<Option<SignOutPayload>> {
        leave(ctx, Which::All).await
    }

    /// Ends one of your sign-ins. `NOT_FOUND` when it has ended already or is not yours.
    async fn revoke_auth_session(
        &self,
        ctx: &Context<'_>,
        input: RevokeAuthSessionInput,
    ) -> Result<Option<RevokeAuthSessionPayload>> {
        let call = ctx.call();
        let identity = signed_in(call)?;
        sign_out::sign_out(ctx.app(), &identity, &call.request, Which::Other(input.id)).await?;
        let auth_session = call.load(input.id).await?.ok_or(Error::NotFound)?;
        Ok(Some(RevokeAuthSessionPayload { auth_session }))
    }

    /// Chooses another password. Your other sign-ins end. At most one field that takes a secret in an operation.
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        input: ChangePasswordInput,
    ) -> Result<Option<ChangePasswordPayload>> {
        let call = ctx.call();
        let identity = signed_in(call)?;
        call.one_secret()?;
        let (current, new) =
            (SecretString::from(input.current_password), SecretString::from(input.new_password));
        let ended = password::change(ctx.app(), &identity, &call.request, &current, &new).await?;
        Ok(Some(ChangePasswordPayload { ended_sessions: count(ended) }))
    }
}

fn signed_in(call: &Call) -> Result<Identity> {
    Ok(call.identity().ok_or(Error::Unauthenticated)?)
}

/// The rest of the operation is asked by whom the new tokens stand for.
async fn come_in(call: &Call, grant: Grant) -> Result<Option<SessionPayload>> {
    let identity = call.app.identify(&grant.subject, &call.request).await?;
    call.set_identity(Some(identity));
    Ok(Some(SessionPayload {
        access_token: grant.access.text,
        expires_at: grant.access.expires_at,
        refresh_token: grant.refresh.expose().to_owned(),
    }))
}

/// The rest of the operation is asked by nobody.
async fn leave(ctx: &Context<'_>, which: Which) -> Result<Option<SignOutPayload>> {
    let call = ctx.call();
    let identity = signed_in(call)?;
    let ended = sign_out::sign_out(ctx.app(), &identity, &call.request, which).await?;
    call.set_identity(None);
    Ok(Some(SignOutPayload { ended_sessions: count(ended) }))
}

fn count(ended: usize) -> i32 {
    i32::try_from(ended).unwrap_or(i32::MAX)
}
