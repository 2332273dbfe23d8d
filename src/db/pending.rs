//! Changes whose outcome nobody waits for, and which therefore go to the database together: each way there and back
//! costs more than most of them.

use std::fmt::Write;

use sea_orm::sea_query::{
    Expr, InsertStatement, PostgresQueryBuilder, Query, SqlWriterValues, SqliteQueryBuilder, UpdateStatement,
};
use sea_orm::{DbBackend, Statement};

/// A change that waits.
pub enum Change {
    Insert(Box<InsertStatement>),
    Update(Box<UpdateStatement>),
}

impl From<InsertStatement> for Change {
    fn from(insert: InsertStatement) -> Self {
        Self::Insert(Box::new(insert))
    }
}

impl From<UpdateStatement> for Change {
    fn from(update: UpdateStatement) -> Self {
        Self::Update(Box::new(update))
    }
}

/// Changes in the order in which they were made.
#[derive(Default)]
pub struct Pending {
    changes: Vec<Change>,
    /// About how many parameters they have.
    parameters: usize,
    /// Some of them are the work itself.
    pub(super) has_work: bool,
    /// Some of them go with the work: the journal's.
    pub(super) has_overhead: bool,
}

impl Pending {
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub fn push(&mut self, change: Change, parameters: usize, is_work: bool) {
        self.changes.push(change);
        self.has_work |= is_work;
        self.has_overhead |= !is_work;
        self.parameters += parameters;
    }

    /// Whether they should go before more come: a statement has at most 65,535 parameters.
    pub fn is_large(&self) -> bool {
        self.parameters > 16_000
    }

    /// As one text of several statements for SQLite, the last of them followed by what is given.
    pub fn script(self, end: &str) -> Statement {
        let mut sql = SqlWriterValues::new("?", false);
        for change in self.changes {
            match change {
                Change::Insert(insert) => insert.build_collect_into(SqliteQueryBuilder, &mut sql),
                Change::Update(update) => update.build_collect_into(SqliteQueryBuilder, &mut sql),
            };
            push(&mut sql, "; ");
        }
        push(&mut sql, end);
        let (sql, values) = sql.into_parts();
        Statement { sql, values: Some(values), db_backend: DbBackend::Sqlite }
    }

    /// Each as a statement of its own: for those who want to look at them.
    pub fn each(&self, backend: DbBackend) -> impl Iterator<Item = Statement> {
        self.changes.iter().map(move |change| match change {
            Change::Insert(insert) => backend.build(&**insert),
            Change::Update(update) => backend.build(&**update),
        })
    }

    /// Writes them as expressions of a `WITH` clause, each with a comma after it, and returns a condition that is
    /// true once all of them are carried out.
    pub fn write(self, sql: &mut SqlWriterValues) -> String {
        let done = || Query::returning().expr(Expr::cust("1"));
        let mut condition = String::from("0");
        for (index, change) in self.changes.into_iter().enumerate() {
            push(sql, &format!("w{index} AS ("));
            match change {
                Change::Insert(mut insert) => {
                    insert.returning(done()).build_collect_into(PostgresQueryBuilder, sql);
                }
                Change::Update(mut update) => {
                    update.returning(done()).build_collect_into(PostgresQueryBuilder, sql);
                }
            }
            push(sql, "), ");
            condition.push_str(&format!(" + (SELECT count(*) FROM w{index})"));
        }
        condition.push_str(" >= 0");
        condition
    }
}

/// Adds text to a statement.
pub fn push(sql: &mut SqlWriterValues, text: &str) {
    sql.write_str(text).expect("a string takes any text");
}
