//! The table `data_deletion_requests`.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{DeletionRequestId, MembershipId, PatientId, WorkspaceId};

/// Where a request for erasure stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum DeletionRequestState {
    /// The request came in.
    #[sea_orm(string_value = "RECEIVED")]
    Received,
    /// The person who asks is known to be the patient, or to act for them.
    #[sea_orm(string_value = "IDENTITY_VERIFIED")]
    IdentityVerified,
    /// The practice examines what may be erased.
    #[sea_orm(string_value = "UNDER_REVIEW")]
    UnderReview,
    /// Nothing is erased; the rejection code says on which ground.
    #[sea_orm(string_value = "REJECTED")]
    Rejected,
    /// The data must be kept for now and is not used otherwise.
    #[sea_orm(string_value = "RESTRICTED")]
    Restricted,
    /// The data is to be erased.
    #[sea_orm(string_value = "APPROVED")]
    Approved,
    /// The data is being erased.
    #[sea_orm(string_value = "EXECUTING")]
    Executing,
    /// Everything was erased.
    #[sea_orm(string_value = "COMPLETED")]
    Completed,
    /// Everything was erased but the kept categories.
    #[sea_orm(string_value = "PARTIALLY_COMPLETED")]
    PartiallyCompleted,
}

/// How the identity of the person who asks was established.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum VerificationMethod {
    /// The practice knows the person and met them.
    #[sea_orm(string_value = "IN_PERSON")]
    InPerson,
    /// The person showed an identity document.
    #[sea_orm(string_value = "IDENTITY_DOCUMENT")]
    IdentityDocument,
    /// The request came through the patient's own account.
    #[sea_orm(string_value = "PATIENT_ACCOUNT")]
    PatientAccount,
    /// The practice called the patient back on a known number.
    #[sea_orm(string_value = "CALL_BACK")]
    CallBack,
    /// A representative proved that they may act for the patient.
    #[sea_orm(string_value = "REPRESENTATIVE")]
    Representative,
}

/// The ground on which a request for erasure is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum RejectionCode {
    /// The law obliges the practice to keep the data (GDPR article 17 (3) b).
    #[sea_orm(string_value = "LEGAL_OBLIGATION")]
    LegalObligation,
    /// Public health requires the data (GDPR article 17 (3) c).
    #[sea_orm(string_value = "PUBLIC_HEALTH")]
    PublicHealth,
    /// Archiving in the public interest, research or statistics require the data (GDPR article 17 (3) d).
    #[sea_orm(string_value = "ARCHIVING_RESEARCH")]
    ArchivingResearch,
    /// The data is needed for legal claims (GDPR article 17 (3) e).
    #[sea_orm(string_value = "LEGAL_CLAIMS")]
    LegalClaims,
    /// The request is manifestly unfounded or excessive (GDPR article 12 (5)).
    #[sea_orm(string_value = "UNFOUNDED")]
    Unfounded,
    /// It could not be established who asks.
    #[sea_orm(string_value = "IDENTITY_NOT_VERIFIED")]
    IdentityNotVerified,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "data_deletion_requests")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DeletionRequestId,
    pub workspace_id: WorkspaceId,
    pub patient_id: PatientId,
    pub state: DeletionRequestState,
    pub requested_at: DateTimeUtc,
    pub due_at: DateTimeUtc,
    pub extended_until: Option<DateTimeUtc>,
    pub verification_method: Option<VerificationMethod>,
    pub reviewed_by: Option<MembershipId>,
    pub decision_reason: Option<Sealed>,
    pub rejection_code: Option<RejectionCode>,
    /// What had to be kept: category, legal basis and the day it falls due, as a list.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub kept_categories: Option<Json>,
    pub executed_at: Option<DateTimeUtc>,
    pub certificate_hash: Option<Vec<u8>>,
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
        relation_enum = "Reviewer",
        from = "(workspace_id, reviewed_by)",
        to = "(workspace_id, id)"
    )]
    pub reviewer: BelongsTo<Option<crate::member::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
