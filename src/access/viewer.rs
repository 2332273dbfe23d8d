//! Whoever is asking, in the schema.

use async_graphql::{Context, Object, SimpleObject};
use sea_orm::{ColumnTrait, QueryFilter};

use super::commands::session;
use super::entity::user;
use super::permission::Permission;
use super::scope::find_global;
use super::sessions::Identity;
use crate::db::Scope;
use crate::error::Error;
use crate::graphql::context::{Call, ContextExt};
use crate::graphql::document::cost::list_size;
use crate::graphql::error::Result;
use crate::id::{AuthSessionId, MembershipId, UserId, WorkspaceId};
use crate::member::entity::{self as member, Role};
use crate::workspace::entity as workspace;

/// The person who is signed in.
pub struct Viewer {
    user: user::Model,
    identity: Identity,
}

impl Viewer {
    /// Whoever is asking, if they are signed in. Accounts are global: the id comes from the token.
    pub async fn load(call: &Call) -> Result<Option<Self>> {
        let Some(identity) = call.identity() else { return Ok(None) };
        let tx = call.tx().await?;
        let user = find_global::<user::Entity>().filter(user::Column::Id.eq(identity.user)).one(&*tx).await?;
        Ok(user.map(|user| Self { user, identity }))
    }
}

/// The person who is signed in, and what they may do where they are.
#[Object]
impl Viewer {
    /// The id of your account.
    async fn id(&self) -> UserId {
        self.user.id
    }

    /// Your name.
    async fn name(&self) -> &str {
        &self.user.name
    }

    /// The address that you sign in with.
    async fn email(&self) -> &str {
        &self.user.email
    }

    /// Whether you proved to read the mail of this address.
    async fn is_email_verified(&self) -> bool {
        self.user.email_verified_at.is_some()
    }

    /// Whether you operate the platform. It shows you no health data.
    async fn is_platform_admin(&self) -> bool {
        self.identity.platform_admin
    }

    /// The id of this sign-in.
    async fn auth_session_id(&self) -> AuthSessionId {
        self.identity.session
    }

    /// The workspace that you are in. Null before you have chosen one.
    async fn workspace(&self, ctx: &Context<'_>) -> Result<Option<workspace::ModelEx>> {
        match &self.identity.actor {
            Some(actor) => Ok(ctx.call().load(actor.workspace).await?),
            None => Ok(None),
        }
    }

    /// You as a member of that workspace.
    async fn membership(&self, ctx: &Context<'_>) -> Result<Option<member::ModelEx>> {
        match self.identity.actor.as_ref().and_then(|actor| actor.membership) {
            Some(id) => Ok(ctx.call().load(id).await?),
            None => Ok(None),
        }
    }

    /// Your role in that workspace.
    async fn role(&self) -> Option<Role> {
        self.identity.actor.as_ref().map(|actor| actor.role)
    }

    /// What you may do there.
    async fn permissions(&self) -> Vec<Permission> {
        let actor = self.identity.actor.as_ref();
        Permission::all()
            .filter(|permission| match permission {
                Permission::ManagePlatform => self.identity.platform_admin,
                permission => actor.is_some_and(|actor| actor.may(*permission)),
            })
            .collect()
    }

    /// The workspaces that you can switch to, by name.
    #[graphql(directive = list_size::apply(5))]
    async fn memberships(&self, ctx: &Context<'_>) -> Result<Vec<ViewerMembership>> {
        memberships(ctx.call(), self.user.id).await
    }
}

/// One of your active memberships in active workspaces.
#[derive(SimpleObject)]
pub struct ViewerMembership {
    /// The id of the membership.
    id: MembershipId,
    /// The id of the workspace, for `switchWorkspace`.
    workspace_id: WorkspaceId,
    /// The workspace's name.
    workspace_name: String,
    /// The workspace's short name, for `signIn`.
    workspace_slug: String,
    /// Your name there.
    display_name: String,
    /// Your role there.
    role: Role,
}

/// The memberships of the person who is asking. Those in other workspaces are behind row-level security, so they
/// are read in a short transaction of the person's own.
async fn memberships(call: &Call, user: UserId) -> Result<Vec<ViewerMembership>> {
    if call.identity().is_none_or(|identity| identity.user != user) {
        return Err(Error::Unauthenticated.into());
    }
    // One connection at a time, lest many of these wait for each other's.
    call.release().await;
    let tx = call.app.db.begin_read(Scope::user(user)).await?;
    let seats = session::seats(&tx, user).await?;
    tx.rollback().await?;
    let seats = seats.into_iter().map(|seat| ViewerMembership {
        id: seat.membership.id,
        workspace_id: seat.workspace.id,
        workspace_name: seat.workspace.name,
        workspace_slug: seat.workspace.slug,
        display_name: seat.membership.display_name,
        role: seat.membership.role,
    });
    Ok(seats.collect())
}

/// What a client acts with from now on.
pub struct SessionPayload {
    pub access_token: String,
    pub expires_at: chrono::DateTime<chrono::Utc>,
    pub refresh_token: String,
}

/// What a client acts with from now on. The tokens are secrets: keep them out of logs and of `localStorage`.
#[Object]
impl SessionPayload {
    /// The access token, for `Authorization: Bearer …`.
    async fn access_token(&self) -> &str {
        &self.access_token
    }

    /// When the access token expires: ten minutes from now.
    async fn expires_at(&self) -> chrono::DateTime<chrono::Utc> {
        self.expires_at
    }

    /// The refresh token, for `refreshTokens`. It works once.
    async fn refresh_token(&self) -> &str {
        &self.refresh_token
    }

    /// You, as the new tokens have it.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Option<Viewer>> {
        Viewer::load(ctx.call()).await
    }

    /// The workspaces that you can switch to, by name.
    #[graphql(directive = list_size::apply(5))]
    async fn memberships(&self, ctx: &Context<'_>) -> Result<Vec<ViewerMembership>> {
        let user = ctx.call().identity().ok_or(Error::Unauthenticated)?.user;
        memberships(ctx.call(), user).await
    }
}
