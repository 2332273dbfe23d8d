//! Signing in with e-mail address and password.

use secrecy::SecretString;

use super::credentials::{self, Judgement};
use super::session::{self, Grant, Seat};
use crate::access::actor::RequestInfo;
use crate::access::entity::user;
use crate::app::App;
use crate::db::Scope;
use crate::error::{Error, Result};
use crate::journal::entity::AuditKind;

/// Who wants to come in, and where to.
pub struct SignIn {
    pub email: String,
    pub password: SecretString,
    /// The workspace to start in, by its short name.
    pub workspace_slug: Option<String>,
}

/// Signs somebody in. Every failure is the same [`Error::Unauthenticated`], after the same work.
///
/// The sign-in starts in the workspace asked for, or in the only one that there is; else in none.
pub async fn sign_in(app: &App, request: &RequestInfo, who: &SignIn) -> Result<Grant> {
    let (account, seats) = find(app, &who.email).await?;
    let judgement = credentials::check(app, account.as_ref(), &who.password).await?;
    let account = account.as_ref();
    let seat = starting_seat(&seats, who.workspace_slug.as_deref());

    // A second factor is asked for elsewhere; the password alone is not enough then.
    let judgement = match judgement {
        Judgement::Right(_) if account.is_some_and(|account| account.totp_enabled_at.is_some()) => {
            Judgement::Wrong("second_factor_required")
        }
        judgement => judgement,
    };
    let proof = match judgement {
        Judgement::Right(proof) => proof,
        Judgement::Wrong(reason) => return Err(failed(app, request, account, seat, reason).await),
    };
    if who.workspace_slug.is_some() && seat.is_none() {
        // The password was right, so this tells its owner only what they may know.
        failed(app, request, account, None, "no_such_workspace").await;
        return Err(Error::invalid(
            "workspaceSlug",
            "You are not a member of a workspace with this short name.",
        ));
    }

    let scope = Scope { workspace: seat.map(|seat| seat.workspace.id), user: Some(proof.user) };
    let proof = &proof;
    let granted = app
        .write_global(scope, move |unit| async move {
            if !credentials::accept(&unit, proof).await? {
                return Ok(None);
            }
            let grant = session::begin(app, &unit, proof.user, seat, request).await?;
            unit.record(session::event_of(
                request,
                Some(proof.user),
                seat,
                Some(grant.subject.session),
                AuditKind::Auth,
                "auth.signed_in",
            ));
            Ok(Some(grant))
        })
        .await?;
    match granted {
        Some(grant) => Ok(grant),
        None => Err(failed(app, request, account, seat, "throttled").await),
    }
}

/// The account and its seats, by the same statements whether there is one or not.
async fn find(app: &App, email: &str) -> Result<(Option<user::Model>, Vec<Seat>)> {
    let tx = app.db.begin_read(Scope::default()).await?;
    let account = credentials::find_account(&tx, email).await?;
    let user = account.as_ref().map_or_else(session::nobody, |account| account.id);
    tx.rollback().await?;
    let tx = app.db.begin_read(Scope::user(user)).await?;
    let seats = session::seats(&tx, user).await?;
    tx.rollback().await?;
    Ok((account, seats))
}

fn starting_seat<'a>(seats: &'a [Seat], slug: Option<&str>) -> Option<&'a Seat> {
    match (slug, seats) {
        (Some(slug), seats) => seats.iter().find(|seat| seat.workspace.slug == slug),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

/// Counts and records a failure, in the workspace's chain when it is clear which one was meant. Returns what
/// the client is told.
pub async fn failed(
    app: &App,
    request: &RequestInfo,
    account: Option<&user::Model>,
    seat: Option<&Seat>,
    reason: &'static str,
) -> Error {
    let scope = Scope { workspace: seat.map(|seat| seat.workspace.id), user: None };
    let recorded = app
        .write_global(scope, move |unit| async move {
            if let (Some(account), "wrong_password") = (account, reason) {
                credentials::count_failure(&unit, account.id).await?;
            }
            let user = account.map(|account| account.id);
            let event =
                session::event_of(request, user, seat, None, AuditKind::Failed, "auth.sign_in_failed");
            unit.record(event.because(reason));
            Ok(())
        })
        .await;
    match recorded {
        Ok(()) => Error::Unauthenticated,
        // No audit, no answer.
        Err(error) => error,
    }
}
