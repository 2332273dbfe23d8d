//! The waiting list in the schema.

use std::collections::HashMap;

use async_graphql::{Context, Object, SimpleObject};
use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ColumnTrait, Order, QueryFilter};

use super::input::{AcceptWaitlistOfferInput, JoinWaitlistInput, WaitlistEntryInput, WaitlistFilter};
use super::{Column, Entity, Model, ModelEx, WaitlistStatus, commands};
use crate::access::permission::Permission;
use crate::appointment::graphql::AppointmentPayload;
use crate::appointment::{entity as appointment, hold};
use crate::error::Error;
use crate::graphql::batch::BatchKey;
use crate::graphql::context::{Call, ContextExt, Field};
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::graphql::page::{self, Binding, Key, List, Page, PageArgs};
use crate::id::WaitlistEntryId;
use crate::reminder::queries::MessageOf;
use crate::{member, patient, reminder, service};

/// A patient who waits for a slot.
#[Object(name = "WaitlistEntry")]
impl ModelEx {
    /// The entry's id.
    pub async fn id(&self) -> WaitlistEntryId {
        self.id
    }

    /// Who waits.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn patient(&self, ctx: &Context<'_>) -> Result<Option<patient::entity::ModelEx>> {
        Ok(ctx.call().load(self.patient_id).await?)
    }

    /// For which service. Null for any.
    async fn service(&self, ctx: &Context<'_>) -> Result<Option<service::entity::ModelEx>> {
        match self.service_id {
            Some(id) => Ok(ctx.call().load(id).await?),
            None => Ok(None),
        }
    }

    /// For whom. Null for any practitioner.
    async fn practitioner(&self, ctx: &Context<'_>) -> Result<Option<member::entity::ModelEx>> {
        match self.practitioner_id {
            Some(id) => Ok(ctx.call().load(id).await?),
            None => Ok(None),
        }
    }

    /// The slot starts at this instant or later.
    async fn earliest(&self) -> DateTimeUtc {
        self.earliest
    }

    /// The slot ends at this instant or earlier.
    async fn latest(&self) -> DateTimeUtc {
        self.latest
    }

    /// Higher goes first; among equals, who came first.
    async fn priority(&self) -> i32 {
        self.priority
    }

    /// Where the patient stands.
    async fn status(&self) -> WaitlistStatus {
        self.status
    }

    /// The slot that is held for the patient until it expires: accept or decline it. Null unless there is an offer.
    async fn offer(&self, ctx: &Context<'_>) -> Result<Option<hold::ModelEx>> {
        match self.offered_hold_id {
            Some(id) if self.status == WaitlistStatus::Offered => Ok(ctx.call().load(id).await?),
            _ => Ok(None),
        }
    }

    /// The message that tells the patient of the offer. Null unless there is an offer and the patient agreed to
    /// messages. For staff.
    #[graphql(directive = requires::apply(Permission::ManageAppointments))]
    async fn offer_message(&self, ctx: &Context<'_>) -> Result<Option<reminder::entity::ModelEx>> {
        match self.offered_hold_id {
            Some(id) if self.status == WaitlistStatus::Offered => Ok(ctx.call().load(MessageOf(id)).await?),
            _ => Ok(None),
        }
    }

    /// A note for the front desk. Reading it is recorded.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn note(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        ctx.call().reveal(self.patient_id, Field::of(self.id, "note"), self.note.as_ref()).await
    }

    /// Counts the changes; pass it as `expectedVersion` to change the entry.
    async fn version(&self) -> i32 {
        self.version
    }

    /// Since when the patient waits.
    async fn created_at(&self) -> DateTimeUtc {
        self.created_at
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTimeUtc {
        self.updated_at
    }
}

impl BatchKey for WaitlistEntryId {
    type Value = ModelEx;

    async fn load(call: &Call, keys: Vec<Self>) -> crate::error::Result<HashMap<Self, ModelEx>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let rows = actor.find::<Entity>().filter(Column::Id.is_in(keys)).all(&*tx).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }
}

/// The first to be asked first.
const ORDER: [(Column, Order); 2] = [(Column::Priority, Order::Desc), (Column::Id, Order::Asc)];

fn position(row: &Model) -> Vec<Key> {
    vec![Key::Int(row.priority.into()), Key::Id(row.id.0)]
}

#[derive(Default)]
pub struct WaitlistQuery;

#[Object]
impl WaitlistQuery {
    /// Who waits for a slot, in the order in which they are asked. A patient sees the own entries.
    #[graphql(directive = requires::apply(Permission::ReadAppointments))]
    async fn waitlist(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones. Those who wait or have an offer when omitted.")] filter: Option<
            WaitlistFilter,
        >,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<List<ModelEx>> {
        let actor = ctx.actor()?;
        let filter = filter.unwrap_or_default();
        if filter.statuses.as_ref().is_some_and(|statuses| statuses.len() > 5) {
            return Err(Error::invalid_argument("filter", "At most 5 statuses.").into());
        }
        let binding = Binding::new(actor.workspace, "waitlist", &filter);
        let page = Page::new(binding, PageArgs { first, after, last, before })?;
        let statuses =
            filter.statuses.unwrap_or_else(|| vec![WaitlistStatus::Waiting, WaitlistStatus::Offered]);
        let mut query = actor.find::<Entity>().filter(Column::Status.is_in(statuses));
        for condition in [
            filter.patient_id.map(|id| Column::PatientId.eq(id)),
            filter.practitioner_id.map(|id| Column::PractitionerId.eq(id)),
            filter.service_id.map(|id| Column::ServiceId.eq(id)),
        ] {
            query = condition.into_iter().fold(query, |query, condition| query.filter(condition));
        }
        Ok(page::read(ctx, &page, query, &ORDER, position).await?)
    }
}

/// The entry that was changed.
#[derive(SimpleObject)]
pub struct WaitlistPayload {
    /// The entry as it is now.
    entry: ModelEx,
}

#[derive(Default)]
pub struct WaitlistMutation;

#[Object]
impl WaitlistMutation {
    /// Puts a patient on the waiting list for a slot that is not free yet. When one is cancelled or moved, it is
    /// held for the first who waits for it.
    #[graphql(directive = requires::apply(Permission::BookAppointments))]
    async fn join_waitlist(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who waits for what.")] input: JoinWaitlistInput,
    ) -> Result<Option<WaitlistPayload>> {
        let key = ctx.idempotency(input.idempotency_key.as_deref())?;
        let id = commands::join(ctx.app(), &*ctx.actor()?, key.as_ref(), &input).await?;
        payload(ctx, id).await
    }

    /// Takes a patient off the waiting list. What was offered goes to the next.
    #[graphql(directive = requires::apply(Permission::BookAppointments))]
    async fn leave_waitlist(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entry.")] input: WaitlistEntryInput,
    ) -> Result<Option<WaitlistPayload>> {
        commands::leave(ctx.app(), &*ctx.actor()?, &input).await?;
        payload(ctx, input.id).await
    }

    /// Books the slot that is held for a patient of the waiting list.
    #[graphql(directive = requires::apply(Permission::BookAppointments))]
    async fn accept_waitlist_offer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entry.")] input: AcceptWaitlistOfferInput,
    ) -> Result<Option<AppointmentPayload>> {
        let key = ctx.idempotency(input.idempotency_key.as_deref())?;
        let id = commands::accept(ctx.app(), &*ctx.actor()?, key.as_ref(), &input).await?;
        let appointment: Option<appointment::ModelEx> = ctx.call().load(id).await?;
        let appointment = appointment.ok_or(Error::NotFound)?;
        Ok(Some(AppointmentPayload { appointment, others: Vec::new() }))
    }

    /// Lets the slot that is held for a patient of the waiting list go to the next one. The patient waits on.
    #[graphql(directive = requires::apply(Permission::BookAppointments))]
    async fn decline_waitlist_offer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entry.")] input: WaitlistEntryInput,
    ) -> Result<Option<WaitlistPayload>> {
        commands::decline(ctx.app(), &*ctx.actor()?, &input).await?;
        payload(ctx, input.id).await
    }
}

async fn payload(ctx: &Context<'_>, id: WaitlistEntryId) -> Result<Option<WaitlistPayload>> {
    let entry = ctx.call().load(id).await?.ok_or(Error::NotFound)?;
    Ok(Some(WaitlistPayload { entry }))
}
