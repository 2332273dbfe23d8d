//! What Praxis keeps of FHIR resources, free of both FHIR's shape and the tables'.
//!
//! `source_id` is the resource's id in the file it came from: what [`Link::Local`] names.
//! `external_id` is by what the same thing is known again in a later import.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};

use super::reference::{Kind, Link};

/// Administrative gender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gender {
    Male,
    Female,
    Other,
    Unknown,
}

/// Marital status in the five values that the practice tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaritalStatus {
    Single,
    Married,
    Divorced,
    Widowed,
    Other,
}

/// A postal address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// Street, house and unit, one per line of text.
    pub line: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
}

/// The person to call in an emergency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    pub name: Option<String>,
    pub phone: Option<String>,
    pub relationship: Option<String>,
}

/// Whether, and if the source says so when, a patient has died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deceased {
    /// The date as the source wrote it, where it gives a whole one.
    pub on: Option<NaiveDate>,
}

/// A patient.
#[derive(Clone, PartialEq, Eq)]
pub struct PatientRecord {
    pub source_id: String,
    /// The medical record number; the source's id where there is none.
    pub external_id: String,
    pub active: bool,
    pub first_name: String,
    pub middle_name: Option<String>,
    pub last_name: String,
    pub birth_date: Option<NaiveDate>,
    pub gender: Option<Gender>,
    pub deceased: Option<Deceased>,
    pub phone: Option<String>,
    pub email: Option<String>,
    pub address: Option<Address>,
    pub marital_status: Option<MaritalStatus>,
    /// BCP 47 tag of the language that the patient prefers.
    pub language: Option<String>,
    /// Social security or other national number.
    pub national_id: Option<String>,
    pub contact: Option<Contact>,
}

/// A practitioner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PractitionerRecord {
    pub source_id: String,
    /// The National Provider Identifier; the source's id where there is none.
    pub external_id: String,
    pub active: bool,
    /// Given and family name, without title.
    pub name: String,
    /// What stands before the name, as `Dr.`.
    pub title: Option<String>,
    pub specialty: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
}

/// Where care takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocationKind {
    Clinic,
    Home,
    Online,
}

/// A place of care: an Organization (a hospital, a practice) or a Location (a site, a ward).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationRecord {
    pub source_id: String,
    /// The first identifier that the source gives; its id where there is none.
    pub external_id: String,
    /// [`Kind::Organization`] or [`Kind::Location`].
    pub resource: Kind,
    pub active: bool,
    pub name: String,
    pub kind: LocationKind,
    pub phone: Option<String>,
    pub address: Option<Address>,
}

/// How an encounter stands, in the words of appointments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppointmentStatus {
    Scheduled,
    Confirmed,
    InProgress,
    Completed,
    Cancelled,
    NoShow,
}

/// What kind of appointment an encounter was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppointmentType {
    Consultation,
    FollowUp,
    Procedure,
    Emergency,
}

/// An encounter, read as the appointment it was.
#[derive(Clone, PartialEq, Eq)]
pub struct EncounterRecord {
    pub source_id: String,
    pub patient: Link,
    /// Missing where the source names nobody, as for a death certification.
    pub practitioner: Option<Link>,
    /// The Location, or where there is none the Organization that provided the service.
    pub place: Option<Link>,
    pub appointment_type: AppointmentType,
    pub location_kind: LocationKind,
    pub status: AppointmentStatus,
    pub starts_at: DateTime<Utc>,
    /// Always after `starts_at`, by at most [`LONGEST_ENCOUNTER_DAYS`](super::LONGEST_ENCOUNTER_DAYS).
    pub ends_at: DateTime<Utc>,
    /// What was done, in the source's words.
    pub service: Option<String>,
    /// Why the patient came, in the source's words.
    pub reason: Option<String>,
}

/// An illness of a relative.
#[derive(Clone, PartialEq, Eq)]
pub struct FamilyHistoryRecord {
    pub source_id: String,
    pub patient: Link,
    /// Who, in plain words: `mother`, `paternal aunt`.
    pub relation: String,
    pub condition: String,
    /// Age in years when it began.
    pub onset_age: Option<u32>,
}

/// Records of patients reach logs and panics by `Debug` only; there they say which one, not who.
macro_rules! debug_by_id {
    ($($record:ident),*) => {$(
        impl fmt::Debug for $record {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($record)).field("source_id", &self.source_id).finish_non_exhaustive()
            }
        }
    )*};
}

debug_by_id!(PatientRecord, EncounterRecord, FamilyHistoryRecord);
