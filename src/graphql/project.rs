//! Rows in the shape that an operation asks for: its columns, and its to-one relations in the same statement.
//!
//! A slice says once what its fields read ([`Shape`]); [`Shape::choose`] looks ahead, and [`select`] reads no more
//! than that. A field named like a column reads that column. A field that is neither a column nor declared reads
//! the whole row, so forgetting one costs time and nothing else. What was not read has its type's default value:
//! a test asks for every field alone and compares it with the whole row's.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_graphql::{Context, SelectionField};
use sea_orm::sea_query::{Alias, Expr, IntoIden};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, Iden, Iterable, JoinType, ModelTrait,
    QueryResult, QuerySelect, QueryTrait, Select, Statement,
};

use super::join::Join;
use crate::access::scope::NOTHING;
use crate::db::row::{is_null, value};
use crate::error::Result;

/// What is asked of the objects that a resolver is about to read.
pub struct Asked<'a>(Vec<SelectionField<'a>>);

impl<'a> Asked<'a> {
    /// What is asked of the object that the field answers.
    pub fn of(ctx: &'a Context<'a>) -> Self {
        Self(vec![ctx.field()])
    }

    /// What is asked of the nodes of the connection that the field answers.
    pub fn nodes(ctx: &'a Context<'a>) -> Self {
        let list = Self::of(ctx);
        let mut nodes = list.below("nodes");
        nodes.0.extend(list.below("edges").below("node").0);
        nodes
    }

    /// What is asked of the objects that this field of them answers.
    pub fn below(&self, name: &str) -> Self {
        Self(self.fields().filter(|field| field.name() == name).collect())
    }

    pub fn asks(&self, name: &str) -> bool {
        self.fields().any(|field| field.name() == name)
    }

    fn fields(&self) -> impl Iterator<Item = SelectionField<'a>> {
        self.0.iter().flat_map(SelectionField::selection_set)
    }
}

/// Some of a table's columns, by their place in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Columns(u64);

impl Columns {
    const ALL: Self = Self(u64::MAX);

    fn holds(self, place: usize) -> bool {
        self.0 & (1 << place) != 0
    }
}

impl std::ops::BitOrAssign for Columns {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// What is read of a table's rows: columns, and those of the relations that are joined.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Chosen {
    columns: Columns,
    /// By the relation's place in the shape.
    joined: Vec<(usize, Columns)>,
}

/// What the fields of an entity's GraphQL object read.
pub struct Shape<E: EntityTrait> {
    columns: Vec<E::Column>,
    always: Columns,
    fields: HashMap<String, Columns>,
    joins: Vec<Join<E>>,
    /// How statements for what was chosen before begin: up to their conditions they are the same each time.
    beginnings: RwLock<HashMap<Chosen, Arc<str>>>,
}

/// The most beginnings that a shape keeps. As many different ones are asked for by somebody who makes them up.
const BEGINNINGS: usize = 1_000;

impl<E: EntityTrait> Shape<E> {
    /// Every field that is named like a column reads it. The columns given are read always: the key, and what
    /// the lists of the entity are ordered by.
    pub fn new(always: impl IntoIterator<Item = E::Column>) -> Self {
        let columns: Vec<E::Column> = E::Column::iter().collect();
        assert!(columns.len() <= 64, "a table of more columns needs a wider set");
        let fields = columns.iter().enumerate().map(|(place, column)| (camel(column), Columns(1 << place)));
        let mut shape = Self {
            fields: fields.collect(),
            columns,
            always: Columns::default(),
            joins: Vec::new(),
            beginnings: RwLock::default(),
        };
        shape.always = shape.set(always);
        shape
    }

    /// A field that reads these columns; the key is read anyway.
    pub fn field(mut self, name: &str, columns: impl IntoIterator<Item = E::Column>) -> Self {
        let columns = self.set(columns);
        self.fields.insert(name.into(), columns);
        self
    }

    /// A to-one relation that can be read in the same statement.
    pub fn join(mut self, join: Join<E>) -> Self {
        // Read on its own when this entity itself was joined.
        let key = join.key();
        let columns =
            self.columns.iter().copied().filter(|column| key.iter().any(|name| name == column.unquoted()));
        let columns = self.set(columns.collect::<Vec<_>>());
        self.fields.insert(join.field().into(), columns);
        self.joins.push(join);
        self
    }

    /// What must be read for what is asked.
    pub fn choose(&self, asked: &Asked<'_>) -> Chosen {
        self.choose_with(asked, [])
    }

    /// The same, with columns that the resolver itself reads.
    pub fn choose_with(&self, asked: &Asked<'_>, own: impl IntoIterator<Item = E::Column>) -> Chosen {
        let mut chosen = Chosen { columns: self.always, joined: Vec::new() };
        chosen.columns |= self.set(own);
        for field in asked.fields() {
            let name = field.name();
            match self.joins.iter().position(|join| join.field() == name) {
                Some(place) => {
                    if chosen.joined.iter().all(|(joined, _)| *joined != place) {
                        chosen.joined.push((place, self.joins[place].columns(&asked.below(name))));
                    }
                }
                None => chosen.columns |= self.reads(name),
            }
        }
        chosen
    }

    /// The columns that must be read for what is asked, relations left to their loaders.
    pub fn columns(&self, asked: &Asked<'_>) -> Columns {
        let mut columns = self.always;
        asked.fields().for_each(|field| columns |= self.reads(field.name()));
        columns
    }

    /// A statement for what was chosen, up to its joins.
    fn beginning(&self, chosen: &Chosen, backend: DbBackend) -> Arc<str> {
        let kept = self.beginnings.read().unwrap_or_else(PoisonError::into_inner).get(chosen).cloned();
        if let Some(beginning) = kept {
            return beginning;
        }
        // Its text alone: whose rows are selected, the conditions say, which are the scoped finder's.
        let beginning: Arc<str> = backend.build(&query(self, chosen, E::find()).into_query()).sql.into();
        let mut beginnings = self.beginnings.write().unwrap_or_else(PoisonError::into_inner);
        if beginnings.len() >= BEGINNINGS {
            beginnings.clear();
        }
        beginnings.insert(chosen.clone(), beginning.clone());
        beginning
    }

    fn reads(&self, field: &str) -> Columns {
        match field {
            "__typename" => Columns::default(),
            field => self.fields.get(field).copied().unwrap_or(Columns::ALL),
        }
    }

    fn set(&self, columns: impl IntoIterator<Item = E::Column>) -> Columns {
        let mut set = Columns::default();
        for column in columns {
            let place = self.columns.iter().position(|other| other.unquoted() == column.unquoted());
            set |= place.map(|place| Columns(1 << place)).unwrap_or_default();
        }
        set
    }

    fn chosen(&self, columns: Columns) -> impl Iterator<Item = E::Column> {
        self.columns
            .iter()
            .enumerate()
            .filter(move |(place, _)| columns.holds(*place))
            .map(|(_, column)| *column)
    }
}

/// The columns that a joined table is read with.
pub(super) fn select_joined<E: EntityTrait, T: EntityTrait>(
    query: Select<E>,
    shape: &Shape<T>,
    columns: Columns,
    alias: &str,
) -> Select<E> {
    shape
        .chosen(columns)
        .fold(query, |query, column| query.expr(column.select_as(Expr::col((Alias::new(alias), column)))))
}

/// The next columns of a row as a model: what was not chosen has its default. Nothing when the first one is null,
/// which is a relation's key that has no row.
pub(super) fn read<T>(
    shape: &Shape<T>,
    columns: Columns,
    row: &QueryResult,
    place: &mut usize,
) -> Result<Option<T::Model>, DbErr>
where
    T: EntityTrait,
    T::Model: Default,
{
    let mut model = T::Model::default();
    let mut present = true;
    for (index, column) in shape.chosen(columns).enumerate() {
        present = present && (index > 0 || !is_null(row, *place)?);
        if present {
            model.try_set(column, value(row, *place, T::Model::get_value_type(column))?)?;
        }
        *place += 1;
    }
    Ok(present.then_some(model))
}

/// The query for what was chosen; its columns are what [`rows`] expects.
pub fn query<E: EntityTrait>(shape: &Shape<E>, chosen: &Chosen, query: Select<E>) -> Select<E> {
    let mut query = shape.chosen(chosen.columns).fold(query.select_only(), QuerySelect::column);
    for (place, columns) in &chosen.joined {
        let (join, alias) = (&shape.joins[*place], format!("r{place}"));
        query = query.join_as(JoinType::LeftJoin, join.relation(), Alias::new(alias.as_str()).into_iden());
        query = join.select(query, *columns, &alias);
    }
    query
}

/// The rows that the [`query`] of this choice answered.
pub fn rows<E>(shape: &Shape<E>, chosen: &Chosen, results: &[QueryResult]) -> Result<Vec<E::ModelEx>>
where
    E: EntityTrait,
    E::Model: Default + Into<E::ModelEx>,
{
    let mut rows = Vec::with_capacity(results.len());
    for result in results {
        let mut place = 0;
        let Some(model) = read(shape, chosen.columns, result, &mut place)? else { continue };
        let mut row: E::ModelEx = model.into();
        for (join, columns) in &chosen.joined {
            shape.joins[*join].attach(&mut row, *columns, result, &mut place)?;
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Reads what was chosen of the query's rows: one statement.
pub async fn select<E>(
    shape: &Shape<E>,
    chosen: &Chosen,
    select: Select<E>,
    db: &impl ConnectionTrait,
) -> Result<Vec<E::ModelEx>>
where
    E: EntityTrait,
    E::Model: Default + Into<E::ModelEx>,
{
    let statement = statement(shape, chosen, select, db.get_database_backend())?;
    rows(shape, chosen, &db.query_all_raw(statement).await?)
}

/// The text of the [`query`] for what was chosen. Only what follows the tables is written anew.
fn statement<E: EntityTrait>(
    shape: &Shape<E>,
    chosen: &Chosen,
    select: Select<E>,
    backend: DbBackend,
) -> Result<Statement> {
    let mut statement = backend.build(&select.select_only().expr(Expr::cust(NOTHING)).into_query());
    // Both engines quote names alike.
    let table = format!("SELECT {NOTHING} FROM \"{}\"", E::default().table_name());
    let rest = statement.sql.strip_prefix(&table);
    let rest = rest.ok_or_else(|| DbErr::Custom(format!("not a query of rows: {}", statement.sql)))?;
    statement.sql = format!("{}{rest}", shape.beginning(chosen, backend));
    Ok(statement)
}

/// `starts_at` as the schema names it: `startsAt`.
fn camel(column: &impl Iden) -> String {
    let name = column.unquoted();
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        camel.push_str(letters.as_str());
    }
    camel
}
