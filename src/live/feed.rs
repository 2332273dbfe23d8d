//! Reading the journal as a feed of changes.
//!
//! Sequence numbers of a workspace are given in the order of commits and without gaps, so reading "after the
//! last one" never passes over a change that commits later. Each workspace that somebody follows has one
//! task that reads new changes and hands them to all its readers. A reader trusts what it is handed only
//! when it continues from where the reader stands; otherwise it reads the journal itself. Hence nothing is
//! lost, delivered twice or out of order, however slow the reader is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use tokio::sync::broadcast::{self, error::RecvError};
use uuid::Uuid;

use super::Hub;
use super::shared::Group;
use crate::access::actor::Actor;
use crate::db::{Database, Scope};
use crate::error::{Error, Result};
use crate::graphql::frame::Frame;
use crate::id::{MembershipId, PatientId, WorkspaceId};
use crate::journal::entity::{self, AuditKind, Column};
use crate::journal::head;

/// How far back a reader can resume.
pub const RETENTION: TimeDelta = TimeDelta::days(30);
/// The most changes that are read at once.
const CHUNK: usize = 500;
/// How long a lost hint goes unnoticed.
const POLL: Duration = Duration::from_secs(1);
/// How many chunks a reader may lag behind before it reads the journal itself.
const LAG: usize = 256;

/// The most changes at once that are prepared: of more, most who hear of them are catching up.
pub const PREPARED: usize = 8;
/// How much of it at a time: each takes a connection.
const AT_ONCE: usize = 2;
/// How long the readers wait for what is prepared for them.
const SOON: Duration = Duration::from_millis(50);

/// Who prepares what those of a group are told of a change.
pub trait Herald: Send + Sync {
    fn prepare(&self, event: Arc<FeedEvent>) -> BoxFuture<'_, ()>;

    /// What all of them are told of the change with this number, if that is at hand.
    fn prepared(&self, seq: i64) -> Option<Tidings>;
}

/// What all of a group are told of a change.
#[derive(Clone, Debug)]
pub enum Tidings {
    /// Nothing: they do not want to hear of it.
    LeftOut,
    Told(Arc<Frame>),
}

/// A change, as the journal tells of it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct FeedEvent {
    pub seq: i64,
    pub occurred_at: DateTimeUtc,
    /// What was done, such as `appointment.booked`.
    pub action: String,
    pub actor_membership_id: Option<MembershipId>,
    /// The table of the row that was changed.
    pub subject_type: Option<String>,
    pub subject_id: Option<Uuid>,
    pub patient_id: Option<PatientId>,
}

/// A place in a workspace's feed, opaque to clients: everything up to `seq` was seen.
pub fn cursor(workspace: WorkspaceId, seq: i64) -> String {
    let mut bytes = workspace.0.as_bytes().to_vec();
    bytes.extend(seq.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn parse_cursor(workspace: WorkspaceId, text: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (of, seq) = bytes.split_at_checked(16)?;
    let seq = i64::from_be_bytes(seq.try_into().ok()?);
    (of == workspace.0.as_bytes() && seq >= 0).then_some(seq)
}

/// Changes without a gap: all those after `from`, up to and including `to`.
#[derive(Clone)]
struct Batch {
    from: i64,
    to: i64,
    events: Arc<[Arc<FeedEvent>]>,
}

/// The feeds of all workspaces that somebody follows.
#[derive(Clone)]
pub struct Feeds(Arc<Inner>);

/// By who is told the same, and of which events.
type Heralds = HashMap<(Group, Arc<str>), Weak<dyn Herald>>;

struct Inner {
    db: Database,
    hub: Hub,
    running: Mutex<HashMap<WorkspaceId, broadcast::Sender<Batch>>>,
    heralds: Mutex<HashMap<WorkspaceId, Heralds>>,
}

impl Feeds {
    pub fn new(db: Database, hub: Hub) -> Self {
        Self(Arc::new(Inner { db, hub, running: Mutex::default(), heralds: Mutex::default() }))
    }

    /// The sequence number that the workspace's journal has reached.
    pub async fn head(&self, workspace: WorkspaceId) -> Result<i64> {
        let tx = self.0.db.begin_read(Scope::workspace(workspace)).await?;
        let head = system(workspace).find::<head::Entity>().one(&tx.overhead()).await?;
        tx.rollback().await?;
        Ok(head.map_or(0, |head| head.seq))
    }

    /// A reader that starts after the cursor or, without one, now.
    pub async fn read(
        &self,
        workspace: WorkspaceId,
        after: Option<&str>,
        now: DateTimeUtc,
    ) -> Result<Reader> {
        // Handed out before the head is read, so that nothing falls between the two.
        let live = self.receive(workspace);
        let head = self.head(workspace).await?;
        let mut reader = Reader {
            feeds: self.clone(),
            workspace,
            position: head,
            ready: Arc::from([]),
            taken: 0,
            behind: false,
            live,
        };
        if let Some(after) = after {
            let foreign = || Error::invalid_argument("after", "This cursor does not belong to this feed.");
            reader.position =
                parse_cursor(workspace, after).filter(|seq| *seq <= head).ok_or_else(foreign)?;
            reader.replay().await?;
            if reader.ready.first().is_some_and(|missed| missed.occurred_at < now - RETENTION) {
                return Err(Error::CursorExpired);
            }
        }
        Ok(reader)
    }

    /// The herald of those who are told the same and want to hear of the same; the first of them says who that is. It is
    /// theirs as long as one of them keeps it.
    pub fn herald<H: Herald + 'static>(
        &self,
        group: Group,
        wants: Arc<str>,
        herald: impl FnOnce() -> H,
    ) -> Arc<dyn Herald> {
        let mut heralds = self.0.heralds.lock().unwrap_or_else(PoisonError::into_inner);
        let heralds = heralds.entry(group.workspace).or_default();
        let key = (group, wants);
        if let Some(herald) = heralds.get(&key).and_then(Weak::upgrade) {
            return herald;
        }
        heralds.retain(|_, herald| herald.strong_count() > 0);
        let herald: Arc<dyn Herald> = Arc::new(herald());
        heralds.insert(key, Arc::downgrade(&herald));
        herald
    }

    /// Has prepared what more than one will be told. What takes longer than the readers wait goes on: those who come find it
    /// under way, and wait for it.
    async fn prepare(&self, workspace: WorkspaceId, events: &[Arc<FeedEvent>]) {
        if events.len() > PREPARED {
            return;
        }
        let heralds: Vec<Arc<dyn Herald>> = {
            let heralds = self.0.heralds.lock().unwrap_or_else(PoisonError::into_inner);
            let all = heralds.get(&workspace).into_iter().flat_map(HashMap::values);
            all.filter(|herald| herald.strong_count() > 1).filter_map(Weak::upgrade).collect()
        };
        let each = |herald: &Arc<dyn Herald>, event: &Arc<FeedEvent>| {
            let (herald, event) = (herald.clone(), event.clone());
            async move { herald.prepare(event).await }
        };
        let all: Vec<_> =
            events.iter().flat_map(|event| heralds.iter().map(move |herald| each(herald, event))).collect();
        if !all.is_empty() {
            let all = stream::iter(all).buffer_unordered(AT_ONCE).collect::<()>();
            let _ = tokio::time::timeout(SOON, tokio::spawn(all)).await;
        }
    }

    /// What the workspace's task hands out from now on. Starts the task when it does not run.
    fn receive(&self, workspace: WorkspaceId) -> broadcast::Receiver<Batch> {
        let mut running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = running.get(&workspace) {
            return sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(LAG);
        running.insert(workspace, sender.clone());
        tokio::spawn(self.clone().run(workspace, sender));
        receiver
    }

    /// Reads the workspace's changes for everybody who follows it, until nobody does.
    async fn run(self, workspace: WorkspaceId, sender: broadcast::Sender<Batch>) {
        let mut hints = self.0.hub.listen(workspace);
        let mut position = None;
        while !self.abandoned(workspace, &sender) {
            if let Err(error) = self.advance(workspace, &mut position, &sender).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the journal cannot be followed; trying again"
                );
                tokio::time::sleep(POLL).await;
            }
            // A hint says that there is something to read; so may the time, for hints can get lost.
            let _ = tokio::time::timeout(POLL, hints.changed()).await;
        }
    }

    /// Hands out what is new. The first time it only says where it stands: whoever stands before that reads
    /// the journal up to there.
    async fn advance(
        &self,
        workspace: WorkspaceId,
        position: &mut Option<i64>,
        sender: &broadcast::Sender<Batch>,
    ) -> Result<()> {
        let mut from = match *position {
            Some(position) => position,
            None => {
                let head = self.head(workspace).await?;
                hand_out(sender, Batch { from: head, to: head, events: Arc::from([]) });
                head
            }
        };
        *position = Some(from);
        loop {
            let events = self.after(workspace, from).await?;
            let Some(last) = events.last() else { return Ok(()) };
            let (to, full) = (last.seq, events.len() == CHUNK);
            self.prepare(workspace, &events).await;
            hand_out(sender, Batch { from, to, events });
            from = to;
            *position = Some(from);
            if !full {
                return Ok(());
            }
        }
    }

    /// Ends the workspace's feed when nobody follows it. Under the lock: nobody joins a feed that ends.
    fn abandoned(&self, workspace: WorkspaceId, sender: &broadcast::Sender<Batch>) -> bool {
        let mut running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        let abandoned = sender.receiver_count() == 0;
        if abandoned {
            running.remove(&workspace);
            self.0.heralds.lock().unwrap_or_else(PoisonError::into_inner).remove(&workspace);
        }
        abandoned
    }

    /// The next changes after `seq`, in order.
    async fn after(&self, workspace: WorkspaceId, seq: i64) -> Result<Arc<[Arc<FeedEvent>]>> {
        let tx = self.0.db.begin_read(Scope::workspace(workspace)).await?;
        let events = system(workspace)
            .find::<entity::Entity>()
            .select_only()
            .columns([
                Column::Seq,
                Column::OccurredAt,
                Column::Action,
                Column::ActorMembershipId,
                Column::SubjectType,
                Column::SubjectId,
                Column::PatientId,
            ])
            .filter(Column::Kind.eq(AuditKind::Write))
            .filter(Column::Seq.gt(seq))
            .order_by_asc(Column::Seq)
            .limit(CHUNK as u64)
            .into_model::<FeedEvent>()
            .all(&tx.overhead())
            .await?;
        tx.rollback().await?;
        Ok(events.into_iter().map(Arc::new).collect())
    }
}

/// The feed itself reads for everybody; what each may see is decided at delivery.
fn system(workspace: WorkspaceId) -> Actor {
    Actor::system(workspace, "feed")
}

fn hand_out(sender: &broadcast::Sender<Batch>, batch: Batch) {
    // Nobody listens any more: then nobody misses it.
    let _ = sender.send(batch);
}

/// One reader of a workspace's feed.
pub struct Reader {
    feeds: Feeds,
    workspace: WorkspaceId,
    /// Every change up to here was delivered.
    position: i64,
    /// Changes at hand, of which `taken` were looked at.
    ready: Arc<[Arc<FeedEvent>]>,
    taken: usize,
    /// There may be more in the journal than what is handed out.
    behind: bool,
    live: broadcast::Receiver<Batch>,
}

impl Reader {
    /// The next change, as soon as there is one. Nothing is lost when this is given up and asked again.
    pub async fn next(&mut self) -> Result<Arc<FeedEvent>> {
        loop {
            while let Some(event) = self.ready.get(self.taken) {
                self.taken += 1;
                if event.seq > self.position {
                    self.position = event.seq;
                    return Ok(event.clone());
                }
            }
            if self.behind {
                // Boxed: it is rare, and many wait here.
                Box::pin(self.replay()).await?;
                continue;
            }
            match self.live.recv().await {
                Ok(batch) if batch.to <= self.position => {}
                Ok(batch) if batch.from <= self.position => self.hold(batch.events),
                Ok(_) | Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => {
                    self.live = self.feeds.receive(self.workspace);
                    self.behind = true;
                }
            }
        }
    }

    /// Reads on in the journal itself.
    async fn replay(&mut self) -> Result<()> {
        let events = self.feeds.after(self.workspace, self.position).await?;
        self.behind = events.len() == CHUNK;
        self.hold(events);
        Ok(())
    }

    fn hold(&mut self, events: Arc<[Arc<FeedEvent>]>) {
        self.ready = events;
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::access::sessions::Identity;
    use crate::db::connect::{PoolOptions, connect};
    use crate::graphql::document::Selected;
    use crate::id::{AuthSessionId, UserId};

    /// A herald that takes its time, and counts what it has prepared.
    struct Slow(Duration, Arc<AtomicUsize>);

    impl Herald for Slow {
        fn prepare(&self, _: Arc<FeedEvent>) -> BoxFuture<'_, ()> {
            Box::pin(async {
                sleep(self.0).await;
                self.1.fetch_add(1, Ordering::SeqCst);
            })
        }

        fn prepared(&self, _: i64) -> Option<Tidings> {
            None
        }
    }

    fn group(workspace: WorkspaceId, platform_admin: bool) -> Group {
        let nobody = (UserId(Uuid::nil()), AuthSessionId(Uuid::nil()));
        let actor = Some(Arc::new(system(workspace)));
        let identity = Identity { user: nobody.0, session: nobody.1, platform_admin, actor };
        Group::of(&identity, &Arc::new(Selected::default())).unwrap()
    }

    #[tokio::test]
    async fn a_herald_prepares_for_many_and_is_waited_for_so_long_only() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("it.db").display());
        let feeds = Feeds::new(connect(&url, &PoolOptions::default()).await.unwrap(), Hub::default());
        let (here, there) = (WorkspaceId(Uuid::max()), WorkspaceId(Uuid::nil()));
        let prepared = Arc::new(AtomicUsize::new(0));
        let events: Vec<_> = (1..=2)
            .map(|seq| {
                let occurred_at = DateTimeUtc::default();
                let (action, subject_type) = (String::new(), None);
                let (subject_id, patient_id, actor_membership_id) = (None, None, None);
                Arc::new(FeedEvent {
                    seq,
                    occurred_at,
                    action,
                    actor_membership_id,
                    subject_type,
                    subject_id,
                    patient_id,
                })
            })
            .collect();
        let count = async |workspace, events: &[Arc<FeedEvent>]| {
            let before = prepared.load(Ordering::SeqCst);
            feeds.prepare(workspace, events).await;
            prepared.load(Ordering::SeqCst) - before
        };

        let first = feeds.herald(group(here, false), "".into(), || Slow(SOON / 10, prepared.clone()));
        assert_eq!(count(here, &events).await, 0, "whoever is alone finds out alone");
        let second = feeds.herald(group(here, false), "".into(), || Slow(SOON * 20, prepared.clone()));
        assert!(Arc::ptr_eq(&first, &second));
        let _other = feeds.herald(group(here, true), "".into(), || Slow(SOON / 10, prepared.clone()));
        assert_eq!(count(here, &events).await, 2);
        assert_eq!(count(there, &events).await, 0);
        let many: Vec<_> = events.iter().cycle().take(PREPARED + 1).cloned().collect();
        assert_eq!(count(here, &many).await, 0);

        let narrow =
            feeds.herald(group(here, false), "one practitioner's".into(), || Slow(SOON, prepared.clone()));
        assert!(!Arc::ptr_eq(&first, &narrow), "others want to hear of other events");
        drop(narrow);

        drop((first, second));
        let slow = feeds.herald(group(here, false), "".into(), || Slow(SOON * 20, prepared.clone()));
        let _with_it = feeds.herald(group(here, false), "".into(), || Slow(SOON / 10, prepared.clone()));
        let begun = Instant::now();
        assert_eq!(count(here, &events).await, 0);
        assert!(begun.elapsed() < SOON * 10);
        drop(slow);
    }

    #[test]
    fn a_cursor_names_a_place_in_one_workspace_only() {
        let (here, there) = (WorkspaceId(Uuid::max()), WorkspaceId(Uuid::nil()));
        assert_eq!(parse_cursor(here, &cursor(here, 42)), Some(42));
        for bad in
            [cursor(there, 42), cursor(here, -1), cursor(here, 42)[1..].into(), String::new(), "?".into()]
        {
            assert_eq!(parse_cursor(here, &bad), None, "{bad}");
        }
    }
}
