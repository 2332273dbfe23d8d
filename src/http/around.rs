//! What every request goes through on its way in and out: its id and trace, containment of panics, the headers that
//! all responses have, and the count of it.

use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument;
use uuid::Uuid;

use super::Server;
use super::client::{REQUEST_ID, Told};
use super::refuse::{Form, refuse};
use crate::access::actor::RequestInfo;
use crate::error::Error;
use crate::metrics;

/// What is kept of a client's name for itself.
const MAX_USER_AGENT: usize = 255;
/// Bytes from which compressing saves more than it costs.
const WORTH_COMPRESSING: u16 = 1_024;
/// For a year. Only of this host: what else runs beside it is not known here.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Marks a response to `/graphql` that may be compressed: one that carries no token. Compression lets whoever can
/// choose a part of an answer find out the rest of it from its length.
#[derive(Clone, Copy)]
pub struct Compressible;

/// [`identify`] as a layer.
#[derive(Clone)]
pub struct Identify(pub Arc<Server>);

/// Routes behind [`identify`].
#[derive(Clone)]
pub struct Identified<S> {
    server: Arc<Server>,
    routes: S,
}

impl<S> Layer<S> for Identify {
    type Service = Identified<S>;

    fn layer(&self, routes: S) -> Identified<S> {
        Identified { server: self.0.clone(), routes }
    }
}

impl<S> Service<Request> for Identified<S>
where
    S: Service<Request, Error = Infallible, Response: IntoResponse, Future: Send> + Clone + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Each request asks a copy of the routes.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Self { server, routes } = self.clone();
        identify(server, routes, request).map(Ok).boxed()
    }
}

/// Gives the request its id and the response the headers that all of them have, and answers for a handler that
/// panics.
async fn identify<S>(server: Arc<Server>, routes: S, mut request: Request) -> Response
where
    S: Service<Request, Error = Infallible, Response: IntoResponse>,
{
    let started = Instant::now();
    let peer = request.extensions().get::<ConnectInfo<std::net::SocketAddr>>().map(|peer| peer.ip());
    let told = server.proxies.believe(peer, request.headers());
    let (info, trace) = introduce(&server, request.headers(), told);
    let id = info.id.clone();
    request.extensions_mut().insert(info);

    let version = request.version();
    let method = method_name(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    let span = tracing::info_span!("request", %id, %trace, route, method);
    let form = Form::of(request.headers());
    let answer = AssertUnwindSafe(routes.oneshot(request)).catch_unwind().instrument(span.clone());
    let mut response = match answer.await {
        Ok(response) => response.into_response(),
        Err(panic) => span.in_scope(|| {
            report(&*panic);
            let error = Error::internal(std::io::Error::other("a handler panicked"));
            refuse(form, StatusCode::INTERNAL_SERVER_ERROR, error, &id)
        }),
    };
    finish(&server, response.headers_mut(), &id, version);

    let (status, elapsed) = (response.status().as_u16(), started.elapsed());
    metrics::request(route, method, status, elapsed);
    span.in_scope(|| tracing::debug!(status, milliseconds = elapsed.as_secs_f64() * 1_000.0, "answered"));
    response
}

/// Who asks, and the id of the trace. A request that belongs to no trace begins one, with its own id.
fn introduce(server: &Server, headers: &HeaderMap, told: Told) -> (RequestInfo, Arc<str>) {
    let own = server.app.clock.new_uuid();
    let mut text = Uuid::encode_buffer();
    let trace = told.trace_id.clone().unwrap_or_else(|| own.simple().encode_lower(&mut text).into());
    let user_agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let info = RequestInfo {
        id: told
            .request_id
            .or(told.trace_id)
            .unwrap_or_else(|| own.hyphenated().encode_lower(&mut text).into()),
        ip: told.ip,
        // Visible ASCII, so every byte begins a character.
        user_agent: user_agent.map(|agent| agent[..agent.len().min(MAX_USER_AGENT)].into()),
    };
    (info, trace)
}

/// Counts a panic and logs it, without its text: that may hold anything.
pub fn report(panic: &(dyn Any + Send)) {
    metrics::panicked();
    let constant = panic.downcast_ref::<&'static str>().copied();
    tracing::error!(panic = constant.unwrap_or("with a text of its own"), "a panic was contained");
}

fn finish(server: &Server, headers: &mut HeaderMap, id: &str, version: Version) {
    headers.reserve(16);
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    let absent = |headers: &mut HeaderMap, name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    absent(headers, header::CACHE_CONTROL, "private, no-store");
    absent(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    absent(headers, header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    absent(headers, header::X_FRAME_OPTIONS, "DENY");
    absent(headers, header::REFERRER_POLICY, "no-referrer");
    absent(headers, HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    absent(headers, HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if server.app.config.public_url.starts_with("https://") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    // The client's next request should go to a node that stays.
    if !server.app.shutdown.is_serving() && version <= Version::HTTP_11 {
        absent(headers, header::CONNECTION, "close");
    }
}

/// The method, when it is one that the server knows: everything else would be a series of its own.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        Method::HEAD => "HEAD",
        _ => "other",
    }
}

/// No credentials: a browser sends its token itself, `/graphql` knows no cookie.
pub fn cors(origins: &[String]) -> CorsLayer {
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
    let named = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            named("apollo-require-preflight"),
            named("apollographql-client-name"),
            named("apollographql-client-version"),
            named("last-event-id"),
        ])
        .expose_headers([REQUEST_ID, named("ratelimit"), named("ratelimit-policy"), header::RETRY_AFTER])
        .max_age(Duration::from_secs(3_600))
}

/// Compresses pages, and those answers that are marked [`Compressible`].
pub fn compression() -> CompressionLayer<impl Predicate> {
    let of_graphql = |_: StatusCode, _: Version, headers: &HeaderMap, extensions: &axum::http::Extensions| {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        !kind.contains("json") || extensions.get::<Compressible>().is_some()
    };
    let predicate = SizeAbove::new(WORTH_COMPRESSING)
        .and(NotForContentType::IMAGES)
        .and(NotForContentType::SSE)
        .and(of_graphql);
    CompressionLayer::new().gzip(true).compress_when(predicate)
}
