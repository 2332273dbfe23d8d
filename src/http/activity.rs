//! What a connection is doing: whether a client keeps the server waiting.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Version;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::accept::Patience;

/// Bytes of an answer that are handed out at once: what a client must take within [`Patience::write`].
const PART: usize = 16 * 1024;

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
    /// Since when the answers under way wait for their next part to be taken, by a number of theirs. An HTTP/2 client
    /// can take nothing of an answer while it reads all that is written to the connection.
    untaken: Mutex<HashMap<usize, u64>>,
    answers: AtomicUsize,
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
            untaken: Mutex::default(),
            answers: AtomicUsize::new(0),
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
        let untaken = self.untaken.lock().unwrap_or_else(PoisonError::into_inner).values().min().copied();
        if untaken.is_some_and(|since| u128::from(now.saturating_sub(since)) >= patience.write.as_millis()) {
            return Verdict::Stuck("an answer is not taken");
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

    /// Whether this answer waits for the client, from now on.
    fn waits(&self, answer: usize, waits: bool) {
        let mut untaken = self.untaken.lock().unwrap_or_else(PoisonError::into_inner);
        if waits {
            untaken.insert(answer, self.now());
        } else {
            untaken.remove(&answer);
        }
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

/// An answer's body, in parts, with the mark that its request is under way.
pub struct Whole {
    body: Body,
    /// What is left of a frame that was too long for one part.
    rest: Bytes,
    number: usize,
    under_way: UnderWay,
}

impl Whole {
    pub fn new(body: Body, under_way: UnderWay) -> Self {
        let number = under_way.0.answers.fetch_add(1, Ordering::Relaxed);
        let whole = Self { body, rest: Bytes::new(), number, under_way };
        whole.waits(true);
        whole
    }

    fn waits(&self, waits: bool) {
        self.under_way.0.waits(self.number, waits);
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        self.waits(false);
    }
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                other => {
                    // Now it is the client who waits.
                    self.waits(false);
                    return other;
                }
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let length = self.rest.len().min(PART);
        let part = self.rest.split_to(length);
        self.waits(true);
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::StreamExt;
    use futures::future::poll_fn;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(60);

    fn patience() -> Patience {
        Patience { write: MOMENT, ..Patience::default() }
    }

    async fn part(whole: &mut Whole) -> Option<Bytes> {
        let frame = poll_fn(|cx| Pin::new(&mut *whole).poll_frame(cx)).await?;
        frame.unwrap().into_data().ok()
    }

    #[tokio::test]
    async fn an_answer_is_handed_out_in_parts_and_loses_nothing() {
        let activity = Arc::new(Activity::new());
        let text: Vec<u8> = (0..=255).cycle().take(2 * PART + 5).collect();
        let mut whole = Whole::new(Body::from(text.clone()), Activity::begin(&activity, Version::HTTP_2));
        let (mut read, mut sizes) = (Vec::new(), Vec::new());
        while !whole.is_end_stream() {
            assert_eq!(whole.size_hint().exact(), Some((text.len() - read.len()) as u64));
            let part = part(&mut whole).await.unwrap();
            sizes.push(part.len());
            read.extend_from_slice(&part);
        }
        assert_eq!((read, sizes), (text, vec![PART, PART, 5]));
    }

    #[tokio::test]
    async fn an_answer_that_is_not_taken_is_told_from_one_that_has_nothing_to_take() {
        let activity = Arc::new(Activity::new());
        let stuck = || matches!(activity.verdict(&patience()), Verdict::Stuck(_));
        let events = futures::stream::iter([Ok::<_, io::Error>("event")]).chain(futures::stream::pending());
        let mut whole = Whole::new(Body::from_stream(events), Activity::begin(&activity, Version::HTTP_2));
        assert!(!stuck());
        tokio::time::sleep(MOMENT).await;
        assert!(stuck(), "nobody asks for its first part");
        assert!(part(&mut whole).await.is_some());
        assert!(!stuck());
        let waiting = tokio::time::timeout(2 * MOMENT, part(&mut whole)).await;
        assert!(waiting.is_err() && !stuck(), "it is the client who waits");
        drop(whole);
        assert!(!stuck() && activity.untaken.lock().unwrap().is_empty());
    }
}
