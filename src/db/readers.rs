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
