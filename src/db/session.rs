//! The connection of a [`Tx`](super::tx::Tx), in the cheapest form that keeps its promises.
//!
//! A round trip costs more than most statements. So PostgreSQL begins a transaction and hears its tenant in one
//! (`BEGIN; SET LOCAL …`), for which the transaction is sqlx's own: SeaORM begins with a bare `BEGIN`. SQLite has
//! no row-level security, and reads there are single statements on a read-only connection: each sees a snapshot of
//! its own, as a statement of PostgreSQL's READ COMMITTED does.

use sea_orm::sqlx::{self, AssertSqlSafe, Executor, Postgres, Sqlite, Transaction};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
};
use sea_query_sqlx::SqlxValues;
use tokio::sync::Mutex;

use super::readers::Reading;
use super::{Engine, Scope};

pub(super) enum Session {
    Postgres(Mutex<Transaction<'static, Postgres>>),
    /// SQLite's one writing transaction.
    Writer(DatabaseTransaction),
    /// SQLite's read-only connections; the one of this session from its first statement on.
    Reader(Reading),
}

impl Session {
    /// Begins a transaction of PostgreSQL in this scope.
    pub async fn begin(pool: &sqlx::PgPool, scope: Scope) -> Result<Self, DbErr> {
        let begun = pool.begin_with(AssertSqlSafe(begin(scope))).await;
        Ok(Self::Postgres(Mutex::new(
            begun.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?,
        )))
    }

    pub fn engine(&self) -> Engine {
        match self {
            Self::Postgres(_) => Engine::Postgres,
            Self::Writer(_) | Self::Reader(_) => Engine::Sqlite,
        }
    }

    pub fn backend(&self) -> DbBackend {
        match self {
            Self::Postgres(_) => DbBackend::Postgres,
            Self::Writer(_) | Self::Reader(_) => DbBackend::Sqlite,
        }
    }

    pub async fn execute(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match self {
            Self::Postgres(tx) => {
                let done = prepared(statement).execute(&mut **tx.lock().await).await;
                done.map(Into::into).map_err(in_execution)
            }
            Self::Writer(tx) => tx.execute_raw(statement).await,
            Self::Reader(reading) => {
                let done = reading.ask(async |it| read(statement).execute(it).await).await?;
                done.map(Into::into).map_err(in_execution)
            }
        }
    }

    pub async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match self {
            Self::Postgres(tx) => {
                let done = tx.lock().await.execute(AssertSqlSafe(sql.to_owned())).await;
                done.map(Into::into).map_err(in_execution)
            }
            Self::Writer(tx) => tx.execute_unprepared(sql).await,
            Self::Reader(reading) => {
                let sql = AssertSqlSafe(sql.to_owned());
                let done = reading.ask(async |it| it.execute(sql).await).await?;
                done.map(Into::into).map_err(in_execution)
            }
        }
    }

    pub async fn query_one(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Postgres(tx) => {
                let row = prepared(statement).fetch_optional(&mut **tx.lock().await).await;
                row.map(|row| row.map(Into::into)).map_err(in_query)
            }
            Self::Writer(tx) => tx.query_one_raw(statement).await,
            Self::Reader(reading) => {
                let row = reading.ask(async |it| read(statement).fetch_optional(it).await).await?;
                row.map(|row| row.map(Into::into)).map_err(in_query)
            }
        }
    }

    pub async fn query_all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Postgres(tx) => {
                let rows = prepared(statement).fetch_all(&mut **tx.lock().await).await;
                rows.map(|rows| rows.into_iter().map(Into::into).collect()).map_err(in_query)
            }
            Self::Writer(tx) => tx.query_all_raw(statement).await,
            Self::Reader(reading) => {
                let rows = reading.ask(async |it| read(statement).fetch_all(it).await).await?;
                rows.map(|rows| rows.into_iter().map(Into::into).collect()).map_err(in_query)
            }
        }
    }

    pub async fn commit(self) -> Result<(), DbErr> {
        match self {
            Self::Postgres(tx) => tx.into_inner().commit().await.map_err(in_execution),
            Self::Writer(tx) => tx.commit().await,
            Self::Reader(_) => Ok(()),
        }
    }

    pub async fn rollback(self) -> Result<(), DbErr> {
        match self {
            // Dropped, it is rolled back in the round trip with which the pool takes its connection back, while the
            // answer goes out already.
            Self::Postgres(_) => Ok(()),
            Self::Writer(tx) => tx.rollback().await,
            Self::Reader(_) => Ok(()),
        }
    }
}

/// `BEGIN` and the tenant as one text. A UUID is hexadecimal digits and hyphens, so it can be written into it.
///
/// An empty scope needs no setting: `SET LOCAL` ends with its transaction, so none is left over.
fn begin(scope: Scope) -> String {
    let mut text = String::from("BEGIN");
    for (setting, id) in [
        ("app.workspace_id", scope.workspace.map(|workspace| workspace.0)),
        ("app.user_id", scope.user.map(|user| user.0)),
    ] {
        if let Some(id) = id {
            text.push_str(&format!("; SET LOCAL {setting} = '{id}'"));
        }
    }
    text
}

fn read(statement: Statement) -> sqlx::query::Query<'static, Sqlite, SqlxValues> {
    let values = statement.values.unwrap_or_else(|| sea_orm::Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(values))
}

fn prepared(statement: Statement) -> sqlx::query::Query<'static, Postgres, SqlxValues> {
    let values = statement.values.unwrap_or_else(|| sea_orm::Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(values))
}

fn in_query(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

fn in_execution(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::id::{UserId, WorkspaceId};

    #[test]
    fn a_transaction_begins_with_exactly_its_scope() {
        let workspace = WorkspaceId(Uuid::from_u128(7));
        let user = UserId(Uuid::from_u128(8));
        assert_eq!(begin(Scope::default()), "BEGIN");
        assert_eq!(
            begin(Scope { workspace: Some(workspace), user: Some(user) }),
            "BEGIN; SET LOCAL app.workspace_id = '00000000-0000-0000-0000-000000000007'; \
             SET LOCAL app.user_id = '00000000-0000-0000-0000-000000000008'"
        );
    }
}
