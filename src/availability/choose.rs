//! "Anybody": a practitioner who is really free, also when many ask at once.

use std::collections::HashMap;

use chrono::{DateTime, Days, Utc};
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use super::check::Obstacle;
use super::load::zone;
use super::local::start_of_day;
use super::query::{Request, find};
use crate::access::actor::Actor;
use crate::app::UnitOfWork;
use crate::appointment::entity as appointment;
use crate::error::{Error, Result};
use crate::id::MembershipId;
use crate::member::entity as member;
use crate::service::entity::Model as Service;
use crate::workspace::entity::Model as Workspace;

/// Chooses who gets the appointment: of those who can be booked at that time, the one with the fewest on that day.
///
/// All of them are locked, in the order of their ids, before it is decided: whoever else wants one of them waits, and
/// two who want anybody cannot wait for each other in a circle.
pub async fn anybody(
    unit: &UnitOfWork,
    actor: &Actor,
    workspace: &Workspace,
    service: Option<&Service>,
    wanted: &Request,
) -> Result<MembershipId> {
    let now = unit.clock().now();
    let free = async || -> Result<Vec<MembershipId>> {
        let answer = find(unit, actor, workspace, service, wanted, now).await?;
        let of = |index: usize| answer.practitioners.get(index).map(|member| member.id);
        Ok(answer.found.choices.iter().filter_map(|choice| of(choice.practitioner)).collect())
    };
    let candidates = free().await?;
    if !candidates.is_empty() {
        actor
            .find::<member::Entity>()
            .filter(member::Column::Id.is_in(candidates))
            .order_by_asc(member::Column::Id)
            .lock(LockType::NoKeyUpdate)
            .all(&**unit)
            .await?;
    }
    // Again, for somebody may have been quicker while we waited.
    let mut candidates = free().await?;
    let starts_at = super::spans::instant(wanted.range.start);
    let busy = appointments_on_day(unit, actor, workspace, &candidates, starts_at).await?;
    candidates.sort_unstable_by_key(|id| (busy.get(id).copied().unwrap_or(0), *id));
    candidates.first().copied().ok_or_else(|| Error::Unbookable(vec![Obstacle::NobodyAvailable]))
}

/// How many appointments each has on the day of the practice.
async fn appointments_on_day(
    unit: &UnitOfWork,
    actor: &Actor,
    workspace: &Workspace,
    practitioners: &[MembershipId],
    at: DateTime<Utc>,
) -> Result<HashMap<MembershipId, i64>> {
    use appointment::{AppointmentStatus, Column, Entity};
    if practitioners.len() < 2 {
        return Ok(HashMap::new());
    }
    let zone = zone(&workspace.timezone);
    let day = at.with_timezone(&zone).date_naive();
    let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
    let rows: Vec<(MembershipId, i64)> = super::load::eyes(actor)
        .find::<Entity>()
        .select_only()
        .column(Column::PractitionerId)
        .column_as(Expr::cust("COUNT(*)"), "appointments")
        .filter(Column::PractitionerId.is_in(practitioners.iter().copied()))
        .filter(Column::StartsAt.gte(start_of_day(zone, day)))
        .filter(Column::StartsAt.lt(start_of_day(zone, next)))
        .filter(Column::Status.is_not_in([AppointmentStatus::Cancelled, AppointmentStatus::NoShow]))
        .group_by(Column::PractitionerId)
        .into_tuple()
        .all(&**unit)
        .await?;
    Ok(rows.into_iter().collect())
}
