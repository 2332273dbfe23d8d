//! The steps that build the database, for SQLite and PostgreSQL alike.

use sea_orm_migration::prelude::*;

pub mod table;

pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![]
    }
}
