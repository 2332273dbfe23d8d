//! Black-box tests through GraphQL, each on SQLite and on PostgreSQL, each with a database of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod appointment;
mod member;
mod schema;
mod patient;
mod http;
mod import;
mod service;
mod sign_in;
mod support;
mod tables;
mod tenancy;
mod workspace;
