//! What the entities say about the tables, to be compared with what the tables are.

use sea_orm::sea_query::{ColumnDef, Table, TableRef};
use sea_orm::{
    ActiveEnum, ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, IdenStatic, Identity,
    Iterable, PrimaryKeyToColumn, RelationTrait,
};

/// One entity.
pub struct Shape {
    pub table: String,
    columns: Vec<ColumnDef>,
    pub primary_key: Vec<String>,
    pub relations: Vec<Relation>,
}

/// A relation of an entity, column by column.
#[derive(Debug)]
pub struct Relation {
    pub target: String,
    pub columns: Vec<(String, String)>,
}

impl Shape {
    pub fn of<E: EntityTrait>() -> Self {
        Self {
            table: E::default().table_name().to_owned(),
            columns: E::Column::iter().map(|column| definition::<E>(column)).collect(),
            primary_key: E::PrimaryKey::iter().map(|key| key.into_column().as_str().to_owned()).collect(),
            relations: E::Relation::iter().map(|relation| Relation::of(&relation)).collect(),
        }
    }

    /// Creates a table with exactly the entity's columns, and answers its name.
    pub async fn build(&self, db: &DatabaseConnection) -> String {
        let name = format!("shape_{}", self.table);
        let mut create = Table::create();
        create.table(name.clone());
        for column in &self.columns {
            create.col(column.clone());
        }
        db.execute(&create).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        name
    }
}

fn definition<E: EntityTrait>(column: E::Column) -> ColumnDef {
    let says = column.def();
    let mut definition = ColumnDef::new_with_type(column.as_str(), says.get_column_type().clone());
    if says.is_null() {
        definition.null()
    } else {
        definition.not_null()
    };
    definition
}

impl Relation {
    fn of(relation: &impl RelationTrait) -> Self {
        let definition = relation.def();
        let TableRef::Table(target, _) = definition.to_tbl else { panic!("a relation leads to a table") };
        let names = |columns: &Identity| columns.iter().map(ToString::to_string).collect::<Vec<_>>();
        Self {
            target: target.1.to_string(),
            columns: names(&definition.from_col).into_iter().zip(names(&definition.to_col)).collect(),
        }
    }
}

/// The stored words of an enum, in alphabetical order.
pub fn words<A: ActiveEnum<Value = String>>() -> Vec<String> {
    let mut words = A::values();
    words.sort();
    words
}

/// All entities, each named once.
pub fn all() -> Vec<Shape> {
    macro_rules! shapes {
        ($($path:ident $(:: $rest:ident)*),* $(,)?) => {
            vec![$(Shape::of::<praxis::$path $(:: $rest)*::Entity>()),*]
        };
    }
    shapes![
        access::entity::auth_session,
        access::entity::email_blocklist,
        access::entity::idempotency_key,
        access::entity::login_challenge,
        access::entity::one_time_token,
        access::entity::refresh_token,
        access::entity::user,
        appointment::entity,
        appointment::event,
        appointment::group,
        appointment::hold,
        appointment::occupancy,
        appointment::seat,
        appointment::series,
        appointment::waitlist,
        attachment::entity,
        care_plan::entity,
        care_plan::goal,
        care_plan::intervention,
        consent::entity,
        crypto::entity::patient_key,
        crypto::entity::reencryption_job,
        crypto::entity::workspace_key,
        diagnostic::entity,
        diagnostic::test_order,
        disclosure::entity,
        equipment::entity,
        erasure::entity,
        journal::checkpoint,
        journal::entity,
        journal::head,
        location::entity,
        medical_record::anchor,
        medical_record::entity,
        medical_record::grant,
        member::entity,
        patient::care_team,
        patient::entity,
        patient::family_history,
        prediction::entity,
        reminder::calendar_feed,
        reminder::entity,
        reminder::notification_setting,
        retention::archive,
        retention::entity,
        retention::legal_hold,
        room::entity,
        schedule::entity,
        schedule::exception,
        service::entity,
        service::equipment,
        therapy_session::entity,
        therapy_session::version,
        workspace::entity,
    ]
}

/// Every column that takes the words of an enum.
pub fn vocabularies() -> Vec<(&'static str, &'static str, Vec<String>)> {
    macro_rules! vocabularies {
        ($($table:ident . $column:ident: $first:ident $(:: $rest:ident)*),* $(,)?) => {
            vec![$((stringify!($table), stringify!($column), words::<praxis::$first $(:: $rest)*>())),*]
        };
    }
    vocabularies![
        appointment_events.from_status: appointment::entity::AppointmentStatus,
        appointment_events.kind: appointment::event::AppointmentEventKind,
        appointment_events.to_status: appointment::entity::AppointmentStatus,
        appointments.appointment_type: appointment::entity::AppointmentType,
        appointments.location_kind: location::entity::LocationKind,
        appointments.payment_method: appointment::entity::PaymentMethod,
        appointments.payment_status: appointment::entity::PaymentStatus,
        appointments.priority: appointment::entity::AppointmentPriority,
        appointments.status: appointment::entity::AppointmentStatus,
        archives.data_class: retention::entity::DataClass,
        attachments.state: attachment::entity::AttachmentState,
        audit_events.actor_role: member::entity::Role,
        audit_events.kind: journal::entity::AuditKind,
        care_plan_goals.status: care_plan::goal::CarePlanGoalStatus,
        care_plan_interventions.status: care_plan::intervention::CarePlanInterventionStatus,
        care_plans.status: care_plan::entity::CarePlanStatus,
        data_deletion_requests.rejection_code: erasure::entity::RejectionCode,
        data_deletion_requests.state: erasure::entity::DeletionRequestState,
        data_deletion_requests.verification_method: erasure::entity::VerificationMethod,
        data_processing_consents.channel: consent::entity::ConsentChannel,
        data_processing_consents.event: consent::entity::ConsentEvent,
        data_processing_consents.purpose: consent::entity::ConsentPurpose,
        locations.kind: location::entity::LocationKind,
        login_challenges.kind: access::entity::login_challenge::ChallengeKind,
        medical_records.record_type: medical_record::entity::MedicalRecordType,
        medical_records.status: medical_record::entity::MedicalRecordStatus,
        memberships.role: member::entity::Role,
        occupancies.resource_kind: appointment::occupancy::ResourceKind,
        one_time_tokens.purpose: access::entity::one_time_token::TokenPurpose,
        record_anchors.state: medical_record::anchor::AnchorState,
        record_grants.purpose: medical_record::grant::GrantPurpose,
        reencryption_jobs.scope: crypto::entity::reencryption_job::ReencryptionScope,
        reencryption_jobs.state: crypto::entity::reencryption_job::ReencryptionState,
        reminders.channel: reminder::entity::ReminderChannel,
        reminders.recipient: reminder::entity::ReminderRecipient,
        reminders.state: reminder::entity::ReminderState,
        retention_policies.data_class: retention::entity::DataClass,
        rooms.kind: room::entity::RoomKind,
        schedule_exceptions.kind: schedule::exception::ExceptionKind,
        schedule_exceptions.reason_kind: schedule::exception::AbsenceReason,
        services.appointment_type: appointment::entity::AppointmentType,
        test_orders.status: diagnostic::test_order::TestOrderStatus,
        therapy_session_versions.kind: therapy_session::version::TherapySessionVersionKind,
        therapy_sessions.state: therapy_session::entity::TherapySessionState,
        waitlist_entries.status: appointment::waitlist::WaitlistStatus,
        workspaces.kind: workspace::entity::WorkspaceKind,
        workspaces.status: workspace::entity::WorkspaceStatus,
    ]
}
