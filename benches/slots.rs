//! `availableSlots` as a client asks it, from the request to the answer: 30 practitioners, 30 days, four times in ten
//! taken. On SQLite, and on PostgreSQL when `PRAXIS_TEST_POSTGRES_URL` names a server. Prints p50 and p95, of the
//! whole request and of the search in it: reading what is booked, and finding what is free.
#![expect(clippy::print_stdout, reason = "its figures are its output")]

#[path = "../tests/api/support"]
#[expect(dead_code, reason = "the tests use the rest")]
mod support {
    pub mod app;
    pub mod database;
}

use std::time::{Duration, Instant};

use async_graphql::{InputType, Value};
use chrono::{DateTime, Datelike, TimeDelta, Utc, Weekday};
use praxis::appointment::entity::{
    self as appointment, AppointmentPriority, AppointmentStatus, AppointmentType, PaymentStatus,
};
use praxis::appointment::occupancy::{self, ResourceKind};
use praxis::availability::input::AvailableSlotsInput;
use praxis::availability::query;
use praxis::id::{AppointmentId, DoctorScheduleId, MembershipId, OccupancyId, PatientId};
use praxis::member::entity::Role;
use praxis::schedule::entity as schedule;
use sea_orm::Set;
use serde_json::json;
use support::app::{Client, TestApp, noon};
use support::database::On;

const PRACTITIONERS: usize = 30;
const DAYS: i64 = 30;
const ROUNDS: usize = 300;

/// Free times, with everybody who has them.
const SLOTS: &str = "query($input: AvailableSlotsInput!) { availableSlots(input: $input) { hasMore \
                     slots { startsAt endsAt options { practitioner { id } } } } }";

#[tokio::main]
async fn main() {
    measure(On::Sqlite).await;
    if std::env::var_os("PRAXIS_TEST_POSTGRES_URL").is_some() {
        measure(On::Postgres).await;
    }
}

async fn measure(on: On) {
    let app = TestApp::new(on).await;
    let owner = app.workspace("north").await;
    let patient = app.patient(&owner, "Ada", "Alba").await;
    let mut practitioners = Vec::new();
    for _ in 0..PRACTITIONERS {
        practitioners.push(app.member(owner.workspace(), Role::Doctor).await.membership());
    }
    let booked = fill(&app, &owner, &practitioners, patient).await;
    println!("{on:?}: {PRACTITIONERS} practitioners, {DAYS} days, {booked} appointments");

    let from = noon();
    // As many times as one request may ask for.
    let everybody = json!({ "durationMinutes": 30, "from": from, "to": from + TimeDelta::days(DAYS),
        "stepMinutes": 30, "limit": 280 });
    let anybody = json!({ "durationMinutes": 30, "from": from, "to": from + TimeDelta::days(DAYS),
        "stepMinutes": 30, "limit": 280, "anyPractitioner": true });
    let one = json!({ "durationMinutes": 30, "from": from, "to": from + TimeDelta::days(7), "stepMinutes": 30,
        "limit": 280, "practitionerIds": [practitioners[0].to_string()] });
    for (name, input) in
        [("everybody, 30 days", everybody), ("anybody, 30 days", anybody), ("one, a week", one)]
    {
        let (mut times, mut listed, mut statements) = (Vec::with_capacity(ROUNDS), 0, 0);
        for _ in 0..ROUNDS {
            let began = Instant::now();
            let answer = owner.run(SLOTS, json!({ "input": input })).await;
            times.push(began.elapsed());
            assert!(answer.errors.is_empty(), "{:?}", answer.errors);
            listed = answer.data["availableSlots"]["slots"].as_array().map_or(0, Vec::len);
            statements = answer.statements + answer.overhead;
        }
        println!("  {name:<20} {} ({listed} times, {statements} statements)", quantiles(times));
        let input: AvailableSlotsInput = InputType::parse(Value::from_json(input).ok()).expect("an input");
        println!("    the search in it   {}", search(&app, &owner, &input).await);
    }
}

/// The search without the request around it.
async fn search(app: &TestApp, owner: &Client, input: &AvailableSlotsInput) -> String {
    let (db, actor) = (&app.app.db, owner.actor.as_deref().expect("signed in"));
    let request = input.request(None).expect("a request");
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let tx = db.begin_read(actor.scope()).await.expect("a transaction");
        let workspace = praxis::workspace::queries::require(&tx, actor.workspace).await.expect("a workspace");
        let found = query::find(&tx, actor, &workspace, None, &request, app.app.clock.now()).await;
        tx.rollback().await.expect("the transaction ends");
        times.push(began.elapsed());
        assert!(!found.expect("an answer").found.choices.is_empty());
    }
    quantiles(times)
}

fn quantiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    format!("p50 {} p95 {}", ms(times[times.len() / 2]), ms(times[times.len() * 95 / 100]))
}

fn ms(time: Duration) -> String {
    format!("{:6.2} ms", time.as_secs_f64() * 1_000.0)
}

/// Weekly hours from nine to five on weekdays, and four half hours in ten taken.
async fn fill(app: &TestApp, owner: &Client, practitioners: &[MembershipId], patient: PatientId) -> usize {
    let actor = owner.actor.as_deref().expect("signed in");
    let midnight = noon() - TimeDelta::hours(12);
    app.app
        .write(actor, move |unit| async move {
            let (mut hours, mut booked, mut taken) = (Vec::new(), Vec::new(), Vec::new());
            for (number, practitioner) in practitioners.iter().enumerate() {
                hours.extend((1..=5).map(|weekday| schedule::ActiveModel {
                    id: Set(unit.id::<DoctorScheduleId>()),
                    practitioner_id: Set(*practitioner),
                    weekday: Set(weekday),
                    starts_minute: Set(9 * 60),
                    ends_minute: Set(17 * 60),
                    timezone: Set("UTC".into()),
                    ..Default::default()
                }));
                for slot in 0..DAYS * 16 {
                    let start: DateTime<Utc> =
                        midnight + TimeDelta::days(slot / 16) + TimeDelta::minutes(540 + slot % 16 * 30);
                    let scattered = (slot as usize * 7 + number * 3) % 10 < 4;
                    if !scattered || matches!(start.weekday(), Weekday::Sat | Weekday::Sun) {
                        continue;
                    }
                    let (id, end) = (unit.id::<AppointmentId>(), start + TimeDelta::minutes(30));
                    booked.push(appointment::ActiveModel {
                        id: Set(id),
                        patient_id: Set(patient),
                        practitioner_id: Set(*practitioner),
                        starts_at: Set(start),
                        ends_at: Set(end),
                        timezone: Set("UTC".into()),
                        appointment_type: Set(AppointmentType::Consultation),
                        priority: Set(AppointmentPriority::Normal),
                        status: Set(AppointmentStatus::Scheduled),
                        payment_status: Set(PaymentStatus::NotPaid),
                        buffer_before_minutes: Set(0),
                        buffer_after_minutes: Set(0),
                        late_cancellation: Set(false),
                        sequence: Set(0),
                        is_override: Set(false),
                        ..Default::default()
                    });
                    taken.push(occupancy::ActiveModel {
                        id: Set(unit.id::<OccupancyId>()),
                        appointment_id: Set(Some(id)),
                        resource_kind: Set(ResourceKind::Practitioner),
                        resource_id: Set(practitioner.0),
                        starts_at: Set(start),
                        ends_at: Set(end),
                        exclusive: Set(true),
                        ..Default::default()
                    });
                }
            }
            let count = booked.len();
            unit.insert_all(hours).await?;
            unit.insert_all(booked).await?;
            unit.insert_all(taken).await?;
            Ok(count)
        })
        .await
        .expect("the practice is filled")
}
