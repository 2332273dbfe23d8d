//! The same answers through the GraphQL engine and nothing else: what any server pays for it.
//!
//! The handler has its rows already. The engine goes through a document that was parsed before, asks for each field, and
//! its answer is written as JSON.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::parser::parse_query;
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{
    Context, EmptyMutation, EmptySubscription, Object, Request, Response, Schema, ValidationMode,
};

use super::answer::{Appointment, Chart, Charts, Many, Nodes, One};
use crate::Outcome;
use crate::queries::{ALL, Query};

/// What the handler found.
struct Held<T>(Mutex<Option<T>>);

fn held<T: Send + 'static>(ctx: &Context<'_>) -> Option<T> {
    let held = ctx.data_opt::<Held<T>>()?;
    held.0.lock().unwrap_or_else(PoisonError::into_inner).take()
}

struct Root;

#[Object(name = "Query")]
impl Root {
    async fn appointment(&self, ctx: &Context<'_>) -> Option<Appointment> {
        held::<One>(ctx)?.appointment
    }

    async fn appointments(&self, ctx: &Context<'_>) -> Option<Nodes<Appointment>> {
        held::<Many>(ctx).map(|many| many.appointments)
    }

    async fn patients(&self, ctx: &Context<'_>) -> Option<Nodes<Chart>> {
        held::<Charts>(ctx).map(|charts| charts.patients)
    }
}

/// The engine, and the documents of the queries.
#[derive(Clone)]
pub struct Engine {
    schema: Schema<Root, EmptyMutation, EmptySubscription>,
    documents: Arc<HashMap<Query, ExecutableDocument>>,
}

impl Engine {
    pub fn new() -> Outcome<Self> {
        let schema = Schema::build(Root, EmptyMutation, EmptySubscription);
        let mut documents = HashMap::new();
        for query in ALL.into_iter().filter(|query| query.is_read()) {
            documents.insert(query, parse_query(query.document())?);
        }
        // It is known that they are valid.
        let schema = schema.validation_mode(ValidationMode::Fast).finish();
        Ok(Self { schema, documents: Arc::new(documents) })
    }

    pub async fn answer<T: Send + 'static>(&self, query: Query, data: T) -> Response {
        let mut request = Request::new("").data(Held(Mutex::new(Some(data))));
        if let Some(document) = self.documents.get(&query) {
            request.set_parsed_query(document.clone());
        }
        self.schema.execute(request).await
    }
}
