//! Where a data set lives, and how processes are told of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use praxis::config::Config;
use serde::Serialize;

use crate::Outcome;
use crate::plan::Plan;

/// The two engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// Which data a command works with.
#[derive(Args, Clone, Debug)]
pub struct Data {
    /// Appointments in all
    #[arg(long, global = true, default_value_t = 1_000_000)]
    pub appointments: u64,
    /// A superuser's connection to the PostgreSQL server that gets the databases
    #[arg(long, global = true, env = "PRAXIS_TEST_POSTGRES_URL")]
    pub postgres: Option<String>,
}

/// One data set on one engine.
#[derive(Clone, Debug)]
pub struct Site {
    pub engine: Engine,
    pub plan: Plan,
    /// Holds the keys, the database of SQLite, and the logs.
    pub folder: PathBuf,
    /// The superuser's connection on PostgreSQL.
    admin: Option<String>,
    /// The name of the database on PostgreSQL.
    pub database: String,
}

/// The server's own address in its tokens, whatever it listens on.
pub const PUBLIC_URL: &str = "http://localhost";
/// The role that the server connects as.
pub const ROLE: &str = "praxis_load";

impl Site {
    pub fn new(engine: Engine, data: &Data) -> Outcome<Self> {
        if engine == Engine::Postgres && data.postgres.is_none() {
            return Err(
                "name a PostgreSQL server: --postgres postgres://postgres@127.0.0.1:5432/postgres".into()
            );
        }
        let name = format!("load_{}", data.appointments);
        Ok(Self {
            engine,
            plan: Plan::new(data.appointments),
            folder: results()?.join(format!("{}-{}", engine.name(), data.appointments)),
            admin: data.postgres.clone().filter(|_| engine == Engine::Postgres),
            database: name,
        })
    }

    pub fn is_complete(&self) -> bool {
        self.complete().exists()
    }

    /// The file whose existence says that the data is all there.
    pub fn complete(&self) -> PathBuf {
        self.folder.join("complete")
    }

    pub fn file(&self) -> PathBuf {
        self.folder.join("praxis.db")
    }

    pub fn admin_url(&self) -> Outcome<&str> {
        Ok(self.admin.as_deref().ok_or("this engine has no superuser")?)
    }

    /// The connection that row-level security does not bind.
    pub fn owner_url(&self) -> Outcome<String> {
        match self.engine {
            Engine::Sqlite => Ok(format!("sqlite://{}", self.file().display())),
            Engine::Postgres => {
                let (server, _) = self.admin_url()?.rsplit_once('/').ok_or("the URL names no database")?;
                Ok(format!("{server}/{}", self.database))
            }
        }
    }

    /// The server's connection.
    pub fn server_url(&self) -> Outcome<String> {
        let url = self.owner_url()?;
        match (self.engine, url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@'))) {
            (Engine::Postgres, Some((_, place))) => Ok(format!("postgres://{ROLE}@{place}")),
            (Engine::Postgres, None) => Err("the PostgreSQL URL names no user".into()),
            (Engine::Sqlite, _) => Ok(url),
        }
    }

    /// The superuser's name on PostgreSQL.
    pub fn owner(&self) -> &str {
        let account = self.admin.as_deref().and_then(|url| url.split_once("://")?.1.split_once('@'));
        account.and_then(|(account, _)| account.split(':').next()).unwrap_or_default()
    }

    /// How PostgreSQL calls the processes that serve this role here.
    pub fn backends(&self, role: &str) -> Option<(String, String)> {
        (self.engine == Engine::Postgres).then(|| (role.to_owned(), self.database.clone()))
    }

    /// What the server is told. All limits of the number of requests are as high as they go, none is off.
    pub fn environment(&self, listen: SocketAddr, admin: SocketAddr) -> Outcome<Vec<(String, String)>> {
        let most = u32::MAX.to_string();
        let settings = [
            ("PROFILE", "production".to_owned()),
            ("DATA_DIR", self.folder.display().to_string()),
            ("DATABASE_URL", self.server_url()?),
            ("PUBLIC_URL", PUBLIC_URL.into()),
            ("LISTEN", listen.to_string()),
            ("ADMIN_LISTEN", admin.to_string()),
            ("ANONYMOUS_REQUESTS_PER_MINUTE", most.clone()),
            ("SIGN_IN_ATTEMPTS_PER_MINUTE", most.clone()),
            ("USER_POINTS_PER_MINUTE", most.clone()),
            ("WORKSPACE_POINTS_PER_MINUTE", most),
            ("MAX_CONNECTIONS", "20000".into()),
            ("MAX_CONNECTIONS_PER_ADDRESS", "20000".into()),
            ("SOCKETS_PER_USER", "20000".into()),
            ("SHUTDOWN_DELAY_SECONDS", "0".into()),
        ];
        Ok(settings.map(|(name, value)| (format!("PRAXIS_{name}"), value)).into())
    }

    /// The configuration with which the generator fills the site.
    pub fn config(&self) -> Outcome<Config> {
        // The plan keeps its own references: checking each of them takes longer than storing the rows.
        let options = match self.engine {
            Engine::Postgres => "?options[session_replication_role]=replica&options[synchronous_commit]=off",
            Engine::Sqlite => "",
        };
        let variables =
            [("DATA_DIR", self.folder.display().to_string()), ("DATABASE_URL", self.owner_url()? + options)];
        let variables = variables.map(|(name, value)| (format!("PRAXIS_{name}"), value));
        Ok(Config::from_sources(None, variables.into_iter())?)
    }
}

/// The folder of everything that the harness writes: beside the build.
pub fn results() -> Outcome<PathBuf> {
    let folder = binaries()?.parent().ok_or("the binary lies in no build folder")?.join("load");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The folder of the binaries of this build.
pub fn binaries() -> Outcome<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().map(Path::to_path_buf).ok_or("the binary lies in no folder")?)
}
