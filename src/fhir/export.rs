//! From [records](super::record) to FHIR R4 JSON.
//!
//! FHIR knows no empty element: what a record lacks is left out. References are relative (`Patient/…`), and
//! a Bundle's entries bear `urn:uuid:` addresses, so ids of what is exported are UUIDs.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::mapping::NPI_SYSTEM;
use super::record::{
    Address, AppointmentStatus, AppointmentType, Deceased, EncounterRecord, FamilyHistoryRecord, Gender,
    LocationKind, LocationRecord, MaritalStatus, PatientRecord, PractitionerRecord,
};
use super::reference::{ExternalKey, Kind, Link};

const IDENTIFIER_TYPES: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";
const MARITAL_STATUS: &str = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus";
const NULL_FLAVOR: &str = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor";
const PHYSICAL_TYPES: &str = "http://terminology.hl7.org/CodeSystem/location-physical-type";
const APPOINTMENT_REASONS: &str = "http://terminology.hl7.org/CodeSystem/v2-0276";
const RELATIONS: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleCode";
const LANGUAGES: &str = "urn:ietf:bcp:47";
const UNITS: &str = "http://unitsofmeasure.org";

/// A FHIR Patient.
pub fn patient(record: &PatientRecord) -> Value {
    let mut identifiers = vec![typed_identifier("MR", &record.external_id)];
    identifiers.extend(record.national_id.as_deref().map(|number| typed_identifier("NI", number)));
    let given: Vec<&str> =
        [Some(record.first_name.as_str()), record.middle_name.as_deref()].into_iter().flatten().collect();

    let mut out = resource("Patient", &record.source_id);
    out.set("identifier", json!(identifiers));
    out.set("active", json!(record.active));
    out.set("name", json!([{"use": "official", "family": record.last_name, "given": given}]));
    out.some("telecom", telecom(record.phone.as_deref(), record.email.as_deref()));
    out.some("gender", record.gender.map(|it| json!(gender(it))));
    out.some("birthDate", record.birth_date.map(date));
    match record.deceased {
        Some(Deceased { on: Some(on) }) => out.set("deceasedDateTime", date(on)),
        Some(Deceased { on: None }) => out.set("deceasedBoolean", json!(true)),
        None => {}
    }
    out.some("address", record.address.as_ref().map(|it| json!([address(it)])));
    out.some("maritalStatus", record.marital_status.map(marital_status));
    if let Some(contact) = &record.contact {
        let mut person = Object::default();
        person.some("relationship", contact.relationship.as_ref().map(|it| json!([{"text": it}])));
        person.some("name", contact.name.as_ref().map(|it| json!({"text": it})));
        person.some("telecom", telecom(contact.phone.as_deref(), None));
        out.set("contact", json!([person.0]));
    }
    if let Some(tag) = &record.language {
        let language = json!({"coding": [{"system": LANGUAGES, "code": tag}]});
        out.set("communication", json!([{"language": language, "preferred": true}]));
    }
    out.into()
}

/// A FHIR Practitioner.
pub fn practitioner(record: &PractitionerRecord) -> Value {
    let mut name = Object::default();
    name.set("text", json!(record.name));
    name.some("prefix", record.title.as_ref().map(|it| json!([it])));

    let mut out = resource("Practitioner", &record.source_id);
    // What stands in for a missing NPI is the record's own id, which is no identifier besides.
    if record.external_id != record.source_id {
        out.set("identifier", json!([{"system": NPI_SYSTEM, "value": record.external_id}]));
    }
    out.set("active", json!(record.active));
    out.set("name", json!([name.0]));
    out.some("telecom", telecom(record.phone.as_deref(), record.email.as_deref()));
    out.some("qualification", record.specialty.as_ref().map(|it| json!([{"code": {"text": it}}])));
    out.into()
}

/// A FHIR Location, of a record from an Organization too: the practice has places only.
pub fn location(record: &LocationRecord) -> Value {
    let form = match record.kind {
        LocationKind::Clinic => None,
        LocationKind::Home => Some(("ho", "House")),
        LocationKind::Online => Some(("vi", "Virtual")),
    };

    let mut out = resource("Location", &record.source_id);
    out.set("identifier", json!([{"value": record.external_id}]));
    out.set("status", json!(if record.active { "active" } else { "inactive" }));
    out.set("name", json!(record.name));
    out.some("telecom", telecom(record.phone.as_deref(), None));
    out.some("address", record.address.as_ref().map(address));
    out.some("physicalType", form.map(|(code, display)| concept(PHYSICAL_TYPES, code, display)));
    out.into()
}

/// A FHIR Appointment.
pub fn appointment(record: &EncounterRecord) -> Value {
    let status = match record.status {
        AppointmentStatus::Scheduled | AppointmentStatus::Confirmed => "booked",
        AppointmentStatus::InProgress => "arrived",
        AppointmentStatus::Completed => "fulfilled",
        AppointmentStatus::Cancelled => "cancelled",
        AppointmentStatus::NoShow => "noshow",
    };
    let (code, display) = match record.appointment_type {
        AppointmentType::Consultation | AppointmentType::Procedure => ("ROUTINE", "Routine appointment"),
        AppointmentType::FollowUp => ("FOLLOWUP", "A follow up visit from a previous appointment"),
        AppointmentType::Emergency => ("EMERGENCY", "Emergency appointment"),
    };
    // FHIR tells "scheduled" from "confirmed" by whether the patient has agreed.
    let patient_status = if record.status == AppointmentStatus::Scheduled { "tentative" } else { "accepted" };
    let mut participants = vec![json!({"actor": reference(&record.patient), "status": patient_status})];
    for actor in [&record.practitioner, &record.place].into_iter().flatten() {
        participants.push(json!({"actor": reference(actor), "status": "accepted"}));
    }

    let mut out = resource("Appointment", &record.source_id);
    out.set("status", json!(status));
    out.some("serviceType", record.service.as_ref().map(|it| json!([{"text": it}])));
    out.set("appointmentType", concept(APPOINTMENT_REASONS, code, display));
    out.some("reasonCode", record.reason.as_ref().map(|it| json!([{"text": it}])));
    out.set("start", instant(record.starts_at));
    out.set("end", instant(record.ends_at));
    out.set("participant", json!(participants));
    out.into()
}

/// A FHIR FamilyMemberHistory.
pub fn family_member_history(record: &FamilyHistoryRecord) -> Value {
    let mut relationship = Object::default();
    relationship.some(
        "coding",
        relation_code(&record.relation).map(|code| json!([{"system": RELATIONS, "code": code}])),
    );
    relationship.set("text", json!(record.relation));
    let mut condition = Object::default();
    condition.set("code", json!({"text": record.condition}));
    let years = |age| json!({"value": age, "unit": "years", "system": UNITS, "code": "a"});
    condition.some("onsetAge", record.onset_age.map(years));

    let mut out = resource("FamilyMemberHistory", &record.source_id);
    out.set("status", json!("completed"));
    out.set("patient", reference(&record.patient));
    out.set("relationship", relationship.into());
    out.set("condition", json!([condition.0]));
    out.into()
}

/// A FHIR Bundle of resources with UUIDs as ids, which must be different ones.
pub fn collection(resources: Vec<Value>, at: DateTime<Utc>) -> Value {
    let entries: Vec<Value> = resources
        .into_iter()
        .map(|resource| {
            let id = resource["id"].as_str().unwrap_or_default();
            json!({"fullUrl": format!("urn:uuid:{id}"), "resource": resource})
        })
        .collect();
    let mut out = Object::default();
    out.set("resourceType", json!("Bundle"));
    out.set("type", json!("collection"));
    out.set("timestamp", instant(at));
    out.some("entry", (!entries.is_empty()).then(|| json!(entries)));
    out.into()
}

/// A JSON object whose members are set one by one.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    fn some(&mut self, name: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Value {
        Value::Object(object.0)
    }
}

fn resource(resource_type: &str, id: &str) -> Object {
    let mut out = Object::default();
    out.set("resourceType", json!(resource_type));
    out.set("id", json!(id));
    out
}

fn typed_identifier(type_code: &str, value: &str) -> Value {
    json!({"type": {"coding": [{"system": IDENTIFIER_TYPES, "code": type_code}]}, "value": value})
}

fn concept(system: &str, code: &str, display: &str) -> Value {
    json!({"coding": [{"system": system, "code": code, "display": display}], "text": display})
}

fn telecom(phone: Option<&str>, email: Option<&str>) -> Option<Value> {
    let points: Vec<Value> = [("phone", phone), ("email", email)]
        .into_iter()
        .filter_map(|(system, value)| Some(json!({"system": system, "value": value?})))
        .collect();
    (!points.is_empty()).then(|| json!(points))
}

fn address(address: &Address) -> Value {
    let mut out = Object::default();
    out.some("line", address.line.as_ref().map(|it| json!(it.split('\n').collect::<Vec<_>>())));
    out.some("city", address.city.as_ref().map(|it| json!(it)));
    out.some("state", address.state.as_ref().map(|it| json!(it)));
    out.some("postalCode", address.postal_code.as_ref().map(|it| json!(it)));
    out.some("country", address.country.as_ref().map(|it| json!(it)));
    out.into()
}

fn gender(gender: Gender) -> &'static str {
    match gender {
        Gender::Male => "male",
        Gender::Female => "female",
        Gender::Other => "other",
        Gender::Unknown => "unknown",
    }
}

fn marital_status(status: MaritalStatus) -> Value {
    match status {
        MaritalStatus::Single => concept(MARITAL_STATUS, "S", "Never Married"),
        MaritalStatus::Married => concept(MARITAL_STATUS, "M", "Married"),
        MaritalStatus::Divorced => concept(MARITAL_STATUS, "D", "Divorced"),
        MaritalStatus::Widowed => concept(MARITAL_STATUS, "W", "Widowed"),
        MaritalStatus::Other => concept(NULL_FLAVOR, "OTH", "other"),
    }
}

/// The code of HL7's v3-RoleCode for a relation in plain words, for those that have one.
fn relation_code(relation: &str) -> Option<&'static str> {
    Some(match relation.to_lowercase().as_str() {
        "mother" => "MTH",
        "father" => "FTH",
        "parent" => "PRN",
        "sister" => "SIS",
        "brother" => "BRO",
        "sibling" => "SIB",
        "daughter" => "DAUC",
        "son" => "SONC",
        "child" => "CHILD",
        "grandmother" => "GRMTH",
        "grandfather" => "GRFTH",
        "grandparent" => "GRPRN",
        "maternal grandmother" => "MGRMTH",
        "maternal grandfather" => "MGRFTH",
        "paternal grandmother" => "PGRMTH",
        "paternal grandfather" => "PGRFTH",
        "aunt" => "AUNT",
        "maternal aunt" => "MAUNT",
        "paternal aunt" => "PAUNT",
        "uncle" => "UNCLE",
        "maternal uncle" => "MUNCLE",
        "paternal uncle" => "PUNCLE",
        "cousin" => "COUSN",
        "niece" => "NIECE",
        "nephew" => "NEPHEW",
        _ => return None,
    })
}

/// A Reference. Places are exported as Locations, whatever they were.
fn reference(link: &Link) -> Value {
    let name = |kind| match kind {
        Kind::Organization => Kind::Location.as_str(),
        _ => kind.as_str(),
    };
    match link {
        Link::Local { kind, source_id } => json!({"reference": format!("{}/{source_id}", name(*kind))}),
        Link::External(external) => match &external.key {
            ExternalKey::Id(id) => json!({"reference": format!("{}/{id}", name(external.kind))}),
            ExternalKey::Url(url) => json!({"reference": url}),
            ExternalKey::Identifier { system, value } => {
                let mut identifier = Object::default();
                identifier.some("system", system.as_ref().map(|it| json!(it)));
                identifier.set("value", json!(value));
                json!({"type": name(external.kind), "identifier": identifier.0})
            }
        },
    }
}

fn date(date: NaiveDate) -> Value {
    json!(date.format("%Y-%m-%d").to_string())
}

fn instant(at: DateTime<Utc>) -> Value {
    json!(at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}
