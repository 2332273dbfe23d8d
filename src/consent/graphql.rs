//! Consents in the schema.

use async_graphql::{Context, Object, SimpleObject};
use sea_orm::prelude::{DateTimeUtc, Json};

use super::commands;
use super::entity::{ConsentChannel, ConsentEvent, ConsentPurpose, ModelEx};
use super::input::{GrantConsentInput, WithdrawConsentInput};
use crate::access::permission::Permission;
use crate::error::Error;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::id::ConsentId;

/// One thing that happened to a patient's consent: it was given, or taken back. What holds is what happened last.
#[Object(name = "Consent")]
impl ModelEx {
    /// The event's id.
    pub async fn id(&self) -> ConsentId {
        self.id
    }

    /// What the data may be used for.
    async fn purpose(&self) -> ConsentPurpose {
        self.purpose
    }

    /// What happened.
    async fn event(&self) -> ConsentEvent {
        self.event
    }

    /// The version of the text that was shown; `chart` when it was ticked in the chart, without a text.
    async fn text_version(&self) -> &str {
        &self.text_version
    }

    /// The language it was shown in, as a BCP 47 tag; `und` when that is not known.
    async fn language(&self) -> &str {
        &self.language
    }

    /// How it was expressed.
    async fn channel(&self) -> ConsentChannel {
        self.channel
    }

    /// The kinds of data it covers.
    async fn data_categories(&self) -> Vec<&str> {
        self.data_categories.as_array().into_iter().flatten().filter_map(Json::as_str).collect()
    }

    /// From when it holds.
    async fn effective_at(&self) -> DateTimeUtc {
        self.effective_at
    }

    /// Until when it holds. Null: until it is withdrawn.
    async fn expires_at(&self) -> Option<DateTimeUtc> {
        self.expires_at
    }
}

/// What happened to the consent.
#[derive(SimpleObject)]
pub struct ConsentPayload {
    /// The new event.
    consent: ModelEx,
}

#[derive(Default)]
pub struct ConsentMutation;

#[Object]
impl ConsentMutation {
    /// Records that a patient gave a consent. A consent to `REMINDERS` shows as `Patient.reminderConsent`, and the
    /// patient is reminded of what is booked already.
    #[graphql(directive = requires::apply(Permission::WritePatients))]
    async fn grant_consent(
        &self,
        ctx: &Context<'_>,
        input: GrantConsentInput,
    ) -> Result<Option<ConsentPayload>> {
        let key = ctx.idempotency(input.idempotency_key.as_deref())?;
        let id = commands::grant(ctx.app(), &*ctx.actor()?, key.as_ref(), &input).await?;
        payload(ctx, id).await
    }

    /// Records that a patient took a consent back. Without the one to `REMINDERS`, nothing more is sent.
    #[graphql(directive = requires::apply(Permission::WritePatients))]
    async fn withdraw_consent(
        &self,
        ctx: &Context<'_>,
        input: WithdrawConsentInput,
    ) -> Result<Option<ConsentPayload>> {
        let key = ctx.idempotency(input.idempotency_key.as_deref())?;
        let id = commands::withdraw(ctx.app(), &*ctx.actor()?, key.as_ref(), &input).await?;
        payload(ctx, id).await
    }
}

async fn payload(ctx: &Context<'_>, id: ConsentId) -> Result<Option<ConsentPayload>> {
    let consent = ctx.call().load(id).await?.ok_or(Error::NotFound)?;
    Ok(Some(ConsentPayload { consent }))
}
