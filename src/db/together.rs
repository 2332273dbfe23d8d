//! Several selects in one statement: what a unit of work has to know at one point costs one round trip.
//!
//! Each select is a common table expression, and all of them are joined fully on nothing: every row of the answer
//! is a row of one of them, the columns of the others are null. What the transaction claims goes with them.

use std::marker::PhantomData;

use sea_orm::sea_query::{
    Alias, Asterisk, Expr, Func, InsertStatement, LockType, PostgresQueryBuilder, Query, SelectStatement,
    SqlWriterValues, SqliteQueryBuilder,
};
use sea_orm::{
    ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, Iden, Iterable, QueryResult, QueryTrait,
    Select, Statement,
};
use uuid::Uuid;

use super::pending::push;
use super::tx::Tx;
use crate::error::Result;

/// Selects that are run together.
#[derive(Default)]
pub struct Together {
    parts: Vec<Part>,
    /// Those that lock, in the order in which they do.
    locks: Vec<usize>,
}

struct Part {
    query: SelectStatement,
    columns: Vec<String>,
}

/// Where the rows of a select are found.
pub struct Slot<E>(usize, PhantomData<fn() -> E>);

/// The rows of all selects.
pub struct Found(Vec<Vec<QueryResult>>);

impl Together {
    /// Adds a select of whole rows, whose table has an `id`.
    pub fn find<E: EntityTrait>(&mut self, query: Select<E>) -> Slot<E> {
        self.rows(query.into_query())
    }

    /// Adds the rows that a function of PostgreSQL finds once all locks are held that were asked for so far: how many
    /// rows the last of them has is its first argument.
    pub fn call<E: EntityTrait>(
        &mut self,
        function: &'static str,
        arguments: impl IntoIterator<Item = Expr>,
    ) -> Slot<E> {
        let held = match self.locks.last() {
            Some(last) => Expr::cust(format!("(SELECT count(*) FROM p{last})")),
            None => Expr::cust("0"),
        };
        let call = Func::cust(function).args(std::iter::once(held).chain(arguments));
        self.rows(Query::select().column(Asterisk).from_function(call, Alias::new("found")).to_owned())
    }

    fn rows<E: EntityTrait>(&mut self, query: SelectStatement) -> Slot<E> {
        self.parts.push(Part {
            query,
            columns: E::Column::iter().map(|column| column.unquoted().to_owned()).collect(),
        });
        Slot(self.parts.len() - 1, PhantomData)
    }

    /// The same, and locks the rows for a change: after those of the lock that was asked for before it.
    pub fn lock<E: EntityTrait>(&mut self, query: Select<E>) -> Slot<E> {
        let slot = self.find(query);
        self.parts[slot.0].query.lock(LockType::NoKeyUpdate);
        self.locks.push(slot.0);
        slot
    }

    /// Runs the statement. It fails where the transaction's claim was made before.
    pub async fn run(mut self, tx: &Tx) -> Result<Found> {
        let claim = tx.take_claim();
        let mut is_first = claim.is_none();
        // Counting reads one to its end before the next one begins.
        let mut before = claim.is_some().then(|| "claim".to_owned());
        for lock in &self.locks {
            if let Some(before) = before.replace(format!("p{lock}")) {
                let waits = Expr::cust(format!("(SELECT count(*) FROM {before}) >= 0"));
                self.parts[*lock].query.and_where(waits);
            }
        }
        let mut found: Vec<Vec<QueryResult>> = self.parts.iter().map(|_| Vec::new()).collect();
        let ids: Vec<String> = (0..self.parts.len()).map(|part| format!("p{part}_id")).collect();
        let statement = self.statement(claim.map(|claim| *claim), tx.get_database_backend());
        'rows: for row in tx.query_all_raw(statement).await? {
            for (part, id) in ids.iter().enumerate() {
                if row.try_get::<Option<Uuid>>("", id)?.is_some() {
                    found[part].push(row);
                    continue 'rows;
                }
            }
            is_first = true;
        }
        if !is_first {
            tx.refuse_claim();
            tx.is_first().await?;
        }
        Ok(Found(found))
    }

    /// Written by hand as far as it is the same for all selects: built from parts, it took longer than to be run.
    fn statement(self, claim: Option<InsertStatement>, db_backend: DbBackend) -> Statement {
        let postgres = db_backend == DbBackend::Postgres;
        let mut sql = match postgres {
            true => SqlWriterValues::new("$", true),
            false => SqlWriterValues::new("?", false),
        };
        let (mut columns, mut tables) = (String::new(), String::new());
        if let Some(mut claim) = claim {
            push(&mut sql, "WITH claim AS (");
            let id = Query::returning().column(Alias::new("id"));
            claim.returning(id).build_collect_into(PostgresQueryBuilder, &mut sql);
            push(&mut sql, ")");
            tables.push_str("claim");
        }
        for (index, Part { query, columns: of_part }) in self.parts.into_iter().enumerate() {
            let (opening, join, on) = match tables.is_empty() {
                true => ("WITH", "", ""),
                false => (",", " FULL OUTER JOIN ", " ON FALSE"),
            };
            push(&mut sql, &format!("{opening} p{index} AS MATERIALIZED ("));
            match postgres {
                true => query.build_collect_into(PostgresQueryBuilder, &mut sql),
                false => query.build_collect_into(SqliteQueryBuilder, &mut sql),
            }
            push(&mut sql, ")");
            for column in of_part {
                let comma = if columns.is_empty() { "" } else { ", " };
                columns.extend([comma, &format!("p{index}.\"{column}\" AS \"p{index}_{column}\"")]);
            }
            tables.extend([join, &format!("p{index}"), on]);
        }
        push(&mut sql, &format!(" SELECT {columns} FROM {tables}"));
        let (sql, values) = sql.into_parts();
        Statement { sql, values: Some(values), db_backend }
    }
}

impl<E> Slot<E> {
    /// What the rows are called in the statement.
    pub fn name(&self) -> String {
        format!("p{}", self.0)
    }
}

impl Found {
    /// The rows of a select.
    pub fn all<E: EntityTrait>(&self, slot: &Slot<E>) -> Result<Vec<E::Model>> {
        let prefix = format!("p{}_", slot.0);
        self.0[slot.0].iter().map(|row| Ok(E::Model::from_query_result(row, &prefix)?)).collect()
    }

    /// The one row of a select by its key, if there is one.
    pub fn one<E: EntityTrait>(&self, slot: &Slot<E>) -> Result<Option<E::Model>> {
        Ok(self.all(slot)?.pop())
    }

    /// The same of a select that was not always asked for.
    pub fn maybe<E: EntityTrait>(&self, slot: Option<&Slot<E>>) -> Result<Option<E::Model>> {
        match slot {
            Some(slot) => self.one(slot),
            None => Ok(None),
        }
    }
}
