//! The table `therapy_session_versions`: every text of a signed note, complete.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{MembershipId, PatientId, TherapySessionId, TherapySessionVersionId, WorkspaceId};

/// How a version of a note came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum TherapySessionVersionKind {
    /// The text as it was first signed: always version 1.
    #[sea_orm(string_value = "SIGNED")]
    Signed,
    /// A later text, with the reason for the amendment.
    #[sea_orm(string_value = "AMENDED")]
    Amended,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "therapy_session_versions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TherapySessionVersionId,
    pub workspace_id: WorkspaceId,
    /// The note's patient, whose key seals the texts.
    pub patient_id: PatientId,
    pub therapy_session_id: TherapySessionId,
    /// 1 for the signed text, then one more with each amendment.
    pub number: i32,
    pub author_id: MembershipId,
    pub kind: TherapySessionVersionKind,
    pub reason: Option<Sealed>,
    pub subjective: Option<Sealed>,
    pub objective: Option<Sealed>,
    pub assessment: Option<Sealed>,
    pub plan: Option<Sealed>,
    /// Goes into the hash, so that nobody can guess a short text from it once the patient's key is gone.
    pub hash_salt: Sealed,
    pub content_hash: Vec<u8>,
    pub created_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "TherapySession",
        from = "(workspace_id, therapy_session_id)",
        to = "(workspace_id, id)"
    )]
    pub therapy_session: BelongsTo<super::entity::Entity>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Author",
        from = "(workspace_id, author_id)",
        to = "(workspace_id, id)"
    )]
    pub author: BelongsTo<crate::member::entity::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
