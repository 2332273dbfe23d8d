//! A month of appointments around today.

use chrono::{DateTime, Datelike, Days, Duration, NaiveDate, NaiveTime, TimeZone, Utc, Weekday};
use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};

use super::TIMEZONE;
use super::practice::Practice;
use crate::access::actor::Actor;
use crate::app::{App, UnitOfWork};
use crate::appointment::entity::{
    AppointmentPriority, AppointmentStatus as Status, Model, PaymentMethod, PaymentStatus,
};
use crate::appointment::event::{self, AppointmentEventKind as Kind};
use crate::appointment::{occupy, rules};
use crate::error::Result;
use crate::id::{AppointmentEventId, AppointmentId, MembershipId, PatientId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::location::entity::LocationKind;
use crate::service::entity::Model as Service;

/// Days before and after today.
const SPAN: u64 = 15;
/// The hours that appointments start at. Every service, with its buffers, ends within the hour.
const HOURS: [u32; 7] = [8, 9, 10, 11, 13, 14, 15];
/// The first patient's key version: the demo's patients are new.
const KEY_VERSION: i32 = 1;

const REASONS: [&str; 6] = [
    "Back pain since last week",
    "Yearly check-up",
    "Headaches in the morning",
    "Results of the blood test",
    "Sleeps badly",
    "Knee after a fall",
];

pub async fn fill(
    app: &App,
    unit: &UnitOfWork,
    actor: &Actor,
    practice: &Practice,
    doctors: &[MembershipId],
    patients: &[PatientId],
) -> Result<()> {
    let now = unit.clock().now();
    let today = now.with_timezone(&TIMEZONE).date_naive();
    let first = today.checked_sub_days(Days::new(SPAN)).unwrap_or(today);
    let (mut rows, mut occupied, mut history) = (Vec::new(), Vec::new(), Vec::new());
    let (mut number, mut booked) = (0usize, 0usize);
    for day in first.iter_days().take(2 * SPAN as usize + 1) {
        if matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
            continue;
        }
        for hour in HOURS {
            for (doctor, room) in doctors.iter().zip(&practice.rooms) {
                number += 1;
                // Some time stays free, to book in.
                if number % 5 < 2 {
                    continue;
                }
                booked += 1;
                let (Some(patient), Some(service), Some(starts_at)) = (
                    patients.get(booked % patients.len().max(1)),
                    practice.services.get(number % practice.services.len().max(1)),
                    instant(day, hour),
                ) else {
                    continue;
                };
                let mut appointment = model(unit, actor, service, starts_at, now, number);
                appointment.patient_id = *patient;
                appointment.practitioner_id = *doctor;
                appointment.location_id = Some(practice.location);
                appointment.room_id = Some(*room);
                let cipher = app.keys.patient(&**unit, actor, *patient, KEY_VERSION).await?;
                let reason = REASONS.get(number % REASONS.len()).copied();
                appointment.reason = cipher.seal_some(appointment.id, "reason", reason);

                if rules::occupies(appointment.status) {
                    occupied.extend(occupy::rows(unit, &appointment, true));
                }
                history.extend(lines(unit, &appointment));
                unit.record(
                    Event::by(actor, AuditKind::Write, "appointment.booked")
                        .on(appointment.id)
                        .of_patient(*patient),
                );
                rows.push(appointment.into_active_model().reset_all());
            }
        }
    }
    unit.insert_all(rows).await?;
    unit.insert_all(occupied).await?;
    unit.insert_all(history).await
}

/// That hour of that day on the practice's clock.
fn instant(day: NaiveDate, hour: u32) -> Option<DateTime<Utc>> {
    let local = day.and_time(NaiveTime::from_hms_opt(hour, 0, 0)?);
    // No change of clocks happens during working hours.
    TIMEZONE.from_local_datetime(&local).earliest().map(|start| start.with_timezone(&Utc))
}

/// An appointment of this service, as it stands now.
fn model(
    unit: &UnitOfWork,
    actor: &Actor,
    service: &Service,
    hour: DateTime<Utc>,
    now: DateTime<Utc>,
    number: usize,
) -> Model {
    let starts_at = hour + Duration::minutes(service.buffer_before_minutes.into());
    let ends_at = starts_at + Duration::minutes(service.duration_minutes.into());
    let status = match (ends_at <= now, starts_at <= now, number % 11) {
        (_, _, 0) => Status::Cancelled,
        (true, _, 1) => Status::NoShow,
        (true, ..) => Status::Completed,
        (false, true, _) => Status::InProgress,
        (false, false, odd) if odd % 2 == 1 => Status::Confirmed,
        (false, false, _) => Status::Scheduled,
    };
    let paid = status == Status::Completed && !number.is_multiple_of(3);
    Model {
        id: unit.id::<AppointmentId>(),
        workspace_id: actor.workspace,
        patient_id: PatientId(uuid::Uuid::nil()),
        practitioner_id: MembershipId(uuid::Uuid::nil()),
        service_id: Some(service.id),
        location_id: None,
        room_id: None,
        series_id: None,
        series_starts_local: None,
        starts_at,
        ends_at,
        timezone: TIMEZONE.name().into(),
        appointment_type: service.appointment_type,
        location_kind: Some(LocationKind::Clinic),
        location_details: None,
        priority: if number.is_multiple_of(17) {
            AppointmentPriority::High
        } else {
            AppointmentPriority::Normal
        },
        status,
        reason: None,
        notes: None,
        buffer_before_minutes: service.buffer_before_minutes,
        buffer_after_minutes: service.buffer_after_minutes,
        cancelled_at: (status == Status::Cancelled).then(|| now.min(starts_at - Duration::days(1))),
        cancellation_reason: None,
        late_cancellation: false,
        started_at: matches!(status, Status::InProgress | Status::Completed).then_some(starts_at),
        completed_at: (status == Status::Completed).then_some(ends_at),
        sequence: 0,
        is_override: false,
        external_key: None,
        price_minor: service.price_minor,
        payment_status: if paid { PaymentStatus::Paid } else { PaymentStatus::NotPaid },
        payment_method: paid.then_some(PaymentMethod::Card),
        payment_notes: None,
        paid_at: paid.then_some(ends_at),
        created_by: None,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

/// The history: booked, and what it came to since.
fn lines(unit: &UnitOfWork, appointment: &Model) -> Vec<event::ActiveModel> {
    let line = |kind, from: Option<Status>, to, at| event::ActiveModel {
        id: Set(unit.id::<AppointmentEventId>()),
        appointment_id: Set(appointment.id),
        kind: Set(kind),
        from_status: Set(from),
        to_status: Set(to),
        from_starts_at: Set(None),
        from_ends_at: Set(None),
        to_starts_at: Set(from.is_none().then_some(appointment.starts_at)),
        to_ends_at: Set(from.is_none().then_some(appointment.ends_at)),
        reason: Set(None),
        actor_id: Set(None),
        occurred_at: Set(at),
        ..Default::default()
    };
    let booked_at = appointment.created_at.min(appointment.starts_at - Duration::days(7));
    let mut lines = vec![line(Kind::Booked, None, Status::Scheduled, booked_at)];
    let since = match appointment.status {
        Status::Scheduled => None,
        Status::Confirmed => Some((Kind::Confirmed, booked_at + Duration::hours(2))),
        Status::InProgress => Some((Kind::Started, appointment.starts_at)),
        Status::Completed => Some((Kind::Completed, appointment.ends_at)),
        Status::Cancelled => appointment.cancelled_at.map(|at| (Kind::Cancelled, at)),
        Status::NoShow => Some((Kind::NoShow, appointment.ends_at)),
    };
    lines.extend(since.map(|(kind, at)| line(kind, Some(Status::Scheduled), appointment.status, at)));
    lines
}
