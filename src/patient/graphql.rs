//! Patients in the schema.

use async_graphql::{Context, Object};
use chrono::NaiveDate;
use sea_orm::prelude::DateTimeUtc;

use super::chart::{BloodType, Gender, MaritalStatus, Written, read};
use super::entity::ModelEx;
use super::family_history;
use super::queries::FamilyHistoryOf;
use crate::access::permission::Permission;
use crate::appointment;
use crate::appointment::graphql::roots::{AppointmentOrder, of_patient};
use crate::crypto::sealed::Sealed;
use crate::graphql::context::{ContextExt, Field, Soon};
use crate::graphql::document::cost::list_size;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::graphql::page::{List, PageArgs};
use crate::id::{FamilyHistoryId, MembershipId, PatientId};

pub mod roots;

/// A patient's chart. Every personal field is null, with an error of its own, for whoever may not see it and
/// once the patient was erased. What is read is recorded in the audit trail.
#[Object(name = "Patient")]
impl ModelEx {
    /// The patient's id.
    pub async fn id(&self) -> PatientId {
        self.id
    }

    /// First name.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn first_name(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "first_name"), Some(&self.first_name)).await
    }

    /// Last name.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn last_name(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "last_name"), Some(&self.last_name)).await
    }

    /// First and last name.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn display_name(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        let first = reveal(ctx, self.id, Field::of(self.id, "first_name"), Some(&self.first_name))
            .await?
            .unwrap_or_default();
        let last = reveal(ctx, self.id, Field::of(self.id, "last_name"), Some(&self.last_name))
            .await?
            .unwrap_or_default();
        Ok(Some(format!("{first} {last}").trim().to_owned()))
    }

    /// Middle name.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn middle_name(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "middle_name"), self.middle_name.as_ref()).await
    }

    /// What the patient likes to be called.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn preferred_name(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "preferred_name"), self.preferred_name.as_ref()).await
    }

    /// Date of birth.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn birth_date(&self, ctx: &Context<'_>) -> Result<Option<NaiveDate>> {
        reveal_as(ctx, self.id, Field::of(self.id, "birth_date"), self.birth_date.as_ref()).await
    }

    /// Age in whole years: today, or at death. Where only an age was reported and no date of birth, that age.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn age(&self, ctx: &Context<'_>) -> Result<Option<i32>> {
        let birth: Option<NaiveDate> =
            reveal_as(ctx, self.id, Field::of(self.id, "birth_date"), self.birth_date.as_ref()).await?;
        let Some(birth) = birth else {
            return reveal_as(ctx, self.id, Field::of(self.id, "reported_age"), self.reported_age.as_ref())
                .await;
        };
        let death: Option<NaiveDate> =
            reveal_as(ctx, self.id, Field::of(self.id, "deceased_on"), self.deceased_on.as_ref()).await?;
        let until = death.unwrap_or_else(|| ctx.app().clock.now().date_naive());
        Ok(until.years_since(birth).and_then(|years| i32::try_from(years).ok()))
    }

    /// When the patient died, if so.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn deceased_on(&self, ctx: &Context<'_>) -> Result<Option<NaiveDate>> {
        reveal_as(ctx, self.id, Field::of(self.id, "deceased_on"), self.deceased_on.as_ref()).await
    }

    /// Administrative gender.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn gender(&self, ctx: &Context<'_>) -> Result<Option<Gender>> {
        reveal_as(ctx, self.id, Field::of(self.id, "gender"), self.gender.as_ref()).await
    }

    /// E-mail address.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn email(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "email"), self.email.as_ref()).await
    }

    /// Telephone number.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn phone(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "phone"), self.phone.as_ref()).await
    }

    /// Postal address.
    async fn address(&self) -> PatientAddress<'_> {
        PatientAddress(self)
    }

    /// Nationality.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn nationality(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "nationality"), self.nationality.as_ref()).await
    }

    /// The language that the patient prefers, as a BCP 47 tag.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn preferred_language(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "preferred_language"), self.preferred_language.as_ref()).await
    }

    /// IANA name of the time zone that the patient lives in. Null when that is the appointments' own.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn timezone(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "timezone"), self.timezone.as_ref()).await
    }

    /// Marital status.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn marital_status(&self, ctx: &Context<'_>) -> Result<Option<MaritalStatus>> {
        reveal_as(ctx, self.id, Field::of(self.id, "marital_status"), self.marital_status.as_ref()).await
    }

    /// Occupation.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn occupation(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "occupation"), self.occupation.as_ref()).await
    }

    /// Social security or other national number.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn national_id(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "national_id"), self.national_id.as_ref()).await
    }

    /// The insurer.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn insurance_provider(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "insurance_provider"), self.insurance_provider.as_ref()).await
    }

    /// The kind of insurance.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn insurance_type(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "insurance_type"), self.insurance_type.as_ref()).await
    }

    /// The number of the insurance policy.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn policy_number(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "policy_number"), self.policy_number.as_ref()).await
    }

    /// Whom to call in an emergency.
    async fn emergency_contact(&self) -> EmergencyContact<'_> {
        EmergencyContact(self)
    }

    /// Past illnesses and operations.
    #[graphql(directive = requires::apply(Permission::ReadClinical))]
    async fn medical_history(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "medical_history"), self.medical_history.as_ref()).await
    }

    /// Allergies and intolerances. Null means not asked, not that there are none.
    #[graphql(directive = requires::apply(Permission::ReadClinical))]
    async fn allergies(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "allergies"), self.allergies.as_ref()).await
    }

    /// Current medication.
    #[graphql(directive = requires::apply(Permission::ReadClinical))]
    async fn medications(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "medications"), self.medications.as_ref()).await
    }

    /// Blood group. Null when unknown.
    #[graphql(directive = requires::apply(Permission::ReadClinical))]
    async fn blood_type(&self, ctx: &Context<'_>) -> Result<Option<BloodType>> {
        reveal_as(ctx, self.id, Field::of(self.id, "blood_type"), self.blood_type.as_ref()).await
    }

    /// Clinical remarks.
    #[graphql(directive = requires::apply(Permission::ReadClinical))]
    async fn notes(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "notes"), self.notes.as_ref()).await
    }

    /// The patient's appointments. The first pages of all patients of a list are read together.
    #[graphql(
        directive = requires::apply(Permission::ReadAppointments)
    )]
    async fn appointments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In which order.", default)] order_by: AppointmentOrder,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<Option<List<appointment::entity::ModelEx>>> {
        let args = PageArgs { first, after, last, before };
        // Boxed: the future of every other field of a patient would have room for it.
        Ok(Some(Box::pin(of_patient(ctx, self.id, order_by, args)).await?))
    }

    /// Illnesses of relatives, in the order in which they were entered.
    #[graphql(directive = requires::apply(Permission::ReadClinical), directive = list_size::apply(10))]
    async fn family_history(&self, ctx: &Context<'_>) -> Result<Option<Vec<family_history::ModelEx>>> {
        Ok(Some(ctx.call().load(FamilyHistoryOf(self.id)).await?.unwrap_or_default()))
    }

    /// The practice's own marks.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn tags(&self, ctx: &Context<'_>) -> Result<Option<Vec<String>>> {
        let tags: Option<Vec<String>> =
            reveal_as(ctx, self.id, Field::of(self.id, "tags"), self.tags.as_ref()).await?;
        Ok(Some(tags.unwrap_or_default()))
    }

    /// The id by which another system knows the patient.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn external_id(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.id, Field::of(self.id, "external_id"), self.external_id.as_ref()).await
    }

    /// The member of the practice who is mainly in charge.
    async fn primary_practitioner_id(&self) -> Option<MembershipId> {
        self.primary_practitioner_id
    }

    /// Whether the patient agreed to reminders of appointments.
    async fn reminder_consent(&self) -> bool {
        self.reminder_consent
    }

    /// When the patient was archived. Null while in care.
    async fn archived_at(&self) -> Option<DateTimeUtc> {
        self.archived_at
    }

    /// Counts the changes; pass it as `expectedVersion` to change the patient.
    async fn version(&self) -> i32 {
        self.version
    }

    /// When the patient was created.
    async fn created_at(&self) -> DateTimeUtc {
        self.created_at
    }

    /// When the patient was last changed.
    async fn updated_at(&self) -> DateTimeUtc {
        self.updated_at
    }
}

/// A patient's postal address.
pub struct PatientAddress<'a>(&'a ModelEx);

/// A patient's postal address.
#[Object]
impl PatientAddress<'_> {
    /// Street, house and unit.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn line(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.0.id, Field::of(self.0.id, "address_line"), self.0.address_line.as_ref()).await
    }

    /// City or town.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn city(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.0.id, Field::of(self.0.id, "city"), self.0.city.as_ref()).await
    }

    /// State or province.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn state(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.0.id, Field::of(self.0.id, "state"), self.0.state.as_ref()).await
    }

    /// Postal code.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn postal_code(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.0.id, Field::of(self.0.id, "postal_code"), self.0.postal_code.as_ref()).await
    }

    /// Country.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn country(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.0.id, Field::of(self.0.id, "country"), self.0.country.as_ref()).await
    }
}

/// Whom to call in an emergency.
pub struct EmergencyContact<'a>(&'a ModelEx);

/// Whom to call in an emergency.
#[Object]
impl EmergencyContact<'_> {
    /// Name.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn name(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(
            ctx,
            self.0.id,
            Field::of(self.0.id, "emergency_contact_name"),
            self.0.emergency_contact_name.as_ref(),
        )
        .await
    }

    /// Telephone number.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn phone(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(
            ctx,
            self.0.id,
            Field::of(self.0.id, "emergency_contact_phone"),
            self.0.emergency_contact_phone.as_ref(),
        )
        .await
    }

    /// Relationship to the patient.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn relationship(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(
            ctx,
            self.0.id,
            Field::of(self.0.id, "emergency_contact_relationship"),
            self.0.emergency_contact_relationship.as_ref(),
        )
        .await
    }
}

/// An illness of a patient's relative.
#[Object(name = "FamilyHistoryEntry")]
impl family_history::ModelEx {
    /// The entry's id.
    pub async fn id(&self) -> FamilyHistoryId {
        self.id
    }

    /// The patient whose relative it is.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn patient(&self, ctx: &Context<'_>) -> Result<Option<ModelEx>> {
        Ok(ctx.call().load(self.patient_id).await?)
    }

    /// Who, such as `mother`.
    #[graphql(directive = requires::apply(Permission::ReadClinical))]
    async fn relation(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.patient_id, Field::of(self.id, "relation"), Some(&self.relation)).await
    }

    /// The illness.
    #[graphql(directive = requires::apply(Permission::ReadClinical))]
    async fn condition(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.patient_id, Field::of(self.id, "condition"), Some(&self.condition)).await
    }

    /// The relative's age when it began, in years.
    #[graphql(directive = requires::apply(Permission::ReadClinical))]
    async fn onset_age(&self, ctx: &Context<'_>) -> Result<Option<i32>> {
        reveal_as(ctx, self.patient_id, Field::of(self.id, "onset_age"), self.onset_age.as_ref()).await
    }

    /// Anything else.
    #[graphql(directive = requires::apply(Permission::ReadClinical))]
    async fn note(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        reveal(ctx, self.patient_id, Field::of(self.id, "note"), self.note.as_ref()).await
    }

    /// Counts the changes; pass it as `expectedVersion` to change the entry.
    async fn version(&self) -> i32 {
        self.version
    }

    /// When the entry was made.
    async fn created_at(&self) -> DateTimeUtc {
        self.created_at
    }

    /// When the entry was last changed.
    async fn updated_at(&self) -> DateTimeUtc {
        self.updated_at
    }
}

/// The text of a sealed field; the journal is told.
fn reveal<'s>(
    ctx: &'s Context<'_>,
    patient: PatientId,
    field: Field,
    sealed: Option<&'s Sealed>,
) -> Soon<'s, Option<String>> {
    ctx.call().reveal(patient, field, sealed)
}

/// The value of a sealed field that is more than text.
async fn reveal_as<T: Written>(
    ctx: &Context<'_>,
    patient: PatientId,
    field: Field,
    sealed: Option<&Sealed>,
) -> Result<Option<T>> {
    Ok(reveal(ctx, patient, field, sealed).await?.map(|text| read(&text)).transpose()?)
}
