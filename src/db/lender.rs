//! The connections of a database, lent and given back as they are.
//!
//! The library's pool asks a connection whether it is well each time one is given back. On SQLite that takes longer
//! than most reads, on PostgreSQL it is one more round trip. Here a connection is asked only when somebody went away in
//! the middle of something.
//!
//! A reading transaction is left open when its request ends. Whoever begins the same one goes on with it, and needs no
//! round trip: the same means word for word, with the workspace that row-level security goes by, and each statement
//! sees what is committed when it begins. Whoever begins another one ends it in the same round trip. Where nobody comes,
//! it is ended after a [`MOMENT`]; and none goes on for ever.

mod line;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use sea_orm::sqlx;
use sea_orm::{ConnAcquireErr, DatabaseConnection, DbErr, RuntimeErr};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::is_busy;
pub(super) use line::Lendable;
use line::{Line, Open, is_lost};

/// How long a reading transaction may stay open after its end: nobody waits for what it holds, except a migration.
const MOMENT: Duration = Duration::from_millis(50);

/// The connections of one kind: those that nobody uses, and how many there may be in all.
pub(super) struct Lender<C>(Arc<Inner<C>>);

struct Inner<C> {
    /// What opens one more.
    source: DatabaseConnection,
    idle: Mutex<Idle<C>>,
    turns: Arc<Semaphore>,
    limit: u32,
    patience: Duration,
}

struct Idle<C> {
    /// The one that was used last is taken first: what it has read is still at hand.
    lines: Vec<Line<C>>,
    /// Somebody sees to what was left open.
    swept: bool,
}

/// A connection in use, given back when it is dropped.
pub(super) struct Lent<C: Lendable> {
    /// Always there, until the drop.
    line: Option<Line<C>>,
    lender: Lender<C>,
    turn: Option<OwnedSemaphorePermit>,
    /// Must not be given back as it is: a statement is under way, or what was written waits for its end.
    busy: bool,
    /// Nothing was answered yet since it was taken over as it was: the server may have ended it.
    untried: bool,
}

impl<C> Idle<C> {
    /// The connection on which this transaction is open, or one without any, or the one that was left first.
    fn take(&mut self, begin: &str) -> Option<Line<C>> {
        let same = |line: &Line<C>| line.open.as_ref().is_some_and(|open| open.is(begin));
        let at = self.lines.iter().rposition(same);
        let at = at.or_else(|| self.lines.iter().rposition(|line| line.open.is_none())).unwrap_or(0);
        (at < self.lines.len()).then(|| self.lines.remove(at))
    }
}

impl<C> Clone for Lender<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: Lendable> Lender<C> {
    pub fn new(source: DatabaseConnection, limit: u32, patience: Duration) -> Self {
        let turns = Arc::new(Semaphore::new(limit as usize));
        let idle = Mutex::new(Idle { lines: Vec::new(), swept: false });
        Self(Arc::new(Inner { source, idle, turns, limit, patience }))
    }

    /// A connection for single statements, taken when the first of them needs it. The first is sent twice where the server
    /// has ended the connection while nobody used it: it reads only, or is refused the second time.
    pub fn later(&self) -> Asking<C> {
        Asking { lender: self.clone(), lent: tokio::sync::Mutex::default(), writes: false }
    }

    /// A connection with a transaction on it. One that only reads is left open, and may be one that was.
    pub async fn begin(&self, begin: &str, writes: bool) -> Result<Asking<C>, DbErr> {
        let turn = self.turn().await?;
        // With this lender's patience: a server that does not answer is as good as none that has a connection left.
        let begun = tokio::time::timeout(self.0.patience, self.begun(Some(turn), begin)).await;
        let mut lent = begun.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))??;
        lent.busy = writes;
        Ok(Asking { lender: self.clone(), lent: tokio::sync::Mutex::new(Some(lent)), writes })
    }

    /// Begins anew, not trusting any transaction that was left open: the server has ended one of them.
    async fn begin_elsewhere(
        &self,
        turn: Option<OwnedSemaphorePermit>,
        begin: &str,
    ) -> Result<Lent<C>, DbErr> {
        self.idle().lines.iter_mut().for_each(Line::spoil);
        self.begun(turn, begin).await
    }

    /// Begins on a connection that still answers: the server may have ended those that nobody used.
    async fn begun(&self, mut turn: Option<OwnedSemaphorePermit>, begin: &str) -> Result<Lent<C>, DbErr> {
        loop {
            let idle = self.idle().take(begin);
            let used = idle.is_some();
            let mut lent = self.lend(idle, turn.take()).await?;
            match lent.begin(begin).await {
                Ok(()) => return Ok(lent),
                Err(error) if used && !is_busy(&error) => {
                    tracing::debug!(%error, "a connection was lost while nobody used it");
                    turn = lent.turn.take();
                    lent.line = None;
                }
                Err(error) => return Err(lost(error)),
            }
        }
    }

    /// A connection, when one is free in time.
    async fn take(&self) -> Result<Lent<C>, DbErr> {
        let turn = self.turn().await?;
        let idle = self.idle().lines.pop();
        let untried = idle.is_some();
        let mut lent = self.lend(idle, Some(turn)).await?;
        lent.untried = untried;
        Ok(lent)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, DbErr> {
        let turns = &self.0.turns;
        if let Ok(turn) = turns.clone().try_acquire_owned() {
            return Ok(turn);
        }
        tokio::time::timeout(self.0.patience, turns.clone().acquire_owned())
            .await
            .map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?
            .map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))
    }

    async fn lend(
        &self,
        idle: Option<Line<C>>,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Result<Lent<C>, DbErr> {
        let line = match idle {
            Some(line) => line,
            None => {
                // Boxed: it is large and rare, and everybody who reads has room for it.
                let connection = Box::pin(C::open(&self.0.source)).await.map_err(lost)?;
                let now = Instant::now();
                Line { connection, opened: now, given_back: now, open: None }
            }
        };
        Ok(Lent { line: Some(line), lender: self.clone(), turn, busy: false, untried: false })
    }

    pub fn limit(&self) -> u32 {
        self.0.limit
    }

    /// How many connections somebody uses, and how many nobody does.
    pub fn used_and_idle(&self) -> (u32, usize) {
        let free = u32::try_from(self.0.turns.available_permits()).unwrap_or(u32::MAX);
        (self.0.limit.saturating_sub(free), self.idle().lines.len())
    }

    /// Hands out no connection any more, waits for those in use, and closes all.
    pub async fn close(&self) {
        // In turn with everybody else: who waits already still gets one.
        let all = self.0.turns.acquire_many(self.0.limit).await;
        self.0.turns.close();
        drop(all);
        let lines = std::mem::take(&mut self.idle().lines);
        for line in lines {
            line.close().await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle<C>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, mut line: Line<C>) {
        let now = Instant::now();
        let worn = C::LIFE.is_some_and(|life| now.duration_since(line.opened) > life);
        line.given_back = now;
        let mut idle = self.idle();
        // Once closed, nobody comes for it: looked at under the lock that the closing takes next.
        if worn || self.0.turns.is_closed() {
            drop(idle);
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(line.close());
            }
            return;
        }
        let unswept = line.open.is_some() && !idle.swept;
        idle.lines.push(line);
        if unswept && let Ok(runtime) = Handle::try_current() {
            idle.swept = true;
            drop(idle);
            runtime.spawn(sweep(self.clone()));
        }
    }

    /// A connection whose transaction nobody came to end.
    fn left_open(&self) -> Left<C> {
        // First: while it is neither idle nor lent, nobody opens another one in its place. Where there is none, everybody
        // who waits for one will end a transaction along the way.
        let turn = self.0.turns.clone().try_acquire_owned();
        let mut idle = self.idle();
        if !idle.lines.iter().any(|line| line.open.is_some()) {
            idle.swept = false;
            return Left::None;
        }
        let old = |line: &Line<C>| line.open.is_some() && line.given_back.elapsed() >= MOMENT;
        match (turn, idle.lines.iter().position(old)) {
            (Ok(turn), Some(at)) => {
                let line = Some(idle.lines.remove(at));
                let busy = true;
                Left::One(Lent { line, lender: self.clone(), turn: Some(turn), busy, untried: false })
            }
            _ => Left::Later,
        }
    }
}

enum Left<C: Lendable> {
    /// Ends its transaction when it is dropped.
    One(Lent<C>),
    Later,
    None,
}

/// Ends the transactions that nobody came to end, until there is none.
async fn sweep<C: Lendable>(lender: Lender<C>) {
    loop {
        match lender.left_open() {
            Left::None => return,
            Left::Later => tokio::time::sleep(MOMENT).await,
            Left::One(lent) => drop(lent),
        }
    }
}

/// One request's connection, from its first statement on.
pub(super) struct Asking<C: Lendable> {
    lender: Lender<C>,
    lent: tokio::sync::Mutex<Option<Lent<C>>>,
    writes: bool,
}

impl<C: Lendable> Asking<C> {
    /// Sends a statement, when there is a connection for it; once more when the connection turns out to be lost that
    /// was taken over as it was.
    pub async fn ask<T>(
        &self,
        statement: impl for<'c> Fn(&'c mut C) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send + Sync,
    ) -> Result<Result<T, sqlx::Error>, DbErr> {
        let mut lent = self.lent.lock().await;
        let lent = match &mut *lent {
            Some(lent) => lent,
            none => none.insert(self.lender.take().await?),
        };
        loop {
            let Some(line) = &mut lent.line else { return Ok(Err(sqlx::Error::PoolClosed)) };
            lent.busy = true;
            let answer = statement(&mut line.connection).await;
            lent.busy = self.writes;
            let untried = std::mem::take(&mut lent.untried);
            match &answer {
                Ok(_) => {}
                Err(error) if untried && is_lost(error) => {
                    let open = line.open.take();
                    (lent.line, lent.busy) = (None, false);
                    let turn = lent.turn.take();
                    *lent = match open {
                        Some(open) => Box::pin(self.lender.begin_elsewhere(turn, &open.begin)).await?,
                        None => self.lender.lend(None, turn).await?,
                    };
                    continue;
                }
                Err(_) => lent.spoil(),
            }
            return Ok(answer);
        }
    }

    /// Commits the transaction, if one was begun.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        match self.lent.into_inner() {
            Some(mut lent) => lent.end("COMMIT").await,
            None => Ok(()),
        }
    }

    /// Sends a statement whose last act is to commit the transaction. Where it fails, that is undone.
    pub async fn end_with<T>(
        self,
        statement: impl for<'c> FnOnce(&'c mut C) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send,
    ) -> Result<(), sqlx::Error> {
        let Some(mut lent) = self.lent.into_inner() else { return Err(sqlx::Error::PoolClosed) };
        let Some(line) = &mut lent.line else { return Err(sqlx::Error::PoolClosed) };
        lent.busy = true;
        if let Err(error) = statement(&mut line.connection).await {
            // Where SQLite has undone it itself, there is nothing to undo any more.
            if let Err(error) = lent.end("ROLLBACK").await {
                tracing::debug!(%error, "a transaction that could not be committed was over");
            }
            return Err(error);
        }
        (line.open, lent.busy) = (None, false);
        Ok(())
    }

    /// Undoes the transaction, if one was begun, and waits until it is undone.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        match self.lent.into_inner() {
            Some(mut lent) => lent.end("ROLLBACK").await,
            None => Ok(()),
        }
    }
}

impl<C: Lendable> Lent<C> {
    /// Begins a transaction, with the end of what was left open; or goes on with the same one.
    async fn begin(&mut self, begin: &str) -> Result<(), sqlx::Error> {
        let Some(line) = &mut self.line else { return Err(sqlx::Error::PoolClosed) };
        let sql = match &line.open {
            Some(open) if open.is(begin) => {
                self.untried = true;
                return Ok(());
            }
            Some(_) => format!("ROLLBACK; {begin}"),
            None => begin.to_owned(),
        };
        self.busy = true;
        line.open = Some(Open::now(begin));
        let told = line.connection.tell(sql).await;
        match &told {
            Ok(()) => self.busy = false,
            // Nothing was begun, and SQLite's writer had left nothing open.
            Err(error) if is_busy(error) => (line.open, self.busy) = (None, false),
            Err(_) => {}
        }
        told
    }

    fn spoil(&mut self) {
        self.line.iter_mut().for_each(Line::spoil);
    }

    async fn end(&mut self, end: &str) -> Result<(), sqlx::Error> {
        let Some(line) = &mut self.line else { return Err(sqlx::Error::PoolClosed) };
        if line.open.is_some() {
            self.busy = true;
            line.connection.tell(end.into()).await?;
            line.open = None;
        }
        self.busy = false;
        Ok(())
    }
}

impl<C: Lendable> Drop for Lent<C> {
    fn drop(&mut self) {
        let (Some(line), turn) = (self.line.take(), self.turn.take()) else { return };
        if !self.busy {
            return self.lender.give_back(line);
        }
        // A statement may still run. Without a runtime the process is ending, and the connection with it.
        if let Ok(runtime) = Handle::try_current() {
            let lender = self.lender.clone();
            runtime.spawn(async move {
                let _turn = turn;
                if let Some(line) = line.settled().await {
                    lender.give_back(line);
                }
            });
        }
    }
}

fn lost(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}

#[cfg(test)]
mod tests;
