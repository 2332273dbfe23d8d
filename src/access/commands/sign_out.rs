//! Going out: on this device, on another one, everywhere.

use sea_orm::{ColumnTrait, Condition};

use super::session::{self, Ended};
use crate::access::actor::RequestInfo;
use crate::access::entity::auth_session::Column;
use crate::access::sessions::Identity;
use crate::app::App;
use crate::db::Scope;
use crate::error::{Error, Result};
use crate::id::AuthSessionId;
use crate::journal::entity::AuditKind;

/// Which sign-ins end.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    This,
    Other(AuthSessionId),
    All,
}

/// Ends sign-ins of the person who asks, and says how many were still going on.
pub async fn sign_out(app: &App, identity: &Identity, request: &RequestInfo, which: Which) -> Result<usize> {
    let scope = Scope { workspace: identity.actor.as_ref().map(|actor| actor.workspace), user: None };
    let ended = app
        .write_global(scope, move |unit| async move {
            let own = Condition::all().add(Column::UserId.eq(identity.user));
            let (which, why, action) = match which {
                Which::This => {
                    (own.add(Column::Id.eq(identity.session)), Ended::SignedOut, "auth.signed_out")
                }
                Which::Other(id) => (own.add(Column::Id.eq(id)), Ended::Revoked, "auth.session_revoked"),
                Which::All => (own, Ended::Revoked, "auth.signed_out_everywhere"),
            };
            let ended = session::end(&unit, which, why).await?;
            if let Some(first) = ended.first() {
                let event = session::event(identity, request, AuditKind::Auth, action).on(*first);
                unit.record(event.with("ended", ended.len()));
            }
            Ok(ended)
        })
        .await?;
    session::forget(app, &ended);
    match (which, ended.as_slice()) {
        (Which::Other(_), []) => Err(Error::NotFound),
        (_, ended) => Ok(ended.len()),
    }
}
