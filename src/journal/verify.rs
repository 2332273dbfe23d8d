//! Checking a workspace's chain against the rows and the head: what was tampered with, and where.

use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use super::entity::{self, Model};
use super::{chain, head};
use crate::access::actor::Actor;
use crate::db::{Database, Scope};
use crate::error::Result;
use crate::id::WorkspaceId;

/// How many events are read at once.
const CHUNK: u64 = 1_000;

/// The first place where a chain does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// The event does not have the content that its hash was made of.
    Modified { seq: i64 },
    /// There is no such event although later ones are there.
    Missing { seq: i64 },
    /// The event does not follow the one before it: events were reordered, inserted or written anew.
    Misplaced { seq: i64 },
    /// The head knows of events up to `head`, but there are none after `seq`.
    Truncated { seq: i64, head: i64 },
    /// The events hold together, but end in another hash than the head's.
    Head { seq: i64 },
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many events, from the first, are as they were written.
    pub events: i64,
    /// The hash of the last of them.
    pub hash: Vec<u8>,
    /// `None` when the whole chain holds.
    pub broken: Option<Break>,
}

/// Walks the workspace's chain up to its head as of now. Events that are written meanwhile are left out.
pub async fn verify(db: &Database, workspace: WorkspaceId) -> Result<Verified> {
    let (head, last) = ends(db, workspace).await?;
    let (head_seq, head_hash) = head.map_or((0, chain::GENESIS.to_vec()), |head| (head.seq, head.hash));
    let mut verified = Verified { events: 0, hash: chain::GENESIS.to_vec(), broken: None };
    loop {
        let events = after(db, workspace, verified.events, last.max(head_seq)).await?;
        if events.is_empty() {
            break;
        }
        for event in &events {
            verified.broken = check(event, &verified);
            // Rows behind the head hang on nothing that was committed with them.
            if verified.broken.is_none() && event.seq > head_seq {
                verified.broken = Some(Break::Misplaced { seq: event.seq });
            }
            if verified.broken.is_some() {
                return Ok(verified);
            }
            verified.events = event.seq;
            verified.hash.clone_from(&event.hash);
        }
    }
    if verified.events < head_seq {
        verified.broken = Some(Break::Truncated { seq: verified.events, head: head_seq });
    } else if verified.hash != head_hash {
        verified.broken = Some(Break::Head { seq: head_seq });
    }
    Ok(verified)
}

/// What is wrong with the event that should come next.
fn check(event: &Model, before: &Verified) -> Option<Break> {
    let seq = before.events + 1;
    if event.seq != seq {
        Some(Break::Missing { seq })
    } else if event.prev_hash != before.hash {
        Some(Break::Misplaced { seq })
    } else if event.hash != chain::hash(&event.prev_hash, event) {
        Some(Break::Modified { seq })
    } else {
        None
    }
}

/// The head, and the number of the last event.
async fn ends(db: &Database, workspace: WorkspaceId) -> Result<(Option<head::Model>, i64)> {
    let tx = db.begin_read(Scope::workspace(workspace)).await?;
    // The last event before the head: an honest head read later is at least as far.
    let last = system(workspace)
        .find::<entity::Entity>()
        .order_by_desc(entity::Column::Seq)
        .one(&tx.overhead())
        .await?;
    let head = system(workspace).find::<head::Entity>().one(&tx.overhead()).await?;
    tx.rollback().await?;
    Ok((head, last.map_or(0, |event| event.seq)))
}

/// The next events after `seq`, up to `last`.
async fn after(db: &Database, workspace: WorkspaceId, seq: i64, last: i64) -> Result<Vec<Model>> {
    let tx = db.begin_read(Scope::workspace(workspace)).await?;
    let events = system(workspace)
        .find::<entity::Entity>()
        .filter(entity::Column::Seq.gt(seq))
        .filter(entity::Column::Seq.lte(last))
        .order_by_asc(entity::Column::Seq)
        .limit(CHUNK)
        .all(&tx.overhead())
        .await?;
    tx.rollback().await?;
    Ok(events)
}

fn system(workspace: WorkspaceId) -> Actor {
    Actor::system(workspace, "verify")
}
