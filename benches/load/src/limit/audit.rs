//! Events in the server's own journal on SQLite: its tables with all their indexes and triggers, the columns that it
//! fills, and each workspace's chain continued, so that `praxis audit verify` holds.

use std::collections::HashMap;

use praxis::clock::Clock;
use praxis::id::{AuditEventId, AuthSessionId, MembershipId, PatientId, TypedId, UserId, WorkspaceId};
use praxis::journal::chain;
use praxis::journal::entity::{AuditKind, Model};
use praxis::member::entity::Role;
use rusqlite::{Connection, Transaction, params};
use sea_orm::ActiveEnum;
use uuid::Uuid;

use crate::Outcome;
use crate::plan::{self, WORKSPACES};

const HEAD: &str = "SELECT seq, hash FROM audit_heads WHERE workspace_id = ?1";
const INSERT: &str = "INSERT INTO audit_events (workspace_id, seq, id, occurred_at, action, kind, actor_user_id, \
     actor_membership_id, actor_role, auth_session_id, subject_type, subject_id, patient_id, request_id, ip, detail, \
     prev_hash, hash) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";
const MOVE: &str = "UPDATE audit_heads SET seq = ?2, hash = ?3 WHERE workspace_id = ?1";

/// Who asks in a workspace: its owner, as whom the driver signs in.
#[derive(Clone, Copy)]
pub struct Owner {
    pub user: UserId,
    pub membership: MembershipId,
    session: AuthSessionId,
}

/// What is to be told.
pub struct Told<I> {
    pub kind: AuditKind,
    pub action: &'static str,
    pub subject: I,
    pub patient: PatientId,
    pub detail: &'static str,
    /// The request's id.
    pub request: String,
}

/// Makes events.
pub struct Audit {
    pub clock: Clock,
    owners: HashMap<WorkspaceId, Owner>,
}

impl Audit {
    pub fn new() -> Self {
        let clock = Clock::system();
        let owner = |number| Owner {
            user: plan::user(number, 0),
            membership: plan::member(number, 0),
            session: AuthSessionId::new(&clock),
        };
        let owners = (0..WORKSPACES).map(|number| (plan::workspace(number), owner(number))).collect();
        Self { clock, owners }
    }

    pub fn owner(&self, workspace: WorkspaceId) -> Outcome<Owner> {
        Ok(*self.owners.get(&workspace).ok_or("nobody owns this workspace")?)
    }

    /// The event as a row that has no place in the chain yet.
    pub fn event<I: TypedId>(&self, workspace: WorkspaceId, told: Told<I>) -> Outcome<Model> {
        let owner = self.owner(workspace)?;
        Ok(Model {
            workspace_id: workspace,
            seq: 0,
            id: AuditEventId::new(&self.clock),
            occurred_at: self.clock.now(),
            action: told.action.into(),
            kind: told.kind,
            actor_user_id: Some(owner.user),
            actor_membership_id: Some(owner.membership),
            actor_role: Some(Role::Owner),
            auth_session_id: Some(owner.session),
            subject_type: Some(I::TABLE.into()),
            subject_id: Some(told.subject.uuid()),
            patient_id: Some(told.patient),
            request_id: Some(told.request),
            ip: Some("127.0.0.1".into()),
            // The driver names none.
            user_agent: None,
            purpose: None,
            reason: None,
            detail: told.detail.into(),
            changes: None,
            prev_hash: Vec::new(),
            hash: Vec::new(),
        })
    }
}

/// Writes as seldom into the file as the server, and holds in memory what a statement would undo.
pub fn settle(writer: &Connection) -> Outcome<()> {
    writer.pragma_update(None, "foreign_keys", true)?;
    writer.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    writer.pragma_update(None, "temp_store", "MEMORY")?;
    writer.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Appends the events of a workspace to its chain.
pub fn append(tx: &Transaction<'_>, workspace: WorkspaceId, events: Vec<Model>) -> Outcome<()> {
    let head = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let (mut seq, mut hash): (i64, Vec<u8>) =
        tx.prepare_cached(HEAD)?.query_row([workspace.0.as_bytes()], head)?;
    let mut insert = tx.prepare_cached(INSERT)?;
    for mut event in events {
        seq += 1;
        event.seq = seq;
        let prev_hash = std::mem::take(&mut hash);
        hash = chain::hash(&prev_hash, &event);
        insert.execute(params![
            workspace.0.as_bytes(),
            seq,
            event.id.0.as_bytes(),
            event.occurred_at.to_rfc3339(),
            event.action,
            event.kind.to_value(),
            event.actor_user_id.map(|id| id.0.into_bytes()),
            event.actor_membership_id.map(|id| id.0.into_bytes()),
            event.actor_role.map(|role| role.to_value()),
            event.auth_session_id.map(|id| id.0.into_bytes()),
            event.subject_type,
            event.subject_id.map(Uuid::into_bytes),
            event.patient_id.map(|id| id.0.into_bytes()),
            event.request_id,
            event.ip,
            event.detail,
            prev_hash,
            hash,
        ])?;
    }
    tx.prepare_cached(MOVE)?.execute(params![workspace.0.as_bytes(), seq, hash])?;
    Ok(())
}
