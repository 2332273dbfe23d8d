//! How many appointments a day: of a service, and with a practitioner.

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
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["services", "memberships"] {
            execute(manager, &format!("ALTER TABLE {table} DROP COLUMN daily_limit")).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
