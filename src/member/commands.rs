//! What can be done to members.

pub mod invitation;

use sea_orm::{ColumnTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set};

use super::entity::{self, Column, Entity, Model, Role};
use super::input::{AddMemberInput, ChangeMemberRoleInput, UpdateMemberInput};
use crate::access::actor::Actor;
use crate::access::commands::credentials::{find_account, normal_email};
use crate::access::commands::session::{self, Ended};
use crate::access::entity::{auth_session, user};
use crate::access::permission::Permission;
use crate::access::scope::find_global;
use crate::app::{App, IdempotencyKey, UnitOfWork};
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::id::{AuthSessionId, MembershipId, UserId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;

/// Somebody with an account who joins a workspace without an invitation: its first owner, or whom the command
/// line adds.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub email: String,
    pub name: String,
    pub role: Role,
    /// For an account that does not exist yet; one that does keeps its own.
    pub password_hash: Option<String>,
}

/// The member that an account became.
pub struct AddedAccount {
    pub user: UserId,
    pub row: Model,
    /// Whether the account is new as well.
    pub new_account: bool,
}

/// Makes the account, if there is none with this address, a member of the workspace of this unit of work.
pub async fn add_account(unit: &UnitOfWork, new: &NewAccount) -> Result<AddedAccount> {
    let existing = find_account(&**unit, &new.email).await?;
    let new_account = existing.is_none();
    let user = match existing {
        Some(account) => account.id,
        None => create_account(unit, &new.email, &new.name, new.password_hash.clone(), false).await?,
    };
    let row = unit
        .insert(entity::ActiveModel {
            id: Set(unit.id()),
            user_id: Set(Some(user)),
            role: Set(new.role),
            display_name: Set(new.name.clone()),
            is_active: Set(true),
            is_bookable: Set(treats_patients(new.role)),
            accepted_at: Set(Some(unit.clock().now())),
            ..Default::default()
        })
        .await
        .map_err(already_member)?;
    Ok(AddedAccount { user, row, new_account })
}

/// A new account. An address proved by a mailed link counts as verified.
async fn create_account(
    unit: &UnitOfWork,
    email: &str,
    name: &str,
    password_hash: Option<String>,
    verified: bool,
) -> Result<UserId> {
    let account = user::ActiveModel {
        id: Set(unit.id()),
        email: Set(normal_email(email)),
        name: Set(name.trim().into()),
        password_hash: Set(password_hash),
        is_active: Set(true),
        email_verified_at: Set(verified.then(|| unit.clock().now())),
        ..Default::default()
    };
    let created = unit.insert(account).await.map_err(|error| match error.is_duplicate_of("email") {
        // Made by somebody else since it was looked up: only the password of that account helps now.
        true => Error::Unauthenticated,
        false => error,
    })?;
    Ok(created.id)
}

/// Adds a member without an account.
pub async fn add(
    app: &App,
    actor: &Actor,
    key: Option<&IdempotencyKey>,
    input: &AddMemberInput,
) -> Result<MembershipId> {
    actor.require(Permission::ManageMembers)?;

    app.write_once(actor, key, move |unit| async move {
        let id = unit.id::<MembershipId>();
        unit.insert(input.row(id)?).await?;

        unit.record(Event::by(actor, AuditKind::Write, "member.added").on(id));
        Ok(id)
    })
    .await
}

pub async fn update(app: &App, actor: &Actor, input: &UpdateMemberInput) -> Result<()> {
    actor.require(Permission::ManageMembers)?;

    app.write(actor, move |unit| async move {
        let member = require(&unit, actor, input.id).await?;
        expect_version(member.version, input.expected_version)?;

        unit.update(input.apply(member.into_active_model())?).await?;

        unit.record(Event::by(actor, AuditKind::Write, "member.updated").on(input.id));
        Ok(())
    })
    .await
}

/// Gives a member another role. It is felt at once on this node, within five seconds on the others.
pub async fn change_role(app: &App, actor: &Actor, input: &ChangeMemberRoleInput) -> Result<()> {
    actor.require(Permission::ManageMembers)?;

    let sessions = app
        .write(actor, move |unit| async move {
            hold_owners(&unit, actor).await?;
            let member = require(&unit, actor, input.id).await?;
            if member.role == input.role {
                return Ok(Vec::new());
            }
            expect_version(member.version, input.expected_version)?;
            // Nobody lends themselves rights; only owners, who have them all, may step down.
            if actor.membership == Some(member.id) && actor.role != Role::Owner {
                return Err(Error::Forbidden);
            }
            may_assign(actor, Some(member.role), input.role)?;
            if input.role == Role::Owner && member.user_id.is_none() && member.invited_at.is_none() {
                return Err(Error::invalid("role", "A member without an account cannot have this role."));
            }
            keep_an_owner(&unit, actor, &member).await?;

            let (id, was) = (member.id, member.role);
            let mut row = member.into_active_model();
            row.role = Set(input.role);
            unit.update(row).await?;

            let event = Event::by(actor, AuditKind::Write, "member.role_changed").on(id);
            unit.record(event.with("from", format!("{was:?}")).with("to", format!("{:?}", input.role)));
            sessions_of(&unit, id).await
        })
        .await?;
    session::forget(app, &sessions);
    Ok(())
}

/// Shuts a member out, or lets them in again. Doing it twice is doing it once.
///
/// Who is shut out has no sign-in left in this workspace; an open invitation is void.
pub async fn set_active(
    app: &App,
    actor: &Actor,
    id: MembershipId,
    version: i32,
    active: bool,
) -> Result<()> {
    actor.require(Permission::ManageMembers)?;

    let sessions = app
        .write(actor, move |unit| async move {
            hold_owners(&unit, actor).await?;
            let member = require(&unit, actor, id).await?;
            if member.deactivated_at.is_none() == active {
                return Ok(Vec::new());
            }
            expect_version(member.version, version)?;
            if member.role == Role::Owner && actor.role != Role::Owner {
                return Err(Error::Forbidden);
            }
            if !active {
                keep_an_owner(&unit, actor, &member).await?;
            }

            // Who has not accepted the invitation yet is not let in by this.
            let pending = member.user_id.is_none() && member.invited_at.is_some();
            let mut row = member.into_active_model();
            row.is_active = Set(active && !pending);
            row.deactivated_at = Set((!active).then(|| unit.clock().now()));
            unit.update(row).await?;

            let action = if active { "member.reactivated" } else { "member.deactivated" };
            unit.record(Event::by(actor, AuditKind::Write, action).on(id));
            if active {
                return Ok(Vec::new());
            }
            invitation::withdraw(&unit, id).await?;
            let which = Condition::all().add(auth_session::Column::MembershipId.eq(id));
            session::end(&unit, which, Ended::MemberDeactivated).await
        })
        .await?;
    session::forget(app, &sessions);
    Ok(())
}

/// The member for a change, or `NotFound`.
pub async fn require(unit: &UnitOfWork, actor: &Actor, id: MembershipId) -> Result<Model> {
    let found = actor.find::<Entity>().filter(Column::Id.eq(id)).one(&**unit).await?;
    found.ok_or(Error::NotFound)
}

/// Whether the actor may take one role and give the other.
fn may_assign(actor: &Actor, from: Option<Role>, to: Role) -> Result<()> {
    if from == Some(Role::Patient) || to == Role::Patient {
        return Err(Error::invalid("role", "PATIENT is neither given nor taken here."));
    }
    if (from == Some(Role::Owner) || to == Role::Owner) && actor.role != Role::Owner {
        return Err(Error::Forbidden);
    }
    Ok(())
}

fn owners(actor: &Actor) -> sea_orm::Select<Entity> {
    actor
        .find::<Entity>()
        .filter(Column::Role.eq(Role::Owner))
        .filter(Column::IsActive.eq(true))
        .filter(Column::UserId.is_not_null())
}

/// Makes two owners who demote each other at the same time do so one after the other: the second sees what the
/// first has done.
async fn hold_owners(unit: &UnitOfWork, actor: &Actor) -> Result<()> {
    owners(actor).order_by_asc(Column::Id).lock_exclusive().all(&**unit).await?;
    Ok(())
}

/// Refuses to lose the last active owner who can sign in.
async fn keep_an_owner(unit: &UnitOfWork, actor: &Actor, leaving: &Model) -> Result<()> {
    if leaving.role != Role::Owner || !leaving.is_active || leaving.user_id.is_none() {
        return Ok(());
    }
    let another = owners(actor).filter(Column::Id.ne(leaving.id)).one(&**unit).await?;
    match another {
        Some(_) => Ok(()),
        None => Err(Error::conflict("A workspace needs an active owner. Make somebody else an owner first.")),
    }
}

async fn sessions_of(unit: &UnitOfWork, id: MembershipId) -> Result<Vec<AuthSessionId>> {
    let sessions = find_global::<auth_session::Entity>()
        .filter(auth_session::Column::MembershipId.eq(id))
        .filter(auth_session::Column::RevokedAt.is_null())
        .all(&**unit)
        .await?;
    Ok(sessions.into_iter().map(|session| session.id).collect())
}

fn treats_patients(role: Role) -> bool {
    matches!(role, Role::Owner | Role::Doctor | Role::Nurse)
}

fn already_member(error: Error) -> Error {
    error.on_duplicate("user_id", "email", "This account is a member of the workspace already.")
}
