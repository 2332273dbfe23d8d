//! Reading whole files: what loads, what is reported, and what never is.

mod export;
mod failures;
mod mapping;
mod population;

use serde_json::{Value, json};

use super::{Batch, Counts, Problem, read_entries};

const PATIENT_URN: &str = "urn:uuid:00000000-0000-4000-8000-000000000001";
const PATIENT_ID: &str = "00000000-0000-4000-8000-000000000001";

fn read(text: &str) -> Batch {
    read_entries("test.json", text.as_bytes())
}

/// Reads a transaction of these resources, each under `urn:uuid:` and its id.
fn read_bundle(resources: &[Value]) -> Batch {
    let entry =
        |it: &Value| json!({"fullUrl": format!("urn:uuid:{}", it["id"].as_str().unwrap()), "resource": it});
    read_raw_bundle(resources.iter().map(entry).collect())
}

fn read_raw_bundle(entries: Vec<Value>) -> Batch {
    read(&json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}).to_string())
}

/// `base` with the members of `changes` over it; a null takes a member away.
fn with(mut base: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(base.as_object_mut().unwrap().remove(name)),
            value => base[name] = value.clone(),
        }
    }
    base
}

fn patient() -> Value {
    json!({"resourceType": "Patient", "id": PATIENT_ID, "name": [{"family": "Patient", "given": ["Test"]}]})
}

fn practitioner() -> Value {
    json!({
        "resourceType": "Practitioner", "id": "doc",
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}],
        "name": [{"family": "Practitioner", "given": ["Test"], "prefix": ["Dr."]}],
    })
}

fn organization() -> Value {
    json!({"resourceType": "Organization", "id": "org", "name": "Test Clinic"})
}

fn encounter() -> Value {
    json!({
        "resourceType": "Encounter", "id": "enc", "status": "finished",
        "class": {"code": "AMB"},
        "type": [{"text": "Test visit"}],
        "subject": {"reference": PATIENT_URN},
        "participant": [{"individual": {"reference": "urn:uuid:doc"}}],
        "serviceProvider": {"reference": "urn:uuid:org"},
        "period": {"start": "2020-03-01T09:00:00+01:00", "end": "2020-03-01T09:30:00+01:00"},
    })
}

fn counts(batch: &Batch, resource_type: &str) -> Counts {
    batch.report.by_type.get(resource_type).copied().unwrap_or_default()
}

fn skipped(n: u64) -> Counts {
    Counts { skipped: n, ..Counts::default() }
}

fn failed(n: u64) -> Counts {
    Counts { failed: n, ..Counts::default() }
}

/// The one problem of a batch, as `entry: reason`.
#[track_caller]
fn only_problem(batch: &Batch) -> String {
    match batch.report.problems.as_slice() {
        [Problem { entry: Some(entry), reason, .. }] => format!("{entry}: {reason}"),
        [Problem { entry: None, reason, .. }] => reason.clone(),
        others => panic!("one problem was expected, not {others:?}"),
    }
}
