//! A room of the practice.

use sea_orm::entity::prelude::*;

use crate::id::{LocationId, RoomId, WorkspaceId};

/// What a room is fit for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum RoomKind {
    /// Talks and plain visits.
    #[default]
    #[sea_orm(string_value = "CONSULTATION")]
    Consultation,
    /// Physical examinations.
    #[sea_orm(string_value = "EXAMINATION")]
    Examination,
    /// Small procedures.
    #[sea_orm(string_value = "PROCEDURE")]
    Procedure,
    /// Operations.
    #[sea_orm(string_value = "OPERATING")]
    Operating,
    /// Emergencies.
    #[sea_orm(string_value = "EMERGENCY")]
    Emergency,
    /// Anything else.
    #[sea_orm(string_value = "OTHER")]
    Other,
}

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rooms")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RoomId,
    pub workspace_id: WorkspaceId,
    pub location_id: Option<LocationId>,
    pub name: String,
    /// The name with case and accents folded away, which is what must be unique.
    pub name_key: String,
    pub kind: RoomKind,
    pub floor: Option<String>,
    pub department: Option<String>,
    /// How many people fit in.
    pub capacity: i32,
    pub equipment: Option<String>,
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
