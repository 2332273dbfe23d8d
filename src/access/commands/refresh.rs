//! Refresh tokens: each good for one use.
//!
//! A token that is used again means that two parties hold it, and nobody can tell which is the thief: the
//! whole family and its sign-in end. One exception: an answer can be lost on its way. A token used again within
//! thirty seconds, while its successor was never used, gets another successor in place of the first.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};

use super::session::{self, Ended, Grant};
use crate::access::actor::RequestInfo;
use crate::access::entity::{auth_session, refresh_token, user};
use crate::access::scope::find_global;
use crate::access::secret::SecretToken;
use crate::app::{App, UnitOfWork};
use crate::db::Scope;
use crate::error::{Error, Result};
use crate::id::{AuthSessionId, RefreshTokenId};
use crate::journal::entity::AuditKind;

/// How long a lost answer can be asked for again.
const GRACE: TimeDelta = TimeDelta::seconds(30);

/// Exchanges a refresh token for a new pair of tokens.
pub async fn refresh(app: &App, request: &RequestInfo, token: &str) -> Result<Grant> {
    let hash = SecretToken::parse(token).ok_or(Error::Unauthenticated)?.hash().to_vec();
    let (session, scope) = place_of(app, &hash).await?.ok_or(Error::Unauthenticated)?;
    let hash = &hash;
    let granted = app
        .write_global(scope, move |unit| async move {
            // Whoever refreshes or moves this sign-in at the same time waits here.
            let session = find_global::<auth_session::Entity>()
                .filter(auth_session::Column::Id.eq(session))
                .lock_exclusive()
                .one(&**unit)
                .await?
                .ok_or(Error::Unauthenticated)?;
            if session.workspace_id != scope.workspace {
                // It moved to another workspace since it was looked up; asking again finds it there.
                return Err(Error::Unavailable("session"));
            }
            let now = unit.clock().now();
            if session.revoked_at.is_some() || session.expires_at.min(session.idle_expires_at) <= now {
                return Ok(None);
            }
            let token = find_global::<refresh_token::Entity>()
                .filter(refresh_token::Column::TokenHash.eq(hash.as_slice()))
                .one(&**unit)
                .await?
                .ok_or(Error::Unauthenticated)?;
            let lost = match judge(&unit, &token, now).await? {
                Use::First => None,
                Use::LostAnswer(successor) => Some(successor),
                Use::Late => return Ok(None),
                Use::Again => {
                    stop(&unit, request, &session).await?;
                    return Ok(None);
                }
            };
            let Some(seat) = place(&unit, &session).await? else { return Ok(None) };

            let (successor, grant) =
                session::carry_on(app, &unit, &session, token.family_id, seat.as_ref()).await?;
            if let Some(lost) = lost {
                replace(&unit, lost, now).await?;
            }
            retire(&unit, &token, successor, now).await?;
            Ok(Some(grant))
        })
        .await?;
    app.sessions.forget(session);
    granted.ok_or(Error::Unauthenticated)
}

/// The sign-in of a token, and whose rows it may touch.
async fn place_of(app: &App, hash: &[u8]) -> Result<Option<(AuthSessionId, Scope)>> {
    let tx = app.db.begin_read(Scope::default()).await?;
    let token = find_global::<refresh_token::Entity>()
        .filter(refresh_token::Column::TokenHash.eq(hash))
        .one(&tx)
        .await?;
    let session = match token {
        None => None,
        Some(token) => {
            find_global::<auth_session::Entity>()
                .filter(auth_session::Column::Id.eq(token.auth_session_id))
                .one(&tx)
                .await?
        }
    };
    tx.rollback().await?;
    Ok(session
        .map(|session| (session.id, Scope { workspace: session.workspace_id, user: Some(session.user_id) })))
}

/// Which use of a token this is.
enum Use {
    First,
    /// Again, but nobody ever used this successor.
    LostAnswer(RefreshTokenId),
    Again,
    /// The token has expired unused.
    Late,
}

async fn judge(unit: &UnitOfWork, token: &refresh_token::Model, now: DateTime<Utc>) -> Result<Use> {
    if token.revoked_at.is_some() {
        return Ok(Use::Again);
    }
    let Some(used_at) = token.used_at else {
        return Ok(if token.expires_at <= now { Use::Late } else { Use::First });
    };
    let Some(successor) = token.replaced_by.filter(|_| now - used_at <= GRACE) else { return Ok(Use::Again) };
    let unused = find_global::<refresh_token::Entity>()
        .filter(refresh_token::Column::Id.eq(successor))
        .filter(refresh_token::Column::UsedAt.is_null())
        .filter(refresh_token::Column::RevokedAt.is_null())
        .one(&**unit)
        .await?;
    Ok(unused.map_or(Use::Again, |successor| Use::LostAnswer(successor.id)))
}

/// The sign-in's place, if its user, membership and workspace are still active; `Some(None)` for none chosen.
async fn place(unit: &UnitOfWork, session: &auth_session::Model) -> Result<Option<Option<session::Seat>>> {
    let user = find_global::<user::Entity>()
        .filter(user::Column::Id.eq(session.user_id))
        .filter(user::Column::IsActive.eq(true))
        .one(&**unit)
        .await?;
    if user.is_none() {
        return Ok(None);
    }
    let Some(membership) = session.membership_id else { return Ok(Some(None)) };
    let seats = session::seats(&**unit, session.user_id).await?;
    Ok(seats.into_iter().find(|seat| seat.membership.id == membership).map(Some))
}

/// Marks the token as used: by compare-and-swap, whatever locks the database has.
async fn retire(
    unit: &UnitOfWork,
    token: &refresh_token::Model,
    successor: RefreshTokenId,
    now: DateTime<Utc>,
) -> Result<()> {
    let unchanged = match token.used_at {
        Some(_) => refresh_token::Column::ReplacedBy.eq(token.replaced_by),
        None => refresh_token::Column::UsedAt.is_null(),
    };
    let retired = refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::UsedAt, Expr::value(token.used_at.unwrap_or(now)))
        .col_expr(refresh_token::Column::ReplacedBy, Expr::value(Some(successor)))
        .col_expr(refresh_token::Column::UpdatedAt, Expr::value(now))
        .filter(refresh_token::Column::Id.eq(token.id))
        .filter(refresh_token::Column::RevokedAt.is_null())
        .filter(unchanged)
        .exec(&**unit)
        .await?;
    if retired.rows_affected == 1 { Ok(()) } else { Err(Error::Unavailable("session")) }
}

/// Takes back a successor that never reached its client.
async fn replace(unit: &UnitOfWork, lost: RefreshTokenId, now: DateTime<Utc>) -> Result<()> {
    refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::RevokedAt, Expr::value(now))
        .col_expr(refresh_token::Column::UpdatedAt, Expr::value(now))
        .filter(refresh_token::Column::Id.eq(lost))
        .exec(&**unit)
        .await?;
    Ok(())
}

/// Ends the sign-in of a token that two parties hold.
async fn stop(unit: &UnitOfWork, request: &RequestInfo, session: &auth_session::Model) -> Result<()> {
    let which = Condition::all().add(auth_session::Column::Id.eq(session.id));
    session::end(unit, which, Ended::RefreshReused).await?;
    let mut event = session::event_of(
        request,
        Some(session.user_id),
        None,
        Some(session.id),
        AuditKind::Failed,
        "auth.refresh_token_reused",
    );
    event.membership = session.membership_id;
    unit.record(event);
    Ok(())
}
