//! `praxis migrate`.

use std::process::ExitCode;

use clap::Subcommand;
use migration::Migrator;
use migration::sea_orm_migration::MigratorTrait;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use super::start::{pending, prepare_folder};
use super::{Outcome, terminal};
use crate::config::Config;
use crate::db::Engine;
use crate::db::connect::{PoolOptions, connect, engine_of};

#[derive(Subcommand)]
pub enum Command {
    /// Runs the steps that have not run
    Up,
    /// Takes the last steps back, with the data in their tables
    Down {
        /// How many steps
        #[arg(default_value_t = 1)]
        steps: u32,
        /// Confirms that the data may be lost
        #[arg(long)]
        yes: bool,
    },
    /// Lists the steps and whether they have run
    Status,
    /// Drops all tables, with all data, and builds them again
    Fresh {
        /// Confirms that all data may be lost
        #[arg(long)]
        yes: bool,
    },
}

pub async fn run(config: &Config, command: Command) -> Outcome {
    let _lock = match command {
        Command::Status => None,
        _ => prepare_folder(config)?,
    };
    let db = owner(config).await?;
    let done = match command {
        Command::Up => {
            let waiting = pending(&db).await?.len();
            may_change_tables(&db).await?;
            Migrator::up(&db, None).await?;
            format!("{waiting} steps run")
        }
        Command::Down { yes: false, .. } | Command::Fresh { yes: false } => {
            return Err("this destroys data; say --yes if it may".into());
        }
        Command::Down { steps, yes: true } => {
            may_change_tables(&db).await?;
            Migrator::down(&db, Some(steps)).await?;
            format!("{steps} steps taken back")
        }
        Command::Fresh { yes: true } => {
            may_change_tables(&db).await?;
            // Step by step: dropping tables alone would leave functions behind.
            Migrator::refresh(&db).await?;
            "all tables built anew".into()
        }
        Command::Status => {
            let pending = pending(&db).await?;
            let rows: Vec<_> = Migrator::migrations()
                .iter()
                .map(|step| {
                    let state =
                        if pending.iter().any(|name| name == step.name()) { "pending" } else { "applied" };
                    vec![state.to_owned(), step.name().to_owned()]
                })
                .collect();
            terminal::table(&rows)
        }
    };
    db.close().await?;
    terminal::print(&done)?;
    Ok(ExitCode::SUCCESS)
}

/// The connection that owns the tables.
async fn owner(config: &Config) -> Result<DatabaseConnection, Box<dyn std::error::Error + Send + Sync>> {
    Ok(match engine_of(&config.database_url)? {
        Engine::Sqlite => connect(&config.database_url, &PoolOptions::default()).await?.writer().clone(),
        Engine::Postgres => {
            let url = config.migration_database_url.as_ref().unwrap_or(&config.database_url);
            sea_orm::Database::connect(url).await?
        }
    })
}

/// Says so before a step fails half-way with the database's own words.
async fn may_change_tables(db: &DatabaseConnection) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if db.get_database_backend() == sea_orm::DbBackend::Sqlite {
        return Ok(());
    }
    let sql = "SELECT current_user::text AS role, \
               has_schema_privilege(current_schema()::regnamespace::oid, 'CREATE') AS may_create";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let row = row.ok_or("the database does not say who is connected")?;
    if row.try_get::<bool>("", "may_create")? {
        return Ok(());
    }
    let role: String = row.try_get("", "role")?;
    Err(format!(
        "the database role \"{role}\" cannot create tables: set PRAXIS_MIGRATION_DATABASE_URL to a connection of \
         their owner"
    )
    .into())
}
