//! A broken file or entry is one problem, stops nothing else, and gives nobody away.

use std::io::{self, Read};

use serde_json::{Value, json};

use super::*;
use crate::fhir::report::MAX_PROBLEMS;
use crate::fhir::{MAX_FILE_BYTES, read_file};

fn loaded(batch: &Batch) -> usize {
    batch.patients.len() + batch.practitioners.len() + batch.locations.len() + batch.encounters.len()
}

#[test]
fn a_file_that_is_not_json_is_one_problem_of_the_file() {
    for (text, reason) in [
        ("", "ends too early, at line 1 column 0"),
        ("hello", "is not JSON: expected value at line 1 column 1"),
        (r#"{"resourceType": "Patient",}"#, "is not JSON: trailing comma at line 1 column 28"),
    ] {
        let batch = read(text);
        assert_eq!(only_problem(&batch), reason);
        assert_eq!((loaded(&batch), batch.report.by_type.len()), (0, 0));
    }
}

#[test]
fn a_truncated_bundle_is_one_problem_and_none_of_its_entries_loads() {
    let whole = json!({"resourceType": "Bundle", "type": "batch", "entry": [{"resource": patient()}]});
    let whole = serde_json::to_string_pretty(&whole).unwrap();
    assert_eq!(read(&whole).patients.len(), 1);
    for (end, _) in whole.char_indices() {
        let batch = read(&whole[..end]);
        assert_eq!(loaded(&batch), 0, "cut at {end}");
        assert!(only_problem(&batch).starts_with("ends too early"), "cut at {end}: {}", only_problem(&batch));
    }
}

#[test]
fn json_that_is_no_fhir_is_refused() {
    for text in ["5", "null", "[]", r#"["Bundle", "transaction", []]"#, r#"{"resourceType": 7}"#] {
        assert_eq!(only_problem(&read(text)), "a FHIR resource with one resourceType was expected", "{text}");
    }
    for text in ["{}", r#"{"resourceType": "patient"}"#, r#"{"resourceType": "Test Patient"}"#] {
        assert_eq!(
            only_problem(&read(text)),
            "resourceType: Bundle or the name of a resource was expected",
            "{text}"
        );
    }
}

#[test]
fn a_bundle_of_answers_or_old_versions_is_refused() {
    for bundle_type in [json!("history"), json!("transaction-response"), json!(5), Value::Null] {
        let text = json!({"resourceType": "Bundle", "type": bundle_type, "entry": [{"resource": patient()}]});
        let batch = read(&text.to_string());
        assert_eq!(
            only_problem(&batch),
            "Bundle.type: one of transaction, batch, collection, document, searchset was expected"
        );
        assert_eq!(loaded(&batch), 0);
    }
}

#[test]
fn entries_that_are_no_array_are_refused_and_none_are_no_problem() {
    let of = |entry| json!({"resourceType": "Bundle", "type": "batch", "entry": entry}).to_string();
    assert_eq!(only_problem(&read(&of(json!({})))), "Bundle.entry: an array was expected");
    assert!(read(&of(json!([]))).report.problems.is_empty());
    assert!(read(&of(Value::Null)).report.problems.is_empty());
}

#[test]
fn a_broken_entry_is_named_and_the_others_load() {
    let broken = |entry: Value| {
        let batch =
            read_raw_bundle(vec![json!({"resource": organization()}), entry, json!({"resource": patient()})]);
        assert_eq!((batch.locations.len(), batch.patients.len(), loaded(&batch)), (1, 1, 2));
        assert_eq!(batch.report.total(), failed(1));
        only_problem(&batch)
    };
    let no_resource = "entry[1]: entry.resource: a resource was expected";
    assert_eq!(broken(json!({"fullUrl": "urn:uuid:x"})), no_resource);
    assert_eq!(broken(json!({"resource": null})), no_resource);
    let no_entry = "entry[1]: an entry with one fullUrl and one resource was expected";
    assert_eq!(broken(json!(7)), no_entry);
    assert_eq!(broken(json!([])), no_entry);
    assert_eq!(broken(json!({"fullUrl": 7, "resource": practitioner()})), no_entry);
    let no_type = "entry[1]: a resource with one resourceType and at most one id was expected";
    assert_eq!(broken(json!({"resource": {"id": "x"}})), no_type);
    assert_eq!(broken(json!({"resource": ["Practitioner", "x"]})), no_type);
    assert_eq!(
        broken(json!({"resource": {"resourceType": "Test Patient"}})),
        "entry[1]: resourceType: the name of a resource was expected"
    );
    let no_id = "Practitioner.id: an id, or a fullUrl of the form urn:uuid:, was expected";
    for (id, url) in
        [(Value::Null, "https://other.example/x"), (json!("not an id"), "urn:uuid:x"), (json!(""), "")]
    {
        let resource = with(practitioner(), json!({"id": id}));
        assert_eq!(
            broken(json!({"fullUrl": url, "resource": resource})),
            format!("entry[1] Practitioner: {no_id}")
        );
    }
}

#[test]
fn a_resource_to_be_created_takes_its_id_from_the_full_url() {
    let batch = read_raw_bundle(vec![
        json!({"fullUrl": PATIENT_URN, "resource": with(patient(), json!({"id": null}))}),
    ]);
    assert_eq!(batch.patients[0].source_id, PATIENT_ID);
}

#[test]
fn a_fault_names_the_element_and_never_its_value() {
    let secret = "Secretname";
    let of_patient = [
        (json!({"birthDate": secret}), "Patient.birthDate: a date (YYYY-MM-DD) was expected"),
        (json!({"birthDate": "1983-02-29"}), "Patient.birthDate: a date (YYYY-MM-DD) was expected"),
        (json!({"birthDate": 1983}), "Patient.birthDate: a string was expected"),
        (json!({"gender": secret}), "Patient.gender: one of male, female, other, unknown was expected"),
        (json!({"gender": "Male"}), "Patient.gender: one of male, female, other, unknown was expected"),
        (json!({"name": null}), "Patient.name: a name in use was expected"),
        (json!({"name": {"family": secret}}), "Patient.name: an array was expected"),
        (json!({"name": [secret]}), "Patient.name[0]: an object was expected"),
        (json!({"name": [{"family": secret}]}), "Patient.name[0].given: a given name was expected"),
        (json!({"name": [{"given": [secret]}]}), "Patient.name[0].family: a family name was expected"),
        (
            json!({"name": [{"given": [secret, 5], "family": "x"}]}),
            "Patient.name[0].given[1]: a string was expected",
        ),
        (
            json!({"name": [{"given": [format!("{secret}\u{0}")], "family": "x"}]}),
            "Patient.name[0].given[0]: text without control characters was expected",
        ),
        (
            json!({"name": [{"given": [secret.repeat(101)], "family": "x"}]}),
            "Patient.name[0].given[0]: text of at most 1000 characters was expected",
        ),
        (
            json!({"address": [{"line": [secret.repeat(60), secret.repeat(60)]}]}),
            "Patient.address[0].line: text of at most 1000 characters together was expected",
        ),
        (json!({"active": secret}), "Patient.active: true or false was expected"),
        (
            json!({"deceasedDateTime": secret}),
            "Patient.deceasedDateTime: a date, or a date and time with offset was expected",
        ),
        (
            json!({"telecom": [{"system": "phone", "value": 5}]}),
            "Patient.telecom[0].value: a string was expected",
        ),
        (
            json!({"identifier": [{"type": {"coding": secret}}]}),
            "Patient.identifier[0].type.coding: an array was expected",
        ),
    ];
    for (change, reason) in of_patient {
        let batch = read_bundle(&[with(patient(), change), organization()]);
        assert_eq!(only_problem(&batch), format!("entry[0] Patient/{PATIENT_ID}: {reason}"));
        assert_eq!((counts(&batch, "Patient"), batch.locations.len()), (failed(1), 1));
        assert!(!format!("{:?}{}", batch.report, batch.report.table()).contains(secret));
    }
}

#[test]
fn an_encounter_needs_a_status_a_patient_and_a_period_that_ends_after_its_start() {
    let period = |end: &str| json!({"period": {"start": "2020-03-01T09:00:00Z", "end": end}});
    let statuses = "one of planned, arrived, triaged, in-progress, onleave, finished, cancelled was expected";
    for (change, reason) in [
        (json!({"status": null}), format!("status: {statuses}")),
        (json!({"status": "unknown"}), format!("status: {statuses}")),
        (json!({"period": null}), "period: a start and an end was expected".to_owned()),
        (
            json!({"period": {"end": "2020-03-01T09:00:00Z"}}),
            "period.start: a date and time was expected".to_owned(),
        ),
        (
            json!({"period": {"start": "2020-03-01T09:00:00Z"}}),
            "period.end: a date and time was expected".to_owned(),
        ),
        (period("2020-03-01"), "period.end: a date and time with offset was expected".to_owned()),
        (period("2020-03-01T10:00:00"), "period.end: a date and time with offset was expected".to_owned()),
        (period("2020-03-01T09:00:00Z"), "period.end: a time after the start was expected".to_owned()),
        (period("2020-03-01T10:00:00+02:00"), "period.end: a time after the start was expected".to_owned()),
        (
            period("2020-04-01T09:00:01Z"),
            "period.end: a time at most 31 days after the start was expected".to_owned(),
        ),
        (json!({"subject": null}), "subject: a patient was expected".to_owned()),
        (json!({"subject": {"display": "x"}}), "subject: a reference to a Patient was expected".to_owned()),
        (
            json!({"subject": {"reference": "Group/1"}}),
            "subject: a reference to a Patient was expected".to_owned(),
        ),
        (
            json!({"subject": {"reference": "urn:uuid:org"}}),
            "subject: a reference to a Patient was expected".to_owned(),
        ),
        (
            json!({"subject": {"reference": "#x"}}),
            "subject: a reference to a Patient was expected".to_owned(),
        ),
        (
            json!({"subject": {"reference": "who?"}}),
            "subject.reference: Type/id, a URL, urn:uuid: or Type?identifier=system|value was expected"
                .to_owned(),
        ),
    ] {
        let batch = read_bundle(&[patient(), practitioner(), organization(), with(encounter(), change)]);
        assert_eq!(only_problem(&batch), format!("entry[3] Encounter/enc: Encounter.{reason}"));
        assert_eq!((counts(&batch, "Encounter"), loaded(&batch)), (failed(1), 3));
    }
    let batch = read_bundle(&[patient(), with(encounter(), period("2020-04-01T09:00:00Z"))]);
    assert_eq!(batch.encounters.len(), 1, "31 days to the second are taken");
}

#[test]
fn an_encounter_entered_in_error_is_skipped_with_a_remark() {
    let batch = read_bundle(&[patient(), with(encounter(), json!({"status": "entered-in-error"}))]);
    assert_eq!(only_problem(&batch), "entry[1] Encounter/enc: Encounter.status: entered in error; skipped");
    assert_eq!((counts(&batch, "Encounter"), batch.encounters.len()), (skipped(1), 0));
}

#[test]
fn two_entries_of_one_name_are_a_problem_and_nothing_is_linked_to_either() {
    let twin = with(patient(), json!({"id": "twin"}));
    let batch = read_raw_bundle(vec![
        json!({"fullUrl": PATIENT_URN, "resource": patient()}),
        json!({"fullUrl": PATIENT_URN, "resource": twin}),
        json!({"fullUrl": "urn:uuid:enc", "resource": encounter()}),
    ]);
    let reasons: Vec<_> = batch.report.problems.iter().map(|it| it.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "entry.fullUrl: a fullUrl that no earlier entry has was expected",
            "Encounter.subject.reference: a resource that stands once in the file was expected",
        ]
    );
    assert_eq!((batch.patients.len(), batch.encounters.len()), (1, 0));

    let batch = read_raw_bundle(vec![
        json!({"fullUrl": "https://a.example/Patient/1", "resource": with(patient(), json!({"id": "1"}))}),
        json!({"fullUrl": "https://b.example/Patient/1", "resource": with(patient(), json!({"id": "1"}))}),
        json!({"resource": with(encounter(), json!({"subject": {"reference": "https://b.example/Patient/1"}}))}),
    ]);
    assert_eq!((batch.patients.len(), batch.encounters.len()), (1, 0));
    assert_eq!(batch.report.problems[0].reason, "Patient.id: an id that no earlier entry has was expected");
}

#[test]
fn a_broken_line_of_ndjson_is_named_and_the_others_load() {
    let lines = format!("{}\n\n{{\"resourceType\": \"Pat\n{}\r\n7\n", patient(), organization());
    for name in ["export.ndjson", "export.json"] {
        let batch = read_entries(name, lines.as_bytes());
        let problems: Vec<_> = batch
            .report
            .problems
            .iter()
            .map(|it| (it.entry.as_deref().unwrap(), it.reason.as_str()))
            .collect();
        assert_eq!(
            problems,
            [
                ("line 3", "ends too early, at line 1 column 21"),
                ("line 5", "a FHIR resource with one resourceType was expected"),
            ]
        );
        assert_eq!((batch.patients.len(), batch.locations.len()), (1, 1));
        assert_eq!(batch.report.total(), failed(2));
    }
    let batch = read_entries("export.ndjson", format!("{{\n{}", patient()).as_bytes());
    assert_eq!(
        (only_problem(&batch), batch.patients.len()),
        ("line 1: ends too early, at line 1 column 1".to_owned(), 1)
    );
}

#[test]
fn nesting_without_end_is_a_problem_of_its_entry_only() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let skipped_type = format!(r#"{{"resourceType": "Observation", "x": {deep}}}"#);
    let mut kept = patient().to_string();
    kept.insert_str(kept.len() - 1, &format!(r#", "x": {deep}"#));
    let batch = read(&format!(
        r#"{{"resourceType": "Bundle", "type": "batch", "entry": [{{"resource": {skipped_type}}}, {{"resource": {kept}}}, {{"resource": {}}}]}}"#,
        organization()
    ));
    assert_eq!((counts(&batch, "Observation"), batch.locations.len()), (skipped(1), 1));
    let problem = only_problem(&batch);
    assert!(
        problem.starts_with(&format!("entry[1] Patient/{PATIENT_ID}: is not JSON: recursion limit")),
        "{problem}"
    );
    let unclosed = format!(r#"{{"x":{}"#, "[".repeat(200_000));
    assert_eq!(only_problem(&read(&unclosed)), "ends too early, at line 1 column 200005");
}

#[test]
fn a_file_larger_than_the_bound_is_refused_without_being_read_whole() {
    struct Endless(u64);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b' ');
            self.0 += buffer.len() as u64;
            Ok(buffer.len())
        }
    }
    let mut source = Endless(0);
    let batch = read_entries("endless.json", &mut source);
    assert_eq!(only_problem(&batch), "is larger than 64 MiB");
    assert!(source.0 <= MAX_FILE_BYTES + 1, "{} bytes were read", source.0);
}

#[test]
fn many_problems_are_counted_and_the_first_are_kept() {
    let entries = vec!["7"; MAX_PROBLEMS + 5].join(",");
    let batch = read(&format!(r#"{{"resourceType": "Bundle", "type": "batch", "entry": [{entries}]}}"#));
    assert_eq!((batch.report.problems.len(), batch.report.problems_omitted), (MAX_PROBLEMS, 5));
    assert_eq!(batch.report.total(), failed(MAX_PROBLEMS as u64 + 5));
    assert!(batch.report.table().ends_with("  and 5 more\n"));
}

#[test]
fn what_cannot_be_read_at_all_is_a_problem_too() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    assert_eq!(only_problem(&read_entries("x", Failing)), "cannot be read (connection reset)");
    assert_eq!(only_problem(&read_entries("x", &b"\xff\xfe{}"[..])), "is not UTF-8 text");
    let nowhere = std::path::Path::new("no-such-folder/bundle.json");
    assert_eq!(only_problem(&read_file(nowhere)), "cannot be opened (entity not found)");
}
