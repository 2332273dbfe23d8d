//! Grants: the one table in which two workspaces meet.
//!
//! It has no `workspace_id`, so the rule that every other tenant table gets does not fit it; its own rule is
//! below.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};
use sea_orm_migration::sea_orm::DbBackend;

use crate::table::{Table, code, create, drop, execute, instant, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

fn tables() -> Vec<Table> {
    vec![
        Table::owned_by("record_grants", "owner_workspace_id")
            .col(uuid("patient_id"))
            .belongs_to("record_id", "medical_records")
            .with_same("patient_id")
            .refers_to(uuid("grantee_workspace_id").null(), "workspaces")
            .refers_to(uuid("grantee_user_id").null(), "users")
            .col(code("purpose", PURPOSES))
            .belongs_to("granted_by", "memberships")
            .col(instant("expires_at").null())
            .col(instant("revoked_at").null())
            .may_belong_to("revoked_by", "memberships")
            .check("grantee", "grantee_workspace_id IS NOT NULL OR grantee_user_id IS NOT NULL")
            .check("outside", "grantee_workspace_id <> owner_workspace_id")
            .check("revoked", "(revoked_at IS NULL) = (revoked_by IS NULL)")
            .check("expires", "expires_at > created_at")
            // A second live grant would outlive the revocation of the first.
            .unique_where(
                &["record_id", "grantee_workspace_id"],
                "revoked_at IS NULL AND grantee_user_id IS NULL",
            )
            .unique_where(
                &["record_id", "grantee_user_id"],
                "revoked_at IS NULL AND grantee_user_id IS NOT NULL",
            )
            .index(&["patient_id", "id"])
            .index_everywhere(&["grantee_workspace_id", "id"])
            .index_everywhere(&["grantee_user_id", "id"]),
    ]
}

const PURPOSES: &[&str] =
    &["TREATMENT", "REFERRAL", "SECOND_OPINION", "PATIENT_REQUEST", "EMERGENCY", "OTHER"];

/// The owner sees and writes its grants; a grantee sees the ones made to it. A setting that is not set matches nobody.
const WALL: [&str; 4] = [
    "ALTER TABLE record_grants ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE record_grants FORCE ROW LEVEL SECURITY",
    "CREATE POLICY record_grants_owner ON record_grants
        USING (owner_workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid))
        WITH CHECK (owner_workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid))",
    "CREATE POLICY record_grants_grantee ON record_grants FOR SELECT
        USING (grantee_workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
            OR grantee_user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid))",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, tables()).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            for statement in WALL {
                execute(manager, statement).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, tables()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
