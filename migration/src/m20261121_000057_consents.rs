//! Consents, requests for erasure, and disclosures.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::frozen::{keep_facts, keep_rows};
use crate::table::{Table, bytes, code, create, drop, instant, json, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

fn tables() -> Vec<Table> {
    vec![
        Table::tenant("data_processing_consents")
            .belongs_to("patient_id", "patients")
            .col(code("purpose", PURPOSES))
            .col(code("event", &["GRANTED", "WITHDRAWN", "EXPIRED", "SUPERSEDED"]))
            .col(text("text_version"))
            .col(text("language"))
            .col(code("channel", &["IN_PERSON", "PAPER", "PORTAL", "PHONE", "MESSAGE", "SYSTEM"]))
            .col(json("data_categories"))
            .col(json("third_parties").null())
            .col(bytes("evidence").null())
            .col(instant("effective_at"))
            .col(instant("expires_at").null())
            .may_belong_to("recorded_by", "memberships")
            .check("recorded_by", "recorded_by IS NOT NULL OR channel = 'SYSTEM'")
            .check("expires", "expires_at IS NULL OR (event = 'GRANTED' AND expires_at > effective_at)")
            .index(&["patient_id", "purpose", "effective_at", "id"])
            .index(&["purpose", "patient_id", "effective_at", "id"])
            .append_only(),
        Table::tenant("data_deletion_requests")
            .belongs_to("patient_id", "patients")
            .col(code("state", ERASURE_STATES).default("RECEIVED"))
            .col(instant("requested_at"))
            .col(instant("due_at"))
            .col(instant("extended_until").null())
            .col(code("verification_method", VERIFICATION_METHODS).null())
            .may_belong_to("reviewed_by", "memberships")
            .col(bytes("decision_reason").null())
            .col(code("rejection_code", REJECTION_CODES).null())
            .col(json("kept_categories").null())
            .col(instant("executed_at").null())
            .col(bytes("certificate_hash").null())
            .check("due", "due_at > requested_at AND (extended_until IS NULL OR extended_until > due_at)")
            .check("verified", "state IN ('RECEIVED', 'REJECTED') OR verification_method IS NOT NULL")
            .check(
                "reviewed",
                "state IN ('RECEIVED', 'IDENTITY_VERIFIED', 'UNDER_REVIEW') OR reviewed_by IS NOT NULL",
            )
            .check(
                "rejected",
                "(state = 'REJECTED') = (rejection_code IS NOT NULL) \
                 AND (state <> 'REJECTED' OR decision_reason IS NOT NULL)",
            )
            .check(
                "executed",
                "(state IN ('COMPLETED', 'PARTIALLY_COMPLETED')) = (executed_at IS NOT NULL) \
                 AND (executed_at IS NULL) = (certificate_hash IS NULL)",
            )
            .check("kept", "state <> 'PARTIALLY_COMPLETED' OR kept_categories IS NOT NULL")
            .check("certificate_hash", "length(certificate_hash) = 32")
            .unique_where(&["patient_id"], "state NOT IN ('REJECTED', 'COMPLETED', 'PARTIALLY_COMPLETED')")
            .index(&["patient_id", "requested_at", "id"])
            .index(&["state", "due_at", "id"])
            .versioned(),
        Table::tenant("disclosures")
            .belongs_to("patient_id", "patients")
            .col(instant("disclosed_at"))
            .col(bytes("recipient"))
            .col(bytes("recipient_address").null())
            .col(bytes("description"))
            .col(bytes("purpose"))
            .col(text("legal_basis"))
            .belongs_to("recorded_by", "memberships")
            .index(&["patient_id", "disclosed_at", "id"])
            .append_only(),
    ]
}

const PURPOSES: &[&str] = &["TREATMENT", "REMINDERS", "RESEARCH", "DATA_SHARING", "MARKETING", "OTHER"];

const ERASURE_STATES: &[&str] = &[
    "RECEIVED",
    "IDENTITY_VERIFIED",
    "UNDER_REVIEW",
    "REJECTED",
    "RESTRICTED",
    "APPROVED",
    "EXECUTING",
    "COMPLETED",
    "PARTIALLY_COMPLETED",
];

const VERIFICATION_METHODS: &[&str] =
    &["IN_PERSON", "IDENTITY_DOCUMENT", "PATIENT_ACCOUNT", "CALL_BACK", "REPRESENTATIVE"];

const REJECTION_CODES: &[&str] = &[
    "LEGAL_OBLIGATION",
    "PUBLIC_HEALTH",
    "ARCHIVING_RESEARCH",
    "LEGAL_CLAIMS",
    "UNFOUNDED",
    "IDENTITY_NOT_VERIFIED",
];

const CONSENT_FACTS: &[&str] = &[
    "id",
    "workspace_id",
    "purpose",
    "event",
    "text_version",
    "language",
    "channel",
    "data_categories",
    "third_parties",
    "effective_at",
    "expires_at",
    "recorded_by",
    "created_at",
];

const DISCLOSURE_FACTS: &[&str] =
    &["id", "workspace_id", "disclosed_at", "legal_basis", "recorded_by", "created_at"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, tables()).await?;
        keep_facts(manager, "data_processing_consents", CONSENT_FACTS).await?;
        keep_rows(manager, "data_processing_consents", &[&["id"]]).await?;
        keep_facts(manager, "disclosures", DISCLOSURE_FACTS).await?;
        keep_rows(manager, "disclosures", &[&["id"]]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, tables()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
