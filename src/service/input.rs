//! What creating and changing a service takes.

use async_graphql::{InputObject, MaybeUndefined};
use sea_orm::{ActiveValue, Set};

use super::entity::ActiveModel;
use crate::appointment::entity::AppointmentType;
use crate::error::Result;
use crate::graphql::input::{Problems, fold, patch, set};
use crate::id::{EquipmentId, ServiceId};

/// A service to be created.
#[derive(Clone, InputObject)]
pub struct CreateServiceInput {
    /// Its name, unique in the workspace whatever its case: 1 to 255 characters.
    pub name: String,
    /// What it is, for patients: at most 2,000 characters.
    pub description: Option<String>,
    /// How long an appointment takes: 5 to 480 minutes.
    pub duration_minutes: i32,
    /// Minutes kept free before an appointment: 0 to 240.
    #[graphql(default)]
    pub buffer_before_minutes: i32,
    /// Minutes kept free after an appointment: 0 to 240.
    #[graphql(default)]
    pub buffer_after_minutes: i32,
    /// Its price in minor units of the workspace's currency (cents).
    pub price_minor: Option<i32>,
    /// How many patients can attend one appointment.
    #[graphql(default = 1)]
    pub capacity: i32,
    /// A colour for calendars, such as `#0ea5e9`.
    pub color: Option<String>,
    /// What kind of appointment it is.
    pub appointment_type: AppointmentType,
    /// Whether booking it takes a room.
    #[graphql(default)]
    pub requires_room: bool,
    /// How many minutes ahead it must be booked.
    #[graphql(default)]
    pub min_notice_minutes: i32,
    /// How many days ahead it can be booked.
    #[graphql(default = 365)]
    pub max_advance_days: i32,
    /// How many of it a practitioner may have on one day of the practice: 1 to 500. Null for no limit.
    pub daily_limit: Option<i32>,
    /// The equipment that an appointment takes up, all of it: at most 20 pieces.
    pub equipment_ids: Option<Vec<EquipmentId>>,
    /// Makes a repetition of this request harmless: the same key answers with the same service.
    pub idempotency_key: Option<String>,
}

impl CreateServiceInput {
    /// The row to insert.
    pub fn row(&self, id: ServiceId) -> Result<ActiveModel> {
        checked(ActiveModel {
            id: Set(id),
            name: Set(self.name.trim().into()),
            name_key: Set(fold(&self.name)),
            description: Set(self.description.clone()),
            duration_minutes: Set(self.duration_minutes),
            buffer_before_minutes: Set(self.buffer_before_minutes),
            buffer_after_minutes: Set(self.buffer_after_minutes),
            price_minor: Set(self.price_minor.map(Into::into)),
            capacity: Set(self.capacity),
            color: Set(self.color.clone()),
            appointment_type: Set(self.appointment_type),
            requires_room: Set(self.requires_room),
            min_notice_minutes: Set(self.min_notice_minutes),
            max_advance_days: Set(self.max_advance_days),
            daily_limit: Set(self.daily_limit),
            archived_at: Set(None),
            ..Default::default()
        })
    }
}

/// What to change about a service. What is omitted stays; null empties what may be empty.
#[derive(Clone, InputObject)]
pub struct UpdateServiceInput {
    /// The service.
    pub id: ServiceId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// Its name, unique in the workspace whatever its case.
    pub name: Option<String>,
    /// What it is, for patients.
    pub description: MaybeUndefined<String>,
    /// How long an appointment takes: 5 to 480 minutes.
    pub duration_minutes: Option<i32>,
    /// Minutes kept free before an appointment: 0 to 240. Appointments already booked keep theirs.
    pub buffer_before_minutes: Option<i32>,
    /// Minutes kept free after an appointment: 0 to 240. Appointments already booked keep theirs.
    pub buffer_after_minutes: Option<i32>,
    /// Its price in minor units of the workspace's currency (cents).
    pub price_minor: MaybeUndefined<i32>,
    /// How many patients can attend one appointment.
    pub capacity: Option<i32>,
    /// A colour for calendars.
    pub color: MaybeUndefined<String>,
    /// What kind of appointment it is.
    pub appointment_type: Option<AppointmentType>,
    /// Whether booking it takes a room.
    pub requires_room: Option<bool>,
    /// How many minutes ahead it must be booked.
    pub min_notice_minutes: Option<i32>,
    /// How many days ahead it can be booked.
    pub max_advance_days: Option<i32>,
    /// How many of it a practitioner may have on one day of the practice: 1 to 500. Null for no limit.
    pub daily_limit: MaybeUndefined<i32>,
    /// The equipment that an appointment takes up, all of it: at most 20 pieces. Appointments already booked keep theirs.
    pub equipment_ids: Option<Vec<EquipmentId>>,
}

impl UpdateServiceInput {
    /// The loaded row with the changes.
    pub fn apply(&self, mut row: ActiveModel) -> Result<ActiveModel> {
        set(&mut row.name, self.name.as_deref().map(|name| name.trim().into()));
        set(&mut row.name_key, self.name.as_deref().map(fold));
        set(&mut row.duration_minutes, self.duration_minutes);
        set(&mut row.buffer_before_minutes, self.buffer_before_minutes);
        set(&mut row.buffer_after_minutes, self.buffer_after_minutes);
        set(&mut row.capacity, self.capacity);
        set(&mut row.appointment_type, self.appointment_type);
        set(&mut row.requires_room, self.requires_room);
        set(&mut row.min_notice_minutes, self.min_notice_minutes);
        set(&mut row.max_advance_days, self.max_advance_days);
        patch(&mut row.description, &self.description);
        patch(&mut row.price_minor, &self.price_minor.map_value(i64::from));
        patch(&mut row.color, &self.color);
        patch(&mut row.daily_limit, &self.daily_limit);
        checked(row)
    }
}

/// The row, if the practice can use it.
fn checked(row: ActiveModel) -> Result<ActiveModel> {
    let mut problems = Problems::default();
    problems.text("name", row.name.as_ref(), 255);
    problems.length("description", text(&row.description), 2_000);
    problems.length("color", text(&row.color), 32);
    problems.range("durationMinutes", *row.duration_minutes.as_ref(), 5..=480);
    problems.range("bufferBeforeMinutes", *row.buffer_before_minutes.as_ref(), 0..=240);
    problems.range("bufferAfterMinutes", *row.buffer_after_minutes.as_ref(), 0..=240);
    problems.range("capacity", *row.capacity.as_ref(), 1..=500);
    problems.range("minNoticeMinutes", *row.min_notice_minutes.as_ref(), 0..=525_600);
    problems.range("maxAdvanceDays", *row.max_advance_days.as_ref(), 0..=3_650);
    if let Some(limit) = *row.daily_limit.as_ref() {
        problems.range("dailyLimit", limit, 1..=500);
    }
    if row.price_minor.as_ref().is_some_and(|price| price < 0) {
        problems.add("priceMinor", "Must not be negative.");
    }
    problems.ok()?;
    Ok(row)
}

fn text(column: &ActiveValue<Option<String>>) -> Option<&str> {
    column.as_ref().as_deref()
}
