//! A piece of equipment that one appointment at a time can have.

use sea_orm::entity::prelude::*;

use crate::id::{EquipmentId, LocationId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "equipment")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EquipmentId,
    pub workspace_id: WorkspaceId,
    pub location_id: Option<LocationId>,
    pub name: String,
    /// The name with case and accents folded away, which is what must be unique.
    pub name_key: String,
    pub notes: Option<String>,
    pub archived_at: Option<DateTimeUtc>,
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Location",
        from = "(workspace_id, location_id)",
        to = "(workspace_id, id)"
    )]
    pub location: BelongsTo<Option<crate::location::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
