//! A patient: everything personal is sealed under the patient's own key.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{MembershipId, PatientId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "patients")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PatientId,
    pub workspace_id: WorkspaceId,
    pub external_id: Option<Sealed>,
    /// Keyed hash of the external id, which keeps it unique without revealing it.
    pub external_id_hash: Option<Vec<u8>>,
    pub first_name: Sealed,
    pub last_name: Sealed,
    pub middle_name: Option<Sealed>,
    pub preferred_name: Option<Sealed>,
    pub birth_date: Option<Sealed>,
    /// An age in years from a source that had no birth date.
    pub reported_age: Option<Sealed>,
    pub gender: Option<Sealed>,
    pub email: Option<Sealed>,
    pub phone: Option<Sealed>,
    pub address_line: Option<Sealed>,
    pub city: Option<Sealed>,
    pub state: Option<Sealed>,
    pub postal_code: Option<Sealed>,
    pub country: Option<Sealed>,
    pub nationality: Option<Sealed>,
    pub preferred_language: Option<Sealed>,
    pub timezone: Option<Sealed>,
    pub marital_status: Option<Sealed>,
    pub occupation: Option<Sealed>,
    pub national_id: Option<Sealed>,
    pub insurance_provider: Option<Sealed>,
    pub insurance_type: Option<Sealed>,
    pub policy_number: Option<Sealed>,
    pub emergency_contact_name: Option<Sealed>,
    pub emergency_contact_phone: Option<Sealed>,
    pub emergency_contact_relationship: Option<Sealed>,
    pub medical_history: Option<Sealed>,
    pub allergies: Option<Sealed>,
    pub medications: Option<Sealed>,
    pub blood_type: Option<Sealed>,
    pub notes: Option<Sealed>,
    pub deceased_on: Option<Sealed>,
    /// A JSON list of words.
    pub tags: Option<Sealed>,
    /// What an imported FHIR resource said that has no column here.
    pub source_resource: Option<Sealed>,
    /// The version of the patient's key that the row is sealed under.
    pub key_version: i32,
    pub primary_practitioner_id: Option<MembershipId>,
    /// The patient agreed to reminders.
    pub reminder_consent: bool,
    pub archived_at: Option<DateTimeUtc>,
    pub archived_by: Option<MembershipId>,
    /// The chart that this one was merged into.
    pub merged_into_id: Option<PatientId>,
    /// Processing is restricted at the patient's request.
    pub restricted_at: Option<DateTimeUtc>,
    pub created_by: Option<MembershipId>,
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "PrimaryPractitioner",
        from = "(workspace_id, primary_practitioner_id)",
        to = "(workspace_id, id)"
    )]
    pub primary_practitioner: BelongsTo<Option<crate::member::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
