//! The closed loop: so many connections, each with one request under way, for so long.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt;
use futures::stream::FuturesUnordered;
use praxis::clock::Clock;
use praxis::id::{PatientId, TypedId};
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::client::{Connection, get, graphql, text};
use crate::plan::{self, APPOINTMENTS_PER_DAY, PASSWORD, Plan, WORKSPACES};
use crate::queries::{Query, Requests, Side};
use crate::random::Random;
use crate::site::Site;
use crate::{Outcome, process};

const SIGN_IN: &str = "mutation SignIn($input: SignInInput!) { signIn(input: $input) { accessToken } }";
const CURSORS: &str = "query Cursors($after: String) { patients(first: 100, after: $after, orderBy: NEWEST) { \
                       edges { cursor node { id } } pageInfo { hasNextPage } } }";

/// The signed-in owners of all workspaces, and what their requests need.
pub struct Session {
    tokens: Vec<String>,
    /// Positions in the list of patients, of each workspace.
    pages: Vec<Vec<(PatientId, String)>>,
    /// The next time that nobody has booked.
    bookings: AtomicU64,
    file: PathBuf,
}

impl Session {
    pub async fn start(site: &Site, server: SocketAddr) -> Outcome<Self> {
        let file = site.folder.join("bookings");
        let stored = std::fs::read_to_string(&file).ok().and_then(|text| text.parse::<u64>().ok());
        let ahead = Clock::system().now() + TimeDelta::days(2) - first_free_day();
        let days = u64::try_from(ahead.num_days()).unwrap_or(0);
        let from_now_on = days * APPOINTMENTS_PER_DAY * site.plan.doctors * WORKSPACES;
        let bookings = AtomicU64::new(stored.unwrap_or(0).max(from_now_on));
        let mut session = Self { tokens: Vec::new(), pages: Vec::new(), bookings, file };
        session.sign_in(server).await?;
        Ok(session)
    }

    /// Signs in anew: an access token is good for ten minutes.
    pub async fn sign_in(&mut self, server: SocketAddr) -> Outcome<()> {
        self.tokens.clear();
        for workspace in 0..WORKSPACES {
            let input = json!({ "email": plan::email(workspace, 0), "password": PASSWORD });
            let data = graphql(server, None, SIGN_IN, json!({ "input": input })).await?;
            let token = data.pointer("/signIn/accessToken").and_then(Json::as_str);
            self.tokens.push(token.ok_or("the sign-in gave no token")?.to_owned());
        }
        Ok(())
    }

    pub fn token(&self, workspace: u64) -> &str {
        usize::try_from(workspace).ok().and_then(|at| self.tokens.get(at)).map_or("", String::as_str)
    }

    /// Reads the positions in the lists of patients, except those too near to the end.
    pub async fn find_pages(&mut self, server: SocketAddr) -> Outcome<()> {
        if !self.pages.is_empty() {
            return Ok(());
        }
        for workspace in 0..WORKSPACES {
            let (mut pages, mut after) = (Vec::new(), Json::Null);
            loop {
                let data =
                    graphql(server, Some(self.token(workspace)), CURSORS, json!({ "after": after })).await?;
                for edge in data.pointer("/patients/edges").and_then(Json::as_array).into_iter().flatten() {
                    let (id, cursor) = (edge.pointer("/node/id"), edge.get("cursor").and_then(Json::as_str));
                    let id = id.and_then(Json::as_str).and_then(PatientId::parse);
                    pages.extend(id.zip(cursor.map(str::to_owned)));
                }
                if data.pointer("/patients/pageInfo/hasNextPage") != Some(&Json::Bool(true)) {
                    break;
                }
                after = pages.last().map(|(_, cursor)| cursor.as_str()).into();
            }
            pages.truncate(pages.len().saturating_sub(20).max(1));
            self.pages.push(pages);
        }
        Ok(())
    }

    /// The patient before a page, and the cursor that says the same.
    pub fn page(&self, workspace: u64, number: u64) -> (PatientId, &str) {
        let pages = usize::try_from(workspace).ok().and_then(|at| self.pages.get(at));
        let pages = pages.map(Vec::as_slice).unwrap_or_default();
        let at = number.checked_rem(pages.len() as u64).and_then(|at| usize::try_from(at).ok());
        let page = at.and_then(|at| pages.get(at)).expect("the pages are read before they are asked for");
        (page.0, &page.1)
    }

    pub fn next_booking(&self) -> u64 {
        self.bookings.fetch_add(1, Ordering::Relaxed)
    }
}

/// Notes what is booked, so that the next run books elsewhere, however this one ended.
impl Drop for Session {
    fn drop(&mut self) {
        if let Err(error) = std::fs::write(&self.file, self.bookings.load(Ordering::Relaxed).to_string()) {
            crate::say(&format!("the next run will book what is booked: {error}"));
        }
    }
}

/// The day on which the driver's first bookings would lie, far behind the generator's.
pub fn first_free_day() -> DateTime<Utc> {
    plan::first_day() + TimeDelta::days(400)
}

/// One system as the driver meets it.
#[derive(Clone, Debug)]
pub struct Target {
    pub side: Side,
    pub pid: u32,
    pub address: SocketAddr,
    /// Where it says what it has counted.
    pub metrics: Option<SocketAddr>,
    /// Role and database of its connections to PostgreSQL.
    pub backends: Option<(String, String)>,
}

/// How a system is driven.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub connections: u64,
    pub time: Duration,
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sample {
    pub requests: u64,
    pub per_second: f64,
    /// Processor time of the server, microseconds of each request.
    pub cpu: f64,
    /// The same of PostgreSQL's processes.
    pub database: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
    pub statements: f64,
}

pub async fn drive(
    target: &Target,
    query: Query,
    plan: Plan,
    session: &Session,
    shape: Shape,
) -> Outcome<Sample> {
    let before = Spent::by(target).await?;
    let began = Instant::now();
    let until = began + shape.time;
    let mut loops: FuturesUnordered<_> = (0..shape.connections)
        .map(|number| {
            let random = Random::new((shape.seed << 8) | number);
            let requests = Requests { query, plan, session, random };
            repeat(target, requests, until)
        })
        .collect();
    let mut times = Vec::new();
    while let Some(more) = loops.try_next().await? {
        times.extend(more);
    }
    let elapsed = began.elapsed().as_secs_f64();
    let after = Spent::by(target).await?;
    times.sort_unstable();
    let requests = times.len().max(1);
    let at =
        |share: usize| times.get(requests * share / 100).map_or(0.0, |micros| f64::from(*micros) / 1_000.0);
    let count = requests as f64;
    Ok(Sample {
        requests: requests as u64,
        per_second: count / elapsed,
        cpu: (after.cpu - before.cpu) * 1e6 / count,
        database: (after.database - before.database) * 1e6 / count,
        p50: at(50),
        p99: at(99),
        statements: (after.statements - before.statements) / count,
    })
}

/// What a system has used so far.
struct Spent {
    cpu: f64,
    database: f64,
    statements: f64,
}

impl Spent {
    async fn by(target: &Target) -> Outcome<Self> {
        let database = match &target.backends {
            Some((role, database)) => process::backends(role, database)?,
            None => 0.0,
        };
        Ok(Self { cpu: process::cpu(target.pid)?, database, statements: statements(target).await? })
    }
}

/// One connection's requests, and how many microseconds each took.
async fn repeat(target: &Target, mut requests: Requests<'_>, until: Instant) -> Outcome<Vec<u32>> {
    let mut connection = Connection::open(target.address).await?;
    let mut times = Vec::with_capacity(64 * 1024);
    while Instant::now() < until {
        let request = requests.next(target.side);
        let began = Instant::now();
        let reply = connection.ask(&request).await?;
        times.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
        if !reply.is_data() {
            let body = String::from_utf8_lossy(reply.body);
            return Err(format!(
                "{:?} {}: status {}: {body}",
                target.side,
                requests.query.name(),
                reply.status
            )
            .into());
        }
    }
    Ok(times)
}

/// Statements that the server has sent so far.
async fn statements(target: &Target) -> Outcome<f64> {
    let Some(metrics) = target.metrics else { return Ok(0.0) };
    let counted = text(metrics, &get("/metrics")).await?;
    let lines = counted.lines().filter(|line| line.starts_with("db_statements_total{"));
    Ok(lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum())
}

/// Fails unless both systems answer alike.
pub async fn compare(systems: &[Target; 2], query: Query, plan: Plan, session: &Session) -> Outcome<()> {
    for seed in 0..10 {
        let mut answers = Vec::new();
        for target in systems {
            let mut requests = Requests { query, plan, session, random: Random::new(seed) };
            let answer = text(target.address, &requests.next(target.side)).await?;
            // The server adds what the operation cost.
            answers.push(serde_json::from_str::<Json>(&answer)?.get("data").cloned());
        }
        if let [first, second] = answers.as_slice()
            && first != second
        {
            return Err(format!("{} differs:\n{first:?}\n{second:?}", query.name()).into());
        }
    }
    Ok(())
}
