//! Server-sent events: one operation per connection, as graphql-sse's "distinct connections" have it.
//!
//! The id of each event is the cursor of the change that it tells of. A client that lost the connection repeats
//! the request with `Last-Event-ID` and gets what it missed; browsers do so by themselves.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::Response as GraphqlResponse;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::future::OptionFuture;
use futures::stream::{BoxStream, StreamExt, unfold};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::places::Place;
use super::reply::{self, Media};
use super::{Guest, Server};
use crate::access::sessions::Watch;
use crate::graphql::document::{Prepared, Refusal};
use crate::graphql::error::Code;
use crate::graphql::frame::Frame;
use crate::metrics::Open;
use crate::shutdown::Drain;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// How often a silent stream says that it is alive, so that what is in between does not cut it.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Answers an operation by events.
pub fn stream(
    server: &Server,
    prepared: Result<Prepared, Refusal>,
    guest: Guest,
    headers: &HeaderMap,
) -> Response {
    let info = guest.caller.request.clone();
    let user = guest.caller.identity.as_ref().map(|identity| identity.user);
    let Ok(place) = server.seat(user, &info) else {
        let message = "You have too many streams open.";
        let status = StatusCode::TOO_MANY_REQUESTS;
        return reply::refusal(Media::Json, status, Code::RateLimited, message, &info.id);
    };
    let after = headers
        .get(LAST_EVENT_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| !id.is_empty())
        .map(str::to_owned);
    let until = guest.until;
    let watch = server.watch(&guest);
    let frames = match prepared {
        Ok(prepared) => server.endpoint.follow(prepared, guest.caller, after),
        Err(refusal) => {
            let refused = Arc::new(Frame::new(&server.endpoint.refuse(refusal, &info)));
            futures::stream::iter([refused]).boxed()
        }
    };
    let mut beat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = Events {
        frames,
        beat,
        drain: server.app.shutdown.subscribe(),
        _open: Open::stream("sse"),
        watch,
        is_over: Box::new({
            let app = server.app.clone();
            move || until.is_some_and(|until| until <= app.clock.now())
        }),
        _place: place,
    };
    let body = unfold(Some(events), async |events| events?.next().await);
    // Sent at once, so that the client knows that it is connected.
    let hello =
        futures::stream::once(async { Ok::<_, std::convert::Infallible>(Bytes::from_static(b":\n\n")) });
    (self::headers(), Body::from_stream(hello.chain(body.map(Ok)))).into_response()
}

/// A stream of one response.
pub fn one(response: &GraphqlResponse) -> Response {
    let body = format!(":\n\nevent: next\ndata: {}\n\nevent: complete\ndata:\n\n", Frame::new(response).json);
    (headers(), body).into_response()
}

fn headers() -> [(HeaderName, HeaderValue); 2] {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8")),
        // Proxies that collect responses would hold the events back.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ]
}

struct Events {
    frames: BoxStream<'static, Arc<Frame>>,
    beat: Interval,
    drain: Drain,
    _open: Open,
    /// Of whoever is signed in.
    watch: Option<Watch>,
    is_over: Box<dyn Fn() -> bool + Send>,
    _place: Option<Place>,
}

impl Events {
    /// What is sent next, and what comes after it. The stream just ends when the server stops or the token's time is
    /// over: the client comes back, with a fresh token, and goes on after the last event.
    async fn next(mut self) -> Option<(Bytes, Option<Self>)> {
        loop {
            tokio::select! {
                biased;
                () = self.drain.told() => return None,
                frame = self.frames.next() => {
                    if (self.is_over)() {
                        return None;
                    }
                    self.beat.reset();
                    return Some(match frame {
                        Some(frame) => (event(&frame), Some(self)),
                        None => (Bytes::from_static(b"event: complete\ndata:\n\n"), None),
                    });
                }
                Some(()) = OptionFuture::from(self.watch.as_ref().map(Watch::alarm)) => {
                    if (self.is_over)() {
                        return None;
                    }
                }
                _ = self.beat.tick() => return Some((Bytes::from_static(b":\n\n"), Some(self))),
            }
        }
    }
}

/// One response as an event. JSON has no line breaks of its own, so it is one line of data.
fn event(frame: &Frame) -> Bytes {
    let id = frame.cursor.as_ref().map(|cursor| format!("id: {cursor}\n")).unwrap_or_default();
    Bytes::from(format!("{id}event: next\ndata: {}\n\n", frame.json))
}
