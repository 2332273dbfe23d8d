//! `praxis user`.

use std::io::Read;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use secrecy::SecretString;

use super::start::start;
use super::{Outcome, terminal, workspace};
use crate::access::actor::Actor;
use crate::access::password::PasswordError;
use crate::app::App;
use crate::config::Config;
use crate::error::Error;
use crate::graphql::input::is_email;
use crate::id::{MembershipId, WorkspaceId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::member::commands::{NewAccount, add_account};
use crate::member::entity::Role;

#[derive(Subcommand)]
pub enum Command {
    /// Creates an account with a place in a workspace
    Create {
        #[arg(long)]
        email: String,
        /// The person's name
        #[arg(long)]
        name: String,
        /// The short name of the workspace
        #[arg(long, value_name = "SLUG")]
        workspace: String,
        #[arg(long, value_enum, ignore_case = true)]
        role: RoleName,
        /// Reads the password from the standard input: it stays out of the shell's history
        #[arg(long, required = true)]
        password_stdin: bool,
    },
}

/// The roles of accounts that an operator makes.
#[derive(Clone, Copy, ValueEnum)]
pub enum RoleName {
    Owner,
    Admin,
    Doctor,
    Nurse,
    LabTech,
    Staff,
    Researcher,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Owner => Self::Owner,
            RoleName::Admin => Self::Admin,
            RoleName::Doctor => Self::Doctor,
            RoleName::Nurse => Self::Nurse,
            RoleName::LabTech => Self::LabTech,
            RoleName::Staff => Self::Staff,
            RoleName::Researcher => Self::Researcher,
        }
    }
}

pub async fn run(config: Config, command: Command) -> Outcome {
    let Command::Create { email, name, workspace, role, password_stdin: _ } = command;
    if !is_email(&email) {
        return Err("this is not an e-mail address".into());
    }
    let mut password = String::new();
    std::io::stdin().read_to_string(&mut password)?;
    let password = SecretString::from(password.trim_end_matches(['\r', '\n']).to_owned());

    let started = start(config).await?;
    let app = &started.app;
    let workspace = workspace::require(app, &workspace).await?;
    let words = vec![email.clone(), name.clone()];
    let hash = match app.passwords.hash_new(password, words).await {
        Err(PasswordError::Refused(problems)) => {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            return Err(format!("the password is not good enough: {}", problems.join("; ")).into());
        }
        hashed => hashed?,
    };
    let new = NewAccount { email, name, role: role.into(), password_hash: Some(hash) };
    let member = create(app, workspace, &new).await?;
    app.db.close().await;
    terminal::print(&member.to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// Creates the account on the operator's behalf.
async fn create(app: &App, workspace: WorkspaceId, new: &NewAccount) -> Result<MembershipId, Error> {
    let actor = &Actor::system(workspace, "user");
    app.write(actor, move |unit| async move {
        let added = add_account(&unit, new).await?;
        if !added.new_account {
            // Somebody else may have signed up with this address; whoever owns it proves that by an invitation.
            return Err(Error::conflict("An account with this address exists. Invite it instead."));
        }
        unit.record(Event::by(actor, AuditKind::Write, "member.added").on(added.row.id));
        Ok(added.row.id)
    })
    .await
}
