//! The database: one writer and a read-only pool on SQLite, one pool and the journal's own connections on
//! PostgreSQL.
//!
//! Everything goes through a [`Tx`]: on PostgreSQL it carries the workspace as a transaction-local
//! setting that row-level security reads, so a connection keeps no tenant beyond its transaction.

pub mod connect;
mod lender;
pub mod pending;
pub(crate) mod row;
mod session;
pub mod together;
pub mod tx;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sea_orm::sqlx::{self, PgConnection, SqliteConnection};
use sea_orm::{DatabaseConnection, Statement};

use crate::error::Result;
use crate::id::{UserId, WorkspaceId};
use lender::{Lendable, Lender};
use session::{Reach, Session};
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

    fn are_kept(&self) -> bool {
        self.kept.get().is_some()
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
    fn of<C: Lendable>(name: &'static str, lender: &Lender<C>) -> Self {
        let (used, idle) = lender.used_and_idle();
        let open = used.saturating_add(u32::try_from(idle).unwrap_or(u32::MAX));
        Self { name, open, idle, limit: lender.limit() }
    }
}

#[derive(Clone)]
pub struct Database {
    writer: DatabaseConnection,
    connections: Connections,
    statements: Arc<Statements>,
}

#[derive(Clone)]
enum Connections {
    /// The journal's has no transaction left open on it, and does not wait for those who read.
    Postgres {
        shared: Lender<PgConnection>,
        journal: Lender<PgConnection>,
    },
    Sqlite {
        writer: Lender<SqliteConnection>,
        readers: Lender<SqliteConnection>,
    },
}

impl Database {
    fn new(writer: DatabaseConnection, connections: Connections) -> Self {
        Self { writer, connections, statements: Arc::default() }
    }

    pub fn engine(&self) -> Engine {
        match self.connections {
            Connections::Postgres { .. } => Engine::Postgres,
            Connections::Sqlite { .. } => Engine::Sqlite,
        }
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
        self.read(scope, Reach::Scope(scope)).await
    }

    /// Reads of what sign-ins of these users stand on, and of the memberships that they have.
    pub async fn begin_check(&self, users: &[UserId]) -> Result<Tx> {
        self.read(Scope::default(), Reach::Memberships(users)).await
    }

    /// A transaction that writes. SQLite takes the write lock at once, so it cannot fail half-way with "locked".
    pub async fn begin_write(&self, scope: Scope) -> Result<Tx> {
        let session = match &self.connections {
            Connections::Postgres { shared, .. } => self.begin(shared, &Reach::Scope(scope), true).await?,
            Connections::Sqlite { writer, .. } => {
                Session::Sqlite(writer.begin("BEGIN IMMEDIATE", true).await?)
            }
        };
        Ok(Tx::new(session, scope, self.statements.clone()))
    }

    /// A transaction that appends to journals of any workspaces, in one go: on PostgreSQL that is a single statement,
    /// which names them itself.
    pub async fn begin_journal(&self) -> Result<Tx> {
        match &self.connections {
            Connections::Postgres { journal, .. } => {
                let session = Session::Postgres(journal.later());
                Ok(Tx::new(session, Scope::default(), self.statements.clone()))
            }
            Connections::Sqlite { .. } => self.begin_write(Scope::default()).await,
        }
    }

    async fn read(&self, scope: Scope, reach: Reach<'_>) -> Result<Tx> {
        let session = match &self.connections {
            Connections::Postgres { shared, .. } => self.begin(shared, &reach, false).await?,
            Connections::Sqlite { readers, .. } => Session::Sqlite(readers.later()),
        };
        Ok(Tx::new(session, scope, self.statements.clone()))
    }

    async fn begin(
        &self,
        connections: &Lender<PgConnection>,
        reach: &Reach<'_>,
        writes: bool,
    ) -> Result<Session> {
        // Also where it goes on with one that was begun before.
        if !matches!(reach, Reach::Scope(scope) if *scope == Scope::default()) {
            self.statements.overhead.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Session::begin(connections, reach, writes).await?)
    }

    /// How the connections are used at the moment.
    pub fn pools(&self) -> Vec<Pool> {
        match &self.connections {
            Connections::Postgres { shared, journal } => {
                vec![Pool::of("shared", shared), Pool::of("journal", journal)]
            }
            Connections::Sqlite { writer, readers } => {
                vec![Pool::of("reader", readers), Pool::of("writer", writer)]
            }
        }
    }

    pub async fn close(&self) {
        match &self.connections {
            Connections::Postgres { shared, journal } => {
                shared.close().await;
                journal.close().await;
            }
            Connections::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
        }
        if let Err(error) = self.writer.clone().close().await {
            tracing::warn!(%error, "closing the database");
        }
    }
}

/// Whether SQLite says that another process has the file: it writes, it recovers the file, or it has written since the
/// transaction began.
pub fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("5" | "261" | "517"))
}
