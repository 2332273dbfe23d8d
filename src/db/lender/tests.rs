use sea_orm::ConnectOptions;
use sea_orm::sqlx::{Executor, Row, SqliteConnection};

use super::*;

const PATIENCE: Duration = Duration::from_millis(60);
/// Takes seconds.
const SLOW: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) \
                    SELECT count(*) FROM n";

async fn lender(limit: u32) -> (tempfile::TempDir, Lender<SqliteConnection>) {
    let folder = tempfile::tempdir().unwrap();
    let mut options =
        ConnectOptions::new(format!("sqlite://{}?mode=rwc", folder.path().join("it.db").display()));
    options.sqlx_logging(false).min_connections(0).max_connections(limit);
    let source = sea_orm::Database::connect(options).await.unwrap();
    (folder, Lender::new(source, limit, PATIENCE))
}

async fn number(reading: &Asking<SqliteConnection>, sql: &'static str) -> Result<i64, DbErr> {
    let row = reading.ask(|it| Box::pin(it.fetch_one(sql))).await?;
    row.map(|row| row.get(0)).map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))
}

#[tokio::test]
async fn all_statements_of_a_request_share_a_connection_and_the_next_request_gets_it() {
    let (_folder, lender) = lender(1).await;
    let first = lender.later();
    assert_eq!(lender.used_and_idle(), (0, 0), "none is taken before it is needed");
    assert_eq!(number(&first, "SELECT 1").await, Ok(1));
    assert_eq!(number(&first, "SELECT 2").await, Ok(2));
    assert_eq!(lender.used_and_idle(), (1, 0));
    let second = lender.later();
    assert!(matches!(number(&second, "SELECT 3").await, Err(DbErr::ConnectionAcquire(_))));
    drop(first);
    assert_eq!(lender.used_and_idle(), (0, 1));
    assert_eq!(number(&second, "SELECT 3").await, Ok(3));
}

#[tokio::test]
async fn who_goes_away_in_the_middle_of_a_statement_leaves_the_connection_usable() {
    let (_folder, lender) = lender(1).await;
    let impatient = lender.later();
    assert!(tokio::time::timeout(PATIENCE / 6, number(&impatient, SLOW)).await.is_err());
    drop(impatient);
    assert_eq!(lender.used_and_idle().1, 0, "it is still at work");
    let mut answer = Err(DbErr::Custom("not asked".into()));
    for _ in 0..600 {
        answer = number(&lender.later(), "SELECT 4").await;
        if answer.is_ok() {
            break;
        }
    }
    assert_eq!(answer, Ok(4));
}

#[tokio::test]
async fn a_failed_statement_is_told_and_the_connection_stays() {
    let (_folder, lender) = lender(1).await;
    assert!(number(&lender.later(), "SELECT nothing").await.is_err());
    assert_eq!(number(&lender.later(), "SELECT 5").await, Ok(5));
}

#[tokio::test]
async fn a_closed_lender_waits_for_what_is_under_way_and_lends_no_more() {
    let (_folder, lender) = lender(2).await;
    let under_way = lender.later();
    assert_eq!(number(&under_way, "SELECT 6").await, Ok(6));
    assert!(tokio::time::timeout(PATIENCE, lender.close()).await.is_err());
    assert_eq!(number(&under_way, "SELECT 7").await, Ok(7), "what is under way goes on");
    let (closed, ()) = tokio::join!(tokio::time::timeout(PATIENCE, lender.close()), async {
        assert_eq!(number(&under_way, "SELECT 8").await, Ok(8));
        drop(under_way);
    });
    assert!(closed.is_ok());
    assert!(number(&lender.later(), "SELECT 9").await.is_err());
    assert_eq!(lender.used_and_idle().1, 0);
}
