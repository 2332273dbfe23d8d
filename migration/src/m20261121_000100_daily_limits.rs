//! How many appointments a day: of a service, and with a practitioner. And the index that free times are searched by.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::table::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["services", "memberships"] {
            execute(
                manager,
                &format!(
                    "ALTER TABLE {table} ADD COLUMN daily_limit integer
                     CONSTRAINT {table}_daily_limit_check CHECK (daily_limit >= 1)"
                ),
            )
            .await?;
        }
        // Holds all that a search for free times reads, so that it does not visit the table.
        execute(
            manager,
            "CREATE INDEX occupancies_taken_idx
             ON occupancies (workspace_id, resource_id, ends_at, starts_at, hold_id, appointment_id)",
        )
        .await?;
        execute(manager, "DROP INDEX occupancies_resource_id_ends_at_id_idx").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(
            manager,
            "CREATE INDEX occupancies_resource_id_ends_at_id_idx
             ON occupancies (workspace_id, resource_id, ends_at, id)",
        )
        .await?;
        execute(manager, "DROP INDEX occupancies_taken_idx").await?;
        for table in ["services", "memberships"] {
            execute(manager, &format!("ALTER TABLE {table} DROP COLUMN daily_limit")).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
