//! What several appointments share: equipment, and the seats of a group session.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};
use sea_orm_migration::sea_orm::DbBackend;

use crate::m20261121_000005_appointments as before;
use crate::table::{self, Table, code, execute, flag, instant, int, text, uuid};
use crate::walls;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::create(manager, tables()).await?;
        match manager.get_database_backend() {
            DbBackend::Postgres => widen(manager).await?,
            _ => rebuild(manager, occupancies(), "TRUE").await?,
        }
        walls::raise(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => narrow(manager).await?,
            _ => rebuild(manager, before::occupancies(), KEPT).await?,
        }
        table::drop(manager, tables()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// The rows that the table had a place for before this step.
const KEPT: &str = "session_id IS NULL AND resource_kind <> 'EQUIPMENT'";

fn tables() -> Vec<Table> {
    vec![equipment(), service_equipment(), group_sessions(), group_seats()]
}

fn equipment() -> Table {
    Table::tenant("equipment")
        .may_belong_to("location_id", "locations")
        .col(text("name"))
        .col(text("name_key"))
        .col(text("notes").null())
        .col(instant("archived_at").null())
        .versioned()
        .unique(&["name_key"])
        .index(&["archived_at", "name_key", "id"])
}

fn service_equipment() -> Table {
    Table::tenant("service_equipment")
        .belongs_to("service_id", "services")
        .belongs_to("equipment_id", "equipment")
        .unique(&["service_id", "equipment_id"])
}

fn group_sessions() -> Table {
    Table::tenant("group_sessions")
        .belongs_to("service_id", "services")
        .belongs_to("practitioner_id", "memberships")
        .may_belong_to("room_id", "rooms")
        .col(instant("starts_at"))
        .col(instant("ends_at"))
        .col(int("buffer_before_minutes").default(0))
        .col(int("buffer_after_minutes").default(0))
        .col(int("capacity"))
        .col(int("booked").default(0))
        .col(flag("is_override").default(false))
        .unique(&["practitioner_id", "service_id", "starts_at"])
        .check("interval", "ends_at > starts_at")
        .check("booked", "booked BETWEEN 0 AND capacity")
}

fn group_seats() -> Table {
    Table::tenant("group_seats")
        .belongs_to("session_id", "group_sessions")
        .may_belong_to("appointment_id", "appointments")
        .may_belong_to("hold_id", "appointment_holds")
        .unique(&["appointment_id"])
        .unique(&["hold_id"])
        .index(&["session_id", "id"])
        .check("owner", "(appointment_id IS NULL) <> (hold_id IS NULL)")
}

/// As before, and also of equipment, of a session that several appointments share, and until a hold expires.
fn occupancies() -> Table {
    Table::tenant("occupancies")
        .may_belong_to("appointment_id", "appointments")
        .may_belong_to("hold_id", "appointment_holds")
        .may_belong_to("session_id", "group_sessions")
        .col(code("resource_kind", &["PRACTITIONER", "ROOM", "PATIENT", "EQUIPMENT"]))
        .col(uuid("resource_id"))
        .col(instant("starts_at"))
        .col(instant("ends_at"))
        .col(flag("exclusive").default(true))
        .col(instant("expires_at").null())
        .unique(&["appointment_id", "resource_id"])
        .unique(&["hold_id", "resource_id"])
        .unique(&["session_id", "resource_id"])
        .index(&["resource_id", "ends_at", "id"])
        .check("interval", "ends_at > starts_at")
        .check("owner", OWNER)
        .check("expires", EXPIRES)
}

const OWNER: &str =
    "(CASE WHEN appointment_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN hold_id IS NULL THEN 0 ELSE 1 END)
    + (CASE WHEN session_id IS NULL THEN 0 ELSE 1 END) = 1";
const EXPIRES: &str = "(expires_at IS NULL) = (hold_id IS NULL)";

/// SQLite cannot change a table's conditions. Nothing refers to this one, so it is made anew.
async fn rebuild(manager: &SchemaManager<'_>, to: Table, kept: &str) -> Result<(), DbErr> {
    let upwards = kept == "TRUE";
    execute(manager, &format!("CREATE TABLE occupancies_kept AS SELECT * FROM occupancies WHERE {kept}"))
        .await?;
    execute(manager, "DROP TABLE occupancies").await?;
    table::create(manager, vec![to]).await?;
    before::forbid_overlaps(manager).await?;
    let columns = "id, workspace_id, appointment_id, hold_id, resource_kind, resource_id, starts_at, ends_at, exclusive, \
                   created_at, updated_at";
    let (more, values) = if upwards {
        (", expires_at", ", (SELECT h.expires_at FROM appointment_holds h WHERE h.id = hold_id)")
    } else {
        ("", "")
    };
    execute(
        manager,
        &format!("INSERT INTO occupancies ({columns}{more}) SELECT {columns}{values} FROM occupancies_kept"),
    )
    .await?;
    execute(manager, "DROP TABLE occupancies_kept").await
}

async fn widen(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // The owner of the tables is bound by their policies, which show no row outside a workspace.
    for sql in [
        "ALTER TABLE occupancies NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE appointment_holds NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE occupancies
             ADD COLUMN session_id uuid,
             ADD COLUMN expires_at timestamp with time zone,
             DROP CONSTRAINT occupancies_resource_kind_check,
             DROP CONSTRAINT occupancies_owner_check",
        "UPDATE occupancies SET expires_at = h.expires_at FROM appointment_holds h WHERE h.id = hold_id",
    ] {
        execute(manager, sql).await?;
    }
    execute(
        manager,
        &format!(
            "ALTER TABLE occupancies
                 ADD CONSTRAINT occupancies_resource_kind_check
                     CHECK (resource_kind IN ('PRACTITIONER', 'ROOM', 'PATIENT', 'EQUIPMENT')),
                 ADD CONSTRAINT occupancies_owner_check CHECK ({OWNER}),
                 ADD CONSTRAINT occupancies_expires_check CHECK ({EXPIRES}),
                 ADD CONSTRAINT occupancies_session_id_resource_id_key UNIQUE (workspace_id, session_id, resource_id),
                 ADD CONSTRAINT occupancies_session_id_fkey FOREIGN KEY (workspace_id, session_id)
                     REFERENCES group_sessions (workspace_id, id) ON DELETE RESTRICT"
        ),
    )
    .await?;
    execute(manager, "ALTER TABLE appointment_holds FORCE ROW LEVEL SECURITY").await?;
    execute(manager, "ALTER TABLE occupancies FORCE ROW LEVEL SECURITY").await
}

async fn narrow(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for sql in [
        "ALTER TABLE occupancies NO FORCE ROW LEVEL SECURITY",
        &format!("DELETE FROM occupancies WHERE NOT ({KEPT})"),
        "ALTER TABLE occupancies
             DROP CONSTRAINT occupancies_resource_kind_check,
             DROP CONSTRAINT occupancies_owner_check,
             DROP CONSTRAINT occupancies_expires_check,
             DROP COLUMN session_id,
             DROP COLUMN expires_at",
        "ALTER TABLE occupancies
             ADD CONSTRAINT occupancies_resource_kind_check
                 CHECK (resource_kind IN ('PRACTITIONER', 'ROOM', 'PATIENT')),
             ADD CONSTRAINT occupancies_owner_check CHECK ((appointment_id IS NULL) <> (hold_id IS NULL))",
        "ALTER TABLE occupancies FORCE ROW LEVEL SECURITY",
    ] {
        execute(manager, sql).await?;
    }
    Ok(())
}
