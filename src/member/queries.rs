//! Reading members.

use std::collections::HashMap;
use std::sync::LazyLock;

use sea_orm::{ColumnTrait, Condition, Order, QueryFilter, QuerySelect, Select};

use super::entity::{Column, Entity, Model, ModelEx, Role};
use crate::access::actor::Actor;
use crate::access::entity::user;
use crate::access::permission::Permission;
use crate::access::scope::find_global;
use crate::error::Result;
use crate::graphql::batch::BatchKey;
use crate::graphql::context::Call;
use crate::graphql::page::Key;
use crate::graphql::project::Shape;
use crate::id::{MembershipId, UserId};

/// What the fields of a member read.
pub static SHAPE: LazyLock<Shape<Entity>> = LazyLock::new(|| {
    Shape::new([Column::Id]).field("hasAccount", [Column::UserId]).field("email", [Column::UserId])
});

/// By name.
pub const ORDER: [(Column, Order); 2] = [(Column::DisplayName, Order::Asc), (Column::Id, Order::Asc)];

/// The members that the actor may see. A member with the role PATIENT is a patient's name: only for those who
/// see patients, and among patients only the own.
pub fn visible(actor: &Actor) -> Select<Entity> {
    let query = actor.find::<Entity>();
    if actor.role == Role::Patient {
        let own = actor.membership.unwrap_or(MembershipId(uuid::Uuid::nil()));
        return query.filter(Condition::any().add(Column::Role.ne(Role::Patient)).add(Column::Id.eq(own)));
    }
    if actor.may(Permission::ReadPatients) { query } else { query.filter(Column::Role.ne(Role::Patient)) }
}

/// The people who work here, or those of one role.
pub fn list(actor: &Actor, role: Option<Role>, include_inactive: bool) -> Select<Entity> {
    let query = visible(actor).filter(match role {
        Some(role) => Column::Role.eq(role),
        None => Column::Role.ne(Role::Patient),
    });
    if include_inactive { query } else { query.filter(Column::IsActive.eq(true)) }
}

pub fn position(row: &Model) -> Vec<Key> {
    vec![Key::Text(row.display_name.clone()), Key::Id(row.id.0)]
}

impl BatchKey for MembershipId {
    type Value = ModelEx;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, ModelEx>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let rows = visible(&actor).filter(Column::Id.is_in(keys)).all(&*tx).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }
}

/// The address of the account of a member whom the actor has loaded.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailOf(pub UserId);

impl BatchKey for EmailOf {
    type Value = String;

    /// Accounts are global: the ids come from members of the own workspace.
    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, String>> {
        let tx = call.tx().await?;
        let rows: Vec<(UserId, String)> = find_global::<user::Entity>()
            .select_only()
            .columns([user::Column::Id, user::Column::Email])
            .filter(user::Column::Id.is_in(keys.into_iter().map(|key| key.0)))
            .into_tuple()
            .all(&*tx)
            .await?;
        Ok(rows.into_iter().map(|(id, email)| (EmailOf(id), email)).collect())
    }
}
