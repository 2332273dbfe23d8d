//! To-one relations read in the same statement, where the operation asks for them.
//!
//! A slice lists its relations once ([`Join::one`]); [`select`] joins those whose GraphQL field the
//! operation selects and fills the model's slot. A relation that was not joined (a payload of a mutation,
//! `node(id:)`) is read by the loader instead, so resolvers work either way.

use sea_orm::sea_query::{Alias, IntoIden};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, Iden, Iterable, JoinType, QueryResult,
    QuerySelect, RelationDef, Select,
};

use sea_orm::prelude::BelongsTo;

use crate::error::Result;

type Attach<E> =
    Box<dyn Fn(&mut <E as EntityTrait>::ModelEx, &QueryResult, &str) -> Result<(), DbErr> + Send + Sync>;
type Columns<E> = Box<dyn Fn(Select<E>, &str) -> Select<E> + Send + Sync>;

/// A to-one relation that can be joined.
pub struct Join<E: EntityTrait> {
    /// The GraphQL field that asks for it.
    field: &'static str,
    relation: RelationDef,
    columns: Columns<E>,
    attach: Attach<E>,
}

impl<E: EntityTrait> Join<E> {
    /// A relation that every row has.
    pub fn one<T>(
        field: &'static str,
        relation: RelationDef,
        slot: fn(&mut E::ModelEx) -> &mut BelongsTo<T>,
    ) -> Self
    where
        T: EntityTrait,
        T::Model: Into<T::ModelEx>,
    {
        Self {
            field,
            relation,
            columns: Box::new(columns_of::<E, T>),
            attach: Box::new(move |row, result, prefix| {
                *slot(row) = BelongsTo::Loaded(Box::new(T::Model::from_query_result(result, prefix)?.into()));
                Ok(())
            }),
        }
    }

    /// A relation that a row may lack.
    pub fn maybe<T>(
        field: &'static str,
        relation: RelationDef,
        slot: fn(&mut E::ModelEx) -> &mut BelongsTo<Option<T>>,
    ) -> Self
    where
        T: EntityTrait,
        T::Model: Into<T::ModelEx>,
    {
        Self {
            field,
            relation,
            columns: Box::new(columns_of::<E, T>),
            attach: Box::new(move |row, result, prefix| {
                // Not `from_query_result_optional`: it takes every decoding error for an absent row.
                let id = format!("{prefix}id");
                let absent = result.try_get_by::<Option<uuid::Uuid>, _>(id.as_str())?.is_none();
                let model = if absent { None } else { Some(T::Model::from_query_result(result, prefix)?) };
                *slot(row) = BelongsTo::Loaded(model.map(|model| Box::new(model.into())));
                Ok(())
            }),
        }
    }
}

/// `alias.column AS alias_column` for every column of the target: short prefixes, for PostgreSQL cuts
/// names at 63 bytes.
fn columns_of<E: EntityTrait, T: EntityTrait>(query: Select<E>, alias: &str) -> Select<E> {
    T::Column::iter().fold(query, |query, column| {
        let name = column.unquoted();
        query.expr_as(
            column.select_as(sea_orm::sea_query::Expr::col((Alias::new(alias), column))),
            format!("{alias}_{name}"),
        )
    })
}

/// Whether the nodes of the connection that is being resolved are asked for this field.
pub fn nodes_asked<'a>(ctx: &'a async_graphql::Context<'_>) -> impl Fn(&str) -> bool + 'a {
    let look = ctx.look_ahead();
    let (nodes, edges) = (look.field("nodes"), look.field("edges").field("node"));
    move |field| nodes.field(field).exists() || edges.field(field).exists()
}

/// A joined relation, if it was joined.
pub fn joined<T: EntityTrait>(slot: &BelongsTo<T>) -> Option<&T::ModelEx> {
    match slot {
        BelongsTo::Loaded(model) => Some(model),
        BelongsTo::Unloaded => None,
    }
}

/// A joined relation that a row may lack: the outer option says whether it was joined.
pub fn maybe_joined<T: EntityTrait>(slot: &BelongsTo<Option<T>>) -> Option<Option<&T::ModelEx>> {
    match slot {
        BelongsTo::Loaded(model) => Some(model.as_deref()),
        BelongsTo::Unloaded => None,
    }
}

/// Runs the query with those relations joined that are asked for: one statement.
pub async fn select<E>(
    query: Select<E>,
    asked: impl Fn(&str) -> bool,
    joins: &[Join<E>],
    db: &impl ConnectionTrait,
) -> Result<Vec<E::ModelEx>>
where
    E: EntityTrait,
    E::Model: Into<E::ModelEx>,
{
    let chosen: Vec<(String, &Join<E>)> = joins
        .iter()
        .filter(|join| asked(join.field))
        .enumerate()
        .map(|(index, join)| (format!("r{index}"), join))
        .collect();
    let mut query = query;
    for (alias, join) in &chosen {
        query =
            query.join_as(JoinType::LeftJoin, join.relation.clone(), Alias::new(alias.as_str()).into_iden());
        query = (join.columns)(query, alias);
    }
    let statement = db.get_database_backend().build(&sea_orm::QueryTrait::into_query(query));
    let mut rows = Vec::new();
    for result in db.query_all_raw(statement).await? {
        let mut row: E::ModelEx = E::Model::from_query_result(&result, "")?.into();
        for (alias, join) in &chosen {
            (join.attach)(&mut row, &result, &format!("{alias}_"))?;
        }
        rows.push(row);
    }
    Ok(rows)
}
