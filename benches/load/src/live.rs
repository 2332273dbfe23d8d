//! `load live`: many subscribers of one practice, and the time from one booking to the last of their frames.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::client::{Connection, get};
use crate::drive::Session;
use crate::process::Process;
use crate::queries::{Query, Requests, Side};
use crate::random::Random;
use crate::run::{start_limit, start_server};
use crate::site::{Data, Engine, Site, binaries};
use crate::table::{Goal, HEADING, Line, median};
use crate::{Outcome, process, say};

const SUBSCRIPTION: &str = "subscription Watch { appointmentEvents { action at cursor appointment { id startsAt endsAt \
                            status practitioner { id displayName } service { id name } location { id name } } } }";
/// The practice that everybody watches.
const WORKSPACE: u64 = 0;
/// How long it takes a server to give back what it does not need any more.
const QUIET: Duration = Duration::from_secs(8);
/// Connections that are opened at the same time.
const AT_ONCE: usize = 64;

#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Only this engine
    #[arg(long)]
    pub engine: Option<Engine>,
    /// How many subscribe, one after the other
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 5_000])]
    subscribers: Vec<usize>,
    /// Bookings that are announced to all
    #[arg(long, default_value_t = 9)]
    events: usize,
    /// The server's binary, when it is not the one of this build
    #[arg(long)]
    server: Option<PathBuf>,
}

/// When frames arrived.
#[derive(Default)]
struct Arrivals {
    times: Mutex<Vec<Instant>>,
    /// What subscribers were told instead.
    lost: Mutex<Vec<String>>,
    /// How long the last one was.
    bytes: AtomicUsize,
    more: Notify,
}

pub async fn run(options: &Options, data: &Data, sites: &[Site]) -> Outcome<()> {
    let most = options.subscribers.iter().max().copied().unwrap_or(0);
    let allowed = open_files()?;
    if allowed < most + 100 {
        return Err(format!(
            "{most} subscribers need as many open files; this shell allows {allowed} (ulimit -n)"
        )
        .into());
    }
    for site in sites {
        for subscribers in &options.subscribers {
            // Each on a fresh server: memory that was used once is not given back at once.
            let praxis = praxis(options, site, *subscribers).await?;
            let limit = limit(options, data, site, *subscribers, praxis.bytes).await?;
            report(site, *subscribers, &praxis, &limit);
        }
    }
    Ok(())
}

async fn praxis(options: &Options, site: &Site, subscribers: usize) -> Outcome<Figures> {
    let binary = options.server.clone().map_or_else(|| Ok(binaries()?.join("praxis")), Outcome::Ok)?;
    let (server, _) = start_server(site, &binary).await?;
    let session = Session::start(site, server.address).await?;
    let token = session.token(WORKSPACE).to_owned();
    let mut requests =
        Requests { query: Query::Q4, plan: site.plan, session: &session, random: Random::new(1) };
    let address = server.address;
    let subscribe = || subscribe(address, &token);
    let book = || requests.next_in(WORKSPACE, Side::Praxis);
    measure(options, server, subscribers, subscribe, book).await
}

/// A text of so many bytes, to as many who do nothing but listen.
async fn limit(
    options: &Options,
    data: &Data,
    site: &Site,
    subscribers: usize,
    bytes: usize,
) -> Outcome<Figures> {
    let server = start_limit(site, data, &[]).await?;
    let address = server.address;
    let announce = || get(&format!("/announce?bytes={bytes}"));
    measure(options, server, subscribers, || connect(address, "/live"), announce).await
}

/// What was measured with so many subscribers.
struct Figures {
    /// Memory of an idle subscriber, in kB, with its socket.
    idle: f64,
    /// CPU of a delivery, in microseconds.
    cost: f64,
    /// Milliseconds from an announcement to the first, the middle and the last of its frames.
    times: [f64; 3],
    /// Resident memory after the last delivery, and when it is quiet, in kB.
    memory: [u64; 2],
    /// Of a frame.
    bytes: usize,
}

async fn measure<S>(
    options: &Options,
    server: Process,
    subscribers: usize,
    subscribe: impl Fn() -> S,
    mut announce: impl FnMut() -> Vec<u8>,
) -> Outcome<Figures>
where
    S: Future<Output = Outcome<WebSocketStream<TcpStream>>>,
{
    let arrivals = Arc::<Arrivals>::default();
    // Or the subscribers would take what its start and the sign-ins left, and seem to take nothing.
    tokio::time::sleep(QUIET).await;
    let before = process::memory(server.pid, "VmRSS")?;
    let connected = futures::stream::iter(0..subscribers).map(|_| subscribe()).buffer_unordered(AT_ONCE);
    let sockets: Vec<_> = connected.collect().await;
    let sockets = sockets.into_iter().collect::<Outcome<Vec<_>>>()?;
    let readers: Vec<_> =
        sockets.into_iter().map(|socket| tokio::spawn(read(socket, arrivals.clone()))).collect();
    // Until all subscriptions run, and what their beginning took is given back.
    tokio::time::sleep(QUIET).await;
    arrivals.refuse_losses("before anything was announced")?;
    let idle = process::memory(server.pid, "VmRSS")?;

    let mut connection = Connection::open(server.address).await?;
    let (mut cpu, mut times) = (0.0, [Vec::new(), Vec::new(), Vec::new()]);
    for _ in 0..options.events {
        let request = announce();
        arrivals.times.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let (spent, began) = (process::cpu(server.pid)?, Instant::now());
        let reply = connection.ask(&request).await?;
        if !reply.is_data() {
            return Err(String::from_utf8_lossy(reply.body).into());
        }
        arrivals.wait_for(subscribers).await?;
        let arrived = std::mem::take(&mut *arrivals.times.lock().unwrap_or_else(PoisonError::into_inner));
        for (at, times) in [0, subscribers / 2, subscribers.saturating_sub(1)].into_iter().zip(&mut times) {
            times.push(arrived.get(at).map_or(f64::NAN, |time| (*time - began).as_secs_f64() * 1e3));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        cpu += process::cpu(server.pid)? - spent;
    }
    let after = process::memory(server.pid, "VmRSS")?;
    tokio::time::sleep(QUIET).await;
    let quiet = process::memory(server.pid, "VmRSS")?;
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    let figures = Figures {
        idle: idle.saturating_sub(before) as f64 / subscribers as f64,
        cost: cpu * 1e6 / (subscribers * options.events) as f64,
        times: times.map(|times| median(&times)),
        memory: [after, quiet],
        bytes: arrivals.bytes.load(Ordering::Relaxed),
    };
    server.stop().await?;
    Ok(figures)
}

fn report(site: &Site, subscribers: usize, praxis: &Figures, limit: &Figures) {
    for (name, figures) in [("praxis", praxis), ("limit", limit)] {
        let [first, half, last] = figures.times;
        say(&format!(
            "{} {subscribers} subscribers, {name}: {:.1} kB each, {:.1} µs a delivery of {} bytes; first frame {first:.1} ms, \
             half of them {half:.1} ms, last {last:.1} ms after it was sent; memory {:.0} MB, {:.0} MB when it is quiet",
            site.engine.name(),
            figures.idle,
            figures.cost,
            figures.bytes,
            figures.memory[0] as f64 / 1e3,
            figures.memory[1] as f64 / 1e3,
        ));
    }
    say(HEADING);
    for (measure, unit, value, most) in [
        ("memory of an idle subscriber", " kB", praxis.idle, 10.0),
        ("CPU of a delivery", " µs", praxis.cost, 12.0),
    ] {
        let goal = Goal::AtMost(most);
        say(&Line { measure: measure.into(), unit, values: vec![value], goal }.text());
    }
}

async fn connect(server: SocketAddr, path: &str) -> Outcome<WebSocketStream<TcpStream>> {
    let mut request = format!("ws://{server}{path}").into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
    let config = WebSocketConfig::default().read_buffer_size(4 * 1024).write_buffer_size(0);
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
    Ok(socket)
}

async fn subscribe(server: SocketAddr, token: &str) -> Outcome<WebSocketStream<TcpStream>> {
    let mut socket = connect(server, "/graphql").await?;
    let introduction =
        json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } });
    socket.send(Message::text(introduction.to_string())).await?;
    match socket.next().await {
        Some(Ok(Message::Text(text))) if text.contains("connection_ack") => {}
        other => return Err(format!("instead of an acknowledgement: {other:?}").into()),
    }
    let subscription = json!({ "type": "subscribe", "id": "1", "payload": { "query": SUBSCRIPTION } });
    socket.send(Message::text(subscription.to_string())).await?;
    Ok(socket)
}

async fn read(mut socket: WebSocketStream<TcpStream>, arrivals: Arc<Arrivals>) {
    while let Some(message) = socket.next().await {
        match message {
            Ok(Message::Text(text))
                if (text.contains("\"next\"") && !text.contains("\"errors\"")) || text.starts_with("xxx") =>
            {
                arrivals.bytes.store(text.len(), Ordering::Relaxed);
                arrivals.times.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
                arrivals.more.notify_one();
            }
            Ok(Message::Text(text)) if text.contains("\"ping\"") => {
                if socket.send(Message::text(r#"{"type":"pong"}"#)).await.is_err() {
                    break;
                }
            }
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            other => {
                arrivals.lost.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{other:?}"));
                arrivals.more.notify_one();
                break;
            }
        }
    }
}

impl Arrivals {
    /// Fails when a subscriber was told anything but an event.
    fn refuse_losses(&self, when: &str) -> Outcome<()> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        match lost.first() {
            None => Ok(()),
            Some(first) => Err(format!("{when}, {} subscribers were told: {first}", lost.len()).into()),
        }
    }

    async fn wait_for(&self, count: usize) -> Outcome<()> {
        let all = async {
            loop {
                let arrived = self.times.lock().unwrap_or_else(PoisonError::into_inner).len();
                self.refuse_losses("after a booking")?;
                if arrived >= count {
                    return Ok(());
                }
                self.more.notified().await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(30), all).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let arrived = self.times.lock().unwrap_or_else(PoisonError::into_inner).len();
                Err(format!("only {arrived} of {count} frames arrived").into())
            }
        }
    }
}

/// How many files this process may have open.
fn open_files() -> Outcome<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    soft.ok_or_else(|| "/proc has another form".into())
}
