//! A membership: a person's place in one workspace, as practitioner, colleague or patient.

use sea_orm::entity::prelude::*;

use crate::id::{MembershipId, PatientId, UserId, WorkspaceId};

/// What a member may do in a workspace.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, async_graphql::Enum,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum Role {
    /// Runs the practice: everything, including members and settings.
    #[sea_orm(string_value = "OWNER")]
    Owner,
    /// Manages the practice, without being its owner.
    #[sea_orm(string_value = "ADMIN")]
    Admin,
    /// Treats patients: charts, notes, results and the own calendar.
    #[sea_orm(string_value = "DOCTOR")]
    Doctor,
    /// Cares for patients beside the doctors.
    #[sea_orm(string_value = "NURSE")]
    Nurse,
    /// Fulfils test orders and enters their results.
    #[sea_orm(string_value = "LAB_TECH")]
    LabTech,
    /// Works at the front desk: the calendar and demographics, no clinical text.
    #[sea_orm(string_value = "STAFF")]
    Staff,
    /// Reads de-identified data only.
    #[sea_orm(string_value = "RESEARCHER")]
    Researcher,
    /// Sees the own chart and appointments.
    #[default]
    #[sea_orm(string_value = "PATIENT")]
    Patient,
}

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "memberships")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MembershipId,
    pub workspace_id: WorkspaceId,
    /// None for a practitioner who came with imported data and has no account.
    pub user_id: Option<UserId>,
    pub role: Role,
    pub display_name: String,
    pub title: Option<String>,
    pub specialization: Option<String>,
    pub license_number: Option<String>,
    /// The colour in the calendar, as `#rrggbb`.
    pub color: Option<String>,
    pub is_active: bool,
    /// Appointments can be made with this member.
    pub is_bookable: bool,
    /// How many appointments this member may have on one day.
    pub daily_limit: Option<i32>,
    /// The chart that belongs to a member with the role PATIENT.
    pub patient_id: Option<PatientId>,
    /// How the system that the member was imported from names it.
    pub external_id: Option<String>,
    pub invited_by: Option<MembershipId>,
    pub invited_at: Option<DateTimeUtc>,
    pub accepted_at: Option<DateTimeUtc>,
    pub deactivated_at: Option<DateTimeUtc>,
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(belongs_to, relation_enum = "User", from = "user_id", to = "id")]
    pub user: BelongsTo<Option<crate::access::entity::user::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Patient",
        from = "(workspace_id, patient_id)",
        to = "(workspace_id, id)"
    )]
    pub patient: BelongsTo<Option<crate::patient::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
