//! Every list and every loader finds its rows by an index.
//!
//! A table of a test is small, and a small table is best read whole. So PostgreSQL is told to avoid that wherever it
//! can: what it still reads whole, it has no index for. SQLite plans without looking at sizes.

mod documents;

use std::collections::BTreeSet;

use praxis::db::Engine;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value as Json, json};

use self::documents::{DOCUMENTS, SMALL, is_whole};
use crate::appointment::Practice;
use crate::support::on_both_engines;

on_both_engines! {
    async fn lists_and_loaders_read_by_index(on: On) {
        let practice = Practice::new(on).await;
        let (app, owner) = (&practice.app.app, &practice.owner);
        let booked = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        practice.booked(practice.bob, "2026-06-02T11:00:00Z").await;
        let variables = json!({ "id": booked, "patient": practice.ada.to_string(), "service": practice.service,
            "practitioner": practice.doctor.membership().to_string(), "room": practice.room,
            "from": "2026-06-01T00:00:00Z", "to": "2026-06-08T00:00:00Z" });
        app.db.statements().keep();

        let mut problems = BTreeSet::new();
        let mut looked = 0;
        for (name, document) in DOCUMENTS {
            let names: Vec<&str> = ["id", "patient", "service", "practitioner", "room", "from", "to"]
                .into_iter()
                .filter(|name| document.contains(&format!("${name}:")))
                .collect();
            let given: Json = names.iter().map(|name| ((*name).to_owned(), variables[*name].clone())).collect();
            owner.ok(document, given).await;
            for statement in app.db.statements().take_kept() {
                if !statement.sql.starts_with("SELECT") {
                    continue;
                }
                looked += 1;
                let scope = owner.actor.as_deref().unwrap().scope();
                for problem in plan(&app.db.begin_read(scope).await.unwrap(), app.db.engine(), statement).await {
                    problems.insert(format!("{name}: {problem}"));
                }
            }
        }
        assert!(looked > 40, "{looked}");
        assert!(problems.is_empty(), "{problems:#?}");
    }
}

/// What is wrong with the plan of a statement.
async fn plan(db: &praxis::db::tx::Tx, engine: Engine, statement: Statement) -> Vec<String> {
    let (explain, column) = match engine {
        Engine::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
        Engine::Postgres => {
            db.execute_unprepared("SET LOCAL enable_seqscan = off").await.unwrap();
            ("EXPLAIN", "QUERY PLAN")
        }
    };
    let explained = Statement { sql: format!("{explain} {}", statement.sql), ..statement.clone() };
    let rows = db.query_all_raw(explained).await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.try_get("", column).unwrap()).collect();
    let whole = |line: &&String| match engine {
        Engine::Sqlite => is_whole(line),
        Engine::Postgres => line.contains("Seq Scan on ") && !SMALL.iter().any(|table| line.contains(table)),
    };
    let read_whole = lines.iter().filter(whole);
    let mut problems: Vec<String> =
        read_whole.map(|line| format!("{} in {}", line.trim(), statement.sql)).collect();
    // A list that sorts what one index term let through reads the whole workspace for each page.
    let sorts = lines.iter().any(|line| line.contains("TEMP B-TREE FOR ORDER BY"));
    let workspace_wide =
        lines.iter().find(|line| line.contains("SEARCH") && line.ends_with("(workspace_id=?)"));
    if let (true, Some(line)) =
        (sorts && GROWING.iter().any(|table| statement.sql.contains(table)), workspace_wide)
        && GROWING.iter().any(|table| line.contains(&format!("SEARCH {table} ")))
    {
        problems.push(format!("sorts a workspace: {line} in {}", statement.sql));
    }
    problems
}

/// Tables that grow with the work of a practice.
const GROWING: [&str; 6] =
    ["appointments", "patients", "audit_events", "occupancies", "appointment_events", "auth_sessions"];
