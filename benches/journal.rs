//! What the write path costs: an event of a read, alone and with 64 requests waiting, and a booking from the request to
//! the answer. On SQLite, and on PostgreSQL when `PRAXIS_TEST_POSTGRES_URL` names a server.
#![expect(clippy::print_stdout, reason = "its figures are its output")]

#[path = "../tests/api/support"]
#[expect(dead_code, reason = "the tests use the rest")]
mod support {
    pub mod app;
    pub mod database;
}

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use praxis::access::actor::Actor;
use praxis::id::WorkspaceId;
use praxis::journal::entity::AuditKind;
use praxis::journal::event::Event;
use praxis::member::entity::Role;
use serde_json::json;
use support::app::{TestApp, noon};
use support::database::On;

const WORKSPACES: usize = 20;
const ALONE: usize = 1_000;
const WAITING: usize = 64;
/// Events of each of those who wait.
const EACH: usize = 300;
const BOOKINGS: i64 = 300;

const BOOK: &str =
    "mutation($input: BookAppointmentInput!) { bookAppointment(input: $input) { __typename } }";

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
    let mut workspaces = vec![owner.workspace()];
    for number in 1..WORKSPACES {
        workspaces.push(app.workspace(&format!("practice-{number}")).await.workspace());
    }

    let mut times = Vec::with_capacity(ALONE);
    for number in 0..ALONE {
        times.push(append(&app, workspaces[number % WORKSPACES]).await);
    }
    report(on, "one read alone", &mut times);

    let begun = Instant::now();
    let app = std::sync::Arc::new(app);
    let waiting: Vec<_> = (0..WAITING)
        .map(|number| {
            let (app, workspace) = (app.clone(), workspaces[number % WORKSPACES]);
            tokio::spawn(async move {
                let mut times = Vec::with_capacity(EACH);
                for _ in 0..EACH {
                    times.push(append(&app, workspace).await);
                }
                times
            })
        })
        .collect();
    let mut times = Vec::with_capacity(WAITING * EACH);
    for task in waiting {
        times.extend(task.await.expect("the task ends"));
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{on:?}: {:.0} events/s with {WAITING} waiting", (WAITING * EACH) as f64 / seconds);
    report(on, "one of 64", &mut times);

    let doctor = app.member(owner.workspace(), Role::Doctor).await;
    let patient = app.patient(&owner, "Ada", "Alba").await;
    let mut times = Vec::new();
    for number in 0..BOOKINGS {
        let starts_at = noon() + TimeDelta::hours(number + 1);
        let input = json!({ "patientId": patient.to_string(), "practitionerId": doctor.membership().to_string(),
            "startsAt": starts_at, "endsAt": starts_at + TimeDelta::minutes(30) });
        let begun = Instant::now();
        let answer = owner.ok(BOOK, json!({ "input": input })).await;
        times.push(begun.elapsed());
        assert_eq!(answer["bookAppointment"]["__typename"], "AppointmentBooked");
    }
    report(on, "one booking", &mut times);
}

async fn append(app: &TestApp, workspace: WorkspaceId) -> Duration {
    let by = Actor::system(workspace, "bench");
    let begun = Instant::now();
    let event = Event::by(&by, AuditKind::Read, "patient.viewed").with("fields", "name");
    app.app.journal.append(workspace, vec![event]).await.expect("the journal is written");
    begun.elapsed()
}

fn report(on: On, what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!("{on:?}: {what}: p50 {:.2} ms, p99 {:.2} ms", at(0.5), at(0.99));
}
