//! The yardstick: handlers written by hand for exactly these queries. One statement each, no sign-in, no tenancy, no
//! journal, no decryption.

mod answer;
mod live;
mod postgres;
mod sqlite;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::Outcome;
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

pub async fn serve(site: &Site, listener: TcpListener) -> Outcome<()> {
    let routes = match site.engine {
        Engine::Postgres => postgres::routes(&site.owner_url()?).await?,
        Engine::Sqlite => sqlite::routes(&site.file())?,
    };
    axum::serve(listener, routes.merge(constant()).merge(live::routes())).await?;
    Ok(())
}

/// Q5.
fn constant() -> Router {
    async fn q5() -> Response {
        axum::Json(answer::Answer { data: answer::Typename { typename: "Query" } }).into_response()
    }
    Router::new().route("/q5", get(q5))
}

/// The UUID of a `TypeID`; nil for what is none, which no row has.
fn uuid(text: &str) -> Uuid {
    praxis::id::decode(text).map_or(Uuid::nil(), |(_, id)| id)
}
