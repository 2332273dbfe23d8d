//! The table `retention_policies`.

use sea_orm::entity::prelude::*;

use crate::id::{RetentionPolicyId, WorkspaceId};

/// A class of data that is kept and archived by its own rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum DataClass {
    /// The patient's personal data and the chart as a whole.
    #[sea_orm(string_value = "PATIENTS")]
    Patients,
    /// Appointments and their history.
    #[sea_orm(string_value = "APPOINTMENTS")]
    Appointments,
    /// Therapy sessions and their versions.
    #[sea_orm(string_value = "THERAPY_SESSIONS")]
    TherapySessions,
    /// Medical records.
    #[sea_orm(string_value = "MEDICAL_RECORDS")]
    MedicalRecords,
    /// Attached files.
    #[sea_orm(string_value = "ATTACHMENTS")]
    Attachments,
    /// Test orders and diagnostic results.
    #[sea_orm(string_value = "DIAGNOSTIC_RESULTS")]
    DiagnosticResults,
    /// Breast-cancer predictions.
    #[sea_orm(string_value = "PREDICTIONS")]
    Predictions,
    /// Care plans with their goals and interventions.
    #[sea_orm(string_value = "CARE_PLANS")]
    CarePlans,
    /// Consents, disclosures and requests for erasure.
    #[sea_orm(string_value = "COMPLIANCE")]
    Compliance,
    /// The audit log.
    #[sea_orm(string_value = "AUDIT_EVENTS")]
    AuditEvents,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "retention_policies")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RetentionPolicyId,
    pub workspace_id: WorkspaceId,
    pub data_class: DataClass,
    pub years_after_last_encounter: i32,
    /// The age up to which the data of a patient who was a minor is kept at least.
    pub minor_age_years: Option<i32>,
    pub years_after_death: Option<i32>,
    pub legal_basis: Option<String>,
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
