//! graphql-transport-ws with raw frames: every close code, and what a socket may and may not do.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use praxis::access::token::Subject;
use serde_json::{Value as Json, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::http::{Socket, connect, hear, say, serve, token};
use crate::support::app::{Client, TestApp};
use crate::support::database::On;

const PROTOCOL: &str = "graphql-transport-ws";
const CHANGES: &str = "subscription { changes { cursor action } }";
const CREATE: &str = "mutation($name: String!) { createService(input: { name: $name, durationMinutes: 30, \
                      appointmentType: THERAPY }) { service { id } } }";
/// Longer than the interval at which the server looks at the time.
const SOON: Duration = Duration::from_secs(6);

/// A server with a workspace whose owner has a token.
struct Front {
    app: TestApp,
    owner: Client,
    token: String,
    address: std::net::SocketAddr,
}

impl Front {
    async fn new() -> Self {
        Self::configured(|_| {}).await
    }

    async fn configured(change: impl FnOnce(&mut praxis::config::Config)) -> Self {
        let app = TestApp::configured(On::Sqlite, change).await;
        let owner = app.workspace("north").await;
        let (token, address) = (token(&owner).await, serve(&app).await);
        Self { app, owner, token, address }
    }

    async fn connect(&self) -> Socket {
        connect(self.address, PROTOCOL).await.unwrap()
    }

    /// A socket of the owner.
    async fn signed_in(&self) -> Socket {
        let mut socket = self.connect().await;
        introduce(&mut socket, &self.token).await;
        socket
    }

    /// Another token of the same sign-in, made now.
    fn fresh_token(&self) -> String {
        let actor = self.owner.actor.as_ref().unwrap();
        let subject = Subject {
            user: actor.user.unwrap(),
            session: actor.session.unwrap(),
            seat: Some((actor.workspace, actor.membership.unwrap())),
        };
        self.app.app.tokens.issue(&subject).text
    }

    fn minutes_pass(&self, minutes: u64) {
        self.app.app.clock.advance(Duration::from_secs(60 * minutes));
    }
}

async fn introduce(socket: &mut Socket, token: &str) {
    let payload = json!({ "authorization": format!("Bearer {token}") });
    say(socket, json!({ "type": "connection_init", "payload": payload })).await;
    assert_eq!(hear(socket).await, json!({ "type": "connection_ack" }));
}

async fn subscribe(socket: &mut Socket, id: &str, query: &str) {
    say(socket, json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
}

/// What arrives within some seconds, if anything does.
async fn hear_soon(socket: &mut Socket) -> Option<Json> {
    tokio::time::timeout(SOON, hear(socket)).await.ok()
}

/// The code that the server closes with, and its reason.
async fn closed(socket: &mut Socket) -> (u16, String) {
    let end = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => break (frame.code.into(), frame.reason.to_string()),
                Some(Ok(_)) => {}
                other => panic!("closed without a code: {other:?}"),
            }
        }
    };
    tokio::time::timeout(4 * SOON, end).await.expect("the server closes")
}

#[tokio::test]
async fn messages_that_are_none_close_with_4400() {
    let front = Front::new().await;
    for text in [
        "not JSON",
        "[]",
        "{}",
        r#"{"type":"unknown"}"#,
        r#"{"type":"start","id":"1","payload":{"query":"{ __typename }"}}"#,
        r#"{"type":"subscribe","id":"1","payload":{}}"#,
        r#"{"type":"subscribe","payload":{"query":"{ __typename }"}}"#,
        r#"{"type":"connection_ack"}"#,
        r#"{"type":"complete"}"#,
    ] {
        let mut socket = front.signed_in().await;
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(closed(&mut socket).await.0, 4400, "{text}");
    }
    let mut socket = front.signed_in().await;
    socket.send(Message::binary(&br#"{"type":"ping"}"#[..])).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 4400);
    let mut socket = front.signed_in().await;
    say(&mut socket, json!({ "type": "ping", "payload": { "filler": "x".repeat(70_000) } })).await;
    assert_eq!(closed(&mut socket).await.0, 1009);
}

#[tokio::test]
async fn who_does_not_say_who_they_are_is_not_waited_for() {
    let front = Front::new().await;
    let mut silent = front.connect().await;
    let mut hasty = front.connect().await;
    subscribe(&mut hasty, "1", "{ __typename }").await;
    assert_eq!(closed(&mut hasty).await, (4401, "Unauthorized".into()));
    let mut twice = front.signed_in().await;
    say(&mut twice, json!({ "type": "connection_init" })).await;
    assert_eq!(closed(&mut twice).await.0, 4429);
    let mut refused = front.connect().await;
    let payload = json!({ "authorization": "Bearer nonsense" });
    say(&mut refused, json!({ "type": "connection_init", "payload": payload })).await;
    assert_eq!(closed(&mut refused).await, (4403, "Forbidden".into()));
    assert_eq!(closed(&mut silent).await.0, 4408);
}

#[tokio::test]
async fn an_id_is_used_for_one_operation_at_a_time() {
    let front = Front::new().await;
    let mut socket = front.signed_in().await;
    subscribe(&mut socket, "1", CHANGES).await;
    subscribe(&mut socket, "1", CHANGES).await;
    let (code, reason) = closed(&mut socket).await;
    assert_eq!((code, reason.as_str()), (4409, "Subscriber for 1 already exists"));

    // The client's "complete" is not answered, and the id is free again.
    let mut socket = front.signed_in().await;
    subscribe(&mut socket, "1", CHANGES).await;
    say(&mut socket, json!({ "type": "complete", "id": "1" })).await;
    subscribe(&mut socket, "1", "{ __typename }").await;
    assert_eq!(hear(&mut socket).await["payload"]["data"], json!({ "__typename": "Query" }));
    assert_eq!(hear(&mut socket).await, json!({ "type": "complete", "id": "1" }));
    // One that is not known, or has ended, is no fault: the two may have crossed.
    say(&mut socket, json!({ "type": "complete", "id": "1" })).await;
    say(&mut socket, json!({ "type": "ping", "payload": { "a": 1 } })).await;
    assert_eq!(hear(&mut socket).await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn what_is_not_run_is_answered_by_an_error_and_the_socket_stays() {
    let front = Front::new().await;
    let mut socket = front.signed_in().await;
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query ($n: Int!) { services(first: $n) { totalCount } }", "BAD_USER_INPUT"),
    ] {
        subscribe(&mut socket, "1", query).await;
        let message = hear(&mut socket).await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("1")), "{message}");
        assert_eq!(message["payload"][0]["extensions"]["code"], code);
        assert!(message["payload"][0]["extensions"]["requestId"].is_string());
    }
    for id in 0..21 {
        subscribe(&mut socket, &id.to_string(), CHANGES).await;
    }
    let message = hear(&mut socket).await;
    assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("20")), "{message}");
    assert_eq!(message["payload"][0]["extensions"]["code"], "RATE_LIMITED");
    for _ in 0..90 {
        let _ = socket.send(Message::text(r#"{"type":"pong"}"#)).await;
    }
    assert_eq!(closed(&mut socket).await.0, 4429);
}

/// What costs `points` for each user and minute.
async fn with_points(points: u32) -> Front {
    Front::configured(|config| config.rate_limits.user_points_per_minute = points.try_into().unwrap()).await
}

#[tokio::test]
async fn a_document_that_is_not_run_is_charged_all_the_same() {
    let front = with_points(25).await;
    let mut socket = front.signed_in().await;
    let code = async |socket: &mut Socket| {
        subscribe(socket, "1", "{").await;
        hear(socket).await["payload"][0]["extensions"]["code"].clone()
    };
    for expected in ["GRAPHQL_PARSE_FAILED", "GRAPHQL_PARSE_FAILED", "RATE_LIMITED"] {
        assert_eq!(code(&mut socket).await, expected);
    }

    // Of nobody the address is charged, before anybody looks at the document.
    let front = Front::configured(|config| {
        config.rate_limits.anonymous_requests_per_minute = 2.try_into().unwrap();
    })
    .await;
    let mut socket = front.connect().await;
    say(&mut socket, json!({ "type": "connection_init" })).await;
    assert_eq!(hear(&mut socket).await["type"], "connection_ack");
    for expected in ["GRAPHQL_PARSE_FAILED", "RATE_LIMITED"] {
        assert_eq!(code(&mut socket).await, expected);
    }
}

#[tokio::test]
async fn each_delivery_is_paid_for_before_the_next_one_is_worked_on() {
    // A point takes twelve seconds to come back. The last of five is spent on subscribing.
    let front = with_points(5).await;
    front.app.app.throttle.charge(&front.owner.caller().identity.unwrap(), 4);
    let mut socket = front.signed_in().await;
    subscribe(&mut socket, "1", CHANGES).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    for name in ["One", "Two"] {
        front.owner.ok(CREATE, json!({ "name": name })).await;
    }
    assert_eq!(hear_soon(&mut socket).await.unwrap()["type"], "next");
    let early = tokio::time::timeout(Duration::from_secs(2), hear(&mut socket)).await;
    assert!(early.is_err(), "{early:?}");
    let second = tokio::time::timeout(4 * SOON, hear(&mut socket)).await.expect("when it is paid");
    assert_eq!(second["payload"]["data"]["changes"]["action"], "service.created", "{second}");
}

#[tokio::test]
async fn a_subscription_that_cannot_be_paid_for_long_ends_with_its_code() {
    let front = with_points(1).await;
    let mut socket = front.signed_in().await;
    subscribe(&mut socket, "1", CHANGES).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    front.owner.ok(CREATE, json!({ "name": "One" })).await;
    assert_eq!(
        hear_soon(&mut socket).await.unwrap()["payload"]["data"]["changes"]["action"],
        "service.created"
    );
    let refused = hear_soon(&mut socket).await.unwrap();
    assert_eq!(refused["payload"]["errors"][0]["extensions"]["code"], "RATE_LIMITED", "{refused}");
    assert_eq!(hear_soon(&mut socket).await.unwrap(), json!({ "type": "complete", "id": "1" }));
}

#[tokio::test]
async fn an_address_has_so_many_sockets_that_nobody_has_signed_in_on() {
    let front = Front::configured(|config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        config.max_connections_per_address = 2;
    })
    .await;
    let connect = async |client: &str| {
        let mut request = format!("ws://{}/graphql", front.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", PROTOCOL.parse().unwrap());
        request.headers_mut().insert("x-forwarded-for", client.parse().unwrap());
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(socket),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    };
    let (mut first, _second) = (connect("192.0.2.1").await.unwrap(), connect("192.0.2.1").await.unwrap());
    assert_eq!(connect("192.0.2.1").await.err(), Some(429));
    assert!(connect("192.0.2.2").await.is_ok());
    introduce(&mut first, &front.token).await;
    assert!(connect("192.0.2.1").await.is_ok(), "who has signed in is counted by their name");
}

#[tokio::test]
async fn a_user_has_so_many_sockets_and_not_more() {
    let front = Front::configured(|config| config.sockets_per_user = 2).await;
    let first = front.signed_in().await;
    let _second = front.signed_in().await;
    let mut third = front.connect().await;
    let payload = json!({ "authorization": format!("Bearer {}", front.token) });
    say(&mut third, json!({ "type": "connection_init", "payload": payload })).await;
    assert_eq!(closed(&mut third).await.0, 1013);
    drop(first);
    for _ in 0..50 {
        let mut again = front.connect().await;
        say(&mut again, json!({ "type": "connection_init", "payload": payload })).await;
        if hear(&mut again).await["type"] == "connection_ack" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the place of a closed socket is not given back");
}

#[tokio::test]
async fn a_socket_closes_when_its_token_expires_unless_a_ping_brings_another() {
    let front = Front::new().await;
    let (mut kept, mut lost) = (front.signed_in().await, front.signed_in().await);
    subscribe(&mut kept, "1", CHANGES).await;
    front.minutes_pass(8);
    let payload = json!({ "authorization": format!("Bearer {}", front.fresh_token()) });
    say(&mut kept, json!({ "type": "ping", "payload": payload })).await;
    assert_eq!(hear(&mut kept).await, json!({ "type": "pong" }));
    front.minutes_pass(4);
    assert_eq!(closed(&mut lost).await, (4403, "Forbidden".into()));

    front.owner.ok(CREATE, json!({ "name": "Yoga" })).await;
    let next = hear_soon(&mut kept).await.unwrap();
    assert_eq!(next["payload"]["data"]["changes"]["action"], "service.created", "{next}");

    // Somebody else's token does not take the socket over.
    let other = front.app.workspace("south").await;
    let payload = json!({ "authorization": format!("Bearer {}", token(&other).await) });
    say(&mut kept, json!({ "type": "ping", "payload": payload })).await;
    assert_eq!(closed(&mut kept).await.0, 4403);
}

#[tokio::test]
async fn a_revoked_sign_in_is_felt_on_silent_and_on_busy_sockets() {
    let front = Front::new().await;
    let (mut silent, mut busy) = (front.signed_in().await, front.signed_in().await);
    subscribe(&mut busy, "1", CHANGES).await;
    let data =
        front.app.get(Some(&front.token), "mutation { signOutEverywhere { __typename } }", json!({})).await;
    assert!(data["signOutEverywhere"].is_object(), "{data}");
    let both = async { (closed(&mut silent).await.0, closed(&mut busy).await.0) };
    assert_eq!(tokio::time::timeout(SOON, both).await.expect("within seconds"), (4403, 4403));
}

#[tokio::test]
async fn pages_of_foreign_origins_cannot_connect() {
    let front = Front::configured(|config| config.allowed_origins = vec!["https://app.example".into()]).await;
    for (origin, may) in [
        ("https://app.example".to_owned(), true),
        (format!("http://{}", front.address), true),
        ("https://elsewhere.example".to_owned(), false),
        ("null".to_owned(), false),
    ] {
        let mut request = format!("ws://{}/graphql", front.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", PROTOCOL.parse().unwrap());
        request.headers_mut().insert("origin", origin.parse().unwrap());
        match tokio_tungstenite::connect_async(request).await {
            Ok(_) => assert!(may, "{origin}"),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                assert_eq!((may, response.status().as_u16()), (false, 403), "{origin}");
            }
            Err(error) => panic!("{origin}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_stops_finishes_what_runs_and_says_1012() {
    let front = Front::new().await;
    let mut socket = front.signed_in().await;
    subscribe(&mut socket, "live", CHANGES).await;
    let variables = json!({ "name": "Yoga" });
    let payload = json!({ "query": CREATE, "variables": variables });
    say(&mut socket, json!({ "type": "subscribe", "id": "write", "payload": payload })).await;
    front.app.app.shutdown.drain();
    let mut written = None;
    let code = loop {
        let message = hear(&mut socket).await;
        if message["id"] == "write" && message["type"] == "next" {
            written =
                message["payload"]["data"]["createService"]["service"]["id"].as_str().map(str::to_owned);
        }
        if let Some(code) = message["close"].as_u64() {
            break code;
        }
    };
    assert_eq!(code, 1012);
    // What was acknowledged is there; what was not taken in any more is not.
    let services = front.owner.ok("{ services { nodes { id } } }", json!({})).await;
    let there: Vec<_> =
        services["services"]["nodes"].as_array().unwrap().iter().map(|node| node["id"].clone()).collect();
    assert_eq!(there, written.into_iter().map(Json::from).collect::<Vec<_>>());
    assert!(front.app.app.shutdown.finished(SOON).await, "nobody is left to wait for");
}

/// The server waits ten seconds for a client that does not read, then tells it where to go on.
#[tokio::test]
async fn a_client_that_does_not_read_is_closed_with_its_last_cursor() {
    let front = Front::new().await;
    let patient = front.app.patient(&front.owner, "Ada", "Alba").await;
    let booked = front
        .owner
        .ok(
            crate::appointment::BOOK,
            json!({ "input": { "patientId": patient.to_string(), "reason": "x".repeat(1_900),
                "practitionerId": front.owner.membership().to_string(),
                "startsAt": "2026-06-02T09:00:00Z", "endsAt": "2026-06-02T09:30:00Z" } }),
        )
        .await;
    let id = booked["bookAppointment"]["appointment"]["id"].as_str().unwrap().to_owned();
    let many: String = (0..30).map(|alias| format!("r{alias}: reason ")).collect();
    let mut lazy = front.signed_in().await;
    let query = format!("subscription {{ appointmentEvents {{ cursor appointment {{ {many} }} }} }}");
    subscribe(&mut lazy, "1", &query).await;
    // The first event shows that the stream runs.
    let update = "mutation($id: ID!, $version: Int!, $priority: AppointmentPriority!) { updateAppointment(input: { \
                  id: $id, expectedVersion: $version, priority: $priority }) { appointment { version } } }";
    let mut busy = front.signed_in().await;
    subscribe(&mut busy, "1", "subscription { appointmentEvents { cursor } }").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    for version in 1..=250 {
        let priority = if version % 2 == 0 { "NORMAL" } else { "HIGH" };
        let variables = json!({ "id": id, "version": version, "priority": priority });
        front.owner.ok(update, variables).await;
        // The others are not held up.
        assert_eq!(hear_soon(&mut busy).await.unwrap()["type"], "next", "{version}");
    }
    tokio::time::sleep(Duration::from_secs(12)).await;
    let mut last = String::new();
    let (code, reason) = loop {
        match lazy.next().await.unwrap().unwrap() {
            Message::Text(text) => {
                let message: Json = serde_json::from_str(&text).unwrap();
                last = message["payload"]["data"]["appointmentEvents"]["cursor"].as_str().unwrap().to_owned();
            }
            Message::Close(Some(frame)) => break (u16::from(frame.code), frame.reason.to_string()),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, 4290);
    assert!(!last.is_empty() && !reason.is_empty());
    // Going on after it brings the rest: nothing is skipped.
    let resumed = format!("subscription {{ appointmentEvents(after: \"{reason}\") {{ cursor }} }}");
    let mut again = front.signed_in().await;
    subscribe(&mut again, "1", &resumed).await;
    assert_eq!(hear_soon(&mut again).await.unwrap()["type"], "next");
}
