//! Lets the sign-ins of several users be checked in one statement.
//!
//! The check names them in a setting of its own for its transaction. That opens their memberships to be read, as each
//! of them could read their own, and nothing else.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};
use sea_orm_migration::sea_orm::DbBackend;

use crate::table::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

const POLICY: &str = "CREATE POLICY checked ON memberships FOR SELECT USING (user_id = ANY \
    ((SELECT string_to_array(nullif(current_setting('app.checked_users', true), ''), ',')::uuid[])::uuid[]))";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => execute(manager, POLICY).await,
            _ => Ok(()),
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => execute(manager, "DROP POLICY checked ON memberships").await,
            _ => Ok(()),
        }
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
