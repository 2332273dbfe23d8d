//! Who asks, and what else is due to every request, each at the least cost: the token's signature is checked once and its
//! sign-in is in memory, user and workspace pay a point, the request gets an id, and the response has all headers that
//! the server's have. The rows of sign-ins are not read: every few seconds, as the server does, it would not show.

use std::collections::HashMap;
use std::fmt::Write;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use praxis::access::actor::{Actor, RequestInfo};
use praxis::access::sessions::Identity;
use praxis::access::throttle::{Charge, Standing, Throttle, whole_seconds};
use praxis::access::token::{AccessTokens, Subject, TokenKeys};
use praxis::clock::Clock;
use praxis::config::RateLimits;
use praxis::id::AuthSessionId;
use praxis::member::entity::Role;
use uuid::Uuid;

use crate::Outcome;
use crate::site::{PUBLIC_URL, Site};

/// The headers that are the same in every response.
const HEADERS: [(HeaderName, HeaderValue); 10] = [
    (header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8")),
    (
        header::VARY,
        HeaderValue::from_static("origin, access-control-request-method, access-control-request-headers"),
    ),
    (
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("x-request-id,ratelimit,ratelimit-policy,retry-after"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// The tokens and sign-ins that are known, and what each may spend.
#[derive(Clone)]
pub struct SignIn(Arc<Inner>);

struct Inner {
    clock: Clock,
    tokens: AccessTokens,
    known: RwLock<HashMap<AuthSessionId, Arc<Identity>>>,
    throttle: Throttle,
}

impl SignIn {
    pub fn new(site: &Site) -> Outcome<Self> {
        let (config, clock) = (site.config()?, Clock::system());
        let keys = TokenKeys::load(&config.token_keys_file)?;
        // As high as the server's.
        let limits = RateLimits {
            user_points_per_minute: NonZeroU32::MAX,
            workspace_points_per_minute: NonZeroU32::MAX,
            ..config.rate_limits
        };
        Ok(Self(Arc::new(Inner {
            tokens: AccessTokens::new(keys, clock.clone(), PUBLIC_URL, "praxis"),
            clock,
            known: RwLock::default(),
            throttle: Throttle::new(&limits),
        })))
    }

    fn admit(&self, headers: &HeaderMap) -> Option<Charge> {
        let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        let subject = self.0.tokens.verify(token).ok()?.subject;
        let known =
            self.0.known.read().unwrap_or_else(PoisonError::into_inner).get(&subject.session).cloned();
        let identity = match known.filter(|known| known.subject() == subject) {
            Some(known) => known,
            None => self.meet(&subject),
        };
        Some(self.0.throttle.charge(&identity, 1)).filter(|charge| charge.refused.is_none())
    }

    /// Remembers a sign-in.
    fn meet(&self, subject: &Subject) -> Arc<Identity> {
        let actor = subject.seat.map(|(workspace, membership)| Actor {
            workspace,
            user: Some(subject.user),
            membership: Some(membership),
            session: Some(subject.session),
            role: Role::Owner,
            patient: None,
            request: RequestInfo::default(),
        });
        let (user, session) = (subject.user, subject.session);
        let identity =
            Arc::new(Identity { user, session, platform_admin: false, actor: actor.map(Arc::new) });
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(session, identity.clone());
        identity
    }
}

/// Lets in whoever has signed in and has points left.
pub async fn layer(State(sign_in): State<SignIn>, request: Request, next: Next) -> Response {
    let id = sign_in.0.clock.new_uuid();
    let Some(charge) = sign_in.admit(request.headers()) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let mut response = next.run(request).await;
    finish(response.headers_mut(), id, &charge);
    response
}

fn finish(headers: &mut HeaderMap, id: Uuid, charge: &Charge) {
    headers.reserve(16);
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    let (mut policies, mut state) = (String::with_capacity(64), String::with_capacity(64));
    for (index, standing) in charge.standings.iter().enumerate() {
        let Standing { policy, per_minute, remaining, reset } = standing;
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(policies, "{comma}\"{policy}\";q={per_minute};w=60");
        let _ = write!(state, "{comma}\"{policy}\";r={remaining};t={}", whole_seconds(*reset));
    }
    let mut text = Uuid::encode_buffer();
    let id = id.hyphenated().encode_lower(&mut text);
    for (name, text) in [("x-request-id", &*id), ("ratelimit-policy", &policies), ("ratelimit", &state)] {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
