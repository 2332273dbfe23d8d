//! What can be done to a location.

use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};

use super::entity::{self, Model};
use super::input::{CreateLocationInput, UpdateLocationInput};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, IdempotencyKey, UnitOfWork};
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::id::LocationId;
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;

pub async fn create(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &CreateLocationInput,
) -> Result<LocationId> {
    actor.require(Permission::ManagePractice)?;

    app.write_once(actor, key, move |unit| async move {
        let id = unit.id::<LocationId>();
        unit.insert(input.row(id)?).await.map_err(taken)?;

        unit.record(Event::by(actor, AuditKind::Write, "location.created").on(id));
        Ok(id)
    })
    .await
}

pub async fn update(app: &App, actor: &Actor, input: &UpdateLocationInput) -> Result<()> {
    actor.require(Permission::ManagePractice)?;

    app.write(actor, move |unit| async move {
        let location = require(&unit, actor, input.id).await?;
        expect_version(location.version, input.expected_version)?;

        unit.update(input.apply(location.into_active_model())?).await.map_err(taken)?;

        unit.record(Event::by(actor, AuditKind::Write, "location.updated").on(input.id));
        Ok(())
    })
    .await
}

/// Archives a location, or brings it back. Doing it twice is doing it once.
pub async fn set_archived(
    app: &App,
    actor: &Actor,
    id: LocationId,
    version: i32,
    archived: bool,
) -> Result<()> {
    actor.require(Permission::ManagePractice)?;

    app.write(actor, move |unit| async move {
        let location = require(&unit, actor, id).await?;
        if location.archived_at.is_some() == archived {
            return Ok(());
        }
        expect_version(location.version, version)?;

        let mut row = location.into_active_model();
        row.archived_at = Set(archived.then(|| unit.clock().now()));
        unit.update(row).await?;

        let action = if archived { "location.archived" } else { "location.restored" };
        unit.record(Event::by(actor, AuditKind::Write, action).on(id));
        Ok(())
    })
    .await
}

/// The location for a change, or `NotFound`.
pub async fn require(unit: &UnitOfWork, actor: &Actor, id: LocationId) -> Result<Model> {
    let found = actor.find::<entity::Entity>().filter(entity::Column::Id.eq(id)).one(&**unit).await?;
    found.ok_or(Error::NotFound)
}

fn taken(error: Error) -> Error {
    error.on_duplicate("name_key", "name", "Another location has this name.").on_duplicate(
        "external_id",
        "externalId",
        "Another location has this external id.",
    )
}
