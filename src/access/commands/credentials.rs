//! Whether somebody knows an account's password, and what guessing costs.
//!
//! Every attempt costs one hash and ends in the same answer, whether there is no such account, it is closed,
//! it makes its visitors wait, or the password is wrong. After ten wrong passwords in a row the account waits
//! before it looks at the next one: a second, then twice as long each time, fifteen minutes at most. Nobody is
//! locked out for good by somebody else's guessing.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter};
use secrecy::SecretString;

use crate::access::entity::user;
use crate::access::password::{PasswordError, PolicyProblem, Verdict};
use crate::access::scope::find_global;
use crate::app::{App, UnitOfWork};
use crate::error::{Error, Result};
use crate::graphql::input::{Problems, is_email};
use crate::id::UserId;

/// Wrong passwords in a row that cost nothing.
const FREE_ATTEMPTS: i32 = 10;
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(15);

/// What checking a password came to.
pub enum Judgement {
    Right(Proof),
    /// With the reason for the journal; the client never learns it.
    Wrong(&'static str),
}

/// A password was right when it was checked. [`accept`] says whether it still counts.
pub struct Proof {
    pub user: UserId,
    /// The hash that it was checked against.
    checked: String,
    /// A new hash, when the stored one is weaker than new ones.
    stronger: Option<String>,
}

/// An address as it is stored and looked up.
pub fn normal_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// The account of an address. Accounts are global: whoever signs in is in no workspace yet.
pub async fn find_account(db: &impl ConnectionTrait, email: &str) -> Result<Option<user::Model>> {
    let email = normal_email(email);
    if !is_email(&email) {
        return Ok(None);
    }
    Ok(find_global::<user::Entity>().filter(user::Column::Email.eq(email)).one(db).await?)
}

/// Checks a password with exactly one hash, whoever the account belongs to, if anybody.
pub async fn check(app: &App, account: Option<&user::Model>, password: &SecretString) -> Result<Judgement> {
    let now = app.clock.now();
    let (stored, reason) = match account {
        None => (None, "unknown_account"),
        Some(account) if !account.is_active => (None, "inactive_account"),
        Some(account) if account.sign_in_blocked_until.is_some_and(|until| until > now) => {
            (None, "throttled")
        }
        Some(account) => (account.password_hash.as_deref().map(|hash| (account.id, hash)), "wrong_password"),
    };
    let verdict = match stored {
        Some((_, hash)) => match app.passwords.verify(password.clone(), hash).await {
            Err(PasswordError::BrokenHash) => {
                tracing::error!("an account's stored password hash cannot be read");
                app.passwords.verify_nobody(password.clone()).await.map(|()| Verdict::Wrong)
            }
            verdict => verdict,
        },
        None => app.passwords.verify_nobody(password.clone()).await.map(|()| Verdict::Wrong),
    };
    match (verdict, stored) {
        (Ok(Verdict::Right { needs_rehash }), Some((user, hash))) => {
            let stronger = match needs_rehash {
                true => Some(app.passwords.hash(password.clone()).await.map_err(refused)?),
                false => None,
            };
            Ok(Judgement::Right(Proof { user, checked: hash.to_owned(), stronger }))
        }
        (Ok(_) | Err(PasswordError::TooLong), _) => Ok(Judgement::Wrong(reason)),
        (Err(error), _) => Err(refused(error)),
    }
}

/// Clears the count of wrong passwords, unless meanwhile the account was closed, got another password, or
/// was guessed at too often: a guess among many at once does not count because it was the right one.
pub async fn accept(unit: &UnitOfWork, proof: &Proof) -> Result<bool> {
    let now = unit.clock().now();
    let mut update = Query::update()
        .table(user::Entity)
        .value(user::Column::FailedSignIns, 0)
        .value(user::Column::SignInBlockedUntil, None::<DateTime<Utc>>)
        .value(user::Column::LastLoginAt, now)
        .and_where(user::Column::Id.eq(proof.user))
        .and_where(user::Column::IsActive.eq(true))
        .and_where(user::Column::PasswordHash.eq(proof.checked.as_str()))
        .cond_where(not_blocked(now))
        .to_owned();
    if let Some(stronger) = &proof.stronger {
        update.value(user::Column::PasswordHash, stronger.as_str());
    }
    Ok(unit.execute(&update).await?.rows_affected() == 1)
}

/// Counts a wrong password. One that was not looked at does not count.
pub async fn count_failure(unit: &UnitOfWork, account: UserId) -> Result<()> {
    let now = unit.clock().now();
    let count = Query::update()
        .table(user::Entity)
        .value(user::Column::FailedSignIns, Expr::col(user::Column::FailedSignIns).add(1))
        .and_where(user::Column::Id.eq(account))
        .cond_where(not_blocked(now))
        .returning_col(user::Column::FailedSignIns)
        .to_owned();
    let Some(row) = unit.query_one(&count).await? else { return Ok(()) };
    let failures: i32 = row.try_get("", "failed_sign_ins")?;
    if failures >= FREE_ATTEMPTS {
        user::Entity::update_many()
            .col_expr(user::Column::SignInBlockedUntil, Expr::value(now + wait(failures)))
            .filter(user::Column::Id.eq(account))
            .exec(&**unit)
            .await?;
    }
    Ok(())
}

fn not_blocked(now: DateTime<Utc>) -> Condition {
    Condition::any()
        .add(user::Column::SignInBlockedUntil.is_null())
        .add(user::Column::SignInBlockedUntil.lte(now))
}

/// How long the account waits after so many wrong passwords.
fn wait(failures: i32) -> TimeDelta {
    let doublings = (failures - FREE_ATTEMPTS).clamp(0, 16);
    TimeDelta::seconds(1 << doublings).min(LONGEST_WAIT)
}

/// The hash of a password that its user has just chosen, or what is wrong with it.
pub async fn hash_new(app: &App, field: &str, password: &SecretString, known: Vec<String>) -> Result<String> {
    match app.passwords.hash_new(password.clone(), known).await {
        Ok(hash) => Ok(hash),
        Err(PasswordError::Refused(faults)) => {
            let mut problems = Problems::default();
            for fault in faults {
                problems.add(field, advice(fault));
            }
            problems.ok()?;
            Err(Error::invalid(field, "Choose another password."))
        }
        Err(error) => Err(refused(error)),
    }
}

fn advice(fault: PolicyProblem) -> String {
    match fault {
        PolicyProblem::TooShort => format!("Use at least {} characters.", crate::access::password::MIN_CHARS),
        PolicyProblem::TooLong => format!("At most {} characters.", crate::access::password::MAX_CHARS),
        PolicyProblem::TooGuessable => "This is easy to guess. Use several unrelated words.".into(),
    }
}

fn refused(error: PasswordError) -> Error {
    match error {
        PasswordError::Overloaded => Error::Unavailable("passwords"),
        other => Error::internal(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_a_second_to_fifteen_minutes() {
        let seconds: Vec<i64> = [10, 11, 12, 19, 20, 21, i32::MAX].map(|n| wait(n).num_seconds()).into();
        assert_eq!(seconds, [1, 2, 4, 512, 900, 900, 900]);
    }
}
