//! What can be done to an appointment besides booking it, moving it and changing its status, and what these share.

use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, QuerySelect, Set};

use super::entity::{self, Model};
use super::event::AppointmentEventKind;
use super::history::{History, told};
use super::input::{UpdateAppointmentInput, check_texts};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, UnitOfWork};
use crate::crypto::keys::PatientCipher;
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::id::AppointmentId;
use crate::workspace::entity::Model as Workspace;
use crate::{patient, workspace};

pub async fn update(app: &App, actor: &Actor, input: &UpdateAppointmentInput) -> Result<()> {
    actor.require(Permission::ManageAppointments)?;
    check_texts(&[("reason", input.reason.value()), ("notes", input.notes.value())])?;
    if !input.notes.is_undefined() {
        actor.require(Permission::WriteClinical)?;
    }

    app.write(actor, move |unit| async move {
        let before = require(&unit, actor, input.id).await?;
        expect_version(before.version, input.expected_version)?;

        let cipher = cipher_of(app, &unit, actor, &before).await?;
        let mut row = before.clone().into_active_model();
        crate::graphql::input::set(&mut row.priority, input.priority);
        crate::graphql::input::set(&mut row.appointment_type, input.appointment_type);
        if !input.reason.is_undefined() {
            row.reason = Set(cipher.seal_some(input.id, "reason", input.reason.value().map(String::as_str)));
        }
        if !input.notes.is_undefined() {
            row.notes = Set(cipher.seal_some(input.id, "notes", input.notes.value().map(String::as_str)));
        }
        let after = unit.update(row).await?;
        let past = History { kind: AppointmentEventKind::Edited, before: Some(&before), reason: None };
        past.write(&unit, actor, &cipher, &after).await?;

        unit.record(told(actor, "appointment.updated", &after));
        Ok(())
    })
    .await
}

pub async fn workspace_of(unit: &UnitOfWork, actor: &Actor) -> Result<Workspace> {
    workspace::queries::require(&**unit, actor.workspace).await
}

pub async fn cipher_of(
    app: &App,
    unit: &UnitOfWork,
    actor: &Actor,
    appointment: &Model,
) -> Result<PatientCipher> {
    let patient = actor
        .find::<patient::entity::Entity>()
        .filter(patient::entity::Column::Id.eq(appointment.patient_id))
        .lock(LockType::NoKeyUpdate)
        .one(&**unit)
        .await?
        .ok_or(Error::NotFound)?;
    app.keys.patient(&**unit, actor, patient.id, patient.key_version).await
}

/// The appointment for a change, or `NotFound`.
pub async fn require(unit: &UnitOfWork, actor: &Actor, id: AppointmentId) -> Result<Model> {
    let found = actor.find::<entity::Entity>().filter(entity::Column::Id.eq(id)).one(&**unit).await?;
    found.ok_or(Error::NotFound)
}
