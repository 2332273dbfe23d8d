//! Live updates: who waits for news of which workspace, and who tells them.
//!
//! The journal is the record: whoever follows a workspace reads it from where it stood, so nothing is lost
//! between connections, restarts and nodes. Hints only say that reading is worth while.

pub mod bus;
pub mod changes;
pub mod feed;
pub mod follow;
pub mod graphql;
pub mod shared;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};

use crate::id::WorkspaceId;

/// Hints that a workspace's journal has grown. A hint carries no data: its receiver reads the journal.
#[derive(Clone, Default)]
pub struct Hub(Arc<Inner>);

#[derive(Default)]
struct Inner {
    topics: Mutex<HashMap<WorkspaceId, watch::Sender<i64>>>,
    /// What other nodes have not been told yet: at most one entry for each workspace.
    untold: Mutex<BTreeMap<WorkspaceId, i64>>,
    news: Notify,
}

impl Hub {
    /// Tells everybody who waits for this workspace that its journal reaches `seq`. Called after commit only.
    pub fn hint(&self, workspace: WorkspaceId, seq: i64) {
        self.hear(workspace, seq);
        self.0.untold.lock().unwrap_or_else(PoisonError::into_inner).insert(workspace, seq);
        self.0.news.notify_one();
    }

    /// The same for a hint that another node sent.
    fn hear(&self, workspace: WorkspaceId, seq: i64) {
        let mut topics = self.0.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = topics.get(&workspace) {
            topic.send_if_modified(|last| std::mem::replace(last, seq.max(*last)) < seq);
            if topic.receiver_count() == 0 {
                topics.remove(&workspace);
            }
        }
    }

    /// Hints of this workspace from now on.
    pub fn listen(&self, workspace: WorkspaceId) -> watch::Receiver<i64> {
        let mut topics = self.0.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.entry(workspace).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// Waits until there is something to tell other nodes, and takes it.
    async fn untold(&self) -> BTreeMap<WorkspaceId, i64> {
        self.0.news.notified().await;
        std::mem::take(&mut *self.0.untold.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
