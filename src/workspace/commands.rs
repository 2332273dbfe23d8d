//! What can be done to a workspace.

use sea_orm::Set;

use super::entity::{self, Model, WorkspaceKind, WorkspaceStatus};
use crate::app::{App, UnitOfWork};
use crate::error::{Error, Result};
use crate::id::WorkspaceId;

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

fn slug_taken(error: Error) -> Error {
    error.on_duplicate("slug", "workspaceSlug", "Another workspace has this short name.")
}
