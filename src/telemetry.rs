//! The process's log: to the standard error stream, as text or, in production, as JSON.

use std::backtrace::Backtrace;
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::Profile;

/// What is logged when `RUST_LOG` does not say.
const DEFAULT: &str = "info,sqlx=warn,sea_orm_migration=warn";

/// Starts logging, of panics too: where they happen, not their text, which may hold anything. A second call changes nothing.
pub fn init(profile: Profile) {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, backtrace = %Backtrace::capture(), "a panic");
    }));
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A logger that is set already stays: then somebody else logs for this process.
    let _ = match profile {
        Profile::Production => log.json().try_init(),
        Profile::Development => log.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
}
