//! Reading consents.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use super::entity::{Column, ConsentPurpose, Entity, ModelEx};
use crate::access::actor::Actor;
use crate::error::Result;
use crate::graphql::batch::BatchKey;
use crate::graphql::context::Call;
use crate::id::{ConsentId, PatientId};

/// What happened last to a patient's consent: what holds at `now` is read off it.
pub fn latest(
    actor: &Actor,
    patient: PatientId,
    purpose: ConsentPurpose,
    now: DateTime<Utc>,
) -> Select<Entity> {
    actor
        .find::<Entity>()
        .filter(Column::PatientId.eq(patient))
        .filter(Column::Purpose.eq(purpose))
        .filter(Column::EffectiveAt.lte(now))
        .order_by_desc(Column::EffectiveAt)
        .order_by_desc(Column::Id)
        .limit(1)
}

impl BatchKey for ConsentId {
    type Value = ModelEx;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, ModelEx>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let rows = actor.find::<Entity>().filter(Column::Id.is_in(keys)).all(&*tx).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }
}
