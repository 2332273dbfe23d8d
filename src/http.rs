//! The server's side of HTTP: `/graphql` over POST, GET and WebSocket, health, and the GraphiQL page.

mod calendar;
pub mod graphiql;
mod health;
mod reply;
mod request;
mod websocket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, get};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::access::actor::RequestInfo;
use crate::access::sessions::Identity;
use crate::app::App;
use crate::error::{Error, Result};
use crate::graphql::endpoint::{Caller, Endpoint};
use crate::graphql::error::Code;
use reply::Media;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is kept of a client's name for itself.
const MAX_USER_AGENT: usize = 255;

/// What every handler works with.
#[derive(Clone)]
struct Server {
    app: Arc<App>,
    endpoint: Endpoint,
}

/// All routes of the server.
pub fn router(app: Arc<App>) -> Router {
    let server = Server { endpoint: Endpoint::new(app.clone()), app };
    let config = &server.app.config;
    let pages = if config.graphiql { graphiql::routes() } else { Router::new() };
    let cors = cors(&config.allowed_origins);
    Router::new()
        .route("/graphql", any(request::graphql))
        .route("/calendar/{name}", get(calendar::read))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(server.clone(), identify))
        .with_state(server)
        .merge(pages)
        .layer(cors)
}

async fn unknown(headers: HeaderMap, axum::Extension(request): axum::Extension<RequestInfo>) -> Response {
    let media = Media::of(&headers).unwrap_or_default();
    reply::refusal(media, StatusCode::NOT_FOUND, Code::NotFound, "There is nothing here.", &request.id)
}

/// Gives the request its id, and the response the headers that all of them have.
async fn identify(State(server): State<Server>, mut request: Request, next: Next) -> Response {
    let id = server.app.clock.new_uuid().to_string();
    let info = RequestInfo {
        ip: request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map(|peer| peer.ip().to_canonical().to_string()),
        user_agent: request
            .headers()
            .get(header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok())
            .map(|agent| agent.chars().take(MAX_USER_AGENT).collect()),
        id: id.clone(),
    };
    request.extensions_mut().insert(info);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, HeaderValue::from_str(&id).expect("a UUID is a header's value"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// No credentials: a browser sends its token itself, `/graphql` knows no cookie.
fn cors(origins: &[String]) -> CorsLayer {
    let origin = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| match HeaderValue::from_str(origin) {
            Ok(value) => Some(value),
            Err(_) => {
                tracing::warn!(origin, "not an origin; browsers there cannot call");
                None
            }
        }))
    };
    CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT])
        .expose_headers([REQUEST_ID])
        .max_age(Duration::from_secs(3_600))
}

impl Server {
    /// Who calls, by the `Authorization` header; nobody without one.
    async fn caller(&self, headers: &HeaderMap, request: RequestInfo) -> Result<Caller> {
        let identity = match headers.get(header::AUTHORIZATION) {
            None => None,
            Some(value) => {
                let value = value.to_str().map_err(|_| Error::Unauthenticated)?;
                Some(self.identity(value, &request).await?)
            }
        };
        Ok(Caller { identity, request })
    }

    /// The person behind `Bearer TOKEN`.
    async fn identity(&self, authorization: &str, request: &RequestInfo) -> Result<Identity> {
        let token = match authorization.trim().split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err(Error::Unauthenticated),
        };
        self.app.authenticate(token, request).await
    }
}
