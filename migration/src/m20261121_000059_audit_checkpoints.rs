//! Signed checkpoints of the audit log.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::frozen::{keep_facts_but_once, keep_rows};
use crate::table::{Table, bigint, bytes, create, drop, instant, text, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

fn tables() -> Vec<Table> {
    vec![
        // Like the journal itself it refers to nothing, and the nil workspace is the system's own log.
        Table::bare("audit_checkpoints", &["id"])
            .col(uuid("id"))
            .col(uuid("workspace_id"))
            .col(bigint("tree_size"))
            .col(bytes("root_hash"))
            .col(bytes("signature"))
            .col(text("key_id"))
            .col(text("anchored_tx").null())
            .col(instant("created_at"))
            .check("tree_size", "tree_size >= 0")
            .check("root_hash", "length(root_hash) = 32")
            .unique(&["workspace_id", "id"])
            .unique(&["workspace_id", "tree_size"]),
    ]
}

const CHECKPOINTS: &str = "audit_checkpoints";
const FACTS: &[&str] = &["id", "workspace_id", "tree_size", "root_hash", "signature", "key_id", "created_at"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, tables()).await?;
        keep_facts_but_once(manager, CHECKPOINTS, FACTS, "anchored_tx").await?;
        keep_rows(manager, CHECKPOINTS, &[&["id"], &["workspace_id", "tree_size"]]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, tables()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
