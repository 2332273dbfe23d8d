//! Executes operations: one way in for HTTP, WebSocket and tests.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Data, Executor, Request, Response};
use futures::stream::{BoxStream, StreamExt};

use super::batch::drive;
use super::context::Call;
use super::cost;
use super::document::Documents;
use super::error::{self, Code};
use super::{Schema, error::Error};
use crate::access::actor::RequestInfo;
use crate::access::sessions::Identity;
use crate::app::App;

/// The longest that an operation may take.
const DEADLINE: Duration = Duration::from_secs(30);

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
    app: Arc<App>,
    documents: Documents,
}

impl Endpoint {
    pub fn new(app: Arc<App>) -> Self {
        Self { schema: super::schema(&app.config), app, documents: Documents::default() }
    }

    /// Executes a query or mutation. The answer goes out after the journal knows of it.
    pub async fn answer(&self, request: Request, caller: Caller) -> Response {
        let request_id = caller.request.id.clone();
        let mut response = match self.prepare(request) {
            Ok(request) => {
                let call = Call::new(self.app.clone(), caller.identity, caller.request);
                let execution = self.schema.execute(request.data(call.clone()));
                let executed = tokio::time::timeout(DEADLINE, drive(&call, execution)).await;
                call.release().await;
                let response = executed
                    .unwrap_or_else(|_| error::refuse(Code::Unavailable, "The operation took too long."));
                told(&call, response).await
            }
            Err(response) => *response,
        };
        error::finish(&mut response, &request_id);
        response
    }

    /// Executes a subscription (or, over a socket, anything else): one response for each event.
    fn follow(self, request: Request, caller: Caller) -> BoxStream<'static, Response> {
        let request_id = caller.request.id.clone();
        let request = match self.prepare(request) {
            Ok(request) => request,
            Err(mut response) => {
                error::finish(&mut response, &request_id);
                return futures::stream::once(async move { *response }).boxed();
            }
        };
        let call = Call::new(self.app.clone(), caller.identity, caller.request);
        let source = self.schema.execute_stream(request.data(call.clone())).boxed();
        futures::stream::unfold((source, call, request_id), async |(mut source, call, request_id)| {
            let next = {
                let next = pin!(source.next());
                drive(&call, next).await
            };
            call.release().await;
            let mut response = told(&call, next?).await;
            let mut errors = call.field_errors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            response.errors.append(&mut errors);
            drop(errors);
            error::finish(&mut response, &request_id);
            Some((response, (source, call, request_id)))
        })
        .boxed()
    }

    /// What the request would run, when it names one operation of a document that parses.
    pub fn operation(&self, request: &Request) -> Option<OperationType> {
        let document = self.documents.parse(&request.query).ok()?;
        let mut operations = document.operations.iter();
        let (_, operation) = match &request.operation_name {
            Some(wanted) => operations.find(|(name, _)| name.is_some_and(|name| name == wanted.as_str()))?,
            None => operations.next()?,
        };
        Some(operation.node.ty)
    }

    /// Parses the document, or says why it is not run.
    fn prepare(&self, mut request: Request) -> Result<Request, Box<Response>> {
        let document = self
            .documents
            .parse(&request.query)
            .map_err(|refusal| Box::new(error::refuse(refusal.code, refusal.message)))?;
        cost::check(&document, &request.variables)
            .map_err(|refusal| Box::new(error::refuse(refusal.code, refusal.message)))?;
        request.set_parsed_query((*document).clone());
        Ok(request)
    }
}

/// The response, once the journal has stored what it shows; without that there is none.
async fn told(call: &Call, response: Response) -> Response {
    match call.tell_journal().await {
        Ok(()) => response,
        Err(error) => {
            let error = async_graphql::Error::from(Error(error));
            Response::from_errors(vec![error.into_server_error(async_graphql::Pos::default())])
        }
    }
}

impl Executor for Endpoint {
    async fn execute(&self, mut request: Request) -> Response {
        let caller = caller(&mut request, None);
        self.answer(request, caller).await
    }

    fn execute_stream(
        &self,
        mut request: Request,
        session: Option<Arc<Data>>,
    ) -> BoxStream<'static, Response> {
        let (endpoint, mut caller) = (self.clone(), caller(&mut request, session.as_deref()));
        // A socket lives longer than a sign-in: who asks is checked again for each operation.
        let begin = async move {
            if let Some(identity) = caller.identity.take() {
                match endpoint.app.identify(&identity.subject(), &caller.request).await {
                    Ok(identity) => caller.identity = Some(identity),
                    Err(failure) => {
                        let mut response = Response::from_errors(vec![
                            async_graphql::Error::from(Error(failure))
                                .into_server_error(async_graphql::Pos::default()),
                        ]);
                        error::finish(&mut response, &caller.request.id);
                        return futures::stream::once(async move { response }).boxed();
                    }
                }
            }
            match endpoint.operation(&request) == Some(OperationType::Subscription) {
                true => endpoint.follow(request, caller),
                false => futures::stream::once(async move { endpoint.answer(request, caller).await }).boxed(),
            }
        };
        futures::stream::once(begin).flatten().boxed()
    }
}

/// The caller that the transport put into the request or, over a socket, into its session.
fn caller(request: &mut Request, session: Option<&Data>) -> Caller {
    let type_id = std::any::TypeId::of::<Caller>();
    let found = request
        .data
        .get(&type_id)
        .or_else(|| session.and_then(|session| session.get(&type_id)))
        .and_then(|data| data.downcast_ref::<Caller>());
    found.cloned().unwrap_or_default()
}
