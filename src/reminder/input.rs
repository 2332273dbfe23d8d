//! What settings and calendar feeds take.

use async_graphql::{InputObject, MaybeUndefined};
use sea_orm::{ActiveValue, Set};

use super::notification_setting::{ActiveModel, Model};
use crate::error::Result;
use crate::graphql::input::{Problems, patch, set};
use crate::id::{CalendarFeedId, MembershipId, NotificationSettingId};
use crate::workspace::input::check_timezone;

/// How long before an appointment a member can be reminded.
const REMINDER_MINUTES: [i32; 5] = [15, 30, 60, 120, 1_440];

/// What to change about your own notifications. What is omitted stays.
#[derive(Clone, InputObject)]
pub struct UpdateNotificationSettingsInput {
    /// The version that you have seen, 0 if you have never changed anything; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// IANA name of your time zone; null is the workspace's. All times of day here are meant in it.
    pub timezone: MaybeUndefined<String>,
    /// Whether anything is sent to you at all. It is off until you switch it on.
    pub email_enabled: Option<bool>,
    /// When somebody else books an appointment with you.
    pub notify_booked: Option<bool>,
    /// When somebody else cancels one.
    pub notify_cancelled: Option<bool>,
    /// When somebody else moves one.
    pub notify_rescheduled: Option<bool>,
    /// When somebody else confirms one.
    pub notify_confirmed: Option<bool>,
    /// The agenda of the day, in the morning.
    pub digest_enabled: Option<bool>,
    /// At which minute of the day: 0 to 1439.
    pub digest_minute: Option<i32>,
    /// On which days: a sum of Monday 1, Tuesday 2, Wednesday 4, Thursday 8, Friday 16, Saturday 32, Sunday 64.
    pub digest_weekdays: Option<i32>,
    /// The agenda of the next day, in the evening.
    pub tomorrow_digest_enabled: Option<bool>,
    /// At which minute of the day: 0 to 1439.
    pub tomorrow_digest_minute: Option<i32>,
    /// On which days, as for the other agenda.
    pub tomorrow_digest_weekdays: Option<i32>,
    /// A reminder before each appointment.
    pub reminder_enabled: Option<bool>,
    /// How many minutes before: 15, 30, 60, 120 or 1440.
    pub reminder_minutes: Option<i32>,
}

impl UpdateNotificationSettingsInput {
    /// The loaded row with the changes.
    pub fn apply(&self, mut row: ActiveModel) -> Result<ActiveModel> {
        patch(&mut row.timezone, &self.timezone);
        set(&mut row.email_enabled, self.email_enabled);
        set(&mut row.notify_booked, self.notify_booked);
        set(&mut row.notify_cancelled, self.notify_cancelled);
        set(&mut row.notify_rescheduled, self.notify_rescheduled);
        set(&mut row.notify_confirmed, self.notify_confirmed);
        set(&mut row.digest_enabled, self.digest_enabled);
        set(&mut row.digest_minute, self.digest_minute);
        set(&mut row.digest_weekdays, self.digest_weekdays);
        set(&mut row.tomorrow_digest_enabled, self.tomorrow_digest_enabled);
        set(&mut row.tomorrow_digest_minute, self.tomorrow_digest_minute);
        set(&mut row.tomorrow_digest_weekdays, self.tomorrow_digest_weekdays);
        set(&mut row.reminder_enabled, self.reminder_enabled);
        set(&mut row.reminder_minutes, self.reminder_minutes);

        let mut problems = Problems::default();
        if let ActiveValue::Set(Some(zone)) = &row.timezone {
            check_timezone(&mut problems, "timezone", zone);
        }
        problems.range("digestMinute", *row.digest_minute.as_ref(), 0..=1_439);
        problems.range("digestWeekdays", *row.digest_weekdays.as_ref(), 0..=127);
        problems.range("tomorrowDigestMinute", *row.tomorrow_digest_minute.as_ref(), 0..=1_439);
        problems.range("tomorrowDigestWeekdays", *row.tomorrow_digest_weekdays.as_ref(), 0..=127);
        if !REMINDER_MINUTES.contains(row.reminder_minutes.as_ref()) {
            problems.add("reminderMinutes", "Must be 15, 30, 60, 120 or 1440.");
        }
        problems.ok()?;
        Ok(row)
    }
}

/// The row of a member who has never said anything: with the e-mail off.
pub fn untouched(id: NotificationSettingId, member: MembershipId) -> ActiveModel {
    ActiveModel {
        id: Set(id),
        membership_id: Set(member),
        timezone: Set(None),
        email_enabled: Set(false),
        notify_booked: Set(true),
        notify_cancelled: Set(true),
        notify_rescheduled: Set(true),
        notify_confirmed: Set(true),
        digest_enabled: Set(false),
        digest_minute: Set(480),
        digest_weekdays: Set(31),
        tomorrow_digest_enabled: Set(false),
        tomorrow_digest_minute: Set(1_200),
        tomorrow_digest_weekdays: Set(79),
        reminder_enabled: Set(true),
        reminder_minutes: Set(60),
        notes_reminder_enabled: Set(true),
        notes_reminder_minute: Set(1_080),
        ..Default::default()
    }
}

/// The settings in force of such a member.
pub fn never_said(member: MembershipId) -> Result<Model> {
    use sea_orm::TryIntoModel;
    let (nobody, never) = (NotificationSettingId(uuid::Uuid::nil()), chrono::DateTime::UNIX_EPOCH);
    let mut row = untouched(nobody, member);
    row.workspace_id = Set(crate::id::WorkspaceId(uuid::Uuid::nil()));
    row.version = Set(0);
    row.created_at = Set(never);
    row.updated_at = Set(never);
    Ok(row.try_into_model()?)
}

/// A calendar feed to be made.
#[derive(Clone, InputObject)]
pub struct CreateCalendarFeedInput {
    /// What it is for, such as `Phone`: 1 to 100 characters. Nothing about patients.
    pub name: String,
}

impl CreateCalendarFeedInput {
    pub fn check(&self) -> Result<()> {
        let mut problems = Problems::default();
        problems.text("name", &self.name, 100);
        problems.ok()
    }
}

/// A calendar feed to be ended.
#[derive(Clone, InputObject)]
pub struct RevokeCalendarFeedInput {
    /// The feed.
    pub id: CalendarFeedId,
}
