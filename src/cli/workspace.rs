//! `praxis workspace`.

use std::process::ExitCode;

use clap::Subcommand;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder};

use super::start::start;
use super::{Outcome, terminal};
use crate::access::actor::RequestInfo;
use crate::access::scope::find_global;
use crate::app::App;
use crate::config::Config;
use crate::db::Scope;
use crate::error::Error;
use crate::graphql::input::Problems;
use crate::id::{TypedId, WorkspaceId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::workspace::commands::{self, NewWorkspace};
use crate::workspace::entity::{self, WorkspaceKind};

#[derive(Subcommand)]
pub enum Command {
    /// Lists the workspaces
    List,
    /// Creates a workspace; its first account is made with `praxis user create`
    Create {
        /// Its short name: lower-case letters, digits and hyphens
        #[arg(long)]
        slug: String,
        /// Its name
        #[arg(long)]
        name: String,
        /// IANA name of its time zone
        #[arg(long, default_value = "UTC")]
        timezone: String,
        /// ISO 4217 code of its currency
        #[arg(long, default_value = "EUR")]
        currency: String,
        /// BCP 47 tag of its language
        #[arg(long, default_value = "en")]
        locale: String,
    },
}

pub async fn run(config: Config, command: Command) -> Outcome {
    let started = start(config).await?;
    let app = &started.app;
    let said = match command {
        Command::List => list(app).await?,
        Command::Create { slug, name, timezone, currency, locale } => {
            let new = NewWorkspace { name, slug, kind: WorkspaceKind::Clinic, timezone, currency, locale };
            let mut problems = Problems::default();
            new.check(&mut problems, "name");
            problems.ok().map_err(in_words)?;
            create(app, &new).await.map_err(in_words)?.to_string()
        }
    };
    app.db.close().await;
    terminal::print(&said)?;
    Ok(ExitCode::SUCCESS)
}

/// Creates a workspace on the operator's behalf.
pub async fn create(app: &App, new: &NewWorkspace) -> Result<WorkspaceId, Error> {
    let id = WorkspaceId::new(&app.clock);
    let request = RequestInfo { id: "task:workspace".into(), ..RequestInfo::default() };
    let request = &request;
    app.write_global(Scope::workspace(id), move |unit| async move {
        commands::create(app, &unit, id, new).await?;
        unit.record(Event::anonymous(request, AuditKind::Write, "workspace.created").on(id));
        Ok(id)
    })
    .await
}

/// The workspace with this short name.
pub async fn by_slug(app: &App, slug: &str) -> Result<Option<entity::Model>, Error> {
    let tx = app.db.begin_read(Scope::default()).await?;
    // Global: the operator names a workspace before there is one to act in.
    let found = find_global::<entity::Entity>().filter(entity::Column::Slug.eq(slug)).one(&tx).await?;
    tx.rollback().await?;
    Ok(found)
}

/// The same, or why not.
pub async fn require(app: &App, slug: &str) -> Result<WorkspaceId, Box<dyn std::error::Error + Send + Sync>> {
    let found = by_slug(app, slug).await?;
    let found =
        found.ok_or_else(|| format!("there is no workspace \"{slug}\"; see `praxis workspace list`"))?;
    Ok(found.id)
}

/// All workspaces, by their short names.
pub async fn all(app: &App) -> Result<Vec<entity::Model>, Error> {
    let tx = app.db.begin_read(Scope::default()).await?;
    // Global: these are the platform's workspaces.
    let all = find_global::<entity::Entity>().order_by_asc(entity::Column::Slug).all(&tx).await?;
    tx.rollback().await?;
    Ok(all)
}

async fn list(app: &App) -> Result<String, Error> {
    let all = all(app).await?;
    let mut rows = vec![vec!["SLUG".into(), "STATUS".into(), "TIME ZONE".into(), "ID".into(), "NAME".into()]];
    rows.extend(all.into_iter().map(|it| {
        vec![it.slug, format!("{:?}", it.status).to_lowercase(), it.timezone, it.id.to_string(), it.name]
    }));
    Ok(terminal::table(&rows))
}

/// Problems of the input as a person at the terminal reads them.
fn in_words(error: Error) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        Error::Invalid(problems) => {
            let words = problems.iter().map(|problem| {
                let field = problem.path.last().map(String::as_str).unwrap_or_default();
                format!("{field}: {}", problem.message)
            });
            words.collect::<Vec<_>>().join("\n").into()
        }
        other => other.into(),
    }
}
