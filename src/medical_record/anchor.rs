//! The table `record_anchors`: a record's place in a batch whose Merkle root goes to a ledger.

use sea_orm::entity::prelude::*;

use crate::id::{MedicalRecordId, RecordAnchorId, WorkspaceId};

/// How far a batch of hashes has come on its way to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum AnchorState {
    /// Waiting to be sent.
    #[sea_orm(string_value = "PENDING")]
    Pending,
    /// Sent to the ledger, not yet final.
    #[sea_orm(string_value = "SUBMITTED")]
    Submitted,
    /// Final on the ledger.
    #[sea_orm(string_value = "CONFIRMED")]
    Confirmed,
    /// Given up after repeated attempts.
    #[sea_orm(string_value = "FAILED")]
    Failed,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "record_anchors")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RecordAnchorId,
    pub workspace_id: WorkspaceId,
    pub record_id: Option<MedicalRecordId>,
    /// Shared by all rows that are anchored with one root.
    pub batch: Uuid,
    pub merkle_root: Vec<u8>,
    pub leaf_index: i64,
    /// The sibling hashes from the leaf up, in hexadecimal.
    #[sea_orm(column_type = "JsonBinary")]
    pub proof: Json,
    pub network: String,
    pub tx_hash: Option<String>,
    pub state: AnchorState,
    pub attempts: i32,
    pub last_error: Option<String>,
    pub anchored_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Record",
        from = "(workspace_id, record_id)",
        to = "(workspace_id, id)"
    )]
    pub record: BelongsTo<Option<super::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
