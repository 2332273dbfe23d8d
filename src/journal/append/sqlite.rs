//! SQLite: the heads are read, and everything is written together with what waits in the transaction. There is one
//! writer at a time, so a head that was read stays as it is.

use std::collections::BTreeMap;

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, Iterable, QueryFilter, QueryTrait, Set,
};

use super::Heads;
use crate::access::scope::find_global;
use crate::clock::Clock;
use crate::db::tx::Tx;
use crate::error::Result;
use crate::id::WorkspaceId;
use crate::journal::{chain, entity, head};

/// Rows of one statement: SQLite takes 32,766 parameters.
const CHUNK: usize = 1_000;

pub async fn append(tx: &Tx, clock: &Clock, mut rows: Vec<entity::Model>) -> Result<Heads> {
    let mut ends: BTreeMap<WorkspaceId, (i64, Vec<u8>)> =
        rows.iter().map(|row| (row.workspace_id, (0, chain::GENESIS.to_vec()))).collect();
    // Of several workspaces: a group of reads is stored together.
    let heads = find_global::<head::Entity>().filter(head::Column::WorkspaceId.is_in(ends.keys().copied()));
    let heads = Box::pin(tx.overhead().select_ahead(heads)).await?;
    ends.extend(heads.into_iter().map(|head| (head.workspace_id, (head.seq, head.hash))));
    for row in &mut rows {
        let (seq, hash) = ends.entry(row.workspace_id).or_default();
        *seq += 1;
        row.seq = *seq;
        row.prev_hash.clone_from(hash);
        row.hash = chain::hash(hash, row);
        hash.clone_from(&row.hash);
    }
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(CHUNK));
        let parameters = rows.len() * entity::Column::iter().count();
        let placed = rows.into_iter().map(|row| row.into_active_model().reset_all());
        tx.overhead().put_change(entity::Entity::insert_many(placed).into_query(), parameters).await?;
        rows = rest;
    }
    let numbers = ends.iter().map(|(workspace, (seq, _))| (*workspace, *seq)).collect();
    let parameters = ends.len() * head::Column::iter().count();
    let moved = ends.into_iter().map(|(workspace_id, (seq, hash))| head::ActiveModel {
        workspace_id: Set(workspace_id),
        seq: Set(seq),
        hash: Set(hash),
        updated_at: Set(clock.now()),
    });
    let moved = head::Entity::insert_many(moved).on_conflict(
        OnConflict::column(head::Column::WorkspaceId)
            .update_columns([head::Column::Seq, head::Column::Hash])
            .to_owned(),
    );
    tx.overhead().put_change(moved.into_query(), parameters).await?;
    Ok(numbers)
}
