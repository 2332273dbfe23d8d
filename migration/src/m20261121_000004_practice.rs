//! The practice: services, places and working hours.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::table::{self, Table, bigint, code, date, flag, instant, int, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::create(manager, tables()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, tables()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn tables() -> Vec<Table> {
    vec![services(), locations(), rooms(), doctor_schedules(), schedule_exceptions()]
}

fn services() -> Table {
    Table::tenant("services")
        .col(text("name"))
        .col(text("name_key"))
        .col(text("description").null())
        .col(int("duration_minutes"))
        .col(int("buffer_before_minutes").default(0))
        .col(int("buffer_after_minutes").default(0))
        .col(bigint("price_minor").null())
        .col(int("capacity").default(1))
        .col(text("color").null())
        .col(
            code(
                "appointment_type",
                &["CONSULTATION", "FOLLOW_UP", "PROCEDURE", "EMERGENCY", "THERAPY", "OTHER"],
            )
            .default("CONSULTATION"),
        )
        .col(flag("requires_room").default(false))
        .col(int("min_notice_minutes").default(0))
        .col(int("max_advance_days").default(365))
        .col(instant("archived_at").null())
        .versioned()
        .unique(&["name_key"])
        .index(&["archived_at", "name_key", "id"])
        .check("duration", "duration_minutes BETWEEN 5 AND 480")
        .check(
            "buffers",
            "buffer_before_minutes BETWEEN 0 AND 240 AND buffer_after_minutes BETWEEN 0 AND 240",
        )
        .check("price", "price_minor >= 0")
        .check("capacity", "capacity >= 1")
        .check("notice", "min_notice_minutes >= 0 AND max_advance_days >= 0")
}

fn locations() -> Table {
    Table::tenant("locations")
        .col(text("name"))
        .col(text("name_key"))
        .col(code("kind", &["CLINIC", "HOME", "ONLINE"]))
        .col(text("address").null())
        .col(text("details").null())
        .col(text("timezone").null())
        .col(text("external_id").null())
        .col(instant("archived_at").null())
        .versioned()
        .unique(&["name_key"])
        .unique(&["external_id"])
        .index(&["archived_at", "name_key", "id"])
        .index(&["kind", "id"])
}

fn rooms() -> Table {
    Table::tenant("rooms")
        .may_belong_to("location_id", "locations")
        .col(text("name"))
        .col(text("name_key"))
        .col(code("kind", &["CONSULTATION", "EXAMINATION", "PROCEDURE", "OPERATING", "EMERGENCY", "OTHER"]))
        .col(text("floor").null())
        .col(text("department").null())
        .col(int("capacity").default(1))
        .col(text("equipment").null())
        .col(text("notes").null())
        .col(instant("archived_at").null())
        .versioned()
        .unique(&["name_key"])
        .index(&["archived_at", "name_key", "id"])
        .check("capacity", "capacity >= 1")
}

fn doctor_schedules() -> Table {
    Table::tenant("doctor_schedules")
        .belongs_to("practitioner_id", "memberships")
        .may_belong_to("location_id", "locations")
        .col(int("weekday"))
        .col(int("starts_minute"))
        .col(int("ends_minute"))
        .col(int("break_starts_minute").null())
        .col(int("break_ends_minute").null())
        .col(text("timezone"))
        .col(date("valid_from").null())
        .col(date("valid_until").null())
        .versioned()
        .index(&["practitioner_id", "weekday", "starts_minute", "id"])
        .check("weekday", "weekday BETWEEN 1 AND 7")
        .check("minutes", "starts_minute >= 0 AND starts_minute < ends_minute AND ends_minute <= 1440")
        .check("break_pair", "(break_starts_minute IS NULL) = (break_ends_minute IS NULL)")
        .check("break", "starts_minute <= break_starts_minute AND break_starts_minute < break_ends_minute AND break_ends_minute <= ends_minute")
        .check("validity", "valid_from <= valid_until")
}

fn schedule_exceptions() -> Table {
    Table::tenant("schedule_exceptions")
        .may_belong_to("practitioner_id", "memberships")
        .col(code("kind", &["TIME_OFF", "EXTRA_HOURS"]))
        .col(
            code("reason_kind", &["VACATION", "TRAINING", "SICK_LEAVE", "MEETING", "HOLIDAY", "OTHER"])
                .null(),
        )
        .col(instant("starts_at"))
        .col(instant("ends_at"))
        .col(text("timezone"))
        .may_belong_to("location_id", "locations")
        .col(text("note").null())
        .versioned()
        .index(&["practitioner_id", "starts_at", "id"])
        .index(&["starts_at", "id"])
        .check("interval", "ends_at > starts_at")
        .check("extra_hours", "kind <> 'EXTRA_HOURS' OR practitioner_id IS NOT NULL")
}
