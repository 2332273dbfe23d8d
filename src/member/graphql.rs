use async_graphql::*;
#[Object(name = "Member")]
impl super::entity::ModelEx { async fn id(&self) -> crate::id::MembershipId { self.id } async fn display_name(&self) -> &str { &self.display_name } }
impl crate::graphql::batch::BatchKey for crate::id::MembershipId { type Value = super::entity::ModelEx;
 async fn load(c: &crate::graphql::context::Call, k: Vec<Self>) -> crate::error::Result<std::collections::HashMap<Self, Self::Value>> {
 use sea_orm::{ColumnTrait, QueryFilter}; let (a,t)=(c.actor()?, c.tx().await?);
 Ok(a.find::<super::entity::Entity>().filter(super::entity::Column::Id.is_in(k)).all(&*t).await?.into_iter().map(|r| (r.id, r.into())).collect()) } }
