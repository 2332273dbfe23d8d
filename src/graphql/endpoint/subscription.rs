//! A running subscription: what it delivers, what that costs, and how long it may take.
//!
//! The operation runs once for each event that is told of. Those who see the same share what the first of them
//! found; what each pays, and what the journal is told of each, stays theirs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Response;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use tokio::time::{Instant, sleep};

use super::{Caller, DEADLINE, Endpoint, refused, run, told};
use crate::access::sessions::Watch;
use crate::error::{Error, Result};
use crate::graphql::context::Call;
use crate::graphql::document::{Prepared, Selected};
use crate::graphql::error;
use crate::graphql::frame::Frame;
use crate::id::PatientId;
use crate::live::feed::FeedEvent;
use crate::live::follow::{Alike, Source};
use crate::live::shared::Key;

/// How long a subscription waits until its last delivery is paid for. Then it ends; its client can go on later.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a subscription delivers, from the cursor on when the transport knows one.
pub fn deliveries(
    endpoint: Endpoint,
    prepared: Prepared,
    caller: Caller,
    after: Option<String>,
) -> BoxStream<'static, Arc<Frame>> {
    // Boxed: it is large, and over soon.
    stream::once(Box::pin(begin(endpoint, prepared, caller, after))).flatten().boxed()
}

/// Runs the operation once, to find out what it follows or why it does not.
async fn begin(
    endpoint: Endpoint,
    prepared: Prepared,
    caller: Caller,
    after: Option<String>,
) -> impl Stream<Item = Arc<Frame>> + Send + use<> {
    let Caller { identity, request } = caller.clone();
    let call = Call::new(endpoint.app.clone(), identity, request);
    call.following.begin(after);
    let mut responses = endpoint.schema.execute_stream(prepared.request().data(call.clone()));
    let last = match run(&call, Instant::now() + DEADLINE, responses.next()).await {
        Ok(None) => None,
        Ok(Some(response)) | Err(response) => Some(last(told(&call, response).await, &caller)),
    };
    let source = call.following.source().filter(|_| last.is_none());
    let subscription = source.zip(caller.identity.as_ref()).map(|(source, identity)| {
        let watch = endpoint.app.sessions.watch(identity.subject(), None);
        let selected = Arc::new(prepared.selected());
        let caller = caller.clone();
        // Boxed: it is handed from one delivery to the next, and many wait.
        Box::new(Subscription {
            endpoint,
            prepared,
            caller,
            watch,
            source,
            selected,
            told: BTreeSet::new(),
            denied: BTreeSet::new(),
            owes: 0,
        })
    });
    let frames = stream::unfold(subscription, async |subscription| subscription?.next().await);
    stream::iter(last).chain(frames)
}

fn last(mut response: Response, caller: &Caller) -> Arc<Frame> {
    error::finish(&mut response, &caller.request.id);
    Arc::new(Frame::new(&response))
}

struct Subscription {
    endpoint: Endpoint,
    prepared: Prepared,
    /// Whoever is signed in at this moment.
    caller: Caller,
    watch: Watch,
    source: Source,
    selected: Arc<Selected>,
    /// The patients that it has told of: the journal knows.
    told: BTreeSet<PatientId>,
    /// The same of fields that were refused.
    denied: BTreeSet<String>,
    /// What is not paid yet of the last delivery.
    owes: u64,
}

impl Subscription {
    /// The next delivery, and what goes on after it. After an error nothing does: what was not delivered is there
    /// for whoever comes back.
    async fn next(mut self: Box<Self>) -> Option<(Arc<Frame>, Option<Box<Self>>)> {
        match self.produce().await {
            Ok(frame) => {
                self.owes = frame.objects.max(self.prepared.cost.into());
                Some((frame, Some(self)))
            }
            Err(response) => Some((last(response, &self.caller), None)),
        }
    }

    async fn produce(&mut self) -> Result<Arc<Frame>, Response> {
        self.pay().await.map_err(refused)?;
        loop {
            let event = tokio::select! {
                event = self.source.next() => Some(event.map_err(refused)?),
                () = self.watch.alarm() => None,
            };
            self.authorise().await.map_err(refused)?;
            let Some(event) = event else { continue };
            // Boxed: most of the time there is nothing to tell, and many wait.
            if let Some(frame) = Box::pin(self.tell(event)).await? {
                return Ok(frame);
            }
        }
    }

    /// Checks the sign-in again, and goes on with the rights that it has now.
    async fn authorise(&mut self) -> Result<()> {
        let identity = self.caller.identity.as_ref().ok_or(Error::Unauthenticated)?;
        let identity = self.endpoint.app.identify(&identity.subject(), &self.caller.request).await?;
        self.source.permits(&identity)?;
        self.caller.identity = Some(identity);
        Ok(())
    }

    /// What is told of a change; nothing when it is left out.
    async fn tell(&mut self, event: Arc<FeedEvent>) -> Result<Option<Arc<Frame>>, Response> {
        let Caller { identity, request } = self.caller.clone();
        let call = Call::new(self.endpoint.app.clone(), identity, request);
        let seq = event.seq;
        let found = run(&call, Instant::now() + DEADLINE, async {
            let Some(item) = self.source.pick(&call, event).await? else { return Ok(None) };
            call.following.tell(item);
            self.shared(&call, seq).await
        });
        let frame = match found.await {
            Ok(Ok(Some(frame))) => frame,
            Ok(Ok(None)) => return Ok(None),
            Ok(Err(error)) => return Err(told(&call, refused(error)).await),
            Err(response) => return Err(told(&call, response).await),
        };
        let fresh = frame.seen.iter().filter(|(patient, _)| !self.told.contains(patient));
        call.saw(fresh.map(|(patient, columns)| (*patient, columns.clone())).collect());
        call.tell_denied_once(&mut self.denied);
        // Boxed: it is large, and most have nothing to tell it.
        if call.has_notes() || !frame.seen.is_empty() {
            Box::pin(call.tell_journal()).await.map_err(refused)?;
            self.told.extend(frame.seen.keys());
        }
        Ok(Some(frame))
    }

    /// What is answered for the event that the call was told of: found out by the first of those who see the same.
    async fn shared(&self, call: &Arc<Call>, seq: i64) -> Result<Option<Arc<Frame>>> {
        let identity = self.caller.identity.as_ref().filter(|_| self.source.alike == Alike::Roles);
        let shared = identity.and_then(|identity| Key::of(identity, seq, &self.selected));
        let Some(key) = shared else { return Ok(self.execute(call).await.0) };
        let mut own = None;
        let find = async {
            let (frame, is_alike) = self.execute(call).await;
            own.clone_from(&frame);
            // What failed or was refused is told to each of them in their own words.
            frame.filter(|_| is_alike)
        };
        match self.endpoint.app.shares.frame(key, find).await {
            Some(frame) => Ok(Some(frame)),
            None if own.is_some() => Ok(own),
            None => Ok(self.execute(call).await.0),
        }
    }

    /// What is answered for the event, and whether others who see the same may be told the same. Boxed: it is large,
    /// one of them runs it, and the others would wait with room for it.
    fn execute<'a>(&'a self, call: &'a Arc<Call>) -> BoxFuture<'a, (Option<Arc<Frame>>, bool)> {
        let request = self.prepared.request().data(call.clone());
        let mut responses = self.endpoint.schema.execute_stream(request);
        Box::pin(async move {
            let Some(mut response) = responses.next().await else { return (None, false) };
            response.errors.extend(call.take_field_errors());
            error::finish(&mut response, &call.request.id);
            let is_alike = response.errors.is_empty() && !call.has_notes();
            let (cursor, seen) = (Some(self.source.position().into()), call.take_seen_patients());
            (Some(Arc::new(Frame { cursor, seen, ..Frame::new(&response) })), is_alike)
        })
    }

    /// Charges the last delivery, to the user alone: it was not their doing that something happened, and many of a
    /// workspace may follow. While there are not enough points for it, the next one is not worked on.
    async fn pay(&mut self) -> Result<()> {
        let Some(identity) = self.caller.identity.as_ref().filter(|_| self.owes > 0) else { return Ok(()) };
        let until = Instant::now() + PATIENCE;
        loop {
            let charge = self.endpoint.app.throttle.charge_user(identity, self.owes);
            match charge.refused {
                Some(wait) if Instant::now() + wait <= until => sleep(wait).await,
                _ => return charge.permit(),
            }
        }
    }
}
