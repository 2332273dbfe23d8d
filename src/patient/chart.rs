//! What a patient's chart says, and the one place that knows which columns are sealed.

use std::fmt;

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveEnum, Set};
use serde_json::{Map, Value as Json, json};

use super::entity::{ActiveModel, Model};
use crate::crypto::keys::PatientCipher;
use crate::crypto::sealed::Sealed;
use crate::error::{Error, Result};
use crate::id::{AuditEventId, MembershipId, PatientId, TypedId};

/// Administrative gender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum Gender {
    /// Male.
    #[sea_orm(string_value = "MALE")]
    Male,
    /// Female.
    #[sea_orm(string_value = "FEMALE")]
    Female,
    /// Neither male nor female.
    #[sea_orm(string_value = "OTHER")]
    Other,
    /// Asked for and not known.
    #[sea_orm(string_value = "UNKNOWN")]
    Unknown,
}

/// Marital status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum MaritalStatus {
    /// Never married.
    #[sea_orm(string_value = "SINGLE")]
    Single,
    /// Married or in a registered partnership.
    #[sea_orm(string_value = "MARRIED")]
    Married,
    /// Divorced.
    #[sea_orm(string_value = "DIVORCED")]
    Divorced,
    /// The partner has died.
    #[sea_orm(string_value = "WIDOWED")]
    Widowed,
    /// Anything else, such as separated.
    #[sea_orm(string_value = "OTHER")]
    Other,
}

/// Blood group with its rhesus factor. There is no default: an unknown one is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum BloodType {
    /// A+.
    #[sea_orm(string_value = "A_POSITIVE")]
    APositive,
    /// A−.
    #[sea_orm(string_value = "A_NEGATIVE")]
    ANegative,
    /// B+.
    #[sea_orm(string_value = "B_POSITIVE")]
    BPositive,
    /// B−.
    #[sea_orm(string_value = "B_NEGATIVE")]
    BNegative,
    /// AB+.
    #[sea_orm(string_value = "AB_POSITIVE")]
    AbPositive,
    /// AB−.
    #[sea_orm(string_value = "AB_NEGATIVE")]
    AbNegative,
    /// O+.
    #[sea_orm(string_value = "O_POSITIVE")]
    OPositive,
    /// O−.
    #[sea_orm(string_value = "O_NEGATIVE")]
    ONegative,
}

/// A value as the text that is sealed, and back.
pub trait Written: Sized {
    fn write(&self) -> String;
    /// `None` for a text that this type never writes.
    fn read(text: &str) -> Option<Self>;
}

impl Written for String {
    fn write(&self) -> String {
        self.clone()
    }

    fn read(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

impl Written for NaiveDate {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Written for i32 {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Words, as a JSON list.
impl Written for Vec<String> {
    fn write(&self) -> String {
        json!(self).to_string()
    }

    fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

macro_rules! written_as_stored {
    ($($type:ty),*) => {$(
        impl Written for $type {
            fn write(&self) -> String {
                self.to_value()
            }

            fn read(text: &str) -> Option<Self> {
                Self::try_from_value(&text.into()).ok()
            }
        }
    )*};
}

written_as_stored!(Gender, MaritalStatus, BloodType);

/// Reads what [`Written::write`] wrote.
pub fn read<T: Written>(text: &str) -> Result<T> {
    // The text itself is personal data and stays out of the error.
    T::read(text).ok_or_else(|| Error::internal(std::io::Error::other("a sealed field holds another type")))
}

/// A field of the chart: sealed as it is, or absent.
trait Column: Sized {
    type Stored: Into<sea_orm::Value>;

    fn text(&self) -> Option<String>;
    fn seal(&self, cipher: &PatientCipher, id: PatientId, column: &'static str) -> Self::Stored;
    fn open(
        cipher: &PatientCipher,
        id: PatientId,
        column: &'static str,
        stored: &Self::Stored,
    ) -> Result<Self>;
}

impl Column for String {
    type Stored = Sealed;

    fn text(&self) -> Option<String> {
        Some(self.clone())
    }

    fn seal(&self, cipher: &PatientCipher, id: PatientId, column: &'static str) -> Sealed {
        cipher.seal(id, column, self)
    }

    fn open(cipher: &PatientCipher, id: PatientId, column: &'static str, stored: &Sealed) -> Result<Self> {
        cipher.open(id, column, stored)
    }
}

impl<T: Written> Column for Option<T> {
    type Stored = Option<Sealed>;

    fn text(&self) -> Option<String> {
        self.as_ref().map(T::write)
    }

    fn seal(&self, cipher: &PatientCipher, id: PatientId, column: &'static str) -> Option<Sealed> {
        cipher.seal_some(id, column, self.text().as_deref())
    }

    fn open(
        cipher: &PatientCipher,
        id: PatientId,
        column: &'static str,
        stored: &Option<Sealed>,
    ) -> Result<Self> {
        stored.as_ref().map(|sealed| read(&cipher.open(id, column, sealed)?)).transpose()
    }
}

/// Declares the sealed fields once: the struct, and how each column is sealed, opened and compared.
macro_rules! chart {
    ($($(#[$doc:meta])* $field:ident: $type:ty;)*) => {
        /// Everything personal about a patient, in plain text. It exists in memory only.
        #[derive(Clone, Default, PartialEq, Eq)]
        pub struct Chart {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl Chart {
            /// The names of the sealed columns.
            pub const COLUMNS: &[&'static str] = &[$(stringify!($field)),*];

            /// Seals every field into its column.
            fn seal(&self, cipher: &PatientCipher, id: PatientId, row: &mut ActiveModel) {
                $(row.$field = Set(Column::seal(&self.$field, cipher, id, stringify!($field)));)*
            }

            /// Opens every column of a row.
            pub fn open(cipher: &PatientCipher, row: &Model) -> Result<Self> {
                Ok(Self { $($field: Column::open(cipher, row.id, stringify!($field), &row.$field)?,)* })
            }

            /// Seals the fields that differ from what was, and lists them.
            pub fn seal_changes(
                &self,
                before: &Self,
                cipher: &PatientCipher,
                id: PatientId,
                row: &mut ActiveModel,
            ) -> Changes {
                let mut changes = Changes::default();
                $(if self.$field != before.$field {
                    changes.add(stringify!($field), before.$field.text(), self.$field.text());
                    row.$field = Set(Column::seal(&self.$field, cipher, id, stringify!($field)));
                })*
                changes
            }

            /// The names of the fields that say something.
            pub fn filled(&self) -> Vec<&'static str> {
                let mut filled = Vec::new();
                $(if self.$field.text().is_some() {
                    filled.push(stringify!($field));
                })*
                filled
            }
        }
    };
}

chart! {
    /// The id by which another system knows the patient; unique in the workspace.
    external_id: Option<String>;
    first_name: String;
    last_name: String;
    middle_name: Option<String>;
    preferred_name: Option<String>;
    birth_date: Option<NaiveDate>;
    /// An age in years from a source that had no birth date.
    reported_age: Option<i32>;
    gender: Option<Gender>;
    email: Option<String>;
    phone: Option<String>;
    address_line: Option<String>;
    city: Option<String>;
    state: Option<String>;
    postal_code: Option<String>;
    country: Option<String>;
    nationality: Option<String>;
    preferred_language: Option<String>;
    /// IANA name of the zone that the patient lives in.
    timezone: Option<String>;
    marital_status: Option<MaritalStatus>;
    occupation: Option<String>;
    national_id: Option<String>;
    insurance_provider: Option<String>;
    insurance_type: Option<String>;
    policy_number: Option<String>;
    emergency_contact_name: Option<String>;
    emergency_contact_phone: Option<String>;
    emergency_contact_relationship: Option<String>;
    medical_history: Option<String>;
    allergies: Option<String>;
    medications: Option<String>;
    blood_type: Option<BloodType>;
    notes: Option<String>;
    deceased_on: Option<NaiveDate>;
    tags: Option<Vec<String>>;
    /// What an imported FHIR resource said that has no column here.
    source_resource: Option<String>;
}

impl fmt::Debug for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chart(..)")
    }
}

/// A patient as the practice writes it down: to create one, and to edit one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewPatient {
    pub chart: Chart,
    pub primary_practitioner_id: Option<MembershipId>,
    /// The patient agreed to reminders.
    pub reminder_consent: bool,
}

/// The row of a new patient; the external id's hash is the caller's.
pub fn seal_new(cipher: &PatientCipher, id: PatientId, new: &NewPatient) -> ActiveModel {
    let mut row = ActiveModel {
        id: Set(id),
        key_version: Set(cipher.version()),
        primary_practitioner_id: Set(new.primary_practitioner_id),
        reminder_consent: Set(new.reminder_consent),
        ..Default::default()
    };
    new.chart.seal(cipher, id, &mut row);
    row
}

/// The patient as the row has it.
pub fn open(cipher: &PatientCipher, row: &Model) -> Result<NewPatient> {
    Ok(NewPatient {
        chart: Chart::open(cipher, row)?,
        primary_practitioner_id: row.primary_practitioner_id,
        reminder_consent: row.reminder_consent,
    })
}

/// Old and new values of changed fields, on their way into the journal.
#[derive(Default)]
pub struct Changes(Map<String, Json>);

impl Changes {
    pub fn add(&mut self, field: &str, old: Option<String>, new: Option<String>) {
        self.0.insert(field.into(), json!({ "old": old, "new": new }));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the changed fields: no personal data.
    pub fn fields(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// The values for an event's `changes`.
    ///
    /// An event has neither id nor sequence number before it is appended, so they are sealed for the place
    /// (`audit_events`, `changes`, the patient's id): they open as changes of this patient and nowhere else,
    /// and the journal's chain ties them to their event.
    pub fn seal(&self, cipher: &PatientCipher, patient: PatientId) -> Sealed {
        cipher.seal(
            AuditEventId::from_uuid(patient.uuid()),
            "changes",
            &Json::Object(self.0.clone()).to_string(),
        )
    }
}
