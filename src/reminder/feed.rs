//! Reading a calendar feed by its secret address.

use chrono::{Duration, Months};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::calendar_feed as feed;
use super::ics;
use crate::access::actor::Actor;
use crate::access::secret::SecretToken;
use crate::app::App;
use crate::appointment::entity as appointment;
use crate::error::{Error, Result};
use crate::id::{TypedId, WorkspaceId};
use crate::workspace::entity::WorkspaceStatus;
use crate::{location, member, workspace};

/// How far back a feed goes.
const BACK: Duration = Duration::days(30);
/// How far ahead.
const AHEAD: Months = Months::new(12);
/// A program that asks often is noted this often.
const NOTED: Duration = Duration::hours(1);

/// The last part of a feed's address: whose workspace it is in, so that row-level security lets the feed be found,
/// and the secret that it is found by.
pub struct FeedToken {
    workspace: WorkspaceId,
    secret: SecretToken,
}

/// Characters of a TypeID without its prefix.
const ID: usize = 26;

impl FeedToken {
    pub fn generate(workspace: WorkspaceId) -> Self {
        Self { workspace, secret: SecretToken::generate() }
    }

    /// A token as it is written; `None` when no generated one looks like that.
    pub fn parse(text: &str) -> Option<Self> {
        let (workspace, secret) = text.split_at_checked(ID)?;
        let workspace = WorkspaceId::parse(&format!("{}_{workspace}", WorkspaceId::PREFIX))?;
        Some(Self { workspace, secret: SecretToken::parse(secret)? })
    }

    pub fn hash(&self) -> [u8; 32] {
        self.secret.hash()
    }

    /// The address to subscribe to: a secret, shown once.
    pub fn url(&self, public_url: &str) -> String {
        let workspace = self.workspace.to_string();
        let workspace = &workspace[workspace.len() - ID..];
        format!("{}/calendar/{workspace}{}.ics", public_url.trim_end_matches('/'), self.secret.expose())
    }
}

/// The calendar file behind a token. Whatever is wrong with it, and whoever it belonged to: `NotFound`.
pub async fn read(app: &App, token: &str) -> Result<String> {
    let token = FeedToken::parse(token).ok_or(Error::NotFound)?;
    let actor = Actor::system(token.workspace, "calendar");
    let now = app.clock.now();
    let tx = app.db.begin_read(actor.scope()).await?;
    let found = actor
        .find::<feed::Entity>()
        .filter(feed::Column::TokenHash.eq(token.hash().to_vec()))
        .filter(feed::Column::RevokedAt.is_null())
        .one(&tx)
        .await?
        .ok_or(Error::NotFound)?;
    let practitioner = actor
        .find::<member::entity::Entity>()
        .filter(member::entity::Column::Id.eq(found.membership_id))
        .filter(member::entity::Column::IsActive.eq(true))
        .one(&tx)
        .await?
        .ok_or(Error::NotFound)?;
    let workspace = workspace::queries::require(&tx, token.workspace).await?;
    if workspace.status != WorkspaceStatus::Active {
        return Err(Error::NotFound);
    }
    let appointments = actor
        .find::<appointment::Entity>()
        .filter(appointment::Column::PractitionerId.eq(practitioner.id))
        .filter(appointment::Column::StartsAt.gte(now - BACK))
        .filter(appointment::Column::StartsAt.lt(now + AHEAD))
        .order_by_asc(appointment::Column::StartsAt)
        .order_by_asc(appointment::Column::Id)
        .all(&tx)
        .await?;
    let places = actor.find::<location::entity::Entity>().all(&tx).await?;
    tx.rollback().await?;

    if found.last_read_at.is_none_or(|at| at + NOTED <= now) {
        note_read(app, &actor, &found).await?;
    }
    let entries = appointments.iter().map(|appointment| ics::Entry {
        appointment,
        place: places.iter().find(|p| Some(p.id) == appointment.location_id).map(|p| p.name.as_str()),
    });
    Ok(ics::feed(&workspace.name, &entries.collect::<Vec<_>>()))
}

async fn note_read(app: &App, actor: &Actor, found: &feed::Model) -> Result<()> {
    app.write(actor, move |unit| async move {
        feed::Entity::update_many()
            .col_expr(feed::Column::LastReadAt, Expr::value(unit.clock().now()))
            .filter(feed::Column::WorkspaceId.eq(actor.workspace))
            .filter(feed::Column::Id.eq(found.id))
            .exec(&**unit)
            .await?;
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_from_its_address() {
        let token = FeedToken::generate(WorkspaceId(uuid::Uuid::from_u128(7)));
        let url = token.url("https://praxis.example/");
        let text =
            url.strip_prefix("https://praxis.example/calendar/").unwrap().strip_suffix(".ics").unwrap();
        let read = FeedToken::parse(text).unwrap();
        assert_eq!((read.workspace, read.hash()), (token.workspace, token.hash()));
        for wrong in ["", "x", &text[1..], &text[..68], &format!("{text}A"), &"é".repeat(40)] {
            assert!(FeedToken::parse(wrong).is_none(), "{wrong}");
        }
    }
}
