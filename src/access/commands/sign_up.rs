//! Opening a workspace of one's own.
//!
//! Whether an address has an account already is not told for free: everything else about the request is judged
//! first, with the same work, and somebody else's address then fails like a wrong password. Only who really
//! opens a workspace learns that the address was new.

use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter};
use secrecy::SecretString;

use super::credentials::{self, Judgement, Proof};
use super::session::{self, Grant, Seat};
use super::sign_in::failed;
use crate::access::actor::RequestInfo;
use crate::access::entity::email_blocklist;
use crate::access::scope::find_global;
use crate::app::App;
use crate::db::Scope;
use crate::error::{Error, Result};
use crate::graphql::input::{Problems, fold};
use crate::id::{TypedId, WorkspaceId};
use crate::journal::entity::AuditKind;
use crate::member::commands::{NewAccount, add_account};
use crate::member::entity::Role;
use crate::workspace::commands::{self as workspace_commands, NewWorkspace};
use crate::workspace::entity as workspace;

/// Who opens which workspace.
pub struct SignUp {
    pub email: String,
    pub password: SecretString,
    pub name: String,
    /// An empty short name is made from the workspace's name.
    pub workspace: NewWorkspace,
}

/// Creates the account (unless the person has one and shows its password), the workspace and its owner, and
/// signs the owner in.
pub async fn sign_up(app: &App, request: &RequestInfo, input: &SignUp) -> Result<Grant> {
    if !app.config.sign_up {
        return Err(Error::Forbidden);
    }
    let email = credentials::normal_email(&input.email);
    let mut problems = Problems::default();
    problems.email("email", &email);
    problems.text("name", &input.name, 255);
    input.workspace.check(&mut problems, "workspaceName");
    problems.ok()?;

    let id = WorkspaceId::new(&app.clock);
    let (account, slug) = {
        let tx = app.db.begin_read(Scope::default()).await?;
        refuse_blocked(&tx, &email).await?;
        let slug = choose_slug(&tx, id, &input.workspace).await?;
        let account = credentials::find_account(&tx, &email).await?;
        tx.rollback().await?;
        (account, slug)
    };
    let known = vec![email.clone(), input.name.clone(), input.workspace.name.clone()];
    let hash = credentials::hash_new(app, "password", &input.password, known).await?;
    let judgement = credentials::check(app, account.as_ref(), &input.password).await?;
    let proof: Option<Proof> = match (judgement, &account) {
        (Judgement::Right(proof), Some(account)) if account.totp_enabled_at.is_none() => Some(proof),
        (Judgement::Wrong(reason), Some(_)) => {
            return Err(failed(app, request, account.as_ref(), None, reason).await);
        }
        (Judgement::Right(_), Some(_)) => {
            return Err(failed(app, request, account.as_ref(), None, "second_factor_required").await);
        }
        (_, None) => None,
    };

    let new = NewWorkspace { slug, ..input.workspace.clone() };
    let (new, email, hash, proof) = (&new, &email, &hash, &proof);
    let granted = app
        .write_global(Scope::workspace(id), move |unit| async move {
            if let Some(proof) = proof
                && !credentials::accept(&unit, proof).await?
            {
                return Ok(None);
            }
            let workspace = workspace_commands::create(app, &unit, id, new).await?;
            let account = NewAccount {
                email: email.clone(),
                name: input.name.trim().into(),
                role: Role::Owner,
                password_hash: Some(hash.clone()),
            };
            let membership = add_account(&unit, &account).await?;
            if proof.is_none() && !membership.new_account {
                // Somebody opened an account with this address a moment ago.
                return Err(Error::Unauthenticated);
            }
            let user = membership.user;
            let seat = Seat { membership: membership.row, workspace };
            let grant = session::begin(app, &unit, user, Some(&seat), request).await?;
            let session = Some(grant.subject.session);
            let event =
                |kind, action| session::event_of(request, Some(user), Some(&seat), session, kind, action);
            unit.record(event(AuditKind::Write, "workspace.created").on(id));
            unit.record(event(AuditKind::Auth, "auth.signed_in"));
            Ok(Some(grant))
        })
        .await?;
    match granted {
        Some(grant) => Ok(grant),
        None => Err(failed(app, request, account.as_ref(), None, "throttled").await),
    }
}

/// Refuses an address on the block list.
pub async fn refuse_blocked(db: &impl ConnectionTrait, email: &str) -> Result<()> {
    let blocked = find_global::<email_blocklist::Entity>()
        .filter(email_blocklist::Column::Email.eq(email))
        .one(db)
        .await?;
    match blocked {
        Some(_) => Err(Error::invalid("email", "This address cannot be used.")),
        None => Ok(()),
    }
}

/// The short name asked for, if it is free, or one made from the name.
async fn choose_slug(db: &impl ConnectionTrait, id: WorkspaceId, new: &NewWorkspace) -> Result<String> {
    if !new.slug.is_empty() {
        return match taken(db, &new.slug).await? {
            true => Err(Error::invalid("workspaceSlug", "Another workspace has this short name.")),
            false => Ok(new.slug.clone()),
        };
    }
    let slug = slug_of(&new.name);
    if !taken(db, &slug).await? {
        return Ok(slug);
    }
    let id = id.to_string();
    let tail = id.get(id.len().saturating_sub(8)..).unwrap_or_default();
    Ok(format!("{slug}-{tail}"))
}

async fn taken(db: &impl ConnectionTrait, slug: &str) -> Result<bool> {
    let found = find_global::<workspace::Entity>().filter(workspace::Column::Slug.eq(slug)).one(db).await?;
    Ok(found.is_some())
}

/// "Clínica San José" becomes `clinica-san-jose`.
fn slug_of(name: &str) -> String {
    let folded = fold(name);
    let words = folded.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = String::new();
    for word in words {
        let hyphen = usize::from(!slug.is_empty());
        if slug.len() + hyphen + word.len() > 50 {
            break;
        }
        if hyphen == 1 {
            slug.push('-');
        }
        slug.push_str(word);
    }
    if slug.is_empty() { "practice".into() } else { slug }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_made_of_plain_letters() {
        for (name, slug) in [
            ("Clínica San José", "clinica-san-jose"),
            ("  Dr. Łukasz & Co. ", "dr-lukasz-co"),
            ("鯨", "practice"),
            ("", "practice"),
        ] {
            assert_eq!(slug_of(name), slug);
        }
        assert!(slug_of(&"long name ".repeat(20)).len() <= 50);
    }
}
