//! From a configuration to an application: data folder, lock, database, keys.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use migration::Migrator;
use migration::sea_orm_migration::MigratorTrait;
use sea_orm::{ConnectionTrait, QuerySelect};

use crate::access::scope::find_global;
use crate::access::token::TokenKeys;
use crate::app::{App, Secrets};
use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::key_file::KeyFileError;
use crate::crypto::root::RootKeys;
use crate::db::connect::{ConnectError, PoolOptions, connect, engine_of, refuse_privileged_role};
use crate::db::{Database, Engine, Scope};
use crate::error::Error;
use crate::mail::{self, smtp::SmtpConfigError};
use crate::workspace::entity as workspace;

/// Why the application does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot use the data folder {}: {source}", folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error(
        "another Praxis process uses the data folder {}. One process at a time can: stop the other one first",
        .0.display()
    )]
    Locked(PathBuf),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(
        "the database is not migrated. Run `praxis migrate up` as its owner, or set PRAXIS_MIGRATION_DATABASE_URL \
         so that the server does it"
    )]
    NotMigrated,
    #[error("the migrations failed")]
    Migration(#[source] sea_orm::DbErr),
    #[error(
        "the database has data, but the key file {} is missing. Restore it from its copy: a new one would not \
         open anything",
        .0.display()
    )]
    KeysMissing(PathBuf),
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    #[error(transparent)]
    Mail(#[from] SmtpConfigError),
    #[error(transparent)]
    Application(#[from] Error),
}

/// A started application, and the lock on its data folder for as long as it lives.
pub struct Started {
    pub app: Arc<App>,
    _lock: Option<File>,
}

/// Starts the application; on a new data folder it makes everything that is missing.
pub async fn start(config: Config) -> Result<Started, StartError> {
    let lock = prepare_folder(&config)?;
    let pool = PoolOptions { max_connections: config.database_connections, ..PoolOptions::default() };
    let db = connect(&config.database_url, &pool).await?;
    migrate(&config, &db).await?;
    refuse_privileged_role(&db).await?;
    let secrets = secrets(&config, has_data(&db).await?)?;
    let clock = Clock::system();
    let mailer = mail::configured(&config, &clock)?;
    Ok(Started { app: App::assemble_with(config, clock, db, secrets, mailer), _lock: lock })
}

/// Makes the data folder, for its owner only, and locks it where the database is a file in it.
pub fn prepare_folder(config: &Config) -> Result<Option<File>, StartError> {
    let folder = &config.data_dir;
    let failed = |source| StartError::Folder { folder: folder.clone(), source };
    create_private_folder(folder).map_err(failed)?;
    if engine_of(&config.database_url)? == Engine::Postgres {
        return Ok(None);
    }
    let path = folder.join("lock");
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Err(StartError::Locked(folder.clone())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn create_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// Brings the database up to this version where the server may, and refuses an older one where it may not.
async fn migrate(config: &Config, db: &Database) -> Result<(), StartError> {
    match (db.engine(), &config.migration_database_url) {
        (Engine::Sqlite, _) => Migrator::up(db.writer(), None).await.map_err(StartError::Migration),
        (Engine::Postgres, Some(url)) => {
            let owner = sea_orm::Database::connect(url).await.map_err(ConnectError::from)?;
            let migrated = Migrator::up(&owner, None).await.map_err(StartError::Migration);
            owner.close().await.map_err(ConnectError::from)?;
            migrated
        }
        (Engine::Postgres, None) if pending(db.writer()).await?.is_empty() => Ok(()),
        (Engine::Postgres, None) => Err(StartError::NotMigrated),
    }
}

/// The names of the steps that have not run, for a role that can only read.
pub async fn pending(db: &impl ConnectionTrait) -> Result<Vec<String>, StartError> {
    let sql = "SELECT version FROM seaql_migrations";
    let statement = sea_orm::Statement::from_string(db.get_database_backend(), sql);
    // A database without the table has run none.
    let rows = db.query_all_raw(statement).await.unwrap_or_default();
    let applied = rows.iter().map(|row| row.try_get::<String>("", "version")).collect::<Result<Vec<_>, _>>();
    let applied = applied.map_err(StartError::Migration)?;
    let names = Migrator::migrations().into_iter().map(|step| step.name().to_owned());
    Ok(names.filter(|name| !applied.contains(name)).collect())
}

/// Whether there is anything that keys were used for.
async fn has_data(db: &Database) -> Result<bool, Error> {
    let tx = db.begin_read(Scope::default()).await?;
    // Global: the question is about the whole database.
    let first = find_global::<workspace::Entity>().limit(1).one(&tx).await?;
    tx.rollback().await?;
    Ok(first.is_some())
}

/// Reads the keys. Makes them where nothing can depend on older ones.
fn secrets(config: &Config, has_data: bool) -> Result<Secrets, StartError> {
    let (root, tokens) = (&config.root_keys_file, &config.token_keys_file);
    Ok(Secrets {
        root: if exists(root, has_data)? { RootKeys::load(root)? } else { RootKeys::create(root)? },
        tokens: if exists(tokens, has_data)? { TokenKeys::load(tokens)? } else { TokenKeys::create(tokens)? },
    })
}

fn exists(file: &Path, required: bool) -> Result<bool, StartError> {
    match (file.exists(), required) {
        (false, true) => Err(StartError::KeysMissing(file.into())),
        (exists, _) => Ok(exists),
    }
}
