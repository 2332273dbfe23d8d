//! The GraphQL schema and what every slice of it shares.

pub mod error;
