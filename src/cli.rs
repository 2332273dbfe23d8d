//! The command line.

mod audit;
mod healthcheck;
mod import;
mod migrate;
mod serve;
mod start;
mod terminal;
mod user;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;

/// A GraphQL API server for healthcare practices.
#[derive(Parser)]
#[command(name = "praxis", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the API
    Serve(serve::Args),
    /// Builds the database's tables, or takes them down
    #[command(subcommand)]
    Migrate(migrate::Command),
    /// Prints the GraphQL schema
    Schema,
    /// Prints which role has which permission
    Permissions,
    /// Reads records of other systems
    #[command(subcommand)]
    Import(import::Command),
    /// Lists and creates workspaces
    #[command(subcommand)]
    Workspace(workspace::Command),
    /// Creates accounts
    #[command(subcommand)]
    User(user::Command),
    /// Checks the audit trail
    #[command(subcommand)]
    Audit(audit::Command),
    /// Prints the configuration in force, without secrets
    Config,
    /// Asks the running server whether it is ready
    Healthcheck,
}

/// What a command comes to; an error is printed with its causes.
type Outcome = Result<ExitCode, Box<dyn std::error::Error + Send + Sync>>;

/// Runs a command.
pub async fn run(cli: Cli) -> ExitCode {
    match dispatch(cli.command).await {
        Ok(code) => code,
        Err(error) => {
            terminal::complain(&error.to_string());
            let mut cause = error.source();
            while let Some(error) = cause {
                terminal::complain(&format!("  because: {error}"));
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(command: Command) -> Outcome {
    let config = Config::load()?;
    crate::telemetry::init(config.profile);
    match command {
        Command::Serve(args) => serve::run(config, args).await,
        Command::Migrate(command) => migrate::run(&config, command).await,
        Command::Schema => {
            terminal::print(crate::graphql::sdl(&config).trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Permissions => {
            terminal::print(crate::access::permission::document().trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Import(command) => import::run(config, command).await,
        Command::Workspace(command) => workspace::run(config, command).await,
        Command::User(command) => user::run(config, command).await,
        Command::Audit(command) => audit::run(config, command).await,
        Command::Config => {
            terminal::print(config.redacted().trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Healthcheck => healthcheck::run(&config).await,
    }
}
