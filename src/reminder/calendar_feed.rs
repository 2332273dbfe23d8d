//! A calendar feed: a secret address that a calendar program subscribes to.

use sea_orm::entity::prelude::*;

use crate::id::{CalendarFeedId, MembershipId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "calendar_feeds")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CalendarFeedId,
    pub workspace_id: WorkspaceId,
    pub membership_id: MembershipId,
    pub token_hash: Vec<u8>,
    pub name: String,
    pub last_read_at: Option<DateTimeUtc>,
    pub revoked_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Member",
        from = "(workspace_id, membership_id)",
        to = "(workspace_id, id)"
    )]
    pub member: BelongsTo<crate::member::entity::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
