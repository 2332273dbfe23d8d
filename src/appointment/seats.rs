//! The seats of group sessions.
//!
//! Whoever comes first makes the session and takes up practitioner, room and equipment for it; the others join.
//! The count of seats and its limit are the session's row, changed in one statement, so the last seat is given
//! once. When the last one leaves, the time is free again.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select, Set};

use super::occupy::{Claim, Owner, rows_of};
use super::{group, occupancy, seat};
use crate::access::actor::Actor;
use crate::app::UnitOfWork;
use crate::error::{Error, Result};
use crate::id::{GroupSeatId, GroupSessionId, MembershipId, ServiceId};
use crate::room::entity as room;
use crate::service::entity::Model as Service;

/// Takes a seat in the session that the claim describes, or fails with `Occupied` when none is left.
pub async fn sit(
    unit: &UnitOfWork,
    actor: &Actor,
    owner: Owner,
    claim: &Claim,
    service: &Service,
) -> Result<()> {
    let found = session(actor, (claim.practitioner, service.id, claim.starts_at)).one(&**unit).await?;
    let session = match found {
        Some(session) if session.booked > 0 => {
            check_joins(&session, claim)?;
            session
        }
        Some(empty) => reopen(unit, actor, empty, claim, service).await?,
        None => open(unit, actor, claim, service).await?,
    };
    let counted = group::Entity::update_many()
        .col_expr(group::Column::Booked, Expr::col(group::Column::Booked).add(1))
        .col_expr(group::Column::UpdatedAt, Expr::value(unit.clock().now()))
        .filter(group::Column::WorkspaceId.eq(actor.workspace))
        .filter(group::Column::Id.eq(session.id))
        .filter(Expr::col(group::Column::Booked).lt(Expr::col(group::Column::Capacity)))
        .exec(&**unit)
        .await?;
    if counted.rows_affected == 0 {
        return Err(Error::Occupied);
    }
    let (mut appointment, mut held) = (None, None);
    match owner {
        Owner::Appointment(id) => appointment = Some(id),
        Owner::Hold(id, _) => held = Some(id),
        Owner::Session(_) => {}
    }
    unit.insert(seat::ActiveModel {
        id: Set(unit.id::<GroupSeatId>()),
        session_id: Set(session.id),
        appointment_id: Set(appointment),
        hold_id: Set(held),
        ..Default::default()
    })
    .await?;
    Ok(())
}

/// Gives a seat back, if the owner has one.
pub async fn stand_up(unit: &UnitOfWork, actor: &Actor, owner: Owner) -> Result<()> {
    let column = match owner {
        Owner::Appointment(id) => seat::Column::AppointmentId.eq(id),
        Owner::Hold(id, _) => seat::Column::HoldId.eq(id),
        Owner::Session(_) => return Ok(()),
    };
    let Some(taken) = actor.find::<seat::Entity>().filter(column).one(&**unit).await? else { return Ok(()) };
    let gone = seat::Entity::delete_many()
        .filter(seat::Column::WorkspaceId.eq(actor.workspace))
        .filter(seat::Column::Id.eq(taken.id))
        .exec(&**unit)
        .await?;
    if gone.rows_affected == 0 {
        return Ok(());
    }
    group::Entity::update_many()
        .col_expr(group::Column::Booked, Expr::col(group::Column::Booked).sub(1))
        .col_expr(group::Column::UpdatedAt, Expr::value(unit.clock().now()))
        .filter(group::Column::WorkspaceId.eq(actor.workspace))
        .filter(group::Column::Id.eq(taken.session_id))
        .exec(&**unit)
        .await?;
    let session = actor.find::<group::Entity>().filter(group::Column::Id.eq(taken.session_id));
    if session.one(&**unit).await?.is_some_and(|session| session.booked == 0) {
        occupancy::Entity::delete_many()
            .filter(occupancy::Column::WorkspaceId.eq(actor.workspace))
            .filter(occupancy::Column::SessionId.eq(taken.session_id))
            .exec(&**unit)
            .await?;
    }
    Ok(())
}

/// The rooms that a booking without one would come into: that of the session it joins, if it joins one.
pub fn rooms(actor: &Actor, key: (MembershipId, ServiceId, DateTime<Utc>)) -> Select<room::Entity> {
    let joined = session(actor, key).filter(group::Column::Booked.gt(0));
    let joined = joined.filter(group::Column::RoomId.is_not_null());
    let joined = joined.select_only().column(group::Column::RoomId).into_query();
    actor.find::<room::Entity>().filter(room::Column::Id.in_subquery(joined))
}

/// The session of this practitioner, service and start.
pub fn session(
    actor: &Actor,
    (practitioner, service, starts_at): (MembershipId, ServiceId, DateTime<Utc>),
) -> Select<group::Entity> {
    actor
        .find::<group::Entity>()
        .filter(group::Column::PractitionerId.eq(practitioner))
        .filter(group::Column::ServiceId.eq(service))
        .filter(group::Column::StartsAt.eq(starts_at))
}

/// A session has one room and one end, which whoever joins it accepts.
fn check_joins(session: &group::Model, claim: &Claim) -> Result<()> {
    if claim.ends_at != session.ends_at {
        return Err(Error::invalid("endsAt", "The group session ends at another time."));
    }
    if claim.room.is_some() && claim.room != session.room_id {
        return Err(Error::invalid("roomId", "The group session is in another room."));
    }
    Ok(())
}

async fn open(unit: &UnitOfWork, actor: &Actor, claim: &Claim, service: &Service) -> Result<group::Model> {
    let session = unit
        .insert(group::ActiveModel {
            id: Set(unit.id::<GroupSessionId>()),
            service_id: Set(service.id),
            practitioner_id: Set(claim.practitioner),
            starts_at: Set(claim.starts_at),
            booked: Set(0),
            ..terms(claim, service)
        })
        .await?;
    occupy(unit, actor, &session, claim).await?;
    Ok(session)
}

/// A session that everybody has left begins anew, on the terms of whoever comes now.
async fn reopen(
    unit: &UnitOfWork,
    actor: &Actor,
    session: group::Model,
    claim: &Claim,
    service: &Service,
) -> Result<group::Model> {
    let row = group::ActiveModel { id: sea_orm::Unchanged(session.id), ..terms(claim, service) };
    let session = unit.update(row).await?;
    occupy(unit, actor, &session, claim).await?;
    Ok(session)
}

fn terms(claim: &Claim, service: &Service) -> group::ActiveModel {
    group::ActiveModel {
        room_id: Set(claim.room),
        ends_at: Set(claim.ends_at),
        buffer_before_minutes: Set(claim.before_minutes),
        buffer_after_minutes: Set(claim.after_minutes),
        capacity: Set(service.capacity),
        is_override: Set(!claim.exclusive),
        ..Default::default()
    }
}

async fn occupy(unit: &UnitOfWork, actor: &Actor, session: &group::Model, claim: &Claim) -> Result<()> {
    let owner = Owner::Session(session.id);
    unit.insert_all(rows_of(unit, actor.workspace, owner, claim.practice_spans(), claim.exclusive)).await
}
