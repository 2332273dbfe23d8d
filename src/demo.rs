//! The demo: a practice with people and a month of appointments, and a second one that shows that neither sees
//! the other.

mod calendar;
mod people;
mod practice;

use std::io::{self, Write};
use std::path::Path;

use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::access::actor::Actor;
use crate::access::scope::find_global;
use crate::access::secret::SecretToken;
use crate::app::App;
use crate::config::Config;
use crate::db::Scope;
use crate::error::{Error, Result};
use crate::id::{TypedId, WorkspaceId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::member::entity::Role;
use crate::workspace::commands::{self, NewWorkspace};
use crate::workspace::entity::{self as workspace, WorkspaceKind};
use people::{ACCOUNTS, Account, SOUTH};
use sea_orm::{ColumnTrait, QueryFilter};

const SLUG: &str = "demo";
const SOUTH_SLUG: &str = "demo-south";
const TIMEZONE: chrono_tz::Tz = chrono_tz::Europe::Berlin;

/// The demo's accounts, with their one password.
pub struct Accounts {
    password: Zeroizing<String>,
}

/// Fills the two demo workspaces, unless they are there.
pub async fn fill(app: &App) -> Result<Accounts> {
    let file = app.config.data_dir.join("demo-password");
    if !file.exists() && exists(app, SLUG).await? {
        let what = format!("the demo is there, but the file with its password, {}, is not", file.display());
        return Err(Error::conflict(what));
    }
    let password = password(&file).map_err(Error::internal)?;
    for slug in [SLUG, SOUTH_SLUG] {
        if !exists(app, slug).await? {
            let secret = SecretString::from(password.as_str().to_owned());
            let hash = app.passwords.hash(secret).await.map_err(Error::internal)?;
            create(app, slug, &hash).await?;
        }
    }
    Ok(Accounts { password })
}

impl Accounts {
    /// What the person who started the demo needs to know.
    pub fn welcome(&self, config: &Config) -> String {
        let page = format!("{}/graphiql", config.public_url);
        let accounts = ACCOUNTS.iter().chain(&[SOUTH]).map(|Account { email, role, .. }| {
            let role = format!("{role:?}");
            format!("  {role:<11} {email:<26} {page}#email={email}&password={}\n", self.password.as_str())
        });
        format!(
            "\nPraxis demo: {page}\n\n{}\n  The password of all accounts: {}\n  Open a link and press Sign in. {} sees \
             another practice.\n",
            accounts.collect::<String>(),
            self.password.as_str(),
            SOUTH.email,
        )
    }
}

async fn exists(app: &App, slug: &str) -> Result<bool> {
    let tx = app.db.begin_read(Scope::default()).await?;
    // Global: whether there is such a workspace at all.
    let found = find_global::<workspace::Entity>().filter(workspace::Column::Slug.eq(slug)).one(&tx).await?;
    tx.rollback().await?;
    Ok(found.is_some())
}

/// One workspace with everything in it, in one transaction: an interrupted start leaves nothing half filled.
async fn create(app: &App, slug: &str, password_hash: &str) -> Result<()> {
    let id = WorkspaceId::new(&app.clock);
    let actor = &Actor::system(id, "demo");
    app.write_global(Scope::workspace(id), move |unit| async move {
        let name = if slug == SLUG { "Demo Practice" } else { "Demo Practice South" };
        let new = NewWorkspace {
            name: name.into(),
            slug: slug.into(),
            kind: WorkspaceKind::Clinic,
            timezone: TIMEZONE.name().into(),
            currency: "EUR".into(),
            locale: "en".into(),
        };
        commands::create(app, &unit, id, &new).await?;
        unit.record(Event::by(actor, AuditKind::Write, "workspace.created").on(id));
        if slug == SOUTH_SLUG {
            people::add_account(&unit, actor, &SOUTH, None, password_hash).await?;
            return Ok(());
        }
        let practice = practice::build(&unit).await?;
        let patients = people::add_patients(app, &unit, actor).await?;
        let mut doctor = None;
        for account in &ACCOUNTS {
            let chart = patients.first().filter(|_| account.role == Role::Patient).copied();
            let member = people::add_account(&unit, actor, account, chart, password_hash).await?;
            if account.role == Role::Doctor {
                doctor = Some(member);
            }
        }
        let mut doctors: Vec<_> = doctor.into_iter().collect();
        doctors.extend(people::add_colleagues(&unit).await?);
        practice::add_schedules(&unit, &doctors, &practice).await?;
        practice::add_exceptions(&unit, &doctors).await?;
        calendar::fill(app, &unit, actor, &practice, &doctors, &patients).await
    })
    .await
}

/// The password of the data folder's demo: made once, readable by the folder's owner only.
fn password(file: &Path) -> io::Result<Zeroizing<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => return Ok(Zeroizing::new(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // 120 random bits, without letters that a terminal would break a link at.
    let token = SecretToken::generate();
    let letters = token.expose().chars().filter(char::is_ascii_alphanumeric);
    let password: Zeroizing<String> = Zeroizing::new(letters.take(20).collect());
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(file)?;
    file.write_all(password.as_bytes())?;
    file.sync_all()?;
    Ok(password)
}
