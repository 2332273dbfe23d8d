//! Praxis: the GraphQL API server for healthcare practices.
#![recursion_limit = "512"]

pub mod clock;
pub mod crypto;
pub mod graphql;
pub mod http;
pub mod id;
