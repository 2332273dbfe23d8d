//! People: workspaces, users, memberships and patients, who refer to each other in a circle.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::table::{self, Table, bigint, bytes, code, flag, instant, int, text, uuid};

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
    vec![workspaces(), users(), memberships(), patients(), family_history(), patient_care_team()]
}

fn workspaces() -> Table {
    Table::global("workspaces")
        .col(text("slug"))
        .col(text("name"))
        .col(code("kind", &["HOSPITAL", "CLINIC", "DOCTOR_OFFICE", "SOLO"]))
        .col(code("status", &["ACTIVE", "SUSPENDED", "DELETED"]).default("ACTIVE"))
        .col(text("suspended_reason").null())
        .col(instant("deleted_at").null())
        .col(text("timezone"))
        .col(text("locale").default("en"))
        .col(text("currency").default("USD"))
        .col(text("country").null())
        .col(text("phone").null())
        .col(text("email").null())
        .col(text("website").null())
        .col(text("address").null())
        .col(text("city").null())
        .col(text("state").null())
        .col(text("postal_code").null())
        .col(text("license").null())
        .col(text("tax_id").null())
        .col(text("business_name").null())
        .col(flag("require_room").default(false))
        .col(flag("allow_past_booking").default(false))
        .col(int("late_cancellation_hours").default(24))
        .col(int("no_show_grace_minutes").default(0))
        .col(bigint("storage_used_bytes").default(0))
        .col(bigint("storage_quota_bytes").default(10_737_418_240_i64))
        .col(int("refresh_idle_hours").default(168))
        .col(int("refresh_absolute_hours").default(720))
        .versioned()
        .unique(&["slug"])
        .index(&["status", "id"])
        .check(
            "slug",
            "length(slug) BETWEEN 1 AND 63 AND trim(slug, 'abcdefghijklmnopqrstuvwxyz0123456789-') = ''",
        )
        .check("currency", "length(currency) = 3 AND currency = upper(currency)")
        .check("country", "length(country) = 2 AND country = upper(country)")
        .check("late_cancellation", "late_cancellation_hours BETWEEN 0 AND 720")
        .check("no_show_grace", "no_show_grace_minutes BETWEEN 0 AND 1440")
        .check("storage", "storage_used_bytes >= 0 AND storage_quota_bytes >= 0")
        .check(
            "refresh",
            "refresh_idle_hours BETWEEN 1 AND refresh_absolute_hours AND refresh_absolute_hours <= 8784",
        )
        .check("deleted", "status <> 'DELETED' OR deleted_at IS NOT NULL")
}

fn users() -> Table {
    Table::global("users")
        .col(text("email"))
        .col(text("name"))
        .col(text("password_hash").null())
        .col(flag("is_active").default(true))
        .col(flag("is_platform_admin").default(false))
        .col(instant("email_verified_at").null())
        .col(instant("last_login_at").null())
        .col(text("locale").null())
        .col(bytes("totp_secret").null())
        .col(instant("totp_enabled_at").null())
        .col(bigint("totp_last_step").null())
        .col(bytes("recovery_codes").null())
        .col(int("failed_sign_ins").default(0))
        .col(instant("sign_in_blocked_until").null())
        .versioned()
        .unique(&["email"])
        .check("email", "email = lower(email)")
        .check("totp", "totp_enabled_at IS NULL OR totp_secret IS NOT NULL")
        .check("failed_sign_ins", "failed_sign_ins >= 0")
}

fn memberships() -> Table {
    Table::tenant("memberships")
        .refers_to(uuid("user_id").null(), "users")
        .col(code(
            "role",
            &["OWNER", "ADMIN", "DOCTOR", "NURSE", "LAB_TECH", "STAFF", "RESEARCHER", "PATIENT"],
        ))
        .col(text("display_name"))
        .col(text("title").null())
        .col(text("specialization").null())
        .col(text("license_number").null())
        .col(text("color").null())
        .col(flag("is_active").default(true))
        .col(flag("is_bookable").default(false))
        .may_belong_to("patient_id", "patients")
        .col(text("external_id").null())
        .may_belong_to("invited_by", "memberships")
        .col(instant("invited_at").null())
        .col(instant("accepted_at").null())
        .col(instant("deactivated_at").null())
        .versioned()
        .unique(&["user_id"])
        .unique(&["external_id"])
        .unique(&["patient_id"])
        .index(&["role", "id"])
        .index(&["display_name", "id"])
        .check("patient", "patient_id IS NULL OR role = 'PATIENT'")
}

fn patients() -> Table {
    Table::tenant("patients")
        .col(bytes("external_id").null())
        .col(bytes("external_id_hash").null())
        .col(bytes("first_name"))
        .col(bytes("last_name"))
        .col(bytes("middle_name").null())
        .col(bytes("preferred_name").null())
        .col(bytes("birth_date").null())
        .col(bytes("reported_age").null())
        .col(bytes("gender").null())
        .col(bytes("email").null())
        .col(bytes("phone").null())
        .col(bytes("address_line").null())
        .col(bytes("city").null())
        .col(bytes("state").null())
        .col(bytes("postal_code").null())
        .col(bytes("country").null())
        .col(bytes("nationality").null())
        .col(bytes("preferred_language").null())
        .col(bytes("marital_status").null())
        .col(bytes("occupation").null())
        .col(bytes("national_id").null())
        .col(bytes("insurance_provider").null())
        .col(bytes("insurance_type").null())
        .col(bytes("policy_number").null())
        .col(bytes("emergency_contact_name").null())
        .col(bytes("emergency_contact_phone").null())
        .col(bytes("emergency_contact_relationship").null())
        .col(bytes("medical_history").null())
        .col(bytes("allergies").null())
        .col(bytes("medications").null())
        .col(bytes("blood_type").null())
        .col(bytes("notes").null())
        .col(bytes("deceased_on").null())
        .col(bytes("tags").null())
        .col(bytes("source_resource").null())
        .col(int("key_version").default(1))
        .may_belong_to("primary_practitioner_id", "memberships")
        .col(flag("reminder_consent").default(false))
        .col(instant("archived_at").null())
        .may_belong_to("archived_by", "memberships")
        .may_belong_to("merged_into_id", "patients")
        .col(instant("restricted_at").null())
        .may_belong_to("created_by", "memberships")
        .versioned()
        .unique(&["external_id_hash"])
        .index(&["archived_at", "id"])
        .check("external_id", "(external_id IS NULL) = (external_id_hash IS NULL)")
        .check("merged_into", "merged_into_id <> id")
        .check("key_version", "key_version >= 1")
}

fn family_history() -> Table {
    Table::tenant("family_history")
        .belongs_to("patient_id", "patients")
        .col(bytes("relation"))
        .col(bytes("condition"))
        .col(bytes("onset_age").null())
        .col(bytes("note").null())
        .may_belong_to("created_by", "memberships")
        .versioned()
        .index(&["patient_id", "id"])
}

fn patient_care_team() -> Table {
    Table::tenant("patient_care_team")
        .belongs_to("patient_id", "patients")
        .belongs_to("membership_id", "memberships")
        .col(text("role_in_care").null())
        .col(instant("since").null())
        .col(instant("until").null())
        .unique(&["patient_id", "membership_id"])
        .check("period", "until >= since")
}
