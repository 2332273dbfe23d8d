//! What a connection is doing: whether a client keeps the server waiting.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Version;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::accept::Patience;

/// When what began, in milliseconds since the connection did, and one more: 0 is never.
#[derive(Default)]
struct Since(AtomicU64);

impl Since {
    fn start(&self, now: u64) {
        // What began earlier stays.
        let _ = self.0.compare_exchange(0, now + 1, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn stop(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn lasts(&self, now: u64) -> Option<u64> {
        let since = self.0.load(Ordering::Relaxed).checked_sub(1)?;
        Some(now.saturating_sub(since))
    }
}

/// What a connection is doing.
pub struct Activity {
    opened: Instant,
    requests: AtomicUsize,
    /// Whether a request was ever complete.
    used: AtomicBool,
    /// HTTP/2 has frames outside of requests, so bytes do not tell when a head began.
    multiplexed: AtomicBool,
    head: Since,
    idle: Since,
    blocked: Since,
}

/// What to do about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Fine,
    /// Nobody has asked anything for long.
    Idle,
    /// The client does not do its part.
    Stuck(&'static str),
}

impl Activity {
    pub fn new() -> Self {
        let activity = Self {
            opened: Instant::now(),
            requests: AtomicUsize::new(0),
            used: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            head: Since::default(),
            idle: Since::default(),
            blocked: Since::default(),
        };
        activity.idle.start(0);
        activity
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A request's head is complete.
    pub fn begin(this: &Arc<Self>, version: Version) -> UnderWay {
        this.requests.fetch_add(1, Ordering::Relaxed);
        this.used.store(true, Ordering::Relaxed);
        this.multiplexed.store(version == Version::HTTP_2, Ordering::Relaxed);
        this.head.stop();
        this.idle.stop();
        UnderWay(this.clone())
    }

    pub fn verdict(&self, patience: &Patience) -> Verdict {
        let now = self.now();
        let longer = |since: &Since, limit: std::time::Duration| {
            since.lasts(now).is_some_and(|lasts| u128::from(lasts) >= limit.as_millis())
        };
        if longer(&self.blocked, patience.write) {
            return Verdict::Stuck("nothing is read from it");
        }
        if self.requests.load(Ordering::Relaxed) > 0 {
            return Verdict::Fine;
        }
        if longer(&self.head, patience.head) && !self.multiplexed.load(Ordering::Relaxed) {
            return Verdict::Stuck("the head of a request does not come");
        }
        if !self.used.load(Ordering::Relaxed) && longer(&self.idle, patience.head) {
            return Verdict::Stuck("no request comes");
        }
        if longer(&self.idle, patience.idle) { Verdict::Idle } else { Verdict::Fine }
    }

    fn heard(&self) {
        if self.requests.load(Ordering::Relaxed) == 0 {
            self.head.start(self.now());
        }
    }
}

/// A request that is being answered, until the answer's last byte was taken.
pub struct UnderWay(Arc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.0.requests.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.idle.start(self.0.now());
        }
    }
}

/// An answer's body, with the mark that its request is under way.
pub struct Whole {
    body: Body,
    _under_way: UnderWay,
}

impl Whole {
    pub fn new(body: Body, under_way: UnderWay) -> Self {
        Self { body, _under_way: under_way }
    }
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection's stream, its reads and writes noted. It keeps `held` until it is closed.
pub struct Watched<S, H> {
    stream: S,
    activity: Arc<Activity>,
    _held: H,
}

impl<S, H> Watched<S, H> {
    pub fn new(stream: S, activity: Arc<Activity>, held: H) -> Self {
        Self { stream, activity, _held: held }
    }

    fn wrote<T>(&self, outcome: Poll<T>) -> Poll<T> {
        match outcome {
            Poll::Pending => self.activity.blocked.start(self.activity.now()),
            Poll::Ready(_) => self.activity.blocked.stop(),
        }
        outcome
    }
}

impl<S: AsyncRead + Unpin, H: Unpin> AsyncRead for Watched<S, H> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.heard();
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin, H: Unpin> AsyncWrite for Watched<S, H> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
