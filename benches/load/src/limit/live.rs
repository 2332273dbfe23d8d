//! L: one text for everybody who is connected, as it is.

use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use tokio::sync::broadcast;

type Announcements = broadcast::Sender<Utf8Bytes>;

pub fn routes() -> Router {
    let (announcements, _) = broadcast::channel(256);
    Router::new().route("/live", get(open)).route("/announce", get(announce)).with_state(announcements)
}

async fn open(State(announcements): State<Announcements>, upgrade: WebSocketUpgrade) -> Response {
    let announced = announcements.subscribe();
    upgrade
        .protocols(["graphql-transport-ws"])
        .read_buffer_size(2 * 1024)
        .write_buffer_size(0)
        .on_upgrade(|socket| pass_on(announced, socket))
}

async fn pass_on(mut announced: broadcast::Receiver<Utf8Bytes>, mut socket: WebSocket) {
    loop {
        tokio::select! {
            Ok(text) = announced.recv() => {
                if socket.send(Message::Text(text)).await.is_err() {
                    return;
                }
            }
            message = socket.recv() => {
                if !matches!(message, Some(Ok(_))) {
                    return;
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct Size {
    bytes: usize,
}

/// Announces a text of this size.
async fn announce(State(announcements): State<Announcements>, Query(size): Query<Size>) -> &'static str {
    // Nobody listens: then nobody is told.
    let _ = announcements.send("x".repeat(size.bytes).into());
    r#"{"data":{}}"#
}
