//! What can be done to a patient's family history.

use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Set};

use super::chart::{Changes, Written, read};
use super::commands;
use super::family_history::{ActiveModel, Column, Entity, Model};
use super::input::{AddFamilyHistoryInput, Illness, RemoveFamilyHistoryInput, UpdateFamilyHistoryInput};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, IdempotencyKey, UnitOfWork};
use crate::crypto::keys::PatientCipher;
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::id::{FamilyHistoryId, PatientId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;

pub async fn add(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &AddFamilyHistoryInput,
) -> Result<FamilyHistoryId> {
    actor.require(Permission::WriteClinical)?;
    let illness = &input.illness()?;

    app.write_once(actor, key, move |unit| async move {
        add_in(app, &unit, actor, input.patient_id, illness).await
    })
    .await
}

/// Adds an entry in the caller's transaction.
pub async fn add_in(
    app: &App,
    unit: &UnitOfWork,
    actor: &Actor,
    patient: PatientId,
    illness: &Illness,
) -> Result<FamilyHistoryId> {
    let patient = commands::require(unit, actor, patient).await?;
    let cipher = app.keys.patient(&**unit, actor, patient.id, patient.key_version).await?;
    let id = unit.id::<FamilyHistoryId>();
    let mut row = ActiveModel {
        id: Set(id),
        patient_id: Set(patient.id),
        created_by: Set(actor.membership),
        ..Default::default()
    };
    illness.seal(&cipher, id, &mut row);
    unit.insert(row).await?;

    unit.record(Event::by(actor, AuditKind::Write, "family_history.added").on(id).of_patient(patient.id));
    Ok(id)
}

pub async fn update(app: &App, actor: &Actor, input: &UpdateFamilyHistoryInput) -> Result<()> {
    actor.require(Permission::WriteClinical)?;

    app.write(actor, move |unit| async move {
        let (row, cipher) = require(app, &unit, actor, input.id).await?;
        expect_version(row.version, input.expected_version)?;
        let patient = row.patient_id;
        let before = Illness::open(&cipher, &row)?;
        let after = input.edit(before.clone())?;
        if after == before {
            return Ok(());
        }
        let mut row = row.into_active_model();
        after.seal(&cipher, input.id, &mut row);
        unit.update(row).await?;

        let changes = before.changes(Some(&after));
        let mut event = Event::by(actor, AuditKind::Write, "family_history.updated")
            .on(input.id)
            .of_patient(patient)
            .with("fields", changes.fields());
        event.changes = Some(changes.seal(&cipher, patient));
        unit.record(event);
        Ok(())
    })
    .await
}

/// Takes an entry out of the history and returns whose it was. The row goes, its content stays: sealed, in the
/// journal.
pub async fn remove(app: &App, actor: &Actor, input: &RemoveFamilyHistoryInput) -> Result<PatientId> {
    actor.require(Permission::WriteClinical)?;

    app.write(actor, move |unit| async move {
        let (row, cipher) = require(app, &unit, actor, input.id).await?;
        expect_version(row.version, input.expected_version)?;
        let patient = row.patient_id;
        let changes = Illness::open(&cipher, &row)?.changes(None);
        Entity::delete_many()
            .filter(Column::WorkspaceId.eq(actor.workspace))
            .filter(Column::Id.eq(input.id))
            .exec(&**unit)
            .await?;

        let mut event = Event::by(actor, AuditKind::Write, "family_history.removed")
            .on(input.id)
            .of_patient(patient)
            .with("fields", changes.fields());
        event.changes = Some(changes.seal(&cipher, patient));
        unit.record(event);
        Ok(patient)
    })
    .await
}

async fn require(
    app: &App,
    unit: &UnitOfWork,
    actor: &Actor,
    id: FamilyHistoryId,
) -> Result<(Model, PatientCipher)> {
    let row = actor.find::<Entity>().filter(Column::Id.eq(id)).one(&**unit).await?.ok_or(Error::NotFound)?;
    let patient = commands::require(unit, actor, row.patient_id).await?;
    let cipher = app.keys.patient(&**unit, actor, patient.id, patient.key_version).await?;
    Ok((row, cipher))
}

impl Illness {
    fn seal(&self, cipher: &PatientCipher, id: FamilyHistoryId, row: &mut ActiveModel) {
        row.relation = Set(cipher.seal(id, "relation", &self.relation));
        row.condition = Set(cipher.seal(id, "condition", &self.condition));
        row.onset_age =
            Set(cipher.seal_some(id, "onset_age", self.onset_age.map(|age| age.write()).as_deref()));
        row.note = Set(cipher.seal_some(id, "note", self.note.as_deref()));
    }

    fn open(cipher: &PatientCipher, row: &Model) -> Result<Self> {
        let open = |column, sealed| cipher.open(row.id, column, sealed);
        Ok(Self {
            relation: open("relation", &row.relation)?,
            condition: open("condition", &row.condition)?,
            onset_age: match &row.onset_age {
                Some(sealed) => Some(read(&open("onset_age", sealed)?)?),
                None => None,
            },
            note: row.note.as_ref().map(|sealed| open("note", sealed)).transpose()?,
        })
    }

    /// What differs from the entry as it is now; everything, when it is no more.
    fn changes(&self, now: Option<&Self>) -> Changes {
        let texts = |illness: &Self| {
            [
                ("relation", Some(illness.relation.clone())),
                ("condition", Some(illness.condition.clone())),
                ("onset_age", illness.onset_age.map(|age| age.write())),
                ("note", illness.note.clone()),
            ]
        };
        let after = now.map_or([("", None), ("", None), ("", None), ("", None)], texts);
        let mut changes = Changes::default();
        for ((field, old), (_, new)) in texts(self).into_iter().zip(after) {
            if old != new {
                changes.add(field, old, new);
            }
        }
        changes
    }
}
