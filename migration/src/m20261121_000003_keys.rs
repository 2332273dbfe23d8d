//! Keys: wrapped keys of workspaces and patients, and the work that a rotation leaves.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::table::{self, Table, bigint, bytes, code, instant, int, text, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::create(manager, tables()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, tables()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn tables() -> Vec<Table> {
    vec![workspace_keys(), patient_keys(), reencryption_jobs()]
}

fn workspace_keys() -> Table {
    Table::tenant("workspace_keys")
        .col(int("version"))
        .col(int("root_version"))
        .col(bytes("wrapped"))
        .col(instant("destroyed_at").null())
        .unique(&["version"])
        .check("version", "version >= 1 AND root_version >= 1")
}

fn patient_keys() -> Table {
    Table::tenant("patient_keys")
        .col(uuid("patient_id"))
        .col(int("version"))
        .col(int("workspace_key_version"))
        .col(bytes("wrapped").null())
        .col(instant("destroyed_at").null())
        .unique(&["patient_id", "version"])
        .index(&["workspace_key_version", "id"])
        .check("version", "version >= 1 AND workspace_key_version >= 1")
        .check("destroyed", "(wrapped IS NULL) = (destroyed_at IS NOT NULL)")
}

fn reencryption_jobs() -> Table {
    Table::tenant("reencryption_jobs")
        .col(code("scope", &["PATIENT", "WORKSPACE"]))
        .col(uuid("target"))
        .col(int("from_version"))
        .col(int("to_version"))
        .col(text("cursor").null())
        .col(code("state", &["PENDING", "RUNNING", "DONE", "FAILED"]).default("PENDING"))
        .col(bigint("done_count").default(0))
        .col(bigint("total_count").null())
        .col(text("last_error").null())
        .col(instant("started_at").null())
        .col(instant("finished_at").null())
        .index(&["state", "id"])
        .index(&["target"])
        .check("count", "done_count >= 0")
}
