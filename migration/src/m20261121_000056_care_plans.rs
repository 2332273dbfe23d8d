//! Care plans, their goals and interventions.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::table::{Table, bytes, code, create, date, drop, int, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

fn tables() -> Vec<Table> {
    vec![
        Table::tenant("care_plans")
            .belongs_to("patient_id", "patients")
            .col(bytes("title"))
            .col(bytes("diagnosis").null())
            .col(bytes("goals_summary").null())
            .col(date("starts_on"))
            .col(date("ends_on").null())
            .col(bytes("frequency").null())
            .col(code("status", &["ACTIVE", "COMPLETED", "DISCONTINUED"]).default("ACTIVE"))
            .belongs_to("created_by", "memberships")
            .check("days", "ends_on >= starts_on")
            .unique(&["id", "patient_id"])
            .index(&["patient_id", "starts_on", "id"])
            .versioned(),
        Table::tenant("care_plan_goals")
            .col(uuid("patient_id"))
            .belongs_to("care_plan_id", "care_plans")
            .with_same("patient_id")
            .col(bytes("description"))
            .col(date("target_on").null())
            .col(date("achieved_on").null())
            .col(code("status", &["PROPOSED", "IN_PROGRESS", "ACHIEVED", "CANCELLED"]).default("PROPOSED"))
            .col(int("progress_percent").default(0))
            .col(int("position").default(0))
            .col(bytes("notes").null())
            .check("achieved", "(status = 'ACHIEVED') = (achieved_on IS NOT NULL)")
            .check("progress_percent", "progress_percent BETWEEN 0 AND 100")
            .check("position", "position >= 0")
            .unique(&["id", "care_plan_id"])
            .index(&["care_plan_id", "position", "id"])
            .versioned(),
        Table::tenant("care_plan_interventions")
            .col(uuid("patient_id"))
            .belongs_to("care_plan_id", "care_plans")
            .with_same("patient_id")
            .may_belong_to("goal_id", "care_plan_goals")
            .with_same("care_plan_id")
            .col(bytes("description"))
            .may_belong_to("responsible_id", "memberships")
            .col(bytes("frequency").null())
            .col(code("status", &["PLANNED", "IN_PROGRESS", "COMPLETED", "CANCELLED"]).default("PLANNED"))
            .index(&["care_plan_id", "id"])
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
