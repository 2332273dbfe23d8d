//! Praxis: the GraphQL API server for healthcare practices.
#![recursion_limit = "512"]

pub mod access;
pub mod clock;
pub mod crypto;
pub mod graphql;
pub mod id;
