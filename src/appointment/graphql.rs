//! Appointments in the schema: the objects.

pub mod roots;

use async_graphql::{Context, Object, SimpleObject, Union};
use sea_orm::prelude::DateTimeUtc;

use super::entity::{AppointmentPriority, AppointmentStatus, AppointmentType, ModelEx, PaymentStatus};
use super::event::{self, AppointmentEventKind};
use super::occupancy::ResourceKind;
use super::queries::HistoryOf;
use super::series;
use crate::access::permission::Permission;
use crate::availability::check::Obstacle;
use crate::availability::graphql::AvailableSlot;
use crate::crypto::sealed::Sealed;
use crate::equipment::queries::EquipmentTakenBy;
use crate::graphql::context::{ContextExt, Field, Soon};
use crate::graphql::document::cost::list_size;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::graphql::join::Related;
use crate::id::{AppointmentEventId, AppointmentId};
use crate::reminder::queries::RemindersOf;
use crate::{equipment, location, member, patient, reminder, room, service};

/// A patient with a practitioner, from start to end.
#[Object(name = "Appointment")]
impl ModelEx {
    /// The appointment's id.
    pub async fn id(&self) -> AppointmentId {
        self.id
    }

    /// Who comes.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn patient(&self, ctx: &Context<'_>) -> Result<Option<Related<'_, patient::entity::ModelEx>>> {
        Related::one(&self.patient, ctx, self.patient_id).await
    }

    /// Who sees the patient.
    async fn practitioner(&self, ctx: &Context<'_>) -> Result<Option<Related<'_, member::entity::ModelEx>>> {
        Related::one(&self.practitioner, ctx, self.practitioner_id).await
    }

    /// What is done. Null when no service was named.
    async fn service(&self, ctx: &Context<'_>) -> Result<Option<Related<'_, service::entity::ModelEx>>> {
        Related::maybe(&self.service, ctx, self.service_id).await
    }

    /// Where it takes place. Null when that is open.
    async fn location(&self, ctx: &Context<'_>) -> Result<Option<Related<'_, location::entity::ModelEx>>> {
        Related::maybe(&self.location, ctx, self.location_id).await
    }

    /// The room it takes up. Null when it takes up none.
    async fn room(&self, ctx: &Context<'_>) -> Result<Option<Related<'_, room::entity::ModelEx>>> {
        Related::maybe(&self.room, ctx, self.room_id).await
    }

    /// The equipment that it takes up, by name: what its service needed when it was booked. Empty once it is
    /// cancelled or the patient did not come.
    #[graphql(directive = list_size::apply(3))]
    async fn equipment(&self, ctx: &Context<'_>) -> Result<Vec<equipment::entity::ModelEx>> {
        Ok(ctx.call().load(EquipmentTakenBy(self.id)).await?.unwrap_or_default())
    }

    /// When it starts.
    async fn starts_at(&self) -> DateTimeUtc {
        self.starts_at
    }

    /// When it ends. The end itself is free again: appointments may touch.
    async fn ends_at(&self) -> DateTimeUtc {
        self.ends_at
    }

    /// How long it takes, in minutes.
    async fn duration_minutes(&self) -> i64 {
        (self.ends_at - self.starts_at).num_minutes()
    }

    /// IANA name of the zone that its time was meant in.
    async fn timezone(&self) -> &str {
        &self.timezone
    }

    /// Where it stands.
    async fn status(&self) -> AppointmentStatus {
        self.status
    }

    /// What kind of appointment it is.
    async fn appointment_type(&self) -> AppointmentType {
        self.appointment_type
    }

    /// How urgent it is.
    async fn priority(&self) -> AppointmentPriority {
        self.priority
    }

    /// Why the patient comes. Reading it is recorded.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn reason(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        self.reveal(ctx, "reason", self.reason.as_ref()).await
    }

    /// Notes for the practitioner. Reading them is recorded.
    #[graphql(directive = requires::apply(Permission::ReadClinical))]
    async fn notes(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        self.reveal(ctx, "notes", self.notes.as_ref()).await
    }

    /// Minutes kept free before it for practitioner and room.
    async fn buffer_before_minutes(&self) -> i32 {
        self.buffer_before_minutes
    }

    /// Minutes kept free after it for practitioner and room.
    async fn buffer_after_minutes(&self) -> i32 {
        self.buffer_after_minutes
    }

    /// Whether it was booked although somebody or something was taken.
    async fn is_override(&self) -> bool {
        self.is_override
    }

    /// When it was cancelled. Null unless it is.
    async fn cancelled_at(&self) -> Option<DateTimeUtc> {
        self.cancelled_at
    }

    /// Why it was cancelled. Reading it is recorded.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn cancellation_reason(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        self.reveal(ctx, "cancellation_reason", self.cancellation_reason.as_ref()).await
    }

    /// Whether the cancellation came later than the workspace's policy asks.
    async fn late_cancellation(&self) -> bool {
        self.late_cancellation
    }

    /// When it really began. Null until then.
    async fn started_at(&self) -> Option<DateTimeUtc> {
        self.started_at
    }

    /// When it was completed. Null until then.
    async fn completed_at(&self) -> Option<DateTimeUtc> {
        self.completed_at
    }

    /// Counts the changes of time and state: the SEQUENCE of calendar files.
    async fn sequence(&self) -> i32 {
        self.sequence
    }

    /// Its price in minor units of the workspace's currency. Null when none is set.
    async fn price_minor(&self) -> Option<i64> {
        self.price_minor
    }

    /// Whether it is paid.
    async fn payment_status(&self) -> PaymentStatus {
        self.payment_status
    }

    /// The series that it is an occurrence of. Null when it was booked alone.
    async fn series(&self, ctx: &Context<'_>) -> Result<Option<Box<series::ModelEx>>> {
        // Boxed, as what follows: an object's field has room for the largest of all its fields.
        match self.series_id {
            Some(id) => Ok(Box::pin(ctx.call().load(id)).await?.map(Box::new)),
            None => Ok(None),
        }
    }

    /// The start on the wall clock that its series gave it, which stays when it is moved: the RECURRENCE-ID of
    /// calendars. Null when it was booked alone.
    async fn series_starts_at_local(&self) -> Option<&str> {
        self.series_starts_local.as_deref()
    }

    /// Everything that happened to it, oldest first.
    #[graphql(directive = list_size::apply(10))]
    async fn history(&self, ctx: &Context<'_>) -> Result<Vec<HistoryEntry>> {
        let events = ctx.call().load(HistoryOf(self.id)).await?.unwrap_or_default();
        Ok(events.into_iter().map(|event| HistoryEntry { event, of: self.patient_id }).collect())
    }

    /// The messages about it that wait or were sent, in the order in which they are due. For staff.
    #[graphql(directive = requires::apply(Permission::ManageAppointments), directive = list_size::apply(5))]
    async fn reminders(&self, ctx: &Context<'_>) -> Result<Option<Vec<reminder::entity::ModelEx>>> {
        Ok(ctx.call().load(RemindersOf(self.id)).await?)
    }

    /// The appointment as the content of an iCalendar file (`text/calendar`), with time and place and nothing about
    /// health. It keeps its UID; once it is cancelled, opening the file takes it out of a calendar again.
    async fn ics(&self, ctx: &Context<'_>) -> Result<String> {
        Box::pin(reminder::ics::of_appointment(ctx.call(), self)).await.map_err(Into::into)
    }

    /// Counts the changes; pass it as `expectedVersion` to change the appointment.
    async fn version(&self) -> i32 {
        self.version
    }

    /// When it was booked.
    async fn created_at(&self) -> DateTimeUtc {
        self.created_at
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTimeUtc {
        self.updated_at
    }
}

impl ModelEx {
    fn reveal<'s>(
        &self,
        ctx: &'s Context<'_>,
        column: &'static str,
        sealed: Option<&'s Sealed>,
    ) -> Soon<'s, Option<String>> {
        ctx.call().reveal(self.patient_id, Field::of(self.id, column), sealed)
    }
}

/// One thing that happened to an appointment.
pub struct HistoryEntry {
    event: event::ModelEx,
    of: crate::id::PatientId,
}

/// One thing that happened to an appointment: a change of its status, its time or its details.
#[Object(name = "AppointmentHistoryEntry")]
impl HistoryEntry {
    /// The entry's id.
    async fn id(&self) -> AppointmentEventId {
        self.event.id
    }

    /// What happened.
    async fn kind(&self) -> AppointmentEventKind {
        self.event.kind
    }

    /// When it happened.
    async fn occurred_at(&self) -> DateTimeUtc {
        self.event.occurred_at
    }

    /// Who did it. Null for the system.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<member::entity::ModelEx>> {
        match self.event.actor_id {
            Some(id) => Ok(ctx.call().load(id).await?),
            None => Ok(None),
        }
    }

    /// The status before. Null for the booking.
    async fn from_status(&self) -> Option<AppointmentStatus> {
        self.event.from_status
    }

    /// The status after.
    async fn to_status(&self) -> AppointmentStatus {
        self.event.to_status
    }

    /// The start before, if the time changed.
    async fn from_starts_at(&self) -> Option<DateTimeUtc> {
        self.event.from_starts_at
    }

    /// The end before, if the time changed.
    async fn from_ends_at(&self) -> Option<DateTimeUtc> {
        self.event.from_ends_at
    }

    /// The start after, if the time changed.
    async fn to_starts_at(&self) -> Option<DateTimeUtc> {
        self.event.to_starts_at
    }

    /// The end after, if the time changed.
    async fn to_ends_at(&self) -> Option<DateTimeUtc> {
        self.event.to_ends_at
    }

    /// The reason that was given. Reading it is recorded.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn reason(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        ctx.call().reveal(self.of, Field::of(self.event.id, "reason"), self.event.reason.as_ref()).await
    }
}

/// The appointment that was changed.
#[derive(SimpleObject)]
pub struct AppointmentPayload {
    /// The appointment as it is now.
    pub appointment: ModelEx,
    /// The other occurrences of its series that were changed with it.
    #[graphql(directive = list_size::apply(20))]
    pub others: Vec<ModelEx>,
}

/// The appointment is booked.
#[derive(SimpleObject)]
pub struct AppointmentBooked {
    /// The appointment as it is now.
    pub appointment: ModelEx,
}

/// The time cannot be had; nothing was booked or moved.
#[derive(SimpleObject)]
pub struct AppointmentConflict {
    /// Who and what is taken, by start. Empty when only `obstacles` are in the way.
    #[graphql(directive = list_size::apply(10))]
    pub conflicts: Vec<ResourceConflict>,
    /// Whether it is a group session that has no seat left.
    pub session_full: bool,
    /// Why the practitioner cannot be booked then, although nothing may be taken.
    #[graphql(directive = list_size::apply(5))]
    pub obstacles: Vec<Obstacle>,
    /// The next times with the same practitioner (or anybody, when none was named), service and room, within two
    /// weeks: at most ten, three a day. When several occurrences of a series were to be moved, times of the named one
    /// to which all of them can go.
    #[graphql(directive = list_size::apply(5))]
    pub alternatives: Vec<AvailableSlot>,
}

/// Somebody or something that is taken.
#[derive(SimpleObject)]
pub struct ResourceConflict {
    /// What is taken.
    pub resource: ResourceKind,
    /// From when it is taken, buffers included.
    pub starts_at: DateTimeUtc,
    /// Until when it is taken, buffers included.
    pub ends_at: DateTimeUtc,
    /// The appointment that takes it. Null when you may not see it, for a hold, and for a group session.
    pub appointment: Option<ModelEx>,
}

/// Either the appointment or what is in its way.
#[derive(Union)]
pub enum BookAppointmentPayload {
    Booked(Box<AppointmentBooked>),
    Conflict(AppointmentConflict),
}

/// Either the moved appointment or what is in its way.
#[derive(Union)]
pub enum RescheduleAppointmentPayload {
    Rescheduled(Box<AppointmentRescheduled>),
    Conflict(AppointmentConflict),
}

/// The appointment has its new time.
#[derive(SimpleObject)]
pub struct AppointmentRescheduled {
    /// The appointment as it is now.
    pub appointment: ModelEx,
    /// The other occurrences of its series that were moved with it, or that became part of the new series.
    #[graphql(directive = list_size::apply(20))]
    pub others: Vec<ModelEx>,
}
