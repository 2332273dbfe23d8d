//! Decoding requests to `/graphql`.

use async_graphql::parser::types::OperationType;
use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::reply::{self, Media};
use super::{Compressible, Server, websocket};
use crate::access::actor::RequestInfo;
use crate::graphql::error::Code;

/// Bytes of a request's body.
const MAX_BODY: usize = 256 * 1024;

/// Why a request is not a GraphQL request.
struct Refusal {
    status: StatusCode,
    message: &'static str,
}

const fn refusal(status: StatusCode, message: &'static str) -> Refusal {
    Refusal { status, message }
}

/// The parameters of a request, as JSON body or in the query string.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    query: String,
    operation_name: Option<String>,
    variables: Option<Map<String, Value>>,
    extensions: Option<Map<String, Value>>,
}

/// The same in a query string, where objects are JSON texts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueryString {
    query: String,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

/// `/graphql`: POST, GET for queries, and the upgrade to a WebSocket.
pub async fn graphql(
    State(server): State<Server>,
    Extension(info): Extension<RequestInfo>,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
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
    match (media, decode(&parts, body).await) {
        (Some(media), Ok(request)) => run(&server, info, &parts, media, request).await,
        (media, Err(Refusal { status, message })) => {
            let mut response =
                reply::refusal(media.unwrap_or_default(), status, Code::BadUserInput, message, &info.id);
            if status == StatusCode::METHOD_NOT_ALLOWED {
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
            }
            response
        }
        (None, Ok(_)) => {
            let message = "The response is application/json or application/graphql-response+json.";
            reply::refusal(Media::Json, StatusCode::NOT_ACCEPTABLE, Code::BadUserInput, message, &info.id)
        }
    }
}

async fn run(
    server: &Server,
    info: RequestInfo,
    parts: &Parts,
    media: Media,
    request: async_graphql::Request,
) -> Response {
    let id = info.id.clone();
    // A link or an image must not change anything: GET only reads.
    if parts.method == Method::GET
        && server.endpoint.operation(&request).is_some_and(|kind| kind != OperationType::Query)
    {
        let message = "Send mutations by POST.";
        let mut response =
            reply::refusal(media, StatusCode::METHOD_NOT_ALLOWED, Code::BadUserInput, message, &id);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    // Tokens are in answers to mutations only.
    let compressible = server.endpoint.operation(&request) == Some(OperationType::Query);
    match server.caller(&parts.headers, info).await {
        Ok(caller) => {
            let mut response = reply::answer(media, &server.endpoint.answer(request, caller).await);
            if compressible {
                response.extensions_mut().insert(Compressible);
            }
            response
        }
        Err(error) => reply::unidentified(media, error, &id),
    }
}

async fn decode(parts: &Parts, body: Body) -> Result<async_graphql::Request, Refusal> {
    let parameters = match parts.method {
        Method::POST => {
            if !is_json(&parts.headers) {
                let message = "Send the request as application/json.";
                return Err(refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
            }
            let bytes = to_bytes(body, MAX_BODY)
                .await
                .map_err(|_| refusal(StatusCode::PAYLOAD_TOO_LARGE, "The request has more than 256 KiB."))?;
            from_body(&bytes)?
        }
        Method::GET => from_query(parts.uri.query().unwrap_or_default())?,
        _ => return Err(refusal(StatusCode::METHOD_NOT_ALLOWED, "Use POST, or GET for queries.")),
    };
    let mut request = async_graphql::Request::new(parameters.query);
    request.operation_name = parameters.operation_name;
    if let Some(variables) = parameters.variables {
        request.variables = async_graphql::Variables::from_json(Value::Object(variables));
    }
    for (name, value) in parameters.extensions.unwrap_or_default() {
        if let Ok(value) = async_graphql::Value::from_json(value) {
            request.extensions.insert(name, value);
        }
    }
    Ok(request)
}

fn from_body(bytes: &[u8]) -> Result<Parameters, Refusal> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|_| refusal(StatusCode::BAD_REQUEST, "The request is not JSON."))?;
    if value.is_array() {
        return Err(refusal(StatusCode::BAD_REQUEST, "Send one operation per request."));
    }
    serde_json::from_value(value).map_err(|_| {
        let message = "Expected an object with query, a text; operationName, a text; variables and extensions, objects.";
        refusal(StatusCode::BAD_REQUEST, message)
    })
}

fn from_query(text: &str) -> Result<Parameters, Refusal> {
    let uri = format!("/?{text}").parse().map_err(|_| not_parameters())?;
    let axum::extract::Query(query) =
        axum::extract::Query::<QueryString>::try_from_uri(&uri).map_err(|_| not_parameters())?;
    let object = |text: Option<String>| {
        text.filter(|text| !text.is_empty())
            .map(|text| {
                serde_json::from_str::<Option<Map<String, Value>>>(&text).map_err(|_| not_parameters())
            })
            .transpose()
            .map(Option::flatten)
    };
    Ok(Parameters {
        query: query.query,
        operation_name: query.operation_name.filter(|name| !name.is_empty()),
        variables: object(query.variables)?,
        extensions: object(query.extensions)?,
    })
}

fn not_parameters() -> Refusal {
    let message =
        "Expected the parameters query, operationName, and variables and extensions as JSON objects.";
    refusal(StatusCode::BAD_REQUEST, message)
}

/// Only this type: the others can be sent by a form of a foreign page without the browser asking first.
fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    headers
        .get(header::UPGRADE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"))
}
