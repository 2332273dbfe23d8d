//! Signing up, in and out.

use std::sync::atomic::Ordering;

use futures::future::join_all;
use praxis::access::actor::RequestInfo;
use praxis::access::entity::user;
use praxis::access::password::{Cost, Limits, Passwords};
use praxis::error::Error;
use praxis::id::{AuthSessionId, TypedId, WorkspaceId};
use praxis::journal::entity::AuditKind;
use praxis::journal::event::SYSTEM_CHAIN;
use praxis::member::entity::Role;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value as Json, json};

use crate::live::{owner_of, sign_in};
use crate::support::app::TestApp;
use crate::support::on_both_engines;
use crate::support::sign_in::{PASSWORD, SIGN_IN, Tokens, code};

const OWNER: &str = "owner@north.example";
const WORKSPACE: &str = "{ workspace { id slug } }";
const SWITCH: &str = "mutation($input: SwitchWorkspaceInput!) { switchWorkspace(input: $input) { accessToken \
                      refreshToken viewer { workspace { slug } } } }";

async fn workspace_id(app: &TestApp, tokens: &Tokens) -> WorkspaceId {
    let data = app.get(Some(&tokens.access), WORKSPACE, json!({})).await;
    WorkspaceId::parse(data["workspace"]["id"].as_str().expect("an id")).expect("a workspace's id")
}

on_both_engines! {
    async fn signing_up_opens_a_workspace_with_its_owner_in_it(on: On) {
        let app = TestApp::new(on).await;
        let tokens = app.sign_up("Owner@North.example ", "north").await;
        let document = "{ viewer { email role permissions memberships { workspaceSlug } membership { isBookable \
                        email } workspace { slug timezone currency kind } } }";
        let viewer = app.get(Some(&tokens.access), document, json!({})).await["viewer"].clone();
        assert_eq!(viewer["email"], OWNER);
        assert_eq!(viewer["role"], "OWNER");
        assert_eq!(viewer["workspace"], json!({ "slug": "north", "timezone": "UTC", "currency": "USD", "kind": "CLINIC" }));
        assert_eq!(viewer["membership"], json!({ "isBookable": true, "email": OWNER }));
        assert_eq!(viewer["memberships"], json!([{ "workspaceSlug": "north" }]));
        let permissions = viewer["permissions"].as_array().expect("a list");
        assert!(permissions.contains(&json!("MANAGE_MEMBERS")) && !permissions.contains(&json!("MANAGE_PLATFORM")));
        assert_eq!(app.get(None, "{ viewer { id } }", json!({})).await["viewer"], Json::Null);
    }
}

on_both_engines! {
    async fn what_cannot_be_signed_up_is_told_with_its_field(on: On) {
        let app = TestApp::new(on).await;
        app.sign_up(OWNER, "north").await;
        for (input, field) in [
            (json!({ "email": "nobody" }), "email"),
            (json!({ "password": "short" }), "password"),
            (json!({ "timezone": "Mars/Olympus" }), "timezone"),
            (json!({ "currency": "euro" }), "currency"),
            (json!({ "locale": "!" }), "locale"),
            (json!({ "workspaceSlug": "Not A Slug" }), "workspaceSlug"),
            (json!({ "workspaceSlug": "north" }), "workspaceSlug"),
        ] {
            let mut all = json!({ "email": "a@b.example", "password": PASSWORD, "name": "Jo", "workspaceName": "N" });
            all.as_object_mut().expect("an object").extend(input.as_object().expect("an object").clone());
            let document = "mutation($input: SignUpInput!) { signUp(input: $input) { accessToken } }";
            let body = app.ask(None, document, json!({ "input": all })).await;
            assert_eq!(body["errors"][0]["extensions"]["fields"][0]["path"], json!(["input", field]), "{body}");
        }
        // Without a short name one is made, and another one when it is taken.
        for expected in ["riverside", "riverside-"] {
            let email = format!("{}@b.example", expected.len());
            let input = json!({ "email": email, "password": PASSWORD, "name": "Jo", "workspaceName": "Riverside" });
            let document = "mutation($input: SignUpInput!) { signUp(input: $input) { viewer { workspace { slug } } } }";
            let slug = app.get(None, document, json!({ "input": input })).await["signUp"]["viewer"]["workspace"]["slug"].clone();
            assert!(slug.as_str().expect("a text").starts_with(expected), "{slug}");
        }
    }
}

on_both_engines! {
    async fn signing_up_can_be_switched_off(on: On) {
        let app = TestApp::configured(on, |config| config.sign_up = false).await;
        assert_eq!(code(&app.try_sign_up(OWNER, PASSWORD, "north").await), "FORBIDDEN");
    }
}

on_both_engines! {
    async fn a_known_address_signs_up_with_its_password_or_not_at_all(on: On) {
        let app = TestApp::new(on).await;
        app.sign_up(OWNER, "north").await;
        let wrong = app.try_sign_in(OWNER, "wrong lamps borrow seven tulips").await;
        let refused = app.try_sign_up(OWNER, "wrong lamps borrow seven tulips", "south").await;
        assert_eq!(refused["errors"][0]["extensions"], wrong["errors"][0]["extensions"]);
        assert_eq!(refused["errors"][0]["message"], wrong["errors"][0]["message"]);

        let south = app.sign_up(OWNER, "south").await;
        let viewer = app.get(Some(&south.access), "{ viewer { memberships { workspaceSlug } } }", json!({})).await;
        assert_eq!(viewer["viewer"]["memberships"].as_array().expect("a list").len(), 2);
    }
}

on_both_engines! {
    async fn failures_cannot_be_told_apart(on: On) {
        let app = TestApp::new(on).await;
        for name in ["known", "inactive", "throttled"] {
            app.sign_up(&format!("{name}@north.example"), name).await;
        }
        app.set_user("inactive@north.example", user::Column::IsActive, false).await;
        for _ in 0..10 {
            app.try_sign_in("throttled@north.example", "wrong").await;
        }
        let too_long = "x".repeat(300);
        let mut bodies = Vec::new();
        for (email, password, hashes) in [
            ("known@north.example", "wrong", 1),
            ("unknown@north.example", PASSWORD, 1),
            ("not an address \u{0}", PASSWORD, 1),
            ("inactive@north.example", PASSWORD, 1),
            ("throttled@north.example", PASSWORD, 1),
            ("known@north.example", too_long.as_str(), 0),
            ("unknown@north.example", too_long.as_str(), 0),
        ] {
            let before = app.app.passwords.runs();
            bodies.push(app.try_sign_in(email, password).await);
            assert_eq!(app.app.passwords.runs() - before, hashes, "{email}");
        }
        assert_eq!(code(&bodies[0]), "UNAUTHENTICATED");
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:#?}");
        app.sign_in("known@north.example").await;
    }
}

on_both_engines! {
    async fn guessing_makes_an_account_wait_and_a_right_password_ends_it(on: On) {
        let app = TestApp::new(on).await;
        app.sign_up(OWNER, "north").await;
        for _ in 0..9 {
            app.try_sign_in(OWNER, "wrong").await;
        }
        app.sign_in(OWNER).await;
        for _ in 0..10 {
            app.try_sign_in(OWNER, "wrong").await;
        }
        assert_eq!(code(&app.try_sign_in(OWNER, PASSWORD).await), "UNAUTHENTICATED");
        // What is not looked at does not make the wait longer.
        app.advance(1);
        app.try_sign_in(OWNER, "wrong").await;
        app.advance(1);
        assert_eq!(code(&app.try_sign_in(OWNER, PASSWORD).await), "UNAUTHENTICATED");
        app.advance(1);
        app.sign_in(OWNER).await;
    }
}

on_both_engines! {
    async fn many_guesses_at_once_are_not_more_than_ten(on: On) {
        let app = TestApp::new(on).await;
        app.sign_up(OWNER, "north").await;
        let guesses = (0..20).map(|_| app.try_sign_in(OWNER, "wrong"));
        futures::future::join_all(guesses).await;
        assert_eq!(code(&app.try_sign_in(OWNER, PASSWORD).await), "UNAUTHENTICATED");
        app.advance(15 * 60);
        app.sign_in(OWNER).await;
    }
}

on_both_engines! {
    async fn a_weaker_hash_is_replaced_by_a_right_password(on: On) {
        let app = TestApp::new(on).await;
        app.sign_up(OWNER, "north").await;
        let old = Passwords::new(Cost { memory_kib: 16, passes: 1, lanes: 1 }, Limits::default());
        let hash = old.hash(PASSWORD.to_owned().into()).await.expect("a hash");
        app.set_user(OWNER, user::Column::PasswordHash, hash).await;
        let before = app.app.passwords.runs();
        app.sign_in(OWNER).await;
        app.sign_in(OWNER).await;
        // Verify and hash anew, then only verify.
        assert_eq!(app.app.passwords.runs() - before, 3);
    }
}

on_both_engines! {
    async fn an_operation_takes_one_secret(on: On) {
        let app = TestApp::new(on).await;
        app.sign_up(OWNER, "north").await;
        let document = "mutation($a: SignInInput!, $b: SignInInput!) { a: signIn(input: $a) { accessToken } \
                        b: signIn(input: $b) { accessToken } }";
        let (wrong, right) = (json!({ "email": OWNER, "password": "wrong" }), json!({ "email": OWNER, "password": PASSWORD }));
        let body = app.ask(None, document, json!({ "a": wrong, "b": right })).await;
        assert_eq!(body["data"], json!({ "a": null, "b": null }));
        assert_eq!(body["errors"][1]["extensions"]["code"], "BAD_USER_INPUT");
    }
}

on_both_engines! {
    async fn a_sign_in_starts_where_it_was_asked_to_or_in_the_only_workspace(on: On) {
        let app = TestApp::new(on).await;
        app.sign_up(OWNER, "north").await;
        let one = app.try_sign_in(OWNER, PASSWORD).await;
        assert_eq!(one["data"]["signIn"]["viewer"], json!({ "role": "OWNER", "workspace": { "slug": "north" } }));
        app.sign_up(OWNER, "south").await;
        app.sign_up("other@west.example", "west").await;
        let two = app.try_sign_in(OWNER, PASSWORD).await;
        assert_eq!(two["data"]["signIn"]["viewer"], json!({ "role": null, "workspace": null }));
        assert_eq!(two["data"]["signIn"]["memberships"].as_array().expect("a list").len(), 2);
        // Whoever has not chosen a workspace is in none.
        let tokens = Tokens::of(&two["data"]["signIn"]);
        assert_eq!(code(&app.ask(Some(&tokens.access), WORKSPACE, json!({})).await), "UNAUTHENTICATED");

        let into = |slug: &str| json!({ "input": { "email": OWNER, "password": PASSWORD, "workspaceSlug": slug } });
        let south = app.get(None, SIGN_IN, into("south")).await;
        assert_eq!(south["signIn"]["viewer"]["workspace"]["slug"], "south");
        let (foreign, absent) = (app.ask(None, SIGN_IN, into("west")).await, app.ask(None, SIGN_IN, into("east")).await);
        assert_eq!(code(&foreign), "BAD_USER_INPUT");
        assert_eq!(foreign, absent);
    }
}

on_both_engines! {
    async fn switching_moves_the_sign_in_and_voids_its_tokens(on: On) {
        let app = TestApp::new(on).await;
        let north = app.sign_up(OWNER, "north").await;
        let south = app.sign_up(OWNER, "south").await;
        let west = app.sign_up("other@west.example", "west").await;
        let (south_id, west_id) = (workspace_id(&app, &south).await, workspace_id(&app, &west).await);
        let to = |id: WorkspaceId| json!({ "input": { "workspaceId": id.to_string() } });

        let foreign = app.ask(Some(&north.access), SWITCH, to(west_id)).await;
        let absent = app.ask(Some(&north.access), SWITCH, to(WorkspaceId::new(&app.app.clock))).await;
        assert_eq!(code(&foreign), "NOT_FOUND");
        assert_eq!(foreign, absent);

        let moved = app.get(Some(&north.access), SWITCH, to(south_id)).await["switchWorkspace"].clone();
        assert_eq!(moved["viewer"]["workspace"]["slug"], "south");
        let moved = Tokens::of(&moved);
        assert!(!app.is_accepted(&north.access).await, "the old place is left");
        assert_eq!(workspace_id(&app, &moved).await, south_id);
        let again = app.refresh(&moved).await;
        assert_eq!(workspace_id(&app, &again).await, south_id);
        // The refresh token of before the move, after its successor was used.
        assert_eq!(code(&app.try_refresh(&north.refresh).await), "UNAUTHENTICATED");
        assert!(!app.is_accepted(&again.access).await, "two parties held it");
        let last = app.journal(south_id).await.pop().expect("an event");
        assert_eq!((last.action.as_str(), last.kind), ("auth.refresh_token_reused", AuditKind::Failed));
    }
}

on_both_engines! {
    async fn a_refresh_token_used_again_ends_the_family(on: On) {
        let app = TestApp::new(on).await;
        let first = app.sign_up(OWNER, "north").await;
        let second = app.refresh(&first).await;
        let third = app.refresh(&second).await;
        assert_ne!(first.refresh, second.refresh);
        assert!(app.is_accepted(&third.access).await);

        assert_eq!(code(&app.try_refresh(&first.refresh).await), "UNAUTHENTICATED");
        assert!(!app.is_accepted(&third.access).await);
        assert_eq!(code(&app.try_refresh(&third.refresh).await), "UNAUTHENTICATED");
        app.sign_in(OWNER).await;
    }
}

on_both_engines! {
    async fn a_lost_answer_can_be_asked_for_again_for_thirty_seconds(on: On) {
        let app = TestApp::new(on).await;
        let first = app.sign_up(OWNER, "north").await;
        let lost = app.refresh(&first).await;
        app.advance(29);
        let found = app.refresh(&first).await;
        let next = app.refresh(&found).await;
        assert!(app.is_accepted(&next.access).await);
        // Whoever holds the lost one did not lose it.
        assert_eq!(code(&app.try_refresh(&lost.refresh).await), "UNAUTHENTICATED");
        assert!(!app.is_accepted(&next.access).await);

        let first = app.sign_in(OWNER).await;
        let lost = app.refresh(&first).await;
        app.advance(31);
        assert_eq!(code(&app.try_refresh(&first.refresh).await), "UNAUTHENTICATED");
        assert!(!app.is_accepted(&lost.access).await);
    }
}

on_both_engines! {
    async fn of_twenty_refreshes_at_once_one_successor_lives(on: On) {
        let app = TestApp::new(on).await;
        let first = app.sign_up(OWNER, "north").await;
        let bodies = futures::future::join_all((0..20).map(|_| app.try_refresh(&first.refresh))).await;
        let mut successors = Vec::new();
        for body in &bodies {
            assert!(body.get("errors").is_none(), "{body}");
            successors.push(Tokens::of(&body["data"]["refreshTokens"]).refresh);
        }
        let live: Vec<_> = live_tokens(&app).await;
        assert_eq!(live.len(), 1);
        assert_eq!(successors.iter().filter(|token| live.contains(&praxis::access::secret::token_hash(token).to_vec())).count(), 1);
    }
}

async fn live_tokens(app: &TestApp) -> Vec<Vec<u8>> {
    use praxis::access::entity::refresh_token::{Column, Entity};
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
    let tx = app.app.db.begin_read(praxis::db::Scope::default()).await.expect("a transaction");
    let query = Entity::find().filter(Column::UsedAt.is_null()).filter(Column::RevokedAt.is_null());
    query.all(&tx).await.expect("tokens").into_iter().map(|token| token.token_hash).collect()
}

on_both_engines! {
    async fn a_sign_in_ends_by_idling_and_by_age(on: On) {
        const DAY: u64 = 24 * 3600;
        let app = TestApp::new(on).await;
        let idle = app.sign_up(OWNER, "north").await;
        app.advance(7 * DAY + 1);
        assert_eq!(code(&app.try_refresh(&idle.refresh).await), "UNAUTHENTICATED");

        let mut kept = app.sign_in(OWNER).await;
        for _ in 0..4 {
            app.advance(6 * DAY);
            kept = app.refresh(&kept).await;
        }
        app.advance(6 * DAY - 60);
        let last = app.refresh(&kept).await;
        app.advance(61);
        assert!(!app.is_accepted(&last.access).await);
        assert_eq!(code(&app.try_refresh(&last.refresh).await), "UNAUTHENTICATED");
    }
}

on_both_engines! {
    async fn signing_out_ends_the_tokens(on: On) {
        let app = TestApp::new(on).await;
        let here = app.sign_up(OWNER, "north").await;
        let there = app.sign_in(OWNER).await;
        let body = app.get(Some(&here.access), "mutation { signOut { endedSessions } }", json!({})).await;
        assert_eq!(body["signOut"]["endedSessions"], 1);
        assert!(!app.is_accepted(&here.access).await);
        assert_eq!(code(&app.try_refresh(&here.refresh).await), "UNAUTHENTICATED");
        assert!(app.is_accepted(&there.access).await);

        let here = app.sign_in(OWNER).await;
        app.get(Some(&here.access), "mutation { signOutEverywhere { endedSessions } }", json!({})).await;
        assert!(!app.is_accepted(&here.access).await && !app.is_accepted(&there.access).await);
        assert_eq!(code(&app.ask(None, "mutation { signOut { endedSessions } }", json!({})).await), "UNAUTHENTICATED");
    }
}

on_both_engines! {
    async fn one_sees_and_ends_the_own_sign_ins_only(on: On) {
        let app = TestApp::new(on).await;
        let here = app.sign_up(OWNER, "north").await;
        app.advance(1);
        let there = app.sign_in(OWNER).await;
        let other = app.sign_up("other@west.example", "west").await;
        let list = "{ authSessions(first: 1) { totalCount nodes { id isCurrent } pageInfo { endCursor } } }";
        let page = app.get(Some(&here.access), list, json!({})).await["authSessions"].clone();
        assert_eq!(page["totalCount"], 2);
        assert_eq!(page["nodes"][0]["isCurrent"], false);
        let next = "query($after: String) { authSessions(first: 5, after: $after) { nodes { isCurrent } } }";
        let rest = app.get(Some(&here.access), next, json!({ "after": page["pageInfo"]["endCursor"] })).await;
        assert_eq!(rest["authSessions"]["nodes"], json!([{ "isCurrent": true }]));

        let revoke = "mutation($input: RevokeAuthSessionInput!) { revokeAuthSession(input: $input) { authSession { revokedAt } } }";
        let id = json!({ "input": { "id": page["nodes"][0]["id"] } });
        let node = "query($id: ID!) { node(id: $id) { id } }";
        let seen = app.get(Some(&other.access), node, json!({ "id": page["nodes"][0]["id"] })).await;
        assert_eq!(seen["node"], Json::Null);
        let foreign = app.ask(Some(&other.access), revoke, id.clone()).await;
        let absent = json!({ "input": { "id": AuthSessionId::new(&app.app.clock).to_string() } });
        assert_eq!(code(&foreign), "NOT_FOUND");
        assert_eq!(foreign, app.ask(Some(&other.access), revoke, absent).await);
        assert!(app.is_accepted(&there.access).await);
        app.get(Some(&here.access), revoke, id).await;
        assert!(!app.is_accepted(&there.access).await);
    }
}

on_both_engines! {
    async fn another_password_ends_the_other_sign_ins(on: On) {
        const NEW: &str = "nine tailors ring under violet skies";
        let app = TestApp::new(on).await;
        let here = app.sign_up(OWNER, "north").await;
        let there = app.sign_in(OWNER).await;
        let change = "mutation($input: ChangePasswordInput!) { changePassword(input: $input) { endedSessions } }";
        let input = |current: &str, new: &str| json!({ "input": { "currentPassword": current, "newPassword": new } });
        for (current, new, field) in [("wrong", NEW, "currentPassword"), (PASSWORD, "owner@north.example", "newPassword")] {
            let body = app.ask(Some(&here.access), change, input(current, new)).await;
            assert_eq!(body["errors"][0]["extensions"]["fields"][0]["path"], json!(["input", field]), "{body}");
        }
        let body = app.get(Some(&here.access), change, input(PASSWORD, NEW)).await;
        assert_eq!(body["changePassword"]["endedSessions"], 1);
        assert!(app.is_accepted(&here.access).await && !app.is_accepted(&there.access).await);
        assert_eq!(code(&app.try_sign_in(OWNER, PASSWORD).await), "UNAUTHENTICATED");
        assert!(app.try_sign_in(OWNER, NEW).await.get("errors").is_none());
    }
}

on_both_engines! {
    async fn the_journal_knows_each_outcome_and_no_address(on: On) {
        let app = TestApp::new(on).await;
        let tokens = app.sign_up(OWNER, "north").await;
        let north = workspace_id(&app, &tokens).await;
        app.try_sign_in(OWNER, "wrong").await;
        app.try_sign_in("stranger@nowhere.example", "wrong").await;
        app.get(Some(&tokens.access), "mutation { signOut { endedSessions } }", json!({})).await;

        let told = |rows: &[praxis::journal::entity::Model]| -> Vec<_> {
            rows.iter().map(|row| (row.action.clone(), row.reason.clone())).collect()
        };
        let (here, outside) = (app.journal(north).await, app.journal(SYSTEM_CHAIN).await);
        let event = |action: &str, reason: Option<&str>| (action.to_owned(), reason.map(str::to_owned));
        assert_eq!(told(&here), [
            event("workspace.created", None),
            event("auth.signed_in", None),
            event("auth.sign_in_failed", Some("wrong_password")),
            event("auth.signed_out", None),
        ]);
        assert_eq!(told(&outside), [event("auth.sign_in_failed", Some("unknown_account"))]);
        let all = format!("{here:?}{outside:?}");
        assert!(!all.contains("example"), "{all}");
    }
}

on_both_engines! {
    async fn many_sign_ins_are_checked_together_and_each_gets_its_own_outcome(on: On) {
        let app = TestApp::new(on).await;
        let mut people = Vec::new();
        for slug in ["north", "south"] {
            let owner = owner_of(&app, slug).await;
            for _ in 0..20 {
                let member = app.member(owner.workspace(), Role::Staff).await;
                sign_in(&app, &member).await;
                people.push(member);
            }
            people.push(owner);
        }
        // One was signed out, one account closed, one member let go, one workspace is not told the truth of.
        let db = app.database.connect_as_owner().await;
        let run = async |sql: &str, id: uuid::Uuid| {
            let backend = db.writer().get_database_backend();
            let statement = Statement::from_sql_and_values(backend, sql, [id.into()]);
            assert_eq!(db.writer().execute_raw(statement).await.unwrap().rows_affected(), 1);
        };
        let actor = |at: usize| people[at].actor.clone().unwrap();
        run("UPDATE auth_sessions SET revoked_at = created_at WHERE id = $1", actor(1).session.unwrap().0).await;
        run("UPDATE users SET is_active = false WHERE id = $1", actor(2).user.unwrap().0).await;
        run("UPDATE memberships SET is_active = false WHERE id = $1", actor(3).membership.unwrap().0).await;
        let mut subjects: Vec<_> =
            people.iter().map(|client| client.caller().identity.unwrap().subject()).collect();
        subjects[4].seat = subjects[30].seat;
        subjects[5].user = subjects[6].user;

        let counts = || {
            let statements = app.app.db.statements();
            statements.work.load(Ordering::SeqCst) + statements.overhead.load(Ordering::SeqCst)
        };
        let before = counts();
        let request = RequestInfo::default();
        let checked = join_all(subjects.iter().map(|subject| app.app.identify(subject, &request))).await;
        // The first is checked alone, all others while it is.
        assert!(counts() - before <= 12, "{} statements", counts() - before);
        for (at, (outcome, person)) in checked.iter().zip(&people).enumerate() {
            match outcome {
                Ok(identity) => {
                    let actor = identity.actor.as_ref().unwrap();
                    assert!(!(1..6).contains(&at), "{at}");
                    assert_eq!((actor.workspace, actor.membership), (person.workspace(), Some(person.membership())));
                    assert_eq!(actor.role, person.actor.as_ref().unwrap().role);
                }
                Err(error) => assert!((1..6).contains(&at) && matches!(error, Error::Unauthenticated), "{at}"),
            }
        }
    }
}
