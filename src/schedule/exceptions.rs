//! What can be done to dated exceptions. Each command reads: permit, load, decide, write, audit.

use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use super::commands::{permit, require_colleague, zone_of};
use super::exception::{self, Model};
use super::input::{
    CreateScheduleExceptionInput, DeleteScheduleExceptionInput, UpdateScheduleExceptionInput,
};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, IdempotencyKey, UnitOfWork};
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::id::ScheduleExceptionId;
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;

pub async fn create(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &CreateScheduleExceptionInput,
) -> Result<ScheduleExceptionId> {
    permit(actor, input.practitioner_id)?;

    app.write_once(actor, key, move |unit| async move {
        if let Some(practitioner) = input.practitioner_id {
            require_colleague(&unit, actor, practitioner).await?;
        }
        let timezone = zone_of(&unit, actor, input.location_id, input.timezone.as_deref()).await?;
        let id = unit.id::<ScheduleExceptionId>();
        let row = unit.insert(input.row(id, timezone)?).await?;

        unit.record(told(actor, "schedule_exception.created", &row));
        Ok(id)
    })
    .await
}

pub async fn update(app: &App, actor: &Actor, input: &UpdateScheduleExceptionInput) -> Result<()> {
    actor.require(Permission::ManageOwnSchedule)?;

    app.write(actor, move |unit| async move {
        let before = require(&unit, actor, input.id).await?;
        permit(actor, before.practitioner_id)?;
        expect_version(before.version, input.expected_version)?;
        zone_of(&unit, actor, input.location_id.value().copied(), Some("")).await?;

        let row = unit.update(input.apply(before.into_active_model())?).await?;

        unit.record(told(actor, "schedule_exception.updated", &row));
        Ok(())
    })
    .await
}

pub async fn delete(app: &App, actor: &Actor, input: &DeleteScheduleExceptionInput) -> Result<()> {
    actor.require(Permission::ManageOwnSchedule)?;

    app.write(actor, move |unit| async move {
        let row = require(&unit, actor, input.id).await?;
        permit(actor, row.practitioner_id)?;
        expect_version(row.version, input.expected_version)?;

        exception::Entity::delete_many()
            .filter(exception::Column::WorkspaceId.eq(actor.workspace))
            .filter(exception::Column::Id.eq(row.id))
            .exec(&**unit)
            .await?;

        unit.record(told(actor, "schedule_exception.deleted", &row));
        Ok(())
    })
    .await
}

/// The exception for a change, or `NotFound`.
async fn require(unit: &UnitOfWork, actor: &Actor, id: ScheduleExceptionId) -> Result<Model> {
    let found = actor.find::<exception::Entity>().filter(exception::Column::Id.eq(id)).one(&**unit).await?;
    found.ok_or(Error::NotFound)
}

fn told(actor: &Actor, action: &'static str, row: &Model) -> Event {
    let event = Event::by(actor, AuditKind::Write, action).on(row.id);
    match row.practitioner_id {
        Some(id) => event.with("practitioner", id.to_string()),
        None => event,
    }
}
