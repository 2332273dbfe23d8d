//! The accept loop: how many connections, how long each may take, and how they end.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures::stream;
use praxis::http::accept::{Limits, Patience};
use praxis::http::{router, routes};
use tokio::io::AsyncWriteExt;

use super::{Wire, graphql_text, listen, request_text};
use crate::support::app::TestApp;
use crate::support::database::On;

const SECOND: Duration = Duration::from_secs(1);

fn limits() -> Limits {
    Limits {
        connections: 100,
        per_address: 100,
        proxies: Vec::new(),
        patience: Patience {
            head: Duration::from_millis(400),
            idle: Duration::from_millis(1_200),
            write: Duration::from_millis(400),
            check: Duration::from_millis(50),
        },
    }
}

async fn app() -> TestApp {
    TestApp::new(On::Sqlite).await
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let app = app().await;
    let address = listen(&app, router(app.app.clone()), limits()).await;
    for begun in ["", "P", "PRI * HT", "GET /livez HTTP/1.1\r\nHost: a\r\n"] {
        let started = Instant::now();
        let mut wire = Wire::open(address).await;
        wire.write(begun).await;
        assert_eq!(wire.read_to_end().await, "", "{begun:?}");
        assert!(started.elapsed() < SECOND, "{begun:?} {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_head_that_drips_ends_the_connection_also_after_a_good_request() {
    let app = app().await;
    let address = listen(&app, router(app.app.clone()), limits()).await;
    let mut wire = Wire::open(address).await;
    wire.write(&request_text("/livez")).await;
    let (answer, ended) = wire.read_for(Duration::from_millis(200)).await;
    assert!(answer.starts_with("HTTP/1.1 200") && !ended, "{answer}");
    let started = Instant::now();
    let mut ended = false;
    for byte in "GET /livez HTTP/1.1\r\nX-Slow: ".chars().chain(std::iter::repeat('x')) {
        // The write fails once the server has hung up.
        let _ = wire.0.try_write(&[u8::try_from(byte).unwrap()]);
        (_, ended) = wire.read_for(Duration::from_millis(50)).await;
        if ended || started.elapsed() > 3 * SECOND {
            break;
        }
    }
    assert!(ended && started.elapsed() < SECOND, "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_idle_connection_is_kept_for_the_next_request_and_not_for_ever() {
    let app = app().await;
    let address = listen(&app, router(app.app.clone()), limits()).await;
    let mut wire = Wire::open(address).await;
    for _ in 0..2 {
        wire.write(&request_text("/livez")).await;
        // Longer than a head may take: between requests there is more time.
        let (answer, ended) = wire.read_for(Duration::from_millis(700)).await;
        assert!(answer.starts_with("HTTP/1.1 200") && !ended, "{answer}");
    }
    assert_eq!(wire.read_to_end().await, "");
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_its_connection() {
    let app = app().await;
    praxis::metrics::install();
    let endless = Router::new().route(
        "/endless",
        get(|| async {
            let bytes = || Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 64 * 1024]));
            Body::from_stream(stream::repeat_with(bytes))
        }),
    );
    let address = listen(&app, routes(app.app.clone(), endless).public, limits()).await;
    let mut wire = Wire::open(address).await;
    wire.write(&request_text("/endless")).await;
    let started = Instant::now();
    for open in [1, 0] {
        while open_connections() != Some(open) && started.elapsed() < 5 * SECOND {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert!(started.elapsed() < 3 * SECOND, "{:?}", started.elapsed());
}

/// An HTTP/2 client that asks for something and never opens its window far enough for the answer.
#[tokio::test]
async fn a_client_that_takes_nothing_of_an_answer_loses_its_connection() {
    let app = app().await;
    let address = listen(&app, router(app.app.clone()), limits()).await;
    for window in [0, 1] {
        let mut wire = Wire::open(address).await;
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        // SETTINGS with INITIAL_WINDOW_SIZE; HEADERS of GET http://localhost/, the end of the request.
        bytes.extend([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, window]);
        bytes.extend([0, 0, 14, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 9]);
        bytes.extend(b"localhost");
        wire.0.write_all(&bytes).await.unwrap();
        let started = Instant::now();
        assert!(!wire.read_for(Duration::from_millis(200)).await.1, "the answer begins: {window}");
        wire.read_to_end().await;
        assert!(started.elapsed() < 4 * SECOND, "{window}: {:?}", started.elapsed());
    }
}

/// How many connections the process has open, as it says itself.
fn open_connections() -> Option<u64> {
    let text = praxis::metrics::install().render();
    text.lines().find_map(|line| line.strip_prefix("http_connections_open "))?.parse().ok()
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_a_proxy_more() {
    let app = app().await;
    let few = Limits { per_address: 2, connections: 3, ..limits() };
    let address = listen(&app, router(app.app.clone()), few.clone()).await;
    let mut first = Wire::open(address).await;
    first.write(&request_text("/livez")).await;
    assert!(first.read_for(Duration::from_millis(200)).await.0.starts_with("HTTP/1.1 200"));
    let mut second = Wire::open(address).await;
    second.write(&request_text("/livez")).await;
    assert!(second.read_for(Duration::from_millis(200)).await.0.starts_with("HTTP/1.1 200"));
    let refused = Wire::open(address).await.read_to_end().await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("Retry-After:"), "{refused}");

    drop(first);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut next = Wire::open(address).await;
    next.write(&request_text("/livez")).await;
    assert!(next.read_for(Duration::from_millis(200)).await.0.starts_with("HTTP/1.1 200"));

    // A proxy brings many clients; the limit on all holds for it too.
    let trusted = Limits { proxies: vec!["127.0.0.0/8".parse().unwrap()], ..few };
    let address = listen(&app, router(app.app.clone()), trusted).await;
    let mut all = Vec::new();
    for _ in 0..3 {
        let mut wire = Wire::open(address).await;
        wire.write(&request_text("/livez")).await;
        assert!(wire.read_for(Duration::from_millis(200)).await.0.starts_with("HTTP/1.1 200"));
        all.push(wire);
    }
    assert!(Wire::open(address).await.read_to_end().await.starts_with("HTTP/1.1 503"));
}

#[tokio::test]
async fn a_websocket_keeps_its_place_and_outlives_the_limits_of_requests() {
    let app = app().await;
    let address = listen(&app, router(app.app.clone()), Limits { per_address: 1, ..limits() }).await;
    let mut wire = Wire::open(address).await;
    wire.write(
        "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n",
    )
    .await;
    let (answer, ended) = wire.read_for(2 * SECOND).await;
    assert!(answer.starts_with("HTTP/1.1 101") && !ended, "{answer}");
    assert!(Wire::open(address).await.read_to_end().await.starts_with("HTTP/1.1 503"));
    drop(wire);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut next = Wire::open(address).await;
    next.write(&request_text("/livez")).await;
    assert!(next.read_for(Duration::from_millis(200)).await.0.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn what_is_in_flight_is_finished_and_nothing_new_is_taken() {
    let app = app().await;
    let slow = Router::new().route(
        "/slow",
        get(|| async {
            tokio::time::sleep(Duration::from_millis(600)).await;
            "finished"
        }),
    );
    let address = listen(&app, routes(app.app.clone(), slow).public, limits()).await;
    let mut idle = Wire::open(address).await;
    idle.write(&request_text("/livez")).await;
    assert!(idle.read_for(Duration::from_millis(100)).await.0.contains("200 OK"));
    let mut busy = Wire::open(address).await;
    busy.write(&request_text("/slow")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;

    let shutdown = &app.app.shutdown;
    shutdown.leave();
    let mut late = Wire::open(address).await;
    late.write(&request_text("/readyz")).await;
    let answer = late.read_to_end().await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.to_lowercase().contains("connection: close"),
        "{answer}"
    );

    shutdown.drain();
    assert_eq!(idle.read_to_end().await, "");
    assert!(!shutdown.finished(Duration::from_millis(50)).await);
    let answer = busy.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("finished"), "{answer}");
    assert!(shutdown.finished(SECOND).await);
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn two_operations_on_one_connection_are_answered_in_order() {
    let app = app().await;
    let address = listen(&app, router(app.app.clone()), limits()).await;
    let mut wire = Wire::open(address).await;
    let query = |alias: &str| graphql_text(&format!(r#"{{"query":"{{ {alias}: __typename }}"}}"#), None);
    wire.write(&format!("{}{}", query("one"), query("two"))).await;
    let (answers, ended) = wire.read_for(Duration::from_millis(400)).await;
    assert!(!ended, "{answers}");
    let place = |alias: &str| answers.find(&format!(r#"{{"data":{{"{alias}":"Query"}}"#)).unwrap();
    assert!(place("one") < place("two"), "{answers}");
}
