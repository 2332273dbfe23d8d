//! A workspace with its members, services, locations and rooms.

use praxis::access::actor::Actor;
use praxis::access::entity::user;
use praxis::app::{App, UnitOfWork};
use praxis::appointment::entity::AppointmentType;
use praxis::db::Scope;
use praxis::error::Result;
use praxis::graphql::input::fold;
use praxis::journal::entity::AuditKind;
use praxis::journal::event::Event;
use praxis::location::entity::{self as location, LocationKind};
use praxis::member::entity::{self as member, Role};
use praxis::room::entity::{self as room, RoomKind};
use praxis::service::entity as service;
use praxis::workspace::commands::{self, NewWorkspace};
use praxis::workspace::entity::WorkspaceKind;
use sea_orm::Set;

use crate::plan::{self, LOCATIONS, MEMBERS, MINUTES, Plan, SERVICES};

pub async fn fill(app: &App, plan: Plan, number: u64, password_hash: &str) -> Result<()> {
    let id = plan::workspace(number);
    let actor = &Actor::system(id, "load");
    app.write_global(Scope::workspace(id), move |unit| async move {
        let new = NewWorkspace {
            name: format!("Practice {number}"),
            slug: plan::slug(number),
            kind: WorkspaceKind::Clinic,
            timezone: plan::TIMEZONE.into(),
            currency: "EUR".into(),
            locale: "en".into(),
        };
        commands::create(app, &unit, id, &new).await?;
        unit.record(Event::by(actor, AuditKind::Write, "workspace.created").on(id));
        members(&unit, plan, number, password_hash).await?;
        offers(&unit, number).await?;
        places(&unit, plan, number).await
    })
    .await
}

async fn members(unit: &UnitOfWork, plan: Plan, workspace: u64, password_hash: &str) -> Result<()> {
    let name = |number: u64| format!("Member {number} of {workspace}");
    let users = (0..MEMBERS).map(|number| user::ActiveModel {
        id: Set(plan::user(workspace, number)),
        email: Set(plan::email(workspace, number)),
        name: Set(name(number)),
        password_hash: Set(Some(password_hash.into())),
        is_active: Set(true),
        is_platform_admin: Set(false),
        failed_sign_ins: Set(0),
        ..Default::default()
    });
    unit.insert_all(users.collect()).await?;
    let members = (0..MEMBERS).map(|number| {
        let role = match number {
            0 => Role::Owner,
            number if number <= plan.doctors => Role::Doctor,
            _ => Role::Staff,
        };
        member::ActiveModel {
            id: Set(plan::member(workspace, number)),
            user_id: Set(Some(plan::user(workspace, number))),
            role: Set(role),
            display_name: Set(name(number)),
            title: Set((role == Role::Doctor).then(|| "Dr.".into())),
            specialization: Set((role == Role::Doctor).then(|| "General practice".into())),
            is_active: Set(true),
            is_bookable: Set(role == Role::Doctor),
            accepted_at: Set(Some(unit.clock().now())),
            ..Default::default()
        }
    });
    unit.insert_all(members.collect()).await
}

async fn offers(unit: &UnitOfWork, workspace: u64) -> Result<()> {
    let rows = (0..SERVICES).map(|number| service::ActiveModel {
        id: Set(plan::service(workspace, number)),
        name: Set(plan::service_name(number).into()),
        name_key: Set(fold(plan::service_name(number))),
        duration_minutes: Set(i32::try_from(MINUTES).unwrap_or(i32::MAX)),
        buffer_before_minutes: Set(0),
        buffer_after_minutes: Set(0),
        price_minor: Set(Some(3_500)),
        capacity: Set(1),
        color: Set(Some("#0ea5e9".into())),
        appointment_type: Set(AppointmentType::Consultation),
        requires_room: Set(false),
        min_notice_minutes: Set(0),
        max_advance_days: Set(3_650),
        ..Default::default()
    });
    unit.insert_all(rows.collect()).await
}

async fn places(unit: &UnitOfWork, plan: Plan, workspace: u64) -> Result<()> {
    let locations = (0..LOCATIONS).map(|number| location::ActiveModel {
        id: Set(plan::location(workspace, number)),
        name: Set(format!("House {number}")),
        name_key: Set(format!("house {number}")),
        kind: Set(LocationKind::Clinic),
        address: Set(Some(format!("Lindenallee {number}, 10827 Berlin"))),
        ..Default::default()
    });
    unit.insert_all(locations.collect()).await?;
    let rooms = (0..plan.doctors).map(|number| room::ActiveModel {
        id: Set(plan::room(workspace, number)),
        location_id: Set(Some(plan::location(workspace, number % LOCATIONS))),
        name: Set(format!("Room {number}")),
        name_key: Set(format!("room {number}")),
        kind: Set(RoomKind::Consultation),
        capacity: Set(2),
        ..Default::default()
    });
    unit.insert_all(rooms.collect()).await
}
