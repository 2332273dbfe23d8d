//! What is written is FHIR again, and read again it is the same.

use chrono::DateTime;
use serde_json::{Value, json};

use super::*;
use crate::fhir::record::{
    AppointmentStatus, Contact, Deceased, FamilyHistoryRecord, Gender, LocationKind, MaritalStatus,
};
use crate::fhir::{ExternalKey, ExternalRef, Kind, Link, export, read_file};

fn sample() -> Vec<Batch> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/synthea");
    let name = |it: std::io::Result<std::fs::DirEntry>| it.unwrap().path();
    let files =
        std::fs::read_dir(folder).unwrap().map(name).filter(|it| it.extension().is_some_and(|x| x == "json"));
    files.map(|file| read_file(&file)).collect()
}

fn read_again(resources: Vec<Value>) -> Batch {
    let bundle = export::collection(resources, DateTime::from_timestamp(1_600_000_000, 0).unwrap());
    let batch = read(&bundle.to_string());
    assert_eq!(batch.report.problems, []);
    batch
}

/// No element is empty: FHIR forbids it and validators overlook it.
fn assert_nothing_empty(value: &Value) {
    match value {
        Value::Null => panic!("null"),
        Value::String(text) => assert!(!text.is_empty()),
        Value::Array(items) => {
            assert!(!items.is_empty());
            items.iter().for_each(assert_nothing_empty);
        }
        Value::Object(members) => {
            assert!(!members.is_empty());
            members.values().for_each(assert_nothing_empty);
        }
        Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn exported_people_and_places_read_again_are_the_same() {
    for batch in sample() {
        let mut resources: Vec<_> = batch.patients.iter().map(export::patient).collect();
        resources.extend(batch.practitioners.iter().map(export::practitioner));
        resources.extend(batch.locations.iter().map(export::location));
        resources.iter().for_each(assert_nothing_empty);
        let again = read_again(resources);
        assert!(again.patients == batch.patients);
        assert_eq!(again.practitioners, batch.practitioners);
        let mut places = batch.locations;
        places.iter_mut().for_each(|it| it.resource = Kind::Location);
        assert_eq!(again.locations, places);
    }
}

#[test]
fn every_value_of_a_patient_survives() {
    let batch = read_bundle(&[patient()]);
    let bare = &batch.patients[0];
    assert!(read_again(vec![export::patient(bare)]).patients == batch.patients);
    assert_nothing_empty(&export::patient(bare));

    let mut record = bare.clone();
    record.active = false;
    record.middle_name = Some("Anna Maria".to_owned());
    record.email = Some("test@example.org".to_owned());
    record.language = Some("de".to_owned());
    record.national_id = Some("000".to_owned());
    record.deceased = Some(Deceased { on: None });
    for contact in [
        Contact { name: Some("Test Sister".to_owned()), phone: Some("5".to_owned()), relationship: None },
        Contact { name: None, phone: None, relationship: Some("sister".to_owned()) },
    ] {
        record.contact = Some(contact);
        assert!(read_again(vec![export::patient(&record)]).patients == [record.clone()]);
    }
    for gender in [Gender::Male, Gender::Female, Gender::Other, Gender::Unknown] {
        record.gender = Some(gender);
        assert_eq!(read_again(vec![export::patient(&record)]).patients[0].gender, Some(gender));
    }
    use MaritalStatus::{Divorced, Married, Other, Single, Widowed};
    for status in [Single, Married, Divorced, Widowed, Other] {
        record.marital_status = Some(status);
        assert_eq!(read_again(vec![export::patient(&record)]).patients[0].marital_status, Some(status));
    }
}

#[test]
fn every_kind_of_place_survives() {
    let mut record = read_bundle(&[organization()]).locations.remove(0);
    record.resource = Kind::Location;
    record.active = false;
    for kind in [LocationKind::Clinic, LocationKind::Home, LocationKind::Online] {
        record.kind = kind;
        assert_eq!(read_again(vec![export::location(&record)]).locations, [record.clone()]);
    }
}

#[test]
fn an_encounter_is_exported_as_an_appointment() {
    let mut record = read_bundle(&[
        patient(),
        practitioner(),
        organization(),
        with(encounter(), json!({"class": {"code": "EMER"}, "reasonCode": [{"text": "Test reason"}]})),
    ])
    .encounters
    .remove(0);
    let code = json!({"system": "http://terminology.hl7.org/CodeSystem/v2-0276", "code": "EMERGENCY", "display": "Emergency appointment"});
    let expected = json!({
        "resourceType": "Appointment",
        "id": "enc",
        "status": "fulfilled",
        "serviceType": [{"text": "Test visit"}],
        "appointmentType": {"coding": [code], "text": "Emergency appointment"},
        "reasonCode": [{"text": "Test reason"}],
        "start": "2020-03-01T08:00:00Z",
        "end": "2020-03-01T08:30:00Z",
        "participant": [
            {"actor": {"reference": format!("Patient/{PATIENT_ID}")}, "status": "accepted"},
            {"actor": {"reference": "Practitioner/doc"}, "status": "accepted"},
            {"actor": {"reference": "Location/org"}, "status": "accepted"},
        ],
    });
    assert_eq!(export::appointment(&record), expected);

    for (status, code, patient) in [
        (AppointmentStatus::Scheduled, "booked", "tentative"),
        (AppointmentStatus::Confirmed, "booked", "accepted"),
        (AppointmentStatus::InProgress, "arrived", "accepted"),
        (AppointmentStatus::Cancelled, "cancelled", "accepted"),
        (AppointmentStatus::NoShow, "noshow", "accepted"),
    ] {
        record.status = status;
        let out = export::appointment(&record);
        assert_eq!((&out["status"], &out["participant"][0]["status"]), (&json!(code), &json!(patient)));
    }

    let key = ExternalKey::Identifier { system: Some("urn:x".to_owned()), value: "9".to_owned() };
    record.practitioner = Some(Link::External(ExternalRef { kind: Kind::Practitioner, key }));
    record.place = None;
    let actor = json!({"type": "Practitioner", "identifier": {"system": "urn:x", "value": "9"}});
    assert_eq!(export::appointment(&record)["participant"][1]["actor"], actor);
}

#[test]
fn a_relatives_illness_is_exported() {
    let mut record = FamilyHistoryRecord {
        source_id: "00000000-0000-4000-8000-000000000002".to_owned(),
        patient: Link::Local { kind: Kind::Patient, source_id: PATIENT_ID.to_owned() },
        relation: "Mother".to_owned(),
        condition: "Test condition".to_owned(),
        onset_age: Some(50),
    };
    let expected = json!({
        "resourceType": "FamilyMemberHistory",
        "id": "00000000-0000-4000-8000-000000000002",
        "status": "completed",
        "patient": {"reference": format!("Patient/{PATIENT_ID}")},
        "relationship": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "MTH"}],
            "text": "Mother",
        },
        "condition": [{
            "code": {"text": "Test condition"},
            "onsetAge": {"value": 50, "unit": "years", "system": "http://unitsofmeasure.org", "code": "a"},
        }],
    });
    assert_eq!(export::family_member_history(&record), expected);
    record.relation = "neighbour".to_owned();
    record.onset_age = None;
    let out = export::family_member_history(&record);
    assert_eq!(out["relationship"], json!({"text": "neighbour"}));
    assert_eq!(out["condition"], json!([{"code": {"text": "Test condition"}}]));
}

#[test]
fn a_bundle_is_dated_and_its_entries_are_addressed() {
    let at = DateTime::from_timestamp(1_600_000_000, 0).unwrap();
    let out = export::collection(vec![patient()], at);
    assert_eq!((&out["type"], &out["timestamp"]), (&json!("collection"), &json!("2020-09-13T12:26:40Z")));
    assert_eq!(out["entry"][0], json!({"fullUrl": PATIENT_URN, "resource": patient()}));
    assert_nothing_empty(&export::collection(Vec::new(), at));
}
