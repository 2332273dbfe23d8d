//! The field guard: enforces `@requires(permission:)` and keeps a failing nullable field to itself.
//!
//! The permission is declared once, as the directive in the schema, and enforced from there. The engine
//! by itself would null the parent of a failing nullable field and hide its siblings' errors; here the
//! field becomes null, its error is listed with its path, and everything else goes on, as the GraphQL
//! specification has it (§6.4.4).

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError};

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextResolve, ResolveInfo,
};
use async_graphql::{PathSegment, QueryPathSegment, Response, ServerResult, TypeDirective, Value};

use super::context::Call;
use super::error::{Error, MAX_ERRORS};
use crate::access::permission::Permission;

/// The permission that whoever asks for the field must have.
#[TypeDirective(location = "FieldDefinition", location = "Object")]
pub fn requires(permission: Permission) {}

/// Builds the guard of each request; the map of permissions is read from the schema once.
#[derive(Default)]
pub struct FieldGuard(Arc<OnceLock<Permissions>>);

type Permissions = HashMap<String, HashMap<String, Permission>>;

impl ExtensionFactory for FieldGuard {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Guard(self.0.clone()))
    }
}

struct Guard(Arc<OnceLock<Permissions>>);

#[async_trait::async_trait]
impl Extension for Guard {
    async fn resolve(
        &self,
        context: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let Some(call) = context.data_opt::<Arc<Call>>() else { return next.run(context, info).await };
        let permissions = self.0.get_or_init(|| declared(context));
        let required = permissions.get(info.parent_type).and_then(|fields| fields.get(info.name)).copied();
        let nullable = !info.return_type.ends_with('!');
        let position = info.field.name.pos;
        let refused = required.and_then(|permission| {
            let error = call.permits(permission).err()?;
            if matches!(error, crate::error::Error::Forbidden) {
                call.note_denied(info.parent_type, info.name, permission);
            }
            let mut error = async_graphql::Error::from(Error(error)).into_server_error(position);
            error.path = segments(info.path_node);
            Some(error)
        });
        if info.parent_type == "Mutation" {
            call.release().await;
        }
        let outcome = match refused {
            Some(error) => Err(error),
            None => next.run(context, info).await,
        };
        match outcome {
            Err(error) if nullable => {
                // More than are answered are not kept: a page can have very many.
                let mut errors = call.field_errors.lock().unwrap_or_else(PoisonError::into_inner);
                if errors.len() < MAX_ERRORS {
                    errors.push(error);
                }
                Ok(None)
            }
            outcome => outcome,
        }
    }

    async fn execute(
        &self,
        context: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let mut response = next.run(context, operation_name).await;
        if let Some(call) = context.data_opt::<Arc<Call>>() {
            let mut errors = call.field_errors.lock().unwrap_or_else(PoisonError::into_inner);
            response.errors.append(&mut errors);
        }
        response
    }
}

/// Every field with `@requires`, by type and field name.
fn declared(context: &ExtensionContext<'_>) -> Permissions {
    let mut permissions = Permissions::new();
    for (type_name, meta) in &context.schema_env.registry.types {
        for (field_name, field) in meta.fields().into_iter().flatten() {
            for directive in &field.directive_invocations {
                let required = directive.args.get("permission").and_then(|value| {
                    <Permission as async_graphql::InputType>::parse(Some(value.clone())).ok()
                });
                if let (true, Some(required)) = (directive.name == "requires", required) {
                    permissions.entry(type_name.clone()).or_default().insert(field_name.clone(), required);
                }
            }
        }
    }
    permissions
}

fn segments(node: &async_graphql::QueryPathNode<'_>) -> Vec<PathSegment> {
    let mut path: Vec<_> = std::iter::once(node)
        .chain(node.parents())
        .map(|node| match node.segment {
            QueryPathSegment::Index(index) => PathSegment::Index(index),
            QueryPathSegment::Name(name) => PathSegment::Field(name.into()),
        })
        .collect();
    path.reverse();
    path
}
