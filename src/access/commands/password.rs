//! Choosing another password.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};
use secrecy::SecretString;

use super::credentials::{self, Judgement};
use super::session::{self, Ended};
use super::sign_in::failed;
use crate::access::actor::RequestInfo;
use crate::access::entity::{auth_session, user};
use crate::access::scope::find_global;
use crate::access::sessions::Identity;
use crate::app::App;
use crate::db::Scope;
use crate::error::{Error, Result};
use crate::journal::entity::AuditKind;

/// Changes the password of the person who asks; their other sign-ins end. Returns how many did.
pub async fn change(
    app: &App,
    identity: &Identity,
    request: &RequestInfo,
    current: &SecretString,
    new: &SecretString,
) -> Result<usize> {
    let tx = app.db.begin_read(Scope::default()).await?;
    let account = find_global::<user::Entity>()
        .filter(user::Column::Id.eq(identity.user))
        .one(&tx)
        .await?
        .ok_or(Error::Unauthenticated)?;
    tx.rollback().await?;

    let proof = match credentials::check(app, Some(&account), current).await? {
        Judgement::Right(proof) => proof,
        Judgement::Wrong(reason) => {
            return Err(wrong(failed(app, request, Some(&account), None, reason).await));
        }
    };
    let known = vec![account.email.clone(), account.name.clone()];
    let hash = credentials::hash_new(app, "newPassword", new, known).await?;

    let scope = Scope { workspace: identity.actor.as_ref().map(|actor| actor.workspace), user: None };
    let (proof, hash) = (&proof, &hash);
    let ended = app
        .write_global(scope, move |unit| async move {
            if !credentials::accept(&unit, proof).await? {
                return Err(wrong(Error::Unauthenticated));
            }
            user::Entity::update_many()
                .col_expr(user::Column::PasswordHash, Expr::value(hash.as_str()))
                .col_expr(user::Column::Version, Expr::col(user::Column::Version).add(1))
                .col_expr(user::Column::UpdatedAt, Expr::value(unit.clock().now()))
                .filter(user::Column::Id.eq(identity.user))
                .exec(&**unit)
                .await?;
            let others = Condition::all()
                .add(auth_session::Column::UserId.eq(identity.user))
                .add(auth_session::Column::Id.ne(identity.session));
            let ended = session::end(&unit, others, Ended::PasswordChanged).await?;
            let event = session::event(identity, request, AuditKind::Auth, "auth.password_changed");
            unit.record(event.on(identity.user).with("ended", ended.len()));
            Ok(ended)
        })
        .await?;
    session::forget(app, &ended);
    Ok(ended.len())
}

/// Whoever asks is signed in: only their password was wrong.
fn wrong(error: Error) -> Error {
    match error {
        Error::Unauthenticated => Error::invalid("currentPassword", "This is not your password."),
        other => other,
    }
}
