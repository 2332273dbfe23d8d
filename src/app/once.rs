//! Doing once what a client may ask for several times.

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ColumnTrait, QueryFilter};

use super::{App, UnitOfWork};
use crate::access::actor::Actor;
use crate::access::entity::idempotency_key::{Column, Entity};
use crate::error::{Error, Result};
use crate::id::{IdempotencyKeyId, UserId};

/// How long an answer is kept for repetitions.
const KEPT: chrono::TimeDelta = chrono::TimeDelta::hours(48);

/// A client's key for one write, with what it was first used for.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    pub key: String,
    /// The mutation's name.
    pub operation: String,
    /// SHA-256 of the arguments.
    pub request_hash: Vec<u8>,
}

/// One use of a key.
pub struct Once<'a> {
    pub key: &'a IdempotencyKey,
    pub actor: &'a Actor,
    pub user: UserId,
}

impl Once<'_> {
    /// Claims the key in this transaction; a key that has expired is as good as none.
    ///
    /// A concurrent first use is waited for: the unique key makes the second claim wait for the first commit.
    pub async fn claim(&self, unit: &UnitOfWork) -> Result<()> {
        let (now, taken) = (unit.clock().now(), [Column::WorkspaceId, Column::UserId, Column::Key]);
        let anew = [
            Column::Id,
            Column::Operation,
            Column::RequestHash,
            Column::Response,
            Column::ExpiresAt,
            Column::CreatedAt,
            Column::UpdatedAt,
        ];
        let claim = Query::insert()
            .into_table(Entity)
            .columns(taken.into_iter().chain(anew))
            .values_panic([
                self.actor.workspace.into(),
                self.user.into(),
                self.key.key.clone().into(),
                unit.id::<IdempotencyKeyId>().into(),
                self.key.operation.clone().into(),
                self.key.request_hash.clone().into(),
                "".into(),
                (now + KEPT).into(),
                now.into(),
                now.into(),
            ])
            .on_conflict(
                OnConflict::columns(taken)
                    .update_columns(anew)
                    .action_and_where(Expr::col((Entity, Column::ExpiresAt)).lte(now))
                    .to_owned(),
            )
            .to_owned();
        unit.claim(claim).await
    }

    /// Keeps the answer for repetitions.
    pub async fn answer(&self, unit: &UnitOfWork, response: &str) -> Result<()> {
        let answer = Query::update()
            .table(Entity)
            .value(Column::Response, response)
            .and_where(Column::WorkspaceId.eq(self.actor.workspace))
            .and_where(Column::UserId.eq(self.user))
            .and_where(Column::Key.eq(self.key.key.as_str()))
            .to_owned();
        unit.put_change(answer, 4).await
    }

    /// The answer of the first use, if there was one.
    pub async fn answered(&self, app: &App) -> Result<Option<String>> {
        let tx = app.db.begin_read(self.actor.scope()).await?;
        let stored = self
            .actor
            .find::<Entity>()
            .filter(Column::UserId.eq(self.user))
            .filter(Column::Key.eq(self.key.key.as_str()))
            .filter(Column::ExpiresAt.gt(app.clock.now()))
            .one(&tx)
            .await?;
        tx.rollback().await?;
        match stored {
            Some(row) if row.operation == self.key.operation && row.request_hash == self.key.request_hash => {
                Ok(Some(row.response))
            }
            Some(_) => Err(Error::IdempotencyKeyReused),
            None => Ok(None),
        }
    }
}
