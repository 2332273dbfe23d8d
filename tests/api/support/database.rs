//! A fresh, migrated database for one test: a copy of a template that is migrated once per build.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use migration::Migrator;
use migration::sea_orm_migration::MigratorTrait;
use praxis::db::Database;
use praxis::db::connect::{PoolOptions, connect};
use sea_orm::{ConnectionTrait, DatabaseConnection};

/// Which engine a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Sqlite,
    Postgres,
}

/// The database of one test. Dropped databases and files go with the throw-away cluster and folder.
pub struct TestDatabase {
    /// What the application connects with: on PostgreSQL the unprivileged role.
    pub url: String,
    /// The owner's connection: past row-level security.
    pub owner_url: String,
    /// The folder of this test, removed with it.
    pub folder: tempfile::TempDir,
}

impl TestDatabase {
    pub async fn create(on: On) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        match on {
            On::Sqlite => {
                let file = folder.path().join("praxis.db");
                std::fs::copy(sqlite_template().await, &file).expect("the template can be copied");
                let url = format!("sqlite://{}", file.display());
                Self { owner_url: url.clone(), url, folder }
            }
            On::Postgres => {
                let admin_url = admin_url();
                let admin = sea_orm::Database::connect(&admin_url).await.expect("the test cluster answers");
                let template = postgres_template(&admin, &admin_url).await;
                let name = format!("t{}", unique());
                run(&admin, &format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")).await;
                let owner_url = with_database(&admin_url, &name);
                Self { url: owner_url.replace("postgres@", "praxis_test@"), owner_url, folder }
            }
        }
    }

    pub async fn connect(&self) -> Database {
        self.connect_as(&self.url).await
    }

    /// Past row-level security on PostgreSQL: as the superuser.
    pub async fn connect_as_owner(&self) -> Database {
        self.connect_as(&self.owner_url).await
    }

    async fn connect_as(&self, url: &str) -> Database {
        let pool =
            PoolOptions { acquire_timeout: std::time::Duration::from_secs(60), ..PoolOptions::default() };
        connect(url, &pool).await.expect("the test's database answers")
    }
}

/// Names this build of the tests, so that a template is never older than its migrations.
fn build() -> u128 {
    let binary = std::env::current_exe().and_then(std::fs::metadata).and_then(|meta| meta.modified());
    let built = binary.expect("the test binary has a time");
    built.duration_since(UNIX_EPOCH).expect("it was built after 1970").as_nanos()
}

async fn sqlite_template() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let template = folder.join(format!("template-{}.db", build()));
    if !template.exists() {
        // Several tests may make it at once: each makes its own and the last rename wins.
        let own = folder.join(format!("making-{}.db", unique()));
        let url = format!("sqlite://{}?mode=rwc", own.display());
        let db = sea_orm::Database::connect(&url).await.expect("SQLite opens a file");
        Migrator::up(&db, None).await.expect("the migrations run on SQLite");
        db.close().await.expect("the template closes");
        std::fs::rename(&own, &template).expect("the template gets its name");
    }
    template
}

async fn postgres_template(admin: &DatabaseConnection, admin_url: &str) -> String {
    let template = format!("praxis_template_{}", build());
    // One connection holds the lock, the others wait for it and then find the template.
    let mut options = sea_orm::ConnectOptions::new(admin_url);
    options.max_connections(1).sqlx_logging(false);
    let lock = sea_orm::Database::connect(options).await.expect("the test cluster answers");
    run(&lock, "SELECT pg_advisory_lock(7461)").await;
    let exists = lock
        .query_one_raw(sea_orm::Statement::from_string(
            sea_orm::DbBackend::Postgres,
            format!("SELECT 1 AS one FROM pg_database WHERE datname = '{template}'"),
        ))
        .await
        .expect("the catalogue answers")
        .is_some();
    if !exists {
        let making = format!("{template}_making");
        run(admin, &format!("DROP DATABASE IF EXISTS {making}")).await;
        run(admin, &format!("CREATE DATABASE {making}")).await;
        let db = sea_orm::Database::connect(with_database(admin_url, &making)).await.expect("it answers");
        Migrator::up(&db, None).await.expect("the migrations run on PostgreSQL");
        let role = "DO $$ BEGIN CREATE ROLE praxis_test LOGIN IN ROLE praxis_app; \
                    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";
        run(&db, role).await;
        db.close().await.expect("the template closes");
        run(admin, &format!("ALTER DATABASE {making} RENAME TO {template}")).await;
    }
    run(&lock, "SELECT pg_advisory_unlock(7461)").await;
    template
}

/// A name that no other test of any process has.
fn unique() -> String {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("{}_{}_{count}", std::process::id(), since.as_nanos())
}

/// The superuser's address of the throw-away cluster.
#[expect(clippy::disallowed_methods, reason = "the tests' own variable")]
pub fn admin_url() -> String {
    std::env::var("PRAXIS_TEST_POSTGRES_URL").expect(
        "PRAXIS_TEST_POSTGRES_URL is not set: run scripts/test, which starts a PostgreSQL for the tests",
    )
}

fn with_database(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').expect("the URL names a database");
    format!("{server}/{name}")
}

async fn run(db: &DatabaseConnection, sql: &str) {
    db.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}
