//! What the journal tells, and that nothing personal is anywhere in plain text.

use std::sync::{Arc, LazyLock, Mutex};

use praxis::crypto::entity::patient_key;
use praxis::id::{PatientId, TypedId};
use praxis::journal::entity::AuditKind;
use praxis::journal::event::Event;
use praxis::member::entity::Role;
use sea_orm::{ColumnTrait, ConnectionTrait, IntoActiveModel, QueryFilter, Set, Statement};
use serde_json::{Value as Json, json};

use super::{CREATE, UPDATE, create, journal, named};
use crate::support::app::TestApp;
use crate::support::database::On as Engine;
use crate::support::on_both_engines;

on_both_engines! {
    async fn reads_are_recorded_once_per_request_and_patient_with_field_names(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let (ada, bob) = (named(&owner, "Ada", "Byron").await, named(&owner, "Bob", "Byron").await);
        let before = journal(&owner).await.len();
        owner.ok("{ patients { nodes { id firstName age } } }", json!({})).await;
        let events = journal(&owner).await.split_off(before);
        let mut read: Vec<String> = Vec::new();
        for event in &events {
            assert_eq!(event.kind, AuditKind::Read);
            assert_eq!(event.detail, r#"{"fields":["patients.first_name"]}"#);
            read.push(event.patient_id.expect("whose chart").to_string());
        }
        read.sort();
        let mut expected = [ada["id"].as_str().expect("id"), bob["id"].as_str().expect("id")];
        expected.sort_unstable();
        assert_eq!(read, expected);

        let before = journal(&owner).await.len();
        owner.ok("{ patients { totalCount nodes { id version } } }", json!({})).await;
        assert_eq!(journal(&owner).await.len(), before, "nothing personal was read");
    }
}

on_both_engines! {
    async fn a_search_is_recorded_by_what_it_found(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let ada = named(&owner, "Ada", "Byron").await;
        for text in ["BYRON", "byrön", "xyz"] {
            owner.ok("query($text: String) { patients(search: $text) { nodes { id } } }", json!({ "text": text })).await;
        }
        let events = journal(&owner).await;
        let searches: Vec<Json> = events
            .iter()
            .filter(|event| event.kind == AuditKind::Search)
            .map(|event| serde_json::from_str(&event.detail).expect("JSON"))
            .collect();
        assert_eq!(searches.len(), 3);
        assert_eq!(searches[0]["ids"], json!([ada["id"]]));
        assert_eq!(searches[0]["digest"], searches[1]["digest"], "the same words");
        assert_eq!(searches[2]["ids"], json!([]));
        assert_ne!(searches[0]["digest"], searches[2]["digest"]);
    }
}

on_both_engines! {
    async fn an_erased_patient_leaves_the_directory_and_reads_as_nothing(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let (ada, _) = (named(&owner, "Ada", "Byron").await, named(&owner, "Bob", "Byron").await);
        let list = "{ patients { totalCount nodes { firstName } } }";
        assert_eq!(owner.ok(list, json!({})).await["patients"]["totalCount"], 2);

        let patient: PatientId = TypedId::parse(ada["id"].as_str().expect("an id")).expect("a patient's id");
        let actor = &**owner.actor.as_ref().expect("signed in");
        app.app
            .write(actor, move |unit| async move {
                let query = actor.find::<patient_key::Entity>().filter(patient_key::Column::PatientId.eq(patient));
                let mut key = query.one(&**unit).await?.expect("a key").into_active_model();
                key.wrapped = Set(None);
                key.destroyed_at = Set(Some(unit.clock().now()));
                unit.update(key).await?;
                unit.record(Event::by(actor, AuditKind::Write, "patient.erased").on(patient).of_patient(patient));
                Ok(())
            })
            .await
            .expect("the key is destroyed");
        app.app.keys.ring().destroy_patient_key(owner.workspace(), patient, 1);

        let left = owner.ok(list, json!({})).await;
        assert_eq!(left["patients"], json!({ "totalCount": 1, "nodes": [{ "firstName": "Bob" }] }));
        let query = "query($id: ID!) { patient(id: $id) { version firstName } }";
        let answer = owner.run(query, json!({ "id": ada["id"] })).await;
        assert_eq!(answer.data["patient"], json!({ "version": 1, "firstName": null }));
        assert_eq!(answer.code(), "NOT_FOUND");
    }
}

/// Values that occur nowhere else.
fn canaries() -> Json {
    json!({
        "firstName": "Kanarienerst", "lastName": "Kanarienlast", "middleName": "Kanarienmid",
        "preferredName": "Kanarienpref", "birthDate": "1897-11-23", "gender": "FEMALE",
        "email": "kanarienmail@home.example", "phone": "+998877665544",
        "address": { "line": "Kanarienline", "city": "Kanariencity", "state": "Kanarienstate",
                     "postalCode": "Kanarienpost", "country": "Kanarienland" },
        "nationality": "Kanariennation", "preferredLanguage": "kanarienlang", "maritalStatus": "WIDOWED",
        "occupation": "Kanarienjob", "nationalId": "Kanariennid", "insuranceProvider": "Kanarieninsurer",
        "insuranceType": "Kanarieninstype", "policyNumber": "Kanarienpolicy",
        "emergencyContact": { "name": "Kanarienice", "phone": "+887766554433", "relationship": "Kanarienrel" },
        "medicalHistory": "Kanarienhistory", "allergies": "Kanarienallergy", "medications": "Kanarienpill",
        "bloodType": "AB_NEGATIVE", "notes": "Kanariennote", "deceasedOn": "1931-07-19",
        "tags": ["Kanarientag"], "externalId": "Kanarienext"
    })
}

/// The text of every canary; enum values are words of the schema, all but two.
const TRACES: [&str; 7] =
    ["kanarien", "998877665544", "887766554433", "1897-11-23", "1931-07-19", "widowed", "ab_negative"];

on_both_engines! {
    async fn no_personal_text_is_stored_logged_or_told_in_an_error(on: On) {
        LazyLock::force(&LOG);
        tracing::info!("the log is read");
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let staff = app.member(owner.workspace(), Role::Staff).await;
        let mut keyed = canaries();
        keyed["idempotencyKey"] = "k".into();
        let patient = create(&owner, keyed.clone()).await;
        create(&owner, keyed).await;
        let id = json!({ "id": patient["id"] });

        let update = |change: Json| {
            let mut input = change;
            input["id"] = patient["id"].clone();
            json!({ "input": input })
        };
        owner.ok(UPDATE, update(json!({ "expectedVersion": 1, "firstName": "Kanarienneu", "allergies": null }))).await;
        owner.ok("{ patients(search: \"kanarien\") { nodes { displayName allergies email birthDate } } }", json!({})).await;
        let add = "mutation($input: AddFamilyHistoryInput!) { addFamilyHistory(input: $input) { entry { id } } }";
        let relative = json!({ "patientId": patient["id"], "relation": "Kanarienaunt", "condition": "Kanarienill", "note": "Kanarienfam" });
        let added = owner.ok(add, json!({ "input": relative })).await;
        let remove = "mutation($input: RemoveFamilyHistoryInput!) { removeFamilyHistory(input: $input) { removedId } }";
        let entry = added["addFamilyHistory"]["entry"]["id"].clone();
        owner.ok(remove, json!({ "input": { "id": entry, "expectedVersion": 1 } })).await;

        let mut errors = Vec::new();
        let mut failing = async |client: &crate::support::app::Client, document: &str, variables: Json| {
            let answer = client.run(document, variables).await;
            assert!(!answer.errors.is_empty(), "{document} is to fail");
            errors.push(json!(answer.errors).to_string());
        };
        failing(&owner, CREATE, json!({ "input": canaries() })).await;
        failing(&owner, UPDATE, update(json!({ "expectedVersion": 1, "notes": "Kanarienstale" }))).await;
        failing(&owner, UPDATE, update(json!({ "expectedVersion": 2, "email": "kanarien no mail", "phone": "kanarien" }))).await;
        failing(&owner, UPDATE, update(json!({ "expectedVersion": 2, "lastName": "Kanarien".repeat(99) }))).await;
        failing(&staff, UPDATE, update(json!({ "expectedVersion": 2, "notes": "Kanarienstaff" }))).await;
        failing(&staff, "query($id: ID!) { patient(id: $id) { notes medicalHistory } }", id).await;
        for error in errors {
            let error = error.to_lowercase();
            for trace in TRACES {
                assert!(!error.contains(trace), "{trace} in {error}");
            }
        }

        let log = LOG.text();
        assert!(log.contains("the log is read"));
        for trace in TRACES {
            assert!(!log.contains(trace), "{trace} is logged");
        }

        let stored = match on {
            Engine::Sqlite => files(&app),
            Engine::Postgres => dump(&app).await,
        };
        assert!(contains(&stored, "patient.created"), "the dump shows what is stored in plain text");
        for trace in TRACES {
            assert!(!contains(&stored, trace), "{trace} is stored in plain text");
            let hex = data_encoding::HEXLOWER.encode(trace.as_bytes());
            assert!(!contains(&stored, &hex), "{trace} is stored in plain text, as bytes");
        }
    }
}

/// Everything that this process logs, at the finest level.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    log
});

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).to_lowercase()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// The database's file with its write-ahead log, in lower case.
fn files(app: &TestApp) -> Vec<u8> {
    let mut bytes = Vec::new();
    for name in ["praxis.db", "praxis.db-wal"] {
        bytes.extend(std::fs::read(app.database.folder.path().join(name)).unwrap_or_default());
    }
    bytes.to_ascii_lowercase()
}

/// Every row of every table as text, in lower case.
async fn dump(app: &TestApp) -> Vec<u8> {
    let db = app.database.connect_as_owner().await;
    let backend = sea_orm::DbBackend::Postgres;
    let names = "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public'";
    let mut text = String::new();
    for table in db.writer().query_all_raw(Statement::from_string(backend, names)).await.expect("the tables")
    {
        let name: String = table.try_get("", "name").expect("a name");
        let rows = format!("SELECT t::text AS row FROM \"{name}\" t");
        for row in db.writer().query_all_raw(Statement::from_string(backend, rows)).await.expect("the rows") {
            text.push_str(&row.try_get::<String>("", "row").expect("a row"));
            text.push('\n');
        }
    }
    text.to_lowercase().into_bytes()
}
