//! The group-commit writer: events of reads, denials and sign-ins, which no business transaction carries.
//!
//! Whoever hands in events waits until they are stored. A lone request pays for its own commit; requests
//! that arrive while one commit runs share the next one, without any delay timer.
//!
//! It hints nobody: those who follow a workspace wait for its changes, which business transactions record.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::append::{Chains, append_all};
use super::event::Event;
use crate::clock::Clock;
use crate::db::Database;
use crate::error::{Error, Result};
use crate::id::WorkspaceId;

/// The most requests that share one commit.
const GROUP: usize = 32;
/// How long a commit may take: longer than the database lets a statement take, which it says itself.
const PATIENCE: Duration = Duration::from_secs(12);

#[derive(Clone)]
pub struct Writer(mpsc::Sender<Job>);

struct Job {
    workspace: WorkspaceId,
    events: Vec<Event>,
    done: oneshot::Sender<Result<()>>,
}

impl Writer {
    /// Starts the writer; it ends when the last handle is dropped.
    pub fn start(db: Database, clock: Clock) -> Self {
        let (sender, mut jobs) = mpsc::channel(1024);
        tokio::spawn(async move {
            let mut group = Vec::with_capacity(GROUP);
            while jobs.recv_many(&mut group, GROUP).await > 0 {
                store(&db, &clock, std::mem::take(&mut group)).await;
            }
        });
        Self(sender)
    }

    /// How many requests wait to be taken up.
    pub fn waiting(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }

    /// Stores the events: no audit, no answer.
    pub async fn append(&self, workspace: WorkspaceId, events: Vec<Event>) -> Result<()> {
        let (done, stored) = oneshot::channel();
        let job = Job { workspace, events, done };
        self.0.send(job).await.map_err(|_| Error::Unavailable("journal"))?;
        stored.await.map_err(|_| Error::Unavailable("journal"))?
    }
}

async fn store(db: &Database, clock: &Clock, group: Vec<Job>) {
    let mut chains = Chains::new();
    let mut waiting = Vec::with_capacity(group.len());
    for job in group {
        chains.entry(job.workspace).or_default().extend(job.events);
        waiting.push(job.done);
    }
    let outcome = commit(db, clock, chains).await;
    if let Err(error) = &outcome {
        tracing::error!(error = error as &dyn std::error::Error, "the journal could not be written");
    }
    for done in waiting {
        // A client that went away does not wait any more.
        let _ = done.send(outcome.as_ref().copied().map_err(|_| Error::Unavailable("journal")));
    }
}

/// One transaction for all workspaces of the group, whose number of statements does not depend on theirs. A server that does
/// not answer holds up nobody for long: whoever comes next takes another connection.
async fn commit(db: &Database, clock: &Clock, chains: Chains) -> Result<()> {
    let commit = async {
        let tx = db.begin_journal().await?;
        append_all(&tx, clock, chains).await?;
        tx.commit().await
    };
    tokio::time::timeout(PATIENCE, commit).await.unwrap_or(Err(Error::Unavailable("journal")))
}
