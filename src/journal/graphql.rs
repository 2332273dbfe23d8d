//! The audit trail in the schema.

use async_graphql::{Context, Json, Object};
use sea_orm::prelude::DateTimeUtc;

use super::entity::{AuditKind, ModelEx};
use super::event::Event;
use super::queries::{self, AuditEventFilter};
use crate::access::permission::Permission;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::graphql::page::{self, Binding, List, Page, PageArgs};
use crate::id::{self, AuditEventId, PatientId};
use crate::member::entity as member;
use crate::member::entity::Role;

/// An entry of the audit trail: what was done, by whom, to what. Entries are never changed or removed.
#[Object(name = "AuditEvent")]
impl ModelEx {
    /// The entry's id.
    pub async fn id(&self) -> AuditEventId {
        self.id
    }

    /// Its number in the workspace's trail: without gaps, in the order in which things were done.
    async fn seq(&self) -> i64 {
        self.seq
    }

    /// When it was done.
    async fn occurred_at(&self) -> DateTimeUtc {
        self.occurred_at
    }

    /// What sort of event it is.
    async fn kind(&self) -> AuditKind {
        self.kind
    }

    /// What was done, such as `appointment.booked`.
    async fn action(&self) -> &str {
        &self.action
    }

    /// Who did it. Null for the system itself.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<member::ModelEx>> {
        match self.actor_membership_id {
            Some(id) => Ok(ctx.call().load(id).await?),
            None => Ok(None),
        }
    }

    /// The role in which it was done, which the actor may have lost since.
    async fn role(&self) -> Option<Role> {
        self.actor_role
    }

    /// The id of what it was done to. Null when there is no one object.
    async fn subject_id(&self) -> Option<String> {
        id::text(self.subject_type.as_deref()?, self.subject_id?)
    }

    /// What sort of object that is, such as `appointments`.
    async fn subject_type(&self) -> Option<&str> {
        self.subject_type.as_deref()
    }

    /// The patient whose chart it concerns. Null when it concerns none.
    async fn patient_id(&self) -> Option<PatientId> {
        self.patient_id
    }

    /// The id of the request that did it, as its answer and the server's log have it.
    async fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The address that the request came from.
    async fn ip(&self) -> Option<&str> {
        self.ip.as_deref()
    }

    /// The program that sent the request.
    async fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// Why, as a code.
    async fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// More about it, free of personal data: counts, names of fields, ids.
    async fn detail(&self) -> Json<serde_json::Value> {
        Json(serde_json::from_str(&self.detail).unwrap_or_default())
    }
}

#[derive(Default)]
pub struct JournalQuery;

#[Object]
impl JournalQuery {
    /// The workspace's audit trail, newest first. Reading it is recorded in it.
    #[graphql(directive = requires::apply(Permission::ReadAudit))]
    async fn audit_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entries. All when omitted.")] filter: Option<AuditEventFilter>,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<List<ModelEx>> {
        let (actor, filter) = (ctx.actor()?, filter.unwrap_or_default());
        let binding = Binding::new(actor.workspace, "auditEvents", &filter);
        let page = Page::new(binding, PageArgs { first, after, last, before })?;
        let query = queries::list(&actor, &filter)?;
        let events = page::read(ctx, &page, query, &queries::ORDER, queries::position).await?;
        ctx.call().note(Event::by(&actor, AuditKind::Read, "audit.read").with("count", events.edges.len()));
        Ok(events)
    }
}
