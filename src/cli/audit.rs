//! `praxis audit`.

use std::process::ExitCode;

use clap::Subcommand;

use super::start::start;
use super::{Outcome, terminal, workspace};
use crate::config::Config;
use crate::journal::event::SYSTEM_CHAIN;
use crate::journal::verify::{Break, verify};

#[derive(Subcommand)]
pub enum Command {
    /// Checks that the audit trail stands as it was written
    Verify {
        /// The short name of one workspace; without it all are checked, and the system's own trail
        #[arg(long, value_name = "SLUG")]
        workspace: Option<String>,
    },
}

pub async fn run(config: Config, command: Command) -> Outcome {
    let Command::Verify { workspace } = command;
    let started = start(config).await?;
    let app = &started.app;
    let chains = match workspace {
        Some(slug) => vec![(workspace::require(app, &slug).await?, slug)],
        None => {
            let all = workspace::all(app).await?.into_iter().map(|it| (it.id, it.slug));
            all.chain([(SYSTEM_CHAIN, "(system)".into())]).collect()
        }
    };
    let mut code = ExitCode::SUCCESS;
    let mut rows = Vec::with_capacity(chains.len());
    for (id, name) in chains {
        let verified = verify(&app.db, id).await?;
        let state = match verified.broken {
            None => "ok".into(),
            Some(broken) => {
                code = ExitCode::FAILURE;
                describe(broken)
            }
        };
        rows.push(vec![name, format!("{} events", verified.events), state]);
    }
    app.db.close().await;
    terminal::print(&terminal::table(&rows))?;
    Ok(code)
}

fn describe(broken: Break) -> String {
    match broken {
        Break::Modified { seq } => format!("BROKEN: event {seq} was modified"),
        Break::Missing { seq } => format!("BROKEN: event {seq} is missing"),
        Break::Misplaced { seq } => format!("BROKEN: event {seq} does not follow the one before it"),
        Break::Truncated { seq, head } => {
            format!("BROKEN: the events from {} to {head} are missing", seq + 1)
        }
        Break::Head { seq } => format!("BROKEN: event {seq} is not the one that was written last"),
    }
}
