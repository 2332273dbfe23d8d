//! Sign-in: sessions, the hashes of secrets, and the answers kept for repeated writes.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::table::{self, Table, bytes, code, instant, int, text, uuid};

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
    vec![
        auth_sessions(),
        refresh_tokens(),
        one_time_tokens(),
        login_challenges(),
        email_blocklist(),
        idempotency_keys(),
    ]
}

fn auth_sessions() -> Table {
    Table::global("auth_sessions")
        .refers_to(uuid("user_id"), "users")
        .refers_to(uuid("membership_id").null(), "memberships")
        .refers_to(uuid("workspace_id").null(), "workspaces")
        .col(text("ip").null())
        .col(text("user_agent").null())
        .col(instant("last_seen_at"))
        .col(instant("expires_at"))
        .col(instant("idle_expires_at"))
        .col(instant("revoked_at").null())
        .col(text("revoked_reason").null())
        .col(instant("mfa_verified_at").null())
        .index(&["user_id", "last_seen_at", "id"])
        .index(&["expires_at"])
        .check("workspace", "(membership_id IS NULL) = (workspace_id IS NULL)")
}

fn refresh_tokens() -> Table {
    Table::global("refresh_tokens")
        .part_of("auth_session_id", "auth_sessions")
        .col(uuid("family_id"))
        .col(bytes("token_hash"))
        .col(instant("expires_at"))
        .col(instant("used_at").null())
        .col(uuid("replaced_by").null())
        .col(instant("revoked_at").null())
        .unique(&["token_hash"])
        .index(&["family_id"])
        .index(&["expires_at"])
}

fn one_time_tokens() -> Table {
    Table::global("one_time_tokens")
        .col(code("purpose", &["INVITATION", "PASSWORD_RESET", "EMAIL_VERIFICATION"]))
        .col(bytes("token_hash"))
        .refers_to(uuid("user_id").null(), "users")
        .col(text("email"))
        .refers_to(uuid("membership_id").null(), "memberships")
        .refers_to(uuid("workspace_id").null(), "workspaces")
        .col(instant("expires_at"))
        .col(instant("used_at").null())
        .unique(&["token_hash"])
        .index(&["email", "purpose"])
        .index(&["expires_at"])
        .check("workspace", "(membership_id IS NULL) = (workspace_id IS NULL)")
}

fn login_challenges() -> Table {
    Table::global("login_challenges")
        .refers_to(uuid("user_id"), "users")
        .col(code("kind", &["TOTP"]))
        .col(bytes("token_hash"))
        .col(instant("expires_at"))
        .col(instant("consumed_at").null())
        .col(int("attempts").default(0))
        .unique(&["token_hash"])
        .index(&["expires_at"])
        .check("attempts", "attempts >= 0")
}

fn email_blocklist() -> Table {
    Table::global("email_blocklist")
        .col(text("email"))
        .col(text("reason"))
        .refers_to(uuid("added_by").null(), "users")
        .unique(&["email"])
        .check("email", "email = lower(email)")
}

fn idempotency_keys() -> Table {
    Table::tenant("idempotency_keys")
        .refers_to(uuid("user_id"), "users")
        .col(text("key"))
        .col(text("operation"))
        .col(bytes("request_hash"))
        .col(text("response"))
        .col(instant("expires_at"))
        .unique(&["user_id", "key"])
        .index(&["expires_at"])
        .check("key", "length(key) BETWEEN 1 AND 255")
}
