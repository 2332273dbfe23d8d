//! Checking sign-ins against their rows, many together.
//!
//! Those that come while one check runs share the next: how many statements it takes does not depend on how many
//! they are.

use std::collections::{BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::FutureExt;
use sea_orm::{ColumnTrait, QueryFilter};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::access::entity::{auth_session, user};
use crate::access::scope::find_global;
use crate::access::token::Subject;
use crate::db::Database;
use crate::error::{Error, Result};
use crate::id::{AuthSessionId, MembershipId, UserId, WorkspaceId};
use crate::member::entity as membership;
use crate::workspace::entity as workspace;

/// The most sign-ins that are checked together.
pub const GROUP: usize = 500;
/// The longest that a check may take.
const TIME: Duration = Duration::from_secs(2);

/// What the rows of a sign-in said.
pub struct Checked {
    pub user: UserId,
    pub platform_admin: bool,
    pub membership: Option<membership::Model>,
    expires_at: DateTime<Utc>,
}

impl Checked {
    /// Whether the token speaks of the same person in the same place, and the sign-in has not expired.
    pub fn admits(&self, claims: &Subject, now: DateTime<Utc>) -> bool {
        let seat = self.membership.as_ref().map(|member| (member.workspace_id, member.id));
        self.user == claims.user && seat == claims.seat && self.expires_at > now
    }
}

/// The task that checks.
pub struct Checks(mpsc::Sender<Job>);

struct Job {
    user: UserId,
    session: AuthSessionId,
    done: oneshot::Sender<Result<Arc<Checked>>>,
}

impl Checks {
    /// Starts the task; it ends when this is dropped.
    pub fn start(db: Database) -> Self {
        let (sender, mut jobs) = mpsc::channel(GROUP);
        tokio::spawn(async move {
            let mut group = Vec::new();
            while jobs.recv_many(&mut group, GROUP).await > 0 {
                run(&db, std::mem::take(&mut group)).await;
            }
        });
        Self(sender)
    }

    /// What the rows of the sign-in say now; `Unauthenticated` when one of them is not there or not in force.
    pub async fn check(&self, claims: &Subject) -> Result<Arc<Checked>> {
        let (done, checked) = oneshot::channel();
        let job = Job { user: claims.user, session: claims.session, done };
        self.0.send(job).await.map_err(|_| Error::Unavailable("sign-in"))?;
        checked.await.map_err(|_| Error::Unavailable("sign-in"))?
    }
}

async fn run(db: &Database, group: Vec<Job>) {
    let sign_ins: Vec<_> = group.iter().map(|job| (job.user, job.session)).collect();
    let checked = find(db, &sign_ins).await;
    for Job { user, session, done } in group {
        let outcome = match &checked {
            Ok(found) => found.get(&(user, session)).cloned().ok_or(Error::Unauthenticated),
            Err(error) => Err(error.clone()),
        };
        // Whoever went away does not wait any more.
        let _ = done.send(outcome);
    }
}

/// What the rows of these sign-ins say; one that is not in force is left out. Everybody waits for it, so that it takes
/// no longer than [`TIME`], whatever becomes of the connection.
pub async fn find(
    db: &Database,
    sign_ins: &[(UserId, AuthSessionId)],
) -> Result<HashMap<(UserId, AuthSessionId), Arc<Checked>>> {
    let found = AssertUnwindSafe(timeout(TIME, read(db, sign_ins))).catch_unwind().await;
    match found {
        Ok(Ok(found)) => found,
        Ok(Err(_)) | Err(_) => Err(Error::Unavailable("sign-in")),
    }
}

async fn read(
    db: &Database,
    sign_ins: &[(UserId, AuthSessionId)],
) -> Result<HashMap<(UserId, AuthSessionId), Arc<Checked>>> {
    let users: BTreeSet<UserId> = sign_ins.iter().map(|(user, _)| *user).collect();
    let users = Vec::from_iter(users);
    let sessions: BTreeSet<AuthSessionId> = sign_ins.iter().map(|(_, session)| *session).collect();
    let tx = db.begin_check(&users).await?;
    let overhead = tx.overhead();
    let sessions = find_global::<auth_session::Entity>()
        .filter(auth_session::Column::Id.is_in(sessions))
        .filter(auth_session::Column::RevokedAt.is_null())
        .all(&overhead)
        .await?;
    let users = find_global::<user::Entity>()
        .filter(user::Column::Id.is_in(users))
        .filter(user::Column::IsActive.eq(true))
        .all(&overhead)
        .await?;
    let seats: BTreeSet<MembershipId> = sessions.iter().filter_map(|session| session.membership_id).collect();
    let mut members = Vec::new();
    let mut workspaces = Vec::new();
    if !seats.is_empty() {
        members = find_global::<membership::Entity>()
            .filter(membership::Column::Id.is_in(seats))
            .filter(membership::Column::IsActive.eq(true))
            .all(&overhead)
            .await?;
        let places: BTreeSet<WorkspaceId> = members.iter().map(|member| member.workspace_id).collect();
        workspaces = find_global::<workspace::Entity>()
            .filter(workspace::Column::Id.is_in(places))
            .filter(workspace::Column::Status.eq(workspace::WorkspaceStatus::Active))
            .all(&overhead)
            .await?;
    }
    tx.rollback().await?;

    let users: HashMap<UserId, user::Model> = users.into_iter().map(|user| (user.id, user)).collect();
    let open: BTreeSet<WorkspaceId> = workspaces.into_iter().map(|workspace| workspace.id).collect();
    let members: HashMap<MembershipId, membership::Model> = members
        .into_iter()
        .filter(|member| open.contains(&member.workspace_id))
        .map(|member| (member.id, member))
        .collect();
    let in_force = sessions.into_iter().filter_map(|session| {
        let user = users.get(&session.user_id)?;
        let membership = match session.membership_id {
            Some(id) => Some(members.get(&id).filter(|member| member.user_id == Some(user.id))?.clone()),
            None => None,
        };
        let expires_at = session.expires_at.min(session.idle_expires_at);
        let checked =
            Checked { user: user.id, platform_admin: user.is_platform_admin, membership, expires_at };
        Some(((user.id, session.id), Arc::new(checked)))
    });
    Ok(in_force.collect())
}
