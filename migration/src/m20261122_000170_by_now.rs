//! What stands around an appointment, as it is at the moment: for a statement that has waited for locks.
//!
//! A statement of PostgreSQL's READ COMMITTED sees what was committed before it began. What a volatile function reads
//! is as new as its call, so a booking takes its locks and looks around in one round trip. The first argument of each is
//! for the caller: something that is known only when the locks are held.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};
use sea_orm_migration::sea_orm::DbBackend;

use crate::table::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Name, further parameters and rows. One plan does for all calls: left alone, PostgreSQL makes one for each array, which
/// takes four times as long as to run it.
const FUNCTIONS: [(&str, &str, &str, &str); 3] = [
    ("schedules_by_now", "practitioner uuid", "doctor_schedules", "found.practitioner_id = practitioner"),
    (
        "exceptions_by_now",
        "practitioner uuid, starts timestamptz, ends timestamptz",
        "schedule_exceptions",
        "(found.practitioner_id IS NULL OR found.practitioner_id = practitioner)
            AND found.starts_at < ends AND found.ends_at > starts",
    ),
    // Nothing is taken for longer than `longest`, so the index, which is by end, can stop.
    (
        "taken_by_now",
        "resources uuid[], starts timestamptz, ends timestamptz, longest interval",
        "occupancies",
        "found.resource_id = ANY (resources) AND found.starts_at < ends AND found.ends_at > starts
            AND found.ends_at < ends + longest",
    ),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            for (name, parameters, table, condition) in FUNCTIONS {
                let function = format!(
                    "CREATE FUNCTION {name} (locks bigint, of_workspace uuid, {parameters}) RETURNS SETOF {table}
                     LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan AS $$
                     BEGIN
                         RETURN QUERY SELECT found.* FROM {table} found
                             WHERE found.workspace_id = of_workspace AND {condition};
                     END $$"
                );
                execute(manager, &function).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            for (name, ..) in FUNCTIONS {
                execute(manager, &format!("DROP FUNCTION {name}")).await?;
            }
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
