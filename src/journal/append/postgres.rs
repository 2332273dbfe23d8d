//! PostgreSQL: one statement, in which the database itself numbers and chains the events.
//!
//! The heads are locked in the order of their ids, so that two transactions that append to several workspaces
//! cannot wait for each other in a circle. What a lock waited for is seen: the row that it returns is the latest
//! one, although the rest of the statement looks at the data as it was when the statement began.

use chrono::SecondsFormat;
use sea_orm::sea_query::{PostgresQueryBuilder, SqlWriter, SqlWriterValues};
use sea_orm::{ActiveEnum, ConnectionTrait, DbBackend, Statement};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::Heads;
use crate::db::pending::push;
use crate::db::tx::Tx;
use crate::error::{Error, Result};
use crate::journal::{chain, entity};

/// The events as a table.
const EVENT: &str = "::text::json) AS event (
        workspace_id uuid, nth bigint, id uuid, occurred_at timestamptz, action text, kind text,
        actor_user_id uuid, actor_membership_id uuid, actor_role text, auth_session_id uuid,
        subject_type text, subject_id uuid, patient_id uuid, request_id text, ip text, user_agent text,
        purpose text, reason text, detail text, changes bytea, content bytea)
), head AS MATERIALIZED (
    SELECT workspace_id, seq, hash FROM audit_heads
    WHERE workspace_id IN (SELECT workspace_id FROM event) AND ";

/// What becomes of them. Events of a workspace without a head are left out; the heads that it returns are those
/// that were there.
const APPEND: &str = " ORDER BY workspace_id FOR UPDATE
), link (workspace_id, nth, seq, prev_hash, hash) AS (
    SELECT workspace_id, 0::bigint, seq, hash, hash FROM head
    UNION ALL
    SELECT event.workspace_id, event.nth, link.seq + 1, link.hash,
           sha256(link.hash || int8send(link.seq + 1) || event.content)
    FROM link JOIN event ON event.workspace_id = link.workspace_id AND event.nth = link.nth + 1
), added AS (
    INSERT INTO audit_events (workspace_id, seq, id, occurred_at, action, kind, actor_user_id,
        actor_membership_id, actor_role, auth_session_id, subject_type, subject_id, patient_id, request_id,
        ip, user_agent, purpose, reason, detail, changes, prev_hash, hash)
    SELECT workspace_id, link.seq, id, occurred_at, action, kind, actor_user_id,
        actor_membership_id, actor_role, auth_session_id, subject_type, subject_id, patient_id, request_id,
        ip, user_agent, purpose, reason, detail, changes, link.prev_hash, link.hash
    FROM link JOIN event USING (workspace_id, nth)
)
UPDATE audit_heads SET seq = last.seq, hash = last.hash
FROM (SELECT DISTINCT ON (workspace_id) workspace_id, seq, hash FROM link ORDER BY workspace_id, nth DESC) last
WHERE audit_heads.workspace_id = last.workspace_id
RETURNING audit_heads.workspace_id, audit_heads.seq";

/// `rows` are grouped by workspace. What waits in the transaction goes in first, in the same statement.
///
/// The text is the same however many events there are, so that it is planned once.
pub async fn append(tx: &Tx, rows: &[entity::Model]) -> Result<Heads> {
    let mut sql = SqlWriterValues::new("$", true);
    push(&mut sql, "WITH RECURSIVE ");
    let done = tx.take_pending().write(&mut sql);
    push(&mut sql, "event AS MATERIALIZED (SELECT * FROM json_to_recordset(");
    sql.push_param(encode(rows)?.into(), &PostgresQueryBuilder);
    push(&mut sql, EVENT);
    push(&mut sql, &done);
    push(&mut sql, APPEND);
    let (sql, values) = sql.into_parts();
    let statement = Statement { sql, values: Some(values), db_backend: DbBackend::Postgres };
    let heads = tx.overhead().query_all_raw(statement).await?;
    heads.iter().map(|row| Ok((row.try_get("", "workspace_id")?, row.try_get("", "seq")?))).collect()
}

fn encode(rows: &[entity::Model]) -> Result<String> {
    let mut events = Vec::with_capacity(rows.len());
    let mut nth = 0;
    for (index, row) in rows.iter().enumerate() {
        let follows = index > 0 && rows[index - 1].workspace_id == row.workspace_id;
        nth = if follows { nth + 1 } else { 1 };
        events.push(Event::of(nth, row));
    }
    serde_json::to_string(&events).map_err(Error::internal)
}

/// An event as the statement reads it.
#[derive(Serialize)]
struct Event<'a> {
    workspace_id: Uuid,
    /// Its number among those of its workspace in this statement.
    nth: i64,
    id: Uuid,
    occurred_at: String,
    action: &'a str,
    kind: String,
    actor_user_id: Option<Uuid>,
    actor_membership_id: Option<Uuid>,
    actor_role: Option<String>,
    auth_session_id: Option<Uuid>,
    subject_type: Option<&'a str>,
    subject_id: Option<Uuid>,
    patient_id: Option<Uuid>,
    request_id: Option<&'a str>,
    ip: Option<&'a str>,
    user_agent: Option<&'a str>,
    purpose: Option<&'a str>,
    reason: Option<&'a str>,
    detail: &'a str,
    changes: Option<Bytes<'a>>,
    content: Bytes<'a>,
}

impl<'a> Event<'a> {
    fn of(nth: i64, row: &'a entity::Model) -> Self {
        Self {
            workspace_id: row.workspace_id.0,
            nth,
            id: row.id.0,
            occurred_at: row.occurred_at.to_rfc3339_opts(SecondsFormat::Micros, true),
            action: &row.action,
            kind: row.kind.to_value(),
            actor_user_id: row.actor_user_id.map(|id| id.0),
            actor_membership_id: row.actor_membership_id.map(|id| id.0),
            actor_role: row.actor_role.map(|role| role.to_value()),
            auth_session_id: row.auth_session_id.map(|id| id.0),
            subject_type: row.subject_type.as_deref(),
            subject_id: row.subject_id,
            patient_id: row.patient_id.map(|id| id.0),
            request_id: row.request_id.as_deref(),
            ip: row.ip.as_deref(),
            user_agent: row.user_agent.as_deref(),
            purpose: row.purpose.as_deref(),
            reason: row.reason.as_deref(),
            detail: &row.detail,
            changes: row.changes.as_ref().map(|sealed| Bytes::Stored(&sealed.0)),
            content: Bytes::Digest(chain::content(row)),
        }
    }
}

/// Bytes in PostgreSQL's own notation.
enum Bytes<'a> {
    Stored(&'a [u8]),
    Digest([u8; 32]),
}

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: &[u8] = match self {
            Self::Stored(bytes) => bytes,
            Self::Digest(digest) => digest.as_slice(),
        };
        serializer.collect_str(&format_args!("\\x{}", data_encoding::HEXLOWER.encode_display(bytes)))
    }
}
