//! The table `attachments`.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{AttachmentId, MedicalRecordId, MembershipId, PatientId, TherapySessionId, WorkspaceId};

/// Whether a file can be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum AttachmentState {
    /// The upload was announced; its bytes have not been accepted yet.
    #[sea_orm(string_value = "PENDING")]
    Pending,
    /// The file can be downloaded.
    #[sea_orm(string_value = "AVAILABLE")]
    Available,
    /// The bytes did not pass inspection and were not kept.
    #[sea_orm(string_value = "REJECTED")]
    Rejected,
    /// The file was deleted from the chart.
    #[sea_orm(string_value = "DELETED")]
    Deleted,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attachments")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttachmentId,
    pub workspace_id: WorkspaceId,
    pub patient_id: PatientId,
    pub therapy_session_id: Option<TherapySessionId>,
    pub medical_record_id: Option<MedicalRecordId>,
    pub file_name: Sealed,
    pub media_type: String,
    /// The size of the plain file.
    pub size_bytes: i64,
    pub object_key: String,
    /// SHA-256 of the stored (encrypted) object.
    pub content_hash: Option<Vec<u8>>,
    pub state: AttachmentState,
    pub uploaded_by: MembershipId,
    pub upload_expires_at: Option<DateTimeUtc>,
    pub deleted_at: Option<DateTimeUtc>,
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
        relation_enum = "TherapySession",
        from = "(workspace_id, therapy_session_id)",
        to = "(workspace_id, id)"
    )]
    pub therapy_session: BelongsTo<Option<crate::therapy_session::entity::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "MedicalRecord",
        from = "(workspace_id, medical_record_id)",
        to = "(workspace_id, id)"
    )]
    pub medical_record: BelongsTo<Option<crate::medical_record::entity::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Uploader",
        from = "(workspace_id, uploaded_by)",
        to = "(workspace_id, id)"
    )]
    pub uploader: BelongsTo<crate::member::entity::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
