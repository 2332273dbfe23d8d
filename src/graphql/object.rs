//! Objects and lists of an answer, in less room than the engine takes for them.
//!
//! The engine gives each field of each object a future of its own on the heap, waits for all of them together, and puts their
//! values into a map that grows as it fills and is searched twice for each: a third of what a list costs. But nearly all
//! fields are columns that are there already. So here the fields of an object are asked one after the other, in one
//! future; only where one has to wait, another future goes on with the rest. And the names of an object's fields are put into a map
//! once for a document, of which each object takes a copy. The answer is the same, and so is the order in which fields
//! are asked (docs/adr/0024-fields-in-place.md).

use std::any::TypeId;
use std::borrow::Cow;
use std::future::Future;
use std::iter::once;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use async_graphql::indexmap::IndexMap;
use async_graphql::indexmap::map::Entry;
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::resolve_container;
use async_graphql::{ContainerType, ContextSelectionSet, Name, OutputType, Positioned, ServerResult, Value};
use futures::future::{BoxFuture, try_join_all};
use futures::poll;

/// What the objects of an operation look like before their fields are known, by the place of their selection in memory.
///
/// An `Arc` of it goes with an operation that no extension watches: an extension has to be told of each field. It may be
/// empty.
#[derive(Default)]
pub struct Forms(Vec<(usize, Form)>);

/// The names of an object's fields in their order, each with null.
type Form = IndexMap<Name, Value>;

impl Forms {
    /// Of a selection and all that stand in it, as long as they stay where they are. A selection with a fragment or a directive
    /// has none.
    pub fn of(selection: &Positioned<SelectionSet>) -> Self {
        let mut forms = Self::default();
        forms.add(selection);
        forms.0.sort_unstable_by_key(|(place, _)| *place);
        forms
    }

    fn add(&mut self, selection: &Positioned<SelectionSet>) {
        let mut form = Form::new();
        let mut is_plain = true;
        for item in &selection.node.items {
            let inner = match &item.node {
                Selection::Field(field) => {
                    let name = field.node.response_key().node.clone();
                    is_plain &= form.insert(name, Value::Null).is_none() && field.node.directives.is_empty();
                    &field.node.selection_set
                }
                Selection::InlineFragment(fragment) => {
                    is_plain = false;
                    &fragment.node.selection_set
                }
                Selection::FragmentSpread(_) => {
                    is_plain = false;
                    continue;
                }
            };
            self.add(inner);
        }
        if is_plain && !form.is_empty() {
            self.0.push((place(selection), form));
        }
    }

    fn get(&self, selection: &Positioned<SelectionSet>) -> Option<&Form> {
        let at = self.0.binary_search_by_key(&place(selection), |(place, _)| *place).ok()?;
        self.0.get(at).map(|(_, form)| form)
    }
}

fn place(selection: &Positioned<SelectionSet>) -> usize {
    std::ptr::from_ref(selection).addr()
}

/// Resolves the fields of an object.
///
/// Boxed: what a field answers with may have fields of the same kind.
pub fn resolve<'a, T: ContainerType>(
    ctx: &'a ContextSelectionSet<'_>,
    object: &'a T,
) -> BoxFuture<'a, ServerResult<Value>> {
    let mut fields = Vec::with_capacity(ctx.item.node.items.len());
    match forms(ctx) {
        Some(forms) if collect::<T>(ctx, &ctx.item.node.items, &mut fields) => {
            Box::pin(fill(ctx, object, fields, forms.get(ctx.item)))
        }
        _ => Box::pin(resolve_container(ctx, object)),
    }
}

fn forms<'a>(ctx: &ContextSelectionSet<'a>) -> Option<&'a Forms> {
    let found = ctx.query_env.query_data.get(&TypeId::of::<Arc<Forms>>())?;
    Some(found.downcast_ref::<Arc<Forms>>()?)
}

/// Takes down the fields that are asked for, with those of fragments in their place. False where that takes the engine's way.
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

async fn fill<T: ContainerType>(
    ctx: &ContextSelectionSet<'_>,
    object: &T,
    fields: Vec<&Positioned<Field>>,
    form: Option<&Form>,
) -> ServerResult<Value> {
    let (turns, fields) = (&Turns::of(fields.len()), &fields);
    let values = turns.take(|room| async move {
        let mut values = Vec::with_capacity(room);
        while let Some(turn) = turns.next() {
            let field = fields[turn];
            let value = match field.node.name.node == "__typename" {
                true => Value::String(object.introspection_type_name().into_owned()),
                false => object.resolve_field(&ctx.with_field(field)).await?.unwrap_or_default(),
            };
            values.push((turn, value));
        }
        Ok(values)
    });
    let values = values.await?;
    debug_assert_eq!(values.len(), fields.len());
    if let Some(form) = form {
        debug_assert!(form.keys().eq(fields.iter().map(|field| &field.node.response_key().node)));
        let mut map = form.clone();
        for (slot, (_, value)) in map.values_mut().zip(values) {
            *slot = value;
        }
        return Ok(Value::Object(map));
    }
    let mut map = Form::with_capacity(fields.len());
    for (field, (_, value)) in fields.iter().zip(values) {
        insert(&mut map, field.node.response_key().node.clone(), value);
    }
    Ok(Value::Object(map))
}

/// Values with the turns in which they were asked for.
type Taken = Vec<(usize, Value)>;

/// Whose turn it is among those who are asked by one task.
struct Turns {
    /// Only ever read and written by one thread at a time.
    next: AtomicUsize,
    count: usize,
}

impl Turns {
    fn of(count: usize) -> Self {
        Self { next: AtomicUsize::new(0), count }
    }

    fn next(&self) -> Option<usize> {
        let turn = self.next.load(Ordering::Relaxed);
        (turn < self.count).then(|| {
            self.next.store(turn + 1, Ordering::Relaxed);
            turn
        })
    }

    /// Has all turns taken, and puts them in order. Whoever has to wait is left waiting, and another one goes on.
    ///
    /// A taker is told how many values to make room for: the first one for all, as a rule nobody waits. The others for
    /// none: there may be as many as turns.
    async fn take<F>(&self, taker: impl Fn(usize) -> F) -> ServerResult<Taken>
    where
        F: Future<Output = ServerResult<Taken>>,
    {
        let mut first = pin!(taker(self.count));
        if let Poll::Ready(taken) = poll!(first.as_mut()) {
            return taken;
        }
        let (mut all, mut others) = (Taken::new(), Vec::new());
        while self.next.load(Ordering::Relaxed) < self.count {
            let mut other = Box::pin(taker(0));
            match poll!(other.as_mut()) {
                Poll::Ready(taken) => all.extend(taken?),
                Poll::Pending => others.push(other),
            }
        }
        let waiting = once(first).chain(others.iter_mut().map(Pin::as_mut));
        all.extend(try_join_all(waiting).await?.into_iter().flatten());
        all.sort_unstable_by_key(|(turn, _)| *turn);
        Ok(all)
    }
}

/// Puts a field into the answer; one that is asked for twice with different fields of its own has both.
fn insert(map: &mut Form, name: Name, value: Value) {
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
        if forms(ctx).is_none() {
            return Box::pin(self.0.resolve(ctx, field)).await;
        }
        let turns = &Turns::of(self.0.len());
        let items = turns.take(|room| async move {
            let mut items = Vec::with_capacity(room);
            while let Some(turn) = turns.next() {
                let ctx = ctx.with_index(turn);
                let item = resolve(&ctx, self.0[turn]).await.map_err(|error| ctx.set_error_path(error))?;
                items.push((turn, item));
            }
            Ok(items)
        });
        Ok(Value::List(items.await?.into_iter().map(|(_, item)| item).collect()))
    }
}

#[cfg(test)]
mod tests;
