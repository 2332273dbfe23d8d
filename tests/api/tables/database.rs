//! A database of its own for each test, on either engine, gone when the test is over.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures::FutureExt;
use migration::Migrator;
use migration::sea_orm_migration::MigratorTrait;
use praxis::clock::Clock;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend};

/// Declares tests that run once on SQLite and once on PostgreSQL, each on a migrated database of its own.
macro_rules! on_both_engines {
    ($(async fn $rule:ident($db:ident: &DatabaseConnection) $body:block)*) => {
        $(async fn $rule($db: &sea_orm::DatabaseConnection) $body)*

        mod on_sqlite {
            $(#[tokio::test]
            async fn $rule() {
                $crate::tables::database::with_sqlite(super::$rule).await;
            })*
        }

        mod on_postgres {
            $(#[tokio::test]
            async fn $rule() {
                $crate::tables::database::with_postgres(super::$rule).await;
            })*
        }
    };
}
pub(crate) use on_both_engines;

/// Runs a test on a new SQLite file.
pub async fn with_sqlite(test: impl AsyncFnOnce(&DatabaseConnection)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("tables.db");
    let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rwc", file.display()));
    options.max_connections(1);
    options.map_sqlx_sqlite_opts(|o| o.foreign_keys(true).pragma("recursive_triggers", "ON"));
    let db = Database::connect(options).await.expect("SQLite opens a new file");

    Migrator::up(&db, None).await.expect("the migrations run on SQLite");
    test(&db).await;
}

/// Runs a test on a new PostgreSQL database, and drops the database whether or not the test passes.
pub async fn with_postgres(test: impl AsyncFnOnce(&DatabaseConnection)) {
    let server = server();
    let name = format!("praxis_tables_{}", Clock::system().new_uuid().simple());
    let admin =
        Database::connect(&server).await.expect("PRAXIS_TEST_POSTGRES_URL leads to a PostgreSQL server");
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("the server creates databases");

    let url = with_database(&server, &name);
    let outcome = AssertUnwindSafe(async {
        // One connection, so that what a test sets for its session holds for its next statement.
        let mut options = ConnectOptions::new(url);
        options.max_connections(1);
        let db = Database::connect(options).await.expect("PostgreSQL opens a new database");
        Migrator::up(&db, None).await.expect("the migrations run on PostgreSQL");
        test(&db).await;
        db.close().await.expect("the connection closes");
    })
    .catch_unwind()
    .await;

    admin
        .execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)"))
        .await
        .expect("the database is dropped");
    if let Err(failure) = outcome {
        resume_unwind(failure);
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests get their server from scripts/test")]
fn server() -> String {
    std::env::var("PRAXIS_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!(
            "PRAXIS_TEST_POSTGRES_URL is not set. Run scripts/test, which starts a PostgreSQL server for the tests; \
             or set it to a superuser's URL, such as postgres://postgres@127.0.0.1:5432/postgres"
        )
    })
}

/// The server's URL with another database in it.
fn with_database(server: &str, name: &str) -> String {
    let (address, options) = server.split_once('?').map_or((server, None), |(a, o)| (a, Some(o)));
    let (host, _) = address.rsplit_once('/').expect("the URL names a database");
    options.map_or_else(|| format!("{host}/{name}"), |options| format!("{host}/{name}?{options}"))
}

pub fn is_postgres(db: &DatabaseConnection) -> bool {
    db.get_database_backend() == DbBackend::Postgres
}
