//! A service: what a practice offers, how long it takes and what it costs.

use sea_orm::entity::prelude::*;

use crate::appointment::entity::AppointmentType;
use crate::id::{ServiceId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "services")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ServiceId,
    pub workspace_id: WorkspaceId,
    pub name: String,
    /// The name with case and accents folded away, which is what must be unique.
    pub name_key: String,
    pub description: Option<String>,
    pub duration_minutes: i32,
    /// Kept free before the appointment.
    pub buffer_before_minutes: i32,
    /// Kept free after the appointment.
    pub buffer_after_minutes: i32,
    /// In minor units of the workspace's currency.
    pub price_minor: Option<i64>,
    /// How many patients one appointment takes.
    pub capacity: i32,
    /// The colour in the calendar, as `#rrggbb`.
    pub color: Option<String>,
    pub appointment_type: AppointmentType,
    pub requires_room: bool,
    /// How long ahead it must be booked at least.
    pub min_notice_minutes: i32,
    /// How far ahead it can be booked at most.
    pub max_advance_days: i32,
    /// How many a practitioner may have on one day.
    pub daily_limit: Option<i32>,
    pub archived_at: Option<DateTimeUtc>,
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
