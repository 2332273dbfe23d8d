//! `node` and `nodes`: any object by its id.

use async_graphql::{Context, ID, Interface, Object};

use super::context::{Call, ContextExt};
use super::error::Result;
use super::guard::requires;
use crate::access::entity::auth_session;
use crate::access::permission::Permission;
use crate::appointment::entity as appointment;
use crate::appointment::{hold, series, waitlist};
use crate::consent::entity as consent;
use crate::equipment::entity as equipment;
use crate::error::Error;
use crate::id::{
    self, AppointmentHoldId, AppointmentId, AppointmentSeriesId, AuditEventId, AuthSessionId, CalendarFeedId,
    ConsentId, DoctorScheduleId, EquipmentId, FamilyHistoryId, LocationId, MembershipId, PatientId,
    ReminderId, RoomId, ScheduleExceptionId, ServiceId, TypedId, WaitlistEntryId, WorkspaceId,
};
use crate::journal::entity as audit_event;
use crate::location::entity as location;
use crate::member::entity as member;
use crate::patient::entity as patient;
use crate::patient::family_history;
use crate::reminder::{calendar_feed, entity as reminder};
use crate::room::entity as room;
use crate::schedule::{entity as schedule, exception};
use crate::service::entity as service;
use crate::workspace::entity as workspace;

/// Something with an id that is unique across all types.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The object's id."))]
pub enum Node {
    Workspace(workspace::ModelEx),
    Member(member::ModelEx),
    AuthSession(auth_session::ModelEx),
    Service(service::ModelEx),
    Location(location::ModelEx),
    Room(room::ModelEx),
    Appointment(Box<appointment::ModelEx>),
    SlotHold(Box<hold::ModelEx>),
    WaitlistEntry(Box<waitlist::ModelEx>),
    AppointmentSeries(Box<series::ModelEx>),
    Patient(Box<patient::ModelEx>),
    FamilyHistoryEntry(family_history::ModelEx),
    AuditEvent(audit_event::ModelEx),
    Equipment(equipment::ModelEx),
    WeeklySchedule(schedule::ModelEx),
    ScheduleException(exception::ModelEx),
    Reminder(reminder::ModelEx),
    CalendarFeed(calendar_feed::ModelEx),
    Consent(consent::ModelEx),
}

/// The most ids of one `nodes` query.
const MAX_NODES: usize = 100;

#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The object with this id, or null when there is none that you may see.
    #[graphql(directive = requires::apply(Permission::ReadWorkspace))]
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of any object.")] id: ID,
    ) -> Result<Option<Node>> {
        Ok(find(ctx.call(), &id).await?)
    }

    /// The objects with these ids, in the same order; null for each that you may not see.
    #[graphql(directive = requires::apply(Permission::ReadWorkspace))]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 100 ids of any objects.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > MAX_NODES {
            return Err(Error::invalid_argument("ids", format!("At most {MAX_NODES} ids.")).into());
        }
        let found = futures::future::join_all(ids.iter().map(|id| find(ctx.call(), id))).await;
        Ok(found.into_iter().collect::<crate::error::Result<_>>()?)
    }
}

/// The object with this id, under the rights of whoever asks.
pub async fn find(call: &Call, id: &str) -> crate::error::Result<Option<Node>> {
    let Some((prefix, uuid)) = id::decode(id) else {
        return Err(Error::invalid_argument("id", "This is not an id."));
    };
    Ok(match prefix {
        WorkspaceId::PREFIX => call.load(WorkspaceId(uuid)).await?.map(Node::Workspace),
        MembershipId::PREFIX => call.load(MembershipId(uuid)).await?.map(Node::Member),
        AuthSessionId::PREFIX => call.load(AuthSessionId(uuid)).await?.map(Node::AuthSession),
        ServiceId::PREFIX => {
            call.permits(Permission::ReadPractice)?;
            call.load(ServiceId(uuid)).await?.map(Node::Service)
        }
        LocationId::PREFIX => {
            call.permits(Permission::ReadPractice)?;
            call.load(LocationId(uuid)).await?.map(Node::Location)
        }
        EquipmentId::PREFIX => {
            call.permits(Permission::ReadPractice)?;
            call.load(EquipmentId(uuid)).await?.map(Node::Equipment)
        }
        RoomId::PREFIX => {
            call.permits(Permission::ReadPractice)?;
            call.load(RoomId(uuid)).await?.map(Node::Room)
        }
        AppointmentId::PREFIX => {
            call.permits(Permission::ReadAppointments)?;
            call.load(AppointmentId(uuid)).await?.map(Box::new).map(Node::Appointment)
        }
        AppointmentHoldId::PREFIX => {
            call.permits(Permission::ReadAppointments)?;
            call.load(AppointmentHoldId(uuid)).await?.map(Box::new).map(Node::SlotHold)
        }
        WaitlistEntryId::PREFIX => {
            call.permits(Permission::ReadAppointments)?;
            call.load(WaitlistEntryId(uuid)).await?.map(Box::new).map(Node::WaitlistEntry)
        }
        AppointmentSeriesId::PREFIX => {
            call.permits(Permission::ReadAppointments)?;
            call.load(AppointmentSeriesId(uuid)).await?.map(Box::new).map(Node::AppointmentSeries)
        }
        PatientId::PREFIX => {
            call.permits(Permission::ReadPatients)?;
            call.load(PatientId(uuid)).await?.map(Box::new).map(Node::Patient)
        }
        FamilyHistoryId::PREFIX => {
            call.permits(Permission::ReadClinical)?;
            call.load(FamilyHistoryId(uuid)).await?.map(Node::FamilyHistoryEntry)
        }
        DoctorScheduleId::PREFIX => {
            call.permits(Permission::ReadPractice)?;
            call.load(DoctorScheduleId(uuid)).await?.map(Node::WeeklySchedule)
        }
        ScheduleExceptionId::PREFIX => {
            call.permits(Permission::ReadPractice)?;
            call.load(ScheduleExceptionId(uuid)).await?.map(Node::ScheduleException)
        }
        AuditEventId::PREFIX => {
            call.permits(Permission::ReadAudit)?;
            call.load(AuditEventId(uuid)).await?.map(Node::AuditEvent)
        }
        ReminderId::PREFIX => {
            call.permits(Permission::ManageAppointments)?;
            call.load(ReminderId(uuid)).await?.map(Node::Reminder)
        }
        CalendarFeedId::PREFIX => {
            call.permits(Permission::ManageAppointments)?;
            call.load(CalendarFeedId(uuid)).await?.map(Node::CalendarFeed)
        }
        ConsentId::PREFIX => {
            call.permits(Permission::ReadPatients)?;
            call.load(ConsentId(uuid)).await?.map(Node::Consent)
        }
        _ => None,
    })
}
