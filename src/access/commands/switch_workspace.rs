//! Moving a sign-in to another of the person's workspaces.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::session::{self, Grant};
use crate::access::actor::RequestInfo;
use crate::access::entity::{auth_session, refresh_token};
use crate::access::scope::find_global;
use crate::access::sessions::Identity;
use crate::app::App;
use crate::db::Scope;
use crate::error::{Error, Result};
use crate::id::WorkspaceId;
use crate::journal::entity::AuditKind;

/// Moves the sign-in. A workspace that the person is no active member of is not found, whether it exists or not.
pub async fn switch_workspace(
    app: &App,
    identity: &Identity,
    request: &RequestInfo,
    workspace: WorkspaceId,
) -> Result<Grant> {
    let seats = {
        let tx = app.db.begin_read(Scope::user(identity.user)).await?;
        let seats = session::seats(&tx, identity.user).await?;
        tx.rollback().await?;
        seats
    };
    let seat = seats.iter().find(|seat| seat.workspace.id == workspace).ok_or(Error::NotFound)?;

    let scope = Scope { workspace: Some(workspace), user: Some(identity.user) };
    let grant = app
        .write_global(scope, move |unit| async move {
            let now = unit.clock().now();
            let session = find_global::<auth_session::Entity>()
                .filter(auth_session::Column::Id.eq(identity.session))
                .filter(auth_session::Column::UserId.eq(identity.user))
                .filter(auth_session::Column::RevokedAt.is_null())
                .lock_exclusive()
                .one(&**unit)
                .await?
                .ok_or(Error::Unauthenticated)?;
            let latest = find_global::<refresh_token::Entity>()
                .filter(refresh_token::Column::AuthSessionId.eq(session.id))
                .order_by_desc(refresh_token::Column::Id)
                .one(&**unit)
                .await?
                .ok_or(Error::Unauthenticated)?;

            let (successor, grant) =
                session::carry_on(app, &unit, &session, latest.family_id, Some(seat)).await?;
            // As if they had been refreshed: a lost answer can be asked for again.
            refresh_token::Entity::update_many()
                .col_expr(refresh_token::Column::UsedAt, Expr::value(now))
                .col_expr(refresh_token::Column::ReplacedBy, Expr::value(Some(successor)))
                .col_expr(refresh_token::Column::UpdatedAt, Expr::value(now))
                .filter(refresh_token::Column::AuthSessionId.eq(session.id))
                .filter(refresh_token::Column::Id.ne(successor))
                .filter(refresh_token::Column::UsedAt.is_null())
                .filter(refresh_token::Column::RevokedAt.is_null())
                .exec(&**unit)
                .await?;

            unit.record(session::event_of(
                request,
                Some(identity.user),
                Some(seat),
                Some(session.id),
                AuditKind::Auth,
                "auth.workspace_switched",
            ));
            Ok(grant)
        })
        .await?;
    app.sessions.forget(identity.session);
    Ok(grant)
}
