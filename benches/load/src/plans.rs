//! `load plans`: at the size of the data set, no list and no loader reads a table whole.

use std::sync::Arc;

use praxis::access::actor::{Actor, RequestInfo};
use praxis::access::sessions::Identity;
use praxis::access::token::TokenKeys;
use praxis::app::{App, Secrets};
use praxis::clock::Clock;
use praxis::config::Config;
use praxis::crypto::root::RootKeys;
use praxis::db;
use praxis::db::connect::{PoolOptions, connect};
use praxis::graphql::endpoint::{Caller, Endpoint};
use praxis::graphql::request::Request;
use praxis::id::AuthSessionId;
use praxis::member::entity::Role;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value as Json, json};

use crate::plan;
use crate::site::Site;
use crate::{Outcome, say};

#[path = "../../../tests/api/plans/documents.rs"]
mod documents;

/// Rows that may be read by going through a whole table.
const MOST: f64 = 1_000.0;
/// The practice whose lists are read, one of many.
const WORKSPACE: u64 = 3;

pub async fn run(sites: &[Site]) -> Outcome<()> {
    let mut problems = Vec::new();
    for site in sites {
        let app = open(site).await?;
        let caller = owner();
        let endpoint = Endpoint::new(app.clone());
        app.db.statements().keep();
        let mut looked = 0;
        for (name, document) in documents::DOCUMENTS {
            let began = std::time::Instant::now();
            answer(&endpoint, document, variables(site, document), caller.clone()).await?;
            let took = began.elapsed();
            let mut found = Vec::new();
            for statement in app.db.statements().take_kept() {
                if statement.sql.starts_with("SELECT") {
                    looked += 1;
                    found.extend(whole(&app, &caller, &statement).await?);
                }
            }
            say(&format!(
                "{:<8} {name:<28} {:>7.1} ms  {}",
                site.engine.name(),
                took.as_secs_f64() * 1e3,
                found.join("; ")
            ));
            problems.extend(found);
        }
        say(&format!("{}: {looked} statements", site.engine.name()));
    }
    match problems.len() {
        0 => Ok(()),
        number => Err(format!("{number} tables are read whole").into()),
    }
}

/// The application on a site that is filled, as the server's role.
async fn open(site: &Site) -> Outcome<Arc<App>> {
    let variables = [("DATA_DIR", site.folder.display().to_string()), ("DATABASE_URL", site.server_url()?)];
    let variables = variables.map(|(name, value)| (format!("PRAXIS_{name}"), value));
    let config = Config::from_sources(None, variables.into_iter())?;
    let db = connect(&config.database_url, &PoolOptions::default()).await?;
    let secrets = Secrets {
        root: RootKeys::load(&config.root_keys_file)?,
        tokens: TokenKeys::load(&config.token_keys_file)?,
    };
    Ok(App::assemble(config, Clock::system(), db, secrets))
}

fn owner() -> Caller {
    let (user, request) = (plan::user(WORKSPACE, 0), RequestInfo::default());
    let session = AuthSessionId(uuid::Uuid::nil());
    let actor = Actor {
        workspace: plan::workspace(WORKSPACE),
        user: Some(user),
        membership: Some(plan::member(WORKSPACE, 0)),
        session: Some(session),
        role: Role::Owner,
        patient: None,
        request: request.clone(),
    };
    Caller {
        identity: Some(Identity { user, session, platform_admin: false, actor: Some(Arc::new(actor)) }),
        request,
    }
}

/// Those of the variables that the document takes.
fn variables(site: &Site, document: &str) -> Json {
    let from = plan::first_day();
    let all = [
        ("id", site.plan.appointment(WORKSPACE, 7).to_string()),
        ("patient", site.plan.patient(WORKSPACE, 7).to_string()),
        ("service", plan::service(WORKSPACE, 0).to_string()),
        ("practitioner", plan::doctor_id(WORKSPACE, 0).to_string()),
        ("room", plan::room(WORKSPACE, 0).to_string()),
        ("from", from.to_rfc3339()),
        ("to", (from + chrono::TimeDelta::days(2)).to_rfc3339()),
    ];
    let taken = all.into_iter().filter(|(name, _)| document.contains(&format!("${name}:")));
    taken.map(|(name, value)| (name.to_owned(), Json::from(value))).collect()
}

async fn answer(endpoint: &Endpoint, document: &str, variables: Json, caller: Caller) -> Outcome<()> {
    let request = json!({ "query": document, "variables": variables }).to_string();
    let request = Request::from_json(request.as_bytes()).map_err(|_| "not a request")?;
    let prepared = endpoint.prepare(&request).map_err(|refusal| format!("{refusal:?}"))?;
    let response = endpoint.answer(prepared, caller).await;
    match response.errors.first() {
        Some(error) => Err(format!("{document}: {}", error.message).into()),
        None => Ok(()),
    }
}

/// The tables that the statement reads whole, with how many rows of them where that is known.
async fn whole(app: &App, caller: &Caller, statement: &Statement) -> Outcome<Vec<String>> {
    let scope =
        caller.identity.as_ref().and_then(|identity| identity.actor.as_ref()).map(|actor| actor.scope());
    let tx = app.db.begin_read(scope.unwrap_or_default()).await?;
    let engine = app.db.engine();
    let (explain, column) = match engine {
        db::Engine::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
        db::Engine::Postgres => ("EXPLAIN (ANALYZE, FORMAT JSON)", "QUERY PLAN"),
    };
    let explained = Statement { sql: format!("{explain} {}", statement.sql), ..statement.clone() };
    let rows = tx.query_all_raw(explained).await?;
    let mut found = Vec::new();
    for row in rows {
        match engine {
            db::Engine::Sqlite => {
                let line: String = row.try_get("", column)?;
                found.extend(Some(line).filter(|line| documents::is_whole(line)));
            }
            db::Engine::Postgres => collect(&row.try_get::<Json>("", column)?, &mut found),
        }
    }
    tx.rollback().await?;
    Ok(found)
}

/// The sequential scans of a plan that go through many rows.
fn collect(plan: &Json, found: &mut Vec<String>) {
    match plan {
        Json::Array(parts) => parts.iter().for_each(|part| collect(part, found)),
        Json::Object(node) => {
            let number = |name: &str| node.get(name).and_then(Json::as_f64).unwrap_or(0.0);
            let read = (number("Actual Rows") + number("Rows Removed by Filter")) * number("Actual Loops");
            if node.get("Node Type").and_then(Json::as_str) == Some("Seq Scan") && read > MOST {
                let table = node.get("Relation Name").and_then(Json::as_str).unwrap_or_default();
                found.push(format!("{read} rows of {table}"));
            }
            node.values().for_each(|part| collect(part, found));
        }
        _ => {}
    }
}
