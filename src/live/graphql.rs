//! Subscriptions in the schema.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Subscription};
use futures::stream::Stream;
use sea_orm::prelude::DateTimeUtc;

use super::changes::{ChangeType, reaches};
use super::feed::{FeedEvent, cursor};
use super::follow::{Alike, follow};
use crate::access::permission::Permission;
use crate::appointment::entity as appointment;
use crate::graphql::context::{Call, ContextExt};
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::graphql::node::{self, Node};
use crate::id::{self, AppointmentId, LocationId, MembershipId, PatientId, TypedId, WorkspaceId};
use crate::member::entity as member;
use crate::member::entity::Role;

/// Something changed.
pub struct Change {
    workspace: WorkspaceId,
    change: ChangeType,
    id: String,
    event: Arc<FeedEvent>,
}

/// A change in the workspace.
#[Object]
impl Change {
    /// Where the change stands in the feed: pass it as `after` to go on from here.
    async fn cursor(&self) -> String {
        cursor(self.workspace, self.event.seq)
    }

    /// What was changed.
    #[graphql(name = "type")]
    async fn change_type(&self) -> ChangeType {
        self.change
    }

    /// The id of what was changed, as `node` takes it.
    async fn id(&self) -> ID {
        ID(self.id.clone())
    }

    /// What was done, such as `service.updated`.
    async fn action(&self) -> &str {
        &self.event.action
    }

    /// When it was done.
    async fn at(&self) -> DateTimeUtc {
        self.event.occurred_at
    }

    /// Who did it. Null when it was the system itself, or somebody whom you may not see.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<member::ModelEx>> {
        actor_of(ctx, &self.event).await
    }

    /// What was changed, as it is now. Null when you may not see it, or when it is gone.
    async fn node(&self, ctx: &Context<'_>) -> Result<Option<Node>> {
        Ok(node::find(ctx.call(), &self.id).await?)
    }
}

/// What happened to an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, async_graphql::Enum)]
pub enum AppointmentAction {
    /// It was booked.
    Booked,
    /// It was moved to another time.
    Rescheduled,
    /// The patient confirmed it.
    Confirmed,
    /// The visit began.
    Started,
    /// The visit ended.
    Completed,
    /// It was called off.
    Cancelled,
    /// The patient did not come.
    NoShow,
    /// It stands again after a cancellation or a no-show.
    Reopened,
    /// Its outcome was corrected afterwards.
    Corrected,
    /// Something else about it was changed.
    Updated,
}

impl AppointmentAction {
    fn of(action: &str) -> Self {
        match action {
            "appointment.booked" => Self::Booked,
            "appointment.rescheduled" => Self::Rescheduled,
            "appointment.confirmed" => Self::Confirmed,
            "appointment.started" => Self::Started,
            "appointment.completed" => Self::Completed,
            "appointment.cancelled" => Self::Cancelled,
            "appointment.no_show" => Self::NoShow,
            "appointment.reopened" => Self::Reopened,
            "appointment.corrected" => Self::Corrected,
            _ => Self::Updated,
        }
    }
}

/// Something that happened to an appointment.
pub struct AppointmentEvent {
    workspace: WorkspaceId,
    appointment: Arc<appointment::ModelEx>,
    event: Arc<FeedEvent>,
}

/// Something that happened to an appointment.
#[Object]
impl AppointmentEvent {
    /// Where the event stands in the feed: pass it as `after` to go on from here.
    async fn cursor(&self) -> String {
        cursor(self.workspace, self.event.seq)
    }

    /// What happened.
    async fn action(&self) -> AppointmentAction {
        AppointmentAction::of(&self.event.action)
    }

    /// When it happened.
    async fn at(&self) -> DateTimeUtc {
        self.event.occurred_at
    }

    /// The appointment as it is now: after a replay that may be later than the event.
    async fn appointment(&self) -> &appointment::ModelEx {
        &self.appointment
    }

    /// Who did it. Null when it was the system itself, or somebody whom you may not see.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<member::ModelEx>> {
        actor_of(ctx, &self.event).await
    }
}

async fn actor_of(ctx: &Context<'_>, event: &FeedEvent) -> Result<Option<member::ModelEx>> {
    match event.actor_membership_id {
        Some(id) => Ok(ctx.call().load(id).await?),
        None => Ok(None),
    }
}

/// Which appointments to hear of: those that match everything given, as they are when the event is delivered.
#[derive(Clone, Debug, Default, InputObject)]
pub struct AppointmentEventFilter {
    /// Only those of this practitioner.
    practitioner_id: Option<MembershipId>,
    /// Only those of this patient.
    patient_id: Option<PatientId>,
    /// Only those at this location.
    location_id: Option<LocationId>,
}

impl AppointmentEventFilter {
    fn matches(&self, appointment: &appointment::ModelEx) -> bool {
        self.practitioner_id.is_none_or(|id| appointment.practitioner_id == id)
            && self.patient_id.is_none_or(|id| appointment.patient_id == id)
            && self.location_id.is_none_or(|id| appointment.location_id == Some(id))
    }
}

#[derive(Default)]
pub struct LiveSubscription;

#[Subscription]
impl LiveSubscription {
    /// Every change in the workspace that you may hear of, in the order in which they were made. With `after`
    /// it begins with what was missed since, exactly once. The stream ends with `UNAUTHENTICATED` within
    /// seconds of a sign-out.
    #[graphql(directive = requires::apply(Permission::ReadWorkspace))]
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only changes of these types. All that you may hear of when omitted.")]
        types: Option<Vec<ChangeType>>,
        #[graphql(
            desc = "The cursor of the last change that you have seen. From now on when omitted; older than \
                          30 days is `CURSOR_EXPIRED`."
        )]
        after: Option<String>,
    ) -> Result<impl Stream<Item = Result<Change>>> {
        let asked = types.iter().flatten().map(|change| change.permission());
        let permissions = std::iter::once(Permission::ReadWorkspace).chain(asked).collect();
        let types: Option<Arc<[ChangeType]>> = types.map(Into::into);
        let pick = move |call, event| change(call, event, types.clone());
        Ok(follow(ctx, permissions, after.as_deref(), Alike::Nobody, pick).await?)
    }

    /// What happens to appointments that you may see, in order. With `after` it begins with what was missed
    /// since, exactly once. The stream ends with `UNAUTHENTICATED` within seconds of a sign-out.
    #[graphql(directive = requires::apply(Permission::ReadAppointments))]
    async fn appointment_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which appointments. All that you may see when omitted.")] filter: Option<
            AppointmentEventFilter,
        >,
        #[graphql(
            desc = "The cursor of the last event that you have seen. From now on when omitted; older than 30 \
                          days is `CURSOR_EXPIRED`."
        )]
        after: Option<String>,
    ) -> Result<impl Stream<Item = Result<AppointmentEvent>>> {
        let filter = filter.unwrap_or_default();
        let alike = Alike::Roles(format!("{filter:?}").into());
        let pick = move |call, event| appointment_event(call, event, filter.clone());
        Ok(follow(ctx, vec![Permission::ReadAppointments], after.as_deref(), alike, pick).await?)
    }
}

async fn change(
    call: Arc<Call>,
    event: Arc<FeedEvent>,
    types: Option<Arc<[ChangeType]>>,
) -> crate::error::Result<Option<Change>> {
    let actor = call.actor()?;
    let subject = event.subject_type.as_deref().zip(event.subject_id);
    let (Some(change), Some((table, uuid))) = (ChangeType::of(&event), subject) else { return Ok(None) };
    let asked = types.is_none_or(|types| types.contains(&change));
    let Some(id) = id::text(table, uuid).filter(|_| asked && reaches(&actor, change, &event)) else {
        return Ok(None);
    };
    // What a patient cannot see of the own chart, such as a draft, they do not hear of either.
    if actor.role == Role::Patient && node::find(&call, &id).await?.is_none() {
        return Ok(None);
    }
    Ok(Some(Change { workspace: actor.workspace, change, id, event }))
}

async fn appointment_event(
    call: Arc<Call>,
    event: Arc<FeedEvent>,
    filter: AppointmentEventFilter,
) -> crate::error::Result<Option<AppointmentEvent>> {
    let Some(id) = event.subject_id.filter(|_| event.subject_type.as_deref() == Some(AppointmentId::TABLE))
    else {
        return Ok(None);
    };
    let workspace = call.actor()?.workspace;
    let found = call.app.shares.appointment(&call, event.seq, AppointmentId(id)).await?;
    let appointment = found.filter(|appointment| filter.matches(appointment));
    Ok(appointment.map(|appointment| AppointmentEvent { workspace, appointment, event }))
}

/// A place in the feed of changes.
#[derive(SimpleObject)]
pub struct FeedPosition {
    /// Pass it as `after` to hear of everything that happens from here on.
    cursor: String,
}

#[derive(Default)]
pub struct LiveQuery;

#[Object]
impl LiveQuery {
    /// Where the feed of changes stands. Ask for it first, load what you show, then subscribe after its cursor:
    /// nothing falls between loading and following.
    #[graphql(directive = requires::apply(Permission::ReadWorkspace))]
    async fn feed_position(&self, ctx: &Context<'_>) -> Result<FeedPosition> {
        let workspace = ctx.actor()?.workspace;
        let head = ctx.app().feeds.head(workspace).await?;
        Ok(FeedPosition { cursor: cursor(workspace, head) })
    }
}
