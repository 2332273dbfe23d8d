//! What creating and changing a room takes.

use async_graphql::{InputObject, MaybeUndefined};
use sea_orm::{ActiveValue, Set};

use super::entity::{ActiveModel, RoomKind};
use crate::error::Result;
use crate::graphql::input::{Problems, fold, patch, set};
use crate::id::{LocationId, RoomId};

/// A room to be created.
#[derive(Clone, InputObject)]
pub struct CreateRoomInput {
    /// Its name, unique in the workspace whatever its case: 1 to 255 characters.
    pub name: String,
    /// The location that it belongs to.
    pub location_id: Option<LocationId>,
    /// What it is fit for.
    #[graphql(default_with = "RoomKind::Consultation")]
    pub kind: RoomKind,
    /// The floor it is on: at most 64 characters.
    pub floor: Option<String>,
    /// The department that uses it: at most 255 characters.
    pub department: Option<String>,
    /// How many people fit in: 1 to 1,000.
    #[graphql(default = 1)]
    pub capacity: i32,
    /// What is in it: at most 2,000 characters.
    pub equipment: Option<String>,
    /// Notes for colleagues: at most 2,000 characters. Nothing about patients.
    pub notes: Option<String>,
    /// Makes a repetition of this request harmless: the same key answers with the same room.
    pub idempotency_key: Option<String>,
}

impl CreateRoomInput {
    /// The row to insert.
    pub fn row(&self, id: RoomId) -> Result<ActiveModel> {
        checked(ActiveModel {
            id: Set(id),
            location_id: Set(self.location_id),
            name: Set(self.name.trim().into()),
            name_key: Set(fold(&self.name)),
            kind: Set(self.kind),
            floor: Set(self.floor.clone()),
            department: Set(self.department.clone()),
            capacity: Set(self.capacity),
            equipment: Set(self.equipment.clone()),
            notes: Set(self.notes.clone()),
            archived_at: Set(None),
            ..Default::default()
        })
    }
}

/// What to change about a room. What is omitted stays; null empties what may be empty.
#[derive(Clone, InputObject)]
pub struct UpdateRoomInput {
    /// The room.
    pub id: RoomId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// Its name, unique in the workspace whatever its case: 1 to 255 characters.
    pub name: Option<String>,
    /// The location that it belongs to.
    pub location_id: MaybeUndefined<LocationId>,
    /// What it is fit for.
    pub kind: Option<RoomKind>,
    /// The floor it is on: at most 64 characters.
    pub floor: MaybeUndefined<String>,
    /// The department that uses it: at most 255 characters.
    pub department: MaybeUndefined<String>,
    /// How many people fit in: 1 to 1,000.
    pub capacity: Option<i32>,
    /// What is in it: at most 2,000 characters.
    pub equipment: MaybeUndefined<String>,
    /// Notes for colleagues: at most 2,000 characters. Nothing about patients.
    pub notes: MaybeUndefined<String>,
}

impl UpdateRoomInput {
    /// The loaded row with the changes.
    pub fn apply(&self, mut row: ActiveModel) -> Result<ActiveModel> {
        set(&mut row.name, self.name.as_deref().map(|name| name.trim().into()));
        set(&mut row.name_key, self.name.as_deref().map(fold));
        set(&mut row.kind, self.kind);
        set(&mut row.capacity, self.capacity);
        patch(&mut row.location_id, &self.location_id);
        patch(&mut row.floor, &self.floor);
        patch(&mut row.department, &self.department);
        patch(&mut row.equipment, &self.equipment);
        patch(&mut row.notes, &self.notes);
        checked(row)
    }
}

/// The row, if the practice can use it.
fn checked(row: ActiveModel) -> Result<ActiveModel> {
    let mut problems = Problems::default();
    problems.text("name", row.name.as_ref(), 255);
    problems.length("floor", text(&row.floor), 64);
    problems.length("department", text(&row.department), 255);
    problems.length("equipment", text(&row.equipment), 2_000);
    problems.length("notes", text(&row.notes), 2_000);
    problems.range("capacity", *row.capacity.as_ref(), 1..=1_000);
    problems.ok()?;
    Ok(row)
}

fn text(column: &ActiveValue<Option<String>>) -> Option<&str> {
    column.as_ref().as_deref()
}
