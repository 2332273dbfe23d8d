//! Following changes: nothing lost, nothing twice, nothing that is not one's own.

mod appointments;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use praxis::access::entity::auth_session;
use praxis::db::Scope;
use praxis::id::{AppointmentId, AuthSessionId, PatientId, TypedId, WorkspaceId};
use praxis::journal::entity::AuditKind;
use praxis::journal::event::Event;
use praxis::live::feed::cursor;
use praxis::member::entity::Role;
use sea_orm::{ConnectionTrait, Set, Statement};
use serde_json::{Value as Json, json};

use crate::support::app::{Client, TestApp};
use crate::support::on_both_engines;

const CHANGES: &str = "subscription($types: [ChangeType!], $after: String) { changes(types: $types, after: $after) { \
                       cursor type id action actor { id } node { id ... on Service { name version } } } }";
const CREATE: &str = "mutation($name: String!) { createService(input: { name: $name, durationMinutes: 30, \
                      appointmentType: THERAPY }) { service { id version } } }";
const RENAME: &str = "mutation($id: ID!, $version: Int!, $name: String!) { updateService(input: { id: $id, \
                      expectedVersion: $version, name: $name }) { service { version } } }";

/// Longer than the second after which a lost hint is made up for, and than the sign-in's check is cached.
const PATIENCE: Duration = Duration::from_secs(15);

/// Gives a member the row of a sign-in, which a subscription checks again and again.
pub async fn sign_in(app: &TestApp, client: &Client) {
    let actor = client.actor.clone().unwrap();
    let row = auth_session::ActiveModel {
        id: Set(actor.session.unwrap()),
        user_id: Set(actor.user.unwrap()),
        membership_id: Set(actor.membership),
        workspace_id: Set(Some(actor.workspace)),
        last_seen_at: Set(app.app.clock.now()),
        expires_at: Set(app.app.clock.now() + chrono::TimeDelta::days(365)),
        idle_expires_at: Set(app.app.clock.now() + chrono::TimeDelta::days(365)),
        ..Default::default()
    };
    let row = &row;
    let scope = Scope::workspace(actor.workspace);
    app.app
        .write_global(scope, move |unit| async move { unit.insert(row.clone()).await.map(|_| ()) })
        .await
        .unwrap();
}

pub async fn owner_of(app: &TestApp, slug: &str) -> Client {
    let owner = app.workspace(slug).await;
    sign_in(app, &owner).await;
    owner
}

async fn member_of(app: &TestApp, owner: &Client, role: Role) -> Client {
    let member = app.member(owner.workspace(), role).await;
    sign_in(app, &member).await;
    member
}

fn subscribe(client: &Client, variables: Json) -> BoxStream<'static, Json> {
    client.stream(CHANGES, variables)
}

/// The next thing that the stream delivers.
async fn next(stream: &mut BoxStream<'static, Json>) -> Json {
    let response = tokio::time::timeout(PATIENCE, stream.next()).await.expect("something arrives");
    response.expect("the stream goes on")
}

/// The next change, which must be one.
async fn change(stream: &mut BoxStream<'static, Json>) -> Json {
    let response = next(stream).await;
    assert!(response.get("errors").is_none(), "{response:#}");
    response["data"]["changes"].clone()
}

/// The code of the error that the stream ends with.
async fn end(stream: &mut BoxStream<'static, Json>) -> String {
    let response = next(stream).await;
    let code = response["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{response:#}"));
    assert!(tokio::time::timeout(PATIENCE, stream.next()).await.unwrap().is_none(), "the stream ends");
    code.to_owned()
}

async fn position(client: &Client) -> String {
    let data = client.ok("{ feedPosition { cursor } }", json!({})).await;
    data["feedPosition"]["cursor"].as_str().unwrap().to_owned()
}

async fn create(client: &Client, name: &str) -> Json {
    client.ok(CREATE, json!({ "name": name })).await["createService"]["service"].clone()
}

/// An event without the row that it tells of.
async fn record(client: &Client, event: Event) {
    let actor = client.actor.clone().unwrap();
    let event = &event;
    client
        .app
        .write(&actor, move |unit| async move {
            unit.record(event.clone());
            Ok(())
        })
        .await
        .unwrap();
}

fn write_by(client: &Client, action: &'static str) -> Event {
    Event::by(client.actor.as_ref().unwrap(), AuditKind::Write, action)
}

on_both_engines! {
    async fn a_change_arrives_with_what_was_changed_and_who_did_it(on: On) {
        let app = TestApp::new(on).await;
        let owner = owner_of(&app, "north").await;
        let after = position(&owner).await;
        let mut stream = subscribe(&owner, json!({ "after": after }));

        let (service, change) = tokio::join!(create(&owner, "Massage"), change(&mut stream));
        assert_eq!(change["type"], "SERVICE");
        assert_eq!(change["action"], "service.created");
        assert_eq!(change["id"], service["id"]);
        assert_eq!(change["node"]["name"], "Massage");
        assert_eq!(change["actor"]["id"], owner.membership().to_string());
    }
}

on_both_engines! {
    async fn without_a_cursor_a_stream_begins_now(on: On) {
        let app = TestApp::new(on).await;
        let owner = owner_of(&app, "north").await;
        create(&owner, "Before").await;
        let mut stream = subscribe(&owner, json!({}));
        // The stream begins when it is first asked; nothing is there yet.
        assert!(tokio::time::timeout(Duration::from_millis(1500), stream.next()).await.is_err());
        let (_, change) = tokio::join!(create(&owner, "After"), change(&mut stream));
        assert_eq!(change["node"]["name"], "After");
    }
}

on_both_engines! {
    async fn whoever_resumes_gets_exactly_what_was_missed_then_what_happens(on: On) {
        let app = TestApp::new(on).await;
        let owner = owner_of(&app, "north").await;
        let mut stream = subscribe(&owner, json!({ "after": position(&owner).await }));
        create(&owner, "seen").await;
        let seen = change(&mut stream).await;
        drop(stream);

        let nurse = member_of(&app, &owner, Role::Nurse).await;
        for name in ["missed 1", "missed 2", "missed 3"] {
            create(&owner, name).await;
            // What is read and refused stands in the journal between the changes.
            assert_eq!(nurse.code(CREATE, json!({ "name": "x" })).await, "FORBIDDEN");
        }
        let mut stream = subscribe(&owner, json!({ "after": seen["cursor"] }));
        for name in ["missed 1", "missed 2", "missed 3"] {
            assert_eq!(change(&mut stream).await["node"]["name"], name);
        }
        let (_, live) = tokio::join!(create(&owner, "live"), change(&mut stream));
        assert_eq!(live["node"]["name"], "live");
    }
}

on_both_engines! {
    /// A client that loses its connection a thousand times hears of every change once, in order.
    async fn a_thousand_disconnections_lose_nothing_and_repeat_nothing(on: On) {
        let app = TestApp::new(on).await;
        let owner = owner_of(&app, "north").await;
        let nurse = member_of(&app, &owner, Role::Nurse).await;
        let service = create(&owner, "Massage").await;
        let mut last = position(&owner).await;
        let before = app.app.feeds.head(owner.workspace()).await.unwrap();

        let stop = Arc::new(AtomicBool::new(false));
        let writer = tokio::spawn({
            let (owner, stop, service) = (owner.clone(), stop.clone(), service.clone());
            async move {
                let mut version = service["version"].as_i64().unwrap();
                while !stop.load(Ordering::SeqCst) {
                    let rename = json!({ "id": service["id"], "version": version, "name": format!("v{version}") });
                    version = owner.ok(RENAME, rename).await["updateService"]["service"]["version"].as_i64().unwrap();
                    if version % 7 == 0 {
                        assert_eq!(nurse.code(CREATE, json!({ "name": "x" })).await, "FORBIDDEN");
                    }
                    tokio::time::sleep(Duration::from_millis(random(8))).await;
                }
            }
        });

        let mut delivered = Vec::new();
        for _ in 0..1000 {
            let mut stream = subscribe(&owner, json!({ "after": last }));
            let patience = Duration::from_micros(random(25_000));
            let lost = tokio::time::sleep(patience);
            tokio::pin!(lost);
            loop {
                tokio::select! {
                    biased;
                    () = &mut lost => break,
                    response = stream.next() => {
                        let response = serde_json::to_value(response.unwrap()).unwrap();
                        assert!(response.get("errors").is_none(), "{response:#}");
                        last = response["data"]["changes"]["cursor"].as_str().unwrap().to_owned();
                        delivered.push(last.clone());
                    }
                }
            }
        }
        stop.store(true, Ordering::SeqCst);
        writer.await.unwrap();
        let head = app.app.feeds.head(owner.workspace()).await.unwrap();
        let written = written(&app, owner.workspace(), before).await;
        let mut stream = subscribe(&owner, json!({ "after": last }));
        while delivered.len() < written.len() {
            delivered.push(change(&mut stream).await["cursor"].as_str().unwrap().to_owned());
        }
        assert!(written.len() > 200 && head > before + 200, "{} changes are too few", written.len());
        assert_eq!(delivered, written);
    }
}

fn random(below: u64) -> u64 {
    getrandom::u64().unwrap() % below
}

/// The cursors of the changes that the journal has after `seq`.
async fn written(app: &TestApp, workspace: WorkspaceId, seq: i64) -> Vec<String> {
    let db = app.database.connect_as_owner().await;
    let db = db.writer();
    let sql =
        "SELECT seq FROM audit_events WHERE workspace_id = $1 AND seq > $2 AND kind = 'WRITE' ORDER BY seq";
    let values = [workspace.into(), seq.into()];
    let rows = db
        .query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values))
        .await
        .unwrap();
    rows.iter().map(|row| cursor(workspace, row.try_get::<i64>("", "seq").unwrap())).collect()
}

on_both_engines! {
    async fn a_slow_reader_gets_everything_in_order(on: On) {
        let app = TestApp::new(on).await;
        let owner = owner_of(&app, "north").await;
        let mut stream = subscribe(&owner, json!({ "after": position(&owner).await }));
        create(&owner, "first").await;
        change(&mut stream).await;
        // Many changes while the reader does not read.
        for _ in 0..300 {
            record(&owner, write_by(&owner, "service.updated").on(praxis::id::ServiceId::new(&app.app.clock))).await;
        }
        let before = app.app.feeds.head(owner.workspace()).await.unwrap() - 300;
        for written in written(&app, owner.workspace(), before).await {
            assert_eq!(change(&mut stream).await["cursor"], written);
        }
    }
}

on_both_engines! {
    async fn nodes_deliver_each_others_changes(on: On) {
        let app = TestApp::new(on).await;
        let other = app.another_node().await;
        let here = owner_of(&app, "north").await;
        let there = other.client(here.actor.as_deref().cloned());
        let after = position(&here).await;
        let mut streams = (subscribe(&here, json!({ "after": after })), subscribe(&there, json!({ "after": after })));
        for (writer, name) in [(&here, "from here"), (&there, "from there"), (&here, "from here again")] {
            let (_, first, second) =
                tokio::join!(create(writer, name), change(&mut streams.0), change(&mut streams.1));
            assert_eq!((&first["node"]["name"], &second["node"]["name"]), (&json!(name), &json!(name)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_on_postgresql_hint_each_other_before_they_would_poll() {
    let app = TestApp::new(crate::support::database::On::Postgres).await;
    let other = app.another_node().await;
    let owner = owner_of(&app, "north").await;
    let mut hints = other.app.hub.listen(owner.workspace());
    // The bus connects on its own time.
    let mut number = 0;
    let heard = tokio::time::timeout(PATIENCE, async {
        loop {
            number += 1;
            create(&owner, &format!("service {number}")).await;
            if tokio::time::timeout(Duration::from_millis(300), hints.changed()).await.is_ok() {
                break *hints.borrow_and_update();
            }
        }
    });
    let heard = heard.await.expect("a hint arrives");
    assert!(heard > 0 && heard <= app.app.feeds.head(owner.workspace()).await.unwrap());
}

on_both_engines! {
    async fn a_cursor_of_elsewhere_of_the_future_or_of_long_ago_is_refused(on: On) {
        let app = TestApp::new(on).await;
        let (owner, stranger) = (owner_of(&app, "north").await, owner_of(&app, "south").await);
        let (old, foreign) = (position(&owner).await, position(&stranger).await);
        create(&owner, "Massage").await;
        let head = app.app.feeds.head(owner.workspace()).await.unwrap();
        for bad in [foreign, cursor(owner.workspace(), head + 1), "nonsense".into(), String::new()] {
            let mut stream = subscribe(&owner, json!({ "after": bad }));
            assert_eq!(end(&mut stream).await, "BAD_USER_INPUT");
        }
        let newest = position(&owner).await;
        app.app.clock.advance(Duration::from_secs(31 * 24 * 3600));
        assert_eq!(end(&mut subscribe(&owner, json!({ "after": old }))).await, "CURSOR_EXPIRED");
        // Whoever has missed nothing can go on however long ago that was.
        let mut stream = subscribe(&owner, json!({ "after": newest }));
        let (_, change) = tokio::join!(create(&owner, "Yoga"), change(&mut stream));
        assert_eq!(change["node"]["name"], "Yoga");
    }
}

on_both_engines! {
    async fn a_revoked_sign_in_ends_the_stream_within_seconds(on: On) {
        let app = TestApp::new(on).await;
        let owner = owner_of(&app, "north").await;
        let mut stream = subscribe(&owner, json!({ "after": position(&owner).await }));
        let (_, _) = tokio::join!(create(&owner, "Massage"), change(&mut stream));
        revoke(&app, owner.actor.as_ref().unwrap().session.unwrap()).await;
        let started = std::time::Instant::now();
        assert_eq!(end(&mut stream).await, "UNAUTHENTICATED");
        assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
        assert_eq!(end(&mut subscribe(&app.nobody(), json!({}))).await, "UNAUTHENTICATED");
    }
}

async fn revoke(app: &TestApp, session: AuthSessionId) {
    let db = app.database.connect_as_owner().await;
    let db = db.writer();
    let sql = "UPDATE auth_sessions SET revoked_at = $1 WHERE id = $2";
    let values = [app.app.clock.now().into(), session.into()];
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await.unwrap();
}

on_both_engines! {
    async fn nobody_hears_of_another_workspace(on: On) {
        let app = TestApp::new(on).await;
        let (owner, stranger) = (owner_of(&app, "north").await, owner_of(&app, "south").await);
        let mut stream = subscribe(&stranger, json!({ "after": position(&stranger).await }));
        create(&owner, "Northern massage").await;
        let (_, change) = tokio::join!(create(&stranger, "Southern massage"), change(&mut stream));
        assert_eq!(change["node"]["name"], "Southern massage");
    }
}

on_both_engines! {
    async fn a_role_hears_of_what_it_may_see_only(on: On) {
        let app = TestApp::new(on).await;
        let owner = owner_of(&app, "north").await;
        let desk = member_of(&app, &owner, Role::Staff).await;
        let researcher = member_of(&app, &owner, Role::Researcher).await;
        let patient = member_of(&app, &owner, Role::Patient).await;
        let after = json!({ "after": position(&owner).await });

        let clock = &app.app.clock;
        record(&owner, write_by(&owner, "therapy_session.signed").on(praxis::id::TherapySessionId::new(clock))).await;
        let chart = PatientId::new(clock);
        let booked = write_by(&owner, "appointment.booked").on(AppointmentId::new(clock)).of_patient(chart);
        record(&owner, booked).await;
        create(&owner, "Massage").await;

        for (client, heard) in [
            (&owner, vec!["THERAPY_SESSION", "APPOINTMENT", "SERVICE"]),
            (&desk, vec!["APPOINTMENT", "SERVICE"]),
            (&researcher, vec!["SERVICE"]),
            (&patient, vec!["SERVICE"]),
        ] {
            let mut stream = subscribe(client, after.clone());
            for expected in heard {
                assert_eq!(change(&mut stream).await["type"], expected);
            }
        }
        let mut stream = subscribe(&owner, json!({ "after": after["after"], "types": ["SERVICE"] }));
        assert_eq!(change(&mut stream).await["type"], "SERVICE");
        let mut stream = subscribe(&desk, json!({ "types": ["THERAPY_SESSION"] }));
        assert_eq!(end(&mut stream).await, "FORBIDDEN");
    }
}
