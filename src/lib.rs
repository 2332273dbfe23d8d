//! Praxis: the GraphQL API server for healthcare practices.
#![recursion_limit = "512"]

pub mod access;
pub mod appointment;
pub mod clock;
pub mod crypto;
pub mod graphql;
pub mod id;
pub mod journal;
pub mod location;
pub mod member;
pub mod patient;
pub mod reminder;
pub mod room;
pub mod schedule;
pub mod service;
pub mod workspace;
