//! The GraphQL schema and what every slice of it shares.

pub mod batch;
pub mod context;
mod direct;
pub mod document;
pub mod endpoint;
pub mod error;
pub mod frame;
pub mod guard;
pub mod input;
pub mod join;
pub mod node;
pub mod object;
pub mod page;
pub mod project;
pub mod request;

use async_graphql::{MergedObject, MergedSubscription, ObjectType, SDLExportOptions, SchemaBuilder};

use crate::config::Config;

/// The executable schema.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// Everything that can be read.
#[derive(Default, MergedObject)]
pub struct Query(
    node::NodeQuery,
    crate::location::graphql::LocationQuery,
    crate::room::graphql::RoomQuery,
    crate::equipment::graphql::EquipmentQuery,
    crate::appointment::graphql::roots::AppointmentQuery,
    crate::appointment::hold::graphql::HoldQuery,
    crate::appointment::waitlist::graphql::WaitlistQuery,
    crate::patient::graphql::roots::PatientQuery,
    crate::reminder::graphql::ReminderQuery,
    crate::journal::graphql::JournalQuery,
    crate::live::graphql::LiveQuery,
    crate::access::graphql::AccessQuery,
    crate::workspace::graphql::WorkspaceQuery,
    crate::member::graphql::MemberQuery,
    crate::service::graphql::ServiceQuery,
    crate::schedule::graphql::ScheduleQuery,
    crate::availability::graphql::AvailabilityQuery,
);

/// Everything that can be changed. Fields run one after the other, in the order of the document.
#[derive(Default, MergedObject)]
pub struct Mutation(
    crate::location::graphql::LocationMutation,
    crate::room::graphql::RoomMutation,
    crate::equipment::graphql::EquipmentMutation,
    crate::appointment::graphql::roots::AppointmentMutation,
    crate::appointment::hold::graphql::HoldMutation,
    crate::appointment::waitlist::graphql::WaitlistMutation,
    crate::appointment::series::graphql::SeriesMutation,
    crate::patient::graphql::roots::PatientMutation,
    crate::reminder::graphql::ReminderMutation,
    crate::consent::graphql::ConsentMutation,
    crate::access::graphql::AccessMutation,
    crate::workspace::graphql::WorkspaceMutation,
    crate::member::graphql::MemberMutation,
    crate::service::graphql::ServiceMutation,
    crate::schedule::graphql::ScheduleMutation,
    crate::fhir::graphql::FhirMutation,
);

/// Everything that can be followed.
#[derive(Default, MergedSubscription)]
pub struct Subscription(crate::live::graphql::LiveSubscription);

/// Builds the schema: the same one for the server, the tests and `schema.graphql`.
pub fn schema(config: &Config) -> Schema {
    build(config, Query::default()).extension(guard::FieldGuard::default()).finish()
}

/// As deep as documents are let through.
const LEVELS: usize = document::shape::MAX_LEVELS as usize;

fn build<Q: ObjectType + 'static>(config: &Config, query: Q) -> SchemaBuilder<Q, Mutation, Subscription> {
    let builder = async_graphql::Schema::build(query, Mutation::default(), Subscription::default())
        // The documents were validated, and their size bounded, before they come here (`document`).
        .limit_recursive_depth(LEVELS)
        .validation_mode(async_graphql::ValidationMode::Fast);
    match config.introspection {
        true => builder,
        false => builder.disable_introspection().disable_suggestions(),
    }
}

/// The schema as text: the content of `schema.graphql`.
pub fn sdl(config: &Config) -> String {
    text(&schema(config))
}

/// This schema as text.
fn text(schema: &Schema) -> String {
    let options = SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items();
    let mut sdl = schema.sdl_with_options(options).trim_end().to_owned();
    sdl.push('\n');
    sdl
}
