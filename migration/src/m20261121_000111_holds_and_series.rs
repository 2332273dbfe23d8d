//! How long holds and offers last, what a hold keeps free around it, and the dates that a series leaves out.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::table::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Table, column, and its definition in words that both engines understand.
const COLUMNS: [(&str, &str, &str); 6] = [
    ("workspaces", "hold_minutes", "integer NOT NULL DEFAULT 10 CHECK (hold_minutes BETWEEN 1 AND 60)"),
    (
        "workspaces",
        "waitlist_offer_minutes",
        "integer NOT NULL DEFAULT 120 CHECK (waitlist_offer_minutes BETWEEN 1 AND 2880)",
    ),
    ("appointment_holds", "buffer_before_minutes", "integer NOT NULL DEFAULT 0"),
    ("appointment_holds", "buffer_after_minutes", "integer NOT NULL DEFAULT 0"),
    ("appointment_holds", "for_waitlist", "boolean NOT NULL DEFAULT FALSE"),
    ("appointment_series", "exception_dates", "varchar NOT NULL DEFAULT ''"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column, definition) in COLUMNS {
            execute(manager, &format!("ALTER TABLE {table} ADD COLUMN {column} {definition}")).await?;
        }
        // What the sweeper looks for, however many holds there once were.
        execute(
            manager,
            "CREATE INDEX appointment_holds_open_idx ON appointment_holds (workspace_id, expires_at)
             WHERE released_at IS NULL",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, "DROP INDEX appointment_holds_open_idx").await?;
        for (table, column, _) in COLUMNS.iter().rev() {
            execute(manager, &format!("ALTER TABLE {table} DROP COLUMN {column}")).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
