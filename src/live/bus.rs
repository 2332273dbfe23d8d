//! Hints between nodes that share a PostgreSQL database: one channel, never used inside a transaction of the
//! application.
//!
//! `NOTIFY` takes a lock of the whole cluster while it commits, so each node sends at most twenty a second,
//! on a connection of its own, each for all workspaces that changed since the last. A lost hint costs a
//! second: those who follow poll.

use std::time::Duration;

use sea_orm::sqlx::postgres::{PgListener, PgPool, PgPoolOptions};
use sea_orm::sqlx::{Error, query};
use tokio::task::JoinSet;

use super::Hub;
use crate::id::WorkspaceId;

const CHANNEL: &str = "praxis_hints";
/// The shortest time between two notifications of a node.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a node waits before it tries to connect again.
const RETRY: Duration = Duration::from_secs(1);

/// The tasks that send and receive hints; they end when this is dropped.
pub struct Bus(#[expect(dead_code, reason = "held for its tasks, which end with it")] JoinSet<()>);

impl Bus {
    /// Starts to exchange hints over this database. It connects when there is something to do, and again
    /// whenever the connection is lost.
    pub fn start(url: &str, hub: &Hub) -> Self {
        let mut tasks = JoinSet::new();
        // One connection listens, the other notifies.
        match PgPoolOptions::new().max_connections(2).connect_lazy(url) {
            Ok(pool) => {
                tasks.spawn(receive(pool.clone(), hub.clone()));
                tasks.spawn(send(pool, hub.clone()));
            }
            Err(error) => tracing::error!(%error, "nodes cannot hint each other"),
        }
        Self(tasks)
    }
}

async fn receive(pool: PgPool, hub: Hub) {
    loop {
        if let Err(error) = listen(&pool, &hub).await {
            tracing::warn!(%error, "hints of other nodes are not received; trying again");
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn listen(pool: &PgPool, hub: &Hub) -> Result<(), Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        let notification = listener.recv().await?;
        if let Some((workspace, seq)) = parse(notification.payload()) {
            hub.hear(workspace, seq);
        }
    }
}

async fn send(pool: PgPool, hub: Hub) {
    loop {
        let hints: Vec<String> =
            hub.untold().await.into_iter().map(|(workspace, seq)| format!("{}:{seq}", workspace.0)).collect();
        let notify =
            query("SELECT pg_notify($1, hint) FROM unnest($2::text[]) AS hint").bind(CHANNEL).bind(hints);
        if let Err(error) = notify.execute(&pool).await {
            tracing::warn!(%error, "hints to other nodes are lost");
            tokio::time::sleep(RETRY).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn parse(payload: &str) -> Option<(WorkspaceId, i64)> {
    let (workspace, seq) = payload.split_once(':')?;
    Some((WorkspaceId(workspace.parse().ok()?), seq.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_a_workspace_and_a_number_and_anything_else_is_ignored() {
        let id = uuid::Uuid::max();
        assert_eq!(parse(&format!("{id}:7")), Some((WorkspaceId(id), 7)));
        for bad in ["", ":", "7", "x:7", &format!("{id}"), &format!("{id}:"), &format!("{id}:x")] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
