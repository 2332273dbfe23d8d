//! Changing one's notifications, making and revoking calendar feeds.

use sea_orm::{ColumnTrait, IntoActiveModel, PaginatorTrait, QueryFilter, Set};

use super::calendar_feed as feed;
use super::feed::FeedToken;
use super::input::{
    CreateCalendarFeedInput, RevokeCalendarFeedInput, UpdateNotificationSettingsInput, untouched,
};
use super::{plan, queries};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::App;
use crate::db::tx::expect_version;
use crate::error::{Error, Result};
use crate::id::{CalendarFeedId, NotificationSettingId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;

/// Feeds in use that a member can have.
const MOST_FEEDS: u64 = 20;

pub async fn update_settings(
    app: &App,
    actor: &Actor,
    input: &UpdateNotificationSettingsInput,
) -> Result<()> {
    actor.require(Permission::ManageAppointments)?;
    let member = actor.membership.ok_or(Error::Forbidden)?;

    app.write(actor, move |unit| async move {
        let present = plan::settings_of(&unit, actor, member).await?;
        expect_version(present.as_ref().map_or(0, |row| row.version), input.expected_version)?;

        let saved = match present {
            Some(row) => unit.update(input.apply(row.into_active_model())?).await?,
            None => {
                let row = input.apply(untouched(unit.id::<NotificationSettingId>(), member))?;
                // Two first changes at once: the second one has not seen the first.
                unit.insert(row).await.map_err(|error| match error.is_duplicate_of("membership_id") {
                    true => Error::StaleVersion { current: 1 },
                    false => error,
                })?
            }
        };
        plan::for_all_of_practitioner(&unit, actor, &saved).await?;

        unit.record(Event::by(actor, AuditKind::Write, "notification_settings.updated").on(saved.id));
        Ok(())
    })
    .await
}

/// Makes a feed of the own calendar. Its secret is told once and not stored.
pub async fn create_feed(
    app: &App,
    actor: &Actor,
    input: &CreateCalendarFeedInput,
) -> Result<(CalendarFeedId, FeedToken)> {
    actor.require(Permission::ManageAppointments)?;
    let member = actor.membership.ok_or(Error::Forbidden)?;
    input.check()?;

    app.write(actor, move |unit| async move {
        let used = actor
            .find::<feed::Entity>()
            .filter(feed::Column::MembershipId.eq(member))
            .filter(feed::Column::RevokedAt.is_null())
            .count(&**unit)
            .await?;
        if used >= MOST_FEEDS {
            return Err(Error::conflict("Revoke a feed first: 20 are in use."));
        }
        let token = FeedToken::generate(actor.workspace);
        let id = unit.id::<CalendarFeedId>();
        unit.insert(feed::ActiveModel {
            id: Set(id),
            membership_id: Set(member),
            token_hash: Set(token.hash().to_vec()),
            name: Set(input.name.trim().into()),
            last_read_at: Set(None),
            revoked_at: Set(None),
            ..Default::default()
        })
        .await?;

        unit.record(Event::by(actor, AuditKind::Write, "calendar_feed.created").on(id));
        Ok((id, token))
    })
    .await
}

/// Ends a feed. Doing it twice is doing it once.
pub async fn revoke_feed(app: &App, actor: &Actor, input: &RevokeCalendarFeedInput) -> Result<()> {
    actor.require(Permission::ManageAppointments)?;

    app.write(actor, move |unit| async move {
        let query = queries::feeds(actor).filter(feed::Column::Id.eq(input.id));
        let row = query.one(&**unit).await?.ok_or(Error::NotFound)?;
        if row.revoked_at.is_some() {
            return Ok(());
        }

        let mut row = row.into_active_model();
        row.revoked_at = Set(Some(unit.clock().now()));
        unit.update(row).await?;

        unit.record(Event::by(actor, AuditKind::Write, "calendar_feed.revoked").on(input.id));
        Ok(())
    })
    .await
}
