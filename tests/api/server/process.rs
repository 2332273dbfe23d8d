//! The real process: told to stop while it works.
#![cfg(unix)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use serde_json::{Value as Json, json};

use super::{Wire, graphql_text, request_text};
use crate::support::sign_in::PASSWORD;

/// A server of its own, killed when the test ends before it does.
struct Server {
    process: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Found and let go again: nothing else in this process asks for it in the meantime.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_praxis"))
            .arg("serve")
            .env("PRAXIS_DATA_DIR", folder.path())
            .env("PRAXIS_LISTEN", address.to_string())
            .env("PRAXIS_RATE_LIMITS", "off")
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, address, folder };
        for _ in 0..300 {
            if server.ready().await == Some(200) {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the server does not start");
    }

    /// The status of `/readyz`; nothing when nobody listens.
    async fn ready(&self) -> Option<u16> {
        let mut wire = Wire(tokio::net::TcpStream::connect(self.address).await.ok()?);
        wire.write(&request_text("/readyz")).await;
        let (answer, _) = wire.read_for(Duration::from_millis(300)).await;
        answer.split(' ').nth(1)?.parse().ok()
    }

    fn tell(&self, signal: &str) {
        let told = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(told.success());
    }

    /// Waits for the end, and says with which code.
    async fn ended(&mut self, patience: Duration) -> Option<i32> {
        let started = Instant::now();
        while started.elapsed() < patience {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the server does not end");
    }

    async fn sign_up(&self) -> String {
        let input = json!({ "email": "jo@praxis.example", "password": PASSWORD, "name": "Jo Doe",
                            "workspaceName": "Riverside", "workspaceSlug": "riverside" });
        let query = "mutation($input: SignUpInput!) { signUp(input: $input) { accessToken } }";
        let answer = self.ask(None, &json!({ "query": query, "variables": { "input": input } })).await;
        answer["data"]["signUp"]["accessToken"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    async fn ask(&self, token: Option<&str>, body: &Json) -> Json {
        let text = graphql_text(&body.to_string(), token).replacen("\r\n", "\r\nConnection: close\r\n", 1);
        let mut wire = Wire::open(self.address).await;
        wire.write(&text).await;
        let (answer, ended) = wire.read_for(Duration::from_secs(20)).await;
        assert!(ended, "{answer}");
        json_of(&answer)
    }
}

fn json_of(answer: &str) -> Json {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).unwrap_or_else(|_| panic!("no answer: {answer:?}"))
}

fn create(name: &str) -> Json {
    let query = "mutation($input: CreateServiceInput!) { createService(input: $input) { service { id } } }";
    json!({ "query": query, "variables": { "input": { "name": name, "appointmentType": "CONSULTATION", "durationMinutes": 30 } } })
}

async fn services(folder: &Path) -> u64 {
    let db =
        sea_orm::Database::connect(format!("sqlite://{}", folder.join("praxis.db").display())).await.unwrap();
    let count =
        sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, "SELECT count(*) AS n FROM services");
    let row = db.query_one_raw(count).await.unwrap().unwrap();
    u64::try_from(row.try_get::<i64>("", "n").unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_it_finishes_twenty_slow_mutations_and_loses_nothing_acknowledged() {
    let mut server = Server::start(&[("PRAXIS_SHUTDOWN_DELAY_SECONDS", "1")]).await;
    let token = server.sign_up().await;
    // Somebody else holds the write lock: whatever writes has to wait.
    let url = format!("sqlite://{}", server.folder.path().join("praxis.db").display());
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1);
    let lock = sea_orm::Database::connect(options).await.unwrap();
    lock.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    let mut mutations = Vec::new();
    for number in 0..20 {
        let mut wire = Wire::open(server.address).await;
        wire.write(&graphql_text(&create(&format!("service {number}")).to_string(), Some(&token))).await;
        mutations.push(tokio::spawn(async move { wire.read_to_end_of(Duration::from_secs(20)).await }));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;

    let told = Instant::now();
    server.tell("-TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(server.ready().await, Some(503), "not ready at once, and still there");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(server.ready().await, None, "nothing new is taken any more");
    assert!(mutations.iter().all(|mutation| !mutation.is_finished()));
    lock.execute_unprepared("ROLLBACK").await.unwrap();
    lock.close().await.unwrap();

    let mut acknowledged = 0;
    for mutation in mutations {
        let answer = json_of(&mutation.await.unwrap());
        assert!(answer["data"]["createService"]["service"]["id"].is_string(), "{answer}");
        acknowledged += 1;
    }
    assert_eq!(server.ended(Duration::from_secs(20)).await, Some(0));
    assert!(told.elapsed() < Duration::from_secs(20));
    assert_eq!((acknowledged, services(server.folder.path()).await), (20, 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_with_nothing_to_do_it_ends_at_once() {
    let mut server = Server::start(&[("PRAXIS_SHUTDOWN_DELAY_SECONDS", "0")]).await;
    // An idle connection keeps nobody.
    let mut idle = Wire::open(server.address).await;
    idle.write(&request_text("/livez")).await;
    assert!(idle.read_for(Duration::from_millis(200)).await.0.contains("200 OK"));
    let told = Instant::now();
    server.tell("-TERM");
    assert_eq!(server.ended(Duration::from_secs(5)).await, Some(0));
    assert!(told.elapsed() < Duration::from_secs(3), "{:?}", told.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_a_second_time_it_ends_whatever_it_does() {
    let mut server = Server::start(&[("PRAXIS_SHUTDOWN_DELAY_SECONDS", "10")]).await;
    server.tell("-TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(server.ready().await, Some(503));
    server.tell("-TERM");
    assert_eq!(server.ended(Duration::from_secs(2)).await, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_internal_address_serves_health_and_metrics_alone() {
    let internal = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server =
        Server::start(&[("PRAXIS_ADMIN_LISTEN", &internal.to_string()), ("PRAXIS_PROFILE", "production")])
            .await;
    for (address, path, status) in [
        (internal, "/metrics", "200"),
        (internal, "/readyz", "200"),
        (internal, "/graphql", "404"),
        (server.address, "/metrics", "404"),
        (server.address, "/graphiql", "404"),
        (server.address, "/readyz", "200"),
    ] {
        let mut wire = Wire::open(address).await;
        wire.write(&request_text(path)).await;
        let (answer, _) = wire.read_for(Duration::from_millis(500)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{address}{path}: {answer}");
    }
    let introspection = json!({ "query": "{ __schema { queryType { name } } }" });
    let answer = server.ask(None, &introspection).await;
    assert!(answer["data"]["__schema"].is_null(), "{answer}");
    let misspelt = server.ask(None, &json!({ "query": "{ viewr { id } }" })).await;
    assert!(!misspelt.to_string().contains("Did you mean"), "{misspelt}");
}
