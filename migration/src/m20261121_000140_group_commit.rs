//! Lets the journal's writer append to several workspaces' chains in one statement.
//!
//! It names them in a setting of its own for its transaction. That opens their heads and lets events be added;
//! no event can be read by it, and no other table is open.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};
use sea_orm_migration::sea_orm::DbBackend;

use crate::table::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// The tables and what can be done with them.
const OPENINGS: [(&str, &str); 4] = [
    ("audit_events", "INSERT"),
    ("audit_heads", "SELECT"),
    ("audit_heads", "INSERT"),
    ("audit_heads", "UPDATE"),
];

const NAMED: &str = "workspace_id = ANY \
    ((SELECT string_to_array(nullif(current_setting('app.journal_workspaces', true), ''), ',')::uuid[])::uuid[])";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        for (table, command) in OPENINGS {
            let condition = match command {
                "INSERT" => format!("WITH CHECK ({NAMED})"),
                _ => format!("USING ({NAMED})"),
            };
            let name = policy(command);
            execute(manager, &format!("CREATE POLICY {name} ON {table} FOR {command} {condition}")).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        for (table, command) in OPENINGS {
            execute(manager, &format!("DROP POLICY {} ON {table}", policy(command))).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn policy(command: &str) -> String {
    format!("group_commit_{}", command.to_lowercase())
}
