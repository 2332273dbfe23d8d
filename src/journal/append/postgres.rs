//! PostgreSQL: one call of a function, in which the database itself numbers and chains the events (`append_events` in
//! `migration/`).

use std::fmt::Write;

use chrono::SecondsFormat;
use data_encoding::HEXLOWER;
use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::{PostgresQueryBuilder, SqlWriter, SqlWriterValues};
use sea_orm::{ActiveEnum, ConnectionTrait, DbBackend, Statement, Value};
use uuid::Uuid;

use super::{Heads, headless};
use crate::db::pending::push;
use crate::db::tx::Tx;
use crate::error::Result;
use crate::journal::{chain, entity};
use crate::json;

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
    let parameters: [Value; 3] = [workspaces.join(",").into(), encode(rows).into(), now.into()];
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

/// The events as the function reads them. What an event lacks is left out.
fn encode(rows: &[entity::Model]) -> String {
    // About what an event takes.
    let mut out = String::with_capacity(rows.len() * 1024);
    let mut nth = 0;
    for (index, row) in rows.iter().enumerate() {
        let follows = index > 0 && rows[index - 1].workspace_id == row.workspace_id;
        nth = if follows { nth + 1 } else { 1 };
        out.push(if index == 0 { '[' } else { ',' });
        // Its number among those of its workspace in this statement.
        let _ = write!(out, "{{\"nth\":{nth}");
        Event(&mut out).write(row);
        out.push('}');
    }
    out.push(']');
    out
}

/// An event that is being written.
struct Event<'a>(&'a mut String);

impl Event<'_> {
    fn write(&mut self, row: &entity::Model) {
        self.id("workspace_id", Some(row.workspace_id.0));
        self.id("id", Some(row.id.0));
        self.text("occurred_at", Some(&row.occurred_at.to_rfc3339_opts(SecondsFormat::Micros, true)));
        self.text("action", Some(&row.action));
        self.text("kind", Some(&row.kind.to_value()));
        self.id("actor_user_id", row.actor_user_id.map(|id| id.0));
        self.id("actor_membership_id", row.actor_membership_id.map(|id| id.0));
        self.text("actor_role", row.actor_role.map(|role| role.to_value()).as_deref());
        self.id("auth_session_id", row.auth_session_id.map(|id| id.0));
        self.text("subject_type", row.subject_type.as_deref());
        self.id("subject_id", row.subject_id);
        self.id("patient_id", row.patient_id.map(|id| id.0));
        self.text("request_id", row.request_id.as_deref());
        self.text("ip", row.ip.as_deref());
        self.text("user_agent", row.user_agent.as_deref());
        self.text("purpose", row.purpose.as_deref());
        self.text("reason", row.reason.as_deref());
        self.text("detail", Some(&row.detail));
        self.bytes("changes", row.changes.as_ref().map(|sealed| sealed.0.as_slice()));
        self.bytes("content", Some(&chain::content(row)));
    }

    fn name(&mut self, column: &str) {
        self.0.push_str(",\"");
        self.0.push_str(column);
        self.0.push_str("\":");
    }

    fn text(&mut self, column: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.name(column);
            json::text(self.0, text);
        }
    }

    fn id(&mut self, column: &str, id: Option<Uuid>) {
        if let Some(id) = id {
            self.name(column);
            json::text(self.0, id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
        }
    }

    /// In PostgreSQL's own notation.
    fn bytes(&mut self, column: &str, bytes: Option<&[u8]>) {
        if let Some(bytes) = bytes {
            self.name(column);
            self.0.push_str(r#""\\x"#);
            HEXLOWER.encode_append(bytes, self.0);
            self.0.push('"');
        }
    }
}
