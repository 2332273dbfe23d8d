//! What can be done to a workspace.

use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};

use super::entity::{self, Model, WorkspaceKind, WorkspaceStatus};
use super::input::{UpdateWorkspaceInput, check_currency, check_locale, check_slug, check_timezone};
use crate::access::actor::{Actor, RequestInfo};
use crate::access::commands::session;
use crate::access::permission::Permission;
use crate::access::scope::find_global;
use crate::access::sessions::Identity;
use crate::app::{App, UnitOfWork};
use crate::db::Scope;
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::graphql::input::Problems;
use crate::id::WorkspaceId;
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;

/// A workspace to be created.
#[derive(Clone, Debug)]
pub struct NewWorkspace {
    pub name: String,
    /// Its short name in addresses and on the command line: lower case, digits and hyphens.
    pub slug: String,
    pub kind: WorkspaceKind,
    /// IANA name of its time zone.
    pub timezone: String,
    pub currency: String,
    pub locale: String,
}

impl NewWorkspace {
    /// Judges everything but whether the short name is free. An empty one is still to be made.
    pub fn check(&self, problems: &mut Problems, name_field: &str) {
        problems.text(name_field, &self.name, 255);
        if !self.slug.is_empty() {
            check_slug(problems, "workspaceSlug", &self.slug);
        }
        check_timezone(problems, "timezone", &self.timezone);
        check_currency(problems, "currency", &self.currency);
        check_locale(problems, "locale", &self.locale);
    }
}

/// Creates a workspace with its key. The unit of work must already be scoped to the new id.
pub async fn create(app: &App, unit: &UnitOfWork, id: WorkspaceId, new: &NewWorkspace) -> Result<Model> {
    let row = entity::ActiveModel {
        id: Set(id),
        slug: Set(new.slug.clone()),
        name: Set(new.name.trim().into()),
        kind: Set(new.kind),
        status: Set(WorkspaceStatus::Active),
        timezone: Set(new.timezone.clone()),
        locale: Set(new.locale.clone()),
        currency: Set(new.currency.clone()),
        ..Default::default()
    };
    let workspace = unit.insert(row).await.map_err(slug_taken)?;
    app.keys.create_workspace_key(unit, id).await?;
    Ok(workspace)
}

pub async fn update(app: &App, actor: &Actor, input: &UpdateWorkspaceInput) -> Result<()> {
    actor.require(Permission::ManageWorkspace)?;

    app.write(actor, move |unit| async move {
        let workspace = require(&unit, actor.workspace).await?;
        expect_version(workspace.version, input.expected_version)?;

        unit.update(input.apply(workspace.into_active_model())?).await?;

        unit.record(Event::by(actor, AuditKind::Write, "workspace.updated").on(actor.workspace));
        Ok(())
    })
    .await
}

/// Closes a workspace until further notice, or opens it again; for the platform's operators. Doing it twice is
/// doing it once. Its members' sign-ins stop at once on this node, within five seconds on the others, and work
/// again afterwards.
pub async fn set_suspended(
    app: &App,
    operator: &Identity,
    request: &RequestInfo,
    id: WorkspaceId,
    suspension: Option<&str>,
) -> Result<()> {
    if !operator.platform_admin {
        return Err(Error::Forbidden);
    }

    app.write_global(Scope::workspace(id), move |unit| async move {
        let workspace = require(&unit, id).await?;
        let (status, action) = match suspension {
            Some(_) => (WorkspaceStatus::Suspended, "workspace.suspended"),
            None => (WorkspaceStatus::Active, "workspace.reactivated"),
        };
        match workspace.status {
            WorkspaceStatus::Deleted => return Err(Error::NotFound),
            same if same == status => return Ok(()),
            _ => {}
        }

        let mut row = workspace.into_active_model();
        row.status = Set(status);
        row.suspended_reason = Set(suspension.map(Into::into));
        unit.update(row).await?;

        // The operator is no member here, whatever workspace they are signed in to.
        let mut event = session::event_of(request, Some(operator.user), None, None, AuditKind::Write, action);
        event.session = Some(operator.session);
        unit.record(event.on(id));
        Ok(())
    })
    .await?;
    app.sessions.forget_all();
    Ok(())
}

/// The workspace for a change. Workspaces are a global table: the id comes from the actor or an operator.
async fn require(unit: &UnitOfWork, id: WorkspaceId) -> Result<Model> {
    let found = find_global::<entity::Entity>().filter(entity::Column::Id.eq(id)).one(&**unit).await?;
    found.ok_or(Error::NotFound)
}

fn slug_taken(error: Error) -> Error {
    error.on_duplicate("slug", "workspaceSlug", "Another workspace has this short name.")
}
