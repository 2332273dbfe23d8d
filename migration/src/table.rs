//! Tables as the migrations describe them: one description that SQLite and PostgreSQL both understand.
//!
//! ```ignore
//! Table::tenant("family_history")
//!     .belongs_to("patient_id", "patients")
//!     .col(bytes("condition"))
//!     .col(bytes("note").null())
//!     .col(code("severity", &["MILD", "SEVERE"]).default("MILD"))
//!     .check("onset", "onset_minute >= 0")
//!     .unique(&["name_key"])
//!     .index(&["starts_at", "id"])
//!     .versioned()
//! ```
//!
//! A tenant table gets `id`, `workspace_id`, `created_at`, `updated_at`, `UNIQUE (workspace_id, id)`, and
//! `workspace_id` in front of every unique key, index and foreign key, so that a reference across workspaces
//! cannot be stored. Every foreign key is `ON DELETE RESTRICT` and has an index.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

/// A column; `NOT NULL` unless [`null`](Column::null) is called.
pub struct Column {
    name: &'static str,
    definition: ColumnDef,
    choices: &'static [&'static str],
    nullable: bool,
}

impl Column {
    fn new(name: &'static str, set_type: fn(&mut ColumnDef) -> &mut ColumnDef) -> Self {
        let mut definition = ColumnDef::new(name);
        set_type(&mut definition);
        Self { name, definition, choices: &[], nullable: false }
    }

    pub fn null(mut self) -> Self {
        self.nullable = true;
        self
    }

    pub fn default(mut self, value: impl Into<Expr>) -> Self {
        self.definition.default(value);
        self
    }
}

/// Text of any length.
pub fn text(name: &'static str) -> Column {
    Column::new(name, ColumnDef::string)
}

/// One of a closed set of words, checked by the database.
pub fn code(name: &'static str, choices: &'static [&'static str]) -> Column {
    Column { choices, ..Column::new(name, |c| c.string_len(24)) }
}

pub fn uuid(name: &'static str) -> Column {
    Column::new(name, ColumnDef::uuid)
}

pub fn int(name: &'static str) -> Column {
    Column::new(name, ColumnDef::integer)
}

pub fn bigint(name: &'static str) -> Column {
    Column::new(name, ColumnDef::big_integer)
}

pub fn real(name: &'static str) -> Column {
    Column::new(name, ColumnDef::double)
}

/// True or false.
pub fn flag(name: &'static str) -> Column {
    Column::new(name, ColumnDef::boolean)
}

/// A point in time, in UTC.
pub fn instant(name: &'static str) -> Column {
    Column::new(name, ColumnDef::timestamp_with_time_zone)
}

/// A day of the calendar, without a zone.
pub fn date(name: &'static str) -> Column {
    Column::new(name, ColumnDef::date)
}

/// Structured data that is never searched.
pub fn json(name: &'static str) -> Column {
    Column::new(name, ColumnDef::json_binary)
}

/// Bytes: ciphertext, a hash, a wrapped key.
pub fn bytes(name: &'static str) -> Column {
    Column {
        definition: ColumnDef::new_with_type(name, ColumnType::VarBinary(StringLen::None)),
        ..text(name)
    }
}

struct Reference {
    column: &'static str,
    target: &'static str,
    /// The referring columns and, place by place, the columns that they refer to.
    columns: Vec<(&'static str, &'static str)>,
    nullable: bool,
    on_delete: ForeignKeyAction,
    on_update: ForeignKeyAction,
}

struct PlainIndex {
    columns: Vec<&'static str>,
    condition: Option<&'static str>,
    unique: bool,
}

/// A condition, in the words of each engine.
struct Condition {
    name: String,
    sqlite: String,
    postgres: String,
}

/// A table to create.
pub struct Table {
    name: &'static str,
    columns: Vec<Column>,
    references: Vec<Reference>,
    primary_key: Vec<&'static str>,
    uniques: Vec<Vec<&'static str>>,
    checks: Vec<Condition>,
    indexes: Vec<PlainIndex>,
    /// Columns that the database keeps after all others.
    trailing: Vec<Column>,
    /// The column that names the workspace of a row.
    workspace: Option<&'static str>,
}

impl Table {
    /// A table without any column of its own accord.
    pub fn bare(name: &'static str, primary_key: &[&'static str]) -> Self {
        Self {
            name,
            columns: Vec::new(),
            references: Vec::new(),
            primary_key: primary_key.to_vec(),
            uniques: Vec::new(),
            checks: Vec::new(),
            indexes: Vec::new(),
            trailing: Vec::new(),
            workspace: None,
        }
    }

    /// A table that belongs to no workspace.
    pub fn global(name: &'static str) -> Self {
        let mut table = Self::bare(name, &["id"]).col(uuid("id"));
        table.trailing = vec![instant("created_at"), instant("updated_at")];
        table
    }

    /// A table whose every row belongs to a workspace.
    pub fn tenant(name: &'static str) -> Self {
        Self::owned_by(name, "workspace_id")
    }

    /// A table whose rows belong to the workspace that `workspace` names, and are seen from others too.
    pub fn owned_by(name: &'static str, workspace: &'static str) -> Self {
        let mut table = Self::global(name).col(uuid(workspace));
        table.workspace = Some(workspace);
        table.unique(&["id"])
    }

    pub fn col(mut self, column: Column) -> Self {
        if !column.choices.is_empty() {
            let list = column.choices.iter().map(|c| format!("'{c}'")).collect::<Vec<_>>().join(", ");
            self = self.check(column.name, &format!("\"{}\" IN ({list})", column.name));
        }
        self.columns.push(column);
        self
    }

    /// `version`: counts the edits, for `expectedVersion`.
    pub fn versioned(mut self) -> Self {
        self.trailing.insert(0, int("version").default(1));
        self
    }

    /// Rows are never changed: there is no `updated_at`.
    pub fn append_only(mut self) -> Self {
        self.trailing.retain(|column| column.name != "updated_at");
        self
    }

    /// A mandatory reference to a row of the same workspace.
    pub fn belongs_to(self, column: &'static str, target: &'static str) -> Self {
        let columns = self.within_workspace(column);
        self.reference(uuid(column), target, columns)
    }

    /// An optional reference to a row of the same workspace.
    pub fn may_belong_to(self, column: &'static str, target: &'static str) -> Self {
        let columns = self.within_workspace(column);
        self.reference(uuid(column).null(), target, columns)
    }

    /// Extends the reference just described to rows that agree in `shared`, such as the patient: the row
    /// referred to needs a unique key `(shared, id)`, and carries this one along when its `shared` changes.
    pub fn with_same(mut self, shared: &'static str) -> Self {
        if let Some(reference) = self.references.last_mut() {
            reference.columns.push((shared, shared));
            reference.on_update = ForeignKeyAction::Cascade;
        }
        self
    }

    /// A reference by `id` alone: to a global table, or from one.
    pub fn refers_to(self, column: Column, target: &'static str) -> Self {
        let columns = vec![(column.name, "id")];
        self.reference(column, target, columns)
    }

    /// A mandatory reference whose rows go with the row they refer to: only for secrets, never for data.
    pub fn part_of(mut self, column: &'static str, target: &'static str) -> Self {
        self = self.reference(uuid(column), target, vec![(column, "id")]);
        if let Some(reference) = self.references.last_mut() {
            reference.on_delete = ForeignKeyAction::Cascade;
        }
        self
    }

    fn within_workspace(&self, column: &'static str) -> Vec<(&'static str, &'static str)> {
        vec![(self.workspace.unwrap_or("workspace_id"), "workspace_id"), (column, "id")]
    }

    fn reference(
        mut self,
        column: Column,
        target: &'static str,
        columns: Vec<(&'static str, &'static str)>,
    ) -> Self {
        self.references.push(Reference {
            column: column.name,
            target,
            columns,
            nullable: column.nullable,
            on_delete: ForeignKeyAction::Restrict,
            on_update: ForeignKeyAction::NoAction,
        });
        self.col(column)
    }

    /// A unique key; in a tenant table within the workspace.
    pub fn unique(mut self, columns: &[&'static str]) -> Self {
        self.uniques.push(self.scoped(columns));
        self
    }

    /// A unique key across workspaces, such as the hash of a token.
    pub fn unique_everywhere(mut self, columns: &[&'static str]) -> Self {
        self.uniques.push(columns.to_vec());
        self
    }

    /// A condition that every row meets, named `<table>_<what>_check`.
    pub fn check(self, what: &str, condition: &str) -> Self {
        self.check_each(what, condition, condition)
    }

    /// A condition that the engines put differently.
    pub fn check_each(mut self, what: &str, sqlite: &str, postgres: &str) -> Self {
        let name = format!("{}_{what}_check", self.name);
        self.checks.push(Condition { name, sqlite: sqlite.to_owned(), postgres: postgres.to_owned() });
        self
    }

    /// An index for a list order or a look-up; in a tenant table within the workspace.
    pub fn index(mut self, columns: &[&'static str]) -> Self {
        self.indexes.push(PlainIndex { columns: self.scoped(columns), condition: None, unique: false });
        self
    }

    /// An index over the rows that meet a condition.
    pub fn index_where(mut self, columns: &[&'static str], condition: &'static str) -> Self {
        let columns = self.scoped(columns);
        self.indexes.push(PlainIndex { columns, condition: Some(condition), unique: false });
        self
    }

    /// A unique key among the rows that meet a condition.
    pub fn unique_where(mut self, columns: &[&'static str], condition: &'static str) -> Self {
        let columns = self.scoped(columns);
        self.indexes.push(PlainIndex { columns, condition: Some(condition), unique: true });
        self
    }

    /// An index across workspaces, for a job or a sign-in.
    pub fn index_everywhere(mut self, columns: &[&'static str]) -> Self {
        self.indexes.push(PlainIndex { columns: columns.to_vec(), condition: None, unique: false });
        self
    }

    fn scoped(&self, columns: &[&'static str]) -> Vec<&'static str> {
        self.workspace.iter().chain(columns).copied().collect()
    }

    /// Adds what follows from the rest: the workspace's own reference and an index per reference.
    fn complete(mut self) -> Self {
        // A row with a mandatory parent has a workspace that exists; asking again would only lock that row.
        if let Some(workspace) = self.workspace
            && !self.references.iter().any(|r| r.columns.len() > 1 && !r.nullable)
        {
            self.references.push(Reference {
                column: workspace,
                target: "workspaces",
                columns: vec![(workspace, "id")],
                nullable: false,
                on_delete: ForeignKeyAction::Restrict,
                on_update: ForeignKeyAction::NoAction,
            });
        }
        for reference in &self.references {
            let key: Vec<_> = reference.columns.iter().map(|(from, _)| *from).collect();
            let whole = self.indexes.iter().filter(|index| index.condition.is_none());
            let mut covered = self.uniques.iter().chain(whole.map(|index| &index.columns));
            if !covered.any(|columns| columns.starts_with(&key)) {
                self.indexes.push(PlainIndex { columns: key, condition: None, unique: false });
            }
        }
        self.columns.append(&mut self.trailing);
        self
    }

    fn name_of(&self, columns: &[&str], suffix: &str) -> String {
        let within = columns.strip_prefix(self.workspace.as_slice()).unwrap_or(columns);
        let columns = if within.is_empty() { columns } else { within };
        format!("{}_{}_{suffix}", self.name, columns.join("_"))
    }

    fn statement(&self, backend: DbBackend) -> TableCreateStatement {
        let mut statement = sea_orm_migration::prelude::Table::create();
        statement.table(self.name);
        for column in &self.columns {
            let mut definition = column.definition.clone();
            statement.col(if column.nullable { definition.null() } else { definition.not_null() });
        }
        let mut key = Index::create();
        key.name(format!("{}_pkey", self.name)).primary();
        for column in &self.primary_key {
            key.col(*column);
        }
        statement.primary_key(&mut key);
        for columns in &self.uniques {
            let mut unique = Index::create();
            unique.unique().name(self.name_of(columns, "key"));
            for column in columns {
                unique.col(*column);
            }
            statement.index(&mut unique);
        }
        for check in &self.checks {
            let condition = if backend == DbBackend::Sqlite { &check.sqlite } else { &check.postgres };
            statement.check(Check::named(check.name.clone(), Expr::cust(condition.clone())));
        }
        if backend == DbBackend::Sqlite {
            for reference in &self.references {
                statement.foreign_key(&mut reference.statement(self.name));
            }
        }
        statement
    }

    fn index_statements(&self) -> impl Iterator<Item = String> {
        self.indexes.iter().map(|PlainIndex { columns, condition, unique }| {
            let list = columns.iter().map(|c| format!("\"{c}\"")).collect::<Vec<_>>().join(", ");
            let condition = condition.map(|c| format!(" WHERE {c}")).unwrap_or_default();
            let (kind, suffix) = if *unique { ("UNIQUE INDEX", "key") } else { ("INDEX", "idx") };
            let name = self.name_of(columns, suffix);
            format!("CREATE {kind} \"{name}\" ON \"{}\" ({list}){condition}", self.name)
        })
    }
}

impl Reference {
    fn statement(&self, table: &'static str) -> ForeignKeyCreateStatement {
        let mut key = ForeignKey::create();
        key.name(format!("{table}_{}_fkey", self.column)).from_tbl(table).to_tbl(self.target);
        for (from, to) in &self.columns {
            key.from_col(*from).to_col(*to);
        }
        key.on_delete(self.on_delete).on_update(self.on_update);
        key
    }
}

/// Creates the tables of one step, which may refer to each other in circles.
///
/// SQLite takes foreign keys only inside `CREATE TABLE` and does not mind a table that comes later;
/// PostgreSQL minds, and takes them afterwards.
pub async fn create(manager: &SchemaManager<'_>, tables: Vec<Table>) -> Result<(), DbErr> {
    let backend = manager.get_database_backend();
    let tables: Vec<Table> = tables.into_iter().map(Table::complete).collect();
    for table in &tables {
        manager.create_table(table.statement(backend)).await?;
        for index in table.index_statements() {
            execute(manager, &index).await?;
        }
    }
    if backend == DbBackend::Postgres {
        for table in &tables {
            for reference in &table.references {
                manager.create_foreign_key(reference.statement(table.name)).await?;
            }
        }
    }
    Ok(())
}

/// Drops the tables of one step, whatever is in them.
pub async fn drop(manager: &SchemaManager<'_>, tables: Vec<Table>) -> Result<(), DbErr> {
    let names: Vec<&str> = tables.iter().map(|table| table.name).collect();
    if manager.get_database_backend() == DbBackend::Postgres {
        let list = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        execute(manager, &format!("DROP TABLE {list}")).await?;
        for name in names {
            execute(manager, &format!("DROP FUNCTION IF EXISTS {name}_refuse_change()")).await?;
        }
        return Ok(());
    }
    // Dropping a table deletes its rows first, which a reference from itself or from an earlier table refuses.
    for (position, table) in tables.iter().enumerate() {
        for reference in table.references.iter().filter(|r| r.nullable) {
            if names[position..].contains(&reference.target) {
                let column = reference.column;
                execute(manager, &format!("UPDATE \"{}\" SET \"{column}\" = NULL", table.name)).await?;
            }
        }
    }
    for name in names.iter().rev() {
        execute(manager, &format!("DROP TABLE \"{name}\"")).await?;
    }
    Ok(())
}

/// Refuses changes to the rows of a table, whoever asks: UPDATE, DELETE, and their disguises.
///
/// The error text is `<table> is append only`; `keys` are the table's unique keys. [`drop`] takes the triggers
/// away with the table.
pub async fn refuse_changes(manager: &SchemaManager<'_>, table: &str, keys: &[&[&str]]) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        execute(
            manager,
            &format!(
                "CREATE FUNCTION {table}_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN RAISE EXCEPTION '{table} is append only' USING ERRCODE = 'restrict_violation'; END $$"
            ),
        )
        .await?;
        for (name, event) in [
            ("append_only", "UPDATE OR DELETE ON {table} FOR EACH ROW"),
            ("no_truncate", "TRUNCATE ON {table} FOR EACH STATEMENT"),
        ] {
            let event = event.replace("{table}", table);
            execute(
                manager,
                &format!(
                    "CREATE TRIGGER {table}_{name} BEFORE {event} EXECUTE FUNCTION {table}_refuse_change()"
                ),
            )
            .await?;
        }
        return Ok(());
    }
    let refuse = format!("BEGIN SELECT RAISE(ABORT, '{table} is append only'); END");
    for change in ["UPDATE", "DELETE"] {
        let name = format!("{table}_no_{}", change.to_lowercase());
        execute(manager, &format!("CREATE TRIGGER {name} BEFORE {change} ON {table} {refuse}")).await?;
    }
    // INSERT OR REPLACE deletes the row in its way, and fires no DELETE trigger unless recursive_triggers is on.
    let taken = keys
        .iter()
        .map(|key| {
            let same = key.iter().map(|c| format!("{c} = NEW.{c}")).collect::<Vec<_>>().join(" AND ");
            format!("EXISTS (SELECT 1 FROM {table} WHERE {same})")
        })
        .collect::<Vec<_>>()
        .join(" OR ");
    execute(
        manager,
        &format!("CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {taken} {refuse}"),
    )
    .await
}

/// Runs one statement as it is written.
pub async fn execute(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(sql).await.map(|_| ())
}
