//! Responses: which media type, which status, and what is in the body (GraphQL over HTTP).

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::error::Error;
use crate::graphql::error::{self as graphql_error, Code};
use crate::graphql::frame::Refused;
use crate::json;

/// The two media types of a GraphQL response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Media {
    /// `application/json`: what a client gets that does not ask for the other. Answers 200 to any well-formed request.
    #[default]
    Json,
    /// `application/graphql-response+json`: the status tells whether the operation ran.
    GraphqlResponse,
    /// `text/event-stream`: one event for each response (graphql-sse, distinct connections).
    EventStream,
}

impl Media {
    /// The type that `Accept` prefers; `None` when it takes neither.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let ranges: Vec<_> = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(range)
            .collect();
        if ranges.is_empty() {
            return Some(Self::Json);
        }
        // The most specific range that matches a type gives its quality.
        let quality = |media: &str| {
            [media, "application/*", "*/*"].iter().find_map(|wanted| {
                ranges.iter().find(|(range, _)| range == wanted).map(|(_, quality)| *quality)
            })
        };
        // Only by its name: a wildcard means one response.
        let streams = ranges.iter().find(|(range, _)| range == "text/event-stream").map_or(0, |(_, q)| *q);
        let json = quality("application/json").unwrap_or(0);
        let response = quality("application/graphql-response+json").unwrap_or(0);
        let named = ranges.iter().any(|(range, _)| range == "application/graphql-response+json");
        if streams > json.max(response) || (streams > 0 && ranges[0].0 == "text/event-stream") {
            return Some(Self::EventStream);
        }
        match (json, response) {
            (0, 0) if streams > 0 => Some(Self::EventStream),
            (0, 0) => None,
            // A wildcard alone means any client at all, and those read plain JSON.
            (json, response)
                if response > json || (named && response == json && response > 0 && first(&ranges)) =>
            {
                Some(Self::GraphqlResponse)
            }
            (0, _) => Some(Self::GraphqlResponse),
            _ => Some(Self::Json),
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::EventStream => "text/event-stream; charset=utf-8",
        })
    }
}

/// Of two types with the same quality, the one that is named first.
fn first(ranges: &[(String, u16)]) -> bool {
    let place = |wanted: &str| ranges.iter().position(|(range, _)| range == wanted).unwrap_or(usize::MAX);
    place("application/graphql-response+json") < place("application/json")
}

/// One range of `Accept` with its quality in thousandths.
fn range(text: &str) -> Option<(String, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().filter(|range| range.contains('/'))?.to_ascii_lowercase();
    let quality = parts
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
        .and_then(|(_, value)| value.trim().parse::<f32>().ok())
        .unwrap_or(1.0);
    // Within 0 to 1, so the cast is exact enough.
    Some((range, (quality.clamp(0.0, 1.0) * 1_000.0) as u16))
}

/// What an operation answered.
pub fn answer(media: Media, response: &async_graphql::Response) -> Response {
    body(media, StatusCode::OK, json::response(response))
}

/// Why an operation was not run.
pub fn refused(media: Media, response: &async_graphql::Response) -> Response {
    let media = if media == Media::EventStream { Media::Json } else { media };
    let status = match media {
        Media::GraphqlResponse => StatusCode::BAD_REQUEST,
        Media::Json | Media::EventStream => StatusCode::OK,
    };
    body(media, status, serde_json::to_string(&Refused { errors: &response.errors }))
}

/// A request that does not get as far as an operation.
pub fn refusal(media: Media, status: StatusCode, code: Code, message: &str, request_id: &str) -> Response {
    let mut response = graphql_error::refuse(code, message);
    graphql_error::finish(&mut response, request_id);
    body(media, status, serde_json::to_string(&Refused { errors: &response.errors }))
}

/// A request whose sender could not be found out.
pub fn unidentified(media: Media, error: Error, request_id: &str) -> Response {
    let (code, message) = graphql_error::Error(error).code();
    match code {
        Code::Unauthenticated => {
            let mut response = refusal(media, StatusCode::UNAUTHORIZED, code, &message, request_id);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
        _ => refusal(media, StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, &message, request_id),
    }
}

fn body(media: Media, status: StatusCode, json: serde_json::Result<String>) -> Response {
    match json {
        Ok(json) => (status, [(header::CONTENT_TYPE, media.content_type())], json).into_response(),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a response is not JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_media_type_is_answered() {
        let graphql = "application/graphql-response+json";
        for (accept, media) in [
            ("", Some(Media::Json)),
            ("*/*", Some(Media::Json)),
            ("application/*", Some(Media::Json)),
            ("application/json", Some(Media::Json)),
            (graphql, Some(Media::GraphqlResponse)),
            ("application/graphql-response+json, application/json;q=0.9", Some(Media::GraphqlResponse)),
            ("application/json;q=0.5, application/graphql-response+json", Some(Media::GraphqlResponse)),
            ("application/graphql-response+json, application/json", Some(Media::GraphqlResponse)),
            ("application/json, application/graphql-response+json", Some(Media::Json)),
            ("application/graphql-response+json;q=0.1, */*;q=0.9", Some(Media::Json)),
            ("application/graphql-response+json; charset=utf-8", Some(Media::GraphqlResponse)),
            ("application/json;q=0, */*", Some(Media::GraphqlResponse)),
            ("text/event-stream", Some(Media::EventStream)),
            ("text/event-stream, application/json", Some(Media::EventStream)),
            ("application/json, text/event-stream", Some(Media::Json)),
            ("application/json;q=0.5, text/event-stream", Some(Media::EventStream)),
            ("text/*", None),
            ("text/html", None),
            ("application/json;q=0", None),
        ] {
            let mut headers = HeaderMap::new();
            if !accept.is_empty() {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(Media::of(&headers), media, "{accept}");
        }
    }
}
