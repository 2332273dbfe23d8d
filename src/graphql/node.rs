//! `node` and `nodes`: any object by its id.

use async_graphql::{Context, ID, Interface, Object};

use super::context::ContextExt;
use super::error::Result;
use super::guard::requires;
use crate::access::entity::auth_session;
use crate::access::permission::Permission;
use crate::error::Error;
use crate::id::{self, AuthSessionId, MembershipId, ServiceId, TypedId, WorkspaceId};
use crate::member::entity as member;
use crate::service::entity as service;
use crate::workspace::entity as workspace;

/// Something with an id that is unique across all types.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The object's id."))]
pub enum Node {
    Workspace(workspace::ModelEx),
    Member(member::ModelEx),
    AuthSession(auth_session::ModelEx),
    Service(service::ModelEx),
}

/// The most ids of one `nodes` query.
const MAX_NODES: usize = 100;

#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The object with this id, or null when there is none that you may see.
    #[graphql(directive = requires::apply(Permission::ReadWorkspace))]
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "The id of any object.")] id: ID) -> Result<Option<Node>> {
        find(ctx, &id).await
    }

    /// The objects with these ids, in the same order; null for each that you may not see.
    #[graphql(directive = requires::apply(Permission::ReadWorkspace), complexity = "ids.len() * child_complexity")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 100 ids of any objects.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > MAX_NODES {
            return Err(Error::invalid_argument("ids", format!("At most {MAX_NODES} ids.")).into());
        }
        let found = futures::future::join_all(ids.iter().map(|id| find(ctx, id))).await;
        found.into_iter().collect()
    }
}

async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    let Some((prefix, uuid)) = id::decode(id) else {
        return Err(Error::invalid_argument("id", "This is not an id.").into());
    };
    let call = ctx.call();
    Ok(match prefix {
        WorkspaceId::PREFIX => call.load(WorkspaceId(uuid)).await?.map(Node::Workspace),
        MembershipId::PREFIX => call.load(MembershipId(uuid)).await?.map(Node::Member),
        AuthSessionId::PREFIX => call.load(AuthSessionId(uuid)).await?.map(Node::AuthSession),
        ServiceId::PREFIX => call.load(ServiceId(uuid)).await?.map(Node::Service),
        _ => None,
    })
}
