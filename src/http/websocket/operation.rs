//! What runs on a socket.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use futures::stream::{Abortable, BoxStream, StreamExt};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::access::actor::RequestInfo;
use crate::error::Error;
use crate::graphql::document::{Prepared, Refusal};
use crate::graphql::endpoint::Caller;
use crate::graphql::frame::Frame;
use crate::http::Server;

/// What comes out of an operation.
pub enum Event {
    Delivered(Arc<Frame>),
    /// Whoever started it is not signed in any more.
    SignedOut,
}

/// One running operation, by its id.
pub struct Running {
    pub id: String,
    pub events: Abortable<BoxStream<'static, Event>>,
}

impl futures::Stream for Running {
    type Item = Event;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Event>> {
        self.events.poll_next_unpin(context)
    }
}

/// Runs an operation for whoever is signed in at this moment: a socket outlives a sign-in.
pub fn run(server: Arc<Server>, mut caller: Caller, prepared: Prepared) -> BoxStream<'static, Event> {
    let one = |response: async_graphql::Response| {
        futures::stream::iter([Event::Delivered(Arc::new(Frame::new(&response)))]).boxed()
    };
    let begin = async move {
        let Server { app, endpoint, .. } = &*server;
        let info = caller.request.clone();
        let refuse =
            |error: Error, request: &RequestInfo| one(endpoint.refuse(Refusal::because(error), request));
        if let Some(identity) = caller.identity.take() {
            match app.identify(&identity.subject(), &caller.request).await {
                Ok(identity) => caller.identity = Some(identity),
                Err(Error::Unauthenticated) => {
                    return futures::stream::iter([Event::SignedOut]).boxed();
                }
                Err(_) => return refuse(Error::Unavailable("sign-in"), &caller.request),
            }
        }
        if prepared.kind == OperationType::Subscription {
            return endpoint.follow(prepared, caller, None).map(Event::Delivered).boxed();
        }
        // A task of its own: the socket does nothing else while its client does not read, and an operation must not
        // stand still in the middle of a transaction. It ends with this.
        let (mut task, server) = (JoinSet::new(), server.clone());
        let answer = async move {
            // In turn with the operations that come by other ways.
            match server.gate.turn().await {
                Some(_turn) => server.endpoint.answer(prepared, caller).await,
                None => {
                    let refusal = Refusal::because(Error::Unavailable("capacity"));
                    server.endpoint.refuse(refusal, &caller.request)
                }
            }
        };
        task.spawn(answer.in_current_span());
        match task.join_next().await {
            Some(Ok(response)) => one(response),
            _ => refuse(Error::Unavailable("operation"), &info),
        }
    };
    // Boxed: it is large, and over soon.
    futures::stream::once(Box::pin(begin)).flatten().boxed()
}
