//! Live updates: who waits for news of which workspace, and who tells them.

pub mod feed;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::id::WorkspaceId;

/// Hints that a workspace's journal has grown. A hint carries no data: its receiver reads the journal.
#[derive(Clone, Default)]
pub struct Hub(Arc<Mutex<HashMap<WorkspaceId, watch::Sender<i64>>>>);

impl Hub {
    /// Tells everybody who waits for this workspace that its journal reaches `seq`. Called after commit only.
    pub fn hint(&self, workspace: WorkspaceId, seq: i64) {
        let mut topics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = topics.get(&workspace) {
            topic.send_if_modified(|last| std::mem::replace(last, seq.max(*last)) < seq);
            if topic.receiver_count() == 0 {
                topics.remove(&workspace);
            }
        }
    }

    /// Hints of this workspace from now on.
    pub fn listen(&self, workspace: WorkspaceId) -> watch::Receiver<i64> {
        let mut topics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        topics.entry(workspace).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }
}
