//! One answer for all who follow the same thing under the same rights.
//!
//! A change reaches every subscriber of a workspace at about the same time, and most of them ask for the same
//! fields of it. So what is answered for an event is found out and written once, by whoever comes first, and the
//! others wait for that. Two subscribers see the same when they are in one workspace, have one role that is not
//! confined to a chart, and ask for the same selection with the same variables: that is the key. What was seen of
//! patients goes into the journal for each of them.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::appointment::entity::ModelEx as Appointment;
use crate::error::Result;
use crate::graphql::context::Call;
use crate::graphql::document::Selected;
use crate::graphql::frame::Frame;
use crate::id::{AppointmentId, WorkspaceId};
use crate::member::entity::Role;

/// How long an answer is kept for those who have yet to hear of the event. What it says may be as old as that.
const KEPT: Duration = Duration::from_secs(3);
const MOST: u64 = 10_000;
/// How long anybody waits for what somebody else finds out: it may be somebody whose socket is stuck.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of answers that are kept.
const MOST_BYTES: u64 = 64 << 20;

/// Where those who see the same wait for what the first of them finds: nothing where each must find out alone. Little more
/// than a place in a queue for each, and all of them are woken at once.
type Cell = OnceCell<Option<Arc<Frame>>>;

/// What was found out for subscribers.
pub struct Shares {
    appointments: Cache<(WorkspaceId, i64), Option<Arc<Appointment>>>,
    frames: moka::sync::Cache<Key, Arc<Cell>>,
}

/// Whose answers are the same: those of one event, to one selection, under the same rights.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    pub workspace: WorkspaceId,
    pub seq: i64,
    pub role: Role,
    pub platform_admin: bool,
    pub selected: Arc<Selected>,
}

impl Default for Shares {
    fn default() -> Self {
        let bytes = |_: &Key, cell: &Arc<Cell>| {
            let json = cell.get().and_then(Option::as_ref).map_or(0, |frame| frame.json.len());
            u32::try_from(json + size_of::<Frame>()).unwrap_or(u32::MAX)
        };
        Self {
            appointments: Cache::builder().max_capacity(MOST).time_to_live(KEPT).build(),
            frames: moka::sync::Cache::builder()
                .weigher(bytes)
                .max_capacity(MOST_BYTES)
                .time_to_live(KEPT)
                .build(),
        }
    }
}

impl Shares {
    /// The appointment that an event is about, as whoever asks may see it.
    pub async fn appointment(
        &self,
        call: &Call,
        seq: i64,
        id: AppointmentId,
    ) -> Result<Option<Arc<Appointment>>> {
        let actor = call.actor()?;
        let load = async { Ok(call.load(id).await?.map(Arc::new)) };
        if actor.role == Role::Patient {
            return load.await;
        }
        let shared = self.appointments.try_get_with((actor.workspace, seq), load);
        match timeout(PATIENCE, shared).await {
            Ok(shared) => shared.map_err(Arc::unwrap_or_clone),
            Err(_) => Ok(call.load(id).await?.map(Arc::new)),
        }
    }

    /// What those of the key are told, found out by the first who asks; nothing when that is not for all of them, or
    /// when the first is too slow.
    pub async fn frame(
        &self,
        key: Key,
        find: impl Future<Output = Option<Arc<Frame>>>,
    ) -> Option<Arc<Frame>> {
        let cell = self.frames.get_with_by_ref(&key, Arc::default);
        let mut is_first = false;
        let first = async {
            is_first = true;
            find.await
        };
        let found = timeout(PATIENCE, cell.get_or_init(|| first)).await.ok()?.clone();
        if is_first {
            // Weighed anew, now that there is something in it.
            self.frames.insert(key, cell.clone());
        }
        found
    }
}
