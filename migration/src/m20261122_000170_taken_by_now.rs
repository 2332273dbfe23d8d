//! What is taken, as it is at the moment: for a statement that has waited for locks.
//!
//! A statement of PostgreSQL's READ COMMITTED sees what was committed before it began. What a volatile function reads
//! is as new as its call, so a booking takes its locks and looks at what is taken in one round trip. The first argument
//! is for the caller: something that is known only when the locks are held.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};
use sea_orm_migration::sea_orm::DbBackend;

use crate::table::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// The second bound on the end lets the index, which is by end, stop: nothing is taken for longer. One plan does for all
/// calls: left alone, PostgreSQL makes one for each array, which takes four times as long as to run it.
const TAKEN: &str = "CREATE FUNCTION taken_by_now
        (locks bigint, of_workspace uuid, resources uuid[], starts timestamptz, ends timestamptz)
    RETURNS SETOF occupancies LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan AS $$
    BEGIN
        RETURN QUERY SELECT taken.* FROM occupancies taken
            WHERE taken.workspace_id = of_workspace AND taken.resource_id = ANY (resources)
                AND taken.starts_at < ends AND taken.ends_at > starts
                AND taken.ends_at < ends + interval '32 days';
    END $$";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => execute(manager, TAKEN).await,
            _ => Ok(()),
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => execute(manager, "DROP FUNCTION taken_by_now").await,
            _ => Ok(()),
        }
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
