//! Appending to a workspace's chain, inside the transaction whose work it tells of.

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, Set};

use super::event::Event;
use super::{chain, entity, head};
use crate::clock::Clock;
use crate::db::tx::Tx;
use crate::error::{Error, Result};
use crate::id::{AuditEventId, TypedId, WorkspaceId};

/// Appends the events in order and returns the sequence number of the last one.
///
/// Takes the workspace's head row, which serialises the workspace's writers until they commit: so it
/// is the last thing a transaction does, sequence order is commit order, and there is no gap.
pub async fn append(tx: &Tx, clock: &Clock, workspace: WorkspaceId, events: Vec<Event>) -> Result<i64> {
    let count = i64::try_from(events.len()).map_err(Error::internal)?;
    let (last, mut hash) = match take_head(tx, workspace, count).await? {
        Some(head) => head,
        None => {
            create_head(tx, clock, workspace).await?;
            take_head(tx, workspace, count).await?.ok_or_else(|| {
                Error::internal(std::io::Error::other("the journal's head cannot be created"))
            })?
        }
    };
    let occurred_at = clock.now();
    let mut rows = Vec::with_capacity(events.len());
    for (seq, event) in (last - count + 1..).zip(events) {
        let mut row = entity::Model {
            workspace_id: workspace,
            seq,
            id: AuditEventId::new(clock),
            occurred_at,
            kind: event.kind,
            action: event.action.into(),
            actor_user_id: event.user,
            actor_membership_id: event.membership,
            actor_role: event.role,
            auth_session_id: event.session,
            subject_type: event.subject.map(|subject| subject.table.into()),
            subject_id: event.subject.map(|subject| subject.id),
            patient_id: event.patient,
            request_id: (!event.request.id.is_empty()).then_some(event.request.id),
            ip: event.request.ip,
            user_agent: event.request.user_agent,
            purpose: None,
            reason: event.reason.map(Into::into),
            detail: event.detail.to_string(),
            changes: event.changes,
            prev_hash: hash,
            hash: Vec::new(),
        };
        hash = chain::hash(&row.prev_hash, &row);
        row.hash.clone_from(&hash);
        rows.push(row.into_active_model().reset_all());
    }
    entity::Entity::insert_many(rows).exec_without_returning(&tx.overhead()).await?;
    let close = Query::update()
        .table(head::Entity)
        .value(head::Column::Hash, hash)
        .and_where(head::Column::WorkspaceId.eq(workspace))
        .to_owned();
    tx.overhead().execute(&close).await?;
    Ok(last)
}

/// Locks the head and moves it on by `count`: the new last sequence number and the hash so far.
async fn take_head(tx: &Tx, workspace: WorkspaceId, count: i64) -> Result<Option<(i64, Vec<u8>)>> {
    let take = Query::update()
        .table(head::Entity)
        .value(head::Column::Seq, Expr::col(head::Column::Seq).add(count))
        .and_where(head::Column::WorkspaceId.eq(workspace))
        .returning(Query::returning().columns([head::Column::Seq, head::Column::Hash]))
        .to_owned();
    match tx.overhead().query_one(&take).await? {
        Some(row) => Ok(Some((row.try_get("", "seq")?, row.try_get("", "hash")?))),
        None => Ok(None),
    }
}

async fn create_head(tx: &Tx, clock: &Clock, workspace: WorkspaceId) -> Result<()> {
    let first = head::ActiveModel {
        workspace_id: Set(workspace),
        seq: Set(0),
        hash: Set(chain::GENESIS.to_vec()),
        updated_at: Set(clock.now()),
    };
    head::Entity::insert(first)
        .on_conflict(OnConflict::column(head::Column::WorkspaceId).do_nothing().to_owned())
        .try_insert()
        .exec_without_returning(&tx.overhead())
        .await?;
    Ok(())
}
