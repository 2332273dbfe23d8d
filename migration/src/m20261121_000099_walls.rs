//! The walls between workspaces: row-level security, and what the application may do at most.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::walls;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        walls::raise(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        walls::lower(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
