//! Giving and withdrawing consents. Each is an event that is added; none is ever changed.

use sea_orm::prelude::Json;
use sea_orm::{ActiveEnum, IntoActiveModel, Set};
use serde_json::json;

use super::entity::{self, ConsentChannel, ConsentEvent, ConsentPurpose};
use super::input::{GrantConsentInput, WithdrawConsentInput};
use super::queries;
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, IdempotencyKey, UnitOfWork};
use crate::crypto::keys::PatientCipher;
use crate::error::{Error, Result};
use crate::id::{ConsentId, PatientId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::patient::{self, entity::Model as Patient};
use crate::reminder::plan;

/// The text version of a consent that was ticked in the chart, without a text.
const IN_CHART: &str = "chart";

pub async fn grant(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &GrantConsentInput,
) -> Result<ConsentId> {
    actor.require(Permission::WritePatients)?;
    input.check(app.clock.now())?;

    app.write_once(actor, key, move |unit| async move {
        let patient = patient::commands::require(&unit, actor, input.patient_id).await?;
        let cipher = app.keys.patient(&**unit, actor, patient.id, patient.key_version).await?;
        let row = entity::ActiveModel {
            purpose: Set(input.purpose),
            event: Set(ConsentEvent::Granted),
            text_version: Set(input.text_version.trim().into()),
            language: Set(input.language.clone()),
            channel: Set(input.channel),
            data_categories: Set(json!(input.data_categories)),
            expires_at: Set(input.expires_at),
            ..Default::default()
        };
        let id = add(&unit, actor, &patient, row).await?;
        if input.purpose == ConsentPurpose::Reminders {
            let patient = note_in_chart(&unit, actor, patient, true).await?;
            plan::for_all_of_patient(&unit, actor, &patient, &cipher).await?;
        }

        unit.record(told(actor, "consent.granted", id, input.patient_id, input.purpose));
        Ok(id)
    })
    .await
}

pub async fn withdraw(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &WithdrawConsentInput,
) -> Result<ConsentId> {
    actor.require(Permission::WritePatients)?;
    input.check()?;

    app.write_once(actor, key, move |unit| async move {
        let patient = patient::commands::require(&unit, actor, input.patient_id).await?;
        let now = unit.clock().now();
        let last = queries::latest(actor, patient.id, input.purpose, now).one(&**unit).await?;
        let given = match &last {
            Some(last) => last.event == ConsentEvent::Granted,
            // Ticked in a chart before consents were kept as events.
            None => input.purpose == ConsentPurpose::Reminders && patient.reminder_consent,
        };
        if !given {
            return Err(Error::conflict("There is no consent to withdraw."));
        }
        let row = entity::ActiveModel {
            purpose: Set(input.purpose),
            event: Set(ConsentEvent::Withdrawn),
            text_version: Set(last.as_ref().map_or(IN_CHART.into(), |last| last.text_version.clone())),
            language: Set(last.as_ref().map_or("und".into(), |last| last.language.clone())),
            channel: Set(input.channel),
            data_categories: Set(last.map_or(json!([]), |last| last.data_categories)),
            ..Default::default()
        };
        let id = add(&unit, actor, &patient, row).await?;
        if input.purpose == ConsentPurpose::Reminders {
            let patient = note_in_chart(&unit, actor, patient, false).await?;
            plan::call_off_patient(&unit, actor, patient.id).await?;
        }

        unit.record(told(actor, "consent.withdrawn", id, input.patient_id, input.purpose));
        Ok(id)
    })
    .await
}

/// Follows a chart whose `reminder_consent` was set or cleared: keeps the event, and plans or calls off.
pub async fn follow_chart(
    unit: &UnitOfWork,
    actor: &Actor,
    patient: &Patient,
    cipher: &PatientCipher,
) -> Result<()> {
    let (event, channel) = (
        if patient.reminder_consent { ConsentEvent::Granted } else { ConsentEvent::Withdrawn },
        if actor.membership.is_some() { ConsentChannel::InPerson } else { ConsentChannel::System },
    );
    let row = entity::ActiveModel {
        purpose: Set(ConsentPurpose::Reminders),
        event: Set(event),
        text_version: Set(IN_CHART.into()),
        language: Set("und".into()),
        channel: Set(channel),
        data_categories: Set(json!(["contact"])),
        ..Default::default()
    };
    add(unit, actor, patient, row).await?;
    match patient.reminder_consent {
        true => plan::for_all_of_patient(unit, actor, patient, cipher).await,
        false => plan::call_off_patient(unit, actor, patient.id).await,
    }
}

async fn add(
    unit: &UnitOfWork,
    actor: &Actor,
    patient: &Patient,
    row: entity::ActiveModel,
) -> Result<ConsentId> {
    let id = unit.id::<ConsentId>();
    unit.insert(entity::ActiveModel {
        id: Set(id),
        patient_id: Set(patient.id),
        third_parties: Set(None::<Json>),
        evidence: Set(None),
        effective_at: Set(unit.clock().now()),
        recorded_by: Set(actor.membership),
        ..row
    })
    .await?;
    Ok(id)
}

/// The chart shows whether reminders are agreed to.
async fn note_in_chart(
    unit: &UnitOfWork,
    actor: &Actor,
    patient: Patient,
    consents: bool,
) -> Result<Patient> {
    if patient.reminder_consent == consents {
        return Ok(patient);
    }
    unit.record(
        Event::by(actor, AuditKind::Write, "patient.updated")
            .on(patient.id)
            .with("fields", vec!["reminder_consent"]),
    );
    let mut row = patient.into_active_model();
    row.reminder_consent = Set(consents);
    unit.update(row).await
}

fn told(
    actor: &Actor,
    action: &'static str,
    id: ConsentId,
    patient: PatientId,
    purpose: ConsentPurpose,
) -> Event {
    Event::by(actor, AuditKind::Write, action).on(id).of_patient(patient).with("purpose", purpose.to_value())
}
