//! What can be done to a patient's chart.

use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};

use super::chart::{self, NewPatient};
use super::entity::{self, Model};
use super::input::{ArchivePatientInput, CreatePatientInput, UpdatePatientInput};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, IdempotencyKey, UnitOfWork};
use crate::consent;
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::id::{MembershipId, PatientId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;

pub async fn create(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &CreatePatientInput,
) -> Result<PatientId> {
    input.permit(actor)?;
    let new = &input.patient(app.clock.now().date_naive())?;

    app.write_once(actor, key, move |unit| async move { create_in(app, &unit, actor, new).await }).await
}

pub async fn update(app: &App, actor: &Actor, input: &UpdatePatientInput) -> Result<()> {
    input.permit(actor)?;
    let today = app.clock.now().date_naive();

    app.write(actor, move |unit| async move {
        let patient = require(&unit, actor, input.id).await?;
        expect_version(patient.version, input.expected_version)?;
        refuse_merged(&patient)?;
        update_in(app, &unit, actor, patient, |patient| input.edit(patient, today)).await?;
        Ok(())
    })
    .await
}

/// Archives a patient, or brings them back. Doing it twice is doing it once.
pub async fn set_archived(
    app: &App,
    actor: &Actor,
    input: &ArchivePatientInput,
    archived: bool,
) -> Result<()> {
    actor.require(Permission::ArchivePatients)?;

    app.write(actor, move |unit| async move {
        let patient = require(&unit, actor, input.id).await?;
        if patient.archived_at.is_some() == archived {
            return Ok(());
        }
        expect_version(patient.version, input.expected_version)?;
        refuse_merged(&patient)?;

        let mut row = patient.into_active_model();
        row.archived_at = Set(archived.then(|| unit.clock().now()));
        row.archived_by = Set(actor.membership.filter(|_| archived));
        unit.update(row).await?;

        let action = if archived { "patient.archived" } else { "patient.restored" };
        unit.record(Event::by(actor, AuditKind::Write, action).on(input.id));
        Ok(())
    })
    .await
}

/// Creates a patient with a key of its own, in the caller's transaction.
///
/// What was written is not repeated in the journal: the row and the old values of later changes tell it.
pub async fn create_in(app: &App, unit: &UnitOfWork, actor: &Actor, new: &NewPatient) -> Result<PatientId> {
    require_practitioner(unit, actor, new.primary_practitioner_id).await?;
    let id = unit.id::<PatientId>();
    let cipher = app.keys.create_patient_key(unit, id).await?;
    let mut row = chart::seal_new(&cipher, id, new);
    row.external_id_hash = Set(external_id_hash(app, unit, actor, new.chart.external_id.as_deref()).await?);
    row.created_by = Set(actor.membership);
    let saved = unit.insert(row).await.map_err(external_id_taken)?;
    if new.reminder_consent {
        Box::pin(consent::commands::follow_chart(unit, actor, &saved, &cipher)).await?;
    }

    unit.record(
        Event::by(actor, AuditKind::Write, "patient.created").on(id).with("fields", new.chart.filled()),
    );
    Ok(id)
}

/// Edits a patient in the caller's transaction and says whether anything changed. Without a change nothing
/// is written: a second import of the same file leaves no trace.
pub async fn update_in(
    app: &App,
    unit: &UnitOfWork,
    actor: &Actor,
    row: Model,
    edit: impl FnOnce(&mut NewPatient) -> Result<()>,
) -> Result<bool> {
    let id = row.id;
    let cipher = app.keys.patient(&**unit, actor, id, row.key_version).await?;
    let before = chart::open(&cipher, &row)?;
    let mut after = before.clone();
    edit(&mut after)?;

    let mut row = row.into_active_model();
    let mut changes = after.chart.seal_changes(&before.chart, &cipher, id, &mut row);
    if after.chart.external_id != before.chart.external_id {
        row.external_id_hash =
            Set(external_id_hash(app, unit, actor, after.chart.external_id.as_deref()).await?);
    }
    if after.primary_practitioner_id != before.primary_practitioner_id {
        require_practitioner(unit, actor, after.primary_practitioner_id).await?;
        let text = |id: Option<MembershipId>| id.map(|id| id.to_string());
        let (old, new) = (text(before.primary_practitioner_id), text(after.primary_practitioner_id));
        changes.add("primary_practitioner_id", old, new);
        row.primary_practitioner_id = Set(after.primary_practitioner_id);
    }
    if after.reminder_consent != before.reminder_consent {
        let text = |consent: bool| Some(consent.to_string());
        changes.add("reminder_consent", text(before.reminder_consent), text(after.reminder_consent));
        row.reminder_consent = Set(after.reminder_consent);
    }
    if changes.is_empty() {
        return Ok(false);
    }
    let consents = after.reminder_consent != before.reminder_consent;
    let saved = unit.update(row).await.map_err(external_id_taken)?;
    if consents {
        Box::pin(consent::commands::follow_chart(unit, actor, &saved, &cipher)).await?;
    }

    let mut event =
        Event::by(actor, AuditKind::Write, "patient.updated").on(id).with("fields", changes.fields());
    event.changes = Some(changes.seal(&cipher, id));
    unit.record(event);
    Ok(true)
}

/// The patient for a change, or `NotFound`.
pub async fn require(unit: &UnitOfWork, actor: &Actor, id: PatientId) -> Result<Model> {
    let found = actor.find::<entity::Entity>().filter(entity::Column::Id.eq(id)).one(&**unit).await?;
    found.ok_or(Error::NotFound)
}

/// What was merged into another chart is over: changes belong there.
fn refuse_merged(patient: &Model) -> Result<()> {
    match patient.merged_into_id {
        None => Ok(()),
        Some(_) => Err(Error::conflict("This chart was merged into another one.")),
    }
}

/// The patient whom another system knows by this id.
pub async fn find_by_external_id(
    app: &App,
    unit: &UnitOfWork,
    actor: &Actor,
    external_id: &str,
) -> Result<Option<Model>> {
    let hash = external_id_hash(app, unit, actor, Some(external_id)).await?;
    let query = actor.find::<entity::Entity>().filter(entity::Column::ExternalIdHash.eq(hash));
    Ok(query.one(&**unit).await?)
}

async fn external_id_hash(
    app: &App,
    unit: &UnitOfWork,
    actor: &Actor,
    external_id: Option<&str>,
) -> Result<Option<Vec<u8>>> {
    let Some(text) = external_id else { return Ok(None) };
    app.keys.index_hash(&**unit, actor.workspace, "patients.external_id", text).await.map(Some)
}

async fn require_practitioner(unit: &UnitOfWork, actor: &Actor, id: Option<MembershipId>) -> Result<()> {
    use crate::member::entity as member;
    let Some(id) = id else { return Ok(()) };
    let found = actor.find::<member::Entity>().filter(member::Column::Id.eq(id)).one(&**unit).await?;
    match found {
        Some(_) => Ok(()),
        None => Err(Error::invalid("primaryPractitionerId", "There is no such member of the practice.")),
    }
}

fn external_id_taken(error: Error) -> Error {
    error.on_duplicate("external_id_hash", "externalId", "Another patient has this external id.")
}
