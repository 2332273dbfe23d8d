//! When patients are reminded and when they are left alone, zones of their own, and digests that exist once.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};
use sea_orm_migration::sea_orm::DbBackend;

use crate::table::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// The new columns: table, name, type on SQLite, type on PostgreSQL, the rest.
const COLUMNS: [(&str, &str, &str, &str, &str); 5] = [
    ("workspaces", "reminder_minutes", "jsonb_text", "jsonb", "NOT NULL DEFAULT '[1440]'"),
    (
        "workspaces",
        "quiet_from_minute",
        "integer",
        "integer",
        "NOT NULL DEFAULT 1260 CHECK (quiet_from_minute BETWEEN 0 AND 1439)",
    ),
    (
        "workspaces",
        "quiet_until_minute",
        "integer",
        "integer",
        "NOT NULL DEFAULT 480 CHECK (quiet_until_minute BETWEEN 0 AND 1439)",
    ),
    ("patients", "timezone", "varbinary_blob", "bytea", ""),
    ("notification_settings", "timezone", "varchar", "varchar", ""),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sqlite = manager.get_database_backend() == DbBackend::Sqlite;
        for (table, column, on_sqlite, on_postgres, rest) in COLUMNS {
            let kind = if sqlite { on_sqlite } else { on_postgres };
            execute(manager, &format!("ALTER TABLE {table} ADD COLUMN {column} {kind} {rest}")).await?;
        }
        // The key over the appointment does not hold for digests, which have none.
        execute(
            manager,
            "CREATE UNIQUE INDEX reminders_membership_id_kind_starts_at_key
             ON reminders (workspace_id, membership_id, kind, starts_at) WHERE appointment_id IS NULL",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, "DROP INDEX reminders_membership_id_kind_starts_at_key").await?;
        for (table, column, ..) in COLUMNS {
            execute(manager, &format!("ALTER TABLE {table} DROP COLUMN {column}")).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
