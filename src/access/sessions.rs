//! Who a token stands for, checked against the sign-in's row with every request.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::sync::Cache;
use sea_orm::{ColumnTrait, QueryFilter};

use super::actor::{Actor, RequestInfo};
use super::entity::{auth_session, user};
use super::permission::Permission;
use super::scope::find_global;
use super::token::Subject;
use crate::app::App;
use crate::db::Scope;
use crate::error::{Error, Result};
use crate::id::{AuthSessionId, UserId};
use crate::member::entity as membership;
use crate::workspace::entity as workspace;

/// How long a check holds. With the second after which an idle stream asks again, a sign-out or a change of role
/// is felt within five seconds.
const HOLDS: Duration = Duration::from_secs(4);

/// A signed-in person.
#[derive(Clone, Debug)]
pub struct Identity {
    pub user: UserId,
    pub session: AuthSessionId,
    pub platform_admin: bool,
    /// Present when the sign-in is in a workspace.
    pub actor: Option<Arc<Actor>>,
}

impl Identity {
    /// Whom a token of this sign-in names: what a long-lived operation is checked by again.
    pub fn subject(&self) -> Subject {
        let seat = self.actor.as_ref().and_then(|actor| Some((actor.workspace, actor.membership?)));
        Subject { user: self.user, session: self.session, seat }
    }

    pub fn permits(&self, permission: Permission) -> Result<()> {
        if permission == Permission::ManagePlatform {
            return if self.platform_admin { Ok(()) } else { Err(Error::Forbidden) };
        }
        self.actor.as_ref().ok_or(Error::Unauthenticated)?.require(permission)
    }
}

/// Recently checked sign-ins.
pub struct Sessions(Cache<AuthSessionId, Arc<Checked>>);

/// What the rows said.
struct Checked {
    user: UserId,
    platform_admin: bool,
    membership: Option<membership::Model>,
    expires_at: DateTime<Utc>,
}

impl Checked {
    /// Whether the token speaks of the same person in the same place, and the sign-in has not expired.
    fn admits(&self, claims: &Subject, now: DateTime<Utc>) -> bool {
        let seat = self.membership.as_ref().map(|member| (member.workspace_id, member.id));
        self.user == claims.user && seat == claims.seat && self.expires_at > now
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(100_000).time_to_live(HOLDS).build())
    }
}

impl Sessions {
    /// Forgets a sign-in at once on this node.
    pub fn forget(&self, session: AuthSessionId) {
        self.0.invalidate(&session);
    }

    /// Forgets every sign-in at once on this node: after a change that touches many.
    pub fn forget_all(&self) {
        self.0.invalidate_all();
    }
}

impl App {
    /// The person behind an access token and how long it holds, or `Unauthenticated`.
    pub async fn authenticate(
        &self,
        token: &str,
        request: &RequestInfo,
    ) -> Result<(Identity, DateTime<Utc>)> {
        let claims = self.tokens.verify(token).map_err(|_| Error::Unauthenticated)?;
        Ok((self.identify(&claims.subject, request).await?, claims.expires_at))
    }

    /// The person whom a verified token names, as the rows have it now.
    pub async fn identify(&self, claims: &Subject, request: &RequestInfo) -> Result<Identity> {
        // What is remembered may be older than the token: then the sign-in was moved or prolonged elsewhere.
        let remembered =
            self.sessions.0.get(&claims.session).filter(|checked| checked.admits(claims, self.clock.now()));
        let checked = match remembered {
            Some(checked) => checked,
            None => {
                let checked = Arc::new(self.check(claims).await?);
                self.sessions.0.insert(claims.session, checked.clone());
                checked
            }
        };
        if !checked.admits(claims, self.clock.now()) {
            return Err(Error::Unauthenticated);
        }
        let actor = checked.membership.as_ref().map(|member| {
            Arc::new(Actor {
                workspace: member.workspace_id,
                user: Some(checked.user),
                membership: Some(member.id),
                session: Some(claims.session),
                role: member.role,
                patient: member.patient_id,
                request: request.clone(),
            })
        });
        Ok(Identity {
            user: checked.user,
            session: claims.session,
            platform_admin: checked.platform_admin,
            actor,
        })
    }

    async fn check(&self, claims: &Subject) -> Result<Checked> {
        let tx = self.db.begin_read(Scope::user(claims.user)).await?;
        let overhead = tx.overhead();
        let session = find_global::<auth_session::Entity>()
            .filter(auth_session::Column::Id.eq(claims.session))
            .filter(auth_session::Column::UserId.eq(claims.user))
            .one(&overhead)
            .await?
            .filter(|session| session.revoked_at.is_none())
            .ok_or(Error::Unauthenticated)?;
        let user = find_global::<user::Entity>()
            .filter(user::Column::Id.eq(claims.user))
            .one(&overhead)
            .await?
            .filter(|user| user.is_active)
            .ok_or(Error::Unauthenticated)?;
        let membership = match session.membership_id {
            None => None,
            Some(id) => {
                let member = find_global::<membership::Entity>()
                    .filter(membership::Column::Id.eq(id))
                    .filter(membership::Column::UserId.eq(claims.user))
                    .one(&overhead)
                    .await?
                    .filter(|member| member.is_active)
                    .ok_or(Error::Unauthenticated)?;
                find_global::<workspace::Entity>()
                    .filter(workspace::Column::Id.eq(member.workspace_id))
                    .one(&overhead)
                    .await?
                    .filter(|workspace| workspace.status == workspace::WorkspaceStatus::Active)
                    .ok_or(Error::Unauthenticated)?;
                Some(member)
            }
        };
        tx.rollback().await?;
        Ok(Checked {
            user: user.id,
            platform_admin: user.is_platform_admin,
            membership,
            expires_at: session.expires_at.min(session.idle_expires_at),
        })
    }
}
