//! Members and invitations.

use praxis::id::{MembershipId, TypedId};
use praxis::member::entity::Role;
use serde_json::{Value as Json, json};

use crate::support::app::{Client, TestApp};
use crate::support::on_both_engines;
use crate::support::sign_in::{PASSWORD, code};

const ADD: &str = "mutation($input: AddMemberInput!) { addMember(input: $input) { member { id version hasAccount \
                   email displayName } } }";
const CHANGE_ROLE: &str = "mutation($input: ChangeMemberRoleInput!) { changeMemberRole(input: $input) { member { \
                           role version } } }";
const DEACTIVATE: &str = "mutation($input: MemberActivationInput!) { deactivateMember(input: $input) { member { \
                          isActive version } } }";
const REACTIVATE: &str = "mutation($input: MemberActivationInput!) { reactivateMember(input: $input) { member { \
                          isActive version } } }";
const INVITE: &str = "mutation($input: InviteMemberInput!) { inviteMember(input: $input) { member { id role \
                      isActive hasAccount version } } }";
const ACCEPT: &str =
    "mutation($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { workspaceName } }";

fn role(id: MembershipId, version: i32, role: &str) -> Json {
    json!({ "input": { "id": id.to_string(), "expectedVersion": version, "role": role } })
}

fn activation(id: MembershipId, version: i32) -> Json {
    json!({ "input": { "id": id.to_string(), "expectedVersion": version } })
}

fn invitation(email: &str, role: &str) -> Json {
    json!({ "input": { "email": email, "displayName": "Sam Poe", "role": role } })
}

/// The secret of the link that was mailed last.
fn secret(app: &TestApp) -> String {
    let mail = app.mail.sent().pop().expect("a mail");
    let link = mail.text.lines().find(|line| line.contains("#token=")).expect("a link");
    link.split_once("#token=").expect("a token").1.to_owned()
}

fn acceptance(token: &str, password: &str) -> Json {
    json!({ "input": { "token": token, "name": "Sam Poe", "password": password } })
}

async fn invited(owner: &Client, email: &str, role: &str) -> MembershipId {
    let member = owner.ok(INVITE, invitation(email, role)).await["inviteMember"]["member"].clone();
    MembershipId::parse(member["id"].as_str().expect("an id")).expect("a member's id")
}

on_both_engines! {
    async fn a_member_without_account_is_added_changed_and_listed_by_name(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let locum = json!({ "input": { "displayName": "  A locum ", "role": "DOCTOR", "color": "#0ea5e9",
                                       "idempotencyKey": "once" } });
        let added = owner.ok(ADD, locum.clone()).await["addMember"]["member"].clone();
        assert_eq!(added["displayName"], "A locum");
        assert_eq!((&added["hasAccount"], &added["email"]), (&json!(false), &Json::Null));
        assert_eq!(owner.ok(ADD, locum.clone()).await["addMember"]["member"]["id"], added["id"]);
        let staff = app.member(owner.workspace(), Role::Staff).await;
        assert_eq!(staff.code(ADD, locum).await, "FORBIDDEN");
        for wrong in [json!({ "role": "OWNER" }), json!({ "role": "PATIENT" }), json!({ "color": "red" }), json!({ "displayName": " " })] {
            let mut input = json!({ "displayName": "B", "role": "DOCTOR" });
            input.as_object_mut().expect("an object").extend(wrong.as_object().expect("an object").clone());
            assert_eq!(owner.code(ADD, json!({ "input": input })).await, "BAD_USER_INPUT", "{wrong}");
        }

        let update = "mutation($input: UpdateMemberInput!) { updateMember(input: $input) { member { color title version } } }";
        let input = json!({ "input": { "id": added["id"], "expectedVersion": 1, "title": "Dr.", "color": null } });
        let changed = owner.ok(update, input.clone()).await["updateMember"]["member"].clone();
        assert_eq!(changed, json!({ "color": null, "title": "Dr.", "version": 2 }));
        assert_eq!(owner.code(update, input).await, "STALE_VERSION");

        let list = staff.ok("{ members { totalCount nodes { displayName email } } }", json!({})).await["members"].clone();
        assert_eq!(list["totalCount"], 3);
        assert_eq!(list["nodes"][0], json!({ "displayName": "A locum", "email": null }));
        assert!(list["nodes"][1]["email"].as_str().expect("a text").ends_with("@praxis.example"));
    }
}

on_both_engines! {
    async fn members_of_other_workspaces_do_not_exist(on: On) {
        let app = TestApp::new(on).await;
        let (north, south) = (app.workspace("north").await, app.workspace("south").await);
        let (foreign, absent) = (north.membership(), MembershipId::new(&app.app.clock));
        for document in [CHANGE_ROLE, DEACTIVATE, REACTIVATE] {
            let input = |id| if document == CHANGE_ROLE { role(id, 1, "ADMIN") } else { activation(id, 1) };
            let answer = south.run(document, input(foreign)).await;
            assert_eq!(answer.code(), "NOT_FOUND");
            assert_eq!(answer.errors, south.run(document, input(absent)).await.errors);
        }
        for query in ["query($id: ID!) { member(id: $id) { id } }", "query($id: ID!) { node(id: $id) { id } }"] {
            let data = south.ok(query, json!({ "id": foreign.to_string() })).await;
            assert!(data["member"].is_null() && data["node"].is_null(), "{data}");
        }
        assert_eq!(south.ok("{ members(includeInactive: true) { totalCount } }", json!({})).await["members"]["totalCount"], 1);
        assert_eq!(app.nobody().code("{ members { totalCount } }", json!({})).await, "UNAUTHENTICATED");
    }
}

on_both_engines! {
    async fn patients_among_the_members_are_seen_by_those_who_see_patients(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let patient = app.member(owner.workspace(), Role::Patient).await;
        let researcher = app.member(owner.workspace(), Role::Researcher).await;
        let staff = app.member(owner.workspace(), Role::Staff).await;
        let count = "{ members(role: PATIENT) { totalCount } }";
        assert_eq!(staff.ok(count, json!({})).await["members"]["totalCount"], 1);
        assert_eq!(researcher.ok(count, json!({})).await["members"]["totalCount"], 0);
        let node = "query($id: ID!) { node(id: $id) { ... on Member { displayName email } } }";
        let id = json!({ "id": patient.membership().to_string() });
        assert!(researcher.ok(node, id).await["node"].is_null());
        // A patient sees who works here, but not their addresses, nor other patients.
        let answer = patient.run(node, json!({ "id": owner.membership().to_string() })).await;
        assert_eq!(answer.code(), "FORBIDDEN");
        assert!(answer.data["node"]["displayName"].is_string() && answer.data["node"]["email"].is_null());
        let other = app.member(owner.workspace(), Role::Patient).await;
        assert!(patient.ok(node, json!({ "id": other.membership().to_string() })).await["node"].is_null());
    }
}

on_both_engines! {
    async fn only_owners_make_and_unmake_owners_and_one_stays(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let admin = app.member(owner.workspace(), Role::Admin).await;
        assert_eq!(admin.code(CHANGE_ROLE, role(admin.membership(), 1, "OWNER")).await, "FORBIDDEN");
        assert_eq!(admin.code(CHANGE_ROLE, role(owner.membership(), 1, "STAFF")).await, "FORBIDDEN");
        assert_eq!(admin.code(DEACTIVATE, activation(owner.membership(), 1)).await, "FORBIDDEN");
        assert_eq!(admin.code(INVITE, invitation("x@y.example", "OWNER")).await, "FORBIDDEN");
        assert_eq!(owner.code(CHANGE_ROLE, role(admin.membership(), 1, "PATIENT")).await, "BAD_USER_INPUT");
        assert_eq!(owner.code(CHANGE_ROLE, role(owner.membership(), 1, "ADMIN")).await, "CONFLICT");
        assert_eq!(owner.code(DEACTIVATE, activation(owner.membership(), 1)).await, "CONFLICT");
        // An invited owner does not count.
        invited(&owner, "x@y.example", "OWNER").await;
        assert_eq!(owner.code(DEACTIVATE, activation(owner.membership(), 1)).await, "CONFLICT");

        owner.ok(CHANGE_ROLE, role(admin.membership(), 1, "OWNER")).await;
        let changed = owner.ok(CHANGE_ROLE, role(owner.membership(), 1, "ADMIN")).await;
        assert_eq!(changed["changeMemberRole"]["member"], json!({ "role": "ADMIN", "version": 2 }));
    }
}

on_both_engines! {
    async fn two_owners_cannot_unmake_each_other_at_once(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let other = app.member(owner.workspace(), Role::Owner).await;
        let (a, b) = tokio::join!(
            owner.run(CHANGE_ROLE, role(other.membership(), 1, "STAFF")),
            other.run(CHANGE_ROLE, role(owner.membership(), 1, "STAFF")),
        );
        assert_eq!(a.errors.len() + b.errors.len(), 1, "{a:?} {b:?}");
        let left = if a.errors.is_empty() { b } else { a };
        assert_eq!(left.code(), "CONFLICT");
    }
}

on_both_engines! {
    async fn an_invitation_makes_an_account_and_its_role_is_felt(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let id = invited(&owner, "Sam@Poe.example", "DOCTOR").await;
        let mail = app.mail.sent().pop().expect("a mail");
        assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("sam@poe.example", "Invitation to north practice"));
        let token = secret(&app);
        assert_eq!(code(&app.ask(None, ACCEPT, acceptance(&token, "short")).await), "BAD_USER_INPUT");
        let joined = app.get(None, ACCEPT, acceptance(&token, PASSWORD)).await;
        assert_eq!(joined["acceptInvitation"]["workspaceName"], "north practice");
        assert_eq!(code(&app.ask(None, ACCEPT, acceptance(&token, PASSWORD)).await), "BAD_USER_INPUT");

        let sam = app.sign_in("sam@poe.example").await;
        let viewer = "{ viewer { role isEmailVerified membership { id } } }";
        let seen = app.get(Some(&sam.access), viewer, json!({})).await["viewer"].clone();
        assert_eq!(seen, json!({ "role": "DOCTOR", "isEmailVerified": true, "membership": { "id": id.to_string() } }));
        owner.ok(CHANGE_ROLE, role(id, 2, "STAFF")).await;
        assert_eq!(app.get(Some(&sam.access), viewer, json!({})).await["viewer"]["role"], "STAFF");

        owner.ok(DEACTIVATE, activation(id, 3)).await;
        assert!(!app.is_accepted(&sam.access).await);
        assert_eq!(code(&app.try_refresh(&sam.refresh).await), "UNAUTHENTICATED");
        let outside = app.try_sign_in("sam@poe.example", PASSWORD).await;
        assert!(outside["data"]["signIn"]["viewer"]["workspace"].is_null(), "{outside}");
        owner.ok(REACTIVATE, activation(id, 4)).await;
        app.sign_in("sam@poe.example").await;
    }
}

on_both_engines! {
    async fn an_invitation_tells_nothing_about_accounts_elsewhere(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        app.sign_up("known@west.example", "west").await;
        let mut known = owner.run(INVITE, invitation("known@west.example", "NURSE")).await;
        let token = secret(&app);
        let mut unknown = owner.run(INVITE, invitation("unknown@west.example", "NURSE")).await;
        for answer in [&mut known, &mut unknown] {
            assert!(answer.errors.is_empty());
            answer.data["inviteMember"]["member"]["id"].take();
        }
        assert_eq!(known.data, unknown.data);

        // The account's own password is needed, and no other is set.
        let wrong = app.ask(None, ACCEPT, acceptance(&token, "nine tailors ring under violet skies")).await;
        assert_eq!(code(&wrong), "UNAUTHENTICATED");
        app.get(None, ACCEPT, acceptance(&token, PASSWORD)).await;
        let both = app.try_sign_in("known@west.example", PASSWORD).await;
        assert_eq!(both["data"]["signIn"]["memberships"].as_array().expect("a list").len(), 2);
        assert_eq!(owner.code(INVITE, invitation("known@west.example", "NURSE")).await, "BAD_USER_INPUT");
    }
}

on_both_engines! {
    async fn of_ten_who_accept_at_once_one_joins(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        invited(&owner, "sam@poe.example", "DOCTOR").await;
        let token = secret(&app);
        let bodies = futures::future::join_all((0..10).map(|_| app.ask(None, ACCEPT, acceptance(&token, PASSWORD)))).await;
        assert_eq!(bodies.iter().filter(|body| body.get("errors").is_none()).count(), 1, "{bodies:#?}");
        for body in bodies.iter().filter(|body| body.get("errors").is_some()) {
            assert_eq!(code(body), "BAD_USER_INPUT");
        }
    }
}

on_both_engines! {
    async fn an_invitation_is_void_when_late_withdrawn_or_replaced(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let first = invited(&owner, "sam@poe.example", "DOCTOR").await;
        let replaced = secret(&app);
        assert_eq!(invited(&owner, "sam@poe.example", "NURSE").await, first);
        let late = secret(&app);
        app.advance(72 * 3600);
        for token in [replaced.as_str(), late.as_str(), "no token"] {
            assert_eq!(code(&app.ask(None, ACCEPT, acceptance(token, PASSWORD)).await), "BAD_USER_INPUT", "{token}");
        }
        invited(&owner, "sam@poe.example", "NURSE").await;
        let withdrawn = secret(&app);
        owner.ok(DEACTIVATE, activation(first, 3)).await;
        assert_eq!(code(&app.ask(None, ACCEPT, acceptance(&withdrawn, PASSWORD)).await), "BAD_USER_INPUT");
        // Letting the member in again does not let in who never accepted.
        let back = owner.ok(REACTIVATE, activation(first, 4)).await;
        assert_eq!(back["reactivateMember"]["member"]["isActive"], false);
    }
}

on_both_engines! {
    async fn nobody_but_an_owner_changes_the_own_role(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let admin = app.member(owner.workspace(), Role::Admin).await;
        let document = "mutation($input: ChangeMemberRoleInput!) { changeMemberRole(input: $input) { member { role } } }";
        let input = json!({ "id": admin.membership().to_string(), "expectedVersion": 1, "role": "DOCTOR" });
        assert_eq!(admin.code(document, json!({ "input": input })).await, "FORBIDDEN");
        assert_eq!(owner.ok(document, json!({ "input": input })).await["changeMemberRole"]["member"]["role"], "DOCTOR");
    }
}
