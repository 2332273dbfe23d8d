//! Rate limits and load.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::IntoResponse;
use axum::routing::{any, get as on_get};
use praxis::access::throttle::Charge;
use praxis::config::Config;
use praxis::http::accept::Limits;
use praxis::http::{router, routes};
use serde_json::json;
use tokio::sync::{Notify, Semaphore};

use super::{TYPENAME, get, post, send, with};
use crate::http::{connect, hear, say};
use crate::support::app::TestApp;
use crate::support::database::On;

fn points(points: u32) -> NonZeroU32 {
    NonZeroU32::new(points).unwrap()
}

async fn limited(change: impl FnOnce(&mut Config)) -> TestApp {
    TestApp::configured(On::Sqlite, change).await
}

#[tokio::test]
async fn an_address_without_a_sign_in_has_so_many_requests() {
    let app = limited(|config| config.rate_limits.anonymous_requests_per_minute = points(6)).await;
    let router = router(app.app.clone());
    for left in [2, 1, 0] {
        let answer = send(&router, "192.0.2.1", post(TYPENAME)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), "\"anonymous\";q=6;w=60");
        let state = answer.header("ratelimit");
        assert!(state.starts_with(&format!("\"anonymous\";r={left};t=")), "{state}");
    }
    let answer = send(&router, "192.0.2.1", post(TYPENAME)).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (429, "RATE_LIMITED"));
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    assert_eq!(answer.json()["errors"][0]["extensions"]["retryAfterSeconds"], wait);
    assert!(answer.header("ratelimit").starts_with("\"anonymous\";r=0;t="), "{}", answer.header("ratelimit"));

    assert_eq!(send(&router, "192.0.2.2", post(TYPENAME)).await.status, 200, "another address");
    for path in ["/livez", "/readyz", "/metrics", "/graphiql"] {
        assert_ne!(send(&router, "192.0.2.1", get(path)).await.status, 429, "{path}");
    }
}

#[tokio::test]
async fn behind_a_proxy_it_is_the_client_who_is_limited() {
    let app = limited(|config| {
        config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        config.rate_limits.anonymous_requests_per_minute = points(2);
    })
    .await;
    let router = router(app.app.clone());
    let from = |client: &str| with(post(TYPENAME), "x-forwarded-for", client);
    assert_eq!(send(&router, "10.0.0.1", from("192.0.2.1")).await.status, 200);
    assert_eq!(
        send(&router, "10.0.0.1", from("203.0.113.5, 192.0.2.1")).await.status,
        429,
        "the same client"
    );
    assert_eq!(send(&router, "10.0.0.1", from("192.0.2.2")).await.status, 200);
    // Somebody else's word about an address counts for nothing.
    assert_eq!(send(&router, "198.51.100.1", from("192.0.2.3")).await.status, 200);
    assert_eq!(send(&router, "198.51.100.1", from("192.0.2.4")).await.status, 429);
}

#[tokio::test]
async fn tokens_that_are_not_accepted_are_charged_to_their_address() {
    let app = limited(|config| config.rate_limits.anonymous_requests_per_minute = points(4)).await;
    let router = router(app.app.clone());
    let guess = || with(post(TYPENAME), "authorization", "Bearer nonsense");
    assert_eq!(send(&router, "192.0.2.1", guess()).await.status, 401);
    assert_eq!(send(&router, "192.0.2.1", guess()).await.status, 401);
    let answer = send(&router, "192.0.2.1", guess()).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (429, "RATE_LIMITED"));
}

#[tokio::test]
async fn passwords_are_tried_so_often_from_one_address() {
    let app = limited(|config| config.rate_limits.sign_in_attempts_per_minute = points(2)).await;
    let router = router(app.app.clone());
    let attempt = || {
        let query =
            r#"mutation { signIn(input: {email: \"a@b.example\", password: \"wrong\"}) { accessToken } }"#;
        post(&format!(r#"{{"query":"{query}"}}"#))
    };
    for _ in 0..2 {
        assert_eq!(send(&router, "192.0.2.1", attempt()).await.code(), "UNAUTHENTICATED");
    }
    let answer = send(&router, "192.0.2.1", attempt()).await;
    assert_eq!(answer.code(), "RATE_LIMITED");
    assert!(answer.json()["errors"][0]["extensions"]["retryAfterSeconds"].as_u64().unwrap() <= 30);
    assert_eq!(send(&router, "192.0.2.2", attempt()).await.code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn what_an_operation_was_charged_is_told_and_a_refusal_is_429() {
    let app = limited(|config| {
        config.rate_limits.user_points_per_minute = points(100);
        config.rate_limits.workspace_points_per_minute = points(150);
    })
    .await;
    let (ada, bob) = (app.workspace("north").await, app.workspace("south").await);
    let mut colleague = ada.caller().identity.unwrap();
    colleague.user = bob.caller().identity.unwrap().user;
    let (application, identity) = (app.app.clone(), ada.caller().identity.unwrap());
    let charged =
        Router::new().route(
            "/charged",
            on_get(move || async move {
                axum::Extension(application.throttle.charge(&identity, 60)).into_response()
            }),
        );
    let router = routes(app.app.clone(), charged).public;
    let answer = send(&router, "192.0.2.1", with(get("/charged"), "authorization", "Bearer x")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("ratelimit-policy"), "\"user\";q=100;w=60, \"workspace\";q=150;w=60");
    let state = answer.header("ratelimit");
    assert!(state.starts_with("\"user\";r=40;t=36, \"workspace\";r=90;t=24"), "{state}");
    let answer = send(&router, "192.0.2.1", with(get("/charged"), "authorization", "Bearer x")).await;
    assert_eq!(answer.status, 429);
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((11..=12).contains(&wait), "twenty points at a hundred a minute: {wait}");

    // A colleague has points of their own, but the workspace has not.
    assert_eq!(app.app.throttle.charge(&colleague, 80).refused, None);
    let refused = app.app.throttle.charge(&colleague, 15);
    assert!(
        refused.refused.is_some() && refused.standings.last().unwrap().policy == "workspace",
        "{refused:?}"
    );
    assert!(matches!(refused.permit(), Err(praxis::error::Error::RateLimited { .. })));
}

#[tokio::test]
async fn limits_can_be_switched_off() {
    let app = limited(|config| {
        config.rate_limits.anonymous_requests_per_minute = points(1);
        config.rate_limits.user_points_per_minute = points(1);
        config.rate_limits.rate_limits = false;
    })
    .await;
    let router = router(app.app.clone());
    for _ in 0..5 {
        let answer = send(&router, "192.0.2.1", post(TYPENAME)).await;
        assert_eq!((answer.status.as_u16(), answer.header("ratelimit")), (200, ""));
    }
    let identity = app.workspace("north").await.caller().identity.unwrap();
    assert_eq!(app.app.throttle.charge(&identity, 1_000), Charge::default());
}

/// Routes of which `/busy` answers when it is released.
struct Busy {
    router: Router,
    entered: Arc<Semaphore>,
    release: Arc<Notify>,
}

impl Busy {
    fn new(app: &TestApp) -> Self {
        let (entered, release) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
        let (inside, go) = (entered.clone(), release.clone());
        let busy = any(move || async move {
            inside.add_permits(1);
            go.notified().await;
            "done"
        });
        let router = routes(app.app.clone(), Router::new().route("/busy", busy)).public;
        Self { router, entered, release }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_for_which_there_is_no_room_are_refused() {
    let app = limited(|config| config.rate_limits.rate_limits = false).await;
    let Busy { router, entered, release } = Busy::new(&app);
    // The longest there may be, so many that they take all of 64 MiB.
    let running: Vec<_> = (0..256)
        .map(|_| {
            let router = router.clone();
            let request = Request::post("/busy").body(Body::from(vec![b' '; 256 * 1024])).unwrap();
            tokio::spawn(async move { send(&router, "192.0.2.1", request).await })
        })
        .collect();
    entered.acquire_many(256).await.unwrap().forget();
    let answer = send(&router, "192.0.2.1", post(TYPENAME)).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "UNAVAILABLE"));
    assert_eq!(answer.header("retry-after"), "1");
    for answer in running {
        while !answer.is_finished() {
            release.notify_waiters();
            tokio::task::yield_now().await;
        }
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!(send(&router, "192.0.2.1", post(TYPENAME)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_can_be_answered_or_wait_is_refused_and_health_is_not() {
    let app = limited(|config| config.rate_limits.rate_limits = false).await;
    let Busy { router, entered, release } = Busy::new(&app);
    let address = super::listen(&app, router.clone(), Limits::of(&app.app.config)).await;
    let mut socket = connect(address, "graphql-transport-ws").await.unwrap();
    say(&mut socket, json!({ "type": "connection_init" })).await;
    assert_eq!(hear(&mut socket).await["type"], "connection_ack");
    let ask = || {
        let router = router.clone();
        tokio::spawn(async move { send(&router, "192.0.2.1", get("/busy")).await })
    };
    let running: Vec<_> = (0..256).map(|_| ask()).collect();
    entered.acquire_many(256).await.unwrap().forget();
    let waiting: Vec<_> = (0..256).map(|_| ask()).collect();
    // Those that wait have no sign to give; a moment is enough for them to get in line.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let answer = send(&router, "192.0.2.1", get("/busy")).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "UNAVAILABLE"));
    assert_eq!(answer.header("retry-after"), "1");
    let payload = json!({ "query": "{ __typename }" });
    say(&mut socket, json!({ "type": "subscribe", "id": "1", "payload": payload })).await;
    let refused = hear(&mut socket).await;
    assert_eq!(refused["payload"]["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{refused}");
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(send(&router, "192.0.2.1", get(path)).await.status, 200, "{path}");
    }
    assert!(entered.try_acquire().is_err(), "nobody else was let in");
    for answer in running.into_iter().chain(waiting) {
        while !answer.is_finished() {
            release.notify_waiters();
            tokio::task::yield_now().await;
        }
        assert_eq!(answer.await.unwrap().status, 200);
    }
}
