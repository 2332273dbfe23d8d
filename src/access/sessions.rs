//! Who a token stands for, checked against the sign-in's row with every request.

mod check;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::sync::Cache;
use tokio::task::JoinSet;

use self::check::{Checked, Checks};
pub use self::watch::Watch;
use self::watch::Watches;
use super::actor::{Actor, RequestInfo};
use super::permission::Permission;
use super::token::Subject;
use crate::app::App;
use crate::clock::Clock;
use crate::db::Database;
use crate::error::{Error, Result};
use crate::id::{AuthSessionId, UserId};

/// How long a check holds: so long a sign-out or a change of role may go unfelt. Those who follow the workspace feel
/// it earlier: what is behind open sockets and streams is checked more often.
const HOLDS: Duration = Duration::from_secs(3);

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

/// What recent checks found.
#[derive(Clone)]
struct Remembered {
    checked: Cache<AuthSessionId, Arc<Checked>>,
    /// How often something was forgotten on purpose.
    forgotten: Arc<AtomicU64>,
}

impl Remembered {
    fn new() -> Self {
        let checked = Cache::builder().max_capacity(100_000).time_to_live(HOLDS).build();
        Self { checked, forgotten: Arc::default() }
    }

    /// To be asked for before the rows are read that are to be kept.
    fn mark(&self) -> u64 {
        self.forgotten.load(Ordering::SeqCst)
    }

    /// Keeps what the rows said, unless something was forgotten since the mark: then they may say something else now.
    fn keep(&self, mark: u64, session: AuthSessionId, checked: Arc<Checked>) {
        self.checked.insert(session, checked);
        if self.mark() != mark {
            self.checked.invalidate(&session);
        }
    }

    fn forget(&self, session: AuthSessionId) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.checked.invalidate(&session);
    }

    fn forget_all(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.checked.invalidate_all();
    }
}

/// Recently checked sign-ins, and those behind open sockets and streams.
pub struct Sessions {
    remembered: Remembered,
    checks: Checks,
    watches: Watches,
    /// Ends with this.
    _watching: JoinSet<()>,
}

impl Sessions {
    pub fn start(db: Database, clock: Clock) -> Self {
        let remembered = Remembered::new();
        let watches = Watches::default();
        let mut watching = JoinSet::new();
        watching.spawn(watches.clone().run(db.clone(), clock, remembered.clone()));
        Self { remembered, checks: Checks::start(db), watches, _watching: watching }
    }

    /// Forgets a sign-in at once on this node.
    pub fn forget(&self, session: AuthSessionId) {
        self.remembered.forget(session);
        self.watches.alarm(session);
    }

    /// Forgets every sign-in at once on this node: after a change that touches many.
    pub fn forget_all(&self) {
        self.remembered.forget_all();
        self.watches.alarm_all();
    }

    /// Watches a sign-in, and its token when it is said until when that holds.
    pub fn watch(&self, subject: Subject, until: Option<DateTime<Utc>>) -> Watch {
        self.watches.add(subject, until)
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
        let Sessions { remembered, checks, .. } = &self.sessions;
        let known = remembered
            .checked
            .get(&claims.session)
            .filter(|checked| checked.admits(claims, self.clock.now()));
        let checked = match known {
            Some(checked) => checked,
            None => {
                let mark = remembered.mark();
                let checked = checks.check(claims).await?;
                remembered.keep(mark, claims.session, checked.clone());
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
}
