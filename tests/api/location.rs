//! Locations.

use praxis::member::entity::Role;
use serde_json::{Value as Json, json};

use crate::support::app::{Client, TestApp};
use crate::support::on_both_engines;

const CREATE: &str = "mutation($input: CreateLocationInput!) { createLocation(input: $input) { location { \
                      id name kind address timezone version archivedAt } } }";
const UPDATE: &str = "mutation($input: UpdateLocationInput!) { updateLocation(input: $input) { location { \
                      name kind address timezone version } } }";

async fn create(client: &Client, input: Json) -> Json {
    client.ok(CREATE, json!({ "input": input })).await["createLocation"]["location"].clone()
}

on_both_engines! {
    async fn a_location_is_created_changed_archived_and_restored(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let location = create(&owner, json!({ "name": " Main house ", "address": "Lane 1" })).await;
        assert_eq!((&location["name"], &location["kind"]), (&json!("Main house"), &json!("CLINIC")));

        let changes = json!({ "input": { "id": location["id"], "expectedVersion": 1, "address": null,
            "timezone": "Europe/Berlin", "kind": "ONLINE" } });
        let changed = owner.ok(UPDATE, changes.clone()).await["updateLocation"]["location"].clone();
        assert_eq!(changed, json!({ "name": "Main house", "kind": "ONLINE", "address": null,
            "timezone": "Europe/Berlin", "version": 2 }));
        assert_eq!(owner.code(UPDATE, changes).await, "STALE_VERSION");

        let archive = "mutation($input: ArchiveLocationInput!) { archiveLocation(input: $input) { location { \
                       version archivedAt } } }";
        let restore = archive.replace("archiveLocation", "restoreLocation");
        let input = |version: i32| json!({ "input": { "id": location["id"], "expectedVersion": version } });
        owner.ok(archive, input(2)).await;
        let listed = "{ locations { nodes { id } } all: locations(includeArchived: true) { nodes { id } } }";
        let lists = owner.ok(listed, json!({})).await;
        assert_eq!(lists["locations"]["nodes"], json!([]));
        assert_eq!(lists["all"]["nodes"], json!([{ "id": location["id"] }]));
        let restored = owner.ok(&restore, input(3)).await;
        assert_eq!(restored["restoreLocation"]["location"], json!({ "version": 4, "archivedAt": null }));
        let node = "query($id: ID!) { node(id: $id) { ... on Location { name } } location(id: $id) { name } }";
        let found = owner.ok(node, json!({ "id": location["id"] })).await;
        assert_eq!(found, json!({ "node": { "name": "Main house" }, "location": { "name": "Main house" } }));
    }
}

on_both_engines! {
    async fn a_location_that_cannot_be_is_refused(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        create(&owner, json!({ "name": "Main house", "externalId": "7" })).await;
        for (input, field) in [
            (json!({ "name": "MAIN  HOUSE" }), "name"),
            (json!({ "name": "  " }), "name"),
            (json!({ "name": "Other", "externalId": "7" }), "externalId"),
            (json!({ "name": "Other", "timezone": "Europe/Atlantis" }), "timezone"),
        ] {
            let answer = owner.run(CREATE, json!({ "input": input })).await;
            assert_eq!(answer.code(), "BAD_USER_INPUT", "{input}");
            assert_eq!(answer.errors[0]["extensions"]["fields"][0]["path"], json!(["input", field]), "{input}");
        }
        let desk = app.member(owner.workspace(), Role::Staff).await;
        assert_eq!(desk.code(CREATE, json!({ "input": { "name": "Other" } })).await, "FORBIDDEN");
        let keyed = json!({ "name": "Once", "idempotencyKey": "k" });
        assert_eq!(create(&owner, keyed.clone()).await["id"], create(&owner, keyed).await["id"]);
    }
}
