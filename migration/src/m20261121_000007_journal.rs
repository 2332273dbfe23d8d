//! The journal, whose rows are only ever added.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::table::{self, Table, bigint, bytes, code, instant, text, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::create(manager, tables()).await?;
        table::refuse_changes(manager, "audit_events", &[&["workspace_id", "seq"], &["id"]]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, tables()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn tables() -> Vec<Table> {
    vec![audit_events(), audit_heads()]
}

fn audit_events() -> Table {
    Table::bare("audit_events", &["workspace_id", "seq"])
        .col(uuid("workspace_id"))
        .col(bigint("seq"))
        .col(uuid("id"))
        .col(instant("occurred_at"))
        .col(text("action"))
        .col(code("kind", &["WRITE", "READ", "DENIED", "FAILED", "AUTH", "EXPORT", "SEARCH"]))
        .col(uuid("actor_user_id").null())
        .col(uuid("actor_membership_id").null())
        .col(
            code(
                "actor_role",
                &["OWNER", "ADMIN", "DOCTOR", "NURSE", "LAB_TECH", "STAFF", "RESEARCHER", "PATIENT"],
            )
            .null(),
        )
        .col(uuid("auth_session_id").null())
        .col(text("subject_type").null())
        .col(uuid("subject_id").null())
        .col(uuid("patient_id").null())
        .col(text("request_id").null())
        .col(text("ip").null())
        .col(text("user_agent").null())
        .col(text("purpose").null())
        .col(text("reason").null())
        .col(text("detail").default("{}"))
        .col(bytes("changes").null())
        .col(bytes("prev_hash"))
        .col(bytes("hash"))
        .unique(&["id"])
        .index(&["workspace_id", "patient_id", "seq"])
        .index(&["workspace_id", "subject_id", "seq"])
        .index(&["workspace_id", "actor_user_id", "seq"])
        .index(&["workspace_id", "kind", "seq"])
        .check("seq", "seq >= 1")
}

fn audit_heads() -> Table {
    Table::bare("audit_heads", &["workspace_id"])
        .col(uuid("workspace_id"))
        .col(bigint("seq").default(0))
        .col(bytes("hash"))
        .col(instant("updated_at"))
        .check("seq", "seq >= 0")
}
