//! What can be done to a piece of equipment.

use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, QuerySelect, Set};

use super::entity::{self, Model};
use super::input::{CreateEquipmentInput, UpdateEquipmentInput};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, IdempotencyKey, UnitOfWork};
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::id::{EquipmentId, LocationId, ServiceId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::{location, service};

pub async fn create(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &CreateEquipmentInput,
) -> Result<EquipmentId> {
    actor.require(Permission::ManagePractice)?;

    app.write_once(actor, key, move |unit| async move {
        let id = unit.id::<EquipmentId>();
        let row = input.row(id)?;
        require_location(&unit, actor, input.location_id).await?;
        unit.insert(row).await.map_err(name_taken)?;

        unit.record(Event::by(actor, AuditKind::Write, "equipment.created").on(id));
        Ok(id)
    })
    .await
}

pub async fn update(app: &App, actor: &Actor, input: &UpdateEquipmentInput) -> Result<()> {
    actor.require(Permission::ManagePractice)?;

    app.write(actor, move |unit| async move {
        let equipment = require(&unit, actor, input.id).await?;
        expect_version(equipment.version, input.expected_version)?;

        let row = input.apply(equipment.into_active_model())?;
        require_location(&unit, actor, input.location_id.take()).await?;
        unit.update(row).await.map_err(name_taken)?;

        unit.record(Event::by(actor, AuditKind::Write, "equipment.updated").on(input.id));
        Ok(())
    })
    .await
}

/// Archives a piece of equipment, or brings it back. Doing it twice is doing it once.
pub async fn set_archived(
    app: &App,
    actor: &Actor,
    id: EquipmentId,
    version: i32,
    archived: bool,
) -> Result<()> {
    actor.require(Permission::ManagePractice)?;

    app.write(actor, move |unit| async move {
        let equipment = require(&unit, actor, id).await?;
        if equipment.archived_at.is_some() == archived {
            return Ok(());
        }
        expect_version(equipment.version, version)?;

        if archived && is_needed(&unit, actor, id).await? {
            return Err(Error::conflict("A service in use takes it up."));
        }
        let mut row = equipment.into_active_model();
        row.archived_at = Set(archived.then(|| unit.clock().now()));
        unit.update(row).await?;

        let action = if archived { "equipment.archived" } else { "equipment.restored" };
        unit.record(Event::by(actor, AuditKind::Write, action).on(id));
        Ok(())
    })
    .await
}

/// The equipment for a change, or `NotFound`.
pub async fn require(unit: &UnitOfWork, actor: &Actor, id: EquipmentId) -> Result<Model> {
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

/// Whether a service that is on offer takes it up.
async fn is_needed(unit: &UnitOfWork, actor: &Actor, id: EquipmentId) -> Result<bool> {
    use service::entity::{Column, Entity};
    let links = actor.find::<service::equipment::Entity>();
    let services: Vec<ServiceId> = links
        .filter(service::equipment::Column::EquipmentId.eq(id))
        .select_only()
        .column(service::equipment::Column::ServiceId)
        .into_tuple()
        .all(&**unit)
        .await?;
    let offered =
        actor.find::<Entity>().filter(Column::Id.is_in(services)).filter(Column::ArchivedAt.is_null());
    Ok(offered.one(&**unit).await?.is_some())
}

fn name_taken(error: Error) -> Error {
    error.on_duplicate("name_key", "name", "Another piece of equipment has this name.")
}
