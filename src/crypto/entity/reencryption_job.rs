//! A re-encryption: resumable work in batches after a key was rotated.

use sea_orm::entity::prelude::*;

use crate::id::{ReencryptionJobId, WorkspaceId};

/// What a re-encryption covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum ReencryptionScope {
    /// The data of one patient, under a new key of the patient.
    #[sea_orm(string_value = "PATIENT")]
    Patient,
    /// The keys of all patients, under a new key of the workspace.
    #[sea_orm(string_value = "WORKSPACE")]
    Workspace,
}

/// How far a re-encryption has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum ReencryptionState {
    /// Not begun.
    #[sea_orm(string_value = "PENDING")]
    Pending,
    /// Working through its batches.
    #[sea_orm(string_value = "RUNNING")]
    Running,
    /// Finished: nothing is left under the old key.
    #[sea_orm(string_value = "DONE")]
    Done,
    /// Stopped by an error; it resumes where it stopped.
    #[sea_orm(string_value = "FAILED")]
    Failed,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reencryption_jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReencryptionJobId,
    pub workspace_id: WorkspaceId,
    pub scope: ReencryptionScope,
    /// The patient or the workspace.
    pub target: Uuid,
    pub from_version: i32,
    pub to_version: i32,
    /// Where the next batch begins.
    pub cursor: Option<String>,
    pub state: ReencryptionState,
    pub done_count: i64,
    pub total_count: Option<i64>,
    pub last_error: Option<String>,
    pub started_at: Option<DateTimeUtc>,
    pub finished_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
