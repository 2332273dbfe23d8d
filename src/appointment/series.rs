//! A series: the rule that repeated appointments come from.
//!
//! Its occurrences are appointments like any other, made when the series is booked, so the database keeps them
//! from being booked over. Each remembers the start that the rule gave it, whatever becomes of it later.

pub mod commands;
pub mod edit;
pub mod graphql;
pub mod input;
pub mod instead;
pub mod rule;
pub mod zone;

use sea_orm::entity::prelude::*;

use crate::id::{AppointmentSeriesId, MembershipId, PatientId, ServiceId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "appointment_series")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AppointmentSeriesId,
    pub workspace_id: WorkspaceId,
    pub patient_id: PatientId,
    pub practitioner_id: MembershipId,
    pub service_id: Option<ServiceId>,
    /// RFC 5545 recurrence rule.
    pub rule: String,
    /// IANA name of the zone that the rule is expanded in.
    pub timezone: String,
    /// The first start on the wall clock, as `2026-03-29T09:30`.
    pub starts_local: String,
    pub duration_minutes: i32,
    /// The starts on the wall clock that are left out, separated by commas.
    pub exception_dates: String,
    /// The end of the last appointment that was made from it.
    pub until: Option<DateTimeUtc>,
    pub created_by: Option<MembershipId>,
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Patient",
        from = "(workspace_id, patient_id)",
        to = "(workspace_id, id)"
    )]
    pub patient: BelongsTo<crate::patient::entity::Entity>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Practitioner",
        from = "(workspace_id, practitioner_id)",
        to = "(workspace_id, id)"
    )]
    pub practitioner: BelongsTo<crate::member::entity::Entity>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Service",
        from = "(workspace_id, service_id)",
        to = "(workspace_id, id)"
    )]
    pub service: BelongsTo<Option<crate::service::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
