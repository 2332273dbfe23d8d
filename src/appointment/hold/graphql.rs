//! Holds in the schema.

use async_graphql::{Context, Object, SimpleObject, Union};
use sea_orm::prelude::DateTimeUtc;

use super::input::{HoldSlotInput, ReleaseHoldInput, SlotHoldFilter};
use super::{ModelEx, commands, queries};
use crate::access::permission::Permission;
use crate::appointment::book;
use crate::appointment::graphql::AppointmentConflict;
use crate::appointment::graphql::roots::conflict;
use crate::availability::conflicts::Instead;
use crate::error::Error;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::graphql::page::{self, Binding, List, Page, PageArgs};
use crate::id::AppointmentHoldId;
use crate::{member, patient, room, service};

/// A slot that is kept for somebody who has not booked yet, until it expires.
#[Object(name = "SlotHold")]
impl ModelEx {
    /// The hold's id: pass it to `bookAppointment` as `holdId`.
    pub async fn id(&self) -> AppointmentHoldId {
        self.id
    }

    /// Who would see the patient.
    async fn practitioner(&self, ctx: &Context<'_>) -> Result<Option<member::entity::ModelEx>> {
        Ok(ctx.call().load(self.practitioner_id).await?)
    }

    /// The room it keeps. Null when it keeps none.
    async fn room(&self, ctx: &Context<'_>) -> Result<Option<room::entity::ModelEx>> {
        match self.room_id {
            Some(id) => Ok(ctx.call().load(id).await?),
            None => Ok(None),
        }
    }

    /// What would be done. Null when no service was named.
    async fn service(&self, ctx: &Context<'_>) -> Result<Option<service::entity::ModelEx>> {
        match self.service_id {
            Some(id) => Ok(ctx.call().load(id).await?),
            None => Ok(None),
        }
    }

    /// Who would come. Null when that is open.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn patient(&self, ctx: &Context<'_>) -> Result<Option<patient::entity::ModelEx>> {
        match self.patient_id {
            Some(id) => Ok(ctx.call().load(id).await?),
            None => Ok(None),
        }
    }

    /// When the appointment would start.
    async fn starts_at(&self) -> DateTimeUtc {
        self.starts_at
    }

    /// When the appointment would end.
    async fn ends_at(&self) -> DateTimeUtc {
        self.ends_at
    }

    /// When the slot is free for others again.
    async fn expires_at(&self) -> DateTimeUtc {
        self.expires_at
    }

    /// When it ended: by a booking, by being given up, or because somebody else booked after it had expired.
    /// Null until then.
    async fn released_at(&self) -> Option<DateTimeUtc> {
        self.released_at
    }

    /// Whether it is an offer to a patient of the waiting list.
    async fn is_offer(&self) -> bool {
        self.for_waitlist
    }
}

/// The slot is held.
#[derive(SimpleObject)]
pub struct SlotHeld {
    /// The hold.
    hold: ModelEx,
}

/// Either the hold or what is in its way.
#[derive(Union)]
pub enum HoldSlotPayload {
    Held(Box<SlotHeld>),
    Conflict(AppointmentConflict),
}

/// The hold that was given up.
#[derive(SimpleObject)]
pub struct HoldPayload {
    /// The hold as it is now.
    hold: ModelEx,
}

#[derive(Default)]
pub struct HoldQuery;

#[Object]
impl HoldQuery {
    /// Slots that are kept for somebody, by start: those that have not ended. A patient sees the own ones.
    #[graphql(directive = requires::apply(Permission::ReadAppointments))]
    async fn slot_holds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones.")] filter: Option<SlotHoldFilter>,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<List<ModelEx>> {
        let actor = ctx.actor()?;
        let filter = filter.unwrap_or_default();
        let binding = Binding::new(actor.workspace, "slotHolds", &filter);
        let page = Page::new(binding, PageArgs { first, after, last, before })?;
        let query = queries::list(&actor, &filter, ctx.app().clock.now());
        Ok(page::read(ctx, &page, query, &queries::ORDER, queries::position).await?)
    }
}

#[derive(Default)]
pub struct HoldMutation;

#[Object]
impl HoldMutation {
    /// Keeps a slot for a few minutes, while somebody makes up their mind: nobody else can book it. A patient
    /// can hold for themselves only, two slots at a time; everybody else 20.
    #[graphql(directive = requires::apply(Permission::BookAppointments))]
    async fn hold_slot(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which slot, and for how long.")] input: HoldSlotInput,
    ) -> Result<Option<HoldSlotPayload>> {
        let actor = ctx.actor()?;
        let key = ctx.idempotency(input.idempotency_key.as_deref())?;
        match commands::hold(ctx.app(), &actor, key.as_ref(), &input).await {
            Ok(id) => {
                let hold = reload(ctx, id).await?;
                Ok(Some(HoldSlotPayload::Held(Box::new(SlotHeld { hold }))))
            }
            Err(error @ (Error::Occupied | Error::Unbookable(_))) => {
                let service: Option<service::entity::Model> = match input.service_id {
                    Some(id) => ctx.call().load(id).await?.map(Into::into),
                    None => None,
                };
                let wanted = Instead {
                    service: service.as_ref(),
                    practitioner: Some(input.practitioner_id),
                    patient: input.patient_id.or(actor.patient),
                    room: input.room_id,
                    location: input.location_id,
                    starts_at: input.starts_at,
                    ends_at: book::end_of(input.starts_at, input.ends_at, service.as_ref())?,
                    buffers: book::buffers(service.as_ref()),
                    except: None,
                };
                Ok(Some(HoldSlotPayload::Conflict(conflict(ctx, &wanted, error).await?)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a hold up before it expires. Who manages appointments can give up anybody's; an offer of the
    /// waiting list is declined instead.
    #[graphql(directive = requires::apply(Permission::BookAppointments))]
    async fn release_hold(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: ReleaseHoldInput,
    ) -> Result<Option<HoldPayload>> {
        commands::release(ctx.app(), &*ctx.actor()?, input.id).await?;
        Ok(Some(HoldPayload { hold: reload(ctx, input.id).await? }))
    }
}

async fn reload(ctx: &Context<'_>, id: AppointmentHoldId) -> Result<ModelEx> {
    Ok(ctx.call().load(id).await?.ok_or(Error::NotFound)?)
}
