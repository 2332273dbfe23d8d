//! SQLite's read-only connections.
//!
//! The library's pool asks a connection whether it is well each time one is given back, on that connection's own
//! thread: that takes longer than most reads. Here a connection is given back as it is, and asked only when somebody
//! went away in the middle of a statement.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::sqlx::{self, Connection, SqliteConnection};
use sea_orm::{ConnAcquireErr, DatabaseConnection, DbErr, RuntimeErr};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The connections that nobody uses, and how many there may be in all.
#[derive(Clone)]
pub(super) struct Readers(Arc<Inner>);

struct Inner {
    /// What opens one more.
    source: DatabaseConnection,
    /// The one that was used last is taken first: what it has read is still at hand.
    idle: Mutex<Vec<SqliteConnection>>,
    turns: Arc<Semaphore>,
    limit: u32,
    patience: Duration,
}

/// A connection, given back when it is dropped.
struct Reader {
    /// Always there, until the drop.
    connection: Option<SqliteConnection>,
    readers: Readers,
    turn: Option<OwnedSemaphorePermit>,
    /// A statement is under way.
    asked: bool,
}

impl Readers {
    /// `source` opens connections that can only read.
    pub fn new(source: DatabaseConnection, limit: u32, patience: Duration) -> Self {
        let turns = Arc::new(Semaphore::new(limit as usize));
        Self(Arc::new(Inner { source, idle: Mutex::default(), turns, limit, patience }))
    }

    /// A connection, when one is free in time.
    async fn take(&self) -> Result<Reader, DbErr> {
        let turn = tokio::time::timeout(self.0.patience, self.0.turns.clone().acquire_owned())
            .await
            .map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?
            .map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))?;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => {
                let opened = self.0.source.get_sqlite_connection_pool().acquire().await;
                opened.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?.detach()
            }
        };
        Ok(Reader { connection: Some(connection), readers: self.clone(), turn: Some(turn), asked: false })
    }

    /// Reads that take a connection when they need one.
    pub fn begin(&self) -> Reading {
        Reading { readers: self.clone(), held: tokio::sync::Mutex::default() }
    }

    pub fn limit(&self) -> u32 {
        self.0.limit
    }

    /// How many connections somebody uses, and how many nobody does.
    pub fn used_and_idle(&self) -> (u32, usize) {
        let free = u32::try_from(self.0.turns.available_permits()).unwrap_or(u32::MAX);
        (self.0.limit.saturating_sub(free), self.idle().len())
    }

    /// Closes the connections that nobody uses, and hands out none any more.
    pub async fn close(&self) {
        self.0.turns.close();
        let idle = std::mem::take(&mut *self.idle());
        for connection in idle {
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "closing a reader");
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, connection: SqliteConnection) {
        // Once closed, nobody comes for it.
        if !self.0.turns.is_closed() {
            self.idle().push(connection);
        }
    }
}

/// The reads of one request: all on one connection, from the first on.
pub(super) struct Reading {
    readers: Readers,
    held: tokio::sync::Mutex<Option<Reader>>,
}

impl Reading {
    /// Sends a statement, when there is a connection for it.
    pub async fn ask<T>(
        &self,
        statement: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
    ) -> Result<Result<T, sqlx::Error>, DbErr> {
        let mut held = self.held.lock().await;
        let reader = match &mut *held {
            Some(reader) => reader,
            none => none.insert(self.readers.take().await?),
        };
        let Some(connection) = &mut reader.connection else { return Ok(Err(sqlx::Error::PoolClosed)) };
        reader.asked = true;
        let answer = statement(connection).await;
        reader.asked = false;
        Ok(answer)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let (Some(mut connection), turn) = (self.connection.take(), self.turn.take()) else { return };
        if !self.asked {
            return self.readers.give_back(connection);
        }
        // The statement may still run. Without a runtime the process is ending, and the connection with it.
        if let Ok(runtime) = Handle::try_current() {
            let readers = self.readers.clone();
            runtime.spawn(async move {
                let _turn = turn;
                if connection.ping().await.is_ok() {
                    readers.give_back(connection);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectOptions;
    use sea_orm::sqlx::{Executor, Row};

    use super::*;

    const MOMENT: Duration = Duration::from_millis(60);
    /// Takes seconds.
    const SLOW: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) \
                        SELECT count(*) FROM n";

    async fn readers(limit: u32) -> (tempfile::TempDir, Readers) {
        let folder = tempfile::tempdir().unwrap();
        let mut options =
            ConnectOptions::new(format!("sqlite://{}?mode=rwc", folder.path().join("it.db").display()));
        options.sqlx_logging(false).min_connections(0).max_connections(limit);
        let source = sea_orm::Database::connect(options).await.unwrap();
        (folder, Readers::new(source, limit, MOMENT))
    }

    async fn number(reading: &Reading, sql: &'static str) -> Result<i64, DbErr> {
        let row = reading.ask(async |it| it.fetch_one(sql).await).await?;
        row.map(|row| row.get(0)).map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))
    }

    #[tokio::test]
    async fn all_statements_of_a_request_share_a_connection_and_the_next_request_gets_it() {
        let (_folder, readers) = readers(1).await;
        let first = readers.begin();
        assert_eq!(readers.used_and_idle(), (0, 0), "none is taken before it is needed");
        assert_eq!(number(&first, "SELECT 1").await, Ok(1));
        assert_eq!(number(&first, "SELECT 2").await, Ok(2));
        assert_eq!(readers.used_and_idle(), (1, 0));
        let second = readers.begin();
        assert!(matches!(number(&second, "SELECT 3").await, Err(DbErr::ConnectionAcquire(_))));
        drop(first);
        assert_eq!(readers.used_and_idle(), (0, 1));
        assert_eq!(number(&second, "SELECT 3").await, Ok(3));
    }

    #[tokio::test]
    async fn who_goes_away_in_the_middle_of_a_statement_leaves_the_connection_usable() {
        let (_folder, readers) = readers(1).await;
        let impatient = readers.begin();
        assert!(tokio::time::timeout(MOMENT / 6, number(&impatient, SLOW)).await.is_err());
        drop(impatient);
        assert_eq!(readers.used_and_idle().1, 0, "it is still at work");
        let mut answer = Err(DbErr::Custom("not asked".into()));
        for _ in 0..600 {
            answer = number(&readers.begin(), "SELECT 4").await;
            if answer.is_ok() {
                break;
            }
        }
        assert_eq!(answer, Ok(4));
    }

    #[tokio::test]
    async fn a_failed_statement_is_told_and_the_connection_stays() {
        let (_folder, readers) = readers(1).await;
        assert!(number(&readers.begin(), "SELECT nothing").await.is_err());
        assert_eq!(number(&readers.begin(), "SELECT 5").await, Ok(5));
    }

    #[tokio::test]
    async fn closed_readers_are_handed_out_no_more() {
        let (_folder, readers) = readers(2).await;
        let under_way = readers.begin();
        assert_eq!(number(&under_way, "SELECT 6").await, Ok(6));
        readers.close().await;
        assert!(number(&readers.begin(), "SELECT 7").await.is_err());
        assert_eq!(number(&under_way, "SELECT 8").await, Ok(8), "what is under way goes on");
        drop(under_way);
        assert_eq!(readers.used_and_idle().1, 0);
    }
}
