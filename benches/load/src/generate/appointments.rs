//! The appointments, with the time that they take up.

use chrono::TimeDelta;
use praxis::access::actor::Actor;
use praxis::app::{App, UnitOfWork};
use praxis::appointment::entity::{
    AppointmentPriority, AppointmentStatus, AppointmentType, Model, PaymentStatus,
};
use praxis::appointment::{occupy, rules};
use praxis::error::Result;
use praxis::journal::entity::AuditKind;
use praxis::journal::event::Event;
use praxis::location::entity::LocationKind;
use sea_orm::{ActiveModelTrait, IntoActiveModel};

use crate::plan::{self, MINUTES, Plan, Visit};

/// Appointments of one transaction.
const BATCH: u64 = 5_000;

pub async fn fill(app: &App, plan: Plan, workspace: u64) -> Result<()> {
    let actor = &Actor::system(plan::workspace(workspace), "load");
    let mut first = 0;
    while first < plan.appointments {
        let next = (first + BATCH).min(plan.appointments);
        app.write(actor, move |unit| async move {
            let (mut rows, mut occupied) = (Vec::new(), Vec::new());
            for number in first..next {
                let appointment = model(&unit, actor, plan.visit(workspace, number));
                if rules::occupies(appointment.status) {
                    occupied.extend(occupy::rows(&unit, &appointment, true));
                }
                rows.push(appointment.into_active_model().reset_all());
            }
            unit.insert_all(rows).await?;
            unit.insert_all(occupied).await?;
            unit.record(
                Event::by(actor, AuditKind::Write, "appointment.imported")
                    .on(actor.workspace)
                    .with("created", next - first),
            );
            Ok(())
        })
        .await?;
        first = next;
    }
    Ok(())
}

fn model(unit: &UnitOfWork, actor: &Actor, visit: Visit) -> Model {
    let ends_at = visit.starts_at + TimeDelta::minutes(MINUTES);
    let now = unit.clock().now();
    Model {
        id: visit.id,
        workspace_id: actor.workspace,
        patient_id: visit.patient,
        practitioner_id: visit.practitioner,
        service_id: Some(visit.service),
        location_id: Some(visit.location),
        room_id: Some(visit.room),
        series_id: None,
        series_starts_local: None,
        starts_at: visit.starts_at,
        ends_at,
        timezone: plan::TIMEZONE.into(),
        appointment_type: AppointmentType::Consultation,
        location_kind: Some(LocationKind::Clinic),
        location_details: None,
        priority: AppointmentPriority::Normal,
        status: if visit.happened { AppointmentStatus::Completed } else { AppointmentStatus::Cancelled },
        reason: None,
        notes: None,
        buffer_before_minutes: 0,
        buffer_after_minutes: 0,
        cancelled_at: (!visit.happened).then_some(visit.starts_at - TimeDelta::days(3)),
        cancellation_reason: None,
        late_cancellation: false,
        started_at: visit.happened.then_some(visit.starts_at),
        completed_at: visit.happened.then_some(ends_at),
        sequence: 0,
        is_override: false,
        external_key: None,
        price_minor: Some(3_500),
        payment_status: PaymentStatus::NotPaid,
        payment_method: None,
        payment_notes: None,
        paid_at: None,
        created_by: None,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}
