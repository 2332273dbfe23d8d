//! The table `therapy_sessions`.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{AppointmentId, MembershipId, PatientId, TherapySessionId, WorkspaceId};

/// How far a note has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum TherapySessionState {
    /// Being written; not yet part of the clinical record.
    #[sea_orm(string_value = "DRAFT")]
    Draft,
    /// Signed by its author and not changed since.
    #[sea_orm(string_value = "SIGNED")]
    Signed,
    /// Signed, and amended at least once since; every earlier version is kept.
    #[sea_orm(string_value = "AMENDED")]
    Amended,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "therapy_sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TherapySessionId,
    pub workspace_id: WorkspaceId,
    pub patient_id: PatientId,
    /// The author.
    pub practitioner_id: MembershipId,
    pub appointment_id: Option<AppointmentId>,
    pub state: TherapySessionState,
    /// When the session took place, not when it was written down.
    pub session_date: DateTimeUtc,
    pub duration_minutes: Option<i32>,
    pub subjective: Option<Sealed>,
    pub objective: Option<Sealed>,
    pub assessment: Option<Sealed>,
    pub plan: Option<Sealed>,
    pub draft_saved_at: Option<DateTimeUtc>,
    pub signed_at: Option<DateTimeUtc>,
    pub signed_by: Option<MembershipId>,
    /// The hash of the newest version.
    pub content_hash: Option<Vec<u8>>,
    /// The number of the newest version; 0 while the note is a draft.
    pub current_version: i32,
    /// Written down noticeably later than the session.
    pub late_entry: bool,
    pub deleted_at: Option<DateTimeUtc>,
    pub deleted_by: Option<MembershipId>,
    pub deletion_reason: Option<Sealed>,
    /// From here on the deleted draft may be removed for good.
    pub purge_after: Option<DateTimeUtc>,
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Patient",
        from = "(workspace_id, patient_id)",
        to = "(workspace_id, id)"
    )]
    pub patient: BelongsTo<crate::patient::entity::Entity>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Appointment",
        from = "(workspace_id, appointment_id)",
        to = "(workspace_id, id)"
    )]
    pub appointment: BelongsTo<Option<crate::appointment::entity::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Practitioner",
        from = "(workspace_id, practitioner_id)",
        to = "(workspace_id, id)"
    )]
    pub practitioner: BelongsTo<crate::member::entity::Entity>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Signer",
        from = "(workspace_id, signed_by)",
        to = "(workspace_id, id)"
    )]
    pub signer: BelongsTo<Option<crate::member::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
