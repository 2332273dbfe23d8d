//! The table `data_processing_consents`.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{ConsentId, MembershipId, PatientId, WorkspaceId};

/// What a patient's data may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum ConsentPurpose {
    /// The treatment itself.
    #[sea_orm(string_value = "TREATMENT")]
    Treatment,
    /// Reminders of appointments, and messages about slots that the patient waits for.
    #[sea_orm(string_value = "REMINDERS")]
    Reminders,
    /// De-identified use in research.
    #[sea_orm(string_value = "RESEARCH")]
    Research,
    /// Passing data on to others.
    #[sea_orm(string_value = "DATA_SHARING")]
    DataSharing,
    /// Messages that advertise.
    #[sea_orm(string_value = "MARKETING")]
    Marketing,
    /// Any other purpose; the text that was shown says which.
    #[sea_orm(string_value = "OTHER")]
    Other,
}

/// What happened to a consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum ConsentEvent {
    /// The patient gave it.
    #[sea_orm(string_value = "GRANTED")]
    Granted,
    /// The patient took it back.
    #[sea_orm(string_value = "WITHDRAWN")]
    Withdrawn,
    /// It ran out.
    #[sea_orm(string_value = "EXPIRED")]
    Expired,
    /// A consent to a newer text took its place.
    #[sea_orm(string_value = "SUPERSEDED")]
    Superseded,
}

/// How a consent, or its withdrawal, was expressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum ConsentChannel {
    /// Said in the practice.
    #[sea_orm(string_value = "IN_PERSON")]
    InPerson,
    /// Signed on paper.
    #[sea_orm(string_value = "PAPER")]
    Paper,
    /// Given through the patient's own account.
    #[sea_orm(string_value = "PORTAL")]
    Portal,
    /// Said on the telephone.
    #[sea_orm(string_value = "PHONE")]
    Phone,
    /// Written in an e-mail or a letter.
    #[sea_orm(string_value = "MESSAGE")]
    Message,
    /// Recorded by the system itself, such as an expiry.
    #[sea_orm(string_value = "SYSTEM")]
    System,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "data_processing_consents")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ConsentId,
    pub workspace_id: WorkspaceId,
    pub patient_id: PatientId,
    pub purpose: ConsentPurpose,
    pub event: ConsentEvent,
    /// The version of the text that was shown.
    pub text_version: String,
    /// The language it was shown in, as a BCP 47 tag.
    pub language: String,
    pub channel: ConsentChannel,
    /// The kinds of data it covers, as a list of names.
    #[sea_orm(column_type = "JsonBinary")]
    pub data_categories: Json,
    /// Whom the data may go to, as a list of names.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub third_parties: Option<Json>,
    pub evidence: Option<Sealed>,
    pub effective_at: DateTimeUtc,
    pub expires_at: Option<DateTimeUtc>,
    /// Who entered it; nobody when the system did.
    pub recorded_by: Option<MembershipId>,
    pub created_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Patient",
        from = "(workspace_id, patient_id)",
        to = "(workspace_id, id)"
    )]
    pub patient: BelongsTo<crate::patient::entity::Entity>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Recorder",
        from = "(workspace_id, recorded_by)",
        to = "(workspace_id, id)"
    )]
    pub recorder: BelongsTo<Option<crate::member::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
