//! Services.

use serde_json::json;

use crate::support::app::TestApp;
use crate::support::on_both_engines;

const CREATE: &str = "mutation($input: CreateServiceInput!) { createService(input: $input) { service { \
                      id name durationMinutes version archivedAt } } }";

fn massage() -> serde_json::Value {
    json!({ "input": { "name": "Massage", "durationMinutes": 50, "appointmentType": "THERAPY" } })
}

on_both_engines! {
    async fn an_owner_creates_a_service_and_everybody_sees_it(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;

        let created = owner.ok(CREATE, massage()).await;
        let service = &created["createService"]["service"];
        assert_eq!(service["name"], "Massage");
        assert_eq!(service["version"], 1);

        let nurse = app.member(owner.workspace(), praxis::member::entity::Role::Nurse).await;
        let list = nurse.ok("{ services { totalCount nodes { id name } } }", json!({})).await;
        assert_eq!(list["services"]["totalCount"], 1);
        assert_eq!(list["services"]["nodes"][0]["id"], service["id"]);
        assert_eq!(nurse.code(CREATE, massage()).await, "FORBIDDEN");
    }
}

on_both_engines! {
    /// The GraphQL specification's §6.4.4: a failing nullable field is null and alone.
    async fn a_failing_mutation_is_null_with_its_error_and_the_next_ones_run(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let document = "mutation($id: ID!, $good: CreateServiceInput!, $bad: CreateServiceInput!) { \
            first: createService(input: $good) { service { name } } \
            second: updateService(input: { id: $id, expectedVersion: 1 }) { service { name } } \
            third: createService(input: $bad) { service { name } } \
            fourth: createService(input: { name: \"Other\", durationMinutes: 20, appointmentType: OTHER }) { service { name } } }";
        let good = massage()["input"].clone();
        let bad = json!({ "name": " ", "durationMinutes": 0, "appointmentType": "THERAPY" });
        let id = "svc_00000000000000000000000000";

        let answer = owner.run(document, json!({ "id": id, "good": good, "bad": bad })).await;

        assert_eq!(answer.data, json!({ "first": { "service": { "name": "Massage" } }, "second": null, "third": null,
            "fourth": { "service": { "name": "Other" } } }));
        let told: Vec<_> = answer.errors.iter().map(|error| (error["path"].clone(), error["extensions"]["code"].clone())).collect();
        assert_eq!(told, [(json!(["second"]), json!("NOT_FOUND")), (json!(["third"]), json!("BAD_USER_INPUT"))]);
        assert_eq!(answer.errors[1]["extensions"]["fields"].as_array().unwrap().len(), 2);
    }
}
