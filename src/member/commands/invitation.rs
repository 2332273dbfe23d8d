//! Invitations: a secret link that makes its reader a member.

use chrono::TimeDelta;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, Set};
use secrecy::SecretString;

use super::{already_member, create_account, may_assign, treats_patients};
use crate::access::actor::{Actor, RequestInfo};
use crate::access::commands::credentials::{self, Judgement, find_account, normal_email};
use crate::access::commands::session;
use crate::access::commands::sign_in::failed;
use crate::access::commands::sign_up::refuse_blocked;
use crate::access::entity::one_time_token::{self, TokenPurpose};
use crate::access::entity::user;
use crate::access::permission::Permission;
use crate::access::scope::find_global;
use crate::access::secret::SecretToken;
use crate::app::{App, UnitOfWork};
use crate::db::Scope;
use crate::error::{Error, Result};
use crate::graphql::input::Problems;
use crate::id::{MembershipId, OneTimeTokenId, WorkspaceId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::mail::Mail;
use crate::member::entity::{self, Column, Entity, Model};
use crate::member::input::InviteMemberInput;
use crate::workspace::entity as workspace;

/// How long an invitation can be accepted.
const LIFE: TimeDelta = TimeDelta::hours(72);

/// Invites an address. Whether it has an account elsewhere makes no difference.
///
/// An open invitation to the same address is replaced: its link is void, its member gets the new name and role.
pub async fn invite(app: &App, actor: &Actor, input: &InviteMemberInput) -> Result<MembershipId> {
    actor.require(Permission::ManageMembers)?;
    may_assign(actor, None, input.role)?;
    let email = normal_email(&input.email);
    let mut problems = Problems::default();
    problems.email("email", &email);
    problems.text("displayName", &input.display_name, 255);
    problems.ok()?;

    let email = &email;
    let (member, token, secret, practice) = app
        .write(actor, move |unit| async move {
            refuse_blocked(&**unit, email).await?;
            refuse_member(&unit, actor, email).await?;
            let member = match open_invitation(&unit, actor, email).await? {
                Some(open) => {
                    may_assign(actor, Some(open.role), input.role)?;
                    withdraw(&unit, open.id).await?;
                    open.into_active_model()
                }
                None => entity::ActiveModel { id: Set(unit.id()), ..Default::default() },
            };
            let id = save(&unit, actor, member, input).await?;

            let secret = SecretToken::generate();
            let token = unit
                .insert(one_time_token::ActiveModel {
                    id: Set(unit.id()),
                    purpose: Set(TokenPurpose::Invitation),
                    token_hash: Set(secret.hash().to_vec()),
                    email: Set(email.clone()),
                    membership_id: Set(Some(id)),
                    workspace_id: Set(Some(actor.workspace)),
                    expires_at: Set(unit.clock().now() + LIFE),
                    ..Default::default()
                })
                .await?;
            let practice = name_of(&**unit, actor.workspace).await?;

            let event = Event::by(actor, AuditKind::Write, "member.invited").on(id);
            unit.record(event.with("role", format!("{:?}", input.role)));
            Ok((id, token.id, secret, practice))
        })
        .await?;
    send(app, token, email, &practice, &secret).await?;
    Ok(member)
}

/// Stores the member who waits for acceptance.
async fn save(
    unit: &UnitOfWork,
    actor: &Actor,
    mut row: entity::ActiveModel,
    input: &InviteMemberInput,
) -> Result<MembershipId> {
    let repeated = row.created_at.is_unchanged();
    row.role = Set(input.role);
    row.display_name = Set(input.display_name.trim().into());
    row.is_active = Set(false);
    row.is_bookable = Set(treats_patients(input.role));
    row.invited_by = Set(actor.membership);
    row.invited_at = Set(Some(unit.clock().now()));
    let saved = if repeated { unit.update(row).await? } else { unit.insert(row).await? };
    Ok(saved.id)
}

/// Members are no secret to those who may invite.
async fn refuse_member(unit: &UnitOfWork, actor: &Actor, email: &str) -> Result<()> {
    let Some(account) = find_account(&**unit, email).await? else { return Ok(()) };
    let member = actor.find::<Entity>().filter(Column::UserId.eq(account.id)).one(&**unit).await?;
    match member {
        Some(_) => Err(Error::invalid("email", "This person is a member of the workspace already.")),
        None => Ok(()),
    }
}

/// The member who waits under this address.
async fn open_invitation(unit: &UnitOfWork, actor: &Actor, email: &str) -> Result<Option<Model>> {
    let tokens = find_global::<one_time_token::Entity>()
        .filter(one_time_token::Column::WorkspaceId.eq(actor.workspace))
        .filter(one_time_token::Column::Email.eq(email))
        .filter(one_time_token::Column::Purpose.eq(TokenPurpose::Invitation))
        .all(&**unit)
        .await?;
    let waiting = actor
        .find::<Entity>()
        .filter(Column::Id.is_in(tokens.iter().filter_map(|token| token.membership_id)))
        .filter(Column::UserId.is_null())
        .filter(Column::DeactivatedAt.is_null())
        .one(&**unit)
        .await?;
    Ok(waiting)
}

/// Voids the open invitations of a member.
pub(super) async fn withdraw(unit: &UnitOfWork, member: MembershipId) -> Result<()> {
    one_time_token::Entity::update_many()
        .col_expr(one_time_token::Column::UsedAt, Expr::value(unit.clock().now()))
        .filter(one_time_token::Column::MembershipId.eq(member))
        .filter(one_time_token::Column::UsedAt.is_null())
        .exec(&**unit)
        .await?;
    Ok(())
}

async fn send(
    app: &App,
    id: OneTimeTokenId,
    email: &str,
    practice: &str,
    secret: &SecretToken,
) -> Result<()> {
    // After the `#`, the secret stays out of the logs of every server on the way.
    let link = format!("{}/accept-invitation#token={}", app.config.public_url, secret.expose());
    let mail = Mail {
        to: email.into(),
        subject: format!("Invitation to {practice}"),
        text: format!(
            "You are invited to join {practice}.\n\nFollow this link within {} hours:\n{link}\n\n\
             If you do not know what this is about, ignore this message.",
            LIFE.num_hours()
        ),
    };
    app.mailer.send(id.0, &mail).await.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "an invitation could not be sent");
        Error::Unavailable("mail")
    })
}

async fn name_of(db: &impl ConnectionTrait, id: WorkspaceId) -> Result<String> {
    let found = find_global::<workspace::Entity>().filter(workspace::Column::Id.eq(id)).one(db).await?;
    Ok(found.ok_or(Error::NotFound)?.name)
}

/// Accepts an invitation with the account of the invited address, which is made if there is none; whoever has
/// one shows its password. Returns the workspace's name. Signs nobody in.
pub async fn accept(
    app: &App,
    request: &RequestInfo,
    token: &str,
    name: &str,
    password: &SecretString,
) -> Result<String> {
    let hash = SecretToken::parse(token).ok_or_else(void)?.hash().to_vec();
    let (token, account) = {
        let tx = app.db.begin_read(Scope::default()).await?;
        let token = find_global::<one_time_token::Entity>()
            .filter(one_time_token::Column::TokenHash.eq(hash))
            .filter(one_time_token::Column::Purpose.eq(TokenPurpose::Invitation))
            .filter(one_time_token::Column::UsedAt.is_null())
            .filter(one_time_token::Column::ExpiresAt.gt(app.clock.now()))
            .one(&tx)
            .await?
            .ok_or_else(void)?;
        let account = find_account(&tx, &token.email).await?;
        tx.rollback().await?;
        (token, account)
    };
    let (Some(workspace), Some(member)) = (token.workspace_id, token.membership_id) else {
        return Err(void());
    };
    let way = match &account {
        Some(account) => match credentials::check(app, Some(account), password).await? {
            Judgement::Right(proof) => Way::Existing(proof),
            Judgement::Wrong(reason) => return Err(failed(app, request, Some(account), None, reason).await),
        },
        None => {
            let mut problems = Problems::default();
            problems.text("name", name, 255);
            problems.ok()?;
            let known = vec![token.email.clone(), name.to_owned()];
            Way::New(credentials::hash_new(app, "password", password, known).await?)
        }
    };

    let (token, way) = (&token, &way);
    app.write_global(Scope::workspace(workspace), move |unit| async move {
        use_up(&unit, token).await?;
        let user = match way {
            Way::New(hash) => create_account(&unit, &token.email, name, Some(hash.clone()), true).await?,
            Way::Existing(proof) => {
                if !credentials::accept(&unit, proof).await? {
                    return Err(Error::Unauthenticated);
                }
                verify_email(&unit, proof.user).await?;
                proof.user
            }
        };
        let waiting = Actor::system(workspace, "invitation")
            .find::<Entity>()
            .filter(Column::Id.eq(member))
            .filter(Column::UserId.is_null())
            .filter(Column::DeactivatedAt.is_null())
            .one(&**unit)
            .await?
            .ok_or_else(void)?;
        let role = waiting.role;
        let mut row = waiting.into_active_model();
        row.user_id = Set(Some(user));
        row.is_active = Set(true);
        row.accepted_at = Set(Some(unit.clock().now()));
        unit.update(row).await.map_err(already_member)?;

        let mut event = session::event_of(request, Some(user), None, None, AuditKind::Auth, "member.joined");
        (event.membership, event.role) = (Some(member), Some(role));
        unit.record(event.on(member));
        name_of(&**unit, workspace).await
    })
    .await
}

/// How the account comes about.
enum Way {
    New(String),
    Existing(credentials::Proof),
}

/// Of those who use a token at the same time, one gets through.
async fn use_up(unit: &UnitOfWork, token: &one_time_token::Model) -> Result<()> {
    let now = unit.clock().now();
    let used = one_time_token::Entity::update_many()
        .col_expr(one_time_token::Column::UsedAt, Expr::value(now))
        .col_expr(one_time_token::Column::UpdatedAt, Expr::value(now))
        .filter(one_time_token::Column::Id.eq(token.id))
        .filter(one_time_token::Column::UsedAt.is_null())
        .filter(one_time_token::Column::ExpiresAt.gt(now))
        .exec(&**unit)
        .await?;
    if used.rows_affected == 1 { Ok(()) } else { Err(void()) }
}

/// Who holds the link reads the address's mail.
async fn verify_email(unit: &UnitOfWork, id: crate::id::UserId) -> Result<()> {
    user::Entity::update_many()
        .col_expr(user::Column::EmailVerifiedAt, Expr::value(unit.clock().now()))
        .filter(user::Column::Id.eq(id))
        .filter(user::Column::EmailVerifiedAt.is_null())
        .exec(&**unit)
        .await?;
    Ok(())
}

fn void() -> Error {
    Error::invalid("token", "This invitation is not valid, or not any more. Ask for another one.")
}
