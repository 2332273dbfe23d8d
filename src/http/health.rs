//! Whether the process lives, and whether it can serve.

use std::collections::HashSet;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use migration::Migrator;
use migration::sea_orm_migration::MigratorTrait;
use sea_orm::{ConnectionTrait, Statement};

use super::Server;
use crate::db::{Database, Scope};
use crate::error::Result;

/// A database that needs longer for one small read is not ready.
const PATIENCE: Duration = Duration::from_millis(500);

/// The process answers.
pub async fn live() -> &'static str {
    "ok\n"
}

/// The database answers, and has the tables of this version.
pub async fn ready(State(server): State<Server>) -> (StatusCode, &'static str) {
    match tokio::time::timeout(PATIENCE, is_migrated(&server.app.db)).await {
        Ok(Ok(true)) => (StatusCode::OK, "ok\n"),
        Ok(Ok(false)) => (StatusCode::SERVICE_UNAVAILABLE, "migrations are pending\n"),
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer in time\n"),
    }
}

async fn is_migrated(db: &Database) -> Result<bool> {
    let tx = db.begin_read(Scope::default()).await?;
    let sql = "SELECT version FROM seaql_migrations";
    let rows = tx.query_all_raw(Statement::from_string(tx.get_database_backend(), sql)).await?;
    tx.rollback().await?;
    let applied =
        rows.iter().map(|row| row.try_get::<String>("", "version")).collect::<Result<HashSet<_>, _>>()?;
    Ok(Migrator::migrations().iter().all(|step| applied.contains(step.name())))
}
