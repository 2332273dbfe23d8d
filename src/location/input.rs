//! What creating and changing a location takes.

use async_graphql::{InputObject, MaybeUndefined};
use chrono_tz::Tz;
use sea_orm::{ActiveValue, Set};

use super::entity::{ActiveModel, LocationKind};
use crate::error::Result;
use crate::graphql::input::{Problems, fold, patch, set};
use crate::id::LocationId;

/// A location to be created.
#[derive(Clone, InputObject)]
pub struct CreateLocationInput {
    /// Its name, unique in the workspace whatever its case: 1 to 255 characters.
    pub name: String,
    /// What sort of place it is.
    #[graphql(default_with = "LocationKind::Clinic")]
    pub kind: LocationKind,
    /// The postal address, or the address of the video call: at most 500 characters.
    pub address: Option<String>,
    /// How to get there or in: at most 2,000 characters.
    pub details: Option<String>,
    /// Its IANA time zone, such as `Europe/Berlin`. The workspace's when omitted.
    pub timezone: Option<String>,
    /// How the system that it comes from names it, unique in the workspace: at most 255 characters.
    pub external_id: Option<String>,
    /// Makes a repetition of this request harmless: the same key answers with the same location.
    pub idempotency_key: Option<String>,
}

impl CreateLocationInput {
    /// The row to insert.
    pub fn row(&self, id: LocationId) -> Result<ActiveModel> {
        checked(ActiveModel {
            id: Set(id),
            name: Set(self.name.trim().into()),
            name_key: Set(fold(&self.name)),
            kind: Set(self.kind),
            address: Set(self.address.clone()),
            details: Set(self.details.clone()),
            timezone: Set(self.timezone.clone()),
            external_id: Set(self.external_id.clone()),
            archived_at: Set(None),
            ..Default::default()
        })
    }
}

/// What to change about a location. What is omitted stays; null empties what may be empty.
#[derive(Clone, InputObject)]
pub struct UpdateLocationInput {
    /// The location.
    pub id: LocationId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// Its name, unique in the workspace whatever its case: 1 to 255 characters.
    pub name: Option<String>,
    /// What sort of place it is.
    pub kind: Option<LocationKind>,
    /// The postal address, or the address of the video call: at most 500 characters.
    pub address: MaybeUndefined<String>,
    /// How to get there or in: at most 2,000 characters.
    pub details: MaybeUndefined<String>,
    /// Its IANA time zone, such as `Europe/Berlin`. Null for the workspace's.
    pub timezone: MaybeUndefined<String>,
    /// How the system that it comes from names it, unique in the workspace: at most 255 characters.
    pub external_id: MaybeUndefined<String>,
}

impl UpdateLocationInput {
    /// The loaded row with the changes.
    pub fn apply(&self, mut row: ActiveModel) -> Result<ActiveModel> {
        set(&mut row.name, self.name.as_deref().map(|name| name.trim().into()));
        set(&mut row.name_key, self.name.as_deref().map(fold));
        set(&mut row.kind, self.kind);
        patch(&mut row.address, &self.address);
        patch(&mut row.details, &self.details);
        patch(&mut row.timezone, &self.timezone);
        patch(&mut row.external_id, &self.external_id);
        checked(row)
    }
}

/// The row, if the practice can use it.
fn checked(row: ActiveModel) -> Result<ActiveModel> {
    let mut problems = Problems::default();
    problems.text("name", row.name.as_ref(), 255);
    problems.length("address", text(&row.address), 500);
    problems.length("details", text(&row.details), 2_000);
    problems.length("externalId", text(&row.external_id), 255);
    if text(&row.timezone).is_some_and(|name| name.parse::<Tz>().is_err()) {
        problems.add("timezone", "This is not an IANA time zone.");
    }
    problems.ok()?;
    Ok(row)
}

fn text(column: &ActiveValue<Option<String>>) -> Option<&str> {
    column.as_ref().as_deref()
}
