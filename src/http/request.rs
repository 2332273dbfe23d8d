//! `/graphql`: what is asked, and by which transport it is answered.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query, Request, State, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use async_graphql::parser::types::OperationType;

use super::reply::{self, Media};
use super::{Compressible, Server, admit, origin, sse, websocket};
use crate::access::actor::RequestInfo;
use crate::graphql::error::Code;
use crate::graphql::request::{Malformed, Request as Asked};

/// Why a request is not a GraphQL request.
struct Refusal {
    status: StatusCode,
    message: &'static str,
    /// The methods that would do.
    allow: Option<&'static str>,
}

const fn refusal(status: StatusCode, message: &'static str) -> Refusal {
    Refusal { status, message, allow: None }
}

impl From<Malformed> for Refusal {
    fn from(Malformed(message): Malformed) -> Self {
        refusal(StatusCode::BAD_REQUEST, message)
    }
}

/// `/graphql`: POST, GET for queries, and the upgrade to a WebSocket.
pub async fn graphql(State(server): State<Arc<Server>>, request: Request) -> Response {
    admit::pass(&server, request, |parts, body| respond(server.clone(), parts, body)).await
}

async fn respond(server: Arc<Server>, mut parts: Parts, body: Vec<u8>) -> Response {
    let info = parts.extensions.get::<RequestInfo>().cloned().unwrap_or_default();
    if parts.method == Method::GET && is_upgrade(&parts.headers) {
        return match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => websocket::open(server, info, &parts.headers, upgrade),
            Err(_) => {
                let message = "This is not the handshake of a WebSocket.";
                reply::refusal(Media::Json, StatusCode::BAD_REQUEST, Code::BadUserInput, message, &info.id)
            }
        };
    }
    let media = Media::of(&parts.headers);
    let asked = decode(&server, &parts, &body);
    let outcome = match (media, asked) {
        (Some(media), Ok(asked)) => run(&server, &info, &parts, media, asked).await,
        (_, Err(refusal)) => Err(refusal),
        (None, Ok(_)) => Err(refusal(
            StatusCode::NOT_ACCEPTABLE,
            "The response is application/json, application/graphql-response+json or text/event-stream.",
        )),
    };
    outcome.unwrap_or_else(|Refusal { status, message, allow }| {
        let code = if status == StatusCode::FORBIDDEN { Code::Forbidden } else { Code::BadUserInput };
        // An event stream says what is wrong before it is one.
        let media = media.filter(|media| *media != Media::EventStream).unwrap_or_default();
        let mut response = reply::refusal(media, status, code, message, &info.id);
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    })
}

async fn run(
    server: &Server,
    info: &RequestInfo,
    parts: &Parts,
    media: Media,
    asked: Asked,
) -> Result<Response, Refusal> {
    let guest = match server.guest(&parts.headers, info.clone()).await {
        Ok(guest) => guest,
        Err(error) => return Ok(reply::unidentified(media, error, &info.id)),
    };
    let prepared = server.endpoint.prepare(&asked);
    if let Ok(prepared) = &prepared {
        // A link or an image must not change anything: GET only reads.
        if parts.method == Method::GET && prepared.kind == OperationType::Mutation {
            return Err(Refusal {
                status: StatusCode::METHOD_NOT_ALLOWED,
                message: "Send mutations by POST.",
                allow: Some("POST"),
            });
        }
        if media != Media::EventStream && prepared.kind == OperationType::Subscription {
            let message = "Subscribe with Accept: text/event-stream, or over a WebSocket.";
            return Err(refusal(StatusCode::NOT_ACCEPTABLE, message));
        }
    }
    let (prepared, charge) = server.endpoint.charge(prepared, guest.caller.identity.as_ref());
    // Tokens are in answers to mutations only.
    let compressible = prepared.as_ref().is_ok_and(|prepared| prepared.kind == OperationType::Query);
    let mut response = match (media, prepared) {
        // Done before the stream begins: within this request's turn, and whatever becomes of the stream.
        (Media::EventStream, Ok(prepared)) if prepared.kind != OperationType::Subscription => {
            sse::one(&server.endpoint.answer(prepared, guest.caller).await)
        }
        (Media::EventStream, prepared) if charge.refused.is_none() => {
            sse::stream(server, prepared, guest, &parts.headers)
        }
        (media, Ok(prepared)) => reply::answer(media, &server.endpoint.answer(prepared, guest.caller).await),
        (media, Err(refused)) => reply::refused(media, &server.endpoint.refuse(refused, info)),
    };
    if compressible {
        response.extensions_mut().insert(Compressible);
    }
    if !charge.standings.is_empty() {
        response.extensions_mut().insert(charge);
    }
    Ok(response)
}

fn decode(server: &Server, parts: &Parts, body: &[u8]) -> Result<Asked, Refusal> {
    match parts.method {
        Method::POST => {
            if !is_json(&parts.headers) {
                let message = "Send the request as application/json.";
                return Err(refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
            }
            Ok(Asked::from_json(body)?)
        }
        Method::GET => {
            if !origin::may_read(&server.app.config, &parts.headers) {
                return Err(refusal(StatusCode::FORBIDDEN, "Pages of other sites send requests by POST."));
            }
            let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
                .map_err(|_| refusal(StatusCode::BAD_REQUEST, "The query string cannot be read."))?;
            Ok(Asked::from_query_string(pairs.into_iter())?)
        }
        _ => Err(Refusal {
            status: StatusCode::METHOD_NOT_ALLOWED,
            message: "Use POST, or GET for queries.",
            allow: Some("GET, POST"),
        }),
    }
}

/// Only this type: the others can be sent by a form of a foreign page without the browser asking first.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(media), None) = (types.next(), types.next()) else { return false };
    let Ok(media) = media.to_str() else { return false };
    let mut parts = media.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            matches!(value.trim().trim_matches('"').to_ascii_lowercase().as_str(), "utf-8" | "utf8")
        }
        _ => true,
    });
    is_json && is_utf8
}

pub fn is_upgrade(headers: &HeaderMap) -> bool {
    headers
        .get(header::UPGRADE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"))
}
