//! What can be done to a service.

use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};

use super::entity::{self, Model};
use super::input::{CreateServiceInput, UpdateServiceInput};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, IdempotencyKey, UnitOfWork};
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::id::ServiceId;
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;

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

        unit.record(Event::by(actor, AuditKind::Write, "service.updated").on(input.id));
        Ok(())
    })
    .await
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
