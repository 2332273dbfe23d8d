//! The journal: complete, in order, and proof against those who hold the database.

use std::sync::atomic::Ordering;

use praxis::access::actor::Actor;
use praxis::crypto::sealed::Sealed;
use praxis::id::{TypedId, WorkspaceId};
use praxis::journal::entity::AuditKind;
use praxis::journal::event::Event;
use praxis::journal::verify::{Break, verify};
use praxis::member::entity::Role;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value as Json, json};

use crate::support::app::{Client, TestApp};
use crate::support::on_both_engines;

const CREATE: &str = "mutation($name: String!) { createService(input: { name: $name, durationMinutes: 30, \
                      appointmentType: THERAPY }) { service { id version } } }";
const AUDIT: &str = "query($filter: AuditEventFilter, $first: Int, $after: String) { \
                     auditEvents(filter: $filter, first: $first, after: $after) { \
                     nodes { id seq kind action actor { id } role subjectId subjectType detail } \
                     pageInfo { hasNextPage endCursor } } }";

async fn create(client: &Client, name: &str) -> Json {
    client.ok(CREATE, json!({ "name": name })).await["createService"]["service"].clone()
}

async fn tamper(db: &DatabaseConnection, sql: &str, workspace: WorkspaceId) {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [workspace.into()]);
    db.execute_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Takes the triggers away that keep the journal as it is, as somebody who owns the database can.
async fn disarm(db: &DatabaseConnection) {
    let statements: &[&str] = match db.get_database_backend() {
        DbBackend::Postgres => &["ALTER TABLE audit_events DISABLE TRIGGER USER"],
        _ => &[
            "DROP TRIGGER audit_events_no_update",
            "DROP TRIGGER audit_events_no_delete",
            "DROP TRIGGER audit_events_no_replace",
        ],
    };
    for statement in statements {
        db.execute_unprepared(statement).await.unwrap();
    }
}

on_both_engines! {
    async fn fifty_writers_at_once_leave_no_gap(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let before = app.app.feeds.head(owner.workspace()).await.unwrap();
        let writers = (0..50).map(|writer| {
            let owner = owner.clone();
            tokio::spawn(async move {
                for number in 0..4 {
                    create(&owner, &format!("service {writer}-{number}")).await;
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let db = app.database.connect_as_owner().await;
        let sql = "SELECT seq FROM audit_events WHERE workspace_id = $1 ORDER BY seq";
        let backend = db.writer().get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, [owner.workspace().into()]);
        let rows = db.writer().query_all_raw(statement).await.unwrap();
        let numbers: Vec<i64> = rows.iter().map(|row| row.try_get("", "seq").unwrap()).collect();
        assert_eq!(numbers, (1..=before + 200).collect::<Vec<_>>());
        let verified = verify(&app.app.db, owner.workspace()).await.unwrap();
        assert_eq!((verified.events, verified.broken), (before + 200, None));
    }
}

on_both_engines! {
    async fn reads_of_many_workspaces_share_commits_and_every_chain_holds(on: On) {
        let app = TestApp::new(on).await;
        let mut workspaces = Vec::new();
        for name in ["north", "south", "east"] {
            workspaces.push(app.workspace(name).await);
        }
        // One that nothing was ever written about.
        let unheard_of = WorkspaceId::new(&app.app.clock);
        let ids: Vec<WorkspaceId> = workspaces.iter().map(Client::workspace).chain([unheard_of]).collect();
        let mut before = Vec::new();
        for id in &ids {
            before.push(app.app.feeds.head(*id).await.unwrap());
        }
        let overhead = || app.app.db.statements().overhead.load(Ordering::SeqCst);
        let already = overhead();
        // Business transactions append to the same heads meanwhile.
        let writer = tokio::spawn({
            let north = workspaces[0].clone();
            async move {
                for number in 0..20 {
                    create(&north, &format!("service {number}")).await;
                }
            }
        });
        let readers: Vec<_> = (0..160)
            .map(|number| {
                let (app, workspace) = (app.app.clone(), ids[number % ids.len()]);
                let by = Actor::system(workspace, "test");
                let event = |action| Event::by(&by, AuditKind::Read, action).with("number", number);
                let events = vec![event("patient.viewed"), event("patient.listed")];
                tokio::spawn(async move { app.journal.append(workspace, events).await.unwrap() })
            })
            .collect();
        for reader in readers {
            reader.await.unwrap();
        }
        writer.await.unwrap();
        assert!(overhead() - already < 200, "{}", overhead() - already);
        for (index, (id, before)) in ids.iter().zip(before).enumerate() {
            let verified = verify(&app.app.db, *id).await.unwrap();
            let written = if index == 0 { 100 } else { 80 };
            assert_eq!((verified.events, verified.broken), (before + written, None));
        }
    }
}

on_both_engines! {
    async fn what_an_event_says_is_stored_and_hashed_as_it_is(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let mut by = (*owner.actor.clone().unwrap()).clone();
        by.request.user_agent = Some("quotes \" ' \\ and \u{1F9EC} $1 \t".into());
        by.request.ip = Some("2001:db8::1".parse().unwrap());
        let mut event = Event::by(&by, AuditKind::Export, "chart.exported").because("REQUESTED").on(owner.membership());
        event.changes = Some(Sealed(vec![0, 255, 7]));
        let before = app.app.feeds.head(owner.workspace()).await.unwrap();

        app.app.journal.append(owner.workspace(), vec![event.with("note", "{\"a\": \"\\\\\"}")]).await.unwrap();

        let verified = verify(&app.app.db, owner.workspace()).await.unwrap();
        assert_eq!((verified.events, verified.broken), (before + 1, None));
    }
}

on_both_engines! {
    async fn whoever_tampers_with_the_journal_is_found_out(on: On) {
        let app = TestApp::new(on).await;
        let owner_connection = app.database.connect_as_owner().await;
        let db = owner_connection.writer();
        disarm(db).await;
        let copy = |from: &str, seq: &str, id: &str| {
            format!(
                "INSERT INTO audit_events (workspace_id, seq, id, occurred_at, action, kind, actor_user_id, \
                 actor_membership_id, actor_role, auth_session_id, subject_type, subject_id, patient_id, request_id, \
                 ip, user_agent, purpose, reason, detail, changes, prev_hash, hash) SELECT workspace_id, {seq}, {id}, \
                 occurred_at, action, kind, actor_user_id, actor_membership_id, actor_role, auth_session_id, \
                 subject_type, subject_id, patient_id, request_id, ip, user_agent, purpose, reason, detail, changes, \
                 prev_hash, hash FROM audit_events WHERE workspace_id = $1 AND seq = {from}"
            )
        };
        let new_id = match db.get_database_backend() {
            DbBackend::Postgres => "gen_random_uuid()",
            _ => "randomblob(16)",
        };
        let set = |change: &str, seq: &str| {
            format!("UPDATE audit_events SET {change} WHERE workspace_id = $1 AND seq {seq}")
        };
        let drop = |seq: &str| format!("DELETE FROM audit_events WHERE workspace_id = $1 AND seq {seq}");
        let tampered: Vec<(&str, Vec<String>, Break)> = vec![
            ("edit", vec![set("action = 'service.archived'", "= 3")], Break::Modified { seq: 3 }),
            ("edit-detail", vec![set("detail = '{\"a\":1}'", "= 6")], Break::Modified { seq: 6 }),
            ("edit-hash", vec![set("hash = prev_hash", "= 4")], Break::Modified { seq: 4 }),
            ("delete", vec![drop("= 3")], Break::Missing { seq: 3 }),
            (
                "reorder",
                vec![set("seq = 1000", "= 3"), set("seq = 3", "= 4"), set("seq = 4", "= 1000")],
                Break::Misplaced { seq: 3 },
            ),
            (
                "insert",
                vec![set("seq = seq + 1000", ">= 4"), set("seq = seq - 999", ">= 1000"), copy("3", "4", new_id)],
                Break::Misplaced { seq: 4 },
            ),
            ("append", vec![copy("6", "7", new_id)], Break::Misplaced { seq: 7 }),
            ("truncate", vec![drop(">= 5")], Break::Truncated { seq: 4, head: 6 }),
            (
                "rewind",
                vec![drop(">= 5"), "UPDATE audit_heads SET seq = 4 WHERE workspace_id = $1".into()],
                Break::Head { seq: 4 },
            ),
            ("empty", vec![drop(">= 1")], Break::Truncated { seq: 0, head: 6 }),
        ];
        for (name, statements, found) in tampered {
            let owner = app.workspace(name).await;
            let head = app.app.feeds.head(owner.workspace()).await.unwrap();
            for number in head..6 {
                create(&owner, &format!("service {number}")).await;
            }
            let intact = verify(&owner_connection, owner.workspace()).await.unwrap();
            assert_eq!((intact.events, intact.broken), (6, None), "{name}");
            for statement in statements {
                tamper(db, &statement, owner.workspace()).await;
            }
            let verified = verify(&owner_connection, owner.workspace()).await.unwrap();
            assert_eq!(verified.broken, Some(found), "{name}");
        }
    }
}

on_both_engines! {
    async fn what_happened_to_a_patient_and_who_read_the_chart_is_found_by_the_patient(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let add = "mutation($name: String!) { createPatient(input: { firstName: $name, lastName: \"North\" }) { patient { id } } }";
        let mut patients = Vec::new();
        for name in ["Ada", "Bob"] {
            patients.push(owner.ok(add, json!({ "name": name })).await["createPatient"]["patient"]["id"].clone());
        }
        owner.ok("query($id: ID!) { patient(id: $id) { firstName } }", json!({ "id": patients[0] })).await;

        let of = async |patient: &Json| {
            let found = owner.ok(AUDIT, json!({ "filter": { "subjectId": patient } })).await["auditEvents"].clone();
            let nodes = found["nodes"].as_array().unwrap().clone();
            assert!(nodes.iter().all(|node| node["subjectId"] == *patient && node["subjectType"] == "patients"));
            nodes.iter().map(|node| node["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(of(&patients[0]).await, ["patient.read", "patient.created"]);
        assert_eq!(of(&patients[1]).await, ["patient.created"]);
    }
}

on_both_engines! {
    async fn the_audit_trail_is_filtered_and_paged_newest_first(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let admin = app.member(owner.workspace(), Role::Admin).await;
        let nurse = app.member(owner.workspace(), Role::Nurse).await;
        let first = create(&owner, "one").await;
        create(&admin, "two").await;
        assert_eq!(nurse.code(CREATE, json!({ "name": "three" })).await, "FORBIDDEN");
        let stranger = app.workspace("south").await;
        create(&stranger, "elsewhere").await;

        let list = |variables: Json| {
            let admin = admin.clone();
            async move { admin.ok(AUDIT, variables).await["auditEvents"].clone() }
        };
        let actions = |list: &Json| -> Vec<String> {
            list["nodes"].as_array().unwrap().iter().map(|node| node["action"].as_str().unwrap().to_owned()).collect()
        };
        let by_nurse = list(json!({ "filter": { "actorId": nurse.membership().to_string() } })).await;
        assert_eq!(actions(&by_nurse), ["permission.denied"]);
        let denied = &by_nurse["nodes"][0];
        assert_eq!((&denied["kind"], &denied["role"]), (&json!("DENIED"), &json!("NURSE")));
        assert_eq!(denied["actor"]["id"], nurse.membership().to_string());
        assert_eq!(denied["detail"]["field"], "Mutation.createService");

        let of_first = list(json!({ "filter": { "subjectId": first["id"] } })).await;
        assert_eq!(actions(&of_first), ["service.created"]);
        assert_eq!(of_first["nodes"][0]["subjectId"], first["id"]);
        assert_eq!(of_first["nodes"][0]["subjectType"], "services");
        let created = list(json!({ "filter": { "actions": ["service.created"], "kinds": ["WRITE"] } })).await;
        assert_eq!(created["nodes"].as_array().unwrap().len(), 2);
        let never = list(json!({ "filter": { "to": "2020-01-01T00:00:00Z" } })).await;
        assert_eq!(actions(&never), Vec::<String>::new());
        let since = list(json!({ "filter": { "from": "2026-06-01T00:00:00Z", "kinds": ["DENIED"] } })).await;
        assert_eq!(actions(&since), ["permission.denied"]);
        let unknown = json!({ "filter": { "subjectId": "nonsense" } });
        assert_eq!(admin.code(AUDIT, unknown).await, "BAD_USER_INPUT");

        // One by one, newest first, each once: reading adds entries in front of the cursor only.
        let filter = json!({ "kinds": ["WRITE", "DENIED"] });
        let (mut seen, mut after) = (Vec::new(), Json::Null);
        loop {
            let page = list(json!({ "filter": filter, "first": 1, "after": after })).await;
            seen.extend(page["nodes"].as_array().unwrap().iter().map(|node| node["seq"].as_i64().unwrap()));
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        let all = list(json!({ "filter": filter, "first": 100 })).await;
        let all: Vec<i64> = all["nodes"].as_array().unwrap().iter().map(|node| node["seq"].as_i64().unwrap()).collect();
        assert_eq!(seen, all);
        assert!(all.is_sorted_by(|one, next| one > next), "{all:?}");
    }
}

on_both_engines! {
    async fn only_those_who_run_the_practice_read_the_audit_trail_and_that_is_recorded(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        create(&owner, "one").await;
        let event = owner.ok(AUDIT, json!({ "first": 1 })).await["auditEvents"]["nodes"][0]["id"].clone();
        let node = "query($id: ID!) { node(id: $id) { id } }";
        for role in [Role::Doctor, Role::Nurse, Role::LabTech, Role::Staff, Role::Researcher, Role::Patient] {
            let member = app.member(owner.workspace(), role).await;
            assert_eq!(member.code(AUDIT, json!({})).await, "FORBIDDEN", "{role:?}");
            assert_eq!(member.code(node, json!({ "id": event })).await, "FORBIDDEN", "{role:?}");
        }
        assert_eq!(app.nobody().code(AUDIT, json!({})).await, "UNAUTHENTICATED");
        assert_eq!(owner.ok(node, json!({ "id": event })).await["node"]["id"], event);
        let reads = owner.ok(AUDIT, json!({ "filter": { "actions": ["audit.read"] } })).await;
        assert_eq!(reads["auditEvents"]["nodes"][0]["detail"]["count"], 1);
    }
}

on_both_engines! {
    async fn what_cannot_be_recorded_is_not_answered(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        create(&owner, "one").await;
        let db = app.database.connect_as_owner().await;
        db.writer().execute_unprepared("ALTER TABLE audit_heads RENAME TO audit_heads_gone").await.unwrap();
        for document in [AUDIT, CREATE] {
            let answer = owner.run(document, json!({ "name": "two" })).await;
            assert!(!answer.errors.is_empty(), "{answer:?}");
            let data = &answer.data;
            assert!(data.is_null() || data["createService"].is_null() && data.get("auditEvents").is_none(), "{data}");
        }
        assert_eq!(owner.code(AUDIT, json!({})).await, "UNAVAILABLE");
        db.writer().execute_unprepared("ALTER TABLE audit_heads_gone RENAME TO audit_heads").await.unwrap();
        let services = owner.ok("{ services { nodes { name } } }", json!({})).await;
        assert_eq!(services["services"]["nodes"], json!([{ "name": "one" }]), "the change went with its record");
    }
}
