//! What surrounds the endpoint: connections, headers, limits, health, and the way the process stops.

mod connections;
mod headers;
mod health;
mod limits;
mod process;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use praxis::http::accept::{self, Limits};
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use crate::support::app::TestApp;

const TYPENAME: &str = r#"{"query":"{ __typename }"}"#;

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Json {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into()
    }

    fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_else(|| panic!("{}", self.text()))
            .into()
    }
}

/// Sends the request as if it came from this address.
async fn send(router: &Router, from: &str, request: Request<Body>) -> Answer {
    let mut request = request;
    let peer = SocketAddr::new(from.parse::<IpAddr>().unwrap(), 4_711);
    request.extensions_mut().insert(ConnectInfo(peer));
    let (head, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap().into();
    Answer { status: head.status, headers: head.headers, bytes }
}

fn post(body: &str) -> Request<Body> {
    Request::post("/graphql")
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

fn with(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().append(name, value.parse().unwrap());
    request
}

/// Serves the routes on a port of their own until the application drains.
async fn listen(app: &TestApp, router: Router, limits: Limits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = app.app.shutdown.clone();
    tokio::spawn(async move { accept::serve(listener, router, limits, &shutdown).await });
    address
}

/// A connection on which bytes are written by hand.
struct Wire(TcpStream);

impl Wire {
    async fn open(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// What comes within this time, and whether the connection ended.
    async fn read_for(&mut self, time: Duration) -> (String, bool) {
        let mut text = Vec::new();
        let mut part = [0; 16 * 1024];
        let reading = async {
            loop {
                match self.0.read(&mut part).await {
                    Ok(0) | Err(_) => return,
                    Ok(count) => text.extend_from_slice(&part[..count]),
                }
            }
        };
        let ended = tokio::time::timeout(time, reading).await.is_ok();
        (String::from_utf8_lossy(&text).into(), ended)
    }

    /// Everything until the connection ends, which it must within a few seconds.
    async fn read_to_end(&mut self) -> String {
        self.read_to_end_of(Duration::from_secs(5)).await
    }

    async fn read_to_end_of(&mut self, time: Duration) -> String {
        let (text, ended) = self.read_for(time).await;
        assert!(ended, "the connection stays open after {text:?}");
        text
    }
}

fn request_text(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn graphql_text(body: &str, token: Option<&str>) -> String {
    let token = token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
    format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{token}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
