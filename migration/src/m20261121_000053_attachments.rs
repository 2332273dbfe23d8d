//! Attached files.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::table::{Table, bigint, bytes, code, create, drop, instant, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

fn tables() -> Vec<Table> {
    vec![
        Table::tenant("attachments")
            .belongs_to("patient_id", "patients")
            .may_belong_to("therapy_session_id", "therapy_sessions")
            .with_same("patient_id")
            .may_belong_to("medical_record_id", "medical_records")
            .with_same("patient_id")
            .col(bytes("file_name"))
            .col(text("media_type"))
            .col(bigint("size_bytes"))
            .col(text("object_key"))
            .col(bytes("content_hash").null())
            .col(code("state", &["PENDING", "AVAILABLE", "REJECTED", "DELETED"]).default("PENDING"))
            .belongs_to("uploaded_by", "memberships")
            .col(instant("upload_expires_at").null())
            .col(instant("deleted_at").null())
            .check("size_bytes", "size_bytes >= 0")
            .check("one_place", "therapy_session_id IS NULL OR medical_record_id IS NULL")
            .check("content_hash", "length(content_hash) = 32")
            .check("pending", "state <> 'PENDING' OR upload_expires_at IS NOT NULL")
            .check("available", "state <> 'AVAILABLE' OR content_hash IS NOT NULL")
            .check("deleted", "(state = 'DELETED') = (deleted_at IS NOT NULL)")
            .unique(&["object_key"])
            .index(&["patient_id", "id"])
            .index_where(&["upload_expires_at"], "state = 'PENDING'")
            .versioned(),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, tables()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, tables()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
