//! Which requests are let in to `/graphql`, how long they may take, and what they are told of their limits.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Sleep;

use super::Server;
use super::refuse::refuse;
use crate::access::actor::RequestInfo;
use crate::access::throttle::{Charge, whole_seconds};
use crate::error::Error;
use crate::metrics;

/// Requests that are answered at a time, and as many that wait for their turn.
const AT_A_TIME: usize = 256;
/// How long a request waits for its turn.
const TURN: Duration = Duration::from_secs(5);
/// How long a body may take to arrive.
const BODY: Duration = Duration::from_secs(30);
/// How long a request may take until its response begins: the body, its turn, and the operation's own deadline.
const REQUEST: Duration = Duration::from_secs(60);

/// Lets in as many requests as can be answered well, and refuses the others at once.
pub struct Gate {
    running: Semaphore,
    waiting: Semaphore,
    patience: Duration,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new(AT_A_TIME, AT_A_TIME, TURN)
    }
}

impl Gate {
    fn new(running: usize, waiting: usize, patience: Duration) -> Self {
        Self { running: Semaphore::new(running), waiting: Semaphore::new(waiting), patience }
    }

    /// A turn, at once or after a while; `None` when too many wait or it takes too long.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(turn) = self.running.try_acquire() {
            return Some(turn);
        }
        let _place = self.waiting.try_acquire().ok()?;
        tokio::time::timeout(self.patience, self.running.acquire()).await.ok()?.ok()
    }
}

/// Refuses what is too much or takes too long.
pub async fn admit(
    State(server): State<Server>,
    axum::Extension(info): axum::Extension<RequestInfo>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers().clone();
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        // A few bytes can unpack to any number.
        let error = Error::invalid_argument("Content-Encoding", "Send the request uncompressed.");
        return refuse(&headers, StatusCode::UNSUPPORTED_MEDIA_TYPE, error, &info.id);
    }
    let Some(_turn) = server.gate.turn().await else {
        metrics::shed();
        return refuse(&headers, StatusCode::SERVICE_UNAVAILABLE, Error::Unavailable("capacity"), &info.id);
    };
    let late = Arc::new(AtomicBool::new(false));
    let request = request.map(|body| Body::new(Punctual::new(body, BODY, late.clone())));
    match tokio::time::timeout(REQUEST, next.run(request)).await {
        Ok(_) if late.load(Ordering::Relaxed) => {
            let error = Error::invalid_argument("body", "The request did not arrive in time.");
            refuse(&headers, StatusCode::REQUEST_TIMEOUT, error, &info.id)
        }
        Ok(response) => response,
        Err(_) => refuse(&headers, StatusCode::SERVICE_UNAVAILABLE, Error::Unavailable("time"), &info.id),
    }
}

/// Charges requests without a sign-in to their address, and tells of all limits that the response was charged to.
pub async fn charge(
    State(server): State<Server>,
    axum::Extension(info): axum::Extension<RequestInfo>,
    request: Request,
    next: Next,
) -> Response {
    let throttle = &server.app.throttle;
    let ip: Option<IpAddr> = info.ip.as_deref().and_then(|ip| ip.parse().ok());
    let headers = request.headers().clone();
    let too_many = |charge: &Charge| {
        let error = charge.permit().err().unwrap_or(Error::Unavailable("limits"));
        refuse(&headers, StatusCode::TOO_MANY_REQUESTS, error, &info.id)
    };
    // A socket says later who it is; connections have limits of their own.
    let anonymous = !headers.contains_key(header::AUTHORIZATION) && !headers.contains_key(header::UPGRADE);
    let mut charged = match ip {
        Some(ip) if anonymous => throttle.charge_anonymous(ip),
        _ => Charge::default(),
    };
    if charged.refused.is_some() {
        let mut response = too_many(&charged);
        tell(&charged, &mut response);
        return response;
    }
    let mut response = next.run(request).await;
    if let Some(of_operation) = response.extensions().get::<Charge>() {
        charged = of_operation.clone();
        if charged.refused.is_some() {
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        }
    } else if let (Some(ip), StatusCode::UNAUTHORIZED) = (ip, response.status()) {
        // A token that is not accepted is no sign-in.
        charged = throttle.charge_anonymous(ip);
        if charged.refused.is_some() {
            response = too_many(&charged);
        }
    }
    tell(&charged, &mut response);
    response
}

/// `RateLimit-Policy` and `RateLimit` as in the IETF's draft of 2025, and how long to wait when refused.
fn tell(charge: &Charge, response: &mut Response) {
    if charge.standings.is_empty() {
        return;
    }
    let each = |text: &dyn Fn(&crate::access::throttle::Standing) -> String| {
        let items: Vec<_> = charge.standings.iter().map(text).collect();
        HeaderValue::from_str(&items.join(", ")).unwrap_or(HeaderValue::from_static(""))
    };
    let policy = each(&|standing| format!("\"{}\";q={};w=60", standing.policy, standing.per_minute));
    let state = each(&|standing| {
        format!("\"{}\";r={};t={}", standing.policy, standing.remaining, whole_seconds(standing.reset))
    });
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(HeaderName::from_static("ratelimit-policy"), policy);
    headers.insert(HeaderName::from_static("ratelimit"), state);
    if let Some(wait) = charge.refused {
        headers.insert(header::RETRY_AFTER, whole_seconds(wait).max(1).into());
    }
}

/// A body that fails when it has not arrived in time.
struct Punctual {
    body: Body,
    end: Pin<Box<Sleep>>,
    late: Arc<AtomicBool>,
}

impl Punctual {
    fn new(body: Body, time: Duration, late: Arc<AtomicBool>) -> Self {
        Self { body, end: Box::pin(tokio::time::sleep(time)), late }
    }
}

impl HttpBody for Punctual {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        match self.end.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.late.store(true, Ordering::Relaxed);
                Poll::Ready(Some(Err(axum::Error::new(std::io::Error::from(std::io::ErrorKind::TimedOut)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(60);

    #[tokio::test]
    async fn a_body_that_drips_fails_after_its_time() {
        let late = Arc::new(AtomicBool::new(false));
        let drops = futures::stream::unfold((), async |()| {
            tokio::time::sleep(MOMENT / 4).await;
            Some((Ok::<_, std::io::Error>("x"), ()))
        });
        let body = Body::new(Punctual::new(Body::from_stream(drops), MOMENT, late.clone()));
        assert!(axum::body::to_bytes(body, 1_000).await.is_err());
        assert!(late.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn who_has_no_place_is_refused_at_once_and_who_waits_too_long_later() {
        let gate = Gate::new(1, 1, MOMENT);
        let first = gate.turn().await.unwrap();
        let begun = tokio::time::Instant::now();
        let (waiting, ()) = tokio::join!(gate.turn(), async {
            assert!(gate.turn().await.is_none());
            assert!(begun.elapsed() < MOMENT);
        });
        assert!(waiting.is_none() && begun.elapsed() >= MOMENT);
        let (next, ()) = tokio::join!(gate.turn(), async { drop(first) });
        assert!(next.is_some());
    }
}
