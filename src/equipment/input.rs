//! What creating and changing a piece of equipment takes.

use async_graphql::{InputObject, MaybeUndefined};
use sea_orm::{ActiveValue, Set};

use super::entity::ActiveModel;
use crate::error::Result;
use crate::graphql::input::{Problems, fold, patch, set};
use crate::id::{EquipmentId, LocationId};

/// A piece of equipment to be created.
#[derive(Clone, InputObject)]
pub struct CreateEquipmentInput {
    /// Its name, unique in the workspace whatever its case: 1 to 255 characters.
    pub name: String,
    /// The location that it belongs to.
    pub location_id: Option<LocationId>,
    /// Notes for colleagues: at most 2,000 characters. Nothing about patients.
    pub notes: Option<String>,
    /// Makes a repetition of this request harmless: the same key answers with the same equipment.
    pub idempotency_key: Option<String>,
}

impl CreateEquipmentInput {
    /// The row to insert.
    pub fn row(&self, id: EquipmentId) -> Result<ActiveModel> {
        checked(ActiveModel {
            id: Set(id),
            location_id: Set(self.location_id),
            name: Set(self.name.trim().into()),
            name_key: Set(fold(&self.name)),
            notes: Set(self.notes.clone()),
            archived_at: Set(None),
            ..Default::default()
        })
    }
}

/// What to change about a piece of equipment. What is omitted stays; null empties what may be empty.
#[derive(Clone, InputObject)]
pub struct UpdateEquipmentInput {
    /// The piece of equipment.
    pub id: EquipmentId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// Its name, unique in the workspace whatever its case: 1 to 255 characters.
    pub name: Option<String>,
    /// The location that it belongs to.
    pub location_id: MaybeUndefined<LocationId>,
    /// Notes for colleagues: at most 2,000 characters. Nothing about patients.
    pub notes: MaybeUndefined<String>,
}

impl UpdateEquipmentInput {
    /// The loaded row with the changes.
    pub fn apply(&self, mut row: ActiveModel) -> Result<ActiveModel> {
        set(&mut row.name, self.name.as_deref().map(|name| name.trim().into()));
        set(&mut row.name_key, self.name.as_deref().map(fold));
        patch(&mut row.location_id, &self.location_id);
        patch(&mut row.notes, &self.notes);
        checked(row)
    }
}

/// The row, if the practice can use it.
fn checked(row: ActiveModel) -> Result<ActiveModel> {
    let mut problems = Problems::default();
    problems.text("name", row.name.as_ref(), 255);
    problems.length("notes", text(&row.notes), 2_000);
    problems.ok()?;
    Ok(row)
}

fn text(column: &ActiveValue<Option<String>>) -> Option<&str> {
    column.as_ref().as_deref()
}
