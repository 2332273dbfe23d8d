//! Appending to workspaces' chains, inside the transaction whose work it tells of.
//!
//! A head row serialises its workspace's writers until they commit: so it is the last thing that a transaction
//! takes, sequence order is commit order, and there is no gap.

mod postgres;
mod sqlite;

use std::collections::BTreeMap;

use super::entity;
use super::event::Event;
use crate::clock::Clock;
use crate::db::Engine;
use crate::db::tx::Tx;
use crate::error::{Error, Result};
use crate::id::{AuditEventId, TypedId, WorkspaceId};

/// The events of each workspace, in their order.
pub type Chains = BTreeMap<WorkspaceId, Vec<Event>>;

/// The last sequence number of each chain.
pub type Heads = BTreeMap<WorkspaceId, i64>;

/// Appends the events of one workspace in order and returns the sequence number of the last one.
pub async fn append(tx: &Tx, clock: &Clock, workspace: WorkspaceId, events: Vec<Event>) -> Result<i64> {
    let heads = append_all(tx, clock, Chains::from([(workspace, events)])).await?;
    heads.get(&workspace).copied().ok_or_else(headless)
}

/// Appends the events of several workspaces; how many statements it takes does not depend on how many they are.
pub async fn append_all(tx: &Tx, clock: &Clock, chains: Chains) -> Result<Heads> {
    let mut rows = Vec::with_capacity(chains.values().map(Vec::len).sum());
    for (workspace, events) in chains {
        rows.extend(events.into_iter().map(|event| row_of(clock, workspace, event)));
    }
    match tx.engine() {
        Engine::Sqlite => sqlite::append(tx, clock, rows).await,
        Engine::Postgres => postgres::append(tx, clock.now(), &rows).await,
    }
}

/// The event as a row that has no place in the chain yet.
fn row_of(clock: &Clock, workspace: WorkspaceId, event: Event) -> entity::Model {
    entity::Model {
        workspace_id: workspace,
        seq: 0,
        id: AuditEventId::new(clock),
        occurred_at: clock.now(),
        kind: event.kind,
        action: event.action.into(),
        actor_user_id: event.user,
        actor_membership_id: event.membership,
        actor_role: event.role,
        auth_session_id: event.session,
        subject_type: event.subject.map(|subject| subject.table.into()),
        subject_id: event.subject.map(|subject| subject.id),
        patient_id: event.patient,
        request_id: Some(&*event.request.id).filter(|id| !id.is_empty()).map(Into::into),
        ip: event.request.ip.map(|ip| ip.to_string()),
        user_agent: event.request.user_agent.as_deref().map(Into::into),
        purpose: None,
        reason: event.reason.map(Into::into),
        detail: event.detail.to_string(),
        changes: event.changes,
        prev_hash: Vec::new(),
        hash: Vec::new(),
    }
}

fn headless() -> Error {
    Error::internal(std::io::Error::other("a journal's head cannot be created"))
}
