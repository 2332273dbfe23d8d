//! Messages about offers of the waiting list, and the order in which holds are listed.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};
use sea_orm_migration::sea_orm::DbBackend;

use crate::m20261121_000006_messages as before;
use crate::table::{self, Table, execute};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => execute(manager, &widen()).await?,
            _ => rebuild(manager, reminders()).await?,
        }
        execute(
            manager,
            "CREATE INDEX appointment_holds_starts_at_id_idx ON appointment_holds (workspace_id, starts_at, id)",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, "DROP INDEX appointment_holds_starts_at_id_idx").await?;
        match manager.get_database_backend() {
            DbBackend::Postgres => narrow(manager).await,
            _ => rebuild(manager, before::reminders()).await,
        }
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// What a message is about: an appointment, an offer, or neither.
const ABOUT: &str = "appointment_id IS NULL OR hold_id IS NULL";

/// As before, and also about a slot that is kept for a patient of the waiting list, once for each.
fn reminders() -> Table {
    before::reminders()
        .may_belong_to("hold_id", "appointment_holds")
        .unique(&["hold_id"])
        .check("about", ABOUT)
}

/// SQLite cannot add a reference to a table. Nothing refers to this one, so it is made anew.
async fn rebuild(manager: &SchemaManager<'_>, to: Table) -> Result<(), DbErr> {
    // An offer's message has no place in the table as it was: it is about no appointment and for no member.
    let columns = "id, workspace_id, appointment_id, recipient, membership_id, channel, kind, due_at, starts_at, state, \
                   attempts, lease_until, lease_owner, sent_at, last_error, created_at, updated_at";
    execute(
        manager,
        &format!(
            "CREATE TABLE reminders_kept AS SELECT {columns} FROM reminders
             WHERE appointment_id IS NOT NULL OR membership_id IS NOT NULL"
        ),
    )
    .await?;
    execute(manager, "DROP TABLE reminders").await?;
    table::create(manager, vec![to]).await?;
    execute(
        manager,
        "CREATE UNIQUE INDEX reminders_membership_id_kind_starts_at_key
         ON reminders (workspace_id, membership_id, kind, starts_at) WHERE appointment_id IS NULL",
    )
    .await?;
    execute(manager, &format!("INSERT INTO reminders ({columns}) SELECT {columns} FROM reminders_kept"))
        .await?;
    execute(manager, "DROP TABLE reminders_kept").await
}

fn widen() -> String {
    format!(
        "ALTER TABLE reminders
             ADD COLUMN hold_id uuid,
             ADD CONSTRAINT reminders_hold_id_key UNIQUE (workspace_id, hold_id),
             ADD CONSTRAINT reminders_about_check CHECK ({ABOUT}),
             ADD CONSTRAINT reminders_hold_id_fkey FOREIGN KEY (workspace_id, hold_id)
                 REFERENCES appointment_holds (workspace_id, id) ON DELETE RESTRICT"
    )
}

async fn narrow(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for sql in [
        // The owner of the tables is bound by their policies, which show no row outside a workspace.
        "ALTER TABLE reminders NO FORCE ROW LEVEL SECURITY",
        "DELETE FROM reminders WHERE hold_id IS NOT NULL",
        "ALTER TABLE reminders DROP CONSTRAINT reminders_about_check, DROP COLUMN hold_id",
        "ALTER TABLE reminders FORCE ROW LEVEL SECURITY",
    ] {
        execute(manager, sql).await?;
    }
    Ok(())
}
