//! One transaction of one workspace, and the one place where rows are written.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::{InsertStatement, OnConflict, SqlWriterValues};
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, DbBackend, DbErr,
    EntityTrait, ExecResult, FromQueryResult, IntoActiveModel, Iterable, QueryFilter, QueryResult,
    QueryTrait, Select, Statement, Value,
};

use super::pending::{Change, Pending, push};
use super::session::Session;
use super::{Engine, Scope, Statements};
use crate::error::{Error, Result};
use crate::id::WorkspaceId;

/// The most parameters of one statement: SQLite takes 32,766.
const PARAMETERS: usize = 32_000;

/// A transaction, scoped to a workspace.
///
/// It remembers a failed statement: PostgreSQL answers the `COMMIT` of an aborted transaction with
/// success although everything is rolled back, so [`Tx::commit`] refuses instead.
pub struct Tx {
    inner: Session,
    engine: Engine,
    scope: Scope,
    failed: AtomicBool,
    /// What was put and not sent yet.
    pending: Mutex<Pending>,
    claim: Mutex<Claim>,
    statements: Arc<Statements>,
}

/// A row that the transaction stands and falls with: see [`Tx::claim`].
#[derive(Default)]
enum Claim {
    #[default]
    None,
    /// Goes with the next statement.
    Waits(Box<InsertStatement>),
    Refused,
}

impl Tx {
    pub(super) fn new(inner: Session, scope: Scope, statements: Arc<Statements>) -> Self {
        Self {
            engine: inner.engine(),
            inner,
            scope,
            failed: AtomicBool::new(false),
            pending: Mutex::default(),
            claim: Mutex::default(),
            statements,
        }
    }

    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The workspace of this transaction.
    pub fn workspace(&self) -> Result<WorkspaceId> {
        self.scope.workspace.ok_or(Error::Unauthenticated)
    }

    /// The same transaction, its statements counted as overhead (journal, tenant setting).
    pub(crate) fn overhead(&self) -> Overhead<'_> {
        Overhead(self)
    }

    /// Commits, unless a statement failed.
    pub async fn commit(self) -> Result<()> {
        let sent = match self.engine {
            // What waits goes with the end.
            Engine::Sqlite => self.send_claim().await,
            Engine::Postgres => self.send_waiting().await,
        };
        if let Err(error) = sent {
            self.undo().await;
            return Err(error.into());
        }
        if self.failed.load(Ordering::Acquire) {
            self.undo().await;
            return Err(Error::internal(std::io::Error::other("a statement of the transaction failed")));
        }
        let last = (self.engine == Engine::Sqlite).then(|| self.waiting("COMMIT")).flatten();
        // Boxed: it is large, and part of every write.
        Ok(Box::pin(self.inner.commit_after(last)).await?)
    }

    /// Rolls back after something failed, which is what matters then.
    pub async fn undo(self) {
        if let Err(error) = self.inner.rollback().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "a failed transaction was over");
        }
    }

    pub async fn rollback(self) -> Result<()> {
        Ok(self.inner.rollback().await?)
    }

    /// Inserts a row: sets its workspace, its times and its first version.
    pub async fn insert<A>(&self, mut row: A, now: DateTimeUtc) -> Result<<A::Entity as EntityTrait>::Model>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        self.stamp_new(&mut row, now)?;
        Ok(row.insert(self).await?)
    }

    /// Inserts many rows of one table, as many in one statement as the engines take parameters.
    pub async fn insert_all<A>(&self, rows: Vec<A>, now: DateTimeUtc) -> Result<()>
    where
        A: ActiveModelTrait + Send,
    {
        let at_once = PARAMETERS / <A::Entity as EntityTrait>::Column::iter().count().max(1);
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let mut stamped: Vec<A> = rows.by_ref().take(at_once.max(1)).collect();
            for row in &mut stamped {
                self.stamp_new(row, now)?;
            }
            A::Entity::insert_many(stamped).exec_without_returning(self).await?;
        }
        Ok(())
    }

    /// Inserts rows of one table whose stored form nobody needs back; with a conflict, as that says.
    ///
    /// See [`Tx::put_change`].
    pub async fn put<A>(&self, mut rows: Vec<A>, conflict: Option<OnConflict>, now: DateTimeUtc) -> Result<()>
    where
        A: ActiveModelTrait + Send,
    {
        if rows.is_empty() {
            return Ok(());
        }
        for row in &mut rows {
            self.stamp_new(row, now)?;
        }
        let parameters = rows.len() * <A::Entity as EntityTrait>::Column::iter().count();
        let mut insert = A::Entity::insert_many(rows);
        if let Some(conflict) = conflict {
            insert = insert.on_conflict(conflict);
        }
        self.put_change(insert.into_query(), parameters).await
    }

    /// Makes a change whose outcome nobody waits for.
    ///
    /// It waits until the transaction asks for anything or ends, and goes to the database with everything else that waits:
    /// only then is it known whether that refuses it. PostgreSQL gets one statement, SQLite one text of several.
    pub async fn put_change(&self, change: impl Into<Change>, parameters: usize) -> Result<()> {
        self.push_change(change.into(), parameters, true).await
    }

    async fn push_change(&self, change: Change, parameters: usize, is_work: bool) -> Result<()> {
        let large = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.push(change, parameters, is_work);
            pending.is_large()
        };
        if large {
            self.send_waiting().await?;
        }
        Ok(())
    }

    /// Inserts a row that says that this is done for the first time, where the statement inserts nothing if it is
    /// not.
    ///
    /// On PostgreSQL it waits for the next statement, which fails where the row was there already: one of several selects
    /// takes it along, before any other it goes alone.
    pub async fn claim(&self, row: InsertStatement) -> Result<()> {
        *self.claim.lock().unwrap_or_else(PoisonError::into_inner) = Claim::Waits(Box::new(row));
        if self.engine == Engine::Sqlite {
            self.send_claim().await?;
        }
        Ok(())
    }

    /// Fails where the claimed row was there already, whatever became of the error that said so.
    pub async fn is_first(&self) -> Result<()> {
        self.send_claim().await?;
        match *self.claim.lock().unwrap_or_else(PoisonError::into_inner) {
            Claim::Refused => Err(DbErr::RecordNotInserted.into()),
            Claim::None | Claim::Waits(_) => Ok(()),
        }
    }

    /// Takes the claimed row, to be sent with another statement.
    pub(super) fn take_claim(&self) -> Option<Box<InsertStatement>> {
        let mut claim = self.claim.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::take(&mut *claim) {
            Claim::Waits(row) => Some(row),
            other => {
                *claim = other;
                None
            }
        }
    }

    /// Notes that the claimed row was there already.
    pub(super) fn refuse_claim(&self) -> DbErr {
        *self.claim.lock().unwrap_or_else(PoisonError::into_inner) = Claim::Refused;
        DbErr::RecordNotInserted
    }

    async fn send_claim(&self) -> Result<(), DbErr> {
        let Some(row) = self.take_claim() else { return Ok(()) };
        let statement = self.inner.backend().build(&*row);
        self.statements.work.fetch_add(1, Ordering::Relaxed);
        self.statements.note(&statement);
        match self.sent(self.inner.execute(statement).await)?.rows_affected() {
            0 => Err(self.refuse_claim()),
            _ => Ok(()),
        }
    }

    /// Takes what waits, to be sent with another statement.
    pub(crate) fn take_pending(&self) -> Pending {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends what waits, if anything does.
    async fn send_waiting(&self) -> Result<(), DbErr> {
        let idle = self.pending.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
            && !matches!(*self.claim.lock().unwrap_or_else(PoisonError::into_inner), Claim::Waits(_));
        match idle {
            true => Ok(()),
            // Boxed: it is large, and most of the time nothing waits.
            false => Box::pin(self.flush()).await,
        }
    }

    /// Sends what waits.
    async fn flush(&self) -> Result<(), DbErr> {
        self.send_claim().await?;
        match self.waiting("") {
            Some(statement) => {
                // Whoever goes away meanwhile does not know what was carried out.
                let failed_before = self.failed.swap(true, Ordering::AcqRel);
                let sent = self.inner.run(statement).await;
                self.failed.store(failed_before || sent.is_err(), Ordering::Release);
                sent
            }
            None => Ok(()),
        }
    }

    /// All that waits; for SQLite with what is to follow it. Nothing where nothing waits.
    fn waiting(&self, end: &str) -> Option<Statement> {
        let pending = self.take_pending();
        if pending.is_empty() {
            return None;
        }
        let Statements { work, overhead, .. } = &*self.statements;
        if pending.has_work { work } else { overhead }.fetch_add(1, Ordering::Relaxed);
        if self.engine == Engine::Sqlite {
            if self.statements.are_kept() {
                pending.each(DbBackend::Sqlite).for_each(|statement| self.statements.note(&statement));
            }
            return Some(pending.script(end));
        }
        let mut sql = SqlWriterValues::new("$", true);
        push(&mut sql, "WITH ");
        let done = pending.write(&mut sql);
        push(&mut sql, &format!("done AS (SELECT {done}) SELECT * FROM done"));
        let (sql, values) = sql.into_parts();
        let statement = Statement { sql, values: Some(values), db_backend: DbBackend::Postgres };
        self.statements.note(&statement);
        Some(statement)
    }

    /// Updates a row that was loaded in this workspace: sets `updated_at`, counts up `version`.
    ///
    /// Compare-and-swap: a row whose version moved on since it was loaded is `STALE_VERSION`.
    pub async fn update<A>(&self, mut row: A, now: DateTimeUtc) -> Result<<A::Entity as EntityTrait>::Model>
    where
        A: ActiveModelTrait + Send,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        let mut condition = sea_orm::Condition::all();
        if let Some(column) = column::<A>("workspace_id") {
            condition = condition.add(column.eq(self.workspace()?));
        }
        if let Some(column) = column::<A>("updated_at") {
            row.set(column, now.into());
        }
        let mut expected = None;
        if let Some(column) = column::<A>("version")
            && let ActiveValue::Set(Value::Int(Some(version)))
            | ActiveValue::Unchanged(Value::Int(Some(version))) = row.get(column)
        {
            condition = condition.add(column.eq(version));
            row.set(column, (version + 1).into());
            expected = Some(version);
        }
        let update = A::Entity::update(row).validate()?.filter(condition);
        match (update.exec(self).await, expected) {
            (Err(DbErr::RecordNotUpdated), Some(version)) => {
                Err(Error::StaleVersion { current: version + 1 })
            }
            (result, _) => Ok(result?),
        }
    }

    fn stamp_new<A: ActiveModelTrait>(&self, row: &mut A, now: DateTimeUtc) -> Result<()> {
        if let Some(column) = column::<A>("workspace_id")
            && row.is_not_set(column)
        {
            row.set(column, self.workspace()?.into());
        }
        for name in ["created_at", "updated_at"] {
            if let Some(column) = column::<A>(name)
                && row.is_not_set(column)
            {
                row.set(column, now.into());
            }
        }
        if let Some(column) = column::<A>("version")
            && row.is_not_set(column)
        {
            row.set(column, 1i32.into());
        }
        Ok(())
    }

    fn sent<T>(&self, result: Result<T, DbErr>) -> Result<T, DbErr> {
        if result.is_err() {
            self.failed.store(true, Ordering::Release);
        }
        result
    }
}

/// The column of that name, when the table has it.
fn column<A: ActiveModelTrait>(name: &str) -> Option<<A::Entity as EntityTrait>::Column>
where
    <A::Entity as EntityTrait>::Column: FromStr,
{
    <A::Entity as EntityTrait>::Column::from_str(name).ok()
}

/// A row whose `version` the caller has seen.
pub fn expect_version(current: i32, expected: i32) -> Result<()> {
    if current == expected { Ok(()) } else { Err(Error::StaleVersion { current }) }
}

/// See [`Tx::overhead`].
pub(crate) struct Overhead<'a>(&'a Tx);

impl Overhead<'_> {
    /// See [`Tx::put_change`].
    pub async fn put_change(&self, change: impl Into<Change>, parameters: usize) -> Result<()> {
        self.0.push_change(change.into(), parameters, false).await
    }

    /// Runs a select that the work that waits has nothing to do with, without sending that before.
    pub async fn select_ahead<E: EntityTrait>(&self, select: Select<E>) -> Result<Vec<E::Model>> {
        let Self(tx) = self;
        let overhead_waits = tx.pending.lock().unwrap_or_else(PoisonError::into_inner).has_overhead;
        if overhead_waits {
            tx.send_waiting().await?;
        }
        let statement = select.build(tx.inner.backend());
        tx.statements.overhead.fetch_add(1, Ordering::Relaxed);
        tx.statements.note(&statement);
        let rows = tx.sent(tx.inner.query_all(statement).await)?;
        Ok(rows.iter().map(|row| E::Model::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }
}

macro_rules! connection {
    ($type:ty, $counter:ident, |$self:ident| $tx:expr) => {
        #[async_trait::async_trait]
        impl ConnectionTrait for $type {
            fn get_database_backend(&self) -> DbBackend {
                let $self = self;
                $tx.inner.backend()
            }

            async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
                let $self = self;
                $tx.send_waiting().await?;
                $tx.statements.$counter.fetch_add(1, Ordering::Relaxed);
                $tx.statements.note(&statement);
                $tx.sent($tx.inner.execute(statement).await)
            }

            async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
                let $self = self;
                $tx.send_waiting().await?;
                $tx.statements.$counter.fetch_add(1, Ordering::Relaxed);
                $tx.sent($tx.inner.execute_unprepared(sql).await)
            }

            async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
                let $self = self;
                $tx.send_waiting().await?;
                $tx.statements.$counter.fetch_add(1, Ordering::Relaxed);
                $tx.statements.note(&statement);
                $tx.sent($tx.inner.query_one(statement).await)
            }

            async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
                let $self = self;
                $tx.send_waiting().await?;
                $tx.statements.$counter.fetch_add(1, Ordering::Relaxed);
                $tx.statements.note(&statement);
                $tx.sent($tx.inner.query_all(statement).await)
            }
        }
    };
}

connection!(Tx, work, |this| this);
connection!(Overhead<'_>, overhead, |this| this.0);
