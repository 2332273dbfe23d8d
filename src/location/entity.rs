//! A location: where patients are seen.

use sea_orm::entity::prelude::*;

use crate::id::{LocationId, WorkspaceId};

/// What sort of place a location is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum LocationKind {
    /// At the practice.
    #[default]
    #[sea_orm(string_value = "CLINIC")]
    Clinic,
    /// At the patient's home.
    #[sea_orm(string_value = "HOME")]
    Home,
    /// By video or telephone.
    #[sea_orm(string_value = "ONLINE")]
    Online,
}

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "locations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LocationId,
    pub workspace_id: WorkspaceId,
    pub name: String,
    /// The name with case and accents folded away, which is what must be unique.
    pub name_key: String,
    pub kind: LocationKind,
    pub address: Option<String>,
    pub details: Option<String>,
    /// IANA name, when it is not the workspace's.
    pub timezone: Option<String>,
    /// How the system that it was imported from names it.
    pub external_id: Option<String>,
    pub archived_at: Option<DateTimeUtc>,
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
