//! Which rows the general feed tells of, and to whom.

use async_graphql::Enum;

use super::feed::FeedEvent;
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::id::{
    AppointmentHoldId, AppointmentId, AppointmentSeriesId, AttachmentId, CarePlanGoalId, CarePlanId,
    CarePlanInterventionId, ConsentId, DeletionRequestId, DiagnosticResultId, DisclosureId, DoctorScheduleId,
    EquipmentId, FamilyHistoryId, LegalHoldId, LocationId, MedicalRecordId, MembershipId, PatientId,
    RetentionPolicyId, RoomId, ScheduleExceptionId, ServiceId, TestOrderId, TherapySessionId, TypedId,
    WaitlistEntryId, WorkspaceId,
};
use crate::member::entity::Role;

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ChangeType {
    /// The workspace's settings.
    Workspace,
    /// A member of the workspace.
    Member,
    /// A patient.
    Patient,
    /// An entry of a patient's family history.
    FamilyHistory,
    /// A service.
    Service,
    /// A location.
    Location,
    /// A room.
    Room,
    /// A piece of equipment.
    Equipment,
    /// A weekly schedule.
    Schedule,
    /// Time off or extra hours.
    ScheduleException,
    /// An appointment.
    Appointment,
    /// A slot that is held.
    SlotHold,
    /// A series of appointments.
    AppointmentSeries,
    /// An entry of the waitlist.
    WaitlistEntry,
    /// A note of a therapy session.
    TherapySession,
    /// An attachment.
    Attachment,
    /// A medical record.
    MedicalRecord,
    /// A diagnostic result.
    DiagnosticResult,
    /// An order of a test.
    TestOrder,
    /// A care plan.
    CarePlan,
    /// A goal of a care plan.
    CarePlanGoal,
    /// An intervention of a care plan.
    CarePlanIntervention,
    /// A consent.
    Consent,
    /// A disclosure.
    Disclosure,
    /// A request for erasure.
    ErasureRequest,
    /// A retention policy.
    RetentionPolicy,
    /// A legal hold.
    LegalHold,
}

impl ChangeType {
    /// What the change is about, when the feed tells of it.
    pub fn of(event: &FeedEvent) -> Option<Self> {
        Some(match event.subject_type.as_deref()? {
            WorkspaceId::TABLE => Self::Workspace,
            MembershipId::TABLE => Self::Member,
            PatientId::TABLE => Self::Patient,
            FamilyHistoryId::TABLE => Self::FamilyHistory,
            ServiceId::TABLE => Self::Service,
            LocationId::TABLE => Self::Location,
            RoomId::TABLE => Self::Room,
            EquipmentId::TABLE => Self::Equipment,
            DoctorScheduleId::TABLE => Self::Schedule,
            ScheduleExceptionId::TABLE => Self::ScheduleException,
            AppointmentId::TABLE => Self::Appointment,
            AppointmentHoldId::TABLE => Self::SlotHold,
            AppointmentSeriesId::TABLE => Self::AppointmentSeries,
            WaitlistEntryId::TABLE => Self::WaitlistEntry,
            TherapySessionId::TABLE => Self::TherapySession,
            AttachmentId::TABLE => Self::Attachment,
            MedicalRecordId::TABLE => Self::MedicalRecord,
            DiagnosticResultId::TABLE => Self::DiagnosticResult,
            TestOrderId::TABLE => Self::TestOrder,
            CarePlanId::TABLE => Self::CarePlan,
            CarePlanGoalId::TABLE => Self::CarePlanGoal,
            CarePlanInterventionId::TABLE => Self::CarePlanIntervention,
            ConsentId::TABLE => Self::Consent,
            DisclosureId::TABLE => Self::Disclosure,
            DeletionRequestId::TABLE => Self::ErasureRequest,
            RetentionPolicyId::TABLE => Self::RetentionPolicy,
            LegalHoldId::TABLE => Self::LegalHold,
            _ => return None,
        })
    }

    /// What somebody needs to hear of it.
    pub fn permission(self) -> Permission {
        match self {
            Self::Workspace => Permission::ReadWorkspace,
            Self::Member => Permission::ReadMembers,
            Self::Patient => Permission::ReadPatients,
            Self::Service | Self::Location | Self::Room | Self::Equipment => Permission::ReadPractice,
            Self::Schedule
            | Self::ScheduleException
            | Self::Appointment
            | Self::SlotHold
            | Self::AppointmentSeries
            | Self::WaitlistEntry => Permission::ReadAppointments,
            Self::FamilyHistory
            | Self::TherapySession
            | Self::Attachment
            | Self::MedicalRecord
            | Self::DiagnosticResult
            | Self::TestOrder
            | Self::CarePlan
            | Self::CarePlanGoal
            | Self::CarePlanIntervention => Permission::ReadClinical,
            Self::Consent
            | Self::Disclosure
            | Self::ErasureRequest
            | Self::RetentionPolicy
            | Self::LegalHold => Permission::ReadAudit,
        }
    }
}

/// Whether the change is in the actor's reach: a patient hears of the own chart and of the practice.
pub fn reaches(actor: &Actor, change: ChangeType, event: &FeedEvent) -> bool {
    let own = actor.role != Role::Patient
        || match event.patient_id {
            Some(patient) => actor.patient == Some(patient),
            None => matches!(change.permission(), Permission::ReadWorkspace | Permission::ReadPractice),
        };
    own && actor.may(change.permission())
}
