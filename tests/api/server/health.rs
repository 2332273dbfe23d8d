//! Health and metrics.

use axum::Router;
use praxis::config::Profile;
use praxis::http::{router, routes};

use super::{TYPENAME, get, post, send};
use crate::support::app::TestApp;
use crate::support::database::On;

#[tokio::test]
async fn a_process_that_is_about_to_stop_is_not_ready_and_still_serves() {
    let app = TestApp::new(On::Sqlite).await;
    let router = router(app.app.clone());
    for path in ["/livez", "/startupz", "/readyz"] {
        let answer = send(&router, "192.0.2.1", get(path)).await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "ok\n"), "{path}");
    }
    app.app.shutdown.leave();
    let answer = send(&router, "192.0.2.1", get("/readyz")).await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (503, "not ready\n"));
    assert_eq!(send(&router, "192.0.2.1", get("/livez")).await.status, 200);
    assert_eq!(send(&router, "192.0.2.1", post(TYPENAME)).await.status, 200);
}

#[tokio::test]
async fn metrics_are_public_in_development_only() {
    let app = TestApp::new(On::Sqlite).await;
    assert_eq!(send(&router(app.app.clone()), "192.0.2.1", get("/metrics")).await.status, 200);
    let internal =
        |config: &mut praxis::config::Config| config.admin_listen = Some(([127, 0, 0, 1], 0).into());
    let production = |config: &mut praxis::config::Config| config.profile = Profile::Production;
    for app in
        [TestApp::configured(On::Sqlite, internal).await, TestApp::configured(On::Sqlite, production).await]
    {
        let routes = routes(app.app.clone(), Router::new());
        assert_eq!(send(&routes.public, "192.0.2.1", get("/metrics")).await.status, 404);
        assert_eq!(send(&routes.public, "192.0.2.1", get("/readyz")).await.status, 200);
        for path in ["/metrics", "/livez", "/startupz", "/readyz"] {
            assert_eq!(send(&routes.internal, "127.0.0.1", get(path)).await.status, 200, "{path}");
        }
        assert_eq!(send(&routes.internal, "127.0.0.1", post(TYPENAME)).await.status, 404);
    }
}

#[tokio::test]
async fn what_clients_choose_makes_no_series() {
    let app = TestApp::configured(On::Sqlite, |config| config.rate_limits.rate_limits = false).await;
    praxis::metrics::install();
    let router = router(app.app.clone());
    let series = async || {
        let text = send(&router, "127.0.0.1", get("/metrics")).await.text();
        text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count()
    };
    send(&router, "192.0.2.1", post(TYPENAME)).await;
    send(&router, "192.0.2.1", get("/canary-path")).await;
    series().await;
    let before = series().await;
    for n in 0..200 {
        let body = format!(
            r#"{{"query":"query Canary{n} {{ canary{n}: __typename }}","operationName":"Canary{n}"}}"#
        );
        assert_eq!(send(&router, "192.0.2.1", post(&body)).await.status, 200);
        send(&router, "192.0.2.1", get(&format!("/canary/{n}"))).await;
    }
    assert_eq!(series().await, before);
    let text = send(&router, "127.0.0.1", get("/metrics")).await.text();
    assert!(!text.to_lowercase().contains("canary"), "{text}");
}

#[tokio::test]
async fn metrics_tell_of_requests_connections_database_and_process() {
    let app = TestApp::new(On::Sqlite).await;
    praxis::metrics::install();
    let router = router(app.app.clone());
    send(&router, "192.0.2.1", post(TYPENAME)).await;
    send(&router, "192.0.2.1", post("{")).await;
    let answer = send(&router, "127.0.0.1", get("/metrics")).await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text();
    for expected in [
        r#"http_server_request_duration_seconds_count{route="/graphql",method="POST",status="200"} 1"#,
        r#"http_server_request_duration_seconds_count{route="/graphql",method="POST",status="400"} 1"#,
        r#"graphql_errors_total{code="BAD_USER_INPUT"} 1"#,
        "# TYPE db_statements_total counter",
        r#"db_pool_limit{pool="writer"} 1"#,
        "journal_queue_length 0",
        "praxis_build_info{version=",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "process_open_fds ",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}
