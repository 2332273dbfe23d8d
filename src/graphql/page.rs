//! Lists: Relay connections over keyset cursors.
//!
//! A cursor is opaque to clients. It holds the position (the values of the order's columns) and a digest of
//! workspace, filter and order, so that it cannot be carried to another list.

use std::borrow::Cow;

use async_graphql::connection::PageInfo;
use async_graphql::{ContainerType, Context, Object, OutputType, TypeName};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    Value,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::context::ContextExt;
use super::join::Related;
use super::object::Items;
use crate::error::{Error, FieldProblem, Result};
use crate::id::WorkspaceId;

/// Items of a page unless `first` or `last` says otherwise.
pub const DEFAULT_SIZE: usize = 20;
/// The most items of a page.
pub const MAX_SIZE: usize = 100;

/// The paging arguments of every list.
#[derive(Clone, Debug, Default)]
pub struct PageArgs {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

/// One value of a position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Key {
    /// Microseconds since the epoch.
    At(i64),
    Id(Uuid),
    Text(String),
    Int(i64),
}

impl From<Key> for Value {
    fn from(key: Key) -> Self {
        match key {
            Key::At(micros) => DateTime::from_timestamp_micros(micros).into(),
            Key::Id(id) => id.into(),
            Key::Text(text) => text.into(),
            Key::Int(int) => int.into(),
        }
    }
}

/// Which list a cursor belongs to: a digest of workspace, list, filter and order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding([u8; 8]);

impl Binding {
    pub fn new(workspace: WorkspaceId, list: &str, filter_and_order: &impl std::fmt::Debug) -> Self {
        let mut hasher = Sha256::new_with_prefix(workspace.0.as_bytes());
        hasher.update(list);
        hasher.update([0]);
        hasher.update(format!("{filter_and_order:?}"));
        let mut short = [0; 8];
        short.copy_from_slice(&hasher.finalize()[..8]);
        Self(short)
    }

    fn encode(self, position: &[Key]) -> String {
        let mut bytes = self.0.to_vec();
        serde_json::to_writer(&mut bytes, position).expect("keys are plain data");
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn decode(self, argument: &str, cursor: &str) -> Result<Vec<Key>> {
        let invalid = || Error::invalid_argument(argument, "This cursor does not belong to this list.");
        if cursor.len() > 2048 {
            return Err(invalid());
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
        match bytes.split_at_checked(8) {
            Some((binding, position)) if binding == self.0 => {
                serde_json::from_slice(position).map_err(|_| invalid())
            }
            _ => Err(invalid()),
        }
    }
}

/// A validated request for one page.
#[derive(Clone, Debug)]
pub struct Page {
    binding: Binding,
    pub size: usize,
    /// From the end of the list towards its beginning.
    pub backwards: bool,
    pub after: Option<Vec<Key>>,
    pub before: Option<Vec<Key>>,
}

impl Page {
    pub fn new(binding: Binding, args: PageArgs) -> Result<Self> {
        let size = |name: &str, value: Option<i32>| match value {
            None => Ok(None),
            Some(value) => match usize::try_from(value) {
                Ok(size) if (1..=MAX_SIZE).contains(&size) => Ok(Some(size)),
                _ => Err(Error::invalid_argument(name, format!("Use 1 to {MAX_SIZE}."))),
            },
        };
        let (first, last) = (size("first", args.first)?, size("last", args.last)?);
        if first.is_some() && last.is_some() {
            return Err(Error::Invalid(vec![FieldProblem {
                path: vec!["last".into()],
                message: "Use either first or last.".into(),
            }]));
        }
        Ok(Self {
            binding,
            size: first.or(last).unwrap_or(DEFAULT_SIZE),
            backwards: last.is_some(),
            after: args.after.map(|cursor| binding.decode("after", &cursor)).transpose()?,
            before: args.before.map(|cursor| binding.decode("before", &cursor)).transpose()?,
        })
    }

    /// Restricts and orders the query to this page, with one row more to know whether there are others.
    pub fn apply<E: EntityTrait>(
        &self,
        query: Select<E>,
        columns: &[(E::Column, Order)],
    ) -> Result<Select<E>> {
        let mut query = query;
        if let Some(position) = &self.after {
            query = query.filter(beyond(columns, position, false)?);
        }
        if let Some(position) = &self.before {
            query = query.filter(beyond(columns, position, true)?);
        }
        for (column, order) in columns {
            query = query.order_by(*column, if self.backwards { reversed(order) } else { order.clone() });
        }
        Ok(query.limit(self.size as u64 + 1))
    }

    /// The connection of the rows that the applied query returned.
    pub fn connect<R, N: OutputType>(
        &self,
        mut rows: Vec<R>,
        position: impl Fn(&R) -> Vec<Key>,
        node: impl Fn(R) -> N,
        total: Option<u64>,
    ) -> List<N> {
        let more = rows.len() > self.size;
        rows.truncate(self.size);
        if self.backwards {
            rows.reverse();
        }
        let (previous, next) =
            if self.backwards { (more, self.before.is_some()) } else { (self.after.is_some(), more) };
        let edges = rows
            .into_iter()
            .map(|row| Edge { place: Place { binding: self.binding, keys: position(&row) }, node: node(row) })
            .collect();
        List { edges, previous, next, total: total.map(|total| i32::try_from(total).unwrap_or(i32::MAX)) }
    }
}

/// How many rows the query has in all, when the operation asks for `totalCount`.
pub async fn total<E>(ctx: &Context<'_>, query: &Select<E>) -> Result<Option<u64>>
where
    E: EntityTrait,
    E::Model: Send + Sync,
{
    if !ctx.look_ahead().field("totalCount").exists() {
        return Ok(None);
    }
    let tx = ctx.call().tx().await?;
    // Boxed: it is large, and few ask for it.
    Ok(Some(Box::pin(query.clone().count(&*tx)).await?))
}

/// Reads one page of a query whose rows are what the list shows.
pub async fn read<E: EntityTrait>(
    ctx: &Context<'_>,
    page: &Page,
    query: Select<E>,
    order: &[(E::Column, Order)],
    position: impl Fn(&E::Model) -> Vec<Key>,
) -> Result<List<E::ModelEx>>
where
    E::Model: Into<E::ModelEx> + Send + Sync,
    E::ModelEx: OutputType,
{
    let tx = ctx.call().tx().await?;
    let total = total(ctx, &query).await?;
    let rows = page.apply(query, order)?.all(&*tx).await?;
    Ok(page.connect(rows, position, Into::into, total))
}

/// A page of a list.
pub struct List<N> {
    pub edges: Vec<Edge<N>>,
    previous: bool,
    next: bool,
    total: Option<i32>,
}

/// An item of a list and its place in it.
pub struct Edge<N> {
    place: Place,
    node: N,
}

/// A place in a list. It becomes a cursor when somebody asks for it.
struct Place {
    binding: Binding,
    keys: Vec<Key>,
}

impl Place {
    fn cursor(&self) -> String {
        self.binding.encode(&self.keys)
    }
}

impl<N: OutputType> TypeName for List<N> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", N::type_name()).into()
    }
}

impl<N: OutputType> TypeName for Edge<N> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", N::type_name()).into()
    }
}

/// A page of a list: from a cursor on, in the list's order.
#[Object(name_type)]
impl<N: ContainerType> List<N> {
    /// Where the page lies in the list.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_previous_page: self.previous,
            has_next_page: self.next,
            start_cursor: self.edges.first().map(|edge| edge.place.cursor()),
            end_cursor: self.edges.last().map(|edge| edge.place.cursor()),
        }
    }

    /// The items with their cursors.
    async fn edges(&self) -> Items<'_, Edge<N>> {
        Items(self.edges.iter().collect())
    }

    /// The items.
    async fn nodes(&self) -> Items<'_, N> {
        Items(self.edges.iter().map(|edge| &edge.node).collect())
    }

    /// How many items the whole list has. Counted only when asked for.
    async fn total_count(&self) -> Option<i32> {
        self.total
    }
}

/// An item of a list and its place in it.
#[Object(name_type)]
impl<N: ContainerType> Edge<N> {
    /// The item.
    async fn node(&self) -> Related<'_, N> {
        Related::Joined(&self.node)
    }

    /// Its place: pass it as `after` or `before` to go on from here.
    async fn cursor(&self) -> String {
        self.place.cursor()
    }
}

fn reversed(order: &Order) -> Order {
    match order {
        Order::Desc => Order::Asc,
        _ => Order::Desc,
    }
}

/// Rows beyond the position in the order, or before it: `a > x OR (a = x AND b > y) …`.
fn beyond<C: ColumnTrait>(columns: &[(C, Order)], position: &[Key], before: bool) -> Result<Condition> {
    if columns.len() != position.len() {
        return Err(Error::invalid_argument("after", "This cursor does not belong to this list."));
    }
    let mut any = Condition::any();
    for (index, ((column, order), key)) in columns.iter().zip(position).enumerate() {
        let mut all = Condition::all();
        for ((column, _), key) in columns.iter().zip(position).take(index) {
            all = all.add(column_expr(*column).eq(Value::from(key.clone())));
        }
        let greater = matches!(order, Order::Asc) != before;
        let value = Value::from(key.clone());
        let expr = column_expr(*column);
        all = all.add(if greater { expr.gt(value) } else { expr.lt(value) });
        any = any.add(all);
    }
    Ok(any)
}

fn column_expr<C: ColumnTrait>(column: C) -> SimpleExpr {
    Expr::col(column.as_column_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(filter: &str) -> Binding {
        Binding::new(WorkspaceId(Uuid::nil()), "list", &filter)
    }

    proptest::proptest! {
        #[test]
        fn a_cursor_keeps_its_position_and_belongs_to_its_list(at: i64, id: u128, text: String) {
            let position = vec![Key::At(at), Key::Id(Uuid::from_u128(id)), Key::Text(text), Key::Int(at)];
            let cursor = binding("a").encode(&position);
            assert_eq!(binding("a").decode("after", &cursor).unwrap(), position);
            assert!(binding("b").decode("after", &cursor).is_err());
        }

        #[test]
        fn a_cursor_that_is_none_is_an_input_error(cursor in "\\PC{0,80}") {
            assert!(matches!(binding("a").decode("after", &cursor), Err(Error::Invalid(_))));
        }
    }
}
