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
