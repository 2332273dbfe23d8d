//! Following the feed on behalf of somebody whose rights may change while they wait.
//!
//! A subscription runs its operation once when it begins, to find out what it follows, and once for each event that
//! it tells of. Between two events there is nothing of the engine: only a place in the feed.

use std::any::Any;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::Context;
use futures::stream::{self, Stream};

use super::feed::{FeedEvent, Reader};
use crate::access::permission::Permission;
use crate::access::sessions::Identity;
use crate::error::{Error, Result};
use crate::graphql::context::{Call, ContextExt};
use crate::graphql::error::Result as FieldResult;

/// What a subscription's root field made of an event.
pub type Told = Box<dyn Any + Send>;
pub type Picked = Pin<Box<dyn Future<Output = Result<Option<Told>>> + Send>>;
/// What a subscription makes of an event, as whoever asks sees it; nothing when it is left out.
pub type Pick = Arc<dyn Fn(Arc<Call>, Arc<FeedEvent>) -> Picked + Send + Sync>;

/// Who sees the same in what is told of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alike {
    /// All of a role that is not confined to a chart, when they ask for the same. Those who want to hear of the same, by
    /// this text, have it prepared together.
    Roles(Arc<str>),
    /// Each sees something else.
    Nobody,
}

/// Why the root field of a subscription runs.
#[derive(Default)]
pub struct Following(Mutex<State>);

#[derive(Default)]
enum State {
    /// It is no subscription, or what was told to it is used up.
    #[default]
    Idle,
    /// To find out what it follows, from this cursor on when its transport knows one.
    Begins { after: Option<String> },
    /// It has begun.
    Follows(Source),
    /// To answer for this.
    Tells(Told),
}

impl Following {
    /// The root field is asked next what it follows.
    pub fn begin(&self, after: Option<String>) {
        self.set(State::Begins { after });
    }

    /// The root field is asked for this next.
    pub fn tell(&self, told: Told) {
        self.set(State::Tells(told));
    }

    /// What the root field follows, once it has begun.
    pub fn source(&self) -> Option<Source> {
        match self.take() {
            State::Follows(source) => Some(source),
            _ => None,
        }
    }

    fn take(&self) -> State {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// What a root field of the schema's subscriptions answers: for each change after the cursor (or from now on) what
/// `pick` makes of it.
///
/// Whoever asks must have the permissions. Before each change, and when the sign-in ends, both are checked again; the
/// stream ends with the error when they no longer hold. `pick` runs under the rights of that
/// moment and leaves out a change by `None`. While the stream waits it holds no connection.
pub async fn follow<T, P, F>(
    ctx: &Context<'_>,
    permissions: Vec<Permission>,
    after: Option<&str>,
    alike: Alike,
    pick: P,
) -> Result<impl Stream<Item = FieldResult<T>> + Send + use<T, P, F>>
where
    T: Any + Send,
    P: Fn(Arc<Call>, Arc<FeedEvent>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Option<T>>> + Send + 'static,
{
    let call = ctx.call();
    let resume = match call.following.take() {
        State::Tells(told) => {
            let told = told.downcast::<T>().map_err(|_| Error::Unavailable("subscription"))?;
            return Ok(stream::iter(Some(Ok(*told))));
        }
        State::Begins { after } => after,
        State::Idle | State::Follows(_) => return Err(Error::Unavailable("subscription")),
    };
    for permission in &permissions {
        permit(ctx, *permission)?;
    }
    let after = resume.as_deref().or(after);
    let reader = call.app.feeds.read(call.actor()?.workspace, after, call.app.clock.now()).await?;
    let pick: Pick = Arc::new(move |call, event| {
        let picked = pick(call, event);
        Box::pin(async move { Ok(picked.await?.map(|told| Box::new(told) as Told)) })
    });
    call.following.set(State::Follows(Source { reader, permissions, alike, pick }));
    Ok(stream::iter(None))
}

/// The guard of the other root fields does not see these.
fn permit(ctx: &Context<'_>, permission: Permission) -> Result<()> {
    let permitted = ctx.call().permits(permission);
    if matches!(permitted, Err(Error::Forbidden)) {
        ctx.call().note_denied("Subscription", ctx.item.node.name.node.as_str(), permission);
    }
    permitted
}

/// Where a subscription is in the feed, and what it wants to hear of.
pub struct Source {
    reader: Reader,
    permissions: Vec<Permission>,
    pub alike: Alike,
    pub pick: Pick,
}

impl Source {
    /// The next change. Nothing is lost when this is given up and asked again.
    pub async fn next(&mut self) -> Result<Arc<FeedEvent>> {
        self.reader.next().await
    }

    pub fn permits(&self, identity: &Identity) -> Result<()> {
        self.permissions.iter().try_for_each(|permission| identity.permits(*permission))
    }
}
