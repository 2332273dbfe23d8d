//! Messages: reminders, what members want to be told, calendar feeds.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::table::{self, Table, bytes, code, flag, instant, int, text};

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
    vec![reminders(), notification_settings(), calendar_feeds()]
}

pub(crate) fn reminders() -> Table {
    Table::tenant("reminders")
        .may_belong_to("appointment_id", "appointments")
        .col(code("recipient", &["PATIENT", "MEMBER"]))
        .may_belong_to("membership_id", "memberships")
        .col(code("channel", &["EMAIL"]).default("EMAIL"))
        .col(text("kind"))
        .col(instant("due_at"))
        .col(instant("starts_at"))
        .col(code("state", &["PENDING", "SENDING", "SENT", "FAILED", "CANCELLED"]).default("PENDING"))
        .col(int("attempts").default(0))
        .col(instant("lease_until").null())
        .col(text("lease_owner").null())
        .col(instant("sent_at").null())
        .col(text("last_error").null())
        .unique(&["appointment_id", "recipient", "kind", "starts_at"])
        .index(&["state", "due_at", "id"])
        .check("member", "recipient <> 'MEMBER' OR membership_id IS NOT NULL")
        .check("attempts", "attempts >= 0")
        .check("lease", "(lease_until IS NULL) = (lease_owner IS NULL)")
        .check("sent", "state <> 'SENT' OR sent_at IS NOT NULL")
}

fn notification_settings() -> Table {
    Table::tenant("notification_settings")
        .belongs_to("membership_id", "memberships")
        .col(flag("email_enabled").default(true))
        .col(flag("notify_booked").default(true))
        .col(flag("notify_cancelled").default(true))
        .col(flag("notify_rescheduled").default(true))
        .col(flag("notify_confirmed").default(true))
        .col(flag("digest_enabled").default(false))
        .col(int("digest_minute").default(480))
        .col(int("digest_weekdays").default(31))
        .col(flag("tomorrow_digest_enabled").default(false))
        .col(int("tomorrow_digest_minute").default(1200))
        .col(int("tomorrow_digest_weekdays").default(79))
        .col(flag("reminder_enabled").default(true))
        .col(int("reminder_minutes").default(60))
        .col(flag("notes_reminder_enabled").default(true))
        .col(int("notes_reminder_minute").default(1080))
        .versioned()
        .unique(&["membership_id"])
        .check("minutes", "digest_minute BETWEEN 0 AND 1439 AND tomorrow_digest_minute BETWEEN 0 AND 1439 AND notes_reminder_minute BETWEEN 0 AND 1439")
        .check("weekdays", "digest_weekdays BETWEEN 0 AND 127 AND tomorrow_digest_weekdays BETWEEN 0 AND 127")
        .check("reminder_minutes", "reminder_minutes IN (15, 30, 60, 120, 1440)")
}

fn calendar_feeds() -> Table {
    Table::tenant("calendar_feeds")
        .belongs_to("membership_id", "memberships")
        .col(bytes("token_hash"))
        .col(text("name"))
        .col(instant("last_read_at").null())
        .col(instant("revoked_at").null())
        .unique_everywhere(&["token_hash"])
        .index(&["membership_id", "id"])
}
