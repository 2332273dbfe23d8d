//! The connection of a [`Tx`](super::tx::Tx), in the cheapest form that keeps its promises.
//!
//! A round trip costs more than most statements. So PostgreSQL begins a transaction and hears its tenant in one
//! (`BEGIN; SET LOCAL …`), for which the transaction is our own: SeaORM begins with a bare `BEGIN`. SQLite has
//! no row-level security, and reads there are single statements on a read-only connection: each sees a snapshot of
//! its own, as a statement of PostgreSQL's READ COMMITTED does.

use sea_orm::sqlx::{self, AssertSqlSafe, Executor, PgConnection, Postgres, Sqlite, SqliteConnection};
use sea_orm::{DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use sea_query_sqlx::SqlxValues;
use uuid::Uuid;

use super::lender::{Asking, Lender};
use super::{Engine, Scope};
use crate::id::UserId;

pub(super) enum Session {
    /// A transaction, or a single statement.
    Postgres(Asking<PgConnection>),
    /// The one writing transaction, or single statements that only read.
    Sqlite(Asking<SqliteConnection>),
}

impl Session {
    /// Begins a transaction of PostgreSQL.
    pub async fn begin(
        connections: &Lender<PgConnection>,
        reach: &Reach<'_>,
        writes: bool,
    ) -> Result<Self, DbErr> {
        Ok(Self::Postgres(connections.begin(&begin(reach, writes), writes).await?))
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

    pub async fn commit(self) -> Result<(), DbErr> {
        let done = match self {
            Self::Postgres(asking) => asking.commit().await,
            Self::Sqlite(asking) => asking.commit().await,
        };
        done.map_err(in_execution)
    }

    /// Runs what waited: on SQLite several statements, one after the other.
    pub async fn run(&self, waited: Statement) -> Result<(), DbErr> {
        match self {
            Self::Sqlite(asking) => {
                let done = asking.ask(move |it| Box::pin(written(&waited).execute(it))).await?;
                done.map(drop).map_err(in_execution)
            }
            Self::Postgres(_) => self.execute(waited).await.map(drop),
        }
    }

    /// Commits SQLite's transaction: with this script, which ends with it, or else by itself.
    pub async fn commit_after(self, script: Option<Statement>) -> Result<(), DbErr> {
        match (self, script) {
            (Self::Sqlite(asking), Some(script)) => {
                let done = asking.end_with(move |it| Box::pin(written(&script).execute(it)));
                done.await.map_err(in_execution)
            }
            (session, _) => session.commit().await,
        }
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

/// The parameters of a script that is run more than once.
const COMMON: usize = 256;

/// Whatever the server's default is: a transaction that goes on from one request to the next must see what was committed in
/// between.
const READ: &str = "BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY";

/// What a transaction may touch: what row-level security is told with its `BEGIN`.
pub(super) enum Reach<'a> {
    Scope(Scope),
    /// Reads of these users' memberships.
    Memberships(&'a [UserId]),
}

impl Reach<'_> {
    /// Settings, and the ids that they hold.
    fn settings(&self) -> Vec<(&'static str, Vec<Uuid>)> {
        match self {
            Self::Scope(scope) => {
                let workspace = scope.workspace.map(|id| ("app.workspace_id", vec![id.0]));
                let user = scope.user.map(|id| ("app.user_id", vec![id.0]));
                workspace.into_iter().chain(user).collect()
            }
            Self::Memberships(ids) => vec![("app.checked_users", ids.iter().map(|id| id.0).collect())],
        }
    }
}

/// `BEGIN` and what may be touched as one text. A UUID is hexadecimal digits and hyphens, so it can be written into it.
///
/// An empty scope needs no setting: `SET LOCAL` ends with its transaction, so none is left over.
fn begin(reach: &Reach<'_>, writes: bool) -> String {
    let mut text = String::from(if writes { "BEGIN" } else { READ });
    for (setting, ids) in reach.settings() {
        let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        text.push_str(&format!("; SET LOCAL {setting} = '{}'", ids.join(",")));
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

/// A script of SQLite. One of many parameters has as many rows as hardly any other: kept prepared, such ones would push
/// out those of every day.
fn written(script: &Statement) -> sqlx::query::Query<'static, Sqlite, SqlxValues> {
    let parameters = script.values.as_ref().map_or(0, |values| values.0.len());
    prepared(script).persistent(parameters <= COMMON)
}

fn in_query(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

fn in_execution(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::WorkspaceId;

    #[test]
    fn a_transaction_begins_with_exactly_its_scope() {
        let workspace = WorkspaceId(Uuid::from_u128(7));
        let user = UserId(Uuid::from_u128(8));
        assert_eq!(begin(&Reach::Scope(Scope::default()), false), READ);
        assert_eq!(
            begin(&Reach::Scope(Scope { workspace: Some(workspace), user: Some(user) }), true),
            "BEGIN; SET LOCAL app.workspace_id = '00000000-0000-0000-0000-000000000007'; \
             SET LOCAL app.user_id = '00000000-0000-0000-0000-000000000008'"
        );
        assert_eq!(
            begin(&Reach::Memberships(&[user, UserId(Uuid::from_u128(9))]), false),
            format!(
                "{READ}; SET LOCAL app.checked_users = '00000000-0000-0000-0000-000000000008,\
                 00000000-0000-0000-0000-000000000009'"
            )
        );
    }
}
