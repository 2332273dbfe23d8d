//! What every response carries, and what is believed of requests.

use axum::Router;
use axum::routing::get as on_get;
use praxis::http::{router, routes};
use serde_json::json;

use super::{TYPENAME, get, post, send, with};
use crate::support::app::TestApp;
use crate::support::database::On;

const PROXY: &str = "10.1.2.3";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

async fn proxied() -> TestApp {
    TestApp::configured(On::Sqlite, |config| config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()])
        .await
}

#[tokio::test]
async fn every_response_is_closed_to_browsers() {
    let app =
        TestApp::configured(On::Sqlite, |config| config.public_url = "https://practice.example".into()).await;
    let router = router(app.app.clone());
    for request in [post(TYPENAME), post("{"), get("/nothing"), get("/livez"), get("/graphiql")] {
        let path = request.uri().to_string();
        let answer = send(&router, "192.0.2.1", request).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("strict-transport-security", "max-age=31536000"),
        ] {
            assert_eq!(answer.header(name), value, "{path}: {name}");
        }
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(answer.header("cache-control").contains("no-store"), "{path}");
    }
    let plain = TestApp::new(On::Sqlite).await;
    let answer = send(&praxis::http::router(plain.app.clone()), "192.0.2.1", post(TYPENAME)).await;
    assert_eq!(answer.header("strict-transport-security"), "", "a server without TLS promises none");
}

#[tokio::test]
async fn a_request_id_comes_from_a_trusted_proxy_or_from_here() {
    let app = proxied().await;
    let router = router(app.app.clone());
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    for (from, sent, expected) in [
        (PROXY, vec![("x-request-id", "from-the-edge")], Some("from-the-edge")),
        (PROXY, vec![("traceparent", parent.as_str())], Some(TRACE)),
        (PROXY, vec![("x-request-id", "edge"), ("traceparent", parent.as_str())], Some("edge")),
        (PROXY, vec![("x-request-id", "not an id")], None),
        ("192.0.2.1", vec![("x-request-id", "mine"), ("traceparent", parent.as_str())], None),
    ] {
        let request = sent.iter().fold(post("{"), |request, (name, value)| with(request, name, value));
        let answer = send(&router, from, request).await;
        let id = answer.header("x-request-id");
        match expected {
            Some(expected) => assert_eq!(id, expected, "{sent:?}"),
            None => assert_eq!(id.parse::<uuid::Uuid>().unwrap().get_version_num(), 7, "{sent:?}"),
        }
        assert_eq!(answer.json()["errors"][0]["extensions"]["requestId"], id, "{sent:?}");
    }
}

#[tokio::test]
async fn an_origin_that_is_allowed_may_call_and_read_what_a_client_needs() {
    let home = "https://app.example";
    let app = TestApp::configured(On::Sqlite, |config| config.allowed_origins = vec![home.into()]).await;
    let router = router(app.app.clone());
    let preflight = |origin: &str| {
        let request = axum::http::Request::options("/graphql").body(axum::body::Body::empty()).unwrap();
        let request = with(request, "origin", origin);
        let request = with(request, "access-control-request-method", "POST");
        with(request, "access-control-request-headers", "authorization,content-type")
    };
    let answer = send(&router, "192.0.2.1", preflight(home)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), home);
    assert!(answer.header("access-control-allow-methods").contains("POST"));
    for needed in ["authorization", "content-type", "last-event-id", "apollo-require-preflight"] {
        assert!(answer.header("access-control-allow-headers").contains(needed), "{needed}");
    }
    assert_eq!(answer.header("access-control-allow-credentials"), "");

    let answer = send(&router, "192.0.2.1", with(post(TYPENAME), "origin", home)).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, home));
    assert!(answer.headers.get_all("vary").iter().any(|vary| vary.to_str().unwrap().contains("origin")));
    for readable in ["x-request-id", "ratelimit", "ratelimit-policy", "retry-after"] {
        assert!(answer.header("access-control-expose-headers").contains(readable), "{readable}");
    }
    for stranger in ["https://elsewhere.example", "https://app.example.evil.example", "null"] {
        let answer = send(&router, "192.0.2.1", preflight(stranger)).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{stranger}");
        let answer = send(&router, "192.0.2.1", with(post(TYPENAME), "origin", stranger)).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{stranger}");
    }
}

#[tokio::test]
async fn long_answers_to_queries_are_compressed_and_those_to_mutations_never() {
    let app = TestApp::new(On::Sqlite).await;
    let router = router(app.app.clone());
    let aliases: String =
        (0..25).map(|n| format!("a_rather_long_alias_for_a_field_{n}: __typename ")).collect();
    let long = |kind: &str| json!({ "query": format!("{kind} {{ {aliases} }}") }).to_string();
    let asks = |body: &str| with(post(body), "accept-encoding", "gzip");

    let answer = send(&router, "192.0.2.1", asks(&long("query"))).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-encoding")),
        (200, "gzip"),
        "{}",
        answer.text()
    );
    assert!(answer.bytes.starts_with(&[0x1f, 0x8b]) && answer.bytes.len() < 1_024);

    let answer = send(&router, "192.0.2.1", asks(&long("mutation"))).await;
    assert!(answer.bytes.len() > 1_024, "{}", answer.text());
    assert_eq!(answer.header("content-encoding"), "");
    assert_eq!(send(&router, "192.0.2.1", asks(TYPENAME)).await.header("content-encoding"), "", "short");
    assert_eq!(
        send(&router, "192.0.2.1", post(&long("query"))).await.header("content-encoding"),
        "",
        "not asked"
    );
}

#[tokio::test]
async fn a_compressed_request_is_refused_before_it_is_read() {
    let app = TestApp::new(On::Sqlite).await;
    let router = router(app.app.clone());
    for coding in ["gzip", "br", "deflate, gzip", "zstd"] {
        let answer = send(&router, "192.0.2.1", with(post(TYPENAME), "content-encoding", coding)).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (415, "BAD_USER_INPUT"), "{coding}");
    }
    let answer = send(&router, "192.0.2.1", with(post(TYPENAME), "content-encoding", "identity")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_panic_is_one_internal_error_and_the_server_lives_on() {
    async fn panics() -> &'static str {
        panic!("{}", "a secret of a patient")
    }
    let app = TestApp::new(On::Sqlite).await;
    praxis::metrics::install();
    let router = routes(app.app.clone(), Router::new().route("/panics", on_get(panics))).public;
    let before = panics_counted();
    let answer = send(&router, "192.0.2.1", get("/panics")).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (500, "INTERNAL"));
    assert_eq!(answer.json()["errors"][0]["extensions"]["requestId"], answer.header("x-request-id"));
    assert!(!answer.text().contains("secret"), "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "private, no-store");
    assert_eq!(panics_counted(), before + 1);
    assert_eq!(send(&router, "192.0.2.1", post(TYPENAME)).await.status, 200);
}

fn panics_counted() -> u64 {
    let text = praxis::metrics::install().render();
    text.lines().find_map(|line| line.strip_prefix("panics_total ")).map_or(0, |count| count.parse().unwrap())
}
