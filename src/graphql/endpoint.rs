//! Executes operations: the one way in, for every transport.

mod subscription;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::Response;
use async_graphql::{Name, Value};
use futures::future::FutureExt;
use futures::stream::BoxStream;

use super::batch::drive;
use super::context::Call;
use super::direct::Direct;
use super::document::{Documents, Prepared, Refusal, cost};
use super::error::{self, Code};
use super::frame::Frame;
use super::request::Request;
use super::{Schema, error::Error};
use crate::access::actor::RequestInfo;
use crate::access::sessions::Identity;
use crate::access::throttle::Charge;
use crate::app::App;
use crate::metrics;

/// The longest that an operation may take.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// What it costs to send a document that is not run.
const REFUSED_POINTS: u64 = 10;

/// Who sends an operation, as the transport found out.
#[derive(Clone, Default)]
pub struct Caller {
    pub identity: Option<Identity>,
    pub request: RequestInfo,
}

/// The schema with the application behind it.
#[derive(Clone)]
pub struct Endpoint {
    schema: Schema,
    /// See [`Endpoint::execute`].
    unguarded: Direct,
    app: Arc<App>,
    documents: Documents,
}

impl Endpoint {
    pub fn new(app: Arc<App>) -> Self {
        let config = &app.config;
        let schema = super::schema(config);
        let documents = Documents::new(&super::text(&schema), config.introspection, config.documents.clone());
        Self { schema, unguarded: Direct::new(config), documents, app }
    }

    /// Finds out what the request asks for. Nothing runs yet.
    pub fn prepare(&self, request: &Request) -> Result<Prepared, Refusal> {
        self.documents.prepare(request)
    }

    /// The answer to a request that is not run.
    pub fn refuse(&self, refusal: Refusal, request: &RequestInfo) -> Response {
        let mut response = refusal.into_response();
        error::finish(&mut response, &request.id);
        response
    }

    /// Charges whoever asks: the operation, or the look at a document that is not run. What cannot be paid is refused.
    /// What is charged to an address, the transports see to.
    pub fn charge(
        &self,
        prepared: Result<Prepared, Refusal>,
        identity: Option<&Identity>,
    ) -> (Result<Prepared, Refusal>, Charge) {
        let points = match &prepared {
            Ok(prepared) => {
                metrics::cost(prepared.cost.into());
                prepared.cost.into()
            }
            Err(_) => REFUSED_POINTS,
        };
        let charge = identity.map(|identity| self.app.throttle.charge(identity, points)).unwrap_or_default();
        (charge.permit().map_err(Refusal::because).and(prepared), charge)
    }

    /// Executes a query or mutation. The answer goes out after the journal knows of it.
    pub async fn answer(&self, prepared: Prepared, caller: Caller) -> Response {
        let request_id = caller.request.id.clone();
        let (started, kind, points) = (Instant::now(), prepared.kind, prepared.cost);
        let (call, executed) = self.execute(&prepared, caller).await;
        let (Ok(response) | Err(response)) = executed;
        let mut response = told(&call, response).await;
        let beyond = prepared.beyond(&response.data);
        if let Some(identity) = call.identity().filter(|_| beyond > 0) {
            self.app.throttle.charge_more(&identity, beyond);
        }
        response.extensions.insert("cost".into(), cost_report(points));
        error::finish(&mut response, &request_id);
        metrics::operation(kind, &response, started.elapsed());
        response
    }

    /// Runs a query or mutation. One that the guard would have nothing to refuse of runs without it, and once more
    /// with it when something fails: the guard keeps what fails to its field. Nothing of the first attempt is kept.
    async fn execute(&self, prepared: &Prepared, caller: Caller) -> (Arc<Call>, Result<Response, Response>) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        let mut call = Call::new(self.app.clone(), caller.identity, caller.request);
        if prepared.needs_no_guard(|permission| call.permits(permission).is_ok()) {
            let executed = run(&call, deadline, self.unguarded.execute(prepared, call.clone())).await;
            if !matches!(&executed, Ok(response) if response.is_err()) {
                return (call, executed);
            }
            call = call.again();
        }
        let executed = run(&call, deadline, self.schema.execute(prepared.request().data(call.clone()))).await;
        (call, executed)
    }

    /// Executes a subscription: one response for each event. It begins after the cursor when the transport knows
    /// one. Each delivery costs as much as the operation, and is waited for as long.
    pub fn follow(
        &self,
        prepared: Prepared,
        caller: Caller,
        after: Option<String>,
    ) -> BoxStream<'static, Arc<Frame>> {
        subscription::deliveries(self.clone(), prepared, caller, after)
    }
}

/// What the call's operation answers, unless the time was up or it panicked.
async fn run<T>(
    call: &Arc<Call>,
    deadline: tokio::time::Instant,
    execution: impl Future<Output = T>,
) -> Result<T, Response> {
    // Boxed: it is large, and every wrapper around it would hold it again.
    let execution = drive(call, Box::pin(execution));
    let executed = contained(tokio::time::timeout_at(deadline, execution)).await;
    call.release().await;
    match executed {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(_)) => Err(error::refuse(Code::Unavailable, "The operation took too long.")),
        None => Err(error::refuse(Code::Internal, "Internal error.")),
    }
}

/// The outcome of the future; nothing when it panicked. Others go on as if nothing had happened.
async fn contained<F: Future>(future: F) -> Option<F::Output> {
    match AssertUnwindSafe(future).catch_unwind().await {
        Ok(outcome) => Some(outcome),
        Err(_) => {
            // Its text may hold anything, so it is not logged.
            tracing::error!("a resolver panicked");
            metrics::panicked();
            None
        }
    }
}

/// What the operation cost, and what it may have cost at most, in points.
fn cost_report(points: u32) -> Value {
    let entry = |name: &str, points: u32| (Name::new(name), Value::from(points));
    Value::Object([entry("requested", points), entry("maximum", cost::MAX_POINTS)].into_iter().collect())
}

/// The response, once the journal has stored what it shows; without that there is none.
async fn told(call: &Call, response: Response) -> Response {
    match call.tell_journal().await {
        Ok(()) => response,
        Err(error) => refused(error),
    }
}

fn refused(error: crate::error::Error) -> Response {
    let error = async_graphql::Error::from(Error(error));
    Response::from_errors(vec![error.into_server_error(async_graphql::Pos::default())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_one_operation_only() {
        assert_eq!(contained(async { 1 }).await, Some(1));
        let panics = async { assert_eq!(1, std::hint::black_box(2), "on purpose") };
        assert_eq!(contained(panics).await, None);
    }
}
