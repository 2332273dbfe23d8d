//! A patient's key, wrapped by the workspace's key; destroying it erases the patient.

use sea_orm::entity::prelude::*;

use crate::id::{PatientId, PatientKeyId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "patient_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PatientKeyId,
    pub workspace_id: WorkspaceId,
    /// Not a foreign key: the key is stored before the patient that it seals.
    pub patient_id: PatientId,
    /// Counts the patient's keys.
    pub version: i32,
    /// The workspace's key that wraps this one.
    pub workspace_key_version: i32,
    /// None once destroyed.
    pub wrapped: Option<Vec<u8>>,
    pub destroyed_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
