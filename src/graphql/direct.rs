//! Runs a query on the engine without the engine's own look at its document.
//!
//! Before it runs a document, the engine goes through it, looks up the type of each field by its name, and counts what
//! was counted before ([`document`](super::document)): an eighth of all that Praxis does to read one appointment. No
//! setting switches that off. What comes after it is done here, with parts of the engine that its macros use and its
//! documentation leaves out; its version is pinned (docs/adr/0023-past-the-engines-validation.md).

use std::borrow::Cow;
use std::sync::{Arc, OnceLock, PoisonError};

use async_graphql::extensions::Extensions;
use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::resolve_container;
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, Data, IntrospectionMode, ObjectType, OutputType, Pos,
    Positioned, QueryEnv, QueryEnvInner, Response, SchemaEnv, ServerResult, Value,
};
use futures::FutureExt;

use super::context::Call;
use super::document::{Plain, Prepared};
use super::object::{self, Forms};
use super::{Mutation, Query, Subscription};
use crate::config::Config;

/// The schema without the field guard, for queries that the guard would have nothing to refuse of: with any extension
/// the engine takes several times as long for a field.
#[derive(Clone)]
pub struct Direct(Arc<Inner>);

struct Inner {
    schema: async_graphql::Schema<Root, Mutation, Subscription>,
    engine: Engine,
    query: Query,
}

impl Direct {
    pub fn new(config: &Config) -> Self {
        let engine = Arc::default();
        let root = Root { query: Query::default(), engine: Arc::clone(&engine) };
        let schema = super::build(config, root).finish();
        // Whatever is asked for: the root is asked before anybody knows that there is no such field.
        let _ = schema.execute("{ engine }").now_or_never();
        let engine = engine.get().cloned().expect("the engine asks its root for each field");
        Self(Arc::new(Inner { schema, engine, query: Query::default() }))
    }

    /// Runs a query.
    pub async fn execute(&self, prepared: &Prepared, call: Arc<Call>) -> Response {
        let Some(plain) = prepared.plain() else {
            return self.0.schema.execute(prepared.request().data(call).data(Arc::<Forms>::default())).await;
        };
        let Plain { definition, selection, forms, fragments, variables } = plain;
        let mut data = Data::default();
        data.insert(call);
        data.insert(forms);
        let Inner { engine, query, .. } = &*self.0;
        let env = QueryEnv::new(QueryEnvInner {
            extensions: engine.extensions.clone(),
            variables,
            operation_name: None,
            operation: Positioned::new(definition, Pos::default()),
            fragments,
            uploads: Vec::new(),
            session_data: Arc::default(),
            query_data: Arc::new(data),
            http_headers: Default::default(),
            introspection_mode: IntrospectionMode::Enabled,
            errors: Default::default(),
        });
        let context = env.create_context(&engine.schema, None, selection, None);
        let mut response = match object::resolve(&context, query).await {
            Ok(data) => Response::new(data),
            Err(error) => Response::from_errors(vec![error]),
        };
        // Of fields that may be null.
        response.errors.append(&mut env.errors.lock().unwrap_or_else(PoisonError::into_inner));
        response
    }
}

/// What the engine gives to each field.
#[derive(Clone)]
struct Engine {
    schema: SchemaEnv,
    /// None are set.
    extensions: Extensions,
}

/// The root of all that can be read. It takes note of what the engine gives it.
struct Root {
    query: Query,
    engine: Arc<OnceLock<Engine>>,
}

impl ContainerType for Root {
    async fn resolve_field(&self, context: &Context<'_>) -> ServerResult<Option<Value>> {
        self.engine.get_or_init(|| Engine {
            schema: context.schema_env.clone(),
            extensions: context.query_env.extensions.clone(),
        });
        self.query.resolve_field(context).await
    }
}

impl OutputType for Root {
    fn type_name() -> Cow<'static, str> {
        Query::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Query::create_type_info(registry)
    }

    async fn resolve(&self, context: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        resolve_container(context, self).await
    }
}

impl ObjectType for Root {}
