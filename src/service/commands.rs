//! What can be done to a service.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, Set};

use super::entity::{self, Model};
use super::equipment;
use super::input::{CreateServiceInput, UpdateServiceInput};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, IdempotencyKey, UnitOfWork};
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::id::{EquipmentId, ServiceEquipmentId, ServiceId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;

/// The most equipment that a service takes up.
const MOST_EQUIPMENT: usize = 20;

pub async fn create(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &CreateServiceInput,
) -> Result<ServiceId> {
    actor.require(Permission::ManagePractice)?;

    app.write_once(actor, key, move |unit| async move {
        let id = unit.id::<ServiceId>();
        unit.insert(input.row(id)?).await.map_err(name_taken)?;
        set_equipment(&unit, actor, id, input.equipment_ids.as_deref()).await?;

        unit.record(Event::by(actor, AuditKind::Write, "service.created").on(id));
        Ok(id)
    })
    .await
}

pub async fn update(app: &App, actor: &Actor, input: &UpdateServiceInput) -> Result<()> {
    actor.require(Permission::ManagePractice)?;

    app.write(actor, move |unit| async move {
        let service = require(&unit, actor, input.id).await?;
        expect_version(service.version, input.expected_version)?;

        unit.update(input.apply(service.into_active_model())?).await.map_err(name_taken)?;
        set_equipment(&unit, actor, input.id, input.equipment_ids.as_deref()).await?;

        unit.record(Event::by(actor, AuditKind::Write, "service.updated").on(input.id));
        Ok(())
    })
    .await
}

/// Says what equipment the service takes up, if that is said.
async fn set_equipment(
    unit: &UnitOfWork,
    actor: &Actor,
    service: ServiceId,
    wanted: Option<&[EquipmentId]>,
) -> Result<()> {
    let Some(wanted) = wanted else { return Ok(()) };
    let wanted: BTreeSet<EquipmentId> = wanted.iter().copied().collect();
    if wanted.len() > MOST_EQUIPMENT {
        return Err(Error::invalid("equipmentIds", format!("At most {MOST_EQUIPMENT} pieces.")));
    }
    let known = actor
        .find::<crate::equipment::entity::Entity>()
        .filter(crate::equipment::entity::Column::Id.is_in(wanted.iter().copied()))
        .filter(crate::equipment::entity::Column::ArchivedAt.is_null())
        .count(&**unit)
        .await?;
    if usize::try_from(known) != Ok(wanted.len()) {
        return Err(Error::invalid("equipmentIds", "Not found."));
    }
    equipment::Entity::delete_many()
        .filter(equipment::Column::WorkspaceId.eq(actor.workspace))
        .filter(equipment::Column::ServiceId.eq(service))
        .exec(&**unit)
        .await?;
    let row = |equipment_id: EquipmentId| equipment::ActiveModel {
        id: Set(unit.id::<ServiceEquipmentId>()),
        service_id: Set(service),
        equipment_id: Set(equipment_id),
        ..Default::default()
    };
    unit.insert_all(wanted.into_iter().map(row).collect()).await
}

/// Archives a service, or brings it back. Doing it twice is doing it once.
pub async fn set_archived(
    app: &App,
    actor: &Actor,
    id: ServiceId,
    version: i32,
    archived: bool,
) -> Result<()> {
    actor.require(Permission::ManagePractice)?;

    app.write(actor, move |unit| async move {
        let service = require(&unit, actor, id).await?;
        if service.archived_at.is_some() == archived {
            return Ok(());
        }
        expect_version(service.version, version)?;

        let mut row = service.into_active_model();
        row.archived_at = Set(archived.then(|| unit.clock().now()));
        unit.update(row).await?;

        let action = if archived { "service.archived" } else { "service.restored" };
        unit.record(Event::by(actor, AuditKind::Write, action).on(id));
        Ok(())
    })
    .await
}

/// The service for a change, or `NotFound`.
pub async fn require(unit: &UnitOfWork, actor: &Actor, id: ServiceId) -> Result<Model> {
    let found = actor.find::<entity::Entity>().filter(entity::Column::Id.eq(id)).one(&**unit).await?;
    found.ok_or(Error::NotFound)
}

fn name_taken(error: Error) -> Error {
    error.on_duplicate("name_key", "name", "Another service has this name.")
}
