//! One answer for all who follow the same thing under the same rights.
//!
//! A change reaches every subscriber of a workspace at about the same time, and most of them ask for the same
//! fields of it. So what a selection answers for an event is found out once, by whoever comes first, and the
//! others wait for that. Two subscribers see the same when they are in one workspace, have one role that is not
//! confined to a chart, and ask for the same selection with the same variables: that is the key. What was seen of
//! patients goes into the journal for each of them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};
use moka::future::Cache;

use crate::appointment::entity::ModelEx as Appointment;
use crate::error::Result;
use crate::graphql::context::{Call, SeenPatients};
use crate::graphql::document::Selected;
use crate::id::{AppointmentId, WorkspaceId};
use crate::member::entity::Role;

/// How long an answer is kept for those who have yet to hear of the event. What it says may be as old as that.
const KEPT: Duration = Duration::from_secs(3);
const MOST: u64 = 10_000;

/// What was found out for subscribers.
pub struct Shares {
    appointments: Cache<(WorkspaceId, i64), Option<Arc<Appointment>>>,
    answers: Cache<Key, Arc<Answer>>,
}

/// Whose answers are the same.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    workspace: WorkspaceId,
    seq: i64,
    role: Role,
    selected: Arc<Selected>,
}

struct Answer {
    value: Value,
    seen: SeenPatients,
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            appointments: Cache::builder().max_capacity(MOST).time_to_live(KEPT).build(),
            answers: Cache::builder().max_capacity(MOST).time_to_live(KEPT).build(),
        }
    }
}

impl Shares {
    /// The appointment that an event is about, as whoever asks may see it.
    pub async fn appointment(
        &self,
        call: &Call,
        seq: i64,
        id: AppointmentId,
    ) -> Result<Option<Arc<Appointment>>> {
        let actor = call.actor()?;
        let load = async { Ok(call.load(id).await?.map(Arc::new)) };
        if actor.role == Role::Patient {
            return load.await;
        }
        let shared = self.appointments.try_get_with((actor.workspace, seq), load);
        shared.await.map_err(Arc::unwrap_or_clone)
    }
}

/// An object of the schema that many subscribers are told of, under the number of its event in the workspace's feed.
pub struct Shared<T> {
    pub seq: i64,
    pub told: T,
}

impl<T: OutputType> OutputType for Shared<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.told.introspection_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let shared = call.actor().ok().filter(|actor| actor.role != Role::Patient).zip(call.selected());
        let Some((actor, selected)) = shared else { return self.told.resolve(ctx, field).await };
        let key = Key { workspace: actor.workspace, seq: self.seq, role: actor.role, selected };
        let find = async {
            let value = self.told.resolve(ctx, field).await.map_err(|_| ())?;
            // What failed or was refused is told to each of them in their own words.
            let seen = call.seen_patients().ok_or(())?;
            Ok::<_, ()>(Arc::new(Answer { value, seen }))
        };
        match call.app.shares.answers.try_get_with(key, find).await {
            Ok(answer) => {
                call.note_patients(&answer.seen);
                Ok(answer.value.clone())
            }
            Err(_) => self.told.resolve(ctx, field).await,
        }
    }
}
