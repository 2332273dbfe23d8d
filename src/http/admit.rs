//! Which requests are let in to `/graphql`, how long they may take, and what they are told of their limits.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use futures::StreamExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Server;
use super::refuse::{Form, refuse};
use super::request::is_upgrade;
use crate::access::actor::RequestInfo;
use crate::access::throttle::{Charge, Standing, whole_seconds};
use crate::error::Error;
use crate::metrics;

/// Requests that are answered at a time, and as many that wait for their turn.
const AT_A_TIME: usize = 256;
/// How long a request waits for its turn.
const TURN: Duration = Duration::from_secs(5);
/// Bytes of a request's body.
const MAX_BODY: usize = 256 * 1024;
/// Bytes of all bodies that are held at a time: while they come, while their requests wait, until they are answered.
const BODIES: usize = 64 << 20;
/// How long a body may take to arrive.
const BODY: Duration = Duration::from_secs(30);
/// How long a request may take until its response begins: a little more than the operation's own deadline.
const REQUEST: Duration = Duration::from_secs(15);

/// Lets in as many requests as can be answered well, and refuses the others at once.
pub struct Gate {
    running: Semaphore,
    waiting: Semaphore,
    patience: Duration,
    bodies: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new(AT_A_TIME, AT_A_TIME, TURN, BODIES)
    }
}

impl Gate {
    fn new(running: usize, waiting: usize, patience: Duration, bodies: usize) -> Self {
        Self {
            running: Semaphore::new(running),
            waiting: Semaphore::new(waiting),
            patience,
            bodies: Semaphore::new(bodies),
        }
    }

    /// A turn, at once or after a while; `None` when too many wait or it takes too long.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let turn = self.wait().await;
        if turn.is_none() {
            metrics::shed();
        }
        turn
    }

    async fn wait(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(turn) = self.running.try_acquire() {
            return Some(turn);
        }
        let _place = self.waiting.try_acquire().ok()?;
        tokio::time::timeout(self.patience, self.running.acquire()).await.ok()?.ok()
    }

    /// The whole body, when it comes in time and is not too long; with it, its share of what all bodies may take.
    async fn body(&self, body: Body, time: Duration) -> Result<(Vec<u8>, SemaphorePermit<'_>), Unread> {
        let read = async {
            let mut share = self.bodies.try_acquire_many(0).map_err(|_| Unread::Crowded)?;
            let mut whole = Vec::new();
            let mut parts = body.into_data_stream();
            while let Some(part) = parts.next().await {
                let part = part.map_err(|_| Unread::Broken)?;
                if whole.len() + part.len() > MAX_BODY {
                    return Err(Unread::TooLarge);
                }
                let size = u32::try_from(part.len()).map_err(|_| Unread::TooLarge)?;
                share.merge(self.bodies.try_acquire_many(size).map_err(|_| Unread::Crowded)?);
                whole.extend_from_slice(&part);
            }
            Ok((whole, share))
        };
        tokio::time::timeout(time, read).await.unwrap_or(Err(Unread::Late))
    }
}

/// [`pass`] for routes that know nothing of it.
pub async fn layer(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    pass(&server, request, |parts, body| next.run(Request::from_parts(parts, Body::from(body)))).await
}

/// Lets a request in to whoever answers it, with its whole body. Charges requests without a sign-in to their address,
/// refuses what is too much or takes too long, and tells of all limits that the response was charged to.
pub async fn pass<A>(
    server: &Server,
    request: Request,
    answer: impl FnOnce(Parts, Vec<u8>) -> A + Send,
) -> Response
where
    A: Future<Output = Response> + Send,
{
    let throttle = &server.app.throttle;
    let visitor = Visitor::of(&request);
    let mut charged = match visitor.info.ip {
        Some(ip) if visitor.anonymous => throttle.charge_anonymous(ip),
        _ => Charge::default(),
    };
    if charged.refused.is_some() {
        let mut response = visitor.too_many(&charged);
        tell(&charged, &mut response);
        return response;
    }
    let mut response = match admitted(&server.gate, request).await {
        Ok((parts, body, _held)) => {
            // Boxed: it is large, and everything around it would hold and move it.
            let answer = tokio::time::timeout(REQUEST, Box::pin(answer(parts, body))).await;
            answer.unwrap_or_else(|_| visitor.refuse(unavailable("time")))
        }
        Err(refusal) => visitor.refuse(refusal),
    };
    if let Some(of_operation) = response.extensions_mut().remove::<Charge>() {
        charged = of_operation;
        if charged.refused.is_some() {
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        }
    } else if let (Some(ip), false, true) =
        (visitor.info.ip, visitor.anonymous, response.status().is_client_error())
    {
        // What is refused before anybody looks at the token, and a token that is not accepted, are no sign-in.
        charged = throttle.charge_anonymous(ip);
        if charged.refused.is_some() {
            response = visitor.too_many(&charged);
        }
    }
    tell(&charged, &mut response);
    response
}

/// What is known of a request before it is let in.
struct Visitor {
    info: RequestInfo,
    form: Form,
    /// It does not say who asks.
    anonymous: bool,
}

impl Visitor {
    fn of(request: &Request) -> Self {
        let headers = request.headers();
        // A socket says later who it is; connections have limits of their own.
        let is_socket = request.method() == Method::GET && is_upgrade(headers);
        let says_who = headers.contains_key(header::AUTHORIZATION) && request.uri().path() == "/graphql";
        Self {
            info: request.extensions().get::<RequestInfo>().cloned().unwrap_or_default(),
            form: Form::of(headers),
            anonymous: !is_socket && !says_who,
        }
    }

    fn refuse(&self, (status, error): Refusal) -> Response {
        refuse(self.form, status, error, &self.info.id)
    }

    fn too_many(&self, charge: &Charge) -> Response {
        let error = charge.permit().err().unwrap_or(Error::Unavailable("limits"));
        self.refuse((StatusCode::TOO_MANY_REQUESTS, error))
    }
}

/// What a request holds until it is answered: its body's share of the room for all bodies, and its turn.
type Held<'a> = (SemaphorePermit<'a>, SemaphorePermit<'a>);

/// With which status a request is refused, and why.
type Refusal = (StatusCode, Error);

fn unavailable(what: &'static str) -> Refusal {
    (StatusCode::SERVICE_UNAVAILABLE, Error::Unavailable(what))
}

/// The request with its whole body, when there is room for it, it comes in time, and it gets its turn.
async fn admitted(gate: &Gate, request: Request) -> Result<(Parts, Vec<u8>, Held<'_>), Refusal> {
    let refuse = |status, problem| Err((status, Error::invalid_argument("body", problem)));
    let encoded = request.headers().get(header::CONTENT_ENCODING);
    if encoded.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        // A few bytes can unpack to any number.
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send the request uncompressed.");
    }
    // All of it before a turn is taken: clients that send slowly would hold all turns.
    let (parts, body) = request.into_parts();
    let (body, share) = match gate.body(body, BODY).await {
        Ok(body) => body,
        Err(Unread::Crowded) => {
            metrics::shed();
            return Err(unavailable("capacity"));
        }
        Err(Unread::TooLarge) => {
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "The request has more than 256 KiB.");
        }
        Err(Unread::Late) => {
            return refuse(StatusCode::REQUEST_TIMEOUT, "The request did not arrive in time.");
        }
        Err(Unread::Broken) => return refuse(StatusCode::BAD_REQUEST, "The request broke off."),
    };
    let turn = gate.turn().await.ok_or_else(|| unavailable("capacity"))?;
    Ok((parts, body, (share, turn)))
}

/// Why there is no body.
#[derive(Debug, PartialEq, Eq)]
enum Unread {
    TooLarge,
    Late,
    /// What came may look complete; the client did not say that it is.
    Broken,
    /// The bodies of others take up all the room.
    Crowded,
}

/// `RateLimit-Policy` and `RateLimit` as in the IETF's draft of 2025, and how long to wait when refused.
fn tell(charge: &Charge, response: &mut Response) {
    if charge.standings.is_empty() {
        return;
    }
    let (mut policies, mut state) = (String::with_capacity(64), String::with_capacity(64));
    for (index, standing) in charge.standings.iter().enumerate() {
        let Standing { policy, per_minute, remaining, reset } = standing;
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(policies, "{comma}\"{policy}\";q={per_minute};w=60");
        let _ = write!(state, "{comma}\"{policy}\";r={remaining};t={}", whole_seconds(*reset));
    }
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, text) in [("ratelimit-policy", policies), ("ratelimit", state)] {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if let Some(wait) = charge.refused {
        headers.insert(header::RETRY_AFTER, whole_seconds(wait).max(1).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(60);

    #[tokio::test]
    async fn a_body_is_taken_whole_or_not_at_all() {
        let gate = Gate::default();
        let read = async |parts: Vec<Result<Vec<u8>, std::io::Error>>| {
            gate.body(Body::from_stream(futures::stream::iter(parts)), MOMENT).await.map(|(body, _)| body)
        };
        assert_eq!(read(vec![Ok(b"{".into()), Ok(b"}".into())]).await, Ok(b"{}".into()));
        assert_eq!(read(vec![Ok(vec![0; MAX_BODY])]).await.map(|body| body.len()), Ok(MAX_BODY));
        assert_eq!(read(vec![Ok(vec![0; MAX_BODY]), Ok(vec![0])]).await, Err(Unread::TooLarge));
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert_eq!(read(vec![Ok(b"{}".into()), Err(broken)]).await, Err(Unread::Broken));
        let drops = futures::stream::unfold((), async |()| {
            tokio::time::sleep(MOMENT / 4).await;
            Some((Ok::<_, std::io::Error>("x"), ()))
        });
        assert_eq!(gate.body(Body::from_stream(drops), MOMENT).await.err(), Some(Unread::Late));
        assert_eq!(gate.bodies.available_permits(), BODIES, "everything was given back");
    }

    #[tokio::test]
    async fn all_bodies_together_take_so_much_and_not_more() {
        let gate = Gate::new(1, 1, MOMENT, 10);
        let read = |size: usize| gate.body(Body::from(vec![b' '; size]), MOMENT);
        let first = read(6).await.unwrap();
        assert_eq!(read(5).await.err(), Some(Unread::Crowded));
        let second = read(4).await.unwrap();
        assert_eq!(read(1).await.err(), Some(Unread::Crowded));
        drop(first);
        assert_eq!(read(6).await.unwrap().0.len(), 6);
        drop(second);
    }

    #[tokio::test]
    async fn who_has_no_place_is_refused_at_once_and_who_waits_too_long_later() {
        let gate = Gate::new(1, 1, MOMENT, BODIES);
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
