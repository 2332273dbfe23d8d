//! PostgreSQL: one call of a function, in which the database itself numbers and chains the events (`append_events` in
//! `migration/`).

use chrono::SecondsFormat;
use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::{PostgresQueryBuilder, SqlWriter, SqlWriterValues};
use sea_orm::{ActiveEnum, ConnectionTrait, DbBackend, Statement, Value};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::{Heads, headless};
use crate::db::pending::push;
use crate::db::tx::Tx;
use crate::error::{Error, Result};
use crate::journal::{chain, entity};

/// `rows` are grouped by workspace. What waits in the transaction goes in first, in the same statement.
///
/// The text is the same however many events there are, so that it is planned once.
pub async fn append(tx: &Tx, now: DateTimeUtc, rows: &[entity::Model]) -> Result<Heads> {
    let mut workspaces: Vec<String> = rows.iter().map(|row| row.workspace_id.0.to_string()).collect();
    workspaces.dedup();
    let mut sql = SqlWriterValues::new("$", true);
    push(&mut sql, "WITH ");
    let done = tx.take_pending().write(&mut sql);
    // With what the function is called is known once all that is carried out: so it locks the heads last.
    push(&mut sql, &format!("done AS (SELECT {done} AS yes) SELECT appended.* FROM done, append_events("));
    push(&mut sql, "CASE WHEN done.yes THEN ");
    let parameters: [Value; 3] = [workspaces.join(",").into(), encode(rows)?.into(), now.into()];
    for (parameter, after) in parameters.into_iter().zip([" END, ", ", ", ") AS appended"]) {
        sql.push_param(parameter, &PostgresQueryBuilder);
        push(&mut sql, after);
    }
    let (sql, values) = sql.into_parts();
    let statement = Statement { sql, values: Some(values), db_backend: DbBackend::Postgres };
    let heads = tx.overhead().query_all_raw(statement).await?;
    if heads.len() < workspaces.len() {
        return Err(headless());
    }
    heads.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
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
