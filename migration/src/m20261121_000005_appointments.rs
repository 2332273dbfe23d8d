//! Appointments, and the table that makes double booking impossible.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};
use sea_orm_migration::sea_orm::DbBackend;

use crate::table::{self, Table, bigint, bytes, code, execute, flag, instant, int, text, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::create(manager, tables()).await?;
        table::refuse_changes(manager, "appointment_events", &[&["id"], &["workspace_id", "id"]]).await?;
        forbid_overlaps(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, tables()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn tables() -> Vec<Table> {
    vec![
        appointment_series(),
        appointments(),
        appointment_holds(),
        occupancies(),
        appointment_events(),
        waitlist_entries(),
    ]
}

fn appointment_series() -> Table {
    Table::tenant("appointment_series")
        .belongs_to("patient_id", "patients")
        .belongs_to("practitioner_id", "memberships")
        .may_belong_to("service_id", "services")
        .col(text("rule"))
        .col(text("timezone"))
        .col(text("starts_local"))
        .col(int("duration_minutes"))
        .col(instant("until").null())
        .may_belong_to("created_by", "memberships")
        .versioned()
        .index(&["patient_id", "id"])
        .check("duration", "duration_minutes BETWEEN 5 AND 480")
}

fn appointments() -> Table {
    Table::tenant("appointments")
        .belongs_to("patient_id", "patients")
        .belongs_to("practitioner_id", "memberships")
        .may_belong_to("service_id", "services")
        .may_belong_to("location_id", "locations")
        .may_belong_to("room_id", "rooms")
        .may_belong_to("series_id", "appointment_series")
        .col(text("series_starts_local").null())
        .col(instant("starts_at"))
        .col(instant("ends_at"))
        .col(text("timezone"))
        .col(
            code(
                "appointment_type",
                &["CONSULTATION", "FOLLOW_UP", "PROCEDURE", "EMERGENCY", "THERAPY", "OTHER"],
            )
            .default("CONSULTATION"),
        )
        .col(code("location_kind", &["CLINIC", "HOME", "ONLINE"]).null())
        .col(bytes("location_details").null())
        .col(code("priority", &["LOW", "NORMAL", "HIGH", "URGENT"]).default("NORMAL"))
        .col(
            code("status", &["SCHEDULED", "CONFIRMED", "IN_PROGRESS", "COMPLETED", "CANCELLED", "NO_SHOW"])
                .default("SCHEDULED"),
        )
        .col(bytes("reason").null())
        .col(bytes("notes").null())
        .col(int("buffer_before_minutes").default(0))
        .col(int("buffer_after_minutes").default(0))
        .col(instant("cancelled_at").null())
        .col(bytes("cancellation_reason").null())
        .col(flag("late_cancellation").default(false))
        .col(instant("started_at").null())
        .col(instant("completed_at").null())
        .col(int("sequence").default(0))
        .col(flag("is_override").default(false))
        .col(bytes("external_key").null())
        .col(bigint("price_minor").null())
        .col(code("payment_status", &["NOT_PAID", "PAID", "PAYMENT_SENT", "WAIVED"]).default("NOT_PAID"))
        .col(code("payment_method", &["CASH", "CARD", "BANK_TRANSFER", "BIT", "PAYBOX", "OTHER"]).null())
        .col(bytes("payment_notes").null())
        .col(instant("paid_at").null())
        .may_belong_to("created_by", "memberships")
        .versioned()
        .unique(&["external_key"])
        .unique(&["series_id", "series_starts_local"])
        .index(&["starts_at", "id"])
        .index(&["practitioner_id", "starts_at", "id"])
        .index(&["patient_id", "starts_at", "id"])
        .index(&["room_id", "starts_at", "id"])
        .index(&["status", "starts_at", "id"])
        .index(&["payment_status", "starts_at", "id"])
        .check_each(
            "interval",
            "unixepoch(ends_at) - unixepoch(starts_at) BETWEEN 300 AND 2678400",
            "ends_at - starts_at BETWEEN interval '5 minutes' AND interval '31 days'",
        )
        .check(
            "buffers",
            "buffer_before_minutes BETWEEN 0 AND 240 AND buffer_after_minutes BETWEEN 0 AND 240",
        )
        .check("cancelled", "status <> 'CANCELLED' OR cancelled_at IS NOT NULL")
        .check("price", "price_minor >= 0")
        .check("paid", "payment_status <> 'PAID' OR paid_at IS NOT NULL")
        .check("series", "series_id IS NOT NULL OR series_starts_local IS NULL")
}

fn appointment_holds() -> Table {
    Table::tenant("appointment_holds")
        .belongs_to("practitioner_id", "memberships")
        .may_belong_to("room_id", "rooms")
        .may_belong_to("patient_id", "patients")
        .may_belong_to("service_id", "services")
        .col(instant("starts_at"))
        .col(instant("ends_at"))
        .col(instant("expires_at"))
        .belongs_to("held_by", "memberships")
        .col(instant("released_at").null())
        .index(&["practitioner_id", "starts_at", "id"])
        .index(&["expires_at", "id"])
        .check("interval", "ends_at > starts_at")
}

pub(crate) fn occupancies() -> Table {
    Table::tenant("occupancies")
        .may_belong_to("appointment_id", "appointments")
        .may_belong_to("hold_id", "appointment_holds")
        .col(code("resource_kind", &["PRACTITIONER", "ROOM", "PATIENT"]))
        .col(uuid("resource_id"))
        .col(instant("starts_at"))
        .col(instant("ends_at"))
        .col(flag("exclusive").default(true))
        .unique(&["appointment_id", "resource_id"])
        .unique(&["hold_id", "resource_id"])
        .index(&["resource_id", "ends_at", "id"])
        .check("interval", "ends_at > starts_at")
        .check("owner", "(appointment_id IS NULL) <> (hold_id IS NULL)")
}

fn appointment_events() -> Table {
    Table::tenant("appointment_events")
        .belongs_to("appointment_id", "appointments")
        .col(code(
            "kind",
            &[
                "BOOKED",
                "RESCHEDULED",
                "CONFIRMED",
                "STARTED",
                "COMPLETED",
                "CANCELLED",
                "NO_SHOW",
                "REOPENED",
                "CORRECTED",
                "EDITED",
            ],
        ))
        .col(
            code(
                "from_status",
                &["SCHEDULED", "CONFIRMED", "IN_PROGRESS", "COMPLETED", "CANCELLED", "NO_SHOW"],
            )
            .null(),
        )
        .col(code(
            "to_status",
            &["SCHEDULED", "CONFIRMED", "IN_PROGRESS", "COMPLETED", "CANCELLED", "NO_SHOW"],
        ))
        .col(instant("from_starts_at").null())
        .col(instant("from_ends_at").null())
        .col(instant("to_starts_at").null())
        .col(instant("to_ends_at").null())
        .col(bytes("reason").null())
        .may_belong_to("actor_id", "memberships")
        .col(instant("occurred_at"))
        .append_only()
        .index(&["appointment_id", "occurred_at", "id"])
}

fn waitlist_entries() -> Table {
    Table::tenant("waitlist_entries")
        .belongs_to("patient_id", "patients")
        .may_belong_to("service_id", "services")
        .may_belong_to("practitioner_id", "memberships")
        .col(instant("earliest"))
        .col(instant("latest"))
        .col(int("priority").default(0))
        .col(code("status", &["WAITING", "OFFERED", "BOOKED", "LEFT", "EXPIRED"]).default("WAITING"))
        .may_belong_to("offered_hold_id", "appointment_holds")
        .col(bytes("note").null())
        .may_belong_to("created_by", "memberships")
        .versioned()
        .index(&["status", "priority", "id"])
        .check("interval", "latest > earliest")
}

/// Refuses an exclusive occupancy that overlaps another one of the same resource.
pub(crate) async fn forbid_overlaps(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    match manager.get_database_backend() {
        DbBackend::Postgres => {
            // Two nodes may migrate at the same moment. The extension stays on the way down: it may have other users.
            execute(
                manager,
                "DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS btree_gist;
                 EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
            )
            .await?;
            execute(
                manager,
                "ALTER TABLE occupancies
                 ADD CONSTRAINT occupancies_not_empty_check CHECK (NOT isempty(tstzrange(starts_at, ends_at, '[)'))),
                 ADD CONSTRAINT occupancies_no_overlap_excl EXCLUDE USING gist (
                     workspace_id WITH =, resource_id WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&
                 ) WHERE (exclusive)",
            )
            .await
        }
        _ => {
            // Exclusive rows of a resource follow one another, so the first that ends after the new one starts
            // is the only one that can be in its way. Times are text of one form, which sorts as time does.
            for event in ["INSERT", "UPDATE OF workspace_id, resource_id, starts_at, ends_at, exclusive"] {
                let name = event.split(' ').next().unwrap_or(event).to_lowercase();
                execute(
                    manager,
                    &format!(
                        "CREATE TRIGGER occupancies_no_overlap_{name} BEFORE {event} ON occupancies
                         WHEN NEW.exclusive AND (
                             SELECT o.starts_at FROM occupancies o
                             WHERE o.workspace_id = NEW.workspace_id AND o.resource_id = NEW.resource_id
                               AND o.exclusive AND o.ends_at > NEW.starts_at AND o.id <> NEW.id
                             ORDER BY o.ends_at LIMIT 1
                         ) < NEW.ends_at
                         BEGIN SELECT RAISE(ABORT, 'occupancies_no_overlap'); END"
                    ),
                )
                .await?;
            }
            Ok(())
        }
    }
}
