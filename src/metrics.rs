//! What the server counts, for Prometheus. No label ever holds what a client can choose: a name of an operation or
//! a path would make a series each.

use std::fmt::Write;
use std::sync::atomic::Ordering;
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Response, Value};
use metrics::{
    Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::app::App;

const REQUESTS: &str = "http_server_request_duration_seconds";
const CONNECTIONS: &str = "http_connections_open";
const REFUSED_CONNECTIONS: &str = "http_connections_refused_total";
const SHED: &str = "http_requests_shed_total";
const RATE_LIMITED: &str = "http_rate_limited_total";
const PANICS: &str = "panics_total";
const OPERATIONS: &str = "graphql_operation_duration_seconds";
const ERRORS: &str = "graphql_errors_total";
const COST: &str = "graphql_cost";
const VALIDATION: &str = "graphql_validate_seconds";
const SOCKETS: &str = "graphql_sockets_open";
const STREAMS: &str = "graphql_streams_open";
const LAGGED: &str = "graphql_streams_lagged_total";

/// From half a millisecond to the longest that a request may take.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
const COSTS: [f64; 9] = [1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0];

/// From when on validating a document is worth a line in the log.
const SLOW_VALIDATION: Duration = Duration::from_millis(20);

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts counting; before that nothing is. A second call changes nothing.
pub fn install() -> &'static PrometheusHandle {
    RECORDER.get_or_init(|| {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(COST.into()), &COSTS))
            .expect("there are buckets")
            .build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("somebody else counts for this process; /metrics stays empty");
        }
        describe();
        handle
    })
}

fn describe() {
    describe_histogram!(
        REQUESTS,
        Unit::Seconds,
        "Time from a request's head to its response's, by route and status."
    );
    describe_gauge!(CONNECTIONS, "Connections that are open, sockets included.");
    describe_counter!(REFUSED_CONNECTIONS, "Connections that were closed at once, by the limit they met.");
    describe_counter!(SHED, "Requests that were refused because too many were being answered.");
    describe_counter!(RATE_LIMITED, "Charges that a rate limit refused, by limit.");
    describe_counter!(PANICS, "Panics that were contained.");
    describe_histogram!(OPERATIONS, Unit::Seconds, "Time of an operation, by type and outcome.");
    describe_counter!(ERRORS, "Errors that clients were told of, by code.");
    describe_histogram!(COST, "Points that operations cost.");
    describe_histogram!(
        VALIDATION,
        Unit::Seconds,
        "Time to parse and validate a document that was not cached."
    );
    describe_gauge!(SOCKETS, "WebSockets that are open.");
    describe_gauge!(STREAMS, "Subscriptions that are open, by transport.");
    describe_counter!(LAGGED, "Subscriptions that were ended because their reader was too slow.");
}

/// The few histograms of one name: asking the recorder for one takes several times as long as counting.
struct Series<K>(RwLock<Vec<(K, Histogram)>>);

impl<K> Series<K> {
    const fn new() -> Self {
        Self(RwLock::new(Vec::new()))
    }

    /// Counts the value in the one that `is` meant, which is made when it is the first. Nothing before
    /// [`install`].
    fn record(&self, value: f64, is: impl Fn(&K) -> bool, make: impl FnOnce() -> (K, Histogram)) {
        if RECORDER.get().is_none() {
            return;
        }
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, histogram)) = known.iter().find(|(key, _)| is(key)) {
            return histogram.record(value);
        }
        drop(known);
        let made = make();
        made.1.record(value);
        // Made by two at a time, it is the same one twice.
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(made);
    }
}

/// A request was answered. `route` is the pattern that matched, never the path.
pub fn request(route: &str, method: &'static str, status: u16, elapsed: Duration) {
    static SERIES: Series<(String, &str, u16)> = Series::new();
    SERIES.record(
        elapsed.as_secs_f64(),
        |(of_route, of_method, of_status)| of_route == route && (*of_method, *of_status) == (method, status),
        || {
            let status_text = status.to_string();
            let histogram =
                histogram!(REQUESTS, "route" => route.to_owned(), "method" => method, "status" => status_text);
            ((route.to_owned(), method, status), histogram)
        },
    );
}

/// A connection was closed at once, because of the limit on `all` or on one `address`.
pub fn connection_refused(limit: &'static str) {
    counter!(REFUSED_CONNECTIONS, "limit" => limit).increment(1);
}

pub fn shed() {
    counter!(SHED).increment(1);
}

pub fn rate_limited(policy: &'static str) {
    counter!(RATE_LIMITED, "policy" => policy).increment(1);
}

pub fn panicked() {
    counter!(PANICS).increment(1);
}

/// A query or mutation was answered.
pub fn operation(kind: OperationType, response: &Response, elapsed: Duration) {
    let kind = match kind {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    };
    let outcome = match (response.errors.is_empty(), &response.data) {
        (true, _) => "ok",
        (false, Value::Null) => "error",
        (false, _) => "partial",
    };
    static SERIES: Series<(&str, &str)> = Series::new();
    SERIES.record(
        elapsed.as_secs_f64(),
        |of| *of == (kind, outcome),
        || ((kind, outcome), histogram!(OPERATIONS, "type" => kind, "outcome" => outcome)),
    );
}

/// A client was told of an error with one of the documented codes.
pub fn error(code: &str) {
    counter!(ERRORS, "code" => code.to_owned()).increment(1);
}

/// An operation was accepted that costs this much.
pub fn cost(points: u64) {
    static SERIES: Series<()> = Series::new();
    SERIES.record(u32::try_from(points).unwrap_or(u32::MAX).into(), |()| true, || ((), histogram!(COST)));
}

/// A document that was not cached was parsed and validated, or refused.
pub fn validated(elapsed: Duration) {
    histogram!(VALIDATION).record(elapsed);
    if elapsed > SLOW_VALIDATION {
        tracing::warn!(milliseconds = elapsed.as_millis(), "a document took long to validate");
    }
}

/// A subscription was ended because its reader was too slow.
pub fn lagged() {
    counter!(LAGGED).increment(1);
}

/// Something that is open as long as this lives.
#[must_use]
pub struct Open(metrics::Gauge);

impl Open {
    pub fn connection() -> Self {
        Self::count(gauge!(CONNECTIONS))
    }

    pub fn socket() -> Self {
        Self::count(gauge!(SOCKETS))
    }

    /// A subscription over `websocket` or `sse`.
    pub fn stream(transport: &'static str) -> Self {
        Self::count(gauge!(STREAMS, "transport" => transport))
    }

    fn count(gauge: metrics::Gauge) -> Self {
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// Everything that was counted, and what is looked up now, in Prometheus's text format.
pub fn render(app: &App) -> String {
    let mut text = install().render();
    let statements = app.db.statements();
    for (kind, count) in [("work", &statements.work), ("overhead", &statements.overhead)] {
        let labels = format!("{{kind=\"{kind}\"}}");
        let help = "Statements sent to the database: of the work itself, or of tenant setting and journal.";
        line(&mut text, "db_statements_total", "counter", help, &labels, count.load(Ordering::Relaxed));
    }
    for pool in app.db.pools() {
        let labels = format!("{{pool=\"{}\"}}", pool.name);
        line(
            &mut text,
            "db_pool_connections",
            "gauge",
            "Open connections to the database.",
            &labels,
            pool.open,
        );
        line(&mut text, "db_pool_idle", "gauge", "Connections that nobody uses.", &labels, pool.idle);
        line(
            &mut text,
            "db_pool_limit",
            "gauge",
            "The most connections that the pool opens.",
            &labels,
            pool.limit,
        );
    }
    let help = "Requests that wait for the journal.";
    line(&mut text, "journal_queue_length", "gauge", help, "", app.journal.waiting());
    let help = "The version that runs.";
    let labels = format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    line(&mut text, "praxis_build_info", "gauge", help, &labels, 1);
    process(&mut text);
    text
}

/// One sample; help and type before the first of its name.
fn line(text: &mut String, name: &str, kind: &str, help: &str, labels: &str, value: impl std::fmt::Display) {
    if !text.contains(&format!("# TYPE {name} ")) {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }
    let _ = writeln!(text, "{name}{labels} {value}");
}

/// What Linux knows of this process; elsewhere nothing.
fn process(text: &mut String) {
    // Fields 14 and 15 after the command's name, which may hold spaces, in hundredths of a second.
    let ticks = std::fs::read_to_string("/proc/self/stat").ok().and_then(|stat| {
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
    });
    if let Some(ticks) = ticks {
        let seconds = format!("{}.{:02}", ticks / 100, ticks % 100);
        let help = "Processor time of this process, user and system.";
        line(text, "process_cpu_seconds_total", "counter", help, "", seconds);
    }
    let kilobytes = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    });
    if let Some(kilobytes) = kilobytes {
        let help = "Memory of this process that is in RAM.";
        line(text, "process_resident_memory_bytes", "gauge", help, "", kilobytes * 1024);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        let help = "Files and sockets that this process has open.";
        line(text, "process_open_fds", "gauge", help, "", files.count());
    }
}
