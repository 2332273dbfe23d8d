//! Fills a database with the data set: through the application's own keys, seals and units of work, so that the
//! server reads it as its own and the journal verifies.

mod appointments;
mod people;
mod practice;

use std::sync::Arc;
use std::time::Instant;

use migration::Migrator;
use migration::sea_orm_migration::MigratorTrait;
use praxis::access::token::TokenKeys;
use praxis::app::{App, Secrets};
use praxis::clock::Clock;
use praxis::crypto::root::RootKeys;
use praxis::db::Database;
use praxis::db::connect::{PoolOptions, connect};
use sea_orm::ConnectionTrait;
use secrecy::SecretString;

use crate::plan::{PASSWORD, WORKSPACES};
use crate::site::{Engine, ROLE, Site};
use crate::{Outcome, say};

/// Fills the site unless it is filled, and migrates it. What an interrupted run left behind goes first.
pub async fn generate(site: &Site) -> Outcome<()> {
    if site.is_complete() {
        let db = open(site).await?;
        Migrator::up(db.writer(), None).await?;
        db.close().await;
        return Ok(());
    }
    let began = Instant::now();
    let app = empty(site).await?;
    let hash = app.passwords.hash(SecretString::from(PASSWORD)).await?;
    match site.engine {
        // One writer: nothing is gained by a second task.
        Engine::Sqlite => fill(&app, site, &hash, 0, 1).await?,
        Engine::Postgres => {
            tokio::try_join!(fill(&app, site, &hash, 0, 2), fill(&app, site, &hash, 1, 2)).map(|_| ())?;
        }
    }
    finish(&app, site).await?;
    app.db.close().await;
    std::fs::write(site.complete(), "")?;
    say(&format!("{}: filled in {:.0} s", site.folder.display(), began.elapsed().as_secs_f64()));
    Ok(())
}

/// A migrated database without rows, and an application on it.
async fn empty(site: &Site) -> Outcome<Arc<App>> {
    if site.folder.exists() {
        std::fs::remove_dir_all(&site.folder)?;
    }
    std::fs::create_dir_all(&site.folder)?;
    if site.engine == Engine::Postgres {
        let admin = sea_orm::Database::connect(site.admin_url()?).await?;
        admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", site.database)).await?;
        admin.execute_unprepared(&format!("CREATE DATABASE {}", site.database)).await?;
        admin.close().await?;
    }
    let config = site.config()?;
    let db = open(site).await?;
    Migrator::up(db.writer(), None).await?;
    if site.engine == Engine::Postgres {
        let role = format!(
            "DO $$ BEGIN CREATE ROLE {ROLE} LOGIN IN ROLE praxis_app; \
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        );
        db.writer().execute_unprepared(&role).await?;
    }
    if site.engine == Engine::Sqlite {
        // The writer is one connection, so this holds until the end. An interrupted run starts anew anyway.
        db.writer().execute_unprepared("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF").await?;
    }
    names_table(db.writer()).await?;
    let secrets = Secrets {
        root: RootKeys::create(&config.root_keys_file)?,
        tokens: TokenKeys::create(&config.token_keys_file)?,
    };
    Ok(App::assemble(config, Clock::system(), db, secrets))
}

/// The site's database, as its owner.
async fn open(site: &Site) -> Outcome<Database> {
    let pool =
        PoolOptions { statement_timeout: std::time::Duration::from_secs(600), ..PoolOptions::default() };
    Ok(connect(&site.config()?.database_url, &pool).await?)
}

/// The patients' names in plain text, for the hand-written handlers, which have no keys.
async fn names_table(db: &impl ConnectionTrait) -> Outcome<()> {
    let id = if db.get_database_backend() == sea_orm::DbBackend::Sqlite { "blob" } else { "uuid" };
    let sql = format!(
        "CREATE TABLE bench_names (patient_id {id} PRIMARY KEY, first_name text NOT NULL, last_name text NOT NULL)"
    );
    db.execute_unprepared(&sql).await?;
    Ok(())
}

/// Every `step`th workspace from the first one.
async fn fill(app: &App, site: &Site, hash: &str, first: u64, step: u64) -> Outcome<()> {
    let mut workspace = first;
    while workspace < WORKSPACES {
        let began = Instant::now();
        practice::fill(app, site.plan, workspace, hash).await?;
        people::fill(app, site.plan, workspace).await?;
        appointments::fill(app, site.plan, workspace).await?;
        say(&format!("workspace {} of {WORKSPACES}: {:.1} s", workspace + 1, began.elapsed().as_secs_f64()));
        workspace += step;
    }
    Ok(())
}

/// What a database that has been in use for a while has done: statistics, and a log that was written back.
async fn finish(app: &App, site: &Site) -> Outcome<()> {
    let statements: &[&str] = match site.engine {
        Engine::Sqlite => &["ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"],
        Engine::Postgres => &["VACUUM ANALYZE", "CHECKPOINT"],
    };
    for statement in statements {
        app.db.writer().execute_unprepared(statement).await?;
    }
    Ok(())
}
