//! Free times, conflicts, the calendar and the statistics in the schema.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use chrono_tz::Tz;

use super::calendar::{self, Calendar};
use super::input::{AvailableSlotsInput, DEFAULT_LIMIT, FindConflictsInput};
use super::query::{self, Answer, Request};
use super::spans::instant;
use super::statistics::{self, AppointmentStatistics, StatisticsFilter};
use crate::access::permission::Permission;
use crate::error::Error;
use crate::graphql::batch::BatchKey;
use crate::graphql::context::ContextExt;
use crate::graphql::document::cost::list_size;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::id::{LocationId, MembershipId};
use crate::service::entity::Model as Service;
use crate::workspace::entity::Model as Workspace;
use crate::{location, member, room, workspace};

/// Free times, as a booking page shows them.
#[derive(SimpleObject)]
pub struct AvailableSlots {
    /// The times, the earliest first.
    #[graphql(directive = list_size::apply(DEFAULT_LIMIT))]
    pub slots: Vec<AvailableSlot>,
    /// Whether the range has further times than `limit` let through.
    pub has_more: bool,
    /// Pass it as `from` to go on. Null when there are no further times in the range.
    pub next_from: Option<DateTime<Utc>>,
    /// IANA name of the practice's zone, in which the dates of the slots are.
    pub timezone: String,
}

/// A time that can be booked: `bookAppointment` with one of its options succeeds, unless somebody is quicker.
#[derive(SimpleObject)]
pub struct AvailableSlot {
    /// When the appointment would start.
    pub starts_at: DateTime<Utc>,
    /// When it would end.
    pub ends_at: DateTime<Utc>,
    /// The day in the practice's zone, for grouping.
    pub date: NaiveDate,
    /// With whom, where and in which room: one entry for each practitioner and place. With `anyPractitioner` one.
    #[graphql(directive = list_size::apply(1))]
    pub options: Vec<SlotOption>,
}

/// A way to book a slot.
pub struct SlotOption {
    practitioner: Arc<member::entity::ModelEx>,
    location: Option<LocationId>,
    room: Option<Arc<room::entity::ModelEx>>,
    seats: i32,
}

/// A way to book a slot: pass these to `bookAppointment`.
#[Object]
impl SlotOption {
    /// Who would see the patient.
    async fn practitioner(&self) -> &member::entity::ModelEx {
        &self.practitioner
    }

    /// Where. Null when the practitioner's hours serve every place.
    async fn location(&self, ctx: &Context<'_>) -> Result<Option<location::entity::ModelEx>> {
        match self.location {
            Some(id) => Ok(ctx.call().load(id).await?),
            None => Ok(None),
        }
    }

    /// A room that is free. Null unless one is required or was asked for.
    async fn room(&self) -> Option<&room::entity::ModelEx> {
        self.room.as_deref()
    }

    /// How many patients can still attend: 1, or the seats that are left of a group session.
    async fn remaining_capacity(&self) -> i32 {
        self.seats
    }
}

impl AvailableSlots {
    /// The answer as the schema has it.
    pub fn of(answer: Answer, request: &Request) -> Self {
        let Answer { found, practitioners, rooms, zone } = answer;
        let practitioners: Vec<_> = practitioners.into_iter().map(Arc::new).collect();
        let rooms: HashMap<_, _> = rooms.into_iter().map(|(id, room)| (id, Arc::new(room))).collect();
        let mut slots: Vec<AvailableSlot> = Vec::new();
        for choice in found.choices {
            let starts_at = instant(choice.starts_at);
            let Some(practitioner) = practitioners.get(choice.practitioner) else { continue };
            let option = SlotOption {
                practitioner: practitioner.clone(),
                location: choice.location,
                room: choice.room.and_then(|id| rooms.get(&id).cloned()),
                seats: choice.seats,
            };
            match slots.last_mut() {
                Some(slot) if slot.starts_at == starts_at => slot.options.push(option),
                _ => slots.push(AvailableSlot {
                    starts_at,
                    ends_at: instant(choice.starts_at.saturating_add(request.shape.duration)),
                    date: starts_at.with_timezone(&zone).date_naive(),
                    options: vec![option],
                }),
            }
        }
        let last = slots.last().map(|slot| slot.starts_at);
        let next_from = last.filter(|_| found.more).map(|last| last + Duration::minutes(1));
        Self { slots, has_more: found.more, next_from, timezone: zone.name().into() }
    }
}

/// Whether an appointment could be booked, and if not, why not.
#[derive(SimpleObject)]
pub struct BookingCheck {
    /// Whether booking it would succeed at this moment.
    pub bookable: bool,
    /// Why the practitioner cannot be booked then, although nothing may be taken.
    #[graphql(directive = list_size::apply(5))]
    pub obstacles: Vec<super::check::Obstacle>,
    /// Who and what is taken, by start.
    #[graphql(directive = list_size::apply(10))]
    pub conflicts: Vec<crate::appointment::graphql::ResourceConflict>,
    /// The next times with the same practitioner, service and room, within two weeks: at most ten, three a day.
    #[graphql(directive = list_size::apply(5))]
    pub alternatives: Vec<AvailableSlot>,
}

#[derive(Default)]
pub struct AvailabilityQuery;

#[Object]
impl AvailabilityQuery {
    /// The times that can be booked. A time is listed exactly when booking it succeeds.
    ///
    /// Times lie inside the working hours of the practitioner (`weeklySchedules` with `scheduleExceptions`; whoever
    /// has no weekly schedule can be booked at any time), keep the buffers of the service and of what is booked
    /// around it, and respect the service's notice, advance and daily limits.
    #[graphql(directive = requires::apply(Permission::BookAppointments))]
    async fn available_slots(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to look for.")] input: AvailableSlotsInput,
    ) -> Result<AvailableSlots> {
        let service = match input.service_id {
            Some(id) => Some(known(ctx, id, "serviceId").await?),
            None => None,
        };
        if service.as_ref().is_some_and(|service| service.archived_at.is_some()) {
            return Err(Error::invalid("serviceId", "This service is archived.").into());
        }
        let service: Option<Service> = service.map(Into::into);
        let request = input.request(service.as_ref())?;
        for (field, ids) in [("practitionerIds", &request.practitioners)] {
            all_known(ctx, ids, field).await?;
        }
        all_known(ctx, &request.locations, "locationIds").await?;
        all_known(ctx, &request.rooms, "roomIds").await?;
        if let Some(patient) = request.patient {
            known(ctx, patient, "patientId").await?;
        }
        find(ctx, service.as_ref(), &request).await
    }

    /// Checks an appointment without booking it: what is in its way, as far as you may see it, and the next times.
    #[graphql(directive = requires::apply(Permission::BookAppointments))]
    async fn find_conflicts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The appointment that you think of.")] input: FindConflictsInput,
    ) -> Result<BookingCheck> {
        super::conflicts::check(ctx, &input).await
    }

    /// A stretch of the practice's calendar: who works when, who is away, and what is booked and held. The number of
    /// statements does not depend on how many practitioners there are.
    #[graphql(directive = requires::apply(Permission::ReadAppointments))]
    async fn calendar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From when.")] from: DateTime<Utc>,
        #[graphql(desc = "Until when, exclusive. At most 42 days after `from`.")] to: DateTime<Utc>,
        #[graphql(desc = "Only these practitioners. Omitted or empty: all who can be booked or have \
                          appointments. At most 100.")]
        practitioner_ids: Option<Vec<MembershipId>>,
        #[graphql(
            desc = "Only hours and appointments at these places. Omitted or empty: anywhere. At most 20."
        )]
        location_ids: Option<Vec<LocationId>>,
        #[graphql(desc = "Shows cancelled appointments and no-shows as well.", default)]
        include_cancelled: bool,
    ) -> Result<Calendar> {
        let wanted = calendar::Wanted {
            from,
            to,
            practitioners: practitioner_ids.unwrap_or_default(),
            locations: location_ids.unwrap_or_default(),
            include_cancelled,
        };
        calendar::read(ctx, wanted).await
    }

    /// How many appointments there were, of what kind and with what outcome, and how much of the working time they
    /// took. Counts appointments that start in the range.
    #[graphql(directive = requires::apply(Permission::ReadReports))]
    async fn appointment_statistics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From when.")] from: DateTime<Utc>,
        #[graphql(desc = "Until when, exclusive. At most 366 days after `from`.")] to: DateTime<Utc>,
        #[graphql(desc = "Which appointments.")] filter: Option<StatisticsFilter>,
    ) -> Result<AppointmentStatistics> {
        statistics::read(ctx, from, to, filter.unwrap_or_default()).await
    }
}

/// The free times of a request.
pub async fn find(ctx: &Context<'_>, service: Option<&Service>, request: &Request) -> Result<AvailableSlots> {
    let (actor, now) = (ctx.actor()?, ctx.app().clock.now());
    let workspace = practice(ctx).await?;
    let tx = ctx.call().tx().await?;
    let answer = query::find(&tx, &actor, &workspace, service, request, now).await?;
    Ok(AvailableSlots::of(answer, request))
}

/// The own workspace.
pub async fn practice(ctx: &Context<'_>) -> Result<Workspace> {
    let id = ctx.actor()?.workspace;
    Ok(workspace::queries::require(&*ctx.call().tx().await?, id).await?)
}

/// What the id names, if whoever asks may see it.
pub async fn known<K: BatchKey>(ctx: &Context<'_>, id: K, field: &str) -> Result<K::Value> {
    Ok(ctx.call().load(id).await?.ok_or_else(|| Error::invalid(field, "Not found."))?)
}

/// All of these are there for whoever asks.
pub async fn all_known<K: BatchKey>(ctx: &Context<'_>, ids: &[K], field: &str) -> Result<()> {
    let loads = ids.iter().map(|id| known(ctx, id.clone(), field));
    futures::future::try_join_all(loads).await?;
    Ok(())
}

/// The zone of that name.
pub fn zone_of(workspace: &Workspace) -> Tz {
    super::load::zone(&workspace.timezone)
}
