//! To-one relations that are read in the same statement as the rows that have them.
//!
//! A relation that was not joined (a payload of a mutation, `node(id:)`) is read by the loader instead, so
//! resolvers work either way.

use std::borrow::Cow;
use std::sync::LazyLock;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, OutputType, Positioned, ServerResult, Value,
};
use futures::future::Either;
use sea_orm::prelude::BelongsTo;
use sea_orm::{DbErr, EntityTrait, QueryResult, RelationDef, Select};

use super::batch::BatchKey;
use super::context::{ContextExt, Soon, at_once};
use super::object;
use super::project::{self, Asked, Columns, Shape};

type Attach<E> = Box<
    dyn Fn(&mut <E as EntityTrait>::ModelEx, Columns, &QueryResult, &mut usize) -> Result<(), DbErr>
        + Send
        + Sync,
>;
type Selected<E> = Box<dyn Fn(Select<E>, Columns, &str) -> Select<E> + Send + Sync>;
type Wanted = Box<dyn Fn(&Asked<'_>) -> Columns + Send + Sync>;

/// A to-one relation that can be joined.
pub struct Join<E: EntityTrait> {
    /// The GraphQL field that asks for it.
    field: &'static str,
    relation: RelationDef,
    columns: Wanted,
    select: Selected<E>,
    attach: Attach<E>,
}

impl<E: EntityTrait> Join<E> {
    /// A relation that every row has.
    pub fn one<T>(
        field: &'static str,
        relation: RelationDef,
        slot: fn(&mut E::ModelEx) -> &mut BelongsTo<T>,
        shape: &'static LazyLock<Shape<T>>,
    ) -> Self
    where
        T: EntityTrait,
        T::Model: Default + Into<T::ModelEx>,
    {
        let attach: Attach<E> = Box::new(move |row, columns, result, place| {
            let target = project::read(shape, columns, result, place)?
                .ok_or_else(|| DbErr::RecordNotFound(format!("the {field} of a row")))?;
            *slot(row) = BelongsTo::Loaded(Box::new(target.into()));
            Ok(())
        });
        Self::to(field, relation, shape, attach)
    }

    /// A relation that a row may lack.
    pub fn maybe<T>(
        field: &'static str,
        relation: RelationDef,
        slot: fn(&mut E::ModelEx) -> &mut BelongsTo<Option<T>>,
        shape: &'static LazyLock<Shape<T>>,
    ) -> Self
    where
        T: EntityTrait,
        T::Model: Default + Into<T::ModelEx>,
    {
        let attach: Attach<E> = Box::new(move |row, columns, result, place| {
            let target = project::read(shape, columns, result, place)?;
            *slot(row) = BelongsTo::Loaded(target.map(|target| Box::new(target.into())));
            Ok(())
        });
        Self::to(field, relation, shape, attach)
    }

    fn to<T: EntityTrait>(
        field: &'static str,
        relation: RelationDef,
        shape: &'static LazyLock<Shape<T>>,
        attach: Attach<E>,
    ) -> Self {
        Self {
            field,
            relation,
            columns: Box::new(move |asked| shape.columns(asked)),
            select: Box::new(move |query, columns, alias| {
                project::select_joined(query, shape, columns, alias)
            }),
            attach,
        }
    }

    pub(super) fn field(&self) -> &'static str {
        self.field
    }

    pub(super) fn relation(&self) -> RelationDef {
        self.relation.clone()
    }

    /// The columns of the row that name the other one.
    pub(super) fn key(&self) -> Vec<String> {
        self.relation.from_col.iter().map(|column| column.to_string()).collect()
    }

    /// The columns of the other row that are asked for.
    pub(super) fn columns(&self, asked: &Asked<'_>) -> Columns {
        (self.columns)(asked)
    }

    pub(super) fn select(&self, query: Select<E>, columns: Columns, alias: &str) -> Select<E> {
        (self.select)(query, columns, alias)
    }

    pub(super) fn attach(
        &self,
        row: &mut E::ModelEx,
        columns: Columns,
        result: &QueryResult,
        place: &mut usize,
    ) -> Result<(), DbErr> {
        (self.attach)(row, columns, result, place)
    }
}

/// An object: joined to the row that has it, or read by itself.
///
/// Small, whatever it stands for: the future of an object's field has room for the largest of all its fields.
pub enum Related<'a, T> {
    Joined(&'a T),
    Loaded(Box<T>),
}

impl<'a, T: Send + Sync + 'static> Related<'a, T> {
    /// The object of a relation that every row has.
    pub fn one<'c, E, K>(slot: &'a BelongsTo<E>, ctx: &'c Context<'_>, key: K) -> Soon<'c, Option<Self>>
    where
        'a: 'c,
        E: EntityTrait<ModelEx = T>,
        K: BatchKey<Value = T>,
    {
        match slot {
            BelongsTo::Loaded(joined) => at_once(Ok(Some(Self::Joined(&**joined)))),
            BelongsTo::Unloaded => Self::load(ctx, key),
        }
    }

    /// The object of a relation that a row may lack.
    pub fn maybe<'c, E, K>(
        slot: &'a BelongsTo<Option<E>>,
        ctx: &'c Context<'_>,
        key: Option<K>,
    ) -> Soon<'c, Option<Self>>
    where
        'a: 'c,
        E: EntityTrait<ModelEx = T>,
        K: BatchKey<Value = T>,
    {
        match (slot, key) {
            (BelongsTo::Loaded(joined), _) => at_once(Ok(joined.as_deref().map(Self::Joined))),
            (BelongsTo::Unloaded, Some(key)) => Self::load(ctx, key),
            (BelongsTo::Unloaded, None) => at_once(Ok(None)),
        }
    }

    /// The object of this key, by the loader.
    pub fn load<'c, K: BatchKey<Value = T>>(ctx: &'c Context<'_>, key: K) -> Soon<'c, Option<Self>>
    where
        'a: 'c,
    {
        let load = ctx.call().load(key);
        Either::Right(Box::pin(async { Ok(load.await?.map(Self::alone)) }))
    }

    /// An object that was read by itself.
    pub fn alone(object: T) -> Self {
        Self::Loaded(Box::new(object))
    }
}

impl<T: ContainerType> OutputType for Related<'_, T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.object().introspection_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        object::resolve(ctx, self.object()).await
    }
}

impl<T> Related<'_, T> {
    fn object(&self) -> &T {
        match self {
            Self::Joined(object) => object,
            Self::Loaded(object) => object,
        }
    }
}
