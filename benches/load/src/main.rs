//! The load harness (docs/performance.md): fills both engines with the same data, and measures Praxis beside
//! handlers that are written by hand.
#![expect(clippy::print_stdout, reason = "its figures are its output")]

mod client;
mod drive;
mod generate;
mod import;
mod limit;
mod live;
mod plan;
mod plans;
mod process;
mod queries;
mod random;
mod run;
mod site;
mod table;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use site::{Data, Engine, Site};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures Praxis under load.
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    data: Data,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fills a database, unless it is filled
    Generate {
        #[arg(long)]
        engine: Option<Engine>,
    },
    /// Serves the queries by handlers that are written by hand
    Limit {
        #[arg(long)]
        engine: Engine,
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long, value_delimiter = ',')]
        also: Vec<limit::Also>,
    },
    /// Drives the server and the limit in turn, and prints the table of goals
    Run(run::Options),
    /// Announces bookings to many subscribers
    Live(live::Options),
    /// Looks for tables that a list or a loader reads whole
    Plans {
        #[arg(long)]
        engine: Option<Engine>,
    },
    /// Imports FHIR bundles
    Import(import::Options),
}

fn main() -> ExitCode {
    // As the server's: linked, it stands in for the C library's allocator.
    std::hint::black_box(mimalloc::MiMalloc.version());
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("load: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Outcome<()> {
    let data = &cli.data;
    match cli.command {
        Command::Generate { engine } => generate(&sites(engine, data)?),
        Command::Limit { engine, listen, also } => {
            let site = Site::new(engine, data)?;
            many_threads()?
                .block_on(async { limit::serve(&site, TcpListener::bind(listen).await?, &also).await })
        }
        Command::Run(options) => {
            let sites = sites(options.engine, data)?;
            generate(&sites)?;
            one_thread()?.block_on(run::run(&options, data, &sites))
        }
        Command::Live(options) => {
            let sites = sites(options.engine, data)?;
            generate(&sites)?;
            one_thread()?.block_on(live::run(&options, data, &sites))
        }
        Command::Plans { engine } => {
            let sites = sites(engine, data)?;
            generate(&sites)?;
            many_threads()?.block_on(plans::run(&sites))
        }
        Command::Import(options) => one_thread()?.block_on(import::run(&options)),
    }
}

fn generate(sites: &[Site]) -> Outcome<()> {
    sites.iter().try_for_each(|site| many_threads()?.block_on(generate::generate(site)))
}

fn many_threads() -> Outcome<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// The driver takes no more than one core.
fn one_thread() -> Outcome<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// The site of the engine, or of both.
fn sites(engine: Option<Engine>, data: &Data) -> Outcome<Vec<Site>> {
    let engines = engine.map_or_else(|| vec![Engine::Sqlite, Engine::Postgres], |engine| vec![engine]);
    engines.into_iter().map(|engine| Site::new(engine, data)).collect()
}

fn say(line: &str) {
    println!("{line}");
}
