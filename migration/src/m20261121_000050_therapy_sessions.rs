//! Therapy sessions and the versions of the signed ones.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::frozen::{keep_facts, keep_rows};
use crate::table::{Table, bytes, code, create, drop, flag, instant, int, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

fn tables() -> Vec<Table> {
    vec![
        Table::tenant("therapy_sessions")
            .belongs_to("patient_id", "patients")
            .belongs_to("practitioner_id", "memberships")
            .may_belong_to("appointment_id", "appointments")
            .col(code("state", &["DRAFT", "SIGNED", "AMENDED"]).default("DRAFT"))
            .col(instant("session_date"))
            .col(int("duration_minutes").null())
            .col(bytes("subjective").null())
            .col(bytes("objective").null())
            .col(bytes("assessment").null())
            .col(bytes("plan").null())
            .col(instant("draft_saved_at").null())
            .col(instant("signed_at").null())
            .may_belong_to("signed_by", "memberships")
            .col(bytes("content_hash").null())
            .col(int("current_version").default(0))
            .col(flag("late_entry").default(false))
            .col(instant("deleted_at").null())
            .may_belong_to("deleted_by", "memberships")
            .col(bytes("deletion_reason").null())
            .col(instant("purge_after").null())
            .check("duration", "duration_minutes BETWEEN 0 AND 480")
            .check(
                "signature",
                "(state = 'DRAFT') = (signed_at IS NULL) AND (state = 'DRAFT') = (signed_by IS NULL) \
                 AND (state = 'DRAFT') = (content_hash IS NULL)",
            )
            .check(
                "current_version",
                "(state = 'DRAFT' AND current_version = 0) OR (state = 'SIGNED' AND current_version = 1) \
                 OR (state = 'AMENDED' AND current_version > 1)",
            )
            .check("content_hash", "length(content_hash) = 32")
            .check(
                "deletion",
                "(deleted_at IS NULL) = (deleted_by IS NULL) AND (deleted_at IS NULL) = (purge_after IS NULL) \
                 AND (deleted_at IS NULL OR state = 'DRAFT') AND (deletion_reason IS NULL OR deleted_at IS NOT NULL)",
            )
            .unique(&["id", "patient_id"])
            .index(&["patient_id", "session_date", "id"])
            .index(&["session_date", "id"])
            .index_where(&["practitioner_id", "draft_saved_at", "id"], "state = 'DRAFT'")
            .index_where(&["purge_after"], "deleted_at IS NOT NULL")
            .versioned(),
        Table::tenant("therapy_session_versions")
            .col(uuid("patient_id"))
            .belongs_to("therapy_session_id", "therapy_sessions")
            .with_same("patient_id")
            .col(int("number"))
            .belongs_to("author_id", "memberships")
            .col(code("kind", &["SIGNED", "AMENDED"]))
            .col(bytes("reason").null())
            .col(bytes("subjective").null())
            .col(bytes("objective").null())
            .col(bytes("assessment").null())
            .col(bytes("plan").null())
            .col(bytes("hash_salt"))
            .col(bytes("content_hash"))
            .check("number", "(kind = 'SIGNED' AND number = 1) OR (kind = 'AMENDED' AND number > 1)")
            .check("content_hash", "length(content_hash) = 32")
            .unique(&["therapy_session_id", "number"])
            .append_only(),
    ]
}

const VERSIONS: &str = "therapy_session_versions";
const VERSION_FACTS: &[&str] = &[
    "id",
    "workspace_id",
    "therapy_session_id",
    "number",
    "author_id",
    "kind",
    "content_hash",
    "created_at",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, tables()).await?;
        keep_facts(manager, VERSIONS, VERSION_FACTS).await?;
        keep_rows(manager, VERSIONS, &[&["id"], &["workspace_id", "therapy_session_id", "number"]]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, tables()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
