//! The yardstick: handlers written by hand for exactly these queries. One statement each, no sign-in, no tenancy, no
//! journal, no decryption. Told so, they do what no server of the kind can do without: what remains between that and the
//! server is the server's own.

mod answer;
mod audit;
mod booking;
mod engine;
mod journal;
mod live;
mod postgres;
mod sealed;
mod sign_in;
mod sqlite;

use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router, middleware};
use chrono::{DateTime, Utc};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use crate::Outcome;
use crate::queries::Query as Asked;
use crate::site::{Engine, Site};

/// What the queries ask for. `chart` adds the patients' names.
#[derive(Deserialize)]
struct Ask {
    #[serde(default)]
    id: String,
    #[serde(default)]
    workspace: Uuid,
    #[serde(default)]
    practitioner: String,
    #[serde(default)]
    patient: String,
    #[serde(default)]
    service: String,
    #[serde(default)]
    location: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    chart: bool,
}

/// What the handlers do besides, of what the server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Also {
    /// Answer through the GraphQL engine
    Engine,
    /// Read in a transaction that row-level security confines to the workspace (PostgreSQL)
    Tenant,
    /// Open the names that are sealed under each patient's own key
    Sealed,
    /// Write down whose names they answer with, before they answer; on SQLite into the server's journal
    Journal,
    /// Book with what no booking can do without, in one transaction
    Booking,
    /// Look at who asks, and answer with all headers
    SignIn,
}

pub async fn serve(site: &Site, listener: TcpListener, also: &[Also]) -> Outcome<()> {
    let replies =
        Replies(if also.contains(&Also::Engine) { Some(engine::Engine::new().await?) } else { None });
    let routes = match site.engine {
        Engine::Postgres => postgres::routes(site, also).await?,
        Engine::Sqlite => sqlite::routes(site, also)?,
    };
    let mut routes = routes.merge(Router::new().route("/q5", get(q5)));
    if also.contains(&Also::SignIn) {
        routes = routes.layer(middleware::from_fn_with_state(sign_in::SignIn::new(site)?, sign_in::layer));
    }
    let routes = routes.merge(Router::new().route("/readyz", get(async || ()))).merge(live::routes());
    // Ended as the server is, with all that it noted: a build that counts what is used writes that at its end.
    let mut ended = signal(SignalKind::terminate())?;
    tokio::select! {
        served = axum::serve(listener, routes.layer(Extension(replies))) => Ok(served?),
        _ = ended.recv() => Ok(()),
    }
}

/// How what was found becomes an answer.
#[derive(Clone)]
struct Replies(Option<engine::Engine>);

impl Replies {
    async fn reply<T: Serialize + Send + 'static>(&self, query: Asked, data: T) -> Response {
        match &self.0 {
            Some(engine) => Json(engine.answer(query, data).await).into_response(),
            None => Json(answer::Answer { data }).into_response(),
        }
    }
}

async fn q5(Extension(replies): Extension<Replies>) -> Response {
    replies.reply(Asked::Q5, answer::Typename { typename: "Query" }).await
}

/// The UUID of a `TypeID`; nil for what is none, which no row has.
fn uuid(text: &str) -> Uuid {
    praxis::id::decode(text).map_or(Uuid::nil(), |(_, id)| id)
}

fn instant(text: &str) -> Result<DateTime<Utc>, answer::Failed> {
    Ok(text.parse::<DateTime<Utc>>()?)
}
