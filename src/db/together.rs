//! Several selects in one statement: what a unit of work has to know at one point costs one round trip.
//!
//! On PostgreSQL each select is a common table expression. Those of one row stand side by side in the first row of the
//! answer; every further row is a row of one of the others, and the columns of the rest are null. What the transaction
//! claims goes with them.
//!
//! On SQLite the rows of one select come after those of another, each behind the number of its select: any kind of value can
//! stand in a column there. An outer join of everything would prepare 64 kB and a table of its own for each select.

use std::any::TypeId;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use sea_orm::sea_query::{
    Alias, Asterisk, Expr, Func, InsertStatement, LockType, PostgresQueryBuilder, Query, SelectStatement,
    SqlWriterValues, SqliteQueryBuilder,
};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, EntityTrait, Iden, Iterable, QueryResult, QueryTrait, Select,
    Statement,
};

use super::Engine;
use super::pending::push;
use super::row::{is_null, whole};
use super::tx::Tx;
use crate::access::actor::Actor;
use crate::error::Result;

/// Selects that are run together.
#[derive(Default)]
pub struct Together {
    parts: Vec<Part>,
    /// Those that lock, in the order in which they do.
    locks: Vec<usize>,
    /// How many columns they have.
    width: usize,
}

struct Part {
    query: SelectStatement,
    /// Its columns in the answer.
    columns: Arc<str>,
    /// How many they are.
    width: usize,
    /// Whether it finds more than one row.
    is_list: bool,
}

/// Where the rows of a select are found.
pub struct Slot<E> {
    index: usize,
    /// The place of its first column.
    first: usize,
    entity: PhantomData<fn() -> E>,
}

/// The rows of all selects.
pub struct Found {
    rows: Vec<QueryResult>,
    form: Form,
}

/// Where they are.
enum Form {
    /// Side by side; the place of the first column, behind that of the claim.
    Wide { first: usize },
    /// One after the other, behind the number of their select.
    Tall,
}

impl Together {
    /// Adds a select of whole rows, whose table has an `id`.
    pub fn find<E: EntityTrait>(&mut self, query: Select<E>) -> Slot<E> {
        self.add(query.into_query(), true)
    }

    /// The same of one row, if it is there.
    pub fn find_one<E: EntityTrait>(&mut self, query: Select<E>) -> Slot<E> {
        self.add(query.into_query(), false)
    }

    /// The same, and locks the row for a change: after that of the lock that was asked for before it.
    pub fn lock<E: EntityTrait>(&mut self, query: Select<E>) -> Slot<E> {
        let mut query = query.into_query();
        query.lock(LockType::NoKeyUpdate);
        let slot = self.add(query, false);
        self.locks.push(slot.index);
        slot
    }

    /// PostgreSQL only. Adds the rows of the actor's workspace that one of its functions finds once all locks are held
    /// that were asked for so far: how many rows the last of them has is its first argument, the workspace its second.
    pub fn call<E: EntityTrait>(
        &mut self,
        actor: &Actor,
        function: &'static str,
        arguments: impl IntoIterator<Item = Expr>,
    ) -> Slot<E> {
        let held = match self.locks.last() {
            Some(last) => Expr::cust(format!("(SELECT count(*) FROM p{last})")),
            None => Expr::cust("0"),
        };
        let scope = [held, Expr::value(actor.workspace)];
        let call = Func::cust(function).args(scope.into_iter().chain(arguments));
        let rows = Query::select().column(Asterisk).from_function(call, Alias::new("found")).to_owned();
        self.add(rows, true)
    }

    fn add<E: EntityTrait>(&mut self, mut query: SelectStatement, is_list: bool) -> Slot<E> {
        let index = self.parts.len();
        // They are named outside.
        query.clear_selects().column(Asterisk);
        let width = E::Column::iter().count();
        self.parts.push(Part { query, columns: columns_of::<E>(index), width, is_list });
        let first = self.width;
        self.width += width;
        Slot { index, first, entity: PhantomData }
    }

    /// Runs the statement. It fails where the transaction's claim was made before.
    pub async fn run(mut self, tx: &Tx) -> Result<Found> {
        if tx.engine() == Engine::Sqlite {
            let rows = match self.parts.is_empty() {
                true => Vec::new(),
                false => tx.query_all_raw(self.tall()).await?,
            };
            return Ok(Found { rows, form: Form::Tall });
        }
        let claim = tx.take_claim();
        let claims = claim.is_some();
        // Counting reads one to its end before the next one begins. Nothing is locked for what was done before.
        let mut before = claims.then(|| "(SELECT count(*) FROM claim) > 0".to_owned());
        for lock in &self.locks {
            if let Some(before) = before.replace(format!("(SELECT count(*) FROM p{lock}) >= 0")) {
                self.parts[*lock].query.and_where(Expr::cust(before));
            }
        }
        let rows = tx.query_all_raw(self.wide(claim.map(|claim| *claim))).await?;
        let first = usize::from(claims);
        if claims && !has_any(&rows, 0)? {
            return Err(tx.refuse_claim().into());
        }
        Ok(Found { rows, form: Form::Wide { first } })
    }

    /// For SQLite.
    fn tall(self) -> Statement {
        let mut sql = SqlWriterValues::new("?", false);
        let widest = self.parts.iter().map(|part| part.width).max().unwrap_or_default();
        for (index, Part { query, columns, width, .. }) in self.parts.into_iter().enumerate() {
            let union = if index == 0 { "" } else { " UNION ALL " };
            push(
                &mut sql,
                &format!("{union}SELECT {index}, {columns}{} FROM (", ", NULL".repeat(widest - width)),
            );
            query.build_collect_into(SqliteQueryBuilder, &mut sql);
            push(&mut sql, &format!(") AS p{index}"));
        }
        let (sql, values) = sql.into_parts();
        Statement { sql, values: Some(values), db_backend: DbBackend::Sqlite }
    }

    /// For PostgreSQL. Written by hand as far as it is the same for all selects: built from parts, it took longer than to
    /// be run.
    fn wide(self, claim: Option<InsertStatement>) -> Statement {
        let mut sql = SqlWriterValues::new("$", true);
        let (mut columns, mut tables) = (String::new(), String::new());
        if let Some(mut claim) = claim {
            push(&mut sql, "WITH claim AS (");
            let id = Query::returning().column(Alias::new("id"));
            claim.returning(id).build_collect_into(PostgresQueryBuilder, &mut sql);
            push(&mut sql, ")");
            columns.push_str("claim.id");
            tables.push_str("claim");
        }
        let mut lists = String::new();
        for (index, Part { query, columns: of_part, is_list, .. }) in self.parts.into_iter().enumerate() {
            let (opening, comma) = if columns.is_empty() { ("WITH", "") } else { (",", ", ") };
            push(&mut sql, &format!("{opening} p{index} AS MATERIALIZED ("));
            query.build_collect_into(PostgresQueryBuilder, &mut sql);
            push(&mut sql, ")");
            columns.extend([comma, &of_part]);
            match (is_list, tables.is_empty()) {
                (true, _) => lists.push_str(&format!(" FULL OUTER JOIN p{index} ON FALSE")),
                (false, true) => tables.push_str(&format!("p{index}")),
                (false, false) => tables.push_str(&format!(" FULL OUTER JOIN p{index} ON TRUE")),
            }
        }
        if tables.is_empty() {
            tables.push_str("(SELECT 1) none");
        }
        push(&mut sql, &format!(" SELECT {columns} FROM {tables}{lists}"));
        let (sql, values) = sql.into_parts();
        Statement { sql, values: Some(values), db_backend: DbBackend::Postgres }
    }
}

impl<E> Slot<E> {
    /// What the rows are called in the statement, on PostgreSQL.
    pub fn name(&self) -> String {
        format!("p{}", self.index)
    }
}

impl Found {
    /// The rows of a select.
    pub fn all<E>(&self, slot: &Slot<E>) -> Result<Vec<E::Model>>
    where
        E: EntityTrait,
        E::Model: Default,
    {
        let id = E::Column::iter().position(|column| column.unquoted() == "id");
        let id = id.ok_or_else(|| DbErr::Custom("a table without an id".into()))?;
        let mut models = Vec::new();
        for row in &self.rows {
            let (first, is_its) = match self.form {
                Form::Wide { first } => (first + slot.first, !is_null(row, first + slot.first + id)?),
                Form::Tall => (1, usize::try_from(row.try_get_by_index::<i32>(0)?) == Ok(slot.index)),
            };
            if is_its {
                models.push(whole::<E>(row, first)?);
            }
        }
        Ok(models)
    }

    /// The row of a select of one, if it is there.
    pub fn one<E>(&self, slot: &Slot<E>) -> Result<Option<E::Model>>
    where
        E: EntityTrait,
        E::Model: Default,
    {
        Ok(self.all(slot)?.pop())
    }

    /// The same of a select that was not always asked for.
    pub fn maybe<E>(&self, slot: Option<&Slot<E>>) -> Result<Option<E::Model>>
    where
        E: EntityTrait,
        E::Model: Default,
    {
        match slot {
            Some(slot) => self.one(slot),
            None => Ok(None),
        }
    }
}

/// The columns of an entity in the answer, as the part at this place: put together once.
fn columns_of<E: EntityTrait>(index: usize) -> Arc<str> {
    type Columns = RwLock<HashMap<(TypeId, usize), Arc<str>>>;
    static COLUMNS: LazyLock<Columns> = LazyLock::new(Columns::default);
    let key = (TypeId::of::<E>(), index);
    if let Some(columns) = COLUMNS.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return columns.clone();
    }
    let names = E::Column::iter().map(|column| column.unquoted().to_owned());
    let columns: Vec<String> = names.map(|name| format!("p{index}.\"{name}\"")).collect();
    let columns: Arc<str> = columns.join(", ").into();
    COLUMNS.write().unwrap_or_else(PoisonError::into_inner).insert(key, columns.clone());
    columns
}

/// Whether one of the rows has something at this place.
fn has_any(rows: &[QueryResult], place: usize) -> Result<bool, DbErr> {
    for row in rows {
        if !is_null(row, place)? {
            return Ok(true);
        }
    }
    Ok(false)
}
