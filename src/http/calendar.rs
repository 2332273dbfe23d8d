//! `/calendar/TOKEN.ics`: a practitioner's appointments for a calendar program.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Server;
use crate::error::Error;
use crate::reminder::{feed, ics};

const CALENDAR: HeaderValue = HeaderValue::from_static("text/calendar; charset=utf-8");

/// The feed, or the same answer for every address that is none: mistyped, revoked, of a practice that is closed.
pub async fn read(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let file = match name.strip_suffix(".ics") {
        Some(token) => feed::read(&server.app, token).await,
        None => Err(Error::NotFound),
    };
    match file {
        Ok(file) => {
            let tag = ics::etag(&file);
            let known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| names(value, &tag));
            let tag = HeaderValue::from_str(&tag).expect("a tag is hexadecimal");
            if known {
                return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
            }
            ([(header::CONTENT_TYPE, CALENDAR), (header::ETAG, tag)], file).into_response()
        }
        Err(Error::NotFound) => (StatusCode::NOT_FOUND, "There is nothing here.\n").into_response(),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a calendar feed cannot be read");
            (StatusCode::SERVICE_UNAVAILABLE, "Please try again later.\n").into_response()
        }
    }
}

/// Whether `If-None-Match` names the tag. Weak comparison: a proxy that compresses marks tags as weak.
fn names(value: &HeaderValue, tag: &str) -> bool {
    let tags = value.to_str().unwrap_or_default().split(',').map(str::trim);
    tags.map(|named| named.strip_prefix("W/").unwrap_or(named)).any(|named| named == "*" || named == tag)
}
