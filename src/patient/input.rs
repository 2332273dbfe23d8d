//! What creating and changing a patient takes.

use async_graphql::{InputObject, MaybeUndefined};
use chrono::{Datelike, NaiveDate};

use super::chart::{BloodType, Chart, Gender, MaritalStatus, NewPatient};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::error::Result;
use crate::graphql::input::Problems;
use crate::id::{FamilyHistoryId, MembershipId, PatientId};
use crate::workspace::input::check_timezone;

/// A postal address. When a patient is changed, what is omitted stays and null empties.
#[derive(Clone, Default, InputObject)]
pub struct PatientAddressInput {
    /// Street, house and unit: at most 1,000 characters.
    pub line: MaybeUndefined<String>,
    /// City or town: at most 255 characters.
    pub city: MaybeUndefined<String>,
    /// State or province: at most 255 characters.
    pub state: MaybeUndefined<String>,
    /// Postal code: at most 32 characters.
    pub postal_code: MaybeUndefined<String>,
    /// Country: at most 100 characters.
    pub country: MaybeUndefined<String>,
}

/// Whom to call in an emergency. When a patient is changed, what is omitted stays and null empties.
#[derive(Clone, Default, InputObject)]
pub struct EmergencyContactInput {
    /// Name: at most 255 characters.
    pub name: MaybeUndefined<String>,
    /// Telephone number: at least 5 digits.
    pub phone: MaybeUndefined<String>,
    /// Relationship to the patient, such as `mother`: at most 100 characters.
    pub relationship: MaybeUndefined<String>,
}

/// What a chart can say besides the name. Blank text is the same as null.
#[derive(Clone, Default, InputObject)]
pub struct ChartInput {
    /// Middle name: at most 255 characters.
    pub middle_name: MaybeUndefined<String>,
    /// What the patient likes to be called: at most 255 characters.
    pub preferred_name: MaybeUndefined<String>,
    /// Date of birth, from 1850 to today.
    pub birth_date: MaybeUndefined<NaiveDate>,
    /// Administrative gender.
    pub gender: MaybeUndefined<Gender>,
    /// E-mail address. Several patients may share one.
    pub email: MaybeUndefined<String>,
    /// Telephone number: at least 5 digits. Several patients may share one.
    pub phone: MaybeUndefined<String>,
    /// Postal address; null empties all of it.
    pub address: MaybeUndefined<PatientAddressInput>,
    /// Nationality: at most 100 characters.
    pub nationality: MaybeUndefined<String>,
    /// The language that the patient prefers, as a BCP 47 tag such as `fr-CA`: at most 35 characters.
    pub preferred_language: MaybeUndefined<String>,
    /// IANA name of the time zone that the patient lives in, such as `Europe/Paris`; null is each appointment's.
    /// Reminders tell the time there, and respect its night.
    pub timezone: MaybeUndefined<String>,
    /// Marital status.
    pub marital_status: MaybeUndefined<MaritalStatus>,
    /// Occupation: at most 255 characters.
    pub occupation: MaybeUndefined<String>,
    /// Social security or other national number: at most 64 characters.
    pub national_id: MaybeUndefined<String>,
    /// The insurer: at most 255 characters.
    pub insurance_provider: MaybeUndefined<String>,
    /// The kind of insurance, such as `private`: at most 100 characters.
    pub insurance_type: MaybeUndefined<String>,
    /// The number of the insurance policy: at most 100 characters.
    pub policy_number: MaybeUndefined<String>,
    /// Whom to call in an emergency; null empties all of it.
    pub emergency_contact: MaybeUndefined<EmergencyContactInput>,
    /// Past illnesses and operations: at most 5,000 characters. Needs WRITE_CLINICAL.
    pub medical_history: MaybeUndefined<String>,
    /// Allergies and intolerances: at most 5,000 characters. Null means not asked; write it down when there
    /// are none. Needs WRITE_CLINICAL.
    pub allergies: MaybeUndefined<String>,
    /// Current medication: at most 5,000 characters. Needs WRITE_CLINICAL.
    pub medications: MaybeUndefined<String>,
    /// Blood group. Needs WRITE_CLINICAL.
    pub blood_type: MaybeUndefined<BloodType>,
    /// Clinical remarks: at most 5,000 characters. Needs WRITE_CLINICAL.
    pub notes: MaybeUndefined<String>,
    /// When the patient died, if so: not in the future.
    pub deceased_on: MaybeUndefined<NaiveDate>,
    /// The practice's own marks: at most 50, each of 1 to 50 characters.
    pub tags: MaybeUndefined<Vec<String>>,
    /// The id by which another system knows the patient, unique in the workspace: at most 255 characters.
    pub external_id: MaybeUndefined<String>,
    /// The member of the practice who is mainly in charge.
    pub primary_practitioner_id: MaybeUndefined<MembershipId>,
    /// Whether the patient agreed to reminders of appointments.
    pub reminder_consent: Option<bool>,
}

/// A patient to be created.
#[derive(Clone, InputObject)]
pub struct CreatePatientInput {
    /// First name: 1 to 255 characters.
    pub first_name: String,
    /// Last name: 1 to 255 characters.
    pub last_name: String,
    #[graphql(flatten)]
    pub chart: ChartInput,
    /// Makes a repetition of this request harmless: the same key answers with the same patient.
    pub idempotency_key: Option<String>,
}

/// What to change about a patient. What is omitted stays; null empties what may be empty.
#[derive(Clone, InputObject)]
pub struct UpdatePatientInput {
    /// The patient.
    pub id: PatientId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// First name: 1 to 255 characters.
    pub first_name: Option<String>,
    /// Last name: 1 to 255 characters.
    pub last_name: Option<String>,
    #[graphql(flatten)]
    pub chart: ChartInput,
}

/// Changes the fields of the same names.
macro_rules! edit {
    ($input:expr => $chart:expr; $($text:ident)*; $($other:ident)*) => {
        $(edit_text(&mut $chart.$text, &$input.$text);)*
        $($input.$other.clone().update_to(&mut $chart.$other);)*
    };
}

/// Changes a text. Blank is the same as null.
fn edit_text(field: &mut Option<String>, value: &MaybeUndefined<String>) {
    match value {
        MaybeUndefined::Undefined => {}
        MaybeUndefined::Null => *field = None,
        MaybeUndefined::Value(text) => *field = unless_blank(text),
    }
}

fn unless_blank(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

impl ChartInput {
    /// Whether clinical text is given.
    fn gives_clinical(&self) -> bool {
        let texts = [&self.medical_history, &self.allergies, &self.medications, &self.notes];
        texts.into_iter().any(MaybeUndefined::is_value) || self.blood_type.is_value()
    }

    /// Whether clinical text is given or emptied. Whether that would change anything does not matter: the
    /// answer would tell what is there.
    fn touches_clinical(&self) -> bool {
        let texts = [&self.medical_history, &self.allergies, &self.medications, &self.notes];
        self.gives_clinical() || texts.into_iter().any(MaybeUndefined::is_null) || self.blood_type.is_null()
    }

    fn edit(&self, patient: &mut NewPatient) {
        let chart = &mut patient.chart;
        edit! { self => chart;
            middle_name preferred_name email phone nationality preferred_language timezone occupation national_id
            insurance_provider insurance_type policy_number medical_history allergies medications notes
            external_id;
            birth_date gender marital_status blood_type deceased_on
        }
        if let Some(address) = given(&self.address) {
            edit_text(&mut chart.address_line, &address.line);
            edit! { address => chart; city state postal_code country; }
        }
        if let Some(contact) = given(&self.emergency_contact) {
            edit_text(&mut chart.emergency_contact_name, &contact.name);
            edit_text(&mut chart.emergency_contact_phone, &contact.phone);
            edit_text(&mut chart.emergency_contact_relationship, &contact.relationship);
        }
        if !self.tags.is_undefined() {
            let tags = self.tags.value().into_iter().flatten().map(|tag| tag.trim().to_owned());
            chart.tags = Some(tags.collect()).filter(|tags: &Vec<_>| !tags.is_empty());
        }
        self.primary_practitioner_id.update_to(&mut patient.primary_practitioner_id);
        if let Some(consent) = self.reminder_consent {
            patient.reminder_consent = consent;
        }
    }
}

/// The parts of a group: null empties each of them.
fn given<T: Clone + Emptied>(group: &MaybeUndefined<T>) -> Option<T> {
    match group {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(T::emptied()),
        MaybeUndefined::Value(group) => Some(group.clone()),
    }
}

/// A group of fields with all of them null.
trait Emptied {
    fn emptied() -> Self;
}

impl Emptied for PatientAddressInput {
    fn emptied() -> Self {
        use MaybeUndefined::Null;
        Self { line: Null, city: Null, state: Null, postal_code: Null, country: Null }
    }
}

impl Emptied for EmergencyContactInput {
    fn emptied() -> Self {
        use MaybeUndefined::Null;
        Self { name: Null, phone: Null, relationship: Null }
    }
}

impl CreatePatientInput {
    /// What whoever creates this patient must be permitted.
    pub fn permit(&self, actor: &Actor) -> Result<()> {
        permit(actor, self.chart.gives_clinical())
    }

    /// The patient to create, if the practice can use it.
    pub fn patient(&self, today: NaiveDate) -> Result<NewPatient> {
        let mut patient = NewPatient::default();
        self.chart.edit(&mut patient);
        patient.chart.first_name = self.first_name.trim().into();
        patient.chart.last_name = self.last_name.trim().into();
        check(&patient.chart, &Chart::default(), today)?;
        Ok(patient)
    }
}

impl UpdatePatientInput {
    /// What whoever changes this must be permitted.
    pub fn permit(&self, actor: &Actor) -> Result<()> {
        permit(actor, self.chart.touches_clinical())
    }

    /// The patient with the changes. What came from elsewhere and does not change need not pass.
    pub fn edit(&self, patient: &mut NewPatient, today: NaiveDate) -> Result<()> {
        let before = patient.chart.clone();
        self.chart.edit(patient);
        if let Some(name) = &self.first_name {
            patient.chart.first_name = name.trim().into();
        }
        if let Some(name) = &self.last_name {
            patient.chart.last_name = name.trim().into();
        }
        check(&patient.chart, &before, today)
    }
}

fn permit(actor: &Actor, clinical: bool) -> Result<()> {
    actor.require(Permission::WritePatients)?;
    if clinical { actor.require(Permission::WriteClinical) } else { Ok(()) }
}

/// The earliest date of birth.
const EARLIEST: i32 = 1850;

/// Checks the fields that are new or changed, and reports all problems at once.
fn check(chart: &Chart, before: &Chart, today: NaiveDate) -> Result<()> {
    let mut problems = Problems::default();
    for (field, text, was) in [
        ("firstName", &chart.first_name, &before.first_name),
        ("lastName", &chart.last_name, &before.last_name),
    ] {
        if text.is_empty() || text != was {
            problems.text(field, text, 255);
        }
    }
    macro_rules! lengths {
        ($($path:literal $field:ident $most:literal;)*) => {$(
            if chart.$field != before.$field {
                problems.length($path, chart.$field.as_deref(), $most);
            }
        )*};
    }
    lengths! {
        "middleName" middle_name 255;
        "preferredName" preferred_name 255;
        "phone" phone 50;
        "address.line" address_line 1_000;
        "address.city" city 255;
        "address.state" state 255;
        "address.postalCode" postal_code 32;
        "address.country" country 100;
        "nationality" nationality 100;
        "preferredLanguage" preferred_language 35;
        "occupation" occupation 255;
        "nationalId" national_id 64;
        "insuranceProvider" insurance_provider 255;
        "insuranceType" insurance_type 100;
        "policyNumber" policy_number 100;
        "emergencyContact.name" emergency_contact_name 255;
        "emergencyContact.phone" emergency_contact_phone 50;
        "emergencyContact.relationship" emergency_contact_relationship 100;
        "medicalHistory" medical_history 5_000;
        "allergies" allergies 5_000;
        "medications" medications 5_000;
        "notes" notes 5_000;
        "externalId" external_id 255;
    }
    if let (Some(email), true) = (&chart.email, chart.email != before.email) {
        problems.email("email", email);
    }
    if let (Some(zone), true) = (&chart.timezone, chart.timezone != before.timezone) {
        check_timezone(&mut problems, "timezone", zone);
    }
    for (field, phone, was) in [
        ("phone", &chart.phone, &before.phone),
        ("emergencyContact.phone", &chart.emergency_contact_phone, &before.emergency_contact_phone),
    ] {
        if phone != was && phone.as_deref().is_some_and(|phone| !is_phone(phone)) {
            problems.add(field, "A telephone number has at least 5 digits.");
        }
    }
    if let (Some(date), true) = (chart.birth_date, chart.birth_date != before.birth_date)
        && (date > today || date.year() < EARLIEST)
    {
        problems.add("birthDate", format!("Must be from {EARLIEST} to today."));
    }
    if let (Some(date), true) = (chart.deceased_on, chart.deceased_on != before.deceased_on)
        && (date > today || chart.birth_date.is_some_and(|birth| date < birth))
    {
        problems.add("deceasedOn", "Must be from the date of birth to today.");
    }
    if let (Some(tags), true) = (&chart.tags, chart.tags != before.tags)
        && (tags.len() > 50 || tags.iter().any(|tag| !(1..=50).contains(&tag.chars().count())))
    {
        problems.add("tags", "At most 50 tags of 1 to 50 characters.");
    }
    problems.ok()
}

/// Digits with what people put between them.
fn is_phone(text: &str) -> bool {
    text.chars().filter(char::is_ascii_digit).count() >= 5 && !text.contains(char::is_control)
}

/// A patient to archive or restore.
#[derive(Clone, InputObject)]
pub struct ArchivePatientInput {
    /// The patient.
    pub id: PatientId,
    /// The version that you have seen.
    pub expected_version: i32,
}

/// An illness of a relative.
#[derive(Clone, InputObject)]
pub struct AddFamilyHistoryInput {
    /// The patient whose relative it is.
    pub patient_id: PatientId,
    /// Who, such as `mother` or `paternal aunt`: 1 to 100 characters.
    pub relation: String,
    /// The illness: 1 to 1,000 characters.
    pub condition: String,
    /// The relative's age when it began, in years: 0 to 130.
    pub onset_age: Option<i32>,
    /// Anything else: at most 2,000 characters.
    pub note: Option<String>,
    /// Makes a repetition of this request harmless: the same key answers with the same entry.
    pub idempotency_key: Option<String>,
}

/// What to change about an entry of the family history. What is omitted stays; null empties.
#[derive(Clone, InputObject)]
pub struct UpdateFamilyHistoryInput {
    /// The entry.
    pub id: FamilyHistoryId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// Who, such as `mother` or `paternal aunt`: 1 to 100 characters.
    pub relation: Option<String>,
    /// The illness: 1 to 1,000 characters.
    pub condition: Option<String>,
    /// The relative's age when it began, in years: 0 to 130.
    pub onset_age: MaybeUndefined<i32>,
    /// Anything else: at most 2,000 characters.
    pub note: MaybeUndefined<String>,
}

/// The entry to take out of a family history.
#[derive(Clone, InputObject)]
pub struct RemoveFamilyHistoryInput {
    /// The entry.
    pub id: FamilyHistoryId,
    /// The version that you have seen.
    pub expected_version: i32,
}

/// An entry of the family history in plain text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Illness {
    pub relation: String,
    pub condition: String,
    pub onset_age: Option<i32>,
    pub note: Option<String>,
}

impl AddFamilyHistoryInput {
    pub fn illness(&self) -> Result<Illness> {
        Illness {
            relation: self.relation.trim().into(),
            condition: self.condition.trim().into(),
            onset_age: self.onset_age,
            note: self.note.as_deref().and_then(unless_blank),
        }
        .checked()
    }
}

impl UpdateFamilyHistoryInput {
    pub fn edit(&self, mut illness: Illness) -> Result<Illness> {
        if let Some(relation) = &self.relation {
            illness.relation = relation.trim().into();
        }
        if let Some(condition) = &self.condition {
            illness.condition = condition.trim().into();
        }
        self.onset_age.update_to(&mut illness.onset_age);
        edit_text(&mut illness.note, &self.note);
        illness.checked()
    }
}

impl Illness {
    fn checked(self) -> Result<Self> {
        let mut problems = Problems::default();
        problems.text("relation", &self.relation, 100);
        problems.text("condition", &self.condition, 1_000);
        problems.length("note", self.note.as_deref(), 2_000);
        if let Some(age) = self.onset_age {
            problems.range("onsetAge", age, 0..=130);
        }
        problems.ok()?;
        Ok(self)
    }
}
