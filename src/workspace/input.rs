//! What changing a workspace takes.

use async_graphql::{InputObject, MaybeUndefined};
use sea_orm::ActiveValue;
use serde_json::json;

use super::entity::{ActiveModel, WorkspaceKind};
use crate::error::Result;
use crate::graphql::input::{Problems, patch, set};
use crate::id::WorkspaceId;

/// What to change about the workspace. What is omitted stays; null empties what may be empty.
#[derive(Clone, InputObject)]
pub struct UpdateWorkspaceInput {
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// Its name: 1 to 255 characters.
    pub name: Option<String>,
    /// What sort of practice it is.
    pub kind: Option<WorkspaceKind>,
    /// The IANA name of its time zone, such as `Europe/Paris`. Appointments keep their instant.
    pub timezone: Option<String>,
    /// The ISO 4217 code of the currency of all prices. Prices are not converted.
    pub currency: Option<String>,
    /// A BCP 47 language tag, such as `fr-CA`.
    pub locale: Option<String>,
    /// The ISO 3166-1 code of the country, two letters.
    pub country: MaybeUndefined<String>,
    /// A telephone number for patients: at most 50 characters.
    pub phone: MaybeUndefined<String>,
    /// An e-mail address for patients.
    pub email: MaybeUndefined<String>,
    /// The address of the web site, with `https://`: at most 255 characters.
    pub website: MaybeUndefined<String>,
    /// Street and number: at most 255 characters.
    pub address: MaybeUndefined<String>,
    /// City: at most 100 characters.
    pub city: MaybeUndefined<String>,
    /// State, province or region: at most 100 characters.
    pub state: MaybeUndefined<String>,
    /// Postal code: at most 20 characters.
    pub postal_code: MaybeUndefined<String>,
    /// The number of the permit to practise: at most 100 characters.
    pub license: MaybeUndefined<String>,
    /// The tax number: at most 50 characters.
    pub tax_id: MaybeUndefined<String>,
    /// The name on receipts, when it is another: at most 255 characters.
    pub business_name: MaybeUndefined<String>,
    /// Whether an appointment at the practice needs a room.
    pub require_room: Option<bool>,
    /// Whether appointments can be booked in the past.
    pub allow_past_booking: Option<bool>,
    /// A cancellation with less notice than so many hours counts as late: 0 to 720.
    pub late_cancellation_hours: Option<i32>,
    /// A patient is a no-show so many minutes after the start: 0 to 1440.
    pub no_show_grace_minutes: Option<i32>,
    /// For how many minutes a slot can be held: 1 to 60.
    pub hold_minutes: Option<i32>,
    /// How many minutes a patient of the waiting list has to answer an offer: 5 to 2880.
    pub waitlist_offer_minutes: Option<i32>,
    /// How many minutes before an appointment its patient is reminded, if they agreed: at most 3 times, each 15 to
    /// 20160 (two weeks). An empty list reminds nobody. In force for what is booked or moved from now on.
    pub reminder_minutes: Option<Vec<i32>>,
    /// Patients get no reminder from this minute of their day on: 0 to 1439.
    pub quiet_from_minute: Option<i32>,
    /// And get them again from this minute on: 0 to 1439. The same as `quietFromMinute` means at any time.
    pub quiet_until_minute: Option<i32>,
    /// A sign-in ends after so many hours without use: 1 to 8784. In force from its next refresh.
    pub refresh_idle_hours: Option<i32>,
    /// A sign-in ends after so many hours, used or not: at most 8784, and not less than without use.
    pub refresh_absolute_hours: Option<i32>,
}

impl UpdateWorkspaceInput {
    /// The loaded row with the changes.
    pub fn apply(&self, mut row: ActiveModel) -> Result<ActiveModel> {
        set(&mut row.name, self.name.as_deref().map(|name| name.trim().into()));
        set(&mut row.kind, self.kind);
        set(&mut row.timezone, self.timezone.clone());
        set(&mut row.currency, self.currency.clone());
        set(&mut row.locale, self.locale.clone());
        set(&mut row.require_room, self.require_room);
        set(&mut row.allow_past_booking, self.allow_past_booking);
        set(&mut row.late_cancellation_hours, self.late_cancellation_hours);
        set(&mut row.no_show_grace_minutes, self.no_show_grace_minutes);
        set(&mut row.hold_minutes, self.hold_minutes);
        set(&mut row.waitlist_offer_minutes, self.waitlist_offer_minutes);
        set(&mut row.reminder_minutes, self.reminder_minutes.as_ref().map(|minutes| json!(minutes)));
        set(&mut row.quiet_from_minute, self.quiet_from_minute);
        set(&mut row.quiet_until_minute, self.quiet_until_minute);
        set(&mut row.refresh_idle_hours, self.refresh_idle_hours);
        set(&mut row.refresh_absolute_hours, self.refresh_absolute_hours);
        patch(&mut row.country, &self.country);
        patch(&mut row.phone, &self.phone);
        patch(&mut row.email, &self.email);
        patch(&mut row.website, &self.website);
        patch(&mut row.address, &self.address);
        patch(&mut row.city, &self.city);
        patch(&mut row.state, &self.state);
        patch(&mut row.postal_code, &self.postal_code);
        patch(&mut row.license, &self.license);
        patch(&mut row.tax_id, &self.tax_id);
        patch(&mut row.business_name, &self.business_name);
        self.check_reminders()?;
        checked(row)
    }

    fn check_reminders(&self) -> Result<()> {
        let mut problems = Problems::default();
        let minutes = self.reminder_minutes.as_deref().unwrap_or_default();
        if minutes.len() > 3 || minutes.iter().any(|minutes| !(15..=20_160).contains(minutes)) {
            problems.add("reminderMinutes", "At most 3, each 15 to 20160.");
        }
        problems.range("quietFromMinute", self.quiet_from_minute.unwrap_or(0), 0..=1_439);
        problems.range("quietUntilMinute", self.quiet_until_minute.unwrap_or(0), 0..=1_439);
        problems.ok()
    }
}

/// The row, if the practice can use it.
fn checked(row: ActiveModel) -> Result<ActiveModel> {
    let mut problems = Problems::default();
    problems.text("name", row.name.as_ref(), 255);
    check_timezone(&mut problems, "timezone", row.timezone.as_ref());
    check_currency(&mut problems, "currency", row.currency.as_ref());
    check_locale(&mut problems, "locale", row.locale.as_ref());
    if text(&row.country).is_some_and(|code| !is_code(code, 2)) {
        problems.add("country", "Two capital letters, such as FR.");
    }
    if let Some(email) = text(&row.email) {
        problems.email("email", email);
    }
    if text(&row.website).is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
        problems.add("website", "Must start with https:// or http://.");
    }
    problems.length("phone", text(&row.phone), 50);
    problems.length("website", text(&row.website), 255);
    problems.length("address", text(&row.address), 255);
    problems.length("city", text(&row.city), 100);
    problems.length("state", text(&row.state), 100);
    problems.length("postalCode", text(&row.postal_code), 20);
    problems.length("license", text(&row.license), 100);
    problems.length("taxId", text(&row.tax_id), 50);
    problems.length("businessName", text(&row.business_name), 255);
    problems.range("lateCancellationHours", *row.late_cancellation_hours.as_ref(), 0..=720);
    problems.range("noShowGraceMinutes", *row.no_show_grace_minutes.as_ref(), 0..=1_440);
    problems.range("holdMinutes", *row.hold_minutes.as_ref(), 1..=60);
    problems.range("waitlistOfferMinutes", *row.waitlist_offer_minutes.as_ref(), 5..=2_880);
    problems.range("refreshIdleHours", *row.refresh_idle_hours.as_ref(), 1..=8_784);
    let idle = *row.refresh_idle_hours.as_ref();
    problems.range(
        "refreshAbsoluteHours",
        *row.refresh_absolute_hours.as_ref(),
        idle.clamp(1, 8_784)..=8_784,
    );
    problems.ok()?;
    Ok(row)
}

pub fn check_timezone(problems: &mut Problems, field: &str, name: &str) {
    if name.parse::<chrono_tz::Tz>().is_err() {
        problems.add(field, "This is no IANA time zone, such as Europe/Paris.");
    }
}

pub fn check_currency(problems: &mut Problems, field: &str, code: &str) {
    if !is_code(code, 3) {
        problems.add(field, "Three capital letters, such as EUR.");
    }
}

/// A language, then parts of letters and digits: whether anybody speaks it is not checked.
pub fn check_locale(problems: &mut Problems, field: &str, tag: &str) {
    let mut parts = tag.split('-');
    let language = parts.next().unwrap_or_default();
    let speaks = (2..=3).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_lowercase());
    let fits =
        parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !speaks || !fits || tag.len() > 35 {
        problems.add(field, "This is no language tag, such as en or fr-CA.");
    }
}

pub fn check_slug(problems: &mut Problems, field: &str, slug: &str) {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if slug.is_empty()
        || slug.len() > 63
        || !slug.bytes().all(plain)
        || slug.starts_with('-')
        || slug.ends_with('-')
    {
        problems.add(field, "1 to 63 lower-case letters, digits and hyphens; no hyphen at either end.");
    }
}

fn is_code(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn text(column: &ActiveValue<Option<String>>) -> Option<&str> {
    column.as_ref().as_deref()
}

/// The workspace to close.
#[derive(InputObject)]
pub struct SuspendWorkspaceInput {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Why, for its members and the next operator: 1 to 500 characters.
    pub reason: String,
}

/// The workspace to open again.
#[derive(InputObject)]
pub struct ReactivateWorkspaceInput {
    /// The workspace.
    pub workspace_id: WorkspaceId,
}
