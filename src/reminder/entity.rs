//! A reminder: a message to be sent once, at a time, for one start of an appointment, or about one offer.

use sea_orm::entity::prelude::*;

use crate::id::{AppointmentHoldId, AppointmentId, MembershipId, ReminderId, WorkspaceId};

/// Who a reminder goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum ReminderRecipient {
    /// The patient, who has agreed to it.
    #[sea_orm(string_value = "PATIENT")]
    Patient,
    /// A member of the practice.
    #[sea_orm(string_value = "MEMBER")]
    Member,
}

/// How a reminder is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum ReminderChannel {
    /// By e-mail.
    #[sea_orm(string_value = "EMAIL")]
    Email,
}

/// How far a reminder has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum ReminderState {
    /// Waiting until it is due.
    #[sea_orm(string_value = "PENDING")]
    Pending,
    /// Being sent.
    #[sea_orm(string_value = "SENDING")]
    Sending,
    /// Handed to the mail server.
    #[sea_orm(string_value = "SENT")]
    Sent,
    /// Given up after several attempts.
    #[sea_orm(string_value = "FAILED")]
    Failed,
    /// No longer wanted: the appointment was moved or called off, or the offer is over.
    #[sea_orm(string_value = "CANCELLED")]
    Cancelled,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reminders")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReminderId,
    pub workspace_id: WorkspaceId,
    /// None for a digest, which is about a day, and for an offer.
    pub appointment_id: Option<AppointmentId>,
    /// The slot that is kept for a patient of the waiting list.
    pub hold_id: Option<AppointmentHoldId>,
    pub recipient: ReminderRecipient,
    /// The member it goes to.
    pub membership_id: Option<MembershipId>,
    pub channel: ReminderChannel,
    /// What it says, such as `before_60` or `digest_today`.
    pub kind: String,
    pub due_at: DateTimeUtc,
    /// The start that it was made for; another start needs another reminder.
    pub starts_at: DateTimeUtc,
    pub state: ReminderState,
    pub attempts: i32,
    /// Nobody else sends it until then.
    pub lease_until: Option<DateTimeUtc>,
    /// The node that sends it.
    pub lease_owner: Option<String>,
    pub sent_at: Option<DateTimeUtc>,
    pub last_error: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Appointment",
        from = "(workspace_id, appointment_id)",
        to = "(workspace_id, id)"
    )]
    pub appointment: BelongsTo<Option<crate::appointment::entity::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Hold",
        from = "(workspace_id, hold_id)",
        to = "(workspace_id, id)"
    )]
    pub hold: BelongsTo<Option<crate::appointment::hold::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Member",
        from = "(workspace_id, membership_id)",
        to = "(workspace_id, id)"
    )]
    pub member: BelongsTo<Option<crate::member::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
