//! What equipment a service takes up.

use sea_orm::entity::prelude::*;

use crate::id::{EquipmentId, ServiceEquipmentId, ServiceId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "service_equipment")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ServiceEquipmentId,
    pub workspace_id: WorkspaceId,
    pub service_id: ServiceId,
    pub equipment_id: EquipmentId,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
