//! Retention policies, legal holds, and archives.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::table::{Table, bytes, code, create, drop, instant, int, text, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

fn tables() -> Vec<Table> {
    vec![
        Table::tenant("retention_policies")
            .col(code("data_class", DATA_CLASSES))
            .col(int("years_after_last_encounter"))
            .col(int("minor_age_years").null())
            .col(int("years_after_death").null())
            .col(text("legal_basis").null())
            .check("years_after_last_encounter", "years_after_last_encounter BETWEEN 0 AND 100")
            .check("minor_age_years", "minor_age_years BETWEEN 0 AND 100")
            .check("years_after_death", "years_after_death BETWEEN 0 AND 100")
            .unique(&["data_class"])
            .versioned(),
        Table::tenant("legal_holds")
            .may_belong_to("patient_id", "patients")
            .col(bytes("reason"))
            .belongs_to("placed_by", "memberships")
            .col(instant("placed_at"))
            .may_belong_to("lifted_by", "memberships")
            .col(instant("lifted_at").null())
            .check("lifted", "(lifted_at IS NULL) = (lifted_by IS NULL) AND lifted_at >= placed_at")
            .index(&["placed_at", "id"]),
        Table::tenant("archives")
            .col(code("data_class", DATA_CLASSES))
            .col(uuid("subject_id"))
            .may_belong_to("patient_id", "patients")
            .col(text("object_key"))
            .col(bytes("manifest_hash"))
            .col(instant("archived_at"))
            .col(instant("restored_at").null())
            .check("manifest_hash", "length(manifest_hash) = 32")
            .check("restored", "restored_at >= archived_at")
            .unique(&["object_key", "subject_id"])
            .index(&["subject_id"])
            .index(&["archived_at", "id"]),
    ]
}

const DATA_CLASSES: &[&str] = &[
    "PATIENTS",
    "APPOINTMENTS",
    "THERAPY_SESSIONS",
    "MEDICAL_RECORDS",
    "ATTACHMENTS",
    "DIAGNOSTIC_RESULTS",
    "PREDICTIONS",
    "CARE_PLANS",
    "COMPLIANCE",
    "AUDIT_EVENTS",
];

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
