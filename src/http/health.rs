//! Whether the process lives, whether it can serve, and what it has counted. The answers say no more than that: the
//! reasons are in the log.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::get;
use migration::Migrator;
use migration::sea_orm_migration::MigratorTrait;
use sea_orm::{ConnectionTrait, Statement};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Server;
use crate::db::{Database, Scope};
use crate::error::Result;
use crate::metrics;

/// A database that needs longer for one small read is not ready.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long an answer of the database holds: whoever asks more often gets the same.
const HOLDS: Duration = Duration::from_millis(500);

/// What the database said last, and when. Held while it is asked: it is asked by one at a time.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Mutex<Option<(Instant, bool)>>>);

/// The routes of health.
pub fn routes() -> Router<Arc<Server>> {
    Router::new().route("/livez", get(live)).route("/startupz", get(live)).route("/readyz", get(ready))
}

/// The route of the metrics.
pub fn metrics_route() -> Router<Arc<Server>> {
    Router::new().route("/metrics", get(metrics))
}

/// The process answers. It does so from when it has started.
async fn live() -> &'static str {
    "ok\n"
}

/// The database answers, has the tables of this version, and the process is not about to stop.
async fn ready(State(server): State<Arc<Server>>) -> (StatusCode, &'static str) {
    match server.app.shutdown.is_serving() && server.readiness.of(&server.app.db).await {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    }
}

async fn metrics(State(server): State<Arc<Server>>) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::render(&server.app))
}

impl Readiness {
    async fn of(&self, db: &Database) -> bool {
        let mut last = self.0.lock().await;
        if let Some((at, ready)) = *last
            && at.elapsed() < HOLDS
        {
            return ready;
        }
        let ready = match tokio::time::timeout(PATIENCE, is_migrated(db)).await {
            Ok(Ok(migrated)) => {
                if !migrated {
                    tracing::warn!("not ready: migrations are pending");
                }
                migrated
            }
            Ok(Err(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "not ready: the database does not answer"
                );
                false
            }
            Err(_) => {
                tracing::warn!("not ready: the database does not answer in time");
                false
            }
        };
        *last = Some((Instant::now(), ready));
        ready
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
