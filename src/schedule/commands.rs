//! What can be done to weekly schedules. Each command reads: permit, load, decide, write, audit.

use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect};

use super::entity::{self, Model};
use super::input::{CreateWeeklyScheduleInput, DeleteWeeklyScheduleInput, UpdateWeeklyScheduleInput};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, IdempotencyKey, UnitOfWork};
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::graphql::input::Problems;
use crate::id::{DoctorScheduleId, LocationId, MembershipId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::member::entity::Role;
use crate::{location, member, workspace};

pub async fn create(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &CreateWeeklyScheduleInput,
) -> Result<DoctorScheduleId> {
    let practitioner = input.practitioner_id.or(actor.membership);
    permit(actor, practitioner)?;
    let Some(practitioner) = practitioner else {
        return Err(Error::invalid("practitionerId", "Say whose hours these are."));
    };

    app.write_once(actor, key, move |unit| async move {
        require_colleague(&unit, actor, practitioner).await?;
        let timezone = zone_of(&unit, actor, input.location_id, input.timezone.as_deref()).await?;
        let id = unit.id::<DoctorScheduleId>();
        let row = unit.insert(input.row(id, practitioner, timezone)?).await?;
        refuse_overlap(&unit, actor, &row).await?;

        unit.record(told(actor, "schedule.created", &row));
        Ok(id)
    })
    .await
}

pub async fn update(app: &App, actor: &Actor, input: &UpdateWeeklyScheduleInput) -> Result<()> {
    actor.require(Permission::ManageOwnSchedule)?;

    app.write(actor, move |unit| async move {
        let before = require(&unit, actor, input.id).await?;
        permit(actor, Some(before.practitioner_id))?;
        expect_version(before.version, input.expected_version)?;
        require_colleague(&unit, actor, before.practitioner_id).await?;
        zone_of(&unit, actor, input.location_id.value().copied(), Some("")).await?;

        let row = unit.update(input.apply(before.into_active_model())?).await?;
        refuse_overlap(&unit, actor, &row).await?;

        unit.record(told(actor, "schedule.updated", &row));
        Ok(())
    })
    .await
}

pub async fn delete(app: &App, actor: &Actor, input: &DeleteWeeklyScheduleInput) -> Result<()> {
    actor.require(Permission::ManageOwnSchedule)?;

    app.write(actor, move |unit| async move {
        let row = require(&unit, actor, input.id).await?;
        permit(actor, Some(row.practitioner_id))?;
        expect_version(row.version, input.expected_version)?;

        entity::Entity::delete_many()
            .filter(entity::Column::WorkspaceId.eq(actor.workspace))
            .filter(entity::Column::Id.eq(row.id))
            .exec(&**unit)
            .await?;

        unit.record(told(actor, "schedule.deleted", &row));
        Ok(())
    })
    .await
}

/// Everybody with working hours keeps the own ones; those of others take a permission more.
pub fn permit(actor: &Actor, of: Option<MembershipId>) -> Result<()> {
    actor.require(Permission::ManageOwnSchedule)?;
    if of.is_some() && of == actor.membership { Ok(()) } else { actor.require(Permission::ManageSchedules) }
}

/// The member whose hours these are, locked: whoever changes the same hours waits.
pub async fn require_colleague(unit: &UnitOfWork, actor: &Actor, id: MembershipId) -> Result<()> {
    let found = actor
        .find::<member::entity::Entity>()
        .filter(member::entity::Column::Id.eq(id))
        .lock(LockType::NoKeyUpdate)
        .one(&**unit)
        .await?;
    match found {
        None => Err(Error::invalid("practitionerId", "Not found.")),
        Some(member) if member.role == Role::Patient => {
            Err(Error::invalid("practitionerId", "A patient has no working hours."))
        }
        Some(_) => Ok(()),
    }
}

/// The zone that was named, or the location's, or the practice's. The location must be one of the practice.
pub async fn zone_of(
    unit: &UnitOfWork,
    actor: &Actor,
    at: Option<LocationId>,
    named: Option<&str>,
) -> Result<String> {
    let location = match at {
        Some(id) => match location::commands::require(unit, actor, id).await {
            Err(Error::NotFound) => return Err(Error::invalid("locationId", "Not found.")),
            found => Some(found?),
        },
        None => None,
    };
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    match location.and_then(|location| location.timezone) {
        Some(timezone) => Ok(timezone),
        None => Ok(workspace::queries::require(&**unit, actor.workspace).await?.timezone),
    }
}

/// No two entries of a practitioner overlap on the same clock while both hold.
async fn refuse_overlap(unit: &UnitOfWork, actor: &Actor, row: &Model) -> Result<()> {
    let others = actor
        .find::<entity::Entity>()
        .filter(entity::Column::PractitionerId.eq(row.practitioner_id))
        .filter(entity::Column::Weekday.eq(row.weekday))
        .filter(entity::Column::Timezone.eq(row.timezone.as_str()))
        .filter(entity::Column::Id.ne(row.id))
        .filter(entity::Column::StartsMinute.lt(row.ends_minute))
        .filter(entity::Column::EndsMinute.gt(row.starts_minute))
        .all(&**unit)
        .await?;
    let mut problems = Problems::default();
    if others.iter().any(|other| hold_together(row, other)) {
        problems.add("startTime", "Another entry of the practitioner overlaps with this one.");
    }
    problems.ok()
}

/// Whether there can be a day on which both hold.
fn hold_together(one: &Model, other: &Model) -> bool {
    let before = |until: Option<chrono::NaiveDate>, from: Option<chrono::NaiveDate>| {
        until.zip(from).is_some_and(|(until, from)| until < from)
    };
    !before(one.valid_until, other.valid_from) && !before(other.valid_until, one.valid_from)
}

/// The entry for a change, or `NotFound`.
async fn require(unit: &UnitOfWork, actor: &Actor, id: DoctorScheduleId) -> Result<Model> {
    let found = actor.find::<entity::Entity>().filter(entity::Column::Id.eq(id)).one(&**unit).await?;
    found.ok_or(Error::NotFound)
}

fn told(actor: &Actor, action: &'static str, row: &Model) -> Event {
    Event::by(actor, AuditKind::Write, action)
        .on(row.id)
        .with("practitioner", row.practitioner_id.to_string())
}
