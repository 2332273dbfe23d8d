//! Test orders and diagnostic results.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::table::{Table, bytes, code, create, drop, instant, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

fn tables() -> Vec<Table> {
    vec![
        Table::tenant("diagnostic_results")
            .belongs_to("patient_id", "patients")
            .col(text("identifier"))
            .col(bytes("protein1"))
            .col(bytes("protein2"))
            .col(bytes("protein3"))
            .col(bytes("result"))
            .col(bytes("confidence").null())
            .col(bytes("recommendation").null())
            .col(text("model_version"))
            .belongs_to("created_by", "memberships")
            .col(instant("deleted_at").null())
            .may_belong_to("deleted_by", "memberships")
            .col(bytes("deletion_reason").null())
            .check(
                "deletion",
                "(deleted_at IS NULL) = (deleted_by IS NULL) \
                 AND (deletion_reason IS NULL OR deleted_at IS NOT NULL)",
            )
            .unique(&["identifier"])
            .unique(&["id", "patient_id"])
            .index(&["patient_id", "id"])
            .index(&["created_by", "id"]),
        Table::tenant("test_orders")
            .belongs_to("patient_id", "patients")
            .belongs_to("ordered_by", "memberships")
            .may_belong_to("lab_tech_id", "memberships")
            .may_belong_to("diagnostic_result_id", "diagnostic_results")
            .with_same("patient_id")
            .col(code("status", &["PENDING", "FULFILLED", "CANCELLED"]).default("PENDING"))
            .col(bytes("note").null())
            .col(instant("fulfilled_at").null())
            .col(instant("cancelled_at").null())
            .col(bytes("cancel_reason").null())
            .check(
                "fulfilled",
                "(status = 'FULFILLED') = (fulfilled_at IS NOT NULL) \
                 AND (status = 'FULFILLED') = (diagnostic_result_id IS NOT NULL) \
                 AND (status <> 'FULFILLED' OR lab_tech_id IS NOT NULL)",
            )
            .check(
                "cancelled",
                "(status = 'CANCELLED') = (cancelled_at IS NOT NULL) \
                 AND (cancel_reason IS NULL OR status = 'CANCELLED')",
            )
            .unique(&["diagnostic_result_id"])
            .index(&["patient_id", "id"])
            .index(&["status", "id"])
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
