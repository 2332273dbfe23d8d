//! Importing FHIR files.

use std::path::{Path, PathBuf};

use praxis::access::actor::Actor;
use praxis::fhir::load::Import;
use praxis::fhir::{Counts, Report, read_entries, read_file};
use praxis::member::entity::Role;
use serde_json::json;

use crate::support::app::{Client, TestApp};
use crate::support::on_both_engines;

const SAMPLE: &str = "tests/data/synthea";
/// The whole population, where it lies beside the sources.
const POPULATION: &str = "../shared/data/synthea-r4";

const IMPORT: &str = "mutation($input: ImportFhirInput!) { importFhir(input: $input) { \
                      counts { resourceType created updated unchanged skipped failed } \
                      problems { file entry reason } problemsOmitted } }";

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|it| it == "json"));
    files.sort();
    files
}

/// Loads the files as one import does.
async fn import(client: &Client, files: &[PathBuf]) -> Report {
    let actor = Actor::system(client.workspace(), "import");
    let (mut import, mut report) = (Import::default(), Report::default());
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy();
        report.merge(import.load(&client.app, &actor, &name, &read_file(file)).await.unwrap());
    }
    report
}

fn counts(report: &Report, name: &str) -> Counts {
    report.by_type.get(name).copied().unwrap_or_default()
}

fn created(n: u64) -> Counts {
    Counts { created: n, ..Counts::default() }
}

/// The number of the last event of the workspace's journal.
async fn last_event(client: &Client) -> i64 {
    use praxis::journal::head;
    let actor = client.actor.clone().unwrap();
    let tx = client.app.db.begin_read(actor.scope()).await.unwrap();
    let head = actor.find::<head::Entity>().one(&tx).await.unwrap();
    tx.rollback().await.unwrap();
    head.map_or(0, |head| head.seq)
}

/// Versions of everything that an import writes.
async fn versions(client: &Client) -> Vec<(String, i32)> {
    use praxis::{appointment, location, member, patient};
    let actor = client.actor.clone().unwrap();
    let tx = client.app.db.begin_read(actor.scope()).await.unwrap();
    let mut all = Vec::new();
    macro_rules! add {
        ($table:path) => {{
            use $table as table;
            let rows = actor.find::<table::Entity>().all(&tx).await.unwrap();
            all.extend(rows.into_iter().map(|row| (row.id.to_string(), row.version)));
        }};
    }
    add!(location::entity);
    add!(member::entity);
    add!(patient::entity);
    add!(appointment::entity);
    tx.rollback().await.unwrap();
    all.sort();
    all
}

on_both_engines! {
    async fn the_sample_is_loaded_once_and_a_second_time_changes_nothing(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let files = files(SAMPLE);

        let report = import(&owner, &files).await;
        assert_eq!(report.problems, []);
        assert_eq!(counts(&report, "Patient"), created(2));
        assert_eq!(counts(&report, "Practitioner"), created(3));
        assert_eq!(counts(&report, "Organization"), created(3));
        assert_eq!(counts(&report, "Encounter"), created(19));

        let (before, seen) = (versions(&owner).await, last_event(&owner).await);
        assert!(seen > 0);
        let again = import(&owner, &files).await;
        let total = again.total();
        assert_eq!((total.created, total.updated, total.unchanged, total.failed), (0, 0, 27, 0));
        assert_eq!(versions(&owner).await, before);
        assert_eq!(last_event(&owner).await, seen, "a repetition leaves no trace");
    }
}

on_both_engines! {
    async fn what_was_imported_is_read_through_the_api_and_only_in_its_workspace(on: On) {
        let app = TestApp::new(on).await;
        let (north, south) = (app.workspace("north").await, app.workspace("south").await);
        import(&north, &files(SAMPLE)).await;
        let query = "{ appointments(first: 100) { totalCount nodes { status reason practitioner { displayName } \
                     patient { lastName } location { name } } } }";
        let data = north.ok(query, json!({})).await;
        let list = &data["appointments"];
        assert_eq!(list["totalCount"], 19);
        let nodes = list["nodes"].as_array().unwrap();
        assert!(nodes.iter().all(|node| node["status"] == "COMPLETED" && node["location"]["name"].is_string()));
        let names: std::collections::BTreeSet<_> =
            nodes.iter().map(|node| node["patient"]["lastName"].as_str().unwrap()).collect();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["Conn", "Thompson"]);
        let nobody = nodes.iter().filter(|node| node["practitioner"]["displayName"] == "Not recorded").count();
        assert_eq!(nobody, 1, "the one encounter without a practitioner");
        assert_eq!(south.ok("{ appointments { totalCount } }", json!({})).await["appointments"]["totalCount"], 0);
    }
}

on_both_engines! {
    async fn a_change_in_the_source_updates_what_changed_and_no_more(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let file = &files(SAMPLE)[1];
        let text = std::fs::read_to_string(file).unwrap();
        import(&owner, std::slice::from_ref(file)).await;

        let married = text.replacen("\"Conn\"", "\"Conner\"", 1);
        assert_ne!(married, text);
        let actor = Actor::system(owner.workspace(), "import");
        let batch = read_entries("changed.json", married.as_bytes());
        let report = Import::default().load(&owner.app, &actor, "changed.json", &batch).await.unwrap();
        assert_eq!(counts(&report, "Patient").updated, 1);
        assert_eq!((report.total().created, report.total().updated), (0, 1));
        let data = owner.ok("{ patients { nodes { lastName version } } }", json!({})).await;
        assert_eq!(data["patients"]["nodes"], json!([{ "lastName": "Conner", "version": 2 }]));
    }
}

on_both_engines! {
    async fn a_bundle_is_imported_through_the_api_by_whoever_may(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let bundle = std::fs::read_to_string(&files(SAMPLE)[1]).unwrap();
        let input = json!({ "input": { "bundle": bundle, "fileName": "liz.json" } });
        let nurse = app.member(owner.workspace(), Role::Nurse).await;
        assert_eq!(nurse.code(IMPORT, input.clone()).await, "FORBIDDEN");

        let data = owner.ok(IMPORT, input).await;
        let counts = data["importFhir"]["counts"].as_array().unwrap();
        let patient = counts.iter().find(|count| count["resourceType"] == "Patient").unwrap();
        assert_eq!(patient["created"], 1);
        assert_eq!(data["importFhir"]["problems"], json!([]));

        let broken = json!({ "input": { "bundle": "{ nothing" } });
        let data = owner.ok(IMPORT, broken).await;
        assert_eq!(data["importFhir"]["problems"][0]["file"], "bundle");
        let large = json!({ "input": { "bundle": " ".repeat(200_001) } });
        assert_eq!(owner.code(IMPORT, large).await, "BAD_USER_INPUT");
    }
}

on_both_engines! {
    async fn an_encounter_without_its_patient_fails_alone_and_is_named(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let encounter = |id: &str, patient: &str, minutes: u32| json!({
            "resource": {
                "resourceType": "Encounter", "id": id, "status": "finished", "class": { "code": "AMB" },
                "subject": { "reference": format!("Patient/{patient}") },
                "period": { "start": "2024-03-01T10:00:00Z", "end": format!("2024-03-01T10:{minutes:02}:00Z") },
            }
        });
        let patient = json!({ "resource": {
            "resourceType": "Patient", "id": "p1", "name": [{ "family": "Sample", "given": ["Ann"] }],
        } });
        let bundle = json!({ "resourceType": "Bundle", "type": "collection", "entry": [
            patient, encounter("good", "p1", 30), encounter("lost", "p2", 30), encounter("short", "p1", 2),
        ] });
        let data = owner.ok(IMPORT, json!({ "input": { "bundle": bundle.to_string() } })).await;
        let problems = data["importFhir"]["problems"].as_array().unwrap();
        let named: Vec<_> = problems.iter().map(|problem| problem["entry"].as_str().unwrap()).collect();
        assert_eq!(named, ["Encounter/lost", "Encounter/short"]);
        let counts = &data["importFhir"]["counts"];
        assert_eq!((&counts[0]["created"], &counts[0]["failed"]), (&json!(1), &json!(2)));

        // A later file may refer to what is in the database.
        let later = json!({ "resourceType": "Bundle", "type": "collection",
            "entry": [encounter("later", "p1", 45)] });
        let data = owner.ok(IMPORT, json!({ "input": { "bundle": later.to_string() } })).await;
        assert_eq!(data["importFhir"]["counts"][0]["created"], 1, "{data}");
    }
}

on_both_engines! {
    async fn the_whole_population_is_loaded_and_a_broken_file_stops_nothing(on: On) {
        let mut all = files(POPULATION);
        if all.is_empty() {
            // The sample above stands for it where only the sources are.
            return;
        }
        all.retain(|file| !file.file_name().unwrap().to_string_lossy().contains("Information"));
        assert_eq!(all.len(), 40);
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let broken = app.database.folder.path().join("Broken.json");
        std::fs::write(&broken, "{ \"resourceType\": \"Bundle\", ").unwrap();
        all.insert(7, broken);

        let report = import(&owner, &all).await;
        assert_eq!(report.problems.len(), 1);
        assert_eq!((report.problems[0].file.as_str(), report.problems[0].entry.as_ref()), ("Broken.json", None));
        assert_eq!(counts(&report, "Patient"), created(40));
        assert_eq!(counts(&report, "Encounter"), created(303));
        for name in ["Practitioner", "Organization"] {
            assert_eq!(counts(&report, name), Counts { created: 41, unchanged: 10, ..Counts::default() }, "{name}");
        }
        let total = report.total();
        assert_eq!((total.updated, total.skipped, total.failed), (0, 3_341, 0));

        let (before, seen) = (versions(&owner).await, last_event(&owner).await);
        let again = import(&owner, &all).await.total();
        assert_eq!((again.created, again.updated, again.unchanged, again.failed), (0, 0, 40 + 303 + 51 + 51, 0));
        assert_eq!(versions(&owner).await, before);
        assert_eq!(last_event(&owner).await, seen);
    }
}
