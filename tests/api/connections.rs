//! What a connection keeps from one transaction to the next: nothing, whatever became of the first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use praxis::access::actor::Actor;
use praxis::db::connect::{PoolOptions, connect};
use praxis::db::{Database, Scope};
use praxis::error::Error;
use praxis::id::WorkspaceId;
use praxis::journal::entity::AuditKind;
use praxis::journal::event::Event;
use praxis::journal::writer::Writer;
use sea_orm::sea_query::{InsertStatement, Query, UpdateStatement};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::support::app::TestApp;
use crate::support::database::On;
use crate::support::on_both_engines;

/// A workspace, and a database with as few connections as there can be.
struct Site {
    test: TestApp,
    workspace: WorkspaceId,
    db: Database,
}

impl Site {
    async fn new(on: On) -> Self {
        let test = TestApp::new(on).await;
        let workspace = test.workspace("north").await.workspace();
        let pool = PoolOptions { max_connections: Some(1), ..PoolOptions::default() };
        let db = connect(&test.database.url, &pool).await.unwrap();
        Self { test, workspace, db }
    }

    fn scope(&self) -> Scope {
        Scope::workspace(self.workspace)
    }

    async fn name(&self) -> String {
        let tx = self.db.begin_read(self.scope()).await.unwrap();
        text(&tx, "SELECT name FROM workspaces").await
    }
}

/// A way to the server that can be cut: connections stay, and nothing passes on them any more.
struct Way {
    url: String,
    cut: Arc<Notify>,
}

impl Way {
    async fn to(url: &str) -> Self {
        let (who, rest) = url.split_once('@').expect("the URL names a role");
        let (server, database) = rest.split_once('/').expect("the URL names a database");
        let (server, cut) = (server.to_owned(), Arc::new(Notify::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{who}@{}/{database}", listener.local_addr().unwrap());
        let cuts = cut.clone();
        tokio::spawn(async move {
            while let Ok((mut here, _)) = listener.accept().await {
                let (server, cut) = (server.clone(), cuts.clone());
                tokio::spawn(async move {
                    let mut there = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut here, &mut there) => {}
                        // Both ends stay open, and hear nothing.
                        () = cut.notified() => std::future::pending().await,
                    }
                });
            }
        });
        Self { url, cut }
    }

    /// Cuts the connections there are; those to come get through.
    fn cut(&self) {
        self.cut.notify_waiters();
    }
}

/// What an owner of the server sees of this database's connections.
async fn seen(test: &TestApp, sql: &str) -> i64 {
    let owner = sea_orm::Database::connect(&test.database.owner_url).await.unwrap();
    let row = owner.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

async fn text(db: &impl ConnectionTrait, sql: &str) -> String {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

const RENAME: &str = "UPDATE workspaces SET name = 'Elsewhere'";
const OPEN: &str = "SELECT count(*) FROM pg_stat_activity \
                    WHERE datname = current_database() AND state LIKE 'idle in transaction%'";

const END: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";

fn renamed(name: &str) -> UpdateStatement {
    Query::update().table("workspaces").value("name", name).to_owned()
}

fn created(site: &Site, name: &str) -> InsertStatement {
    let clock = &site.test.app.clock;
    let (id, now) = (clock.new_uuid(), clock.now());
    Query::insert()
        .into_table("locations")
        .columns(["id", "workspace_id", "name", "name_key", "kind", "version", "created_at", "updated_at"])
        .values_panic([
            id.into(),
            site.workspace.into(),
            name.into(),
            name.into(),
            "CLINIC".into(),
            1.into(),
            now.into(),
            now.into(),
        ])
        .to_owned()
}

on_both_engines! {
    async fn what_was_not_committed_is_gone_and_holds_nobody_up(on: On) {
        let site = Site::new(on).await;
        let left = site.db.begin_write(site.scope()).await.unwrap();
        left.execute_unprepared(RENAME).await.unwrap();
        drop(left);
        // The same connection, or the same row's lock.
        let next = site.db.begin_write(site.scope()).await.unwrap();
        assert_eq!(text(&next, "SELECT name FROM workspaces").await, "north practice");
        next.execute_unprepared(RENAME).await.unwrap();
        next.rollback().await.unwrap();
        assert_eq!(site.name().await, "north practice");

        let kept = site.db.begin_write(site.scope()).await.unwrap();
        kept.execute_unprepared(RENAME).await.unwrap();
        kept.commit().await.unwrap();
        assert_eq!(site.name().await, "Elsewhere");
    }

    async fn what_waits_is_there_for_the_next_statement_and_committed_with_the_end(on: On) {
        let site = Site::new(on).await;
        let undone = site.db.begin_write(site.scope()).await.unwrap();
        undone.put_change(renamed("Elsewhere"), 1).await.unwrap();
        assert_eq!(text(&undone, "SELECT name FROM workspaces").await, "Elsewhere");
        undone.put_change(renamed("Nowhere"), 1).await.unwrap();
        undone.rollback().await.unwrap();
        assert_eq!(site.name().await, "north practice");

        let done = site.db.begin_write(site.scope()).await.unwrap();
        done.put_change(created(&site, "a; place' of \"ours\" --"), 8).await.unwrap();
        done.put_change(renamed("Elsewhere"), 1).await.unwrap();
        done.commit().await.unwrap();
        assert_eq!(site.name().await, "Elsewhere");
        let tx = site.db.begin_read(site.scope()).await.unwrap();
        assert_eq!(text(&tx, "SELECT name FROM locations").await, "a; place' of \"ours\" --");
    }

    async fn where_one_of_what_waits_is_refused_nothing_is_kept(on: On) {
        let site = Site::new(on).await;
        let nameless = || Query::update().table("workspaces").value("name", Option::<String>::None).to_owned();
        for at_the_end in [true, false] {
            let tx = site.db.begin_write(site.scope()).await.unwrap();
            tx.execute_unprepared(RENAME).await.unwrap();
            tx.put_change(created(&site, "first"), 8).await.unwrap();
            tx.put_change(nameless(), 1).await.unwrap();
            tx.put_change(created(&site, "second"), 8).await.unwrap();
            if !at_the_end {
                let look = Statement::from_string(tx.get_database_backend(), "SELECT name FROM workspaces");
                assert!(tx.query_all_raw(look).await.is_err());
            }
            assert!(tx.commit().await.is_err());
            assert_eq!(site.name().await, "north practice");
            let left = site.db.begin_write(site.scope()).await.unwrap();
            assert_eq!(text(&left, "SELECT CAST(count(*) AS TEXT) FROM locations").await, "0");
            left.put_change(created(&site, "third"), 8).await.unwrap();
            left.rollback().await.unwrap();
        }
    }

    async fn who_reads_cannot_write(on: On) {
        let site = Site::new(on).await;
        let reads = site.db.begin_read(site.scope()).await.unwrap();
        assert!(reads.execute_unprepared(RENAME).await.is_err());
        drop(reads);
        assert_eq!(site.name().await, "north practice");
    }

    async fn a_failed_statement_spoils_nothing_for_the_next(on: On) {
        let site = Site::new(on).await;
        for _ in 0..3 {
            let reads = site.db.begin_read(site.scope()).await.unwrap();
            assert!(reads.execute_unprepared("SELECT nothing FROM nowhere").await.is_err());
            drop(reads);
            let writes = site.db.begin_write(site.scope()).await.unwrap();
            assert!(writes.execute_unprepared("UPDATE nowhere SET nothing = 1").await.is_err());
            assert!(writes.commit().await.is_err());
            assert_eq!(site.name().await, "north practice");
        }
    }

    async fn who_goes_away_in_the_middle_leaves_the_connection_usable(on: On) {
        let site = Site::new(on).await;
        // Takes a second.
        let slow = match on {
            On::Postgres => "SELECT pg_sleep(1)",
            On::Sqlite => "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) \
                           SELECT count(*) FROM n",
        };
        for writes in [false, true] {
            let tx = match writes {
                false => site.db.begin_read(site.scope()).await.unwrap(),
                true => site.db.begin_write(site.scope()).await.unwrap(),
            };
            let moment = Duration::from_millis(10);
            assert!(tokio::time::timeout(moment, tx.execute_unprepared(slow)).await.is_err());
            drop(tx);
            assert_eq!(site.name().await, "north practice");
        }
    }
}

#[tokio::test]
async fn the_workspace_of_one_transaction_is_not_the_next_ones() {
    const TENANT: &str = "SELECT coalesce(current_setting('app.workspace_id', true), '')";
    let site = Site::new(On::Postgres).await;
    for writes in [false, true, false] {
        let of = site.db.begin_read(site.scope()).await.unwrap();
        assert_eq!(text(&of, TENANT).await, site.workspace.0.to_string());
        drop(of);
        let none = match writes {
            false => site.db.begin_read(Scope::default()).await.unwrap(),
            true => site.db.begin_write(Scope::default()).await.unwrap(),
        };
        assert_eq!(text(&none, TENANT).await, "");
        assert_eq!(text(&none, "SELECT count(*)::text FROM services").await, "0");
    }
}

#[tokio::test]
async fn what_a_check_of_sign_ins_may_see_nobody_after_it_may() {
    const OPENED: &str = "SELECT coalesce(current_setting('app.checked_users', true), '')";
    let app = TestApp::new(On::Postgres).await;
    let tokens = app.sign_up("ada@example.org", "north").await;
    for _ in 0..3 {
        app.app.sessions.forget_all();
        assert!(app.is_accepted(&tokens.access).await);
        let next = app.app.db.begin_read(Scope::default()).await.unwrap();
        assert_eq!(text(&next, OPENED).await, "");
        assert_eq!(text(&next, "SELECT count(*)::text FROM memberships").await, "0");
    }
}

#[tokio::test]
async fn a_check_of_sign_ins_goes_through_although_the_server_ended_its_connection() {
    let app = TestApp::new(On::Postgres).await;
    let tokens = app.sign_up("ada@example.org", "north").await;
    for _ in 0..5 {
        // Left open as the check will begin, and ended before that.
        let like_it = app.app.db.begin_read(Scope::default()).await.unwrap();
        assert_eq!(text(&like_it, "SELECT 'here'").await, "here");
        drop(like_it);
        assert!(seen(&app, END).await >= 1);
        app.app.sessions.forget_all();
        assert!(app.is_accepted(&tokens.access).await);
    }
}

#[tokio::test]
async fn a_read_goes_on_with_the_transaction_of_the_last_one_unless_that_is_another() {
    // When the transaction began, and whose it is.
    const WHICH: &str = "SELECT transaction_timestamp()::text || current_setting('app.workspace_id')";
    let site = Site::new(On::Postgres).await;
    let which = async || text(&site.db.begin_read(site.scope()).await.unwrap(), WHICH).await;
    let first = which().await;
    assert_eq!(which().await, first);

    // What was committed in between is seen.
    let writes = site.db.begin_write(site.scope()).await.unwrap();
    writes.execute_unprepared(RENAME).await.unwrap();
    writes.commit().await.unwrap();
    assert_eq!(site.name().await, "Elsewhere");

    let second = which().await;
    assert_ne!(second, first, "a write came in between");
    let failing = site.db.begin_read(site.scope()).await.unwrap();
    assert!(failing.execute_unprepared("SELECT nothing FROM nowhere").await.is_err());
    drop(failing);
    let third = which().await;
    assert_ne!(third, second, "a statement failed");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_ne!(which().await, third, "nobody came for a while");

    let mut seen = std::collections::BTreeSet::new();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(700) {
        seen.insert(which().await);
    }
    assert!(seen.len() > 1, "none goes on for ever");
}

#[tokio::test]
async fn a_reading_transaction_that_nobody_ends_ends_by_itself() {
    let site = Site::new(On::Postgres).await;
    assert_eq!(site.name().await, "north practice");
    for _ in 0..100 {
        if seen(&site.test, OPEN).await == 0 {
            assert_eq!(site.name().await, "north practice");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a transaction is still open");
}

#[tokio::test]
async fn connections_that_the_server_ended_are_replaced() {
    let site = Site::new(On::Postgres).await;
    for settled in [false, true] {
        assert_eq!(site.name().await, "north practice");
        if settled {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert!(seen(&site.test, END).await >= 1);
        assert_eq!(site.name().await, "north practice");
        let writes = site.db.begin_write(site.scope()).await.unwrap();
        writes.execute_unprepared("UPDATE workspaces SET name = name").await.unwrap();
        writes.commit().await.unwrap();
    }
}

#[tokio::test]
async fn the_journal_is_written_once_although_the_server_ended_its_connection() {
    let site = Site::new(On::Postgres).await;
    let by = Actor::system(site.workspace, "test");
    let app = &site.test.app;
    let before = app.feeds.head(site.workspace).await.unwrap();
    for number in 1..=5 {
        let read = Event::by(&by, AuditKind::Read, "patient.viewed");
        app.journal.append(site.workspace, vec![read]).await.unwrap();
        assert_eq!(app.feeds.head(site.workspace).await.unwrap(), before + number);
        assert!(seen(&site.test, END).await >= 1);
    }
}

#[tokio::test]
async fn a_journal_that_does_not_answer_is_given_up_and_the_next_event_takes_another_connection() {
    let site = Site::new(On::Postgres).await;
    let app = &site.test.app;
    let way = Way::to(&site.test.database.url).await;
    let db = connect(&way.url, &PoolOptions::default()).await.unwrap();
    let journal = Writer::start(db, app.clock.clone());
    let by = Actor::system(site.workspace, "test");
    let append = || journal.append(site.workspace, vec![Event::by(&by, AuditKind::Read, "patient.viewed")]);
    let before = app.feeds.head(site.workspace).await.unwrap();
    append().await.unwrap();
    way.cut();
    let begun = Instant::now();
    assert!(matches!(append().await, Err(Error::Unavailable("journal"))));
    // Not at once, which would be for another reason.
    assert!((10..20).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    append().await.unwrap();
    assert_eq!(app.feeds.head(site.workspace).await.unwrap(), before + 2);
}

#[tokio::test]
async fn what_another_process_holds_up_for_too_long_is_refused_and_goes_through_later() {
    let site = Site::new(On::Sqlite).await;
    let app = &site.test.app;
    let by = Actor::system(site.workspace, "test");
    let rename =
        || app.write(&by, |unit| async move { Ok(unit.execute_unprepared(RENAME).await.map(drop)?) });
    let wait = || app.write(&by, |unit| async move { unit.put_change(renamed("South"), 1).await });
    let ask = || app.write(&by, |unit| async move { Ok(text(&**unit, "SELECT name FROM workspaces").await) });
    let other = site.db.begin_write(site.scope()).await.unwrap();
    other.execute_unprepared("UPDATE workspaces SET name = name").await.unwrap();
    assert!(matches!(rename().await, Err(Error::Unavailable("database"))));
    assert!(matches!(wait().await, Err(Error::Unavailable("database"))));
    other.rollback().await.unwrap();
    assert_eq!(site.name().await, "north practice");
    wait().await.unwrap();
    assert_eq!(ask().await.unwrap(), "South");
    rename().await.unwrap();
    assert_eq!(ask().await.unwrap(), "Elsewhere");
}
