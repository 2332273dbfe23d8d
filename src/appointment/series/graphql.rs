//! Series in the schema.

use std::collections::HashMap;

use async_graphql::{Context, Enum, Object, SimpleObject};
use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ColumnTrait, QueryFilter};

use super::commands::{self, Booked, Meeting, Occurrence, local_text};
use super::input::BookSeriesInput;
use super::{Column, Entity, ModelEx};
use crate::access::permission::Permission;
use crate::appointment::entity as appointment;
use crate::appointment::graphql::ResourceConflict;
use crate::error::Error;
use crate::graphql::batch::BatchKey;
use crate::graphql::context::{Call, ContextExt};
use crate::graphql::document::cost::list_size;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::id::AppointmentSeriesId;
use crate::{member, patient, service};

/// A series: the rule that repeated appointments come from.
#[Object(name = "AppointmentSeries")]
impl ModelEx {
    /// The series' id.
    pub async fn id(&self) -> AppointmentSeriesId {
        self.id
    }

    /// Who comes.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn patient(&self, ctx: &Context<'_>) -> Result<Option<patient::entity::ModelEx>> {
        Ok(ctx.call().load(self.patient_id).await?)
    }

    /// Who sees the patient.
    async fn practitioner(&self, ctx: &Context<'_>) -> Result<Option<member::entity::ModelEx>> {
        Ok(ctx.call().load(self.practitioner_id).await?)
    }

    /// What is done. Null when no service was named.
    async fn service(&self, ctx: &Context<'_>) -> Result<Option<service::entity::ModelEx>> {
        match self.service_id {
            Some(id) => Ok(ctx.call().load(id).await?),
            None => Ok(None),
        }
    }

    /// The RFC 5545 recurrence rule; an UNTIL in it is on the wall clock.
    async fn rule(&self) -> &str {
        &self.rule
    }

    /// IANA name of the zone whose wall clock the rule is for.
    async fn timezone(&self) -> &str {
        &self.timezone
    }

    /// The first start on the wall clock: `2026-06-02T09:00`.
    async fn starts_at_local(&self) -> &str {
        &self.starts_local
    }

    /// The starts on the wall clock that are left out.
    async fn exception_dates(&self) -> Vec<&str> {
        self.exception_dates.split(',').filter(|date| !date.is_empty()).collect()
    }

    /// How long each occurrence takes, in minutes.
    async fn duration_minutes(&self) -> i32 {
        self.duration_minutes
    }

    /// When the last occurrence ends.
    async fn until(&self) -> Option<DateTimeUtc> {
        self.until
    }

    /// Counts the changes.
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

impl BatchKey for AppointmentSeriesId {
    type Value = ModelEx;

    async fn load(call: &Call, keys: Vec<Self>) -> crate::error::Result<HashMap<Self, ModelEx>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let rows = actor.find::<Entity>().filter(Column::Id.is_in(keys)).all(&*tx).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }
}

/// What became of an occurrence of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum OccurrenceOutcome {
    /// It is booked.
    Booked,
    /// It cannot be booked, and was left out.
    Skipped,
    /// It cannot be booked, so nothing was.
    Conflict,
    /// It could be booked, but others could not, so nothing was.
    NotBooked,
}

/// An occurrence of a series, and what became of it.
pub struct SeriesOccurrence {
    occurrence: Occurrence,
    /// Whether anything was booked.
    done: bool,
}

/// An occurrence of a series, and what became of it when the series was booked.
#[Object]
impl SeriesOccurrence {
    /// Its start on the wall clock of the series.
    async fn starts_at_local(&self) -> String {
        local_text(self.occurrence.local)
    }

    /// When it starts.
    async fn starts_at(&self) -> DateTimeUtc {
        self.occurrence.starts_at
    }

    /// When it ends.
    async fn ends_at(&self) -> DateTimeUtc {
        self.occurrence.ends_at
    }

    /// What became of it.
    async fn outcome(&self) -> OccurrenceOutcome {
        match (self.done, self.occurrence.is_free()) {
            (true, true) => OccurrenceOutcome::Booked,
            (true, false) => OccurrenceOutcome::Skipped,
            (false, true) => OccurrenceOutcome::NotBooked,
            (false, false) => OccurrenceOutcome::Conflict,
        }
    }

    /// The appointment. Null unless it was booked.
    async fn appointment(&self, ctx: &Context<'_>) -> Result<Option<appointment::ModelEx>> {
        match self.occurrence.appointment {
            Some(id) => Ok(ctx.call().load(id).await?),
            None => Ok(None),
        }
    }

    /// What was in its way.
    #[graphql(directive = list_size::apply(5))]
    async fn conflicts(&self, ctx: &Context<'_>) -> Result<Vec<ResourceConflict>> {
        let loads = self.occurrence.meets.iter().map(|meeting| resource_conflict(ctx, meeting));
        futures::future::join_all(loads).await.into_iter().collect()
    }

    /// Why it cannot be booked although nobody is in its way, in sentences.
    async fn problems(&self) -> &[String] {
        &self.occurrence.problems
    }
}

async fn resource_conflict(ctx: &Context<'_>, meeting: &Meeting) -> Result<ResourceConflict> {
    let appointment = match meeting.appointment {
        Some(id) => ctx.call().load(id).await?,
        None => None,
    };
    Ok(ResourceConflict {
        resource: meeting.resource(),
        starts_at: meeting.starts_at,
        ends_at: meeting.ends_at,
        appointment,
    })
}

/// What became of a series and of each of its occurrences.
#[derive(SimpleObject)]
pub struct BookSeriesPayload {
    /// The series. Null when nothing was booked.
    series: Option<ModelEx>,
    /// Every occurrence that the rule gives, by start.
    #[graphql(directive = list_size::apply(50))]
    occurrences: Vec<SeriesOccurrence>,
}

#[derive(Default)]
pub struct SeriesMutation;

#[Object]
impl SeriesMutation {
    /// Books appointments by a rule, at the same time on the wall clock whatever the clocks do. Every occurrence is
    /// checked; with `FAIL_ALL` one that cannot be booked keeps all of them from being booked, with `SKIP` it is
    /// left out.
    #[graphql(directive = requires::apply(Permission::BookAppointments))]
    async fn book_series(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, from when on, and by which rule.")] input: BookSeriesInput,
    ) -> Result<Option<BookSeriesPayload>> {
        let key = ctx.idempotency(input.idempotency_key.as_deref())?;
        let booked = match commands::book(ctx.app(), &*ctx.actor()?, key.as_ref(), &input).await {
            // Somebody who asks nobody else, such as an import, was quicker.
            Err(Error::Occupied) => {
                return Err(Error::conflict("Somebody booked in between; try again.").into());
            }
            booked => booked?,
        };
        let Booked { series, occurrences } = booked;
        let done = series.is_some();
        let series = match series {
            Some(id) => ctx.call().load(id).await?,
            None => None,
        };
        let occurrences =
            occurrences.into_iter().map(|occurrence| SeriesOccurrence { occurrence, done }).collect();
        Ok(Some(BookSeriesPayload { series, occurrences }))
    }
}
