//! The workspace and its settings.

use praxis::access::entity::user;
use praxis::member::entity::Role;
use serde_json::{Value as Json, json};

use crate::support::app::TestApp;
use crate::support::on_both_engines;
use crate::support::sign_in::code;

const UPDATE: &str = "mutation($input: UpdateWorkspaceInput!) { updateWorkspace(input: $input) { workspace { name \
                      timezone phone city requireRoom version } } }";
const SUSPEND: &str = "mutation($input: SuspendWorkspaceInput!) { suspendWorkspace(input: $input) { workspace { \
                       status suspendedReason } } }";
const REACTIVATE: &str = "mutation($input: ReactivateWorkspaceInput!) { reactivateWorkspace(input: $input) { \
                          workspace { status suspendedReason } } }";

on_both_engines! {
    async fn settings_are_patched(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let input = json!({ "input": { "expectedVersion": 1, "timezone": "America/Bogota", "phone": "+57 1", "city": "Bogotá",
                                       "requireRoom": true } });
        owner.ok(UPDATE, input.clone()).await;
        assert_eq!(owner.code(UPDATE, input).await, "STALE_VERSION");
        let changed = owner.ok(UPDATE, json!({ "input": { "expectedVersion": 2, "phone": null } })).await;
        assert_eq!(changed["updateWorkspace"]["workspace"], json!({
            "name": "north practice", "timezone": "America/Bogota", "phone": null, "city": "Bogotá",
            "requireRoom": true, "version": 3,
        }));
        let staff = app.member(owner.workspace(), Role::Staff).await;
        assert_eq!(staff.code(UPDATE, json!({ "input": { "expectedVersion": 3 } })).await, "FORBIDDEN");
        assert_eq!(staff.ok("{ workspace { version } }", json!({})).await["workspace"]["version"], 3);
    }
}

on_both_engines! {
    async fn settings_that_make_no_sense_are_refused_with_their_fields(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let input = json!({ "input": {
            "expectedVersion": 1, "name": " ", "timezone": "Berlin", "currency": "eur", "locale": "english please",
            "country": "Germany", "email": "nobody", "website": "javascript:alert(1)", "lateCancellationHours": 721,
            "noShowGraceMinutes": -1, "refreshIdleHours": 24, "refreshAbsoluteHours": 23,
        } });
        let answer = owner.run(UPDATE, input).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT");
        let fields = answer.errors[0]["extensions"]["fields"].as_array().expect("fields").clone();
        let mut names: Vec<_> = fields.iter().map(|field| field["path"][1].as_str().expect("a name")).collect();
        names.sort_unstable();
        assert_eq!(names, ["country", "currency", "email", "lateCancellationHours", "locale", "name",
            "noShowGraceMinutes", "refreshAbsoluteHours", "timezone", "website"]);
    }
}

on_both_engines! {
    async fn a_workspace_is_a_node_for_its_members_only(on: On) {
        let app = TestApp::new(on).await;
        let (north, south) = (app.workspace("north").await, app.workspace("south").await);
        let node = "query($id: ID!) { node(id: $id) { ... on Workspace { slug } } }";
        let id = json!({ "id": north.workspace().to_string() });
        assert_eq!(north.ok(node, id.clone()).await["node"]["slug"], "north");
        assert_eq!(south.ok(node, id).await["node"], Json::Null);
    }
}

on_both_engines! {
    async fn the_platform_closes_and_opens_workspaces(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.sign_up("owner@north.example", "north").await;
        app.advance(1);
        app.sign_up("operator@platform.example", "platform").await;
        let id = app.get(Some(&owner.access), "{ workspace { id } }", json!({})).await["workspace"]["id"].clone();
        let close = json!({ "input": { "workspaceId": id, "reason": "Unpaid" } });
        let open = json!({ "input": { "workspaceId": id } });
        assert_eq!(code(&app.ask(Some(&owner.access), SUSPEND, close.clone()).await), "FORBIDDEN");
        assert_eq!(code(&app.ask(Some(&owner.access), "{ workspaces { totalCount } }", json!({})).await), "FORBIDDEN");

        app.set_user("operator@platform.example", user::Column::IsPlatformAdmin, true).await;
        let operator = app.sign_in("operator@platform.example").await;
        let list = app.get(Some(&operator.access), "{ workspaces(first: 1) { totalCount nodes { slug } } }", json!({})).await;
        assert_eq!(list["workspaces"], json!({ "totalCount": 2, "nodes": [{ "slug": "north" }] }));
        let closed = app.get(Some(&operator.access), SUSPEND, close.clone()).await;
        assert_eq!(closed["suspendWorkspace"]["workspace"], json!({ "status": "SUSPENDED", "suspendedReason": "Unpaid" }));
        app.get(Some(&operator.access), SUSPEND, close).await;

        assert!(!app.is_accepted(&owner.access).await);
        assert_eq!(code(&app.try_refresh(&owner.refresh).await), "UNAUTHENTICATED");
        let outside = app.try_sign_in("owner@north.example", crate::support::sign_in::PASSWORD).await;
        assert_eq!(outside["data"]["signIn"]["viewer"], json!({ "role": null, "workspace": null }));

        app.get(Some(&operator.access), REACTIVATE, open).await;
        assert!(app.is_accepted(&owner.access).await);
        app.refresh(&owner).await;
        let workspace = praxis::id::TypedId::parse(id.as_str().expect("an id")).expect("a workspace's id");
        let told: Vec<_> = app.journal(workspace).await.into_iter().map(|row| row.action).collect();
        assert!(told.contains(&"workspace.suspended".into()) && told.contains(&"workspace.reactivated".into()), "{told:?}");
        assert_eq!(told.iter().filter(|action| *action == "workspace.suspended").count(), 1);
    }
}
