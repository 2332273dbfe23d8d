//! Which element becomes what.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::*;
use crate::fhir::record::{
    Address, AppointmentStatus, AppointmentType, Contact, Deceased, EncounterRecord, Gender, LocationKind,
    MaritalStatus, PatientRecord, PractitionerRecord,
};
use crate::fhir::{ExternalKey, ExternalRef, Kind, Link};

fn mapped_patient(changes: Value) -> PatientRecord {
    let mut batch = read_bundle(&[with(patient(), changes)]);
    assert_eq!(batch.report.problems, []);
    batch.patients.remove(0)
}

fn mapped_encounter(changes: Value) -> EncounterRecord {
    let mut batch = read_bundle(&[with(encounter(), changes), organization(), practitioner(), patient()]);
    assert_eq!(batch.report.problems, []);
    batch.encounters.remove(0)
}

fn local(kind: Kind, source_id: &str) -> Link {
    Link::Local { kind, source_id: source_id.to_owned() }
}

fn external(kind: Kind, key: ExternalKey) -> Link {
    Link::External(ExternalRef { kind, key })
}

#[test]
fn a_patient_keeps_every_mapped_element() {
    let system = "http://terminology.hl7.org/CodeSystem/v2-0203";
    let typed = |code: &str, value: &str| json!({"type": {"coding": [{"system": system, "code": code}]}, "value": value});
    let record = mapped_patient(json!({
        "identifier": [typed("DL", "S1"), typed("SS", "000-00-0000"), typed("MR", " mrn-7 "), typed("MR", "mrn-8")],
        "active": false,
        "name": [
            {"use": "maiden", "family": "Maiden", "given": ["Test"]},
            {"use": "official", "family": "Patient", "given": ["Test", "Anna", "Maria"], "suffix": ["PhD"]},
        ],
        "telecom": [
            {"system": "phone", "value": "+1 555 0100", "use": "old"},
            {"system": "email", "value": "test@example.org"},
            {"system": "phone", "value": "+1 555 0101"},
        ],
        "gender": "female",
        "birthDate": "1980-02-29",
        "deceasedDateTime": "2020-01-01T23:30:00-05:00",
        "address": [
            {"use": "work", "city": "Worktown"},
            {"use": "home", "line": ["1 Test Street", "Unit 2"], "city": "Testville", "state": "TS", "postalCode": "00001", "country": "US"},
        ],
        "maritalStatus": {"coding": [{"code": "M"}]},
        "communication": [
            {"language": {"coding": [{"code": "en-US"}]}},
            {"language": {"coding": [{"code": "es"}]}, "preferred": true},
        ],
        "contact": [{"relationship": [{"text": "sister"}], "name": {"text": "Test Sister"}, "telecom": [{"system": "phone", "value": "5"}]}],
    }));
    let text = |text: &str| Some(text.to_owned());
    let expected = PatientRecord {
        source_id: PATIENT_ID.to_owned(),
        external_id: "mrn-7".to_owned(),
        active: false,
        first_name: "Test".to_owned(),
        middle_name: text("Anna Maria"),
        last_name: "Patient".to_owned(),
        birth_date: NaiveDate::from_ymd_opt(1980, 2, 29),
        gender: Some(Gender::Female),
        deceased: Some(Deceased { on: NaiveDate::from_ymd_opt(2020, 1, 1) }),
        phone: text("+1 555 0101"),
        email: text("test@example.org"),
        address: Some(Address {
            line: text("1 Test Street\nUnit 2"),
            city: text("Testville"),
            state: text("TS"),
            postal_code: text("00001"),
            country: text("US"),
        }),
        marital_status: Some(MaritalStatus::Married),
        language: text("es"),
        national_id: text("000-00-0000"),
        contact: Some(Contact { name: text("Test Sister"), phone: text("5"), relationship: text("sister") }),
    };
    // Not assert_eq: the records print no more than their id.
    assert!(record == expected);
}

#[test]
fn a_patient_needs_only_a_name_and_invents_nothing() {
    let record = mapped_patient(json!({"communication": [], "address": [{"use": "home"}], "contact": [{}]}));
    assert_eq!(record.external_id, PATIENT_ID);
    assert!(record.active);
    assert_eq!((record.birth_date, record.gender, record.deceased), (None, None, None));
    assert_eq!((&record.phone, &record.email, &record.address), (&None, &None, &None));
    assert_eq!((&record.language, &record.national_id, &record.contact), (&None, &None, &None));
    assert_eq!((&record.marital_status, &record.middle_name), (&None, &None));
}

#[test]
fn a_date_without_its_day_is_left_empty_and_remarked_on() {
    let batch = read_bundle(&[with(patient(), json!({"birthDate": "1980-02", "deceasedDateTime": "2020"}))]);
    let reasons: Vec<_> = batch.report.problems.iter().map(|it| it.reason.as_str()).collect();
    assert_eq!(
        reasons,
        ["Patient.birthDate: has no day; left empty", "Patient.deceasedDateTime: has no day; left empty"]
    );
    assert_eq!(batch.patients[0].birth_date, None);
    assert_eq!(batch.patients[0].deceased, Some(Deceased { on: None }));
    assert_eq!(batch.report.total().failed, 0);
}

#[test]
fn death_may_be_known_without_its_date() {
    assert_eq!(mapped_patient(json!({"deceasedBoolean": true})).deceased, Some(Deceased { on: None }));
    assert_eq!(mapped_patient(json!({"deceasedBoolean": false})).deceased, None);
}

#[test]
fn marital_status_has_our_five_values() {
    for (code, status) in [
        ("S", Some(MaritalStatus::Single)),
        ("U", Some(MaritalStatus::Single)),
        ("D", Some(MaritalStatus::Divorced)),
        ("W", Some(MaritalStatus::Widowed)),
        ("T", Some(MaritalStatus::Other)),
        ("UNK", None),
    ] {
        let record = mapped_patient(json!({"maritalStatus": {"coding": [{"code": code}]}}));
        assert_eq!(record.marital_status, status, "{code}");
    }
}

#[test]
fn a_practitioner_is_known_by_the_npi() {
    let changes = json!({
        "active": false,
        "telecom": [{"system": "email", "value": "doc@example.org"}],
        "qualification": [{"code": {"coding": [{"display": "Cardiology"}]}}],
    });
    let batch = read_bundle(&[with(practitioner(), changes)]);
    let expected = PractitionerRecord {
        source_id: "doc".to_owned(),
        external_id: "1234567893".to_owned(),
        active: false,
        name: "Test Practitioner".to_owned(),
        title: Some("Dr.".to_owned()),
        specialty: Some("Cardiology".to_owned()),
        phone: None,
        email: Some("doc@example.org".to_owned()),
    };
    assert_eq!(batch.practitioners, [expected]);
    let batch =
        read_bundle(&[with(practitioner(), json!({"identifier": null, "name": [{"text": "Test P."}]}))]);
    assert_eq!(
        (batch.practitioners[0].external_id.as_str(), batch.practitioners[0].name.as_str()),
        ("doc", "Test P.")
    );
}

#[test]
fn organizations_and_locations_are_places() {
    let site = json!({
        "resourceType": "Location", "id": "site", "status": "inactive", "name": "Test Home",
        "identifier": [{"system": "x", "value": "L-1"}],
        "physicalType": {"coding": [{"code": "ho"}]},
        "telecom": [{"system": "phone", "value": "5"}],
        "address": {"city": "Testville"},
    });
    let clinic = with(organization(), json!({"active": true, "address": [{"city": "Testtown"}]}));
    let batch = read_bundle(&[clinic, site]);
    let [clinic, home] = batch.locations.as_slice() else { panic!("{:?}", batch.report) };
    assert_eq!(
        (clinic.resource, clinic.kind, clinic.active),
        (Kind::Organization, LocationKind::Clinic, true)
    );
    assert_eq!((clinic.external_id.as_str(), clinic.name.as_str()), ("org", "Test Clinic"));
    assert_eq!(clinic.address.as_ref().unwrap().city.as_deref(), Some("Testtown"));
    assert_eq!((home.resource, home.kind, home.active), (Kind::Location, LocationKind::Home, false));
    assert_eq!((home.external_id.as_str(), home.phone.as_deref()), ("L-1", Some("5")));
    assert_eq!(home.address.as_ref().unwrap().city.as_deref(), Some("Testville"));
}

#[test]
fn an_encounter_is_read_as_an_appointment_wherever_it_stands_in_the_file() {
    let record =
        mapped_encounter(json!({"reasonCode": [{"coding": [{"code": "1", "display": "Test reason"}]}]}));
    assert_eq!(record.patient, local(Kind::Patient, PATIENT_ID));
    assert_eq!(record.practitioner, Some(local(Kind::Practitioner, "doc")));
    assert_eq!(record.place, Some(local(Kind::Organization, "org")));
    assert_eq!(record.starts_at.to_rfc3339(), "2020-03-01T08:00:00+00:00");
    assert_eq!(record.ends_at.to_rfc3339(), "2020-03-01T08:30:00+00:00");
    assert_eq!(
        (record.service.as_deref(), record.reason.as_deref()),
        (Some("Test visit"), Some("Test reason"))
    );
    assert_eq!(record.status, AppointmentStatus::Completed);
}

#[test]
fn the_status_of_an_encounter_becomes_an_appointments() {
    for (code, status) in [
        ("planned", AppointmentStatus::Scheduled),
        ("arrived", AppointmentStatus::Confirmed),
        ("triaged", AppointmentStatus::Confirmed),
        ("in-progress", AppointmentStatus::InProgress),
        ("onleave", AppointmentStatus::InProgress),
        ("finished", AppointmentStatus::Completed),
        ("cancelled", AppointmentStatus::Cancelled),
    ] {
        assert_eq!(mapped_encounter(json!({"status": code})).status, status, "{code}");
    }
}

#[test]
fn the_class_of_an_encounter_gives_type_and_place() {
    use AppointmentType::{Consultation, Emergency, FollowUp, Procedure};
    let of = |changes| {
        let record = mapped_encounter(changes);
        (record.appointment_type, record.location_kind)
    };
    for (code, expected) in [
        ("AMB", (Consultation, LocationKind::Clinic)),
        ("EMER", (Emergency, LocationKind::Clinic)),
        ("IMP", (Procedure, LocationKind::Clinic)),
        ("SS", (Procedure, LocationKind::Clinic)),
        ("HH", (Consultation, LocationKind::Home)),
        ("VR", (Consultation, LocationKind::Online)),
        ("OWN-CODE", (Consultation, LocationKind::Clinic)),
    ] {
        assert_eq!(of(json!({"class": {"code": code}})), expected, "{code}");
    }
    let return_visit = json!({"class": null, "type": [{"coding": [{"code": "390906007"}]}]});
    assert_eq!(of(return_visit), (FollowUp, LocationKind::Clinic));
}

#[test]
fn every_style_of_reference_is_followed_inside_the_file() {
    let doc = || Some(local(Kind::Practitioner, "doc"));
    for reference in [
        json!({"reference": "urn:uuid:doc"}),
        json!({"reference": "Practitioner/doc"}),
        json!({"reference": "Practitioner/doc/_history/2"}),
        json!({"reference": "Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|1234567893"}),
        json!({"type": "Practitioner", "identifier": {"value": "1234567893"}}),
    ] {
        let record = mapped_encounter(json!({"participant": [{"individual": reference}]}));
        assert_eq!(record.practitioner, doc(), "{reference}");
    }
    let served =
        |reference: &str| mapped_encounter(json!({"serviceProvider": {"reference": reference}})).place;
    assert_eq!(served("Organization/org"), Some(local(Kind::Organization, "org")));

    let url = "https://other.example/r4/Patient/1";
    let batch = read_raw_bundle(vec![
        json!({"fullUrl": url, "resource": with(patient(), json!({"id": "1"}))}),
        json!({"resource": with(encounter(), json!({"subject": {"reference": format!("{url}/_history/4")}}))}),
    ]);
    assert_eq!(batch.encounters[0].patient, local(Kind::Patient, "1"));
}

#[test]
fn an_identifier_of_another_system_or_of_two_bearers_is_not_followed() {
    let asked = |reference: &str, others: &[Value]| {
        let participant = json!({"participant": [{"individual": {"reference": reference}}]});
        let mut resources = vec![patient(), practitioner(), with(encounter(), participant)];
        resources.extend_from_slice(others);
        read_bundle(&resources).encounters.remove(0).practitioner
    };
    let key = |system: Option<&str>| {
        let key =
            ExternalKey::Identifier { system: system.map(str::to_owned), value: "1234567893".to_owned() };
        Some(external(Kind::Practitioner, key))
    };
    assert_eq!(asked("Practitioner?identifier=urn:x|1234567893", &[]), key(Some("urn:x")));
    let twin = with(practitioner(), json!({"id": "twin"}));
    assert_eq!(asked("Practitioner?identifier=1234567893", &[twin]), key(None));
}

#[test]
fn what_the_file_does_not_hold_stays_a_reference() {
    for (reference, key) in [
        ("Practitioner/9", ExternalKey::Id("9".to_owned())),
        ("urn:uuid:9", ExternalKey::Id("9".to_owned())),
        (
            "https://other.example/Practitioner/9",
            ExternalKey::Url("https://other.example/Practitioner/9".to_owned()),
        ),
        (
            "Practitioner?identifier=urn:x|9",
            ExternalKey::Identifier { system: Some("urn:x".to_owned()), value: "9".to_owned() },
        ),
    ] {
        let record = mapped_encounter(json!({"participant": [{"individual": {"reference": reference}}]}));
        assert_eq!(record.practitioner, Some(external(Kind::Practitioner, key)), "{reference}");
    }
    let broken = with(patient(), json!({"gender": "x"}));
    let batch = read_bundle(&[broken, encounter()]);
    let key = ExternalKey::Id(PATIENT_ID.to_owned());
    assert_eq!(batch.encounters[0].patient, external(Kind::Patient, key), "its patient could not be read");
}

#[test]
fn the_attending_practitioner_is_chosen_among_the_participants() {
    let other = with(practitioner(), json!({"id": "other"}));
    let role = |code: &str| json!([{"coding": [{"code": code}]}]);
    let participants = json!([
        {"individual": {"reference": "RelatedPerson/1"}},
        {"individual": {"reference": "urn:uuid:doc"}, "type": role("CON")},
        {"individual": {"reference": "urn:uuid:other"}, "type": role("ATND")},
    ]);
    let batch = read_bundle(&[
        patient(),
        practitioner(),
        other,
        with(encounter(), json!({"participant": participants})),
    ]);
    assert_eq!(batch.report.problems, []);
    assert_eq!(batch.encounters[0].practitioner, Some(local(Kind::Practitioner, "other")));
}

#[test]
fn an_encounter_loads_without_practitioner_and_place_and_says_when_a_reference_led_nowhere() {
    let record = mapped_encounter(json!({"participant": [{"type": []}], "serviceProvider": null}));
    assert_eq!((record.practitioner, record.place), (None, None));

    let elsewhere = json!({
        "participant": [{"individual": {"reference": "PractitionerRole/1"}}],
        "location": [{"location": {"reference": "#inside"}}],
        "serviceProvider": null,
    });
    let batch = read_bundle(&[patient(), with(encounter(), elsewhere)]);
    let reasons: Vec<_> = batch.report.problems.iter().map(|it| it.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "Encounter.participant[0].individual: does not lead to a Practitioner; left empty",
            "Encounter.location[0].location: does not lead to a Location or an Organization; left empty",
        ]
    );
    assert_eq!(batch.encounters.len(), 1);
}

#[test]
fn other_resources_are_counted_by_type() {
    let other = |kind: &str, id: &str| json!({"resourceType": kind, "id": id});
    let batch = read_bundle(&[other("Claim", "1"), patient(), other("Claim", "2"), other("Goal", "1x")]);
    assert_eq!((counts(&batch, "Claim"), counts(&batch, "Goal")), (skipped(2), skipped(1)));
    assert_eq!((batch.report.total(), batch.report.problems.len()), (skipped(3), 0));
}

#[test]
fn a_single_resource_and_bundles_in_ndjson_load_too() {
    assert_eq!(read(&patient().to_string()).patients.len(), 1);
    assert_eq!(read(&format!("\u{feff}{:#}\n", patient())).patients.len(), 1);
    let bundle =
        json!({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient()}, {}]});
    let batch = read_entries("x.ndjson", format!("{}\n{bundle}", encounter()).as_bytes());
    assert_eq!(only_problem(&batch), "line 2 entry[1]: entry.resource: a resource was expected");
    assert_eq!(batch.encounters[0].patient, external(Kind::Patient, ExternalKey::Id(PATIENT_ID.to_owned())));
}
