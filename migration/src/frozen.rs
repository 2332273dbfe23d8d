//! Triggers for rows whose facts stay as they were written.
//!
//! Unlike the journal, which [nobody changes at all](crate::table::refuse_changes), these rows hold sealed
//! values that are sealed anew when a patient's key is rotated, and a patient who moves when two charts are
//! merged.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::table::execute;

/// Refuses to change the `columns` of a row; the error text is `<table> keeps its facts`.
pub async fn keep_facts(manager: &SchemaManager<'_>, table: &str, columns: &[&str]) -> Result<(), DbErr> {
    let changed = columns.iter().map(|column| differs(column)).collect::<Vec<_>>().join(" OR ");
    refuse_update(manager, table, &changed).await
}

/// Refuses to change the `columns` of a row, and the `later` one once it has a value.
pub async fn keep_facts_but_once(
    manager: &SchemaManager<'_>,
    table: &str,
    columns: &[&str],
    later: &str,
) -> Result<(), DbErr> {
    let changed = columns.iter().map(|column| differs(column)).collect::<Vec<_>>().join(" OR ");
    refuse_update(manager, table, &format!("{changed} OR (OLD.{later} IS NOT NULL AND {})", differs(later)))
        .await
}

fn differs(column: &str) -> String {
    format!("OLD.{column} IS DISTINCT FROM NEW.{column}")
}

async fn refuse_update(manager: &SchemaManager<'_>, table: &str, changed: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        create_function(manager, table).await?;
        return execute(
            manager,
            &format!(
                "CREATE TRIGGER {table}_keeps_facts BEFORE UPDATE ON {table}
                 FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION {table}_refuse_change()"
            ),
        )
        .await;
    }
    execute(
        manager,
        &format!(
            "CREATE TRIGGER {table}_keeps_facts BEFORE UPDATE ON {table} WHEN {changed}
             BEGIN SELECT RAISE(ABORT, '{table} keeps its facts'); END"
        ),
    )
    .await
}

/// Refuses to remove a row, also by putting another in its place.
pub async fn keep_rows(manager: &SchemaManager<'_>, table: &str, keys: &[&[&str]]) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        create_function(manager, table).await?;
        for (change, scope) in [("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")] {
            execute(
                manager,
                &format!(
                    "CREATE TRIGGER {table}_no_{} BEFORE {change} ON {table}
                     FOR EACH {scope} EXECUTE FUNCTION {table}_refuse_change()",
                    change.to_lowercase()
                ),
            )
            .await?;
        }
        return Ok(());
    }
    let refuse = format!("BEGIN SELECT RAISE(ABORT, '{table} keeps its facts'); END");
    execute(manager, &format!("CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")).await?;
    // INSERT OR REPLACE deletes the row in its way, and fires no DELETE trigger unless recursive_triggers is on.
    let taken = keys
        .iter()
        .map(|key| {
            let same = key.iter().map(|c| format!("{c} = NEW.{c}")).collect::<Vec<_>>().join(" AND ");
            format!("EXISTS (SELECT 1 FROM {table} WHERE {same})")
        })
        .collect::<Vec<_>>()
        .join(" OR ");
    execute(
        manager,
        &format!("CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {taken} {refuse}"),
    )
    .await
}

/// Creates the function behind the triggers of PostgreSQL; [`drop`](crate::table::drop) removes it with the table.
async fn create_function(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    execute(
        manager,
        &format!(
            "CREATE OR REPLACE FUNCTION {table}_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION '{table} keeps its facts' USING ERRCODE = 'restrict_violation'; END $$"
        ),
    )
    .await
}
