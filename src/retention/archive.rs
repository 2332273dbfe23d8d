//! The table `archives`.

use sea_orm::entity::prelude::*;

use super::entity::DataClass;
use crate::id::{ArchiveId, PatientId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "archives")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ArchiveId,
    pub workspace_id: WorkspaceId,
    pub data_class: DataClass,
    /// The id of the archived row; its table follows from the class.
    pub subject_id: Uuid,
    pub patient_id: Option<PatientId>,
    pub object_key: String,
    /// SHA-256 of the bundle's manifest.
    pub manifest_hash: Vec<u8>,
    pub archived_at: DateTimeUtc,
    pub restored_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Patient",
        from = "(workspace_id, patient_id)",
        to = "(workspace_id, id)"
    )]
    pub patient: BelongsTo<Option<crate::patient::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
