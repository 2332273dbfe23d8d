//! Creating, changing, archiving; who may see what.

use std::time::Duration;

use praxis::member::entity::Role;
use serde_json::{Value as Json, json};

use super::{CREATE, UPDATE, create, journal, named};
use crate::support::app::{Client, TestApp};
use crate::support::on_both_engines;

/// Every field that a client can write.
fn everything() -> Json {
    json!({
        "firstName": " Zoë ", "lastName": "Müller", "middleName": "Anne", "preferredName": "Zo",
        "birthDate": "1980-04-30", "gender": "FEMALE", "email": "zoe@home.example", "phone": "+49 30 555-0123",
        "address": { "line": "Hauptstr. 1", "city": "Berlin", "state": "BE", "postalCode": "10115", "country": "Germany" },
        "nationality": "German", "preferredLanguage": "de", "maritalStatus": "MARRIED", "occupation": "Baker",
        "nationalId": "12-345", "insuranceProvider": "AOK", "insuranceType": "public", "policyNumber": "P1",
        "emergencyContact": { "name": "Max", "phone": "+49 30 555-0199", "relationship": "brother" },
        "medicalHistory": "Appendectomy", "allergies": "Penicillin", "medications": "None", "bloodType": "AB_NEGATIVE",
        "notes": "Prefers mornings", "tags": ["vip", "german"], "externalId": "EXT-1", "reminderConsent": true
    })
}

const READ: &str = "query($id: ID!) { patient(id: $id) { firstName lastName displayName middleName preferredName \
    birthDate age gender email phone address { line city state postalCode country } nationality \
    preferredLanguage maritalStatus occupation nationalId insuranceProvider insuranceType policyNumber \
    emergencyContact { name phone relationship } medicalHistory allergies medications bloodType notes tags \
    externalId reminderConsent archivedAt version } }";

async fn update(client: &Client, patient: &Json, version: i32, mut change: Json) -> Json {
    change["id"] = patient["id"].clone();
    change["expectedVersion"] = version.into();
    client.ok(UPDATE, json!({ "input": change })).await["updatePatient"]["patient"].clone()
}

async fn age(client: &Client, id: &Json) -> Json {
    client.ok("query($id: ID!) { patient(id: $id) { age } }", json!({ "id": id })).await["patient"]["age"]
        .clone()
}

on_both_engines! {
    async fn a_chart_is_read_as_it_was_written(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let created = create(&owner, everything()).await;
        assert_eq!(created["displayName"], "Zoë Müller");

        let mut expected = everything();
        expected["firstName"] = "Zoë".into();
        expected["displayName"] = "Zoë Müller".into();
        expected["age"] = 46.into();
        expected["archivedAt"] = Json::Null;
        expected["version"] = 1.into();
        let read = owner.ok(READ, json!({ "id": created["id"] })).await;
        assert_eq!(read["patient"], expected);

        let node = "query($id: ID!) { node(id: $id) { id ... on Patient { lastName } } }";
        let read = owner.ok(node, json!({ "id": created["id"] })).await;
        assert_eq!(read["node"]["lastName"], "Müller");
    }
}

on_both_engines! {
    async fn an_age_counts_whole_years_also_from_a_leap_day(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let born = async |date: &str| {
            create(&owner, json!({ "firstName": "A", "lastName": "B", "birthDate": date })).await["id"].clone()
        };
        assert_eq!(age(&owner, &born("2000-06-01").await).await, 26);
        assert_eq!(age(&owner, &born("2000-06-02").await).await, 25);
        let leap = born("2004-02-29").await;
        assert_eq!(age(&owner, &leap).await, 22);
        let days = |days: u64| Duration::from_secs(days * 86_400);
        app.app.clock.advance(days(272)); // 2027-02-28
        assert_eq!(age(&owner, &leap).await, 22);
        app.app.clock.advance(days(1));
        assert_eq!(age(&owner, &leap).await, 23);
    }
}

on_both_engines! {
    async fn a_patch_leaves_what_is_omitted_and_empties_what_is_null(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let patient = create(&owner, everything()).await;

        let same = update(&owner, &patient, 1, json!({})).await;
        assert_eq!(same["version"], 1, "nothing changed");
        assert_eq!(same["phone"], "+49 30 555-0123");

        let change = json!({ "middleName": null, "phone": "030 99999", "address": { "city": null } });
        let changed = update(&owner, &patient, 1, change).await;
        assert_eq!(changed["version"], 2);
        assert_eq!(changed["middleName"], Json::Null);
        assert_eq!(changed["phone"], "030 99999");
        assert_eq!(changed["address"], json!({ "line": "Hauptstr. 1", "city": null }));
        assert_eq!(changed["allergies"], "Penicillin");
        assert_eq!(changed["tags"], json!(["vip", "german"]));

        let change = json!({ "address": null, "tags": null, "bloodType": null, "allergies": "  ", "reminderConsent": false });
        let changed = update(&owner, &patient, 2, change).await;
        assert_eq!(changed["address"], json!({ "line": null, "city": null }));
        assert_eq!(changed["tags"], json!([]));
        assert_eq!(changed["bloodType"], Json::Null);
        assert_eq!(changed["allergies"], Json::Null);
        assert_eq!(changed["reminderConsent"], false);

        let omitted = "mutation($id: ID!, $phone: String) { updatePatient(input: { id: $id, expectedVersion: 3, \
                       phone: $phone }) { patient { phone version } } }";
        let kept = owner.ok(omitted, json!({ "id": patient["id"] })).await;
        assert_eq!(kept["updatePatient"]["patient"], json!({ "phone": "030 99999", "version": 3 }));
    }
}

on_both_engines! {
    async fn a_stale_version_changes_nothing(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let patient = named(&owner, "Ada", "Byron").await;
        update(&owner, &patient, 1, json!({ "phone": "12345" })).await;

        let input = json!({ "id": patient["id"], "expectedVersion": 1, "phone": "67890" });
        let answer = owner.run(UPDATE, json!({ "input": input })).await;
        assert_eq!(answer.code(), "STALE_VERSION");
        assert_eq!(answer.errors[0]["extensions"]["currentVersion"], 2);
        assert_eq!(update(&owner, &patient, 2, json!({})).await["phone"], "12345");
    }
}

on_both_engines! {
    async fn an_idempotency_key_creates_one_patient(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let input = json!({ "firstName": "Ada", "lastName": "Byron", "idempotencyKey": "k1" });
        let first = create(&owner, input.clone()).await;
        assert_eq!(create(&owner, input).await["id"], first["id"]);
        let other = json!({ "firstName": "Ada", "lastName": "Lovelace", "idempotencyKey": "k1" });
        assert_eq!(owner.code(CREATE, json!({ "input": other })).await, "IDEMPOTENCY_KEY_REUSED");
        let all = owner.ok("{ patients { totalCount } }", json!({})).await;
        assert_eq!(all["patients"]["totalCount"], 1);
    }
}

on_both_engines! {
    async fn all_problems_are_told_at_once_with_their_paths(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let input = json!({
            "firstName": " ", "lastName": "x".repeat(256), "birthDate": "2026-06-02", "email": "nobody",
            "phone": "1234", "medicalHistory": "x".repeat(5001), "address": { "line": "x".repeat(1001) },
            "emergencyContact": { "phone": "none" }, "tags": [""], "deceasedOn": "1700-01-01"
        });
        let answer = owner.run(CREATE, json!({ "input": input })).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT");
        let fields = answer.errors[0]["extensions"]["fields"].as_array().expect("fields");
        let mut paths: Vec<String> = fields.iter().map(|field| field["path"].to_string()).collect();
        paths.sort();
        let mut expected: Vec<String> = [
            json!(["input", "firstName"]), json!(["input", "lastName"]), json!(["input", "birthDate"]),
            json!(["input", "email"]), json!(["input", "phone"]), json!(["input", "medicalHistory"]),
            json!(["input", "address", "line"]), json!(["input", "emergencyContact", "phone"]),
            json!(["input", "tags"]), json!(["input", "deceasedOn"]),
        ].iter().map(ToString::to_string).collect();
        expected.sort();
        assert_eq!(paths, expected);

        for date in ["1849-12-31", "2026-06-02"] {
            let input = json!({ "firstName": "A", "lastName": "B", "birthDate": date });
            assert_eq!(owner.code(CREATE, json!({ "input": input })).await, "BAD_USER_INPUT", "{date}");
        }
        let unknown = json!({ "firstName": "A", "lastName": "B",
                              "primaryPractitionerId": app.workspace("south").await.membership().to_string() });
        assert_eq!(owner.code(CREATE, json!({ "input": unknown })).await, "BAD_USER_INPUT");
    }
}

on_both_engines! {
    async fn an_external_id_is_unique_in_its_workspace_only(on: On) {
        let app = TestApp::new(on).await;
        let (north, south) = (app.workspace("north").await, app.workspace("south").await);
        let input = json!({ "firstName": "Ada", "lastName": "Byron", "externalId": "MRN 7" });
        create(&north, input.clone()).await;
        let answer = north.run(CREATE, json!({ "input": input })).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT");
        assert_eq!(answer.errors[0]["extensions"]["fields"][0]["path"], json!(["input", "externalId"]));
        create(&south, input.clone()).await;

        let other = named(&north, "Bob", "Byron").await;
        let change = json!({ "id": other["id"], "expectedVersion": 1, "externalId": "MRN 7" });
        assert_eq!(north.code(UPDATE, json!({ "input": change })).await, "BAD_USER_INPUT");
        update(&north, &other, 1, json!({ "externalId": "MRN 8" })).await;
        update(&north, &other, 2, json!({ "externalId": null })).await;
        create(&north, json!({ "firstName": "Cy", "lastName": "Byron", "externalId": "MRN 8" })).await;
    }
}

on_both_engines! {
    async fn archived_patients_leave_the_list_until_they_are_restored(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let patient = named(&owner, "Ada", "Byron").await;
        let count = async |filter: &str| {
            let query = format!("{{ name: patients{filter} {{ totalCount nodes {{ id }} }} }}");
            owner.ok(&query, json!({})).await["name"]["totalCount"].clone()
        };
        assert_eq!(count("").await, 1);
        let input = |version: i32| json!({ "input": { "id": patient["id"], "expectedVersion": version } });
        let archive = "mutation($input: ArchivePatientInput!) { archivePatient(input: $input) { patient { version archivedAt } } }";
        let restore = archive.replace("archivePatient", "restorePatient");
        assert_eq!(owner.code(archive, input(9)).await, "STALE_VERSION");
        let archived = owner.ok(archive, input(1)).await;
        assert!(archived["archivePatient"]["patient"]["archivedAt"].is_string());
        let again = owner.ok(archive, input(1)).await;
        assert_eq!(again["archivePatient"]["patient"]["version"], 2, "twice is once");
        for order in ["NAME", "NEWEST"] {
            assert_eq!(count(&format!("(orderBy: {order})")).await, 0);
            assert_eq!(count(&format!("(orderBy: {order}, filter: {{ includeArchived: true }})")).await, 1);
        }
        owner.ok(&restore, input(2)).await;
        assert_eq!(count("").await, 1);

        let staff = app.member(owner.workspace(), Role::Staff).await;
        assert_eq!(staff.code(archive, input(3)).await, "FORBIDDEN");
    }
}

on_both_engines! {
    async fn the_front_desk_sees_demographics_and_no_clinical_text(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let patient = create(&owner, everything()).await;
        let staff = app.member(owner.workspace(), Role::Staff).await;

        let query = "query($id: ID!) { patient(id: $id) { lastName medicalHistory phone notes familyHistory { id } } }";
        let answer = staff.run(query, json!({ "id": patient["id"] })).await;
        let expected = json!({ "lastName": "Müller", "medicalHistory": null, "phone": "+49 30 555-0123",
                               "notes": null, "familyHistory": null });
        assert_eq!(answer.data["patient"], expected);
        let mut refused: Vec<(String, String)> = answer
            .errors
            .iter()
            .map(|error| (error["path"].to_string(), error["extensions"]["code"].to_string()))
            .collect();
        refused.sort();
        let forbidden = |field: &str| (json!(["patient", field]).to_string(), "\"FORBIDDEN\"".to_owned());
        assert_eq!(refused, [forbidden("familyHistory"), forbidden("medicalHistory"), forbidden("notes")]);

        let input = json!({ "firstName": "Ada", "lastName": "Byron", "allergies": null, "notes": null });
        create(&staff, input).await;
        let input = json!({ "firstName": "Ada", "lastName": "Byron", "allergies": "Nuts" });
        assert_eq!(staff.code(CREATE, json!({ "input": input })).await, "FORBIDDEN");
        // Neither emptying nor repeating what is there: the answer would tell whether it is.
        for allergies in [Json::Null, "Penicillin".into()] {
            let input = json!({ "id": patient["id"], "expectedVersion": 1, "allergies": allergies, "phone": "55555" });
            assert_eq!(staff.code(UPDATE, json!({ "input": input })).await, "FORBIDDEN");
        }
        let kept = update(&owner, &patient, 1, json!({})).await;
        assert_eq!((&kept["allergies"], &kept["version"]), (&json!("Penicillin"), &json!(1)));
        assert_eq!(update(&owner, &patient, 1, json!({ "phone": "55555" })).await["version"], 2);

        let events = journal(&owner).await;
        let denied = events.iter().filter(|event| event.action == "permission.denied").count();
        assert_eq!(denied, 6, "three fields and three mutations");
    }
}

on_both_engines! {
    async fn researchers_and_strangers_see_no_patient(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let patient = named(&owner, "Ada", "Byron").await;
        let id = json!({ "id": patient["id"] });
        let researcher = app.member(owner.workspace(), Role::Researcher).await;
        let node = "query($id: ID!) { node(id: $id) { id } }";
        for query in [node, "query($id: ID!) { patient(id: $id) { id } }"] {
            assert_eq!(researcher.code(query, id.clone()).await, "FORBIDDEN");
            assert_eq!(app.nobody().code(query, id.clone()).await, "UNAUTHENTICATED");
        }
        assert_eq!(researcher.code("{ patients { nodes { id } } }", json!({})).await, "FORBIDDEN");
    }
}

on_both_engines! {
    async fn another_workspace_sees_nothing(on: On) {
        let app = TestApp::new(on).await;
        let (north, south) = (app.workspace("north").await, app.workspace("south").await);
        let patient = named(&north, "Ada", "Byron").await;
        let id = json!({ "id": patient["id"] });
        let absent = south.ok("query($id: ID!) { patient(id: $id) { id } node(id: $id) { id } }", id.clone()).await;
        assert_eq!(absent, json!({ "patient": null, "node": null }));
        for query in [r#"{ patients(search: "ada") { totalCount nodes { id } } }"#, "{ patients(orderBy: NEWEST) { totalCount nodes { id } } }"] {
            assert_eq!(south.ok(query, json!({})).await["patients"], json!({ "totalCount": 0, "nodes": [] }));
        }
        let input = json!({ "id": patient["id"], "expectedVersion": 1, "phone": "12345" });
        assert_eq!(south.code(UPDATE, json!({ "input": input })).await, "NOT_FOUND");
        let duplicates = "query($id: ID!) { possibleDuplicates(patientId: $id) { id } }";
        assert_eq!(south.code(duplicates, id).await, "NOT_FOUND");
    }
}

on_both_engines! {
    async fn a_patient_reaches_the_own_chart_only(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let own = named(&owner, "Ada", "Byron").await;
        let other = create(&owner, json!({ "firstName": "Ada", "lastName": "Byron", "phone": "55555" })).await;
        let mut actor = (**app.member(owner.workspace(), Role::Patient).await.actor.as_ref().expect("signed in")).clone();
        let without_chart = app.client(Some(actor.clone()));
        actor.patient = praxis::id::TypedId::parse(own["id"].as_str().expect("an id"));
        let patient = app.client(Some(actor));

        for query in [
            "{ patients { totalCount nodes { id } } }",
            r#"{ patients(search: "ada") { totalCount nodes { id } } }"#,
            "{ patients(orderBy: NEWEST) { totalCount nodes { id } } }",
        ] {
            let seen = patient.ok(query, json!({})).await;
            assert_eq!(seen["patients"], json!({ "totalCount": 1, "nodes": [{ "id": own["id"] }] }), "{query}");
            assert_eq!(without_chart.ok(query, json!({})).await["patients"]["totalCount"], 0);
        }
        let by_id = "query($id: ID!) { patient(id: $id) { id } }";
        assert_eq!(patient.ok(by_id, json!({ "id": other["id"] })).await["patient"], Json::Null);
        let own_duplicates = "query($id: ID!) { possibleDuplicates(patientId: $id) { id } }";
        assert_eq!(patient.ok(own_duplicates, json!({ "id": own["id"] })).await["possibleDuplicates"], json!([]));
        let input = json!({ "id": own["id"], "expectedVersion": 1, "phone": "12345" });
        assert_eq!(patient.code(UPDATE, json!({ "input": input })).await, "FORBIDDEN");
    }
}
