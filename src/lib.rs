//! Praxis: the GraphQL API server for healthcare practices.
#![recursion_limit = "512"]

pub mod clock;
pub mod crypto;
pub mod fhir;
pub mod graphql;
pub mod id;
