//! Search, order and paging, on one node and on two.

use praxis::access::token::TokenKeys;
use praxis::app::{App, Secrets};
use praxis::crypto::root::RootKeys;
use praxis::graphql::endpoint::Endpoint;
use serde_json::{Value as Json, json};

use super::{CREATE, UPDATE, create, named};
use crate::support::app::{Client, TestApp};
use crate::support::on_both_engines;

const LIST: &str = "query($search: String, $order: PatientOrder! = NAME, $first: Int = null, $after: String, $last: Int = null, \
    $before: String) { patients(search: $search, orderBy: $order, first: $first, after: $after, last: $last, \
    before: $before) { totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } \
    nodes { displayName } } }";

async fn page(client: &Client, variables: Json) -> (Vec<String>, Json) {
    let list = client.ok(LIST, variables).await["patients"].clone();
    let nodes = list["nodes"].as_array().expect("nodes").iter();
    (nodes.map(|node| node["displayName"].as_str().expect("a name").to_owned()).collect(), list)
}

async fn search(client: &Client, text: &str) -> Vec<String> {
    page(client, json!({ "search": text })).await.0
}

/// A second node on the same database, with the same keys.
async fn second_node(first: &TestApp, client: &Client) -> Client {
    let config = first.app.config.clone();
    let secrets = Secrets {
        root: RootKeys::load(&config.root_keys_file).expect("the root key"),
        tokens: TokenKeys::load(&config.token_keys_file).expect("the token key"),
    };
    let app = App::assemble(config, first.app.clock.clone(), first.database.connect().await, secrets);
    Client { endpoint: Endpoint::new(app.clone()), app, actor: client.actor.clone() }
}

on_both_engines! {
    async fn every_word_must_occur_without_regard_to_case_and_accents(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        create(&owner, json!({
            "firstName": "José", "lastName": "Łukasz-Østergård", "middleName": "María", "preferredName": "Pepe",
            "email": "Jose@Home.example", "phone": "+49 (30) 555-0123", "birthDate": "1980-04-30"
        })).await;
        named(&owner, "Anna", "Jose").await;
        let lukasz = ["José Łukasz-Østergård"];
        for text in ["lukasz", "OSTERG", "jose  lukasz", "maría", "PEPE", "home.example", "5550123", "555-0123", "030 555 0123 jose"] {
            let expected: &[&str] = if text.starts_with("030") { &[] } else { &lukasz };
            assert_eq!(search(&owner, text).await, expected, "{text}");
        }
        assert_eq!(search(&owner, "1980-04-30 jose").await, lukasz);
        assert_eq!(search(&owner, "jose").await, ["Anna Jose", "José Łukasz-Østergård"]);
        for text in ["1980-04-3", "55", "nobody", "jose nobody", "%"] {
            assert!(search(&owner, text).await.is_empty(), "{text}");
        }
        assert_eq!(search(&owner, "  ").await.len(), 2, "a blank search is none");
        assert_eq!(owner.code(LIST, json!({ "search": "x".repeat(201) })).await, "BAD_USER_INPUT");
    }
}

on_both_engines! {
    async fn pages_follow_the_names_both_ways(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        for (first, last) in [("Cleo", "Öz"), ("Bert", "abel"), ("Ada", "Abel"), ("Ada", "Zimt"), ("Émile", "Abel")] {
            named(&owner, first, last).await;
        }
        let sorted = ["Ada Abel", "Bert abel", "Émile Abel", "Cleo Öz", "Ada Zimt"];
        assert_eq!(page(&owner, json!({})).await.0, sorted);

        let (mut seen, mut after) = (Vec::new(), Json::Null);
        loop {
            let (names, list) = page(&owner, json!({ "first": 2, "after": after })).await;
            assert_eq!(list["totalCount"], 5);
            assert_eq!(list["pageInfo"]["hasPreviousPage"], !after.is_null());
            seen.extend(names);
            after = list["pageInfo"]["endCursor"].clone();
            if list["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(seen, sorted);

        let (names, list) = page(&owner, json!({ "last": 2 })).await;
        assert_eq!(names, &sorted[3..]);
        assert_eq!(list["pageInfo"]["hasPreviousPage"], true);
        let (names, list) = page(&owner, json!({ "last": 3, "before": list["pageInfo"]["startCursor"] })).await;
        assert_eq!(names, &sorted[..3]);
        assert_eq!(list["pageInfo"]["hasPreviousPage"], false);
        assert_eq!(list["pageInfo"]["hasNextPage"], true);

        let newest = ["Émile Abel", "Ada Zimt", "Ada Abel", "Bert abel", "Cleo Öz"];
        let (names, list) = page(&owner, json!({ "order": "NEWEST", "first": 3 })).await;
        assert_eq!(names, &newest[..3]);
        let after = list["pageInfo"]["endCursor"].clone();
        assert_eq!(page(&owner, json!({ "order": "NEWEST", "after": after })).await.0, &newest[3..]);
        assert_eq!(page(&owner, json!({ "order": "NEWEST", "search": "abel", "last": 2 })).await.0, ["Ada Abel", "Bert abel"]);
        assert_eq!(owner.code(LIST, json!({ "after": after })).await, "BAD_USER_INPUT", "another order's cursor");
    }
}

on_both_engines! {
    async fn a_cursor_holds_no_name(on: On) {
        use base64::Engine as _;
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        named(&owner, "Quentin", "Xanadu").await;
        let (_, list) = page(&owner, json!({})).await;
        let cursor = list["pageInfo"]["endCursor"].as_str().expect("a cursor");
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(cursor).expect("base64");
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        assert!(!text.contains("xanadu") && !text.contains("quentin"), "{text}");
    }
}

on_both_engines! {
    async fn a_directory_follows_the_writes_of_another_node(on: On) {
        let app = TestApp::new(on).await;
        let here = app.workspace("north").await;
        let there = second_node(&app, &here).await;
        let patient = named(&here, "Ada", "Byron").await;
        assert_eq!(search(&there, "ada").await, ["Ada Byron"]);
        named(&here, "Bob", "Byron").await;
        assert_eq!(search(&there, "byron").await, ["Ada Byron", "Bob Byron"]);
        let rename = json!({ "id": patient["id"], "expectedVersion": 1, "lastName": "Zulu" });
        here.ok(UPDATE, json!({ "input": rename })).await;
        assert_eq!(search(&there, "byron").await, ["Bob Byron"]);
        assert_eq!(page(&there, json!({})).await.0, ["Bob Byron", "Ada Zulu"]);
        let archive = "mutation($input: ArchivePatientInput!) { archivePatient(input: $input) { patient { id } } }";
        here.ok(archive, json!({ "input": { "id": patient["id"], "expectedVersion": 2 } })).await;
        assert_eq!(page(&there, json!({})).await.0, ["Bob Byron"]);
    }
}

on_both_engines! {
    async fn first_uses_at_once_agree(on: On) {
        let app = TestApp::new(on).await;
        let here = app.workspace("north").await;
        for number in 0..12 {
            named(&here, "Ada", &format!("Number{number:02}")).await;
        }
        let there = second_node(&app, &here).await;
        let both = "{ a: patients(first: 5) { totalCount nodes { lastName } } b: patients(last: 5) { totalCount } }";
        let all = futures::future::join_all((0..8).map(|_| there.ok(both, json!({})))).await;
        for answer in &all {
            assert_eq!(answer["a"]["totalCount"], 12);
            assert_eq!(answer, &all[0]);
        }
    }
}

on_both_engines! {
    async fn possible_duplicates_share_name_and_birth_date_or_address(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let base = create(&owner, json!({ "firstName": "José", "lastName": "Mejía", "birthDate": "1980-04-30",
                                          "email": "jose@home.example", "phone": "+49 30 5550123" })).await;
        create(&owner, json!({ "firstName": "Jose", "lastName": "Mejia", "birthDate": "1980-05-01" })).await;
        named(&owner, "Jose", "Mejia").await;
        let mut twins = Vec::new();
        for twin in [
            json!({ "firstName": "JOSE", "lastName": "mejia", "birthDate": "1980-04-30" }),
            json!({ "firstName": "Ana", "lastName": "Mejía", "email": "Jose@home.example" }),
            json!({ "firstName": "Luis", "lastName": "Perez", "phone": "+49 (30) 555-0123" }),
        ] {
            let created = owner.ok(CREATE, json!({ "input": twin })).await["createPatient"].clone();
            let told = created["possibleDuplicates"].as_array().expect("a list");
            assert!(told.contains(&json!({ "id": base["id"] })), "{twin} {told:?}");
            assert_eq!(told.len(), 1, "{twin}");
            twins.push(created["patient"]["id"].clone());
        }
        let query = "query($id: ID!) { possibleDuplicates(patientId: $id) { id } }";
        let found = owner.ok(query, json!({ "id": base["id"] })).await;
        let mut found: Vec<String> =
            found["possibleDuplicates"].as_array().expect("a list").iter().map(|p| p["id"].to_string()).collect();
        let mut expected: Vec<String> = twins.iter().map(ToString::to_string).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}

on_both_engines! {
    async fn a_list_takes_few_statements_however_long_it_is(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        for number in 0..30 {
            named(&owner, "Ada", &format!("Number{number:02}")).await;
        }
        let there = second_node(&app, &owner).await;
        let query = "query($first: Int!) { patients(first: $first) { nodes { firstName lastName email allergies \
                     familyHistory { condition } } } }";
        there.ok(query, json!({ "first": 1 })).await;
        let one = there.run(query, json!({ "first": 2 })).await;
        let many = there.run(query, json!({ "first": 30 })).await;
        assert!(many.errors.is_empty());
        assert_eq!(many.statements, one.statements);
        // Journal's head, writes since, rows, keys, family history.
        assert!(many.statements <= 5, "{}", many.statements);
    }
}
