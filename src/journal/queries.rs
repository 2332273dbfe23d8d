//! Reading the audit trail.

use std::collections::HashMap;

use async_graphql::{ID, InputObject};
use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Order, QueryFilter, QuerySelect, QueryTrait, Select};

use super::entity::{AuditKind, Column, Entity, Model, ModelEx};
use crate::access::actor::Actor;
use crate::error::{Error, Result};
use crate::graphql::batch::BatchKey;
use crate::graphql::context::Call;
use crate::graphql::page::Key;
use crate::id::{self, AuditEventId, MembershipId, PatientId, TypedId};
use crate::member::entity as member;

/// Newest first.
pub const ORDER: [(Column, Order); 1] = [(Column::Seq, Order::Desc)];

/// The most kinds or actions of one filter.
const MAX_CHOICES: usize = 50;

/// Which events to list: those that match everything given.
#[derive(Clone, Debug, Default, InputObject)]
pub struct AuditEventFilter {
    /// Only those about this patient's chart.
    patient_id: Option<PatientId>,
    /// Only what this member did.
    actor_id: Option<MembershipId>,
    /// Only those about this object, of any type.
    subject_id: Option<ID>,
    /// Only those of these kinds, at most 50.
    kinds: Option<Vec<AuditKind>>,
    /// Only these actions, such as `appointment.booked`, at most 50.
    actions: Option<Vec<String>>,
    /// Only those at this time or later.
    from: Option<DateTimeUtc>,
    /// Only those before this time.
    to: Option<DateTimeUtc>,
}

pub fn list(actor: &Actor, filter: &AuditEventFilter) -> Result<Select<Entity>> {
    let invalid = |message: &str| Err(Error::invalid_argument("filter", message));
    let mut query = actor.find::<Entity>();
    if let Some(subject) = &filter.subject_id {
        let Some((table, uuid)) =
            id::decode(subject).and_then(|(prefix, uuid)| Some((id::table(prefix)?, uuid)))
        else {
            return invalid("subjectId is not an id.");
        };
        query = query.filter(Column::SubjectId.eq(uuid)).filter(Column::SubjectType.eq(table));
        // Patients are looked for by their chart: reads are about them, so a second index would take as much again.
        query = query.filter(match table == PatientId::TABLE {
            true => Column::PatientId.eq(uuid),
            false => Expr::cust("subject_type <> 'patients'"),
        });
    }
    if let Some(member) = filter.actor_id {
        // The index is on the person: one person has one membership in a workspace.
        let user = actor.find::<member::Entity>().filter(member::Column::Id.eq(member));
        let user = user.select_only().column(member::Column::UserId).into_query();
        let user = Expr::from(user);
        // One value rather than `IN`, so that the index also gives the order.
        let same_user = Expr::col((Entity, Column::ActorUserId)).eq(user);
        query = query.filter(same_user).filter(Column::ActorMembershipId.eq(member));
    }
    if let Some(patient) = filter.patient_id {
        query = query.filter(Column::PatientId.eq(patient));
    }
    if let Some(kinds) = &filter.kinds {
        if kinds.len() > MAX_CHOICES {
            return invalid("At most 50 kinds.");
        }
        query = query.filter(Column::Kind.is_in(kinds.iter().copied()));
    }
    if let Some(actions) = &filter.actions {
        if actions.len() > MAX_CHOICES {
            return invalid("At most 50 actions.");
        }
        query = query.filter(Column::Action.is_in(actions.iter().map(String::as_str)));
    }
    if let Some(from) = filter.from {
        query = query.filter(Column::OccurredAt.gte(from));
    }
    if let Some(to) = filter.to {
        query = query.filter(Column::OccurredAt.lt(to));
    }
    Ok(query)
}

pub fn position(row: &Model) -> Vec<Key> {
    vec![Key::Int(row.seq)]
}

impl BatchKey for AuditEventId {
    type Value = ModelEx;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, ModelEx>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        let rows = actor.find::<Entity>().filter(Column::Id.is_in(keys)).all(&*tx).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }
}
