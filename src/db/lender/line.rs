//! A connection and where it stands: which transaction is open on it, and how it is brought to an end.

use std::future::Future;
use std::time::{Duration, Instant};

use sea_orm::DatabaseConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};

/// How long a reading transaction goes on from one request to the next.
const LASTS: Duration = Duration::from_millis(250);
/// How long somebody's last statement may go on after they went away: longer than a statement is allowed to take.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a connection to a server lasts: the server's memory for it grows, and the server's address may change.
const LIFE: Duration = Duration::from_secs(30 * 60);

/// What is lent.
pub trait Lendable: Connection + Sized + 'static {
    /// One more of them.
    fn open(source: &DatabaseConnection) -> impl Future<Output = Result<Self, sqlx::Error>> + Send;

    /// Sends statements without parameters and without an answer.
    fn tell(&mut self, sql: String) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// How long it is used.
    const LIFE: Option<Duration>;
}

impl Lendable for SqliteConnection {
    const LIFE: Option<Duration> = None;

    async fn open(source: &DatabaseConnection) -> Result<Self, sqlx::Error> {
        Ok(source.get_sqlite_connection_pool().acquire().await?.detach())
    }

    async fn tell(&mut self, sql: String) -> Result<(), sqlx::Error> {
        self.execute(AssertSqlSafe(sql)).await.map(drop)
    }
}

impl Lendable for PgConnection {
    const LIFE: Option<Duration> = Some(LIFE);

    async fn open(source: &DatabaseConnection) -> Result<Self, sqlx::Error> {
        Ok(source.get_postgres_connection_pool().acquire().await?.detach())
    }

    async fn tell(&mut self, sql: String) -> Result<(), sqlx::Error> {
        self.execute(AssertSqlSafe(sql)).await.map(drop)
    }
}

/// A connection and where it stands.
pub struct Line<C> {
    pub connection: C,
    pub opened: Instant,
    pub given_back: Instant,
    /// The transaction that is open on it.
    pub open: Option<Open>,
}

pub struct Open {
    /// How it was begun.
    pub begin: String,
    since: Instant,
    /// It is not as it was begun any more.
    pub spoiled: bool,
}

impl Open {
    pub fn now(begin: &str) -> Self {
        Self { begin: begin.to_owned(), since: Instant::now(), spoiled: false }
    }

    pub fn is(&self, begin: &str) -> bool {
        !self.spoiled && self.begin == begin && self.since.elapsed() < LASTS
    }
}

impl<C: Lendable> Line<C> {
    /// Ends whatever it was left in; a connection that cannot is of no use any more.
    pub async fn settled(mut self) -> Option<Self> {
        let settle = async {
            if self.open.is_some() {
                self.connection.tell("ROLLBACK".into()).await
            } else {
                self.connection.ping().await
            }
        };
        let settled = tokio::time::timeout(PATIENCE, settle).await;
        self.open = None;
        matches!(settled, Ok(Ok(()))).then_some(self)
    }

    /// Lets nobody go on with the transaction.
    pub fn spoil(&mut self) {
        if let Some(open) = &mut self.open {
            open.spoiled = true;
        }
    }

    pub async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "closing a connection");
        }
    }
}

/// Whether the connection is gone: by the network's word or by the server's last one.
pub fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        // The server shuts down, or it ended the connection or its idle transaction.
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("57P") || code == "25P03")
        }
        _ => false,
    }
}
