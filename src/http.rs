//! The server's side of HTTP: `/graphql` over POST, GET and WebSocket, health, and the GraphiQL page.

pub mod accept;
mod activity;
mod admit;
mod around;
mod calendar;
mod client;
pub mod graphiql;
mod health;
pub mod network;
mod origin;
mod places;
mod refuse;
mod reply;
mod request;
mod sse;
mod websocket;

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::{any, get};
use axum::{Router, middleware};
use chrono::{DateTime, Utc};

pub use around::Compressible;

use crate::access::actor::RequestInfo;
use crate::access::sessions::Watch;
use crate::access::throttle::block;
use crate::app::App;
use crate::config::Profile;
use crate::error::{Error, Result};
use crate::graphql::endpoint::{Caller, Endpoint};
use crate::graphql::error::Code;
use crate::id::UserId;
use admit::Gate;
use around::Identify;
use client::Proxies;
use health::Readiness;
use places::{Holder, Place, Places};
use reply::Media;

/// What every handler works with.
struct Server {
    app: Arc<App>,
    endpoint: Endpoint,
    places: Places,
    proxies: Arc<Proxies>,
    gate: Arc<Gate>,
    readiness: Readiness,
}

/// What is served, and where.
pub struct Routes {
    /// At the public address.
    pub public: Router,
    /// At the internal address: health and metrics.
    pub internal: Router,
}

/// All routes of the public address.
pub fn router(app: Arc<App>) -> Router {
    routes(app, Router::new()).public
}

/// All routes. Those of `more` go through everything that surrounds `/graphql`.
pub fn routes(app: Arc<App>, more: Router) -> Routes {
    let server = Arc::new(Server::new(app));
    let config = &server.app.config;
    let state = || server.clone();
    let identify = || Identify(state());
    let graphql = Router::new()
        .route("/calendar/{name}", get(calendar::read))
        .with_state(state())
        .merge(more)
        .layer(middleware::from_fn_with_state(state(), admit::layer))
        // By itself: what it is asked comes through no boxes and copies.
        .merge(Router::new().route("/graphql", any(request::graphql)).with_state(state()));
    let health = health::routes().with_state(state());
    let metrics = health::metrics_route().with_state(state());
    let pages = if config.graphiql { graphiql::routes() } else { Router::new() };
    let metrics_are_public = config.admin_listen.is_none() && config.profile == Profile::Development;
    Routes {
        public: Router::new()
            .merge(graphql)
            .merge(pages)
            .merge(health.clone())
            .merge(if metrics_are_public { metrics.clone() } else { Router::new() })
            .fallback(unknown)
            // One layer: each is boxed for each route.
            .layer((identify(), around::cors(&config.allowed_origins), around::compression())),
        internal: health.merge(metrics).fallback(unknown).layer(identify()),
    }
}

async fn unknown(headers: HeaderMap, axum::Extension(request): axum::Extension<RequestInfo>) -> Response {
    let media = Media::of(&headers).unwrap_or_default();
    reply::refusal(media, StatusCode::NOT_FOUND, Code::NotFound, "There is nothing here.", &request.id)
}

/// Who calls, and until when that holds.
struct Guest {
    caller: Caller,
    until: Option<DateTime<Utc>>,
}

/// Somebody has as many sockets and streams as allowed.
struct TooMany;

impl Server {
    fn new(app: Arc<App>) -> Self {
        let config = &app.config;
        let proxies = Proxies { trusted: config.trusted_proxies.clone(), header: config.forwarded_header };
        Self {
            endpoint: Endpoint::new(app.clone()),
            places: Places::default(),
            proxies: Arc::new(proxies),
            gate: Arc::default(),
            readiness: Readiness::default(),
            app,
        }
    }

    /// A place for a socket or stream: of the user, or of the address that nobody has signed in from yet. `Err` when
    /// they have as many as allowed.
    fn seat(&self, user: Option<UserId>, request: &RequestInfo) -> Result<Option<Place>, TooMany> {
        let config = &self.app.config;
        let (holder, most) = match (user, request.ip) {
            (Some(user), _) => (Holder::User(user), config.sockets_per_user),
            (None, Some(ip)) => (Holder::Address(block(ip)), config.max_connections_per_address),
            (None, None) => return Ok(None),
        };
        self.places.take(holder, most).map(Some).ok_or(TooMany)
    }

    /// Watches the sign-in behind a socket or stream.
    fn watch(&self, guest: &Guest) -> Option<Watch> {
        let identity = guest.caller.identity.as_ref()?;
        Some(self.app.sessions.watch(identity.subject(), guest.until))
    }

    /// Who calls, by the `Authorization` header; nobody without one.
    async fn guest(&self, headers: &HeaderMap, request: RequestInfo) -> Result<Guest> {
        match headers.get(header::AUTHORIZATION) {
            None => Ok(Guest { caller: Caller { identity: None, request }, until: None }),
            Some(value) => {
                self.introduced(value.to_str().map_err(|_| Error::Unauthenticated)?, request).await
            }
        }
    }

    /// The person behind `Bearer TOKEN`.
    async fn introduced(&self, authorization: &str, request: RequestInfo) -> Result<Guest> {
        let token = match authorization.trim().split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err(Error::Unauthenticated),
        };
        let (identity, until) = self.app.authenticate(token, &request).await?;
        Ok(Guest { caller: Caller { identity: Some(identity), request }, until: Some(until) })
    }
}
