//! Following the feed on behalf of somebody whose rights may change while they wait.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::Context;
use futures::stream::{Stream, unfold};

use super::feed::{FeedEvent, Reader};
use crate::access::permission::Permission;
use crate::error::{Error, Result};
use crate::graphql::context::{Call, ContextExt};
use crate::graphql::endpoint::DEADLINE;
use crate::graphql::error::Result as FieldResult;

/// How long a reader waits before the sign-in is checked again. The check itself is cached for a few seconds.
const CHECK: Duration = Duration::from_secs(1);

/// What a subscription delivers: for each change after the cursor (or from now on) what `pick` makes of it.
///
/// Whoever asks must have the permission. Before each change, and while none comes, the sign-in and the
/// permission are checked again; the stream ends with the error when they no longer hold. `pick` runs under
/// the rights of that moment and leaves out a change by `None`. While the stream waits it holds no connection.
pub async fn follow<T, P, F>(
    ctx: &Context<'_>,
    permission: Permission,
    after: Option<&str>,
    pick: P,
) -> Result<impl Stream<Item = FieldResult<T>> + Send + use<T, P, F>>
where
    T: Send,
    P: Fn(Arc<Call>, FeedEvent) -> F + Send + Sync,
    F: Future<Output = Result<Option<T>>> + Send,
{
    permit(ctx, permission)?;
    let call = ctx.call().clone();
    let actor = call.actor()?;
    let after = call.resume().or(after);
    let reader = call.app.feeds.read(actor.workspace, after, call.app.clock.now()).await?;
    let follower = Follower { call, permission, reader, pick };
    Ok(unfold(Some(follower), async |follower| {
        let mut follower = follower?;
        match follower.next().await {
            Ok(item) => Some((Ok(item), Some(follower))),
            Err(error) => Some((Err(error.into()), None)),
        }
    }))
}

/// Whether whoever subscribes has the permission: the guard of the other root fields does not see these.
pub fn permit(ctx: &Context<'_>, permission: Permission) -> Result<()> {
    let permitted = ctx.call().permits(permission);
    if matches!(permitted, Err(Error::Forbidden)) {
        ctx.call().note_denied("Subscription", ctx.item.node.name.node.as_str(), permission);
    }
    permitted
}

struct Follower<P> {
    call: Arc<Call>,
    permission: Permission,
    reader: Reader,
    pick: P,
}

impl<P> Follower<P> {
    async fn next<T, F>(&mut self) -> Result<T>
    where
        P: Fn(Arc<Call>, FeedEvent) -> F,
        F: Future<Output = Result<Option<T>>>,
    {
        loop {
            self.call.deadline.rest();
            let event = self.reader.next(CHECK).await?;
            self.call.deadline.begin(DEADLINE);
            self.authorise().await?;
            let Some(event) = event else { continue };
            let position = self.reader.position();
            if let Some(item) = (self.pick)(self.call.clone(), event).await? {
                self.call.set_position(position);
                return Ok(item);
            }
            self.call.release().await;
        }
    }

    /// Checks the sign-in again, and goes on with the rights that it has now.
    async fn authorise(&self) -> Result<()> {
        let identity = self.call.identity().ok_or(Error::Unauthenticated)?;
        let identity = self.call.app.identify(&identity.subject(), &self.call.request).await?;
        self.call.set_identity(Some(identity));
        self.call.permits(self.permission)
    }
}
