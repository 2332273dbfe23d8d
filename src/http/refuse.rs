//! Responses of what stands around the endpoint: too much, too late, out of order. They read like the endpoint's own.

use async_graphql::{Pos, ServerError};
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::Error;
use crate::graphql::error as graphql_error;

#[derive(Serialize)]
struct Refused {
    errors: Vec<ServerError>,
}

/// The error as a GraphQL response, in the media type that the client asks for.
pub fn refuse(asked: &HeaderMap, status: StatusCode, error: Error, request_id: &str) -> Response {
    let wait = match error {
        Error::RateLimited { retry_after_seconds } => Some(retry_after_seconds),
        Error::Unavailable(_) => Some(1),
        _ => None,
    };
    let mut error = async_graphql::Error::from(graphql_error::Error(error)).into_server_error(Pos::default());
    // It is about no place in the document.
    error.locations.clear();
    let mut response = async_graphql::Response::from_errors(vec![error]);
    graphql_error::finish(&mut response, request_id);
    let mut response = (status, Json(Refused { errors: response.errors })).into_response();
    let accept = asked.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let kind = match accept.contains("application/graphql-response+json") {
        true => "application/graphql-response+json; charset=utf-8",
        false => "application/json; charset=utf-8",
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(wait) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, wait.into());
    }
    response
}
