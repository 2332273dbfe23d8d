//! One answer for all who follow the same thing under the same rights.
//!
//! A change reaches every subscriber of a workspace at about the same time, and most of them ask for the same
//! fields of it. So what is answered for an event is found out and written once, by whoever comes first, and the
//! others wait for that. Two subscribers see the same when they are in one workspace, have one role that is not
//! confined to a chart, and ask for the same selection with the same variables: that is the key. What was seen of
//! patients goes into the journal for each of them.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::access::sessions::Identity;
use crate::appointment::entity::ModelEx as Appointment;
use crate::error::Result;
use crate::graphql::context::Call;
use crate::graphql::document::Selected;
use crate::graphql::frame::Frame;
use crate::id::{AppointmentId, WorkspaceId};
use crate::member::entity::Role;

/// How long an answer is kept for those who have yet to hear of the event. What it says may be as old as that.
pub const KEPT: Duration = Duration::from_secs(3);
const MOST: u64 = 10_000;
/// How long anybody waits for what somebody else finds out: it may be somebody whose socket is stuck.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of answers that are kept.
const MOST_BYTES: u64 = 64 << 20;

/// Where those who ask for the same wait for what the first of them finds. Little more than a place in a queue for each,
/// and all of them are woken at once.
type Cell<T> = Arc<OnceCell<Option<Arc<T>>>>;

/// What was found out for subscribers.
pub struct Shares {
    appointments: Cache<(WorkspaceId, i64), Cell<Appointment>>,
    /// Nothing where each must find out alone.
    frames: Cache<Key, Cell<Frame>>,
}

/// Whose answers are the same: those who ask for the same selection under the same rights.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    pub workspace: WorkspaceId,
    role: Role,
    platform_admin: bool,
    selected: Arc<Selected>,
}

impl Group {
    /// The group of whoever asks; nothing for those who see something of their own.
    pub fn of(identity: &Identity, selected: &Arc<Selected>) -> Option<Self> {
        let actor = identity.actor.as_ref().filter(|actor| actor.role != Role::Patient)?;
        Some(Self {
            workspace: actor.workspace,
            role: actor.role,
            platform_admin: identity.platform_admin,
            selected: selected.clone(),
        })
    }
}

/// The answer of a group to one event, by its number.
type Key = (Group, i64);

impl Default for Shares {
    fn default() -> Self {
        let bytes = |_: &Key, cell: &Cell<Frame>| {
            let json = cell.get().and_then(Option::as_ref).map_or(0, |frame| frame.json.len());
            u32::try_from(json + size_of::<Frame>()).unwrap_or(u32::MAX)
        };
        Self {
            appointments: Cache::builder().max_capacity(MOST).time_to_live(KEPT).build(),
            frames: Cache::builder().weigher(bytes).max_capacity(MOST_BYTES).time_to_live(KEPT).build(),
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
        let load = async || Ok(call.load(id).await?.map(Arc::new));
        if actor.role == Role::Patient {
            return load().await;
        }
        let cell = self.appointments.get_with((actor.workspace, seq), Arc::default);
        match first(&cell, load()).await? {
            Found::Here(found) | Found::Elsewhere(found) => Ok(found),
            Found::Late => load().await,
        }
    }

    /// What those of the group are told of an event, found out by the first who asks; nothing when that is not for all
    /// of them, or when the first is too slow.
    pub async fn frame(
        &self,
        group: Group,
        seq: i64,
        find: impl Future<Output = Option<Arc<Frame>>>,
    ) -> Option<Arc<Frame>> {
        let key = (group, seq);
        let cell = self.frames.get_with_by_ref(&key, Arc::default);
        match first(&cell, async { Ok(find.await) }).await.unwrap_or(Found::Late) {
            Found::Here(found) => {
                // Weighed anew, now that there is something in it.
                self.frames.insert(key, cell.clone());
                found
            }
            Found::Elsewhere(found) => found,
            Found::Late => None,
        }
    }
}

/// Who found out what is in a cell.
#[derive(Debug, PartialEq, Eq)]
enum Found<T> {
    /// Whoever asks.
    Here(T),
    /// Somebody who asked before.
    Elsewhere(T),
    /// Somebody else is at it, and takes too long.
    Late,
}

/// Finds out what is in the cell, or waits until somebody else has. What is begun here is brought to its end.
async fn first<T: Clone>(cell: &OnceCell<T>, find: impl Future<Output = Result<T>>) -> Result<Found<T>> {
    let is_here = AtomicBool::new(false);
    let find = async {
        is_here.store(true, Ordering::Relaxed);
        find.await
    };
    let mut found = pin!(cell.get_or_try_init(|| find));
    let found = match timeout(PATIENCE, &mut found).await {
        Ok(found) => found,
        Err(_) if is_here.load(Ordering::Relaxed) => found.await,
        Err(_) => return Ok(Found::Late),
    };
    let found = found?.clone();
    Ok(if is_here.load(Ordering::Relaxed) { Found::Here(found) } else { Found::Elsewhere(found) })
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;
    use crate::error::Error;

    #[tokio::test]
    async fn the_first_may_take_its_time_and_the_others_wait_for_so_long_only() {
        let cell = OnceCell::new();
        let slow = first(&cell, async {
            sleep(PATIENCE + Duration::from_millis(500)).await;
            Ok(1)
        });
        let impatient = async {
            sleep(Duration::from_millis(50)).await;
            first(&cell, async { Ok(2) }).await
        };
        let patient = async {
            sleep(Duration::from_secs(1)).await;
            first(&cell, async { Ok(3) }).await
        };
        let (slow, impatient, patient) = tokio::join!(slow, impatient, patient);
        assert_eq!(slow.unwrap(), Found::Here(1));
        assert_eq!(impatient.unwrap(), Found::Late);
        assert_eq!(patient.unwrap(), Found::Elsewhere(1));
    }

    #[tokio::test]
    async fn who_fails_or_goes_away_leaves_it_to_the_next() {
        let cell = OnceCell::new();
        let failed = first(&cell, async { Err::<i32, _>(Error::NotFound) }).await;
        assert!(matches!(failed, Err(Error::NotFound)));
        let gone = first(&cell, std::future::pending());
        assert!(timeout(Duration::from_millis(20), gone).await.is_err());
        assert_eq!(first(&cell, async { Ok(1) }).await.unwrap(), Found::Here(1));
    }
}
