//! A running subscription: what it delivers, what that costs, and how long it may take.
//!
//! The operation runs once for each event that is told of. Those who see the same share what the first of them
//! found; what each pays, and what the journal is told of each, stays theirs.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
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
use crate::live::feed::{FeedEvent, Herald, PREPARED, Tidings, cursor};
use crate::live::follow::{Alike, Pick, Source};
use crate::live::shared::{Group, KEPT};

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
        let caller = caller.clone();
        let selected = Arc::new(prepared.selected());
        let operation = Arc::new(Operation { endpoint, prepared, selected, alike: source.alike.clone() });
        let herald = operation.company(&caller).map(|(group, wants)| {
            let own = || Prepares {
                operation: operation.clone(),
                caller: caller.clone(),
                pick: source.pick.clone(),
                latest: Mutex::default(),
            };
            let herald = operation.endpoint.app.feeds.herald(group.clone(), wants, own);
            (group, herald)
        });
        // Boxed: it is handed from one delivery to the next, and many wait.
        Box::new(Subscription {
            operation,
            caller,
            watch,
            source,
            herald,
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

/// What is run for each event that is told of.
struct Operation {
    endpoint: Endpoint,
    prepared: Prepared,
    selected: Arc<Selected>,
    alike: Alike,
}

/// Runs the operation once for all who see the same, before they are woken, with the rights that all of them have.
struct Prepares {
    operation: Arc<Operation>,
    caller: Caller,
    pick: Pick,
    latest: Mutex<VecDeque<Latest>>,
}

/// What was found for one of the latest events.
struct Latest {
    seq: i64,
    /// When it was begun to be found out.
    at: Instant,
    /// Held by those who share it. Nothing for an event that is left out.
    frame: Option<Weak<Frame>>,
}

/// What somebody is told of an event.
struct Answer {
    frame: Arc<Frame>,
    /// All of the group are told the same.
    is_shared: bool,
}

struct Subscription {
    operation: Arc<Operation>,
    /// Whoever is signed in at this moment.
    caller: Caller,
    watch: Watch,
    source: Source,
    /// Who prepares what this one is told as one of a group.
    herald: Option<(Group, Arc<dyn Herald>)>,
    /// The patients that it has told of: the journal knows.
    told: BTreeSet<PatientId>,
    /// The same of fields that were refused.
    denied: BTreeSet<String>,
    /// What is not paid yet of the last delivery.
    owes: u64,
}

impl Operation {
    /// Who is told the same when they are told of an event, and of which events: nothing for those who are told
    /// something of their own.
    fn company(&self, caller: &Caller) -> Option<(Group, Arc<str>)> {
        let Alike::Roles(wants) = &self.alike else { return None };
        Some((Group::of(caller.identity.as_ref()?, &self.selected)?, wants.clone()))
    }

    /// What the caller is told of an event, with the call that found it out.
    async fn tell(
        &self,
        caller: &Caller,
        pick: &Pick,
        event: Arc<FeedEvent>,
    ) -> (Arc<Call>, Result<Result<Option<Answer>>, Response>) {
        let Caller { identity, request } = caller.clone();
        let call = Call::new(self.endpoint.app.clone(), identity, request);
        let seq = event.seq;
        let found = run(&call, Instant::now() + DEADLINE, async {
            let Some(item) = pick(call.clone(), event).await? else { return Ok(None) };
            call.following.tell(item);
            Ok(self.shared(caller, &call, seq).await)
        });
        let found = found.await;
        (call, found)
    }

    /// What is answered for the event that the call was told of: found out by the first of those who see the same.
    async fn shared(&self, caller: &Caller, call: &Arc<Call>, seq: i64) -> Option<Answer> {
        let own = |frame: Option<Arc<Frame>>| Some(Answer { frame: frame?, is_shared: false });
        let Some((group, _)) = self.company(caller) else { return own(self.execute(call, seq).await.0) };
        let mut first = None;
        let find = async {
            let (frame, is_alike) = self.execute(call, seq).await;
            first.clone_from(&frame);
            // What failed or was refused is told to each of them in their own words.
            frame.filter(|_| is_alike)
        };
        match self.endpoint.app.shares.frame(group, seq, find).await {
            Some(frame) => Some(Answer { frame, is_shared: true }),
            None if first.is_some() => own(first),
            None => own(self.execute(call, seq).await.0),
        }
    }

    /// What is answered for the event, and whether others who see the same may be told the same. Boxed: it is large,
    /// one of them runs it, and the others would wait with room for it.
    fn execute<'a>(&self, call: &'a Arc<Call>, seq: i64) -> BoxFuture<'a, (Option<Arc<Frame>>, bool)> {
        let request = self.prepared.request().data(call.clone());
        let mut responses = self.endpoint.schema.execute_stream(request);
        Box::pin(async move {
            let Some(mut response) = responses.next().await else { return (None, false) };
            response.errors.extend(call.take_field_errors());
            error::finish(&mut response, &call.request.id);
            let is_alike = response.errors.is_empty() && !call.has_notes();
            let workspace = call.actor().map(|actor| actor.workspace);
            let (cursor, seen) = (workspace.ok().map(|of| cursor(of, seq).into()), call.take_seen_patients());
            (Some(Arc::new(Frame { cursor, seen, ..Frame::new(&response) })), is_alike)
        })
    }
}

impl Herald for Prepares {
    fn prepare(&self, event: Arc<FeedEvent>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let (seq, at) = (event.seq, Instant::now());
            // Who is told of it tells the journal.
            let (_, found) = self.operation.tell(&self.caller, &self.pick, event).await;
            let frame = match found {
                Ok(Ok(None)) => None,
                Ok(Ok(Some(Answer { frame, is_shared: true }))) => Some(Arc::downgrade(&frame)),
                _ => return,
            };
            let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
            latest.truncate(PREPARED - 1);
            latest.push_front(Latest { seq, at, frame });
        })
    }

    fn prepared(&self, seq: i64) -> Option<Tidings> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let found = latest.iter().find(|found| found.seq == seq && found.at.elapsed() < KEPT)?;
        match &found.frame {
            None => Some(Tidings::LeftOut),
            Some(frame) => frame.upgrade().map(Tidings::Told),
        }
    }
}

impl Subscription {
    /// The next delivery, and what goes on after it. After an error nothing does: what was not delivered is there
    /// for whoever comes back.
    async fn next(mut self: Box<Self>) -> Option<(Arc<Frame>, Option<Box<Self>>)> {
        match self.produce().await {
            Ok(frame) => {
                self.owes = frame.objects.max(self.operation.prepared.cost.into());
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
        let app = &self.operation.endpoint.app;
        let identity = app.identify(&identity.subject(), &self.caller.request).await?;
        self.source.permits(&identity)?;
        self.caller.identity = Some(identity);
        Ok(())
    }

    /// What was prepared of a change for the group that the caller is in still.
    fn prepared(&self, seq: i64) -> Option<Tidings> {
        let (group, herald) = self.herald.as_ref()?;
        let identity = self.caller.identity.as_ref()?;
        (Group::of(identity, &self.operation.selected).as_ref() == Some(group))
            .then(|| herald.prepared(seq))?
    }

    /// What is told of a change; nothing when it is left out.
    async fn tell(&mut self, event: Arc<FeedEvent>) -> Result<Option<Arc<Frame>>, Response> {
        match self.prepared(event.seq) {
            Some(Tidings::LeftOut) => return Ok(None),
            // Of all that it shows the journal knows already.
            Some(Tidings::Told(frame)) if frame.seen.keys().all(|patient| self.told.contains(patient)) => {
                return Ok(Some(frame));
            }
            _ => {}
        }
        let (call, found) = self.operation.tell(&self.caller, &self.source.pick, event).await;
        let frame = match found {
            Ok(Ok(Some(answer))) => answer.frame,
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

    /// Charges the last delivery, to the user alone: it was not their doing that something happened, and many of a
    /// workspace may follow. While there are not enough points for it, the next one is not worked on.
    async fn pay(&mut self) -> Result<()> {
        let Some(identity) = self.caller.identity.as_ref().filter(|_| self.owes > 0) else { return Ok(()) };
        let until = Instant::now() + PATIENCE;
        loop {
            let charge = self.operation.endpoint.app.throttle.charge_user(identity, self.owes);
            match charge.refused {
                Some(wait) if Instant::now() + wait <= until => sleep(wait).await,
                _ => return charge.permit(),
            }
        }
    }
}
