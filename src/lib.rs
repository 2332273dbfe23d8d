//! Praxis: the GraphQL API server for healthcare practices.
#![recursion_limit = "512"]

pub mod clock;
pub mod crypto;
pub mod db;
pub mod error;
pub mod graphql;
pub mod id;
