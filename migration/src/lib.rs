//! The steps that build the database, for SQLite and PostgreSQL alike.

use sea_orm_migration::prelude::{MigrationTrait, MigratorTrait, async_trait};

pub mod frozen;
mod m20261121_000001_people;
mod m20261121_000002_sign_in;
mod m20261121_000003_keys;
mod m20261121_000004_practice;
mod m20261121_000005_appointments;
mod m20261121_000006_messages;
mod m20261121_000007_journal;
mod m20261121_000050_therapy_sessions;
mod m20261121_000051_medical_records;
mod m20261121_000052_record_grants;
mod m20261121_000053_attachments;
mod m20261121_000054_diagnostics;
mod m20261121_000055_breast_cancer_predictions;
mod m20261121_000056_care_plans;
mod m20261121_000057_consents;
mod m20261121_000058_retention;
mod m20261121_000059_audit_checkpoints;
mod m20261121_000099_walls;
mod m20261121_000100_daily_limits;
mod m20261121_000110_shared_resources;
mod m20261121_000111_holds_and_series;
mod m20261121_000120_reminder_rules;
mod m20261121_000130_offer_messages;
mod m20261121_000140_group_commit;
mod m20261121_000150_covering_indexes;
mod m20261122_000160_checks;
mod m20261122_000170_by_now;
mod m20261122_000180_append_events;
pub mod table;
pub mod walls;

pub use sea_orm_migration;

/// All steps, in their order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_people::Migration),
            Box::new(m20261121_000002_sign_in::Migration),
            Box::new(m20261121_000003_keys::Migration),
            Box::new(m20261121_000004_practice::Migration),
            Box::new(m20261121_000005_appointments::Migration),
            Box::new(m20261121_000006_messages::Migration),
            Box::new(m20261121_000007_journal::Migration),
            Box::new(m20261121_000050_therapy_sessions::Migration),
            Box::new(m20261121_000051_medical_records::Migration),
            Box::new(m20261121_000052_record_grants::Migration),
            Box::new(m20261121_000053_attachments::Migration),
            Box::new(m20261121_000054_diagnostics::Migration),
            Box::new(m20261121_000055_breast_cancer_predictions::Migration),
            Box::new(m20261121_000056_care_plans::Migration),
            Box::new(m20261121_000057_consents::Migration),
            Box::new(m20261121_000058_retention::Migration),
            Box::new(m20261121_000059_audit_checkpoints::Migration),
            Box::new(m20261121_000099_walls::Migration),
            Box::new(m20261121_000100_daily_limits::Migration),
            Box::new(m20261121_000110_shared_resources::Migration),
            Box::new(m20261121_000111_holds_and_series::Migration),
            Box::new(m20261121_000120_reminder_rules::Migration),
            Box::new(m20261121_000130_offer_messages::Migration),
            Box::new(m20261121_000140_group_commit::Migration),
            Box::new(m20261121_000150_covering_indexes::Migration),
            Box::new(m20261122_000160_checks::Migration),
            Box::new(m20261122_000170_by_now::Migration),
            Box::new(m20261122_000180_append_events::Migration),
        ]
    }
}
