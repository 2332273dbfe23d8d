//! The sweeper: ends holds and waits whose time is over, and passes offers on.
//!
//! Nothing depends on it but the next patient of the waiting list: whoever books puts expired holds aside
//! themselves. Every node runs it; the one that marks a hold decides.

use std::time::Duration;

use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, QuerySelect, Set};

use super::hold::commands as holds;
use super::waitlist::offer::{self, Opening};
use super::waitlist::{self, WaitlistStatus};
use super::{hold, places};
use crate::access::actor::Actor;
use crate::access::scope::find_global;
use crate::app::App;
use crate::db::Scope;
use crate::error::{Error, Result};
use crate::id::{AppointmentHoldId, WaitlistEntryId, WorkspaceId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::workspace::entity::{self as workspace, WorkspaceStatus};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(15);
/// How much it ends at a time in a workspace.
const AT_ONCE: u64 = 500;

/// Sweeps until the task is dropped.
pub async fn run(app: std::sync::Arc<App>) {
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = sweep(&app).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "sweeping holds and the waiting list");
        }
    }
}

/// Sweeps once, workspace by workspace: on PostgreSQL a transaction sees the rows of one only.
pub async fn sweep(app: &App) -> Result<()> {
    let tx = app.db.begin_read(Scope::default()).await?;
    // Global: the job is for every workspace.
    let workspaces: Vec<WorkspaceId> = find_global::<workspace::Entity>()
        .filter(workspace::Column::Status.eq(WorkspaceStatus::Active))
        .select_only()
        .column(workspace::Column::Id)
        .into_tuple()
        .all(&tx)
        .await?;
    tx.rollback().await?;
    for id in workspaces {
        sweep_workspace(app, &Actor::system(id, "sweep")).await?;
    }
    Ok(())
}

async fn sweep_workspace(app: &App, house: &Actor) -> Result<()> {
    let now = app.clock.now();
    let tx = app.db.begin_read(house.scope()).await?;
    let holds: Vec<AppointmentHoldId> = house
        .find::<hold::Entity>()
        .filter(hold::Column::ReleasedAt.is_null())
        .filter(hold::Column::ExpiresAt.lte(now))
        .select_only()
        .column(hold::Column::Id)
        .limit(AT_ONCE)
        .into_tuple()
        .all(&tx)
        .await?;
    let waits: Vec<WaitlistEntryId> = house
        .find::<waitlist::Entity>()
        .filter(waitlist::Column::Status.eq(WaitlistStatus::Waiting))
        .filter(waitlist::Column::Latest.lte(now))
        .select_only()
        .column(waitlist::Column::Id)
        .limit(AT_ONCE)
        .into_tuple()
        .all(&tx)
        .await?;
    tx.rollback().await?;
    for id in holds {
        overtaken(end_hold(app, house, id).await)?;
    }
    for id in waits {
        overtaken(end_wait(app, house, id).await)?;
    }
    Ok(())
}

/// What somebody else has changed meanwhile is looked at again next time.
fn overtaken(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(Error::StaleVersion { .. }) => Ok(()),
        outcome => outcome,
    }
}

/// Ends the hold; an offer goes to the next patient in the same transaction.
async fn end_hold(app: &App, house: &Actor, id: AppointmentHoldId) -> Result<()> {
    app.write(house, move |unit| async move {
        let held = holds::require(&unit, house, id).await?;
        places::lock(&unit, house, held.practitioner_id, held.room_id).await?;
        if holds::expire(&unit, house, &held).await? && held.for_waitlist {
            Box::pin(offer::offer(&unit, house.workspace, &Opening::of_hold(&held))).await?;
        }
        Ok(())
    })
    .await
}

async fn end_wait(app: &App, house: &Actor, id: WaitlistEntryId) -> Result<()> {
    app.write(house, move |unit| async move {
        let query = house.find::<waitlist::Entity>().filter(waitlist::Column::Id.eq(id));
        let Some(entry) = query.one(&**unit).await? else { return Ok(()) };
        // Somebody else may have been quicker.
        if entry.status != WaitlistStatus::Waiting {
            return Ok(());
        }
        let patient = entry.patient_id;
        let mut row = entry.into_active_model();
        row.status = Set(WaitlistStatus::Expired);
        unit.update(row).await?;
        unit.record(Event::by(house, AuditKind::Write, "waitlist.expired").on(id).of_patient(patient));
        Ok(())
    })
    .await
}
