//! What can be done to a room.

use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};

use super::entity::{self, Model};
use super::input::{CreateRoomInput, UpdateRoomInput};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, IdempotencyKey, UnitOfWork};
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::id::{LocationId, RoomId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::location;

pub async fn create(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &CreateRoomInput,
) -> Result<RoomId> {
    actor.require(Permission::ManagePractice)?;

    app.write_once(actor, key, move |unit| async move {
        let id = unit.id::<RoomId>();
        let row = input.row(id)?;
        require_location(&unit, actor, input.location_id).await?;
        unit.insert(row).await.map_err(name_taken)?;

        unit.record(Event::by(actor, AuditKind::Write, "room.created").on(id));
        Ok(id)
    })
    .await
}

pub async fn update(app: &App, actor: &Actor, input: &UpdateRoomInput) -> Result<()> {
    actor.require(Permission::ManagePractice)?;

    app.write(actor, move |unit| async move {
        let room = require(&unit, actor, input.id).await?;
        expect_version(room.version, input.expected_version)?;

        let row = input.apply(room.into_active_model())?;
        require_location(&unit, actor, input.location_id.take()).await?;
        unit.update(row).await.map_err(name_taken)?;

        unit.record(Event::by(actor, AuditKind::Write, "room.updated").on(input.id));
        Ok(())
    })
    .await
}

/// Archives a room, or brings it back. Doing it twice is doing it once.
pub async fn set_archived(app: &App, actor: &Actor, id: RoomId, version: i32, archived: bool) -> Result<()> {
    actor.require(Permission::ManagePractice)?;

    app.write(actor, move |unit| async move {
        let room = require(&unit, actor, id).await?;
        if room.archived_at.is_some() == archived {
            return Ok(());
        }
        expect_version(room.version, version)?;

        let mut row = room.into_active_model();
        row.archived_at = Set(archived.then(|| unit.clock().now()));
        unit.update(row).await?;

        let action = if archived { "room.archived" } else { "room.restored" };
        unit.record(Event::by(actor, AuditKind::Write, action).on(id));
        Ok(())
    })
    .await
}

/// The room for a change, or `NotFound`.
pub async fn require(unit: &UnitOfWork, actor: &Actor, id: RoomId) -> Result<Model> {
    let found = actor.find::<entity::Entity>().filter(entity::Column::Id.eq(id)).one(&**unit).await?;
    found.ok_or(Error::NotFound)
}

/// The location that the input names is one of this workspace.
async fn require_location(unit: &UnitOfWork, actor: &Actor, id: Option<LocationId>) -> Result<()> {
    let Some(id) = id else { return Ok(()) };
    match location::commands::require(unit, actor, id).await {
        Err(Error::NotFound) => Err(Error::invalid("locationId", "Not found.")),
        found => found.map(|_| ()),
    }
}

fn name_taken(error: Error) -> Error {
    error.on_duplicate("name_key", "name", "Another room has this name.")
}
