//! Objects and lists of an answer, in less room than the engine takes for them.
//!
//! The engine gives each field of each object a future of its own on the heap, waits for all of them together, and puts their
//! values into a map that grows as it fills and is searched twice for each: a third of what a list costs. But nearly all
//! fields are columns that are there already. So here a field is asked as soon as its future is made, the next one takes over
//! its room, and only those that have to wait keep theirs. The answer is the same, and so is the order in which fields are
//! asked (docs/adr/0024-fields-in-place.md).

use std::any::TypeId;
use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use async_graphql::indexmap::IndexMap;
use async_graphql::indexmap::map::Entry;
use async_graphql::parser::types::{Field, Selection};
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::resolve_container;
use async_graphql::{
    ContainerType, ContextSelectionSet, Name, OutputType, Positioned, QueryEnv, ServerResult, Value,
};
use futures::TryFutureExt;
use futures::future::{BoxFuture, try_join_all};

/// Goes with an operation that no extension watches: an extension has to be told of each field.
pub struct Unwatched;

impl Unwatched {
    fn is(query: &QueryEnv) -> bool {
        query.query_data.contains_key(&TypeId::of::<Self>())
    }
}

/// Resolves the fields of an object.
///
/// Boxed: what a field answers with may have fields of the same kind.
pub fn resolve<'a, T: ContainerType>(
    ctx: &'a ContextSelectionSet<'_>,
    object: &'a T,
) -> BoxFuture<'a, ServerResult<Value>> {
    match fields_of::<T>(ctx) {
        Some(fields) => Box::pin(all(ctx, object, fields)),
        None => Box::pin(resolve_container(ctx, object)),
    }
}

async fn all<T: ContainerType>(
    ctx: &ContextSelectionSet<'_>,
    object: &T,
    fields: Vec<&Positioned<Field>>,
) -> ServerResult<Value> {
    let values = in_place(fields.iter().map(|field| async move {
        if field.node.name.node == "__typename" {
            return Ok(Value::String(object.introspection_type_name().into_owned()));
        }
        Ok(object.resolve_field(&ctx.with_field(field)).await?.unwrap_or_default())
    }));
    let values = values.await?;
    let mut map = IndexMap::with_capacity(fields.len());
    for (field, value) in fields.iter().zip(values) {
        insert(&mut map, field.node.response_key().node.clone(), value);
    }
    Ok(Value::Object(map))
}

/// The fields that are asked for, with those of fragments in their place. `None` where that takes the engine's way.
fn fields_of<'a, T: ContainerType>(ctx: &ContextSelectionSet<'a>) -> Option<Vec<&'a Positioned<Field>>> {
    if !Unwatched::is(ctx.query_env) {
        return None;
    }
    let mut fields = Vec::with_capacity(ctx.item.node.items.len());
    collect::<T>(ctx, &ctx.item.node.items, &mut fields).then_some(fields)
}

fn collect<'a, T: ContainerType>(
    ctx: &ContextSelectionSet<'a>,
    selections: &'a [Positioned<Selection>],
    fields: &mut Vec<&'a Positioned<Field>>,
) -> bool {
    selections.iter().all(|selection| {
        let (condition, inner) = match &selection.node {
            Selection::Field(field) => {
                fields.push(field);
                return field.node.directives.is_empty();
            }
            Selection::InlineFragment(it) => (it.node.type_condition.as_ref(), &it.node.selection_set),
            Selection::FragmentSpread(spread) => {
                let Some(it) = ctx.query_env.fragments.get(&spread.node.fragment_name.node) else {
                    return false;
                };
                (Some(&it.node.type_condition), &it.node.selection_set)
            }
        };
        condition.is_none_or(|condition| *condition.node.on.node == *T::type_name())
            && collect::<T>(ctx, &inner.node.items, fields)
    })
}

/// All of them at the same time, in their order.
async fn in_place<F>(futures: impl ExactSizeIterator<Item = F>) -> ServerResult<Vec<Value>>
where
    F: Future<Output = ServerResult<Value>>,
{
    let mut values = Vec::with_capacity(futures.len());
    let mut waiting = Vec::new();
    let mut room: Option<Pin<Box<F>>> = None;
    for (index, future) in futures.enumerate() {
        let mut place = match room.take() {
            Some(mut place) => {
                place.set(future);
                place
            }
            None => Box::pin(future),
        };
        match poll_fn(|task| Poll::Ready(place.as_mut().poll(task))).await {
            Poll::Ready(value) => {
                values.push(value?);
                room = Some(place);
            }
            Poll::Pending => {
                values.push(Value::Null);
                waiting.push(place.map_ok(move |value| (index, value)));
            }
        }
    }
    if !waiting.is_empty() {
        for (index, value) in try_join_all(waiting).await? {
            values[index] = value;
        }
    }
    Ok(values)
}

/// Puts a field into the answer; one that is asked for twice with different fields of its own has both.
fn insert(map: &mut IndexMap<Name, Value>, name: Name, value: Value) {
    match map.entry(name) {
        Entry::Vacant(place) => {
            place.insert(value);
        }
        Entry::Occupied(mut place) => merge(place.get_mut(), value),
    }
}

fn merge(into: &mut Value, value: Value) {
    match (into, value) {
        (Value::Object(into), Value::Object(fields)) => {
            for (name, value) in fields {
                insert(into, name, value);
            }
        }
        (Value::List(into), Value::List(items)) => {
            for (into, item) in into.iter_mut().zip(items) {
                merge(into, item);
            }
        }
        _ => {}
    }
}

/// The objects of a list.
pub struct Items<'a, T>(pub Vec<&'a T>);

impl<T: ContainerType> OutputType for Items<'_, T> {
    fn type_name() -> Cow<'static, str> {
        <Vec<&T>>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<&T>>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<&T>>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        if !Unwatched::is(ctx.query_env) {
            return Box::pin(self.0.resolve(ctx, field)).await;
        }
        let items = self.0.iter().enumerate().map(|(index, item)| async move {
            let ctx = ctx.with_index(index);
            resolve(&ctx, *item).await.map_err(|error| ctx.set_error_path(error))
        });
        Ok(Value::List(in_place(items).await?))
    }
}

#[cfg(test)]
mod tests;
