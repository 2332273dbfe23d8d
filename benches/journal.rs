//! Appending to the journal: by a command in its own transaction, by one reader alone, and by 64 at once. On SQLite,
//! and on PostgreSQL when `PRAXIS_TEST_POSTGRES_URL` names a server.

#[path = "../tests/api/support"]
#[expect(dead_code, reason = "the tests use the rest")]
mod support {
    pub mod app;
    pub mod database;
}

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use praxis::access::actor::Actor;
use praxis::journal::entity::AuditKind;
use praxis::journal::event::Event;
use support::app::TestApp;
use support::database::On;
use tokio::runtime::Runtime;

/// Requests that wait for the journal together.
const CROWD: u64 = 64;

fn journal(criterion: &mut Criterion) {
    engine(criterion, On::Sqlite);
    if std::env::var_os("PRAXIS_TEST_POSTGRES_URL").is_some() {
        engine(criterion, On::Postgres);
    }
}

fn engine(criterion: &mut Criterion, on: On) {
    let runtime = Runtime::new().expect("a runtime");
    let (test, actor) = runtime.block_on(async {
        let test = TestApp::new(on).await;
        let owner = test.workspace("north").await;
        let actor = owner.actor.as_deref().expect("signed in").clone();
        (test, actor)
    });
    let (app, actor) = (&test.app, &actor);
    let mut group = criterion.benchmark_group(format!("journal/{on:?}"));
    group.bench_function("a command", |bench| {
        bench.to_async(&runtime).iter(|| async move {
            let work = |unit: praxis::app::Unit| async move {
                unit.record(write(actor));
                Ok(())
            };
            app.write(actor, work).await.expect("it is recorded");
        });
    });
    group.bench_function("one reader", |bench| {
        bench.to_async(&runtime).iter(|| async move {
            app.journal.append(actor.workspace, vec![read(actor)]).await.expect("it is recorded");
        });
    });
    group.throughput(Throughput::Elements(CROWD));
    group.bench_function(format!("{CROWD} readers"), |bench| {
        bench.to_async(&runtime).iter(|| async move {
            let readers = (0..CROWD).map(|_| app.journal.append(actor.workspace, vec![read(actor)]));
            futures::future::try_join_all(readers).await.expect("they are recorded");
        });
    });
    group.finish();
}

fn write(actor: &Actor) -> Event {
    Event::by(actor, AuditKind::Write, "service.updated")
}

fn read(actor: &Actor) -> Event {
    Event::by(actor, AuditKind::Read, "patient.read")
}

criterion_group!(benches, journal);
criterion_main!(benches);
