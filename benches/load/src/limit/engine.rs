//! The same answers through the GraphQL engine and nothing else: what any server pays for it.
//!
//! The handler has its rows already. The engine asks for each field of a document that was parsed before and is known to
//! be valid, so that nobody looks whether it is (docs/adr/0023-past-the-engines-validation.md), in the server's cheaper way
//! (docs/adr/0024-fields-in-place.md), and its answer is written as JSON.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_graphql::extensions::Extensions;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::{OperationDefinition, SelectionSet};
use async_graphql::{
    Context, Data, EmptyMutation, EmptySubscription, IntrospectionMode, Object, Pos, Positioned, QueryEnv,
    QueryEnvInner, Response, Schema, SchemaEnv,
};

use praxis::graphql::object::{self, Forms};

use super::answer::{Appointment, Chart, Charts, Many, Nodes, One, Single};
use crate::Outcome;
use crate::queries::{ALL, Query};

/// What the handler found.
struct Held<T>(Mutex<Option<T>>);

fn held<T: Send + 'static>(ctx: &Context<'_>) -> Option<T> {
    let held = ctx.data_opt::<Held<T>>()?;
    held.0.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// The root of all that can be read, and what the engine gives to each of its fields.
#[derive(Clone, Default)]
struct Root(Arc<OnceLock<(SchemaEnv, Extensions)>>);

#[Object(name = "Query")]
impl Root {
    async fn appointment(&self, ctx: &Context<'_>) -> Option<One<Appointment>> {
        held::<Single>(ctx)?.appointment
    }

    async fn appointments(&self, ctx: &Context<'_>) -> Option<One<Nodes<Appointment>>> {
        held::<Many>(ctx).map(|many| many.appointments)
    }

    async fn patients(&self, ctx: &Context<'_>) -> Option<One<Nodes<Chart>>> {
        held::<Charts>(ctx).map(|charts| charts.patients)
    }

    /// Takes note of what the engine gives to each field: asked for once, at the start.
    async fn engine(&self, ctx: &Context<'_>) -> bool {
        self.0.set((ctx.schema_env.clone(), ctx.query_env.extensions.clone())).is_ok()
    }
}

/// A query as the engine's resolvers take it.
struct Operation {
    /// Without its selection.
    definition: OperationDefinition,
    /// Stays where it is.
    selection: Box<Positioned<SelectionSet>>,
    forms: Arc<Forms>,
}

/// The engine, and the operations of the queries.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    root: Root,
    schema: SchemaEnv,
    /// None are set.
    extensions: Extensions,
    operations: HashMap<Query, Operation>,
}

impl Engine {
    pub async fn new() -> Outcome<Self> {
        let root = Root::default();
        let schema = Schema::build(root.clone(), EmptyMutation, EmptySubscription).finish();
        schema.execute("{ engine }").await;
        let (schema, extensions) = root.0.get().cloned().ok_or("the engine asks its root for each field")?;
        let mut operations = HashMap::new();
        for query in ALL.into_iter().filter(|query| query.is_read()) {
            operations.insert(query, operation(query)?);
        }
        Ok(Self(Arc::new(Inner { root, schema, extensions, operations })))
    }

    pub async fn answer<T: Send + 'static>(&self, query: Query, data: T) -> Response {
        let Inner { root, schema, extensions, operations } = &*self.0;
        let Some(Operation { definition, selection, forms }) = operations.get(&query) else {
            return Response::default();
        };
        let mut query_data = Data::default();
        query_data.insert(Held(Mutex::new(Some(data))));
        query_data.insert(forms.clone());
        let env = QueryEnv::new(QueryEnvInner {
            extensions: extensions.clone(),
            variables: Default::default(),
            operation_name: None,
            operation: Positioned::new(definition.clone(), Pos::default()),
            fragments: Default::default(),
            uploads: Vec::new(),
            session_data: Arc::default(),
            query_data: Arc::new(query_data),
            http_headers: Default::default(),
            introspection_mode: IntrospectionMode::Enabled,
            errors: Default::default(),
        });
        let context = env.create_context(schema, None, &**selection, None);
        match object::resolve(&context, root).await {
            Ok(data) => Response::new(data),
            Err(error) => Response::from_errors(vec![error]),
        }
    }
}

fn operation(query: Query) -> Outcome<Operation> {
    let document = parse_query(query.document())?;
    let (_, operation) = document.operations.iter().next().ok_or("the document has an operation")?;
    let mut definition = operation.node.clone();
    let selection = Box::new(std::mem::take(&mut definition.selection_set));
    let forms = Arc::new(Forms::of(&selection));
    Ok(Operation { definition, selection, forms })
}
