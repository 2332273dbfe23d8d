//! `graphql-transport-ws`: operations and subscriptions over one WebSocket.
//!
//! The engine's loop speaks the protocol; its close codes are brought to those that the protocol asks for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_graphql::Data;
use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::extract::{FromRequestParts, WebSocketUpgrade};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use futures::{SinkExt, StreamExt};
use serde_json::Value;

use super::Server;
use super::reply::{self, Media};
use crate::access::actor::RequestInfo;
use crate::graphql::endpoint::Caller;
use crate::graphql::error::Code;

const PROTOCOL: &str = "graphql-transport-ws";
const MAX_MESSAGE: usize = 256 * 1024;
/// How long a client may take to say who it is.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// What the engine is told of a refused token; the code that the client gets follows from it.
const REFUSED: &str = "Forbidden";

/// Accepts the upgrade of a client that speaks the protocol.
pub fn open(server: Server, info: RequestInfo, headers: &HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let speaks = offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|protocol| protocol.trim() == PROTOCOL);
    if !speaks {
        let message = "The sub-protocol of the WebSocket must be graphql-transport-ws.";
        return reply::refusal(Media::Json, StatusCode::BAD_REQUEST, Code::BadUserInput, message, &info.id);
    }
    upgrade
        .protocols([PROTOCOL])
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(move |socket| serve(server, info, socket))
}

async fn serve(server: Server, info: RequestInfo, socket: WebSocket) {
    let Some(protocol) = protocol().await else { return };
    let (sink, stream) = socket.split();
    let sink = Box::pin(sink.with(async |message| Ok::<_, axum::Error>(with_protocol_code(message))));
    let introduced = Arc::new(AtomicBool::new(false));
    let said_hello = introduced.clone();
    let endpoint = server.endpoint.clone();
    let conversation = GraphQLWebSocket::new_with_pair(sink, stream, endpoint, protocol)
        .on_connection_init(async move |payload| {
            said_hello.store(true, Ordering::Release);
            let caller = introduce(&server, info, &payload).await?;
            let mut session = Data::default();
            session.insert(caller);
            Ok(session)
        })
        .serve();
    let silent = async {
        tokio::time::sleep(HANDSHAKE).await;
        if introduced.load(Ordering::Acquire) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = conversation => {}
        () = silent => {}
    }
}

/// The one protocol that is served, as the engine's type, which only a request makes.
async fn protocol() -> Option<GraphQLProtocol> {
    let request = Request::builder().header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL).body(()).ok()?;
    GraphQLProtocol::from_request_parts(&mut request.into_parts().0, &()).await.ok()
}

/// Who is on the other end, by the payload of `connection_init`: nobody when it holds no token.
async fn introduce(server: &Server, info: RequestInfo, payload: &Value) -> async_graphql::Result<Caller> {
    let Some(authorization) = token_in(payload) else {
        return Ok(Caller { identity: None, request: info });
    };
    match server.identity(authorization, &info).await {
        Ok(identity) => Ok(Caller { identity: Some(identity), request: info }),
        Err(_) => Err(async_graphql::Error::new(REFUSED)),
    }
}

/// `authorization` in any spelling, in the payload itself or in its `headers`.
fn token_in(payload: &Value) -> Option<&str> {
    let places = [Some(payload), payload.get("headers")];
    places.into_iter().flatten().find_map(|place| {
        let mut fields = place.as_object()?.iter();
        let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
        value.as_str()
    })
}

/// The engine closes with codes that make clients give up or that do not fit into a frame.
fn with_protocol_code(message: Message) -> Message {
    let Message::Close(Some(frame)) = message else { return message };
    let (code, reason) = match (frame.code, frame.reason.as_str()) {
        // A client gets itself a fresh token and comes back.
        (1002, REFUSED) => (4403, "Forbidden"),
        (1002, _) => (4400, "Invalid message"),
        (1011, _) => (4401, "Unauthorized"),
        (code, reason) if reason.len() <= 123 => (code, reason),
        (code, _) => (code, ""),
    };
    Message::Close(Some(CloseFrame { code, reason: reason.into() }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_token_is_found_however_the_client_writes_it() {
        for payload in [
            json!({ "authorization": "Bearer t" }),
            json!({ "Authorization": "Bearer t", "other": 1 }),
            json!({ "headers": { "AUTHORIZATION": "Bearer t" } }),
        ] {
            assert_eq!(token_in(&payload), Some("Bearer t"), "{payload}");
        }
        for payload in [json!(null), json!({}), json!({ "authorization": 1 }), json!("Bearer t")] {
            assert_eq!(token_in(&payload), None, "{payload}");
        }
    }
}
