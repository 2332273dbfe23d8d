//! A running subscription: what it delivers, what that costs, and how long it may take.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_graphql::Response;
use futures::stream::{BoxStream, StreamExt};
use tokio::time::{Instant, sleep};

use super::{DEADLINE, Delivery, contained, told};
use crate::graphql::batch::drive;
use crate::graphql::context::Call;
use crate::graphql::document::cost;
use crate::graphql::error::{self, Code, Error};

/// How long a subscription waits until its last delivery is paid for. Then it ends; its client can go on later.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Subscription {
    call: Arc<Call>,
    source: BoxStream<'static, Response>,
    /// What each delivery costs at least.
    points: u64,
    /// What is not paid yet of the last delivery.
    owes: u64,
}

impl Subscription {
    pub fn new(call: Arc<Call>, source: BoxStream<'static, Response>, points: u64) -> Self {
        Self { call, source, points, owes: 0 }
    }

    /// The next delivery, and what goes on after it.
    pub async fn next(mut self) -> Option<(Delivery, Option<Self>)> {
        let next = match self.pay().await {
            Ok(()) => self.produce().await,
            Err(error) => Err(refused(error)),
        };
        self.call.release().await;
        let (mut response, goes_on) = match next {
            Ok(next) => (told(&self.call, next?).await, true),
            Err(last) => (last, false),
        };
        response.errors.append(&mut self.call.field_errors.lock().unwrap_or_else(PoisonError::into_inner));
        error::finish(&mut response, &self.call.request.id);
        let cursor = self.call.take_position();
        self.owes = self.points.max(cost::objects(&response.data, &[]));
        Some((Delivery { response, cursor }, goes_on.then_some(self)))
    }

    /// What the next event is answered with; nothing after the last one. An error ends the stream.
    async fn produce(&mut self) -> Result<Option<Response>, Response> {
        self.call.deadline.begin(DEADLINE);
        tokio::select! {
            biased;
            next = contained(drive(&self.call, self.source.next())) => {
                next.ok_or_else(|| error::refuse(Code::Internal, "Internal error."))
            }
            () = self.call.deadline.passed() => {
                // It was not delivered: whoever comes back gets it.
                self.call.take_position();
                Err(error::refuse(Code::Unavailable, "The operation took too long."))
            }
        }
    }

    /// Charges the last delivery, to the user alone: it was not their doing that something happened, and many of a
    /// workspace may follow. While there are not enough points for it, the next one is not worked on.
    async fn pay(&mut self) -> Result<(), crate::error::Error> {
        let Some(identity) = self.call.identity().filter(|_| self.owes > 0) else { return Ok(()) };
        let until = Instant::now() + PATIENCE;
        loop {
            let charge = self.call.app.throttle.charge_user(&identity, self.owes);
            match charge.refused {
                Some(wait) if Instant::now() + wait <= until => sleep(wait).await,
                _ => return charge.permit(),
            }
        }
    }
}

fn refused(error: crate::error::Error) -> Response {
    let error = async_graphql::Error::from(Error(error));
    Response::from_errors(vec![error.into_server_error(async_graphql::Pos::default())])
}
