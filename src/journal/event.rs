//! What is written into the journal.

use sea_orm::prelude::Json;
use uuid::Uuid;

use crate::access::actor::{Actor, RequestInfo};
use crate::crypto::sealed::Sealed;
use crate::id::{AuthSessionId, MembershipId, PatientId, TypedId, UserId, WorkspaceId};
use crate::journal::entity::AuditKind;
use crate::member::entity::Role;

/// The chain of events that belong to no workspace: sign-ins of unknown users, platform work.
pub const SYSTEM_CHAIN: WorkspaceId = WorkspaceId(Uuid::nil());

/// An event before it has a place in a chain.
#[derive(Clone, Debug)]
pub struct Event {
    pub kind: AuditKind,
    /// `noun.verb-in-the-past`, such as `appointment.booked`.
    pub action: &'static str,
    pub user: Option<UserId>,
    pub membership: Option<MembershipId>,
    pub role: Option<Role>,
    pub session: Option<AuthSessionId>,
    pub subject: Option<Subject>,
    pub patient: Option<PatientId>,
    /// A code, never free text: that may hold personal data.
    pub reason: Option<&'static str>,
    /// Free of personal data: counts, field names, ids, keyed digests.
    pub detail: Json,
    /// Old and new values, under the patient's key.
    pub changes: Option<Sealed>,
    pub request: RequestInfo,
}

/// The row that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    pub table: &'static str,
    pub id: Uuid,
}

impl Event {
    /// Something that this actor did.
    pub fn by(actor: &Actor, kind: AuditKind, action: &'static str) -> Self {
        Self {
            kind,
            action,
            user: actor.user,
            membership: actor.membership,
            role: Some(actor.role),
            session: actor.session,
            subject: None,
            patient: None,
            reason: None,
            detail: Json::Object(serde_json::Map::new()),
            changes: None,
            request: actor.request.clone(),
        }
    }

    /// Something that happened outside any workspace, such as a failed sign-in.
    pub fn anonymous(request: &RequestInfo, kind: AuditKind, action: &'static str) -> Self {
        Self {
            kind,
            action,
            user: None,
            membership: None,
            role: None,
            session: None,
            subject: None,
            patient: None,
            reason: None,
            detail: Json::Object(serde_json::Map::new()),
            changes: None,
            request: request.clone(),
        }
    }

    /// What it is about. What is about a patient is about that patient's chart.
    #[must_use]
    pub fn on<I: TypedId>(mut self, id: I) -> Self {
        self.subject = Some(Subject { table: I::TABLE, id: id.uuid() });
        if I::TABLE == PatientId::TABLE {
            self.patient = Some(PatientId(id.uuid()));
        }
        self
    }

    #[must_use]
    pub fn of_patient(mut self, patient: PatientId) -> Self {
        self.patient = Some(patient);
        self
    }

    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Json>) -> Self {
        if let Json::Object(detail) = &mut self.detail {
            detail.insert(key.into(), value.into());
        }
        self
    }
}
