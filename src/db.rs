//! The database: one writer and a read-only pool on SQLite, one pool on PostgreSQL.
//!
//! Everything goes through a [`Tx`]: on PostgreSQL it carries the workspace as a transaction-local
//! setting that row-level security reads, so a connection never keeps a tenant.

pub mod connect;
pub mod pending;
mod readers;
mod session;
pub mod together;
pub mod tx;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sea_orm::{
    DatabaseConnection, DbBackend, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    sqlx,
};

use crate::error::Result;
use crate::id::{UserId, WorkspaceId};
use readers::Readers;
use session::Session;
use tx::Tx;

/// The two databases that Praxis runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Whose rows a transaction may touch: what row-level security sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    pub workspace: Option<WorkspaceId>,
    /// Lets sign-in read the person's own memberships before a workspace is chosen.
    pub user: Option<UserId>,
}

impl Scope {
    pub fn workspace(workspace: WorkspaceId) -> Self {
        Self { workspace: Some(workspace), user: None }
    }

    pub fn user(user: UserId) -> Self {
        Self { workspace: None, user: Some(user) }
    }
}

/// How many statements were sent: what tests assert.
#[derive(Default)]
pub struct Statements {
    /// Statements of the work itself.
    pub work: AtomicU64,
    /// Tenant settings and journal statements.
    pub overhead: AtomicU64,
    /// The prepared ones, while somebody wants to look at them or at their plans.
    kept: OnceLock<Mutex<Vec<Statement>>>,
}

impl Statements {
    /// Keeps the prepared statements, from here on and for good: for tests.
    pub fn keep(&self) {
        let _ = self.kept.set(Mutex::default());
    }

    /// The statements kept since the last time.
    pub fn take_kept(&self) -> Vec<Statement> {
        let kept = self.kept.get().map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner));
        kept.map(|mut kept| std::mem::take(&mut *kept)).unwrap_or_default()
    }

    fn note(&self, statement: &Statement) {
        if let Some(kept) = self.kept.get() {
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(statement.clone());
        }
    }
}

/// One pool of connections: what is measured.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    pub name: &'static str,
    pub open: u32,
    pub idle: usize,
    pub limit: u32,
}

impl Pool {
    fn of<D: sqlx::Database>(name: &'static str, pool: &sqlx::Pool<D>) -> Self {
        Self { name, open: pool.size(), idle: pool.num_idle(), limit: pool.options().get_max_connections() }
    }
}

#[derive(Clone)]
pub struct Database {
    writer: DatabaseConnection,
    /// SQLite's.
    readers: Option<Readers>,
    engine: Engine,
    statements: Arc<Statements>,
}

impl Database {
    fn new(writer: DatabaseConnection, readers: Option<Readers>) -> Self {
        let engine = match writer.get_database_backend() {
            DbBackend::Sqlite => Engine::Sqlite,
            _ => Engine::Postgres,
        };
        Self { writer, readers, engine, statements: Arc::default() }
    }

    pub fn engine(&self) -> Engine {
        self.engine
    }

    pub fn statements(&self) -> &Statements {
        &self.statements
    }

    /// The writing connection itself: for migrations and checks that belong to no workspace.
    pub fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// Reads of one request. Each statement sees what is committed when it begins.
    pub async fn begin_read(&self, scope: Scope) -> Result<Tx> {
        let session = match &self.readers {
            Some(readers) => Session::Reader(readers.begin()),
            None => self.begin(scope).await?,
        };
        Ok(Tx::new(session, scope, self.statements.clone()))
    }

    /// A transaction that writes. SQLite takes the write lock at once, so it cannot fail half-way with "locked".
    pub async fn begin_write(&self, scope: Scope) -> Result<Tx> {
        let session = match self.engine {
            Engine::Sqlite => {
                let options = TransactionOptions {
                    sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                    ..Default::default()
                };
                Session::Writer(self.writer.begin_with_options(options).await?)
            }
            Engine::Postgres => self.begin(scope).await?,
        };
        Ok(Tx::new(session, scope, self.statements.clone()))
    }

    async fn begin(&self, scope: Scope) -> Result<Session> {
        if scope != Scope::default() {
            self.statements.overhead.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Session::begin(self.writer.get_postgres_connection_pool(), scope).await?)
    }

    /// How the connections are used at the moment.
    pub fn pools(&self) -> Vec<Pool> {
        let pool = match self.engine {
            Engine::Sqlite => Pool::of("writer", self.writer.get_sqlite_connection_pool()),
            Engine::Postgres => Pool::of("shared", self.writer.get_postgres_connection_pool()),
        };
        let readers = self.readers.as_ref().map(|readers| {
            let (used, idle) = readers.used_and_idle();
            Pool {
                name: "reader",
                open: used + u32::try_from(idle).unwrap_or(u32::MAX),
                idle,
                limit: readers.limit(),
            }
        });
        readers.into_iter().chain([pool]).collect()
    }

    pub async fn close(&self) {
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
        if let Err(error) = self.writer.clone().close().await {
            tracing::warn!(%error, "closing the database");
        }
    }
}
