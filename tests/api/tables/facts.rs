//! What was written stays written, and what belongs apart stays apart, whoever holds the connection.

use chrono::TimeDelta;
use praxis::appointment::entity as appointment;
use praxis::attachment::entity as attachment;
use praxis::consent::entity as consent;
use praxis::disclosure::entity as disclosure;
use praxis::journal::checkpoint;
use praxis::journal::entity as event;
use praxis::member::entity as member;
use praxis::patient::entity as patient;
use praxis::prediction::entity as prediction;
use praxis::therapy_session::{entity as note, version};
use praxis::workspace::entity as workspace;
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};

use super::catalogue::texts;
use super::database::{is_postgres, on_both_engines};
use super::rows::{Row, new_id, noon};

/// A practice with one of everything whose facts are kept.
pub struct Practice {
    pub workspace: Uuid,
    pub member: Uuid,
    pub patient: Uuid,
    pub note: Uuid,
}

impl Practice {
    pub async fn open(db: &DatabaseConnection) -> Self {
        let practice = Self { workspace: new_id(), member: new_id(), patient: new_id(), note: new_id() };
        practice.insert(db).await.unwrap();
        practice
    }

    async fn insert(&self, db: &DatabaseConnection) -> Result<(), DbErr> {
        let Self { workspace, member, patient, note } = *self;
        Row::<workspace::Entity>::new()
            .set(workspace::Column::Id, workspace)
            .set(workspace::Column::Slug, workspace.simple().to_string())
            .set(workspace::Column::Kind, "CLINIC")
            .set(workspace::Column::Currency, "EUR")
            .insert(db)
            .await?;
        Row::<member::Entity>::new()
            .set(member::Column::Id, member)
            .set(member::Column::WorkspaceId, workspace)
            .set(member::Column::Role, "DOCTOR")
            .insert(db)
            .await?;
        Row::<patient::Entity>::new()
            .set(patient::Column::Id, patient)
            .set(patient::Column::WorkspaceId, workspace)
            .insert(db)
            .await?;
        self.book(db, patient).await?;
        Row::<note::Entity>::new()
            .set(note::Column::Id, note)
            .set(note::Column::WorkspaceId, workspace)
            .set(note::Column::PatientId, patient)
            .set(note::Column::PractitionerId, member)
            .set(note::Column::State, "SIGNED")
            .set(note::Column::SignedAt, noon())
            .set(note::Column::SignedBy, member)
            .set(note::Column::ContentHash, vec![1_u8; 32])
            .insert(db)
            .await?;
        Row::<version::Entity>::new()
            .set(version::Column::WorkspaceId, workspace)
            .set(version::Column::PatientId, patient)
            .set(version::Column::TherapySessionId, note)
            .set(version::Column::AuthorId, member)
            .set(version::Column::Kind, "SIGNED")
            .set(version::Column::Subjective, vec![1_u8; 40])
            .insert(db)
            .await?;
        Row::<prediction::Entity>::new()
            .set(prediction::Column::WorkspaceId, workspace)
            .set(prediction::Column::PatientId, patient)
            .set(prediction::Column::RequestedBy, member)
            .insert(db)
            .await?;
        Row::<consent::Entity>::new()
            .set(consent::Column::WorkspaceId, workspace)
            .set(consent::Column::PatientId, patient)
            .set(consent::Column::Purpose, "RESEARCH")
            .set(consent::Column::Event, "GRANTED")
            .set(consent::Column::Channel, "PAPER")
            .set(consent::Column::RecordedBy, member)
            .insert(db)
            .await?;
        Row::<disclosure::Entity>::new()
            .set(disclosure::Column::WorkspaceId, workspace)
            .set(disclosure::Column::PatientId, patient)
            .set(disclosure::Column::RecordedBy, member)
            .insert(db)
            .await?;
        Row::<checkpoint::Entity>::new().set(checkpoint::Column::WorkspaceId, workspace).insert(db).await?;
        Row::<event::Entity>::new()
            .set(event::Column::WorkspaceId, workspace)
            .set(event::Column::Kind, "WRITE")
            .insert(db)
            .await
    }

    /// Books an appointment for a patient of any practice.
    async fn book(&self, db: &DatabaseConnection, patient: Uuid) -> Result<(), DbErr> {
        Row::<appointment::Entity>::new()
            .set(appointment::Column::WorkspaceId, self.workspace)
            .set(appointment::Column::PatientId, patient)
            .set(appointment::Column::PractitionerId, self.member)
            .set(appointment::Column::StartsAt, noon())
            .set(appointment::Column::EndsAt, noon() + TimeDelta::minutes(30))
            .insert(db)
            .await
    }

    async fn attach(&self, db: &DatabaseConnection, patient: Uuid) -> Result<(), DbErr> {
        Row::<attachment::Entity>::new()
            .set(attachment::Column::WorkspaceId, self.workspace)
            .set(attachment::Column::PatientId, patient)
            .set(attachment::Column::TherapySessionId, self.note)
            .set(attachment::Column::ObjectKey, new_id().to_string())
            .set(attachment::Column::UploadedBy, self.member)
            .set(attachment::Column::UploadExpiresAt, noon())
            .insert(db)
            .await
    }
}

/// Runs statements that must all be refused with this text, and change nothing.
async fn refused(db: &DatabaseConnection, table: &str, text: &str, statements: &[&str]) {
    let before = rows_of(db, table).await;
    assert_eq!(before.len(), 1, "{table} has a row to protect");
    for statement in statements {
        let error =
            db.execute_unprepared(statement).await.err().unwrap_or_else(|| panic!("ran: {statement}"));
        assert!(error.to_string().contains(&format!("{table} {text}")), "{statement}: {error}");
        assert_eq!(rows_of(db, table).await, before, "{statement}");
    }
}

async fn rows_of(db: &DatabaseConnection, table: &str) -> Vec<Vec<String>> {
    let columns = texts(
        db,
        &if is_postgres(db) {
            format!(
                "SELECT quote_ident(column_name) FROM information_schema.columns WHERE table_name = '{table}'"
            )
        } else {
            format!("SELECT 'hex(' || name || ')' FROM pragma_table_info('{table}')")
        },
    )
    .await;
    let columns: Vec<_> =
        columns.iter().map(|row| format!("coalesce(CAST({} AS text), '')", row[0])).collect();
    texts(db, &format!("SELECT {} FROM {table}", columns.join(", "))).await
}

on_both_engines! {
    async fn the_journal_refuses_every_change(db: &DatabaseConnection) {
        Practice::open(db).await;
        let replacements: &[&str] = if is_postgres(db) {
            &["TRUNCATE audit_events", "TRUNCATE audit_events CASCADE"]
        } else {
            &[
                "INSERT OR REPLACE INTO audit_events SELECT * FROM audit_events",
                "REPLACE INTO audit_events SELECT * FROM audit_events",
            ]
        };
        let statements = [
            "UPDATE audit_events SET action = 'patient.viewed'",
            "UPDATE audit_events SET detail = detail",
            "DELETE FROM audit_events",
            "INSERT INTO audit_events SELECT * FROM audit_events WHERE true
             ON CONFLICT (workspace_id, seq) DO UPDATE SET action = 'patient.viewed'",
        ];

        refused(db, "audit_events", "is append only", &statements).await;
        refused(db, "audit_events", "is append only", replacements).await;
        if !is_postgres(db) {
            db.execute_unprepared("PRAGMA recursive_triggers = OFF").await.unwrap();
            refused(db, "audit_events", "is append only", replacements).await;
        }
    }

    async fn a_kept_row_can_be_neither_removed_nor_replaced(db: &DatabaseConnection) {
        Practice::open(db).await;
        for table in ["therapy_session_versions", "data_processing_consents", "disclosures", "audit_checkpoints"] {
            let delete = format!("DELETE FROM {table}");
            let replace = if is_postgres(db) {
                format!("TRUNCATE {table}")
            } else {
                format!("INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
            };
            refused(db, table, "keeps its facts", &[&delete, &replace]).await;
        }
    }

    async fn the_facts_of_a_kept_row_do_not_change(db: &DatabaseConnection) {
        Practice::open(db).await;
        let changes = [
            ("therapy_session_versions", "number = 2, kind = 'AMENDED'"),
            ("therapy_session_versions", "created_at = signed_at FROM therapy_sessions"),
            ("therapy_session_versions", "content_hash = (SELECT content_hash FROM therapy_sessions)"),
            ("breast_cancer_predictions", "model_version = 'other'"),
            ("data_processing_consents", "event = 'WITHDRAWN'"),
            ("data_processing_consents", "third_parties = '[\"an insurer\"]'"),
            ("disclosures", "legal_basis = 'other'"),
            ("audit_checkpoints", "tree_size = 2"),
            ("audit_checkpoints", "root_hash = (SELECT content_hash FROM therapy_sessions)"),
        ];
        // Other bytes and another moment than the ones in the kept rows.
        db.execute_unprepared("UPDATE therapy_sessions SET signed_at = '2026-03-03 12:00:00+00:00'").await.unwrap();

        for (table, change) in changes {
            refused(db, table, "keeps its facts", &[&format!("UPDATE {table} SET {change}")]).await;
        }
    }

    async fn a_kept_row_takes_new_ciphertext_a_review_and_an_anchor(db: &DatabaseConnection) {
        Practice::open(db).await;
        for statement in [
            "UPDATE therapy_session_versions SET subjective = hash_salt",
            "UPDATE disclosures SET recipient_address = recipient",
            "UPDATE breast_cancer_predictions
             SET area_mean = radius_mean, reviewed_by = requested_by, reviewed_at = created_at",
            "UPDATE audit_checkpoints SET anchored_tx = '0x01'",
        ] {
            let done = db.execute_unprepared(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
            assert_eq!(done.rows_affected(), 1, "{statement}");
        }

        let again = "UPDATE audit_checkpoints SET anchored_tx = '0x02'";
        refused(db, "audit_checkpoints", "keeps its facts", &[again]).await;
    }

    async fn an_appointment_with_another_practices_patient_cannot_be_stored(db: &DatabaseConnection) {
        let here = Practice::open(db).await;
        let there = Practice::open(db).await;

        let error = here.book(db, there.patient).await.unwrap_err();

        let violation = matches!(error.sql_err(), Some(sea_orm::SqlErr::ForeignKeyConstraintViolation(_)));
        assert!(violation, "{error}");
    }

    async fn a_file_hangs_only_on_a_note_about_its_own_patient(db: &DatabaseConnection) {
        let practice = Practice::open(db).await;
        let other = new_id();
        Row::<patient::Entity>::new()
            .set(patient::Column::Id, other)
            .set(patient::Column::WorkspaceId, practice.workspace)
            .insert(db)
            .await
            .unwrap();

        practice.attach(db, practice.patient).await.unwrap();
        let error = practice.attach(db, other).await.unwrap_err();

        let violation = matches!(error.sql_err(), Some(sea_orm::SqlErr::ForeignKeyConstraintViolation(_)));
        assert!(violation, "{error}");
    }

    async fn a_notes_versions_move_with_it_to_another_chart(db: &DatabaseConnection) {
        let practice = Practice::open(db).await;
        let other = new_id();
        Row::<patient::Entity>::new()
            .set(patient::Column::Id, other)
            .set(patient::Column::WorkspaceId, practice.workspace)
            .insert(db)
            .await
            .unwrap();

        let parted = "UPDATE therapy_session_versions SET patient_id =
                      (SELECT id FROM patients WHERE id <> therapy_session_versions.patient_id)";
        let moved = "UPDATE therapy_sessions SET patient_id =
                     (SELECT id FROM patients WHERE id <> therapy_sessions.patient_id)";
        db.execute_unprepared(parted).await.unwrap_err();
        db.execute_unprepared(moved).await.unwrap();

        let together = "SELECT CAST(count(*) AS text) FROM therapy_sessions s JOIN therapy_session_versions v
                        ON v.therapy_session_id = s.id AND v.patient_id = s.patient_id";
        assert_eq!(texts(db, together).await, [["1"]]);
    }
}
