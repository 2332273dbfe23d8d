//! Reminders, notification settings and calendar feeds in the schema.

use async_graphql::{Context, Enum, Object, SimpleObject};
use sea_orm::prelude::DateTimeUtc;

use super::entity::{ModelEx, ReminderChannel, ReminderRecipient, ReminderState};
use super::input::{
    CreateCalendarFeedInput, RevokeCalendarFeedInput, UpdateNotificationSettingsInput, never_said,
};
use super::queries::{self, SettingsOf};
use super::rules::Kind;
use super::{calendar_feed as feed, commands, notification_setting as setting};
use crate::access::permission::Permission;
use crate::appointment::hold;
use crate::error::Error;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::graphql::page::{self, Binding, List, Page, PageArgs};
use crate::id::{CalendarFeedId, ReminderId};
use crate::{appointment, member};

/// What a reminder says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ReminderKind {
    /// The appointment is near.
    Before,
    /// An appointment was booked.
    Booked,
    /// An appointment was moved.
    Rescheduled,
    /// An appointment was confirmed.
    Confirmed,
    /// An appointment was cancelled.
    Cancelled,
    /// The practitioner's appointments of the day.
    AgendaToday,
    /// The practitioner's appointments of the next day.
    AgendaTomorrow,
    /// A slot is kept for a patient of the waiting list.
    Offer,
}

/// A message about an appointment, about a slot of the waiting list, or a practitioner's agenda: sent once, by
/// e-mail.
#[Object(name = "Reminder")]
impl ModelEx {
    /// The reminder's id. Every attempt to send it carries the same one.
    pub async fn id(&self) -> ReminderId {
        self.id
    }

    /// Who it goes to.
    async fn recipient(&self) -> ReminderRecipient {
        self.recipient
    }

    /// The appointment that it is about. Null for an agenda and an offer.
    async fn appointment(&self, ctx: &Context<'_>) -> Result<Option<Box<appointment::entity::ModelEx>>> {
        match self.appointment_id {
            Some(id) => Ok(ctx.call().load(id).await?.map(Box::new)),
            None => Ok(None),
        }
    }

    /// The slot that is kept for a patient of the waiting list. Null unless its kind is `OFFER`.
    async fn offer(&self, ctx: &Context<'_>) -> Result<Option<hold::ModelEx>> {
        match self.hold_id {
            Some(id) => Ok(ctx.call().load(id).await?),
            None => Ok(None),
        }
    }

    /// The member it goes to. Null when it goes to the patient.
    async fn member(&self, ctx: &Context<'_>) -> Result<Option<member::entity::ModelEx>> {
        match self.membership_id {
            Some(id) => Ok(ctx.call().load(id).await?),
            None => Ok(None),
        }
    }

    /// How it is sent.
    async fn channel(&self) -> ReminderChannel {
        self.channel
    }

    /// What it says. Null for a kind that this version does not know.
    async fn kind(&self) -> Option<ReminderKind> {
        Some(match self.kind.parse().ok()? {
            Kind::Before(_) => ReminderKind::Before,
            Kind::Booked => ReminderKind::Booked,
            Kind::Rescheduled => ReminderKind::Rescheduled,
            Kind::Confirmed => ReminderKind::Confirmed,
            Kind::Cancelled => ReminderKind::Cancelled,
            Kind::AgendaToday => ReminderKind::AgendaToday,
            Kind::AgendaTomorrow => ReminderKind::AgendaTomorrow,
            Kind::Offer => ReminderKind::Offer,
        })
    }

    /// How many minutes before the appointment it was meant for. Null unless its kind is `BEFORE`.
    async fn minutes_before(&self) -> Option<i32> {
        match self.kind.parse() {
            Ok(Kind::Before(minutes)) => Some(minutes),
            _ => None,
        }
    }

    /// When it is due, or tried again.
    async fn due_at(&self) -> DateTimeUtc {
        self.due_at
    }

    /// The start that it was made for; for an agenda, when it was due.
    async fn starts_at(&self) -> DateTimeUtc {
        self.starts_at
    }

    /// How far it has come.
    async fn state(&self) -> ReminderState {
        self.state
    }

    /// How often it was tried to send it. After 8 times it has `FAILED`.
    async fn attempts(&self) -> i32 {
        self.attempts
    }

    /// When the mail server took it. Null until then.
    async fn sent_at(&self) -> Option<DateTimeUtc> {
        self.sent_at
    }

    /// Why the last attempt failed, or why it is not sent any more, as a short code such as `smtp 451` or
    /// `consent`. Null when there is nothing to say.
    async fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }
}

/// What you want to be told by e-mail. Times of day are meant in your time zone.
#[Object(name = "NotificationSettings")]
impl setting::Model {
    /// IANA name of your time zone. Null when it is the workspace's.
    async fn timezone(&self) -> Option<&str> {
        self.timezone.as_deref()
    }

    /// Whether anything is sent to you at all.
    async fn email_enabled(&self) -> bool {
        self.email_enabled
    }

    /// When somebody else books an appointment with you.
    async fn notify_booked(&self) -> bool {
        self.notify_booked
    }

    /// When somebody else cancels one.
    async fn notify_cancelled(&self) -> bool {
        self.notify_cancelled
    }

    /// When somebody else moves one.
    async fn notify_rescheduled(&self) -> bool {
        self.notify_rescheduled
    }

    /// When somebody else confirms one.
    async fn notify_confirmed(&self) -> bool {
        self.notify_confirmed
    }

    /// The agenda of the day.
    async fn digest_enabled(&self) -> bool {
        self.digest_enabled
    }

    /// At which minute of the day.
    async fn digest_minute(&self) -> i32 {
        self.digest_minute
    }

    /// On which days: a sum of Monday 1, Tuesday 2, Wednesday 4, Thursday 8, Friday 16, Saturday 32, Sunday 64.
    async fn digest_weekdays(&self) -> i32 {
        self.digest_weekdays
    }

    /// The agenda of the next day.
    async fn tomorrow_digest_enabled(&self) -> bool {
        self.tomorrow_digest_enabled
    }

    /// At which minute of the day.
    async fn tomorrow_digest_minute(&self) -> i32 {
        self.tomorrow_digest_minute
    }

    /// On which days, as for the other agenda.
    async fn tomorrow_digest_weekdays(&self) -> i32 {
        self.tomorrow_digest_weekdays
    }

    /// A reminder before each appointment.
    async fn reminder_enabled(&self) -> bool {
        self.reminder_enabled
    }

    /// How many minutes before.
    async fn reminder_minutes(&self) -> i32 {
        self.reminder_minutes
    }

    /// Counts the changes; 0 until the first one. Pass it as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.version
    }
}

/// A secret address by which a calendar program follows a practitioner's appointments.
#[Object(name = "CalendarFeed")]
impl feed::ModelEx {
    /// The feed's id.
    pub async fn id(&self) -> CalendarFeedId {
        self.id
    }

    /// What it is for.
    async fn name(&self) -> &str {
        &self.name
    }

    /// Whose appointments it shows.
    async fn practitioner(&self, ctx: &Context<'_>) -> Result<Option<member::entity::ModelEx>> {
        Ok(ctx.call().load(self.membership_id).await?)
    }

    /// When it was last read, to the hour. Null when it never was.
    async fn last_read_at(&self) -> Option<DateTimeUtc> {
        self.last_read_at
    }

    /// When it was revoked. Null while it is in use.
    async fn revoked_at(&self) -> Option<DateTimeUtc> {
        self.revoked_at
    }

    /// When it was made.
    async fn created_at(&self) -> DateTimeUtc {
        self.created_at
    }
}

/// The new feed with its address.
#[derive(SimpleObject)]
pub struct CreateCalendarFeedPayload {
    /// The feed.
    feed: feed::ModelEx,
    /// The address to subscribe to. It is shown this once: whoever knows it reads the calendar.
    url: String,
}

/// The feed that was revoked.
#[derive(SimpleObject)]
pub struct CalendarFeedPayload {
    /// The feed as it is now.
    feed: feed::ModelEx,
}

/// Your notification settings after the change.
#[derive(SimpleObject)]
pub struct NotificationSettingsPayload {
    /// The settings as they are now.
    settings: setting::Model,
}

#[derive(Default)]
pub struct ReminderQuery;

#[Object]
impl ReminderQuery {
    /// What you want to be told by e-mail.
    #[graphql(directive = requires::apply(Permission::ManageAppointments))]
    async fn notification_settings(&self, ctx: &Context<'_>) -> Result<Option<setting::Model>> {
        settings(ctx).await.map(Some)
    }

    /// Messages that were given up, the latest first: the mail server refused them, or could not be reached. Nobody
    /// was told what they say.
    #[graphql(directive = requires::apply(Permission::ManageWorkspace))]
    async fn failed_reminders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<List<ModelEx>> {
        let actor = ctx.actor()?;
        let binding = Binding::new(actor.workspace, "failedReminders", &());
        let page = Page::new(binding, PageArgs { first, after, last, before })?;
        Ok(page::read(ctx, &page, queries::failed(&actor), &queries::LATEST, queries::position).await?)
    }

    /// Your calendar feeds, the newest first; with the permission `MANAGE_MEMBERS`, those of everybody.
    #[graphql(directive = requires::apply(Permission::ManageAppointments))]
    async fn calendar_feeds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Lists revoked feeds as well.", default)] include_revoked: bool,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<List<feed::ModelEx>> {
        let actor = ctx.actor()?;
        let binding = Binding::new(actor.workspace, "calendarFeeds", &include_revoked);
        let page = Page::new(binding, PageArgs { first, after, last, before })?;
        let query = queries::feed_list(&actor, include_revoked);
        Ok(page::read(ctx, &page, query, &queries::FEED_ORDER, queries::feed_position).await?)
    }
}

#[derive(Default)]
pub struct ReminderMutation;

#[Object]
impl ReminderMutation {
    /// Changes what you want to be told by e-mail. Your reminders of coming appointments are planned anew.
    #[graphql(directive = requires::apply(Permission::ManageAppointments))]
    async fn update_notification_settings(
        &self,
        ctx: &Context<'_>,
        input: UpdateNotificationSettingsInput,
    ) -> Result<Option<NotificationSettingsPayload>> {
        commands::update_settings(ctx.app(), &*ctx.actor()?, &input).await?;
        Ok(Some(NotificationSettingsPayload { settings: settings(ctx).await? }))
    }

    /// Makes a secret address by which a calendar program follows your appointments: 30 days back, a year ahead, with
    /// times and places only. A repetition makes another one; revoke what is not needed.
    #[graphql(directive = requires::apply(Permission::ManageAppointments))]
    async fn create_calendar_feed(
        &self,
        ctx: &Context<'_>,
        input: CreateCalendarFeedInput,
    ) -> Result<Option<CreateCalendarFeedPayload>> {
        let (id, token) = commands::create_feed(ctx.app(), &*ctx.actor()?, &input).await?;
        let feed = ctx.call().load(id).await?.ok_or(Error::NotFound)?;
        Ok(Some(CreateCalendarFeedPayload { feed, url: token.url(&ctx.app().config.public_url) }))
    }

    /// Ends a feed of yours; with the permission `MANAGE_MEMBERS`, of anybody. Its address stops working at once.
    #[graphql(directive = requires::apply(Permission::ManageAppointments))]
    async fn revoke_calendar_feed(
        &self,
        ctx: &Context<'_>,
        input: RevokeCalendarFeedInput,
    ) -> Result<Option<CalendarFeedPayload>> {
        commands::revoke_feed(ctx.app(), &*ctx.actor()?, &input).await?;
        let feed = ctx.call().load(input.id).await?.ok_or(Error::NotFound)?;
        Ok(Some(CalendarFeedPayload { feed }))
    }
}

async fn settings(ctx: &Context<'_>) -> Result<setting::Model> {
    let member = ctx.actor()?.membership.ok_or(Error::Forbidden)?;
    match ctx.call().load(SettingsOf(member)).await? {
        Some(settings) => Ok(settings),
        None => Ok(never_said(member)?),
    }
}
