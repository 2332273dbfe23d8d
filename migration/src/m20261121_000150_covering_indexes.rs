//! Indexes that hold all that a search in time looks at, so that it reads no row that it does not answer with; and
//! one that holds no more than is looked for in it.
//!
//! An appointment that began long before a day may reach into it: so a search begins a month earlier, and what ended
//! before the day is passed over in the index.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::table::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Table, the index's name and columns until now, its name and columns from now on.
const INDEXES: [(&str, [&str; 2], [&str; 2]); 5] = [
    (
        "appointments",
        ["appointments_starts_at_id_idx", "(workspace_id, starts_at, id)"],
        ["appointments_starts_at_id_ends_at_idx", "(workspace_id, starts_at, id, ends_at)"],
    ),
    (
        "appointments",
        ["appointments_practitioner_id_starts_at_id_idx", "(workspace_id, practitioner_id, starts_at, id)"],
        [
            "appointments_practitioner_id_starts_at_id_ends_at_idx",
            "(workspace_id, practitioner_id, starts_at, id, ends_at)",
        ],
    ),
    (
        "appointments",
        ["appointments_room_id_starts_at_id_idx", "(workspace_id, room_id, starts_at, id)"],
        ["appointments_room_id_starts_at_id_ends_at_idx", "(workspace_id, room_id, starts_at, id, ends_at)"],
    ),
    (
        "occupancies",
        ["occupancies_resource_id_ends_at_id_idx", "(workspace_id, resource_id, ends_at, id)"],
        [
            "occupancies_resource_id_ends_at_starts_at_expires_at_idx",
            "(workspace_id, resource_id, ends_at, starts_at, expires_at)",
        ],
    ),
    // Most events are about patients, and in the index by chart already.
    (
        "audit_events",
        ["audit_events_workspace_id_subject_id_seq_idx", "(workspace_id, subject_id, seq)"],
        [
            "audit_events_workspace_id_subject_id_seq_others_idx",
            "(workspace_id, subject_id, seq) WHERE subject_type <> 'patients'",
        ],
    ),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, [old, _], [new, columns]) in INDEXES {
            replace(manager, table, old, new, columns).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, [old, columns], [new, _]) in INDEXES {
            replace(manager, table, new, old, columns).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn replace(
    manager: &SchemaManager<'_>,
    table: &str,
    old: &str,
    new: &str,
    columns: &str,
) -> Result<(), DbErr> {
    execute(manager, &format!("CREATE INDEX {new} ON {table} {columns}")).await?;
    execute(manager, &format!("DROP INDEX {old}")).await
}
