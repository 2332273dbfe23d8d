//! The table `medical_records`.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{MedicalRecordId, MembershipId, PatientId, WorkspaceId};

/// What a medical record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum MedicalRecordType {
    /// A condition that was found.
    #[sea_orm(string_value = "DIAGNOSIS")]
    Diagnosis,
    /// The result of a laboratory test.
    #[sea_orm(string_value = "LAB_RESULT")]
    LabResult,
    /// A prescribed medicine or aid.
    #[sea_orm(string_value = "PRESCRIPTION")]
    Prescription,
    /// A planned course of treatment.
    #[sea_orm(string_value = "TREATMENT_PLAN")]
    TreatmentPlan,
    /// Earlier illnesses and treatments.
    #[sea_orm(string_value = "MEDICAL_HISTORY")]
    MedicalHistory,
    /// Measured vital signs.
    #[sea_orm(string_value = "VITAL_SIGNS")]
    VitalSigns,
    /// An image or its report.
    #[sea_orm(string_value = "IMAGING")]
    Imaging,
    /// A vaccination.
    #[sea_orm(string_value = "VACCINATION")]
    Vaccination,
    /// Anything else; the type label says what.
    #[sea_orm(string_value = "OTHER")]
    Other,
}

/// Whether a record's result is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum MedicalRecordStatus {
    /// The result is awaited.
    #[sea_orm(string_value = "PENDING")]
    Pending,
    /// The record is complete.
    #[sea_orm(string_value = "COMPLETED")]
    Completed,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "medical_records")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MedicalRecordId,
    pub workspace_id: WorkspaceId,
    pub patient_id: PatientId,
    pub record_type: MedicalRecordType,
    pub type_label: Option<Sealed>,
    /// The day the record speaks of, as an ISO date.
    pub recorded_on: Option<Sealed>,
    pub title: Option<Sealed>,
    /// Who provided the service, when that is nobody of this workspace.
    pub provider_name: Option<Sealed>,
    pub practitioner_id: Option<MembershipId>,
    pub result: Option<Sealed>,
    pub notes: Option<Sealed>,
    /// The FHIR R4 resource, as JSON.
    pub payload: Sealed,
    pub hash_salt: Sealed,
    /// SHA-256 over salt, record id and canonical payload.
    pub data_hash: Vec<u8>,
    pub status: MedicalRecordStatus,
    /// The record that this one replaces.
    pub amends_id: Option<MedicalRecordId>,
    pub superseded_at: Option<DateTimeUtc>,
    pub deleted_at: Option<DateTimeUtc>,
    pub created_by: MembershipId,
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
        relation_enum = "Practitioner",
        from = "(workspace_id, practitioner_id)",
        to = "(workspace_id, id)"
    )]
    pub practitioner: BelongsTo<Option<crate::member::entity::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Creator",
        from = "(workspace_id, created_by)",
        to = "(workspace_id, id)"
    )]
    pub creator: BelongsTo<crate::member::entity::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
