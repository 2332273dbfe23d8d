//! Opening the database, and refusing one whose walls would not hold.

use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait, DbBackend, Statement};

use super::lender::Lender;
use super::{Connections, Database, Engine};
use crate::error::Error;

/// Statements that a connection keeps prepared. What is read depends on what is asked, so there are many.
const STATEMENTS: usize = 500;
/// Rows that SQLite's thread reads ahead: a page, so that it need not wait for whoever takes them.
const ROWS: usize = 128;

/// Pool sizes and timeouts.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Connections of the PostgreSQL pool, ten by default, or of SQLite's readers: by default twice as many as there
    /// are processors, since each has a thread of its own.
    pub max_connections: Option<u32>,
    pub acquire_timeout: Duration,
    pub statement_timeout: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            max_connections: None,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
        }
    }
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("the database URL must start with sqlite:// or postgres://")]
    Scheme,
    #[error("cannot connect to the database: {0}")]
    Connect(#[from] sea_orm::DbErr),
    #[error(
        "the database role \"{role}\" {why}: row-level security would not hold. \
         Serve as a plain role that is a member of praxis_app, and migrate as another one."
    )]
    Role { role: String, why: &'static str },
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        Self::internal(error)
    }
}

/// Connects to `sqlite://PATH` or `postgres://…`.
pub async fn connect(url: &str, pool: &PoolOptions) -> Result<Database, ConnectError> {
    match engine_of(url)? {
        Engine::Sqlite => connect_sqlite(url, pool).await,
        Engine::Postgres => connect_postgres(url, pool).await,
    }
}

pub fn engine_of(url: &str) -> Result<Engine, ConnectError> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") => Ok(Engine::Sqlite),
        Some("postgres" | "postgresql") => Ok(Engine::Postgres),
        _ => Err(ConnectError::Scheme),
    }
}

async fn connect_sqlite(url: &str, pool: &PoolOptions) -> Result<Database, ConnectError> {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let readers =
        pool.max_connections.unwrap_or(u32::try_from(2 * processors).unwrap_or(u32::MAX).clamp(4, 32));
    let options = |read_only: bool| {
        let mut options = ConnectOptions::new(url);
        options
            .sqlx_logging(false)
            .acquire_timeout(pool.acquire_timeout)
            .test_before_acquire(false)
            .max_connections(if read_only { readers } else { 1 })
            // Those of the lender are not missed in the pool that they come from.
            .min_connections(0)
            .map_sqlx_sqlite_opts(move |options| {
                options
                    .create_if_missing(!read_only)
                    .read_only(read_only)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(Duration::from_secs(5))
                    // INSERT OR REPLACE fires the journal's delete trigger only with this.
                    .pragma("recursive_triggers", "ON")
                    .pragma("trusted_schema", "OFF")
                    // A checkpoint waits for the disk twice: every 16 MB, not every four.
                    .pragma("wal_autocheckpoint", "4000")
                    .pragma("journal_size_limit", "67108864")
                    // What a statement would undo, too.
                    .pragma("temp_store", "MEMORY")
                    .row_buffer_size(ROWS)
                    .statement_cache_capacity(STATEMENTS)
            })
            // One connection that lives as long as the process: nothing to recycle in a file.
            .map_sqlx_sqlite_pool_opts(|pool| pool.max_lifetime(None).idle_timeout(None));
        options
    };
    // The writer first: it creates the file and puts it into WAL mode.
    let writer = sea_orm::Database::connect(options(false)).await?;
    let reader = sea_orm::Database::connect(options(true)).await?;
    let connections = Connections::Sqlite {
        writer: Lender::new(writer.clone(), 1, pool.acquire_timeout),
        readers: Lender::new(reader, readers, pool.acquire_timeout),
    };
    Ok(Database::new(writer, connections))
}

async fn connect_postgres(url: &str, pool: &PoolOptions) -> Result<Database, ConnectError> {
    let limit = pool.max_connections.unwrap_or(10);
    let mut options = ConnectOptions::new(url);
    options
        .sqlx_logging(false)
        .set_application_name("praxis")
        .acquire_timeout(pool.acquire_timeout)
        .statement_timeout(pool.statement_timeout)
        .test_before_acquire_if_idle_for(Duration::from_secs(30))
        .max_connections(limit)
        .map_sqlx_postgres_opts(|options| {
            options
                .options([("lock_timeout", "5s"), ("idle_in_transaction_session_timeout", "30s")])
                .statement_cache_capacity(STATEMENTS)
        });
    let connection = sea_orm::Database::connect(options).await?;
    let connections = Connections::Postgres {
        shared: Lender::new(connection.clone(), limit, pool.acquire_timeout),
        // The second one for when the first does not answer.
        journal: Lender::new(connection.clone(), 2, pool.acquire_timeout),
    };
    Ok(Database::new(connection, connections))
}

/// Refuses a PostgreSQL role that row-level security does not bind: a superuser, BYPASSRLS, or a table's owner.
pub async fn refuse_privileged_role(db: &Database) -> Result<(), ConnectError> {
    if db.engine() == Engine::Sqlite {
        return Ok(());
    }
    let row = db
        .writer()
        .query_one_raw(Statement::from_string(
            DbBackend::Postgres,
            "SELECT current_user::text AS role, r.rolsuper, r.rolbypassrls, \
             EXISTS (SELECT 1 FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace \
                     AND c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'USAGE')) AS owner \
             FROM pg_roles r WHERE r.rolname = current_user",
        ))
        .await?
        .ok_or_else(|| sea_orm::DbErr::RecordNotFound("current_user".into()))?;
    let role: String = row.try_get("", "role")?;
    for (column, why) in [
        ("rolsuper", "is a superuser"),
        ("rolbypassrls", "has BYPASSRLS"),
        ("owner", "owns tables or is a member of their owner"),
    ] {
        if row.try_get::<bool>("", column)? {
            return Err(ConnectError::Role { role, why });
        }
    }
    Ok(())
}
