//! The history of an appointment, and what the journal is told of it.

use sea_orm::Set;

use super::entity::Model;
use super::event::{self, AppointmentEventKind};
use crate::access::actor::Actor;
use crate::app::UnitOfWork;
use crate::crypto::keys::PatientCipher;
use crate::error::Result;
use crate::id::AppointmentEventId;
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::reminder;

/// One line of an appointment's history.
pub struct History<'a> {
    pub kind: AppointmentEventKind,
    pub before: Option<&'a Model>,
    pub reason: Option<&'a str>,
}

impl History<'_> {
    /// Writes the line, and the reminders that follow from it.
    pub async fn write(
        &self,
        unit: &UnitOfWork,
        actor: &Actor,
        cipher: &PatientCipher,
        after: &Model,
    ) -> Result<()> {
        unit.put(vec![self.row(unit, actor, cipher, after)]).await?;
        // On the heap: every way to change an appointment leads through here, and would be that much larger.
        Box::pin(reminder::plan::follow(unit, actor, cipher, self.kind, self.before, after)).await
    }

    /// The line as a row.
    pub fn row(
        &self,
        unit: &UnitOfWork,
        actor: &Actor,
        cipher: &PatientCipher,
        after: &Model,
    ) -> event::ActiveModel {
        let id = unit.id::<AppointmentEventId>();
        let moved = self
            .before
            .is_none_or(|before| (before.starts_at, before.ends_at) != (after.starts_at, after.ends_at));
        event::ActiveModel {
            id: Set(id),
            appointment_id: Set(after.id),
            kind: Set(self.kind),
            from_status: Set(self.before.map(|before| before.status)),
            to_status: Set(after.status),
            from_starts_at: Set(self.before.filter(|_| moved).map(|before| before.starts_at)),
            from_ends_at: Set(self.before.filter(|_| moved).map(|before| before.ends_at)),
            to_starts_at: Set(moved.then_some(after.starts_at)),
            to_ends_at: Set(moved.then_some(after.ends_at)),
            reason: Set(cipher.seal_some(id, "reason", self.reason)),
            actor_id: Set(actor.membership),
            occurred_at: Set(unit.clock().now()),
            ..Default::default()
        }
    }
}

/// Tells the journal and those who follow the appointment.
pub fn told(actor: &Actor, action: &'static str, appointment: &Model) -> Event {
    Event::by(actor, AuditKind::Write, action)
        .on(appointment.id)
        .of_patient(appointment.patient_id)
        .with("override", appointment.is_override)
}

pub fn action_of(kind: AppointmentEventKind) -> &'static str {
    match kind {
        AppointmentEventKind::Booked => "appointment.booked",
        AppointmentEventKind::Rescheduled => "appointment.rescheduled",
        AppointmentEventKind::Confirmed => "appointment.confirmed",
        AppointmentEventKind::Started => "appointment.started",
        AppointmentEventKind::Completed => "appointment.completed",
        AppointmentEventKind::Cancelled => "appointment.cancelled",
        AppointmentEventKind::NoShow => "appointment.no_show",
        AppointmentEventKind::Reopened => "appointment.reopened",
        AppointmentEventKind::Corrected => "appointment.corrected",
        AppointmentEventKind::Edited => "appointment.updated",
    }
}
