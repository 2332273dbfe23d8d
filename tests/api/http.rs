//! The HTTP and WebSocket front.

use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::Response;
use chrono::Duration;
use futures::{SinkExt, StreamExt};
use praxis::access::entity::auth_session;
use praxis::access::token::Subject;
use praxis::db::Scope;
use praxis::http::router;
use sea_orm::Set;
use serde_json::{Value as Json, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tower::ServiceExt;

use crate::support::app::{Client, TestApp};
use crate::support::database::On;

const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";
const SERVICES: &str = r#"{"query":"{ services { totalCount } }"}"#;

pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Json,
}

impl Answer {
    fn code(&self) -> &str {
        self.body["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{}", self.body))
    }

    fn header(&self, name: impl axum::http::header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub async fn send(app: &TestApp, request: axum::http::request::Builder, body: impl Into<Body>) -> Answer {
    let response: Response =
        router(app.app.clone()).oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or(Json::String(String::from_utf8_lossy(&bytes).into()));
    Answer { status: head.status, headers: head.headers, body }
}

pub fn post() -> axum::http::request::Builder {
    Request::post("/graphql").header(header::CONTENT_TYPE, "application/json")
}

pub fn get(query: &str) -> axum::http::request::Builder {
    let query: String = url_encoded(query);
    Request::get(format!("/graphql?{query}"))
}

fn url_encoded(query: &str) -> String {
    query
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'=' | b'&' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// Signs the client in: a row and an access token for it.
pub async fn token(client: &Client) -> String {
    let actor = client.actor.clone().unwrap();
    let (app, now) = (&client.app, client.app.clock.now());
    let actor = &actor;
    app.write_global(Scope::workspace(actor.workspace), move |unit| async move {
        unit.insert(auth_session::ActiveModel {
            id: Set(actor.session.unwrap()),
            user_id: Set(actor.user.unwrap()),
            membership_id: Set(actor.membership),
            workspace_id: Set(Some(actor.workspace)),
            last_seen_at: Set(now),
            expires_at: Set(now + Duration::days(1)),
            idle_expires_at: Set(now + Duration::days(1)),
            ..Default::default()
        })
        .await?;
        Ok(())
    })
    .await
    .unwrap();
    let subject = Subject {
        user: actor.user.unwrap(),
        session: actor.session.unwrap(),
        seat: Some((actor.workspace, actor.membership.unwrap())),
    };
    client.app.tokens.issue(&subject).text
}

#[tokio::test]
async fn a_query_by_post_and_by_get_is_answered_privately_with_a_request_id() {
    let app = TestApp::new(On::Sqlite).await;
    let token = token(&app.workspace("north").await).await;
    let bearer = format!("Bearer {token}");

    let posted = send(&app, post().header("authorization", &bearer), SERVICES).await;
    let got = send(&app, get("query={ services { totalCount } }").header("authorization", &bearer), "").await;

    for answer in [&posted, &got] {
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body["data"], json!({ "services": { "totalCount": 0 } }));
        assert_eq!(answer.body["extensions"]["cost"], json!({ "requested": 1, "maximum": 2000 }));
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/json; charset=utf-8");
        assert_eq!(answer.header(header::CACHE_CONTROL), "private, no-store");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        let id: uuid::Uuid = answer.header("x-request-id").parse().unwrap();
        assert_eq!(id.get_version_num(), 7);
    }
    assert_ne!(posted.header("x-request-id"), got.header("x-request-id"));
}

#[tokio::test]
async fn get_takes_the_operation_name_and_variables_and_never_a_mutation() {
    let app = TestApp::new(On::Sqlite).await;
    let two = "query=query A { a: __typename } query B($on: Boolean!) { b: viewer @include(if: $on) { id } }";
    let answer = send(&app, get(&format!("{two}&operationName=B&variables={{\"on\":true}}")), "").await;
    assert_eq!(answer.body["data"], json!({ "b": null }));

    let mutation = "mutation { createService(input: {name: \"x\", durationMinutes: 30, appointmentType: THERAPY}) { service { id } } }";
    for text in [
        format!("query={mutation}"),
        "query=query Q { __typename } mutation M { __typename }&operationName=M".to_owned(),
    ] {
        let answer = send(&app, get(&text), "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{text}");
        assert_eq!(answer.header(header::ALLOW), "POST");
        assert_eq!(answer.code(), "BAD_USER_INPUT");
    }
    assert_eq!(send(&app, get("variables={}"), "").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(send(&app, get("query={__typename}&variables=[1]"), "").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_is_not_a_graphql_request_is_refused_with_a_graphql_error() {
    let app = TestApp::new(On::Sqlite).await;
    let large = format!("{{\"query\":\"{}\"}}", "#".repeat(256 * 1024));
    let form = Request::post("/graphql").header(header::CONTENT_TYPE, "text/plain");
    let cases = [
        (form, SERVICES.to_owned(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (Request::post("/graphql"), SERVICES.to_owned(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (post(), large, StatusCode::PAYLOAD_TOO_LARGE),
        (post(), "{".to_owned(), StatusCode::BAD_REQUEST),
        (post(), format!("[{SERVICES}]"), StatusCode::BAD_REQUEST),
        (post(), "{}".to_owned(), StatusCode::BAD_REQUEST),
        (post(), r#"{"query":7}"#.to_owned(), StatusCode::BAD_REQUEST),
        (post(), r#"{"query":"{a}","variables":[]}"#.to_owned(), StatusCode::BAD_REQUEST),
        (post().method(Method::PUT), SERVICES.to_owned(), StatusCode::METHOD_NOT_ALLOWED),
        (post().header(header::ACCEPT, "text/html"), SERVICES.to_owned(), StatusCode::NOT_ACCEPTABLE),
    ];
    for (request, body, status) in cases {
        let shown = body.chars().take(40).collect::<String>();
        let answer = send(&app, request, body).await;
        assert_eq!((answer.status, answer.code()), (status, "BAD_USER_INPUT"), "{shown}");
        assert_eq!(
            answer.body["errors"][0]["extensions"]["requestId"],
            answer.header("x-request-id"),
            "{shown}"
        );
        assert!(answer.body.get("data").is_none(), "{shown}");
    }
    let answer = send(&app, Request::get("/nothing"), "").await;
    assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "NOT_FOUND"));
}

#[tokio::test]
async fn the_status_tells_whether_the_operation_ran_when_the_client_asks_for_that_type() {
    let app = TestApp::new(On::Sqlite).await;
    for (query, code) in [("{", "GRAPHQL_PARSE_FAILED"), ("{ nothing }", "GRAPHQL_VALIDATION_FAILED")] {
        let body = json!({ "query": query }).to_string();
        let plain = send(&app, post(), body.clone()).await;
        let typed = send(&app, post().header(header::ACCEPT, GRAPHQL_RESPONSE), body).await;
        assert_eq!((plain.status, plain.code()), (StatusCode::OK, code));
        assert_eq!((typed.status, typed.code()), (StatusCode::BAD_REQUEST, code));
        assert_eq!(typed.header(header::CONTENT_TYPE), "application/graphql-response+json; charset=utf-8");
        assert!(typed.body.get("data").is_none());
    }
    // An error at a field is part of an answer.
    let body = r#"{"query":"{ __typename service(id: \"svc_00000000000000000000000000\") { id } }"}"#;
    let answer = send(&app, post().header(header::ACCEPT, GRAPHQL_RESPONSE), body).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::OK, "UNAUTHENTICATED"));
    assert_eq!(answer.body["data"]["__typename"], "Query");
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_401() {
    let app = TestApp::new(On::Sqlite).await;
    let good = token(&app.workspace("north").await).await;
    for value in ["Bearer nonsense", "Bearer ", "Basic abc", &good, &format!("Bearer {good}x")] {
        let answer = send(&app, post().header("authorization", value), SERVICES).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"), "{value}");
        assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Bearer");
    }
    app.app.clock.advance(std::time::Duration::from_secs(11 * 60));
    let answer = send(&app, post().header("authorization", format!("Bearer {good}")), SERVICES).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn health_tells_of_the_process_and_of_the_database() {
    for on in [On::Sqlite, On::Postgres] {
        let app = TestApp::new(on).await;
        assert_eq!(send(&app, Request::get("/livez"), "").await.status, StatusCode::OK);
        let ready = send(&app, Request::get("/readyz"), "").await;
        assert_eq!((ready.status, ready.body), (StatusCode::OK, json!("ok\n")));
        app.app.db.close().await;
        assert_eq!(send(&app, Request::get("/livez"), "").await.status, StatusCode::OK);
        assert_eq!(send(&app, Request::get("/readyz"), "").await.status, StatusCode::SERVICE_UNAVAILABLE);
    }
}

#[tokio::test]
async fn no_foreign_origin_may_read_answers_unless_configured() {
    let app = TestApp::new(On::Sqlite).await;
    let answer = send(&app, post().header(header::ORIGIN, "https://elsewhere.example"), SERVICES).await;
    assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "");
}

pub type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// Serves the application on a port of its own.
pub async fn serve(app: &TestApp) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router(app.app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

pub async fn connect(
    address: SocketAddr,
    protocol: &str,
) -> Result<Socket, tokio_tungstenite::tungstenite::Error> {
    let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
    Ok(tokio_tungstenite::connect_async(request).await?.0)
}

pub async fn say(socket: &mut Socket, message: Json) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

pub async fn hear(socket: &mut Socket) -> Json {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Close(Some(frame)) => return json!({ "close": u16::from(frame.code) }),
            // Where a test takes long, the server asks whether anybody is there.
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_query_over_a_websocket_is_answered_to_whom_the_first_message_names() {
    let app = TestApp::new(On::Sqlite).await;
    let token = token(&app.workspace("north").await).await;
    let address = serve(&app).await;
    let bearer = format!("Bearer {token}");
    for payload in [json!({ "authorization": bearer }), json!({ "headers": { "Authorization": bearer } })] {
        let mut socket = connect(address, "graphql-transport-ws").await.unwrap();
        say(&mut socket, json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(hear(&mut socket).await["type"], "connection_ack");
        let query = json!({ "query": "{ services { totalCount } }" });
        say(&mut socket, json!({ "type": "subscribe", "id": "1", "payload": query })).await;
        let next = hear(&mut socket).await;
        assert_eq!(next["payload"]["data"], json!({ "services": { "totalCount": 0 } }), "{next}");
        assert_eq!(hear(&mut socket).await, json!({ "type": "complete", "id": "1" }));
    }

    let mut anonymous = connect(address, "graphql-transport-ws").await.unwrap();
    say(&mut anonymous, json!({ "type": "connection_init" })).await;
    assert_eq!(hear(&mut anonymous).await["type"], "connection_ack");
    let query = json!({ "query": "{ services { totalCount } }" });
    say(&mut anonymous, json!({ "type": "subscribe", "id": "1", "payload": query })).await;
    let next = hear(&mut anonymous).await;
    assert_eq!(next["payload"]["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{next}");
}

#[tokio::test]
async fn a_websocket_that_does_not_keep_to_the_protocol_is_closed_with_its_code() {
    let app = TestApp::new(On::Sqlite).await;
    let address = serve(&app).await;
    let query = json!({ "query": "{ __typename }" });
    for (message, code) in [
        (json!({ "type": "connection_init", "payload": { "authorization": "Bearer nonsense" } }), 4403),
        (json!({ "type": "subscribe", "id": "1", "payload": query }), 4401),
        (json!({ "type": "an unknown message ".repeat(20) }), 4400),
    ] {
        let mut socket = connect(address, "graphql-transport-ws").await.unwrap();
        say(&mut socket, message.clone()).await;
        assert_eq!(hear(&mut socket).await, json!({ "close": code }), "{message}");
    }
    for protocol in ["graphql-ws", "mqtt"] {
        match connect(address, protocol).await {
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => assert_eq!(response.status(), 400),
            other => panic!("{protocol}: {:?}", other.map(|_| ())),
        }
    }
}
