//! What a member wants to be told by e-mail. Minutes count from midnight in the member's zone;
//! weekdays are a sum of Monday 1, Tuesday 2, Wednesday 4 … Sunday 64.

use sea_orm::entity::prelude::*;

use crate::id::{MembershipId, NotificationSettingId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notification_settings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: NotificationSettingId,
    pub workspace_id: WorkspaceId,
    pub membership_id: MembershipId,
    /// IANA name, when it is not the workspace's.
    pub timezone: Option<String>,
    pub email_enabled: bool,
    pub notify_booked: bool,
    pub notify_cancelled: bool,
    pub notify_rescheduled: bool,
    pub notify_confirmed: bool,
    pub digest_enabled: bool,
    pub digest_minute: i32,
    pub digest_weekdays: i32,
    pub tomorrow_digest_enabled: bool,
    pub tomorrow_digest_minute: i32,
    pub tomorrow_digest_weekdays: i32,
    pub reminder_enabled: bool,
    /// How long before an appointment.
    pub reminder_minutes: i32,
    pub notes_reminder_enabled: bool,
    pub notes_reminder_minute: i32,
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Member",
        from = "(workspace_id, membership_id)",
        to = "(workspace_id, id)"
    )]
    pub member: BelongsTo<crate::member::entity::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
