//! Medical records and their anchors.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::table::{Table, bigint, bytes, code, create, drop, instant, int, json, text, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

fn tables() -> Vec<Table> {
    vec![
        Table::tenant("medical_records")
            .belongs_to("patient_id", "patients")
            .col(code("record_type", RECORD_TYPES))
            .col(bytes("type_label").null())
            .col(bytes("recorded_on").null())
            .col(bytes("title").null())
            .col(bytes("provider_name").null())
            .may_belong_to("practitioner_id", "memberships")
            .col(bytes("result").null())
            .col(bytes("notes").null())
            .col(bytes("payload"))
            .col(bytes("hash_salt"))
            .col(bytes("data_hash"))
            .col(code("status", &["PENDING", "COMPLETED"]).default("PENDING"))
            .may_belong_to("amends_id", "medical_records")
            .with_same("patient_id")
            .col(instant("superseded_at").null())
            .col(instant("deleted_at").null())
            .belongs_to("created_by", "memberships")
            .check("data_hash", "length(data_hash) = 32")
            .check("amends", "amends_id <> id")
            .unique(&["id", "patient_id"])
            .unique_where(&["amends_id"], "amends_id IS NOT NULL AND deleted_at IS NULL")
            .index(&["patient_id", "id"])
            .index(&["patient_id", "record_type", "id"])
            .versioned(),
        Table::tenant("record_anchors")
            .may_belong_to("record_id", "medical_records")
            .col(uuid("batch"))
            .col(bytes("merkle_root"))
            .col(bigint("leaf_index"))
            .col(json("proof"))
            .col(text("network"))
            .col(text("tx_hash").null())
            .col(code("state", &["PENDING", "SUBMITTED", "CONFIRMED", "FAILED"]).default("PENDING"))
            .col(int("attempts").default(0))
            .col(text("last_error").null())
            .col(instant("anchored_at").null())
            .check("merkle_root", "length(merkle_root) = 32")
            .check("leaf_index", "leaf_index >= 0")
            .check("attempts", "attempts >= 0")
            .check("submitted", "state NOT IN ('SUBMITTED', 'CONFIRMED') OR tx_hash IS NOT NULL")
            .check("confirmed", "(state = 'CONFIRMED') = (anchored_at IS NOT NULL)")
            .unique(&["batch", "leaf_index"])
            .index_where(&["state", "created_at"], "state IN ('PENDING', 'SUBMITTED')"),
    ]
}

const RECORD_TYPES: &[&str] = &[
    "DIAGNOSIS",
    "LAB_RESULT",
    "PRESCRIPTION",
    "TREATMENT_PLAN",
    "MEDICAL_HISTORY",
    "VITAL_SIGNS",
    "IMAGING",
    "VACCINATION",
    "OTHER",
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
