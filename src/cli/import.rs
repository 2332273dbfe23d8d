//! `praxis import`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::start::start;
use super::{Outcome, terminal, workspace};
use crate::access::actor::Actor;
use crate::app::App;
use crate::config::Config;
use crate::fhir::load::Import;
use crate::fhir::{Outcome as Fate, Problem, Report, read_file};
use crate::id::WorkspaceId;

/// The first words of the names of files that others refer to.
const FIRST: [&str; 2] = ["hospitalInformation", "practitionerInformation"];

#[derive(Subcommand)]
pub enum Command {
    /// Loads FHIR R4 files: patients, practitioners, places and encounters
    Fhir {
        /// A file, or a folder of .json, .ndjson and .jsonl files
        path: PathBuf,
        /// The short name of the workspace
        #[arg(long, value_name = "SLUG")]
        workspace: String,
    },
}

pub async fn run(config: Config, command: Command) -> Outcome {
    let Command::Fhir { path, workspace } = command;
    let files = files(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    if files.is_empty() {
        return Err(format!("{} has no .json, .ndjson or .jsonl file", path.display()).into());
    }
    let started = start(config).await?;
    let app = &started.app;
    let workspace = workspace::require(app, &workspace).await?;
    let mut report = load(app, workspace, files).await?;
    app.db.close().await;

    let failed = report.total().failed > 0 || report.problems.iter().any(|problem| problem.entry.is_none());
    let problems = std::mem::take(&mut report.problems);
    let omitted = std::mem::take(&mut report.problems_omitted);
    terminal::print(report.table().trim_end())?;
    for Problem { file, entry, reason } in problems {
        let file = printable(&file);
        terminal::complain(&match entry {
            Some(entry) => format!("{file}, {entry}: {reason}"),
            None => format!("{file}: {reason}"),
        });
    }
    if omitted > 0 {
        terminal::complain(&format!("and {omitted} problems more"));
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn load(
    app: &App,
    workspace: WorkspaceId,
    files: Vec<PathBuf>,
) -> Result<Report, Box<dyn std::error::Error + Send + Sync>> {
    let actor = Actor::system(workspace, "import");
    let progress = progress(files.len());
    let (mut import, mut report) = (Import::default(), Report::default());
    for file in files {
        let name = file.display().to_string();
        let batch = tokio::task::spawn_blocking(move || read_file(&file)).await?;
        match import.load(app, &actor, &name, &batch).await {
            Ok(of_file) => report.merge(of_file),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a file could not be stored");
                let mut of_file = batch.report;
                let records = [
                    ("Location", batch.locations.len()),
                    ("Practitioner", batch.practitioners.len()),
                    ("Patient", batch.patients.len()),
                    ("Encounter", batch.encounters.len()),
                ];
                for (name, count) in records {
                    (0..count).for_each(|_| of_file.count(name, Fate::Failed));
                }
                let reason = "could not be stored; nothing of it was (the log says why)".into();
                of_file.problem(Problem { file: name, entry: None, reason });
                report.merge(of_file);
            }
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(report)
}

/// A bar for a person who waits; nothing where nobody looks.
fn progress(files: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(files as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The files in the order of their names, those before all others that others refer to.
fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let extension = file.extension().map(|it| it.to_string_lossy().to_lowercase());
        if extension.is_some_and(|it| ["json", "ndjson", "jsonl"].contains(&it.as_str())) && file.is_file() {
            files.push(file);
        }
    }
    files.sort_by_key(|file| {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let rank = FIRST.iter().position(|first| name.starts_with(first)).unwrap_or(FIRST.len());
        (rank, name)
    });
    Ok(files)
}

/// A file's name is chosen by others; it must not steer the terminal.
fn printable(name: &str) -> String {
    name.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}
