//! The configuration: defaults, an optional TOML file, `PRAXIS_*` variables, in this order. The one place
//! that reads the environment.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::access::password::Cost;
use crate::graphql::document::trusted::{ManifestError, Mode, TrustedDocuments};
use crate::http::network::Network;

/// How strict the server is by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Introspection and GraphiQL are on.
    Development,
    /// Introspection and GraphiQL are off unless switched on.
    Production,
}

/// Everything that can be configured, with its value in force.
#[derive(Clone, Serialize)]
pub struct Config {
    pub profile: Profile,
    pub data_dir: PathBuf,
    /// `sqlite://PATH` or `postgres://…`.
    pub database_url: String,
    /// The owner's connection, for `praxis migrate` on PostgreSQL. The serving role cannot change tables.
    pub migration_database_url: Option<String>,
    /// Of the pool; by default as the engine likes it.
    pub database_connections: Option<u32>,
    pub listen: SocketAddr,
    /// The public address of the server, as `iss` of its tokens and in its links.
    pub public_url: String,
    pub root_keys_file: PathBuf,
    pub token_keys_file: PathBuf,
    /// Whether anybody may create a workspace.
    pub sign_up: bool,
    pub introspection: bool,
    pub graphiql: bool,
    /// Origins that browsers may call from, besides the server's own.
    pub allowed_origins: Vec<String>,
    /// Where health and metrics are served besides; in production the only place for metrics.
    pub admin_listen: Option<SocketAddr>,
    /// Proxies whose word about clients and traces is taken.
    pub trusted_proxies: Vec<Network>,
    /// Which header those proxies tell the client's address in.
    pub forwarded_header: ForwardedHeader,
    pub max_connections: usize,
    pub max_connections_per_address: usize,
    /// How long a server that was told to stop still takes new connections, so that it is taken out of rotation first.
    pub shutdown_delay_seconds: u16,
    #[serde(flatten)]
    pub rate_limits: RateLimits,
    /// What is done with documents that the manifest does not have.
    pub trusted_documents: Mode,
    /// The manifest of trusted documents.
    pub document_manifest: Option<PathBuf>,
    /// What is in it.
    #[serde(skip)]
    pub documents: TrustedDocuments,
    /// Sockets that one user may have open.
    pub sockets_per_user: usize,
    /// `smtp://…` or `smtps://…`; without it, mail goes to a folder.
    pub smtp_url: Option<String>,
    /// The sender of all mail, such as `Praxis <no-reply@praxis.example>`.
    pub mail_from: Option<String>,
    #[serde(skip)]
    pub password_cost: Cost,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

/// How much anybody may do in a minute.
#[derive(Clone, Debug, Serialize)]
pub struct RateLimits {
    /// Whether there are any.
    pub rate_limits: bool,
    /// Requests without a sign-in, from one address.
    pub anonymous_requests_per_minute: NonZeroU32,
    /// Passwords and tokens that are tried, from one address.
    pub sign_in_attempts_per_minute: NonZeroU32,
    /// Cost points of one user.
    pub user_points_per_minute: NonZeroU32,
    /// Cost points of all users of a workspace.
    pub workspace_points_per_minute: NonZeroU32,
}

/// The header that a proxy writes. Only one is read: a client could send the other one through the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    #[default]
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

/// What a file or the environment may say; what it leaves out keeps its default.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    profile: Option<Profile>,
    data_dir: Option<PathBuf>,
    database_url: Option<String>,
    migration_database_url: Option<String>,
    database_connections: Option<u32>,
    listen: Option<SocketAddr>,
    public_url: Option<String>,
    root_keys_file: Option<PathBuf>,
    token_keys_file: Option<PathBuf>,
    sign_up: Option<bool>,
    introspection: Option<bool>,
    graphiql: Option<bool>,
    allowed_origins: Option<Vec<String>>,
    admin_listen: Option<SocketAddr>,
    trusted_proxies: Option<Vec<Network>>,
    forwarded_header: Option<ForwardedHeader>,
    max_connections: Option<usize>,
    max_connections_per_address: Option<usize>,
    shutdown_delay_seconds: Option<u16>,
    rate_limits: Option<bool>,
    anonymous_requests_per_minute: Option<NonZeroU32>,
    sign_in_attempts_per_minute: Option<NonZeroU32>,
    user_points_per_minute: Option<NonZeroU32>,
    workspace_points_per_minute: Option<NonZeroU32>,
    trusted_documents: Option<Mode>,
    document_manifest: Option<PathBuf>,
    sockets_per_user: Option<usize>,
    smtp_url: Option<String>,
    mail_from: Option<String>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{variable}: {problem}")]
    Variable { variable: String, problem: String },
    #[error("{}: {problem}", file.display())]
    File { file: PathBuf, problem: String },
}

const PREFIX: &str = "PRAXIS_";
/// Variables of the build and of the tests, which configure something else.
const NOT_OURS: [&str; 3] = ["PRAXIS_CONFIG", "PRAXIS_WEB", "PRAXIS_TEST_POSTGRES_URL"];

impl Config {
    /// Reads the process's environment and the file named by `PRAXIS_CONFIG`.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn load() -> Result<Self, ConfigError> {
        let file = std::env::var("PRAXIS_CONFIG").ok().map(PathBuf::from);
        Self::from_sources(file.as_deref(), std::env::vars())
    }

    pub fn from_sources(
        file: Option<&Path>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut table = match file {
            Some(file) => {
                let problem = |problem: String| ConfigError::File { file: file.into(), problem };
                let text = std::fs::read_to_string(file).map_err(|error| problem(error.to_string()))?;
                text.parse::<toml::Table>().map_err(|error| problem(error.message().into()))?
            }
            None => toml::Table::new(),
        };
        for (variable, value) in variables {
            if let Some(name) = variable.strip_prefix(PREFIX)
                && !NOT_OURS.contains(&variable.as_str())
            {
                table.insert(name.to_lowercase(), typed(name, &value));
            }
        }
        let settings: Settings = table.try_into().map_err(|error: toml::de::Error| {
            ConfigError::Variable { variable: "configuration".into(), problem: error.message().into() }
        })?;
        let mut config = Self::with_defaults(settings);
        match (config.trusted_documents, &config.document_manifest) {
            (Mode::Off, _) => {}
            (_, None) => {
                return Err(ConfigError::Variable {
                    variable: "PRAXIS_DOCUMENT_MANIFEST".into(),
                    problem: "trusted documents need the manifest that lists them".into(),
                });
            }
            (mode, Some(file)) => {
                let problem = |error: ManifestError| ConfigError::File {
                    file: file.clone(),
                    problem: error.to_string(),
                };
                config.documents = TrustedDocuments::load(mode, file).map_err(problem)?;
            }
        }
        Ok(config)
    }

    fn with_defaults(settings: Settings) -> Self {
        let profile = settings.profile.unwrap_or(Profile::Development);
        let data_dir = settings.data_dir.unwrap_or_else(|| "praxis-data".into());
        let listen = settings.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080)));
        let open = profile == Profile::Development;
        Self {
            database_url: settings
                .database_url
                .unwrap_or_else(|| format!("sqlite://{}", data_dir.join("praxis.db").display())),
            migration_database_url: settings.migration_database_url,
            database_connections: settings.database_connections,
            public_url: settings.public_url.unwrap_or_else(|| own_url(listen)),
            root_keys_file: settings.root_keys_file.unwrap_or_else(|| data_dir.join("root-keys")),
            token_keys_file: settings.token_keys_file.unwrap_or_else(|| data_dir.join("token-keys")),
            sign_up: settings.sign_up.unwrap_or(true),
            introspection: settings.introspection.unwrap_or(open),
            graphiql: settings.graphiql.unwrap_or(open),
            allowed_origins: settings.allowed_origins.unwrap_or_default(),
            admin_listen: settings.admin_listen,
            trusted_proxies: settings.trusted_proxies.unwrap_or_default(),
            forwarded_header: settings.forwarded_header.unwrap_or_default(),
            max_connections: settings.max_connections.unwrap_or(4_096),
            max_connections_per_address: settings.max_connections_per_address.unwrap_or(64),
            shutdown_delay_seconds: settings.shutdown_delay_seconds.unwrap_or(1),
            rate_limits: RateLimits {
                rate_limits: settings.rate_limits.unwrap_or(true),
                anonymous_requests_per_minute: settings
                    .anonymous_requests_per_minute
                    .unwrap_or(per_minute(60)),
                sign_in_attempts_per_minute: settings.sign_in_attempts_per_minute.unwrap_or(per_minute(30)),
                user_points_per_minute: settings.user_points_per_minute.unwrap_or(per_minute(5_000)),
                workspace_points_per_minute: settings
                    .workspace_points_per_minute
                    .unwrap_or(per_minute(50_000)),
            },
            trusted_documents: settings.trusted_documents.unwrap_or_default(),
            document_manifest: settings.document_manifest,
            documents: TrustedDocuments::default(),
            sockets_per_user: settings.sockets_per_user.unwrap_or(10),
            smtp_url: settings.smtp_url,
            mail_from: settings.mail_from,
            password_cost: Cost::STANDARD,
            profile,
            data_dir,
            listen,
        }
    }

    /// Listens elsewhere; the public address follows unless it was configured.
    pub fn set_listen(&mut self, listen: SocketAddr) {
        if self.public_url == own_url(self.listen) {
            self.public_url = own_url(listen);
        }
        self.listen = listen;
    }

    /// What is in force, with secrets left out: for `praxis config`.
    pub fn redacted(&self) -> String {
        let mut shown = self.clone();
        shown.database_url = without_password(&shown.database_url);
        shown.migration_database_url = shown.migration_database_url.as_deref().map(without_password);
        shown.smtp_url = shown.smtp_url.as_deref().map(without_password);
        toml::to_string(&shown).unwrap_or_else(|error| error.to_string())
    }
}

const fn per_minute(points: u32) -> NonZeroU32 {
    NonZeroU32::new(points).expect("a default is not zero")
}

fn own_url(listen: SocketAddr) -> String {
    format!("http://{listen}")
}

/// The value of a variable: what the setting of that name is made of.
fn typed(name: &str, value: &str) -> toml::Value {
    match name {
        "SIGN_UP" | "INTROSPECTION" | "GRAPHIQL" | "RATE_LIMITS" => match value {
            "true" | "on" | "1" => true.into(),
            "false" | "off" | "0" => false.into(),
            other => other.into(),
        },
        "DATABASE_CONNECTIONS"
        | "SOCKETS_PER_USER"
        | "MAX_CONNECTIONS"
        | "MAX_CONNECTIONS_PER_ADDRESS"
        | "SHUTDOWN_DELAY_SECONDS"
        | "ANONYMOUS_REQUESTS_PER_MINUTE"
        | "SIGN_IN_ATTEMPTS_PER_MINUTE"
        | "USER_POINTS_PER_MINUTE"
        | "WORKSPACE_POINTS_PER_MINUTE" => value.parse::<i64>().map_or_else(|_| value.into(), Into::into),
        "ALLOWED_ORIGINS" | "TRUSTED_PROXIES" => value
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(toml::Value::from)
            .collect::<Vec<_>>()
            .into(),
        _ => value.into(),
    }
}

fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, rest)), Some((_, host))) if rest.contains('@') => {
            let user = rest.split([':', '@']).next().unwrap_or_default();
            format!("{scheme}://{user}:***@{host}")
        }
        _ => url.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_sources(None, variables.iter().map(|(name, value)| ((*name).into(), (*value).into())))
    }

    #[test]
    fn nothing_configured_is_an_embedded_database_on_loopback() {
        let config = load(&[]).unwrap();
        assert_eq!(config.database_url, "sqlite://praxis-data/praxis.db");
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert!(config.graphiql && config.introspection);
    }

    #[test]
    fn production_closes_what_development_opens() {
        let config = load(&[("PRAXIS_PROFILE", "production")]).unwrap();
        assert!(!config.graphiql && !config.introspection);
        let config = load(&[("PRAXIS_PROFILE", "production"), ("PRAXIS_GRAPHIQL", "on")]).unwrap();
        assert!(config.graphiql && !config.introspection);
    }

    #[test]
    fn a_misspelt_or_wrong_setting_is_refused() {
        for (name, value) in [
            ("PRAXIS_LISTN", "127.0.0.1:1"),
            ("PRAXIS_LISTEN", "nowhere"),
            ("PRAXIS_SIGN_UP", "perhaps"),
            ("PRAXIS_PROFILE", "staging"),
            ("PRAXIS_DATABASE_CONNECTIONS", "many"),
            ("PRAXIS_USER_POINTS_PER_MINUTE", "0"),
            ("PRAXIS_TRUSTED_PROXIES", "10.0.0.0/8, everybody"),
            ("PRAXIS_FORWARDED_HEADER", "x-real-ip"),
        ] {
            assert!(load(&[(name, value)]).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn limits_and_proxies_are_read_and_shown() {
        let config = load(&[
            ("PRAXIS_RATE_LIMITS", "off"),
            ("PRAXIS_USER_POINTS_PER_MINUTE", "7"),
            ("PRAXIS_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
            ("PRAXIS_FORWARDED_HEADER", "forwarded"),
        ])
        .unwrap();
        assert!(!config.rate_limits.rate_limits);
        assert_eq!(config.forwarded_header, ForwardedHeader::Forwarded);
        let shown = config.redacted();
        for line in ["user_points_per_minute = 7", r#"trusted_proxies = ["10.0.0.0/8", "::1/128"]"#] {
            assert!(shown.contains(line), "{shown}");
        }
    }

    #[test]
    fn a_printed_configuration_has_no_password() {
        let config = load(&[("PRAXIS_DATABASE_URL", "postgres://app:hunter2@db:5432/praxis")]).unwrap();
        let shown = config.redacted();
        assert!(shown.contains("postgres://app:***@db:5432/praxis") && !shown.contains("hunter2"), "{shown}");
        let config = load(&[("PRAXIS_SMTP_URL", "smtps://mailer:hunter2@mail.praxis.example")]).unwrap();
        let shown = config.redacted();
        assert_eq!(format!("{config:?}"), shown);
        assert!(
            shown.contains("smtps://mailer:***@mail.praxis.example") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
