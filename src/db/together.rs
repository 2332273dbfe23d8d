//! Several selects in one statement: what a unit of work has to know at one point costs one round trip.
//!
//! Each select is a common table expression, and all of them are joined fully on nothing: every row of the answer
//! is a row of one of them, the columns of the others are null.

use std::marker::PhantomData;

use sea_orm::sea_query::{
    Expr, LockType, PostgresQueryBuilder, SelectStatement, SqlWriterValues, SqliteQueryBuilder,
};
use sea_orm::{
    ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, Iden, Iterable, QueryResult, QueryTrait,
    Select, Statement,
};
use uuid::Uuid;

use super::pending::push;
use crate::error::Result;

/// Selects that are run together.
#[derive(Default)]
pub struct Together {
    parts: Vec<Part>,
    /// The last one that locks.
    locked: Option<usize>,
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
        self.parts.push(Part {
            query: query.into_query(),
            columns: E::Column::iter().map(|column| column.unquoted().to_owned()).collect(),
        });
        Slot(self.parts.len() - 1, PhantomData)
    }

    /// The same, and locks the rows for a change: after those of the lock that was asked for before it.
    pub fn lock<E: EntityTrait>(&mut self, query: Select<E>) -> Slot<E> {
        let slot = self.find(query);
        let query = &mut self.parts[slot.0].query;
        query.lock(LockType::NoKeyUpdate);
        if let Some(before) = self.locked.replace(slot.0) {
            // Counting reads it to its end before this one begins.
            query.and_where(Expr::cust(format!("(SELECT count(*) FROM p{before}) >= 0")));
        }
        slot
    }

    /// Runs the statement.
    pub async fn run(self, db: &impl ConnectionTrait) -> Result<Found> {
        let mut found: Vec<Vec<QueryResult>> = self.parts.iter().map(|_| Vec::new()).collect();
        let ids: Vec<String> = (0..self.parts.len()).map(|part| format!("p{part}_id")).collect();
        for row in db.query_all_raw(self.statement(db.get_database_backend())).await? {
            for (part, id) in ids.iter().enumerate() {
                if row.try_get::<Option<Uuid>>("", id)?.is_some() {
                    found[part].push(row);
                    break;
                }
            }
        }
        Ok(Found(found))
    }

    /// Written by hand as far as it is the same for all selects: built from parts, it took longer than to be run.
    fn statement(self, db_backend: DbBackend) -> Statement {
        let postgres = db_backend == DbBackend::Postgres;
        let mut sql = match postgres {
            true => SqlWriterValues::new("$", true),
            false => SqlWriterValues::new("?", false),
        };
        let (mut columns, mut tables) = (String::new(), String::new());
        for (index, Part { query, columns: of_part }) in self.parts.into_iter().enumerate() {
            let (opening, join, on) = match index {
                0 => ("WITH", "", ""),
                _ => (",", " FULL OUTER JOIN ", " ON FALSE"),
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
