//! What a database says about its own tables, in the same words for both engines.

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use super::database::is_postgres;

#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// The storage class, without a length.
    pub kind: String,
    pub nullable: bool,
}

#[derive(Debug)]
pub struct Index {
    pub columns: Vec<String>,
    pub unique: bool,
    pub primary: bool,
    /// Only rows that meet a condition are in it.
    pub partial: bool,
}

#[derive(Debug)]
pub struct ForeignKey {
    pub from: Vec<String>,
    pub target: String,
    pub to: Vec<String>,
    pub on_delete: String,
}

#[derive(Debug)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    pub indexes: Vec<Index>,
    pub foreign_keys: Vec<ForeignKey>,
}

impl Table {
    pub fn has_column(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }

    pub fn primary_key(&self) -> &[String] {
        self.indexes.iter().find(|index| index.primary).map_or(&[], |index| &index.columns)
    }
}

/// All tables but the migrations' own, in the order of their names.
pub async fn read(db: &DatabaseConnection) -> Vec<Table> {
    let [tables, columns, indexes, foreign_keys] = if is_postgres(db) { POSTGRES } else { SQLITE };
    let columns = texts(db, columns).await;
    let indexes = texts(db, indexes).await;
    let foreign_keys = texts(db, foreign_keys).await;
    let of = |rows: &[Vec<String>], table: &str| -> Vec<Vec<String>> {
        rows.iter().filter(|row| row[0] == table).cloned().collect()
    };
    texts(db, tables)
        .await
        .into_iter()
        .map(|mut row| {
            let name = row.remove(0);
            Table {
                columns: of(&columns, &name).iter().map(|row| column(row)).collect(),
                indexes: of(&indexes, &name).iter().map(|row| index(row)).collect(),
                foreign_keys: of(&foreign_keys, &name).iter().map(|row| foreign_key(row)).collect(),
                name,
            }
        })
        .collect()
}

fn column(row: &[String]) -> Column {
    let kind = row[2].to_lowercase();
    let kind = kind.split('(').next().unwrap_or_default().to_owned();
    Column { name: row[1].clone(), kind, nullable: row[3] == "yes" }
}

fn index(row: &[String]) -> Index {
    Index {
        columns: list(&row[1]),
        unique: row[2] == "yes",
        primary: row[3] == "yes",
        partial: row[4] == "yes",
    }
}

fn foreign_key(row: &[String]) -> ForeignKey {
    ForeignKey { from: list(&row[1]), target: row[2].clone(), to: list(&row[3]), on_delete: row[4].clone() }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

/// The rows of a query whose columns are all text.
pub async fn texts(db: &DatabaseConnection, sql: &str) -> Vec<Vec<String>> {
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await
        .unwrap_or_else(|error| panic!("{error}: {sql}"));
    rows.iter()
        .map(|row| {
            (0..row.column_names().len())
                .map(|column| row.try_get_by_index(column).unwrap_or_else(|error| panic!("{error}: {sql}")))
                .collect()
        })
        .collect()
}

/// Everything that a migration leaves in the database, as the database writes it down.
pub async fn everything(db: &DatabaseConnection) -> Vec<Vec<String>> {
    texts(db, if is_postgres(db) { POSTGRES_EVERYTHING } else { SQLITE_EVERYTHING }).await
}

const SQLITE: [&str; 4] = [
    "SELECT name FROM sqlite_master
     WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'seaql_migrations' ORDER BY name",
    "SELECT t.name, c.name, c.type, iif(c.\"notnull\", 'no', 'yes')
     FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'",
    "SELECT t.name,
            (SELECT group_concat(coalesce(c.name, '<expression>') ORDER BY c.seqno) FROM pragma_index_info(i.name) c),
            iif(i.\"unique\", 'yes', 'no'), iif(i.origin = 'pk', 'yes', 'no'), iif(i.partial, 'yes', 'no')
     FROM sqlite_master t, pragma_index_list(t.name) i WHERE t.type = 'table'",
    "SELECT t.name, group_concat(f.\"from\" ORDER BY f.seq), f.\"table\", group_concat(f.\"to\" ORDER BY f.seq),
            lower(f.on_delete)
     FROM sqlite_master t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table'
     GROUP BY t.name, f.id, f.\"table\", f.on_delete",
];

const POSTGRES: [&str; 4] = [
    "SELECT relname::text FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'seaql_migrations'
     ORDER BY relname",
    "SELECT t.relname::text, a.attname::text, format_type(a.atttypid, NULL),
            CASE WHEN a.attnotnull THEN 'no' ELSE 'yes' END
     FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid
     WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p')
       AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY t.relname, a.attnum",
    "SELECT t.relname::text,
            (SELECT string_agg(coalesce(a.attname, '<expression>'), ',' ORDER BY k.place)
             FROM unnest(i.indkey) WITH ORDINALITY AS k (number, place)
             LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
             WHERE k.place <= i.indnkeyatts),
            CASE WHEN i.indisunique THEN 'yes' ELSE 'no' END,
            CASE WHEN i.indisprimary THEN 'yes' ELSE 'no' END,
            CASE WHEN i.indpred IS NULL THEN 'no' ELSE 'yes' END
     FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
     WHERE t.relnamespace = 'public'::regnamespace",
    "SELECT t.relname::text,
            (SELECT string_agg(a.attname, ',' ORDER BY k.place)
             FROM unnest(c.conkey) WITH ORDINALITY AS k (number, place)
             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number),
            o.relname::text,
            (SELECT string_agg(a.attname, ',' ORDER BY k.place)
             FROM unnest(c.confkey) WITH ORDINALITY AS k (number, place)
             JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number),
            CASE c.confdeltype WHEN 'r' THEN 'restrict' WHEN 'c' THEN 'cascade' ELSE c.confdeltype::text END
     FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class o ON o.oid = c.confrelid
     WHERE c.contype = 'f' AND t.relnamespace = 'public'::regnamespace",
];

const SQLITE_EVERYTHING: &str = "
    SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master
    WHERE tbl_name <> 'seaql_migrations' AND name <> 'sqlite_sequence' ORDER BY type, name";

/// What belongs to an extension is the extension's, and stays.
const POSTGRES_EVERYTHING: &str = "
    SELECT what, name, text FROM (
        SELECT 'column' AS what, table_name || '.' || column_name AS name,
               concat_ws(' ', ordinal_position, data_type, is_nullable, column_default) AS text
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL
        SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL
        SELECT 'index', tablename || '.' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL
        SELECT 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)
        FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL
        SELECT 'policy', tablename || '.' || policyname, concat_ws(' | ', permissive, roles, cmd, qual, with_check)
        FROM pg_policies WHERE schemaname = 'public'
        UNION ALL
        SELECT 'privilege', table_name || '.' || grantee, privilege_type
        FROM information_schema.role_table_grants WHERE table_schema = 'public' AND grantee <> grantor
        UNION ALL
        SELECT 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid)
        FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
          AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
        UNION ALL
        SELECT 'type', typname, typtype::text FROM pg_type t
        WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd', 'r')
          AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')
    ) AS things WHERE name NOT LIKE 'seaql_migrations.%' ORDER BY what, name, text";
