//! Family history.

use praxis::access::actor::Actor;
use praxis::id::{AuditEventId, PatientId, TypedId};
use praxis::member::entity::Role;
use serde_json::json;

use super::{journal, named};
use crate::support::app::TestApp;
use crate::support::on_both_engines;

const ADD: &str = "mutation($input: AddFamilyHistoryInput!) { addFamilyHistory(input: $input) { \
                   entry { id relation condition onsetAge note version patient { lastName } } } }";
const CHANGE: &str = "mutation($input: UpdateFamilyHistoryInput!) { updateFamilyHistory(input: $input) { \
                      entry { condition onsetAge note version } } }";
const REMOVE: &str = "mutation($input: RemoveFamilyHistoryInput!) { removeFamilyHistory(input: $input) { \
                      removedId patient { familyHistory { id } } } }";

on_both_engines! {
    async fn a_family_history_is_kept_changed_and_shortened(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let patient = named(&owner, "Ada", "Byron").await;
        let input = json!({ "patientId": patient["id"], "relation": "mother", "condition": "Breast cancer",
                            "onsetAge": 41, "note": "left", "idempotencyKey": "k" });
        let added = owner.ok(ADD, json!({ "input": input })).await["addFamilyHistory"]["entry"].clone();
        assert_eq!(added["condition"], "Breast cancer");
        assert_eq!(added["onsetAge"], 41);
        assert_eq!(added["patient"]["lastName"], "Byron");
        let again = owner.ok(ADD, json!({ "input": input })).await;
        assert_eq!(again["addFamilyHistory"]["entry"]["id"], added["id"]);

        let change = json!({ "id": added["id"], "expectedVersion": 1, "onsetAge": null, "condition": "Ovarian cancer" });
        let changed = owner.ok(CHANGE, json!({ "input": change })).await["updateFamilyHistory"]["entry"].clone();
        assert_eq!(changed, json!({ "condition": "Ovarian cancer", "onsetAge": null, "note": "left", "version": 2 }));
        assert_eq!(owner.code(CHANGE, json!({ "input": change })).await, "STALE_VERSION");
        let bad = json!({ "id": added["id"], "expectedVersion": 2, "onsetAge": 131, "relation": "" });
        assert_eq!(owner.code(CHANGE, json!({ "input": bad })).await, "BAD_USER_INPUT");

        let node = owner.ok("query($id: ID!) { node(id: $id) { ... on FamilyHistoryEntry { relation } } }", json!({ "id": added["id"] })).await;
        assert_eq!(node["node"]["relation"], "mother");

        let removed = owner.ok(REMOVE, json!({ "input": { "id": added["id"], "expectedVersion": 2 } })).await;
        assert_eq!(removed["removeFamilyHistory"], json!({ "removedId": added["id"], "patient": { "familyHistory": [] } }));
        assert_eq!(owner.code(REMOVE, json!({ "input": { "id": added["id"], "expectedVersion": 2 } })).await, "NOT_FOUND");

        // What was removed can still be read in the journal, with the patient's key.
        let events = journal(&owner).await;
        let event = events.iter().find(|event| event.action == "family_history.removed").expect("an event");
        let patient: PatientId = TypedId::parse(patient["id"].as_str().expect("an id")).expect("a patient's id");
        let actor = Actor::system(owner.workspace(), "test");
        let tx = app.app.db.begin_read(actor.scope()).await.expect("a transaction");
        let cipher = app.app.keys.patient(&tx, &actor, patient, 1).await.expect("the key");
        let sealed = event.changes.as_ref().expect("sealed values");
        let place = AuditEventId::from_uuid(patient.uuid());
        let values: serde_json::Value =
            serde_json::from_str(&cipher.open(place, "changes", sealed).expect("it opens")).expect("JSON");
        assert_eq!(values["condition"], json!({ "old": "Ovarian cancer", "new": null }));
    }
}

on_both_engines! {
    async fn only_clinicians_of_the_workspace_reach_it(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let patient = named(&owner, "Ada", "Byron").await;
        let input = json!({ "patientId": patient["id"], "relation": "mother", "condition": "Asthma" });
        let added = owner.ok(ADD, json!({ "input": input })).await["addFamilyHistory"]["entry"].clone();
        let remove = json!({ "input": { "id": added["id"], "expectedVersion": 1 } });

        let staff = app.member(owner.workspace(), Role::Staff).await;
        assert_eq!(staff.code(ADD, json!({ "input": input })).await, "FORBIDDEN");
        assert_eq!(staff.code(REMOVE, remove.clone()).await, "FORBIDDEN");
        assert_eq!(staff.code("query($id: ID!) { node(id: $id) { id } }", json!({ "id": added["id"] })).await, "FORBIDDEN");

        let south = app.workspace("south").await;
        assert_eq!(south.code(ADD, json!({ "input": input })).await, "NOT_FOUND");
        assert_eq!(south.code(REMOVE, remove).await, "NOT_FOUND");
    }
}
