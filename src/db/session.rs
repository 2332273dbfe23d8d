//! The connection of a [`Tx`](super::tx::Tx), in the cheapest form that keeps its promises.
//!
//! A round trip costs more than most statements. So PostgreSQL begins a transaction and hears its tenant in one
//! (`BEGIN; SET LOCAL …`), for which the transaction is our own: SeaORM begins with a bare `BEGIN`. SQLite has
//! no row-level security, and reads there are single statements on a read-only connection: each sees a snapshot of
//! its own, as a statement of PostgreSQL's READ COMMITTED does.

use sea_orm::sqlx::{self, AssertSqlSafe, Executor, PgConnection, Postgres, Sqlite, SqliteConnection};
use sea_orm::{DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use sea_query_sqlx::SqlxValues;

use super::lender::{Asking, Lender};
use super::{Engine, Scope};

pub(super) enum Session {
    /// A transaction.
    Postgres(Asking<PgConnection>),
    /// The one writing transaction, or single statements that only read.
    Sqlite(Asking<SqliteConnection>),
}

impl Session {
    /// Begins a transaction of PostgreSQL in this scope.
    pub async fn begin(
        connections: &Lender<PgConnection>,
        scope: Scope,
        writes: bool,
    ) -> Result<Self, DbErr> {
        Ok(Self::Postgres(connections.begin(&begin(scope, writes), writes).await?))
    }

    pub fn engine(&self) -> Engine {
        match self {
            Self::Postgres(_) => Engine::Postgres,
            Self::Sqlite(_) => Engine::Sqlite,
        }
    }

    pub fn backend(&self) -> DbBackend {
        match self {
            Self::Postgres(_) => DbBackend::Postgres,
            Self::Sqlite(_) => DbBackend::Sqlite,
        }
    }

    pub async fn execute(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match self {
            Self::Postgres(asking) => {
                let done =
                    asking.ask(move |it| Box::pin(prepared::<Postgres>(&statement).execute(it))).await?;
                done.map(Into::into).map_err(in_execution)
            }
            Self::Sqlite(asking) => {
                let done = asking.ask(move |it| Box::pin(prepared::<Sqlite>(&statement).execute(it))).await?;
                done.map(Into::into).map_err(in_execution)
            }
        }
    }

    pub async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match self {
            Self::Postgres(asking) => {
                let done = asking.ask(|it| Box::pin(it.execute(AssertSqlSafe(sql.to_owned())))).await?;
                done.map(Into::into).map_err(in_execution)
            }
            Self::Sqlite(asking) => {
                let done = asking.ask(|it| Box::pin(it.execute(AssertSqlSafe(sql.to_owned())))).await?;
                done.map(Into::into).map_err(in_execution)
            }
        }
    }

    pub async fn query_one(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Postgres(asking) => {
                let row = asking.ask(move |it| Box::pin(prepared::<Postgres>(&statement).fetch_optional(it)));
                row.await?.map(|row| row.map(Into::into)).map_err(in_query)
            }
            Self::Sqlite(asking) => {
                let row = asking.ask(move |it| Box::pin(prepared::<Sqlite>(&statement).fetch_optional(it)));
                row.await?.map(|row| row.map(Into::into)).map_err(in_query)
            }
        }
    }

    pub async fn query_all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Postgres(asking) => {
                let rows = asking.ask(move |it| Box::pin(prepared::<Postgres>(&statement).fetch_all(it)));
                rows.await?.map(|rows| rows.into_iter().map(Into::into).collect()).map_err(in_query)
            }
            Self::Sqlite(asking) => {
                let rows = asking.ask(move |it| Box::pin(prepared::<Sqlite>(&statement).fetch_all(it)));
                rows.await?.map(|rows| rows.into_iter().map(Into::into).collect()).map_err(in_query)
            }
        }
    }

    /// Says that the transaction has other rights than it was begun with.
    pub async fn spoil(&self) {
        match self {
            Self::Postgres(asking) => asking.spoil().await,
            Self::Sqlite(asking) => asking.spoil().await,
        }
    }

    pub async fn commit(self) -> Result<(), DbErr> {
        let done = match self {
            Self::Postgres(asking) => asking.commit().await,
            Self::Sqlite(asking) => asking.commit().await,
        };
        done.map_err(in_execution)
    }

    pub async fn rollback(self) -> Result<(), DbErr> {
        match self {
            // Dropped, it is rolled back while the answer goes out already.
            Self::Postgres(_) => Ok(()),
            // Its lock is what others wait for.
            Self::Sqlite(asking) => asking.rollback().await.map_err(in_execution),
        }
    }
}

/// Whatever the server's default is: a transaction that goes on from one request to the next must see what was committed in
/// between.
const READ: &str = "BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY";

/// `BEGIN` and the tenant as one text. A UUID is hexadecimal digits and hyphens, so it can be written into it.
///
/// An empty scope needs no setting: `SET LOCAL` ends with its transaction, so none is left over.
fn begin(scope: Scope, writes: bool) -> String {
    let mut text = String::from(if writes { "BEGIN" } else { READ });
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

fn prepared<D>(statement: &Statement) -> sqlx::query::Query<'static, D, SqlxValues>
where
    D: sqlx::Database,
    SqlxValues: sqlx::IntoArguments<D>,
{
    // Copied: it may be sent twice.
    let values = statement.values.clone().unwrap_or_else(|| sea_orm::Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql.clone()), SqlxValues(values))
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
        assert_eq!(begin(Scope::default(), false), READ);
        assert_eq!(
            begin(Scope { workspace: Some(workspace), user: Some(user) }, true),
            "BEGIN; SET LOCAL app.workspace_id = '00000000-0000-0000-0000-000000000007'; \
             SET LOCAL app.user_id = '00000000-0000-0000-0000-000000000008'"
        );
    }
}
