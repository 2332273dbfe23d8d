//! Patients: charts, search, roles, and what becomes of them in the journal and on disk.

mod chart;
mod family;
mod privacy;
mod search;

use serde_json::{Value as Json, json};

use crate::support::app::Client;

const CREATE: &str = "mutation($input: CreatePatientInput!) { createPatient(input: $input) { \
                      patient { id version displayName } possibleDuplicates { id } } }";
const UPDATE: &str = "mutation($input: UpdatePatientInput!) { updatePatient(input: $input) { patient { \
                      id version firstName middleName phone allergies tags bloodType reminderConsent \
                      address { line city } } } }";

/// Creates a patient and returns it.
async fn create(client: &Client, input: Json) -> Json {
    // A millisecond apart, so that ids are in the order of creation.
    client.app.clock.advance(std::time::Duration::from_millis(2));
    client.ok(CREATE, json!({ "input": input })).await["createPatient"]["patient"].clone()
}

async fn named(client: &Client, first: &str, last: &str) -> Json {
    create(client, json!({ "firstName": first, "lastName": last })).await
}

/// The events of the client's workspace, oldest first.
async fn journal(client: &Client) -> Vec<praxis::journal::entity::Model> {
    use sea_orm::QueryOrder;
    let actor = praxis::access::actor::Actor::system(client.workspace(), "test");
    let tx = client.app.db.begin_read(actor.scope()).await.expect("a transaction");
    let events = actor
        .find::<praxis::journal::entity::Entity>()
        .order_by_asc(praxis::journal::entity::Column::Seq)
        .all(&tx)
        .await
        .expect("the journal");
    tx.rollback().await.expect("it ends");
    events
}
