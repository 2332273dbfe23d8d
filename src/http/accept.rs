//! Connections: how many there may be, how long each may take, and how they end when the process stops.
//!
//! The framework's own loop knows no time limits: a client that sends its head byte by byte would hold a connection
//! for ever.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::{Request, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tower::ServiceExt;

use super::activity::{Activity, Verdict, Watched, Whole};
use super::network::Network;
use crate::access::throttle::block;
use crate::config::Config;
use crate::metrics::{self, Open};
use crate::shutdown::{Drain, Shutdown};

/// Bytes of a request's head: a query of the longest document fits, written for a URL.
const MAX_HEAD: usize = 128 * 1024;
/// Bytes of the headers of an HTTP/2 request.
const MAX_HEADER_LIST: u32 = 16 * 1024;
const MAX_STREAMS: u32 = 100;
/// How often an HTTP/2 connection is asked whether anybody is there, and how long for an answer.
const PING: Duration = Duration::from_secs(20);
/// The longest pause after the system refused to hand out a connection.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// What a connection gets that is one too many.
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// What connections may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time, sockets included.
    pub connections: usize,
    /// Those of one address; a trusted proxy may have any number.
    pub per_address: usize,
    pub proxies: Vec<Network>,
    pub patience: Patience,
}

/// How long is waited for a client.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a request's head, from its first byte; and for the first request.
    pub head: Duration,
    /// For the next request on a connection.
    pub idle: Duration,
    /// For a client that does not take what is written to it.
    pub write: Duration,
    /// How often this is looked at.
    pub check: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            // Longer than a proxy keeps its idle connections: so the proxy closes first, and no request is lost.
            idle: Duration::from_secs(75),
            write: Duration::from_secs(30),
            check: Duration::from_secs(1),
        }
    }
}

impl Limits {
    pub fn of(config: &Config) -> Self {
        Self {
            connections: config.max_connections,
            per_address: config.max_connections_per_address,
            proxies: config.trusted_proxies.clone(),
            patience: Patience::default(),
        }
    }
}

/// Serves connections until the process drains. Returns then; [`Shutdown::finished`] waits for those still open.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, shutdown: &Shutdown) {
    let places = Arc::new(Places::default());
    let mut drain = shutdown.subscribe();
    let mut pause = Duration::ZERO;
    loop {
        let accepted = tokio::select! {
            biased;
            () = drain.told() => return,
            accepted = async {
                tokio::time::sleep(pause).await;
                listener.accept().await
            } => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = Duration::ZERO;
                match places.take(peer.ip(), &limits) {
                    Ok(place) => {
                        let connection = Connection { stream, peer, place, patience: limits.patience };
                        tokio::spawn(connection.serve(router.clone(), shutdown.subscribe()));
                    }
                    Err(limit) => {
                        metrics::connection_refused(limit);
                        // Whoever does not take even this much gets nothing.
                        let _ = stream.try_write(BUSY);
                    }
                }
            }
            // The client went away before it was served.
            Err(error) if is_of_the_client(&error) => {}
            // Out of files, most likely: it passes when a connection ends.
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "no connection can be accepted; trying again"
                );
                pause = (pause * 2).clamp(Duration::from_millis(50), LONGEST_PAUSE);
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// How many connections there are.
#[derive(Default)]
struct Places(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Places {
    /// A place for a connection, or the limit that refuses it.
    fn take(self: &Arc<Self>, ip: IpAddr, limits: &Limits) -> Result<Place, &'static str> {
        let from = block(ip);
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= limits.connections {
            return Err("all");
        }
        let of_address = taken.by_address.get(&from).copied().unwrap_or(0);
        if of_address >= limits.per_address && !limits.proxies.iter().any(|proxy| proxy.contains(ip)) {
            return Err("address");
        }
        taken.all += 1;
        taken.by_address.insert(from, of_address + 1);
        Ok(Place { places: self.clone(), from, _open: Open::connection() })
    }
}

/// Held by a connection for as long as its socket is open: also after it became a WebSocket.
struct Place {
    places: Arc<Places>,
    from: IpAddr,
    _open: Open,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Entry::Occupied(mut count) = taken.by_address.entry(self.from) {
            match count.get() {
                1 => _ = count.remove(),
                more => *count.get_mut() = more - 1,
            }
        }
    }
}

/// A connection with its place.
struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    patience: Patience,
}

impl Connection {
    async fn serve(self, router: Router, mut drain: Drain) {
        let Self { stream, peer, place, patience } = self;
        // Answers are whole messages: waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::new());
        let requests = activity.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let under_way = Activity::begin(&requests, request.version());
            request.extensions_mut().insert(ConnectInfo(peer));
            let answer = router.clone().oneshot(request.map(Body::new));
            async move { answer.await.map(|response| response.map(|body| Whole::new(body, under_way))) }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(patience.idle).max_buf_size(MAX_HEAD);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_LIST)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        let io = TokioIo::new(Watched::new(stream, activity.clone(), place));
        let mut connection = pin!(builder.serve_connection_with_upgrades(io, service));
        let mut check = tokio::time::interval(patience.check);
        let mut ending = None;
        loop {
            tokio::select! {
                outcome = connection.as_mut() => {
                    if let Err(error) = outcome {
                        tracing::debug!(%error, "a connection ended");
                    }
                    return;
                }
                () = drain.told(), if ending.is_none() => {
                    ending = Some(Instant::now());
                    connection.as_mut().graceful_shutdown();
                }
                _ = check.tick() => match activity.verdict(&patience) {
                    Verdict::Fine => {}
                    Verdict::Idle => match ending {
                        None => {
                            ending = Some(Instant::now());
                            connection.as_mut().graceful_shutdown();
                        }
                        // The client does not take the last part of an answer.
                        Some(since) if since.elapsed() >= patience.write => return,
                        Some(_) => {}
                    },
                    Verdict::Stuck(what) => {
                        tracing::debug!(what, "a connection is closed");
                        return;
                    }
                },
            }
        }
    }
}
