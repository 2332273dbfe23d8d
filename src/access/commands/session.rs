//! A sign-in's row and its refresh tokens: begun, carried on, ended.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, Set};
use uuid::Uuid;

use crate::access::actor::RequestInfo;
use crate::access::entity::{auth_session, refresh_token};
use crate::access::scope::find_global;
use crate::access::secret::SecretToken;
use crate::access::sessions::Identity;
use crate::access::token::{IssuedToken, Subject};
use crate::app::{App, UnitOfWork};
use crate::error::Result;
use crate::id::{AuthSessionId, RefreshTokenId, TypedId, UserId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::member::entity as membership;
use crate::workspace::entity::{self as workspace, WorkspaceStatus};

/// Longer user agents are cut.
const USER_AGENT_CHARS: usize = 512;

/// A person's place in a workspace that can be used.
#[derive(Clone)]
pub struct Seat {
    pub membership: membership::Model,
    pub workspace: workspace::Model,
}

/// What a client gets to act with.
pub struct Grant {
    pub subject: Subject,
    pub access: IssuedToken,
    pub refresh: SecretToken,
}

/// The active memberships of a person in active workspaces. The transaction must be scoped to the person:
/// this is what is known before a workspace is chosen.
pub async fn seats(db: &impl ConnectionTrait, user: UserId) -> Result<Vec<Seat>> {
    let memberships = find_global::<membership::Entity>()
        .filter(membership::Column::UserId.eq(user))
        .filter(membership::Column::IsActive.eq(true))
        .all(db)
        .await?;
    let workspaces = find_global::<workspace::Entity>()
        .filter(workspace::Column::Id.is_in(memberships.iter().map(|member| member.workspace_id)))
        .filter(workspace::Column::Status.eq(WorkspaceStatus::Active))
        .all(db)
        .await?;
    let mut seats: Vec<Seat> = memberships
        .into_iter()
        .filter_map(|membership| {
            let workspace = workspaces.iter().find(|workspace| workspace.id == membership.workspace_id)?;
            Some(Seat { workspace: workspace.clone(), membership })
        })
        .collect();
    seats.sort_unstable_by(|a, b| {
        (&a.workspace.name, a.workspace.id).cmp(&(&b.workspace.name, b.workspace.id))
    });
    Ok(seats)
}

/// How long a sign-in lives without use, and at most.
struct Life {
    idle: TimeDelta,
    absolute: TimeDelta,
}

impl Life {
    fn of(seat: Option<&Seat>) -> Self {
        let (idle, absolute) = seat.map_or((7 * 24, 30 * 24), |seat| {
            (seat.workspace.refresh_idle_hours, seat.workspace.refresh_absolute_hours)
        });
        Self { idle: TimeDelta::hours(idle.into()), absolute: TimeDelta::hours(absolute.into()) }
    }
}

/// Begins a sign-in on a device.
pub async fn begin(
    app: &App,
    unit: &UnitOfWork,
    user: UserId,
    seat: Option<&Seat>,
    request: &RequestInfo,
) -> Result<Grant> {
    let (now, life) = (unit.clock().now(), Life::of(seat));
    let session = unit
        .insert(auth_session::ActiveModel {
            id: Set(unit.id()),
            user_id: Set(user),
            membership_id: Set(seat.map(|seat| seat.membership.id)),
            workspace_id: Set(seat.map(|seat| seat.workspace.id)),
            ip: Set(request.ip.map(|ip| ip.to_string())),
            user_agent: Set(request
                .user_agent
                .as_deref()
                .map(|text| text.chars().take(USER_AGENT_CHARS).collect())),
            last_seen_at: Set(now),
            expires_at: Set(now + life.absolute),
            idle_expires_at: Set(now + life.idle),
            ..Default::default()
        })
        .await?;
    let family = unit.clock().new_uuid();
    let (_, refresh) = add_token(unit, session.id, family, session.idle_expires_at).await?;
    Ok(grant(app, user, session.id, seat, refresh))
}

/// Carries a sign-in on: moves its end, puts it into this place, and adds a refresh token to its family.
///
/// The caller holds the session's row and retires the tokens before.
pub async fn carry_on(
    app: &App,
    unit: &UnitOfWork,
    session: &auth_session::Model,
    family: Uuid,
    seat: Option<&Seat>,
) -> Result<(RefreshTokenId, Grant)> {
    let (now, life) = (unit.clock().now(), Life::of(seat));
    let ends = session.expires_at.min(session.created_at + life.absolute);
    let idle_ends = ends.min(now + life.idle);
    auth_session::Entity::update_many()
        .col_expr(auth_session::Column::MembershipId, Expr::value(seat.map(|seat| seat.membership.id)))
        .col_expr(auth_session::Column::WorkspaceId, Expr::value(seat.map(|seat| seat.workspace.id)))
        .col_expr(auth_session::Column::LastSeenAt, Expr::value(now))
        .col_expr(auth_session::Column::ExpiresAt, Expr::value(ends))
        .col_expr(auth_session::Column::IdleExpiresAt, Expr::value(idle_ends))
        .col_expr(auth_session::Column::UpdatedAt, Expr::value(now))
        .filter(auth_session::Column::Id.eq(session.id))
        .exec(&**unit)
        .await?;
    let (id, refresh) = add_token(unit, session.id, family, idle_ends).await?;
    Ok((id, grant(app, session.user_id, session.id, seat, refresh)))
}

async fn add_token(
    unit: &UnitOfWork,
    session: AuthSessionId,
    family: Uuid,
    expires_at: DateTime<Utc>,
) -> Result<(RefreshTokenId, SecretToken)> {
    let secret = SecretToken::generate();
    let row = refresh_token::ActiveModel {
        id: Set(unit.id()),
        auth_session_id: Set(session),
        family_id: Set(family),
        token_hash: Set(secret.hash().to_vec()),
        expires_at: Set(expires_at),
        ..Default::default()
    };
    Ok((unit.insert(row).await?.id, secret))
}

fn grant(
    app: &App,
    user: UserId,
    session: AuthSessionId,
    seat: Option<&Seat>,
    refresh: SecretToken,
) -> Grant {
    let seat = seat.map(|seat| (seat.workspace.id, seat.membership.id));
    let subject = Subject { user, session, seat };
    Grant { access: app.tokens.issue(&subject), subject, refresh }
}

/// Why a sign-in ended, as its row says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    SignedOut,
    Revoked,
    PasswordChanged,
    RefreshReused,
    MemberDeactivated,
}

impl Ended {
    fn code(self) -> &'static str {
        match self {
            Self::SignedOut => "SIGNED_OUT",
            Self::Revoked => "REVOKED",
            Self::PasswordChanged => "PASSWORD_CHANGED",
            Self::RefreshReused => "REFRESH_REUSED",
            Self::MemberDeactivated => "MEMBER_DEACTIVATED",
        }
    }
}

/// Ends the sign-ins that match, with their refresh tokens, and returns them: after the commit they are to be
/// forgotten ([`forget`]).
pub async fn end(unit: &UnitOfWork, which: Condition, why: Ended) -> Result<Vec<AuthSessionId>> {
    let now = unit.clock().now();
    let ids: Vec<AuthSessionId> = find_global::<auth_session::Entity>()
        .filter(which)
        .filter(auth_session::Column::RevokedAt.is_null())
        .all(&**unit)
        .await?
        .into_iter()
        .map(|session| session.id)
        .collect();
    if ids.is_empty() {
        return Ok(ids);
    }
    auth_session::Entity::update_many()
        .col_expr(auth_session::Column::RevokedAt, Expr::value(now))
        .col_expr(auth_session::Column::RevokedReason, Expr::value(why.code()))
        .col_expr(auth_session::Column::UpdatedAt, Expr::value(now))
        .filter(auth_session::Column::Id.is_in(ids.iter().copied()))
        .exec(&**unit)
        .await?;
    refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::RevokedAt, Expr::value(now))
        .col_expr(refresh_token::Column::UpdatedAt, Expr::value(now))
        .filter(refresh_token::Column::AuthSessionId.is_in(ids.iter().copied()))
        .filter(refresh_token::Column::RevokedAt.is_null())
        .exec(&**unit)
        .await?;
    Ok(ids)
}

/// Makes this node check these sign-ins again; the others do within five seconds.
pub fn forget(app: &App, sessions: &[AuthSessionId]) {
    for session in sessions {
        app.sessions.forget(*session);
    }
}

/// An event of somebody signed in, whether in a workspace or not.
pub fn event(identity: &Identity, request: &RequestInfo, kind: AuditKind, action: &'static str) -> Event {
    match &identity.actor {
        Some(actor) => Event::by(actor, kind, action),
        None => {
            let mut event = Event::anonymous(request, kind, action);
            event.user = Some(identity.user);
            event.session = Some(identity.session);
            event
        }
    }
}

/// An event of somebody who is about to be signed in, or has failed to.
pub fn event_of(
    request: &RequestInfo,
    user: Option<UserId>,
    seat: Option<&Seat>,
    session: Option<AuthSessionId>,
    kind: AuditKind,
    action: &'static str,
) -> Event {
    let mut event = Event::anonymous(request, kind, action);
    event.user = user;
    event.session = session;
    event.membership = seat.map(|seat| seat.membership.id);
    event.role = seat.map(|seat| seat.membership.role);
    match session {
        Some(session) => event.on(session),
        None => event,
    }
}

/// An id that no account has: an unknown account's seats are looked up like anybody's.
pub fn nobody() -> UserId {
    UserId::from_uuid(Uuid::nil())
}
