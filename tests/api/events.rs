//! Server-sent events: one operation per connection, resumable.

use std::time::Duration;

use axum::body::Body;
use axum::http::{StatusCode, header};
use futures::StreamExt;
use praxis::http::router;
use praxis::member::entity::Role;
use serde_json::{Value as Json, json};
use tower::ServiceExt;

use crate::http::{get, post, token};
use crate::support::app::TestApp;
use crate::support::database::On;
use crate::support::on_both_engines;

const CHANGES: &str = "subscription { changes { cursor action } }";
const CREATE: &str = "mutation($name: String!) { createService(input: { name: $name, durationMinutes: 30, \
                      appointmentType: THERAPY }) { service { id } } }";

/// What one event carries.
#[derive(Debug, Default, PartialEq)]
struct Event {
    id: Option<String>,
    name: String,
    data: Json,
}

/// A stream of events as a client reads it.
struct Events {
    chunks: tokio::sync::mpsc::UnboundedReceiver<axum::body::Bytes>,
    text: String,
}

impl Events {
    async fn open(app: &TestApp, request: axum::http::request::Builder, query: &str) -> Self {
        let body = json!({ "query": query }).to_string();
        let request = request.header(header::ACCEPT, "text/event-stream").body(Body::from(body)).unwrap();
        let response = router(app.app.clone()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream; charset=utf-8");
        // Read all the time, as a connection does: the stream does not run by itself.
        let (sender, chunks) = tokio::sync::mpsc::unbounded_channel();
        let mut body = response.into_body().into_data_stream();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    chunk = body.next() => match chunk {
                        Some(chunk) => drop(sender.send(chunk.unwrap())),
                        None => break,
                    },
                    () = sender.closed() => break,
                }
            }
        });
        Self { chunks, text: String::new() }
    }

    /// The next event; nothing when the stream ends.
    async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let mut event = Event::default();
                for line in block.lines() {
                    match line.split_once(':').unwrap() {
                        ("id", value) => event.id = Some(value.trim_start().into()),
                        ("event", value) => event.name = value.trim_start().into(),
                        ("data", "") => {}
                        ("data", value) => event.data = serde_json::from_str(value).unwrap(),
                        ("", _) => {}
                        other => panic!("{other:?}"),
                    }
                }
                if !event.name.is_empty() {
                    return Some(event);
                }
            }
            let chunk = tokio::time::timeout(Duration::from_secs(15), self.chunks.recv()).await;
            self.text += std::str::from_utf8(&chunk.expect("in time")?).unwrap();
        }
    }
}

fn bearer(token: &str) -> axum::http::request::Builder {
    post().header(header::AUTHORIZATION, format!("Bearer {token}"))
}

#[tokio::test]
async fn a_query_is_one_event_and_the_end() {
    let app = TestApp::new(On::Sqlite).await;
    let token = token(&app.workspace("north").await).await;
    let mut events = Events::open(&app, bearer(&token), "{ services { totalCount } }").await;
    let next = events.next().await.unwrap();
    assert_eq!(
        (next.name.as_str(), &next.data["data"]),
        ("next", &json!({ "services": { "totalCount": 0 } }))
    );
    assert_eq!(events.next().await.unwrap(), Event { name: "complete".into(), ..Event::default() });
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn what_is_not_run_is_told_by_an_event_too() {
    let app = TestApp::new(On::Sqlite).await;
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        (CHANGES, "UNAUTHENTICATED"),
    ] {
        let mut events = Events::open(&app, post(), query).await;
        let next = events.next().await.unwrap();
        assert_eq!(next.data["errors"][0]["extensions"]["code"], code);
        assert_eq!(next.data.get("data").is_none(), query != CHANGES, "{next:?}");
        assert_eq!(events.next().await.unwrap().name, "complete");
    }
    // What is no request at all is told by the status.
    let refused = |request: axum::http::request::Builder, body: &str| {
        let request = request.header(header::ACCEPT, "text/event-stream").body(Body::from(body.to_owned()));
        router(app.app.clone()).oneshot(request.unwrap())
    };
    let bad = refused(post().header(header::AUTHORIZATION, "Bearer nonsense"), "{}").await.unwrap();
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
    let query = r#"{"query":"{ __typename }"}"#;
    let bad = refused(post().header(header::AUTHORIZATION, "Bearer nonsense"), query).await.unwrap();
    assert_eq!(bad.status(), StatusCode::UNAUTHORIZED);
    let bad = refused(get("query=mutation { signOut { __typename } }"), "").await.unwrap();
    assert_eq!(bad.status(), StatusCode::METHOD_NOT_ALLOWED);
    // A subscription without a stream to send it on.
    let request = post().body(Body::from(json!({ "query": CHANGES }).to_string())).unwrap();
    let plain = router(app.app.clone()).oneshot(request).await.unwrap();
    assert_eq!(plain.status(), StatusCode::NOT_ACCEPTABLE);
}

on_both_engines! {
    async fn a_stream_goes_on_after_the_last_event_id(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let token = token(&owner).await;
        let mut events = Events::open(&app, bearer(&token), CHANGES).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        owner.ok(CREATE, json!({ "name": "One" })).await;
        let first = events.next().await.unwrap();
        let cursor = first.id.clone().expect("the id of an event is its cursor");
        assert_eq!(first.data["data"]["changes"]["cursor"], cursor.as_str());
        drop(events);

        for name in ["Two", "Three"] {
            owner.ok(CREATE, json!({ "name": name })).await;
        }
        let mut resumed = Events::open(&app, bearer(&token).header("last-event-id", &cursor), CHANGES).await;
        let (second, third) = (resumed.next().await.unwrap(), resumed.next().await.unwrap());
        owner.ok(CREATE, json!({ "name": "Four" })).await;
        let fourth = resumed.next().await.unwrap();
        let ids: Vec<_> = [&first, &second, &third, &fourth].iter().map(|event| event.id.clone().unwrap()).collect();
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), 4, "{ids:?}");
        assert_eq!(fourth.data["data"]["changes"]["action"], "service.created");

        let mut foreign = Events::open(&app, bearer(&token).header("last-event-id", "nonsense"), CHANGES).await;
        let refused = foreign.next().await.unwrap();
        assert_eq!(refused.data["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    }
}

#[tokio::test]
async fn a_silent_stream_tells_that_its_sign_in_is_over() {
    let app = TestApp::new(On::Sqlite).await;
    let token = token(&app.workspace("north").await).await;
    let mut silent = Events::open(&app, bearer(&token), CHANGES).await;
    app.get(Some(&token), "mutation { signOutEverywhere { __typename } }", json!({})).await;
    let last = silent.next().await.unwrap();
    assert_eq!(last.data["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    assert_eq!(last.id, None);
    assert_eq!(silent.next().await.unwrap().name, "complete");
    assert_eq!(silent.next().await, None);
}

#[tokio::test]
async fn a_stream_ends_without_an_end_when_the_client_is_to_come_back() {
    let app = TestApp::new(On::Sqlite).await;
    let owner = app.workspace("north").await;
    let token = token(&owner).await;
    let mut expiring = Events::open(&app, bearer(&token), CHANGES).await;
    app.app.clock.advance(Duration::from_secs(11 * 60));
    assert_eq!(expiring.next().await, None);

    // Not even what happens at the same time is told any more.
    let another = app.member(owner.workspace(), Role::Owner).await;
    let mut busy = Events::open(&app, bearer(&crate::http::token(&another).await), CHANGES).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    app.app.clock.advance(Duration::from_secs(11 * 60));
    owner.ok(CREATE, json!({ "name": "Late" })).await;
    assert_eq!(busy.next().await, None);

    let token = crate::http::token(&app.workspace("south").await).await;
    let mut stopped = Events::open(&app, bearer(&token), CHANGES).await;
    app.app.shutdown.drain();
    assert_eq!(stopped.next().await, None);
}
