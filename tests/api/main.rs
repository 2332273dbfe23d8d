//! Black-box tests through GraphQL, each on SQLite and on PostgreSQL, each with a database of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod appointment;
mod journal;
mod live;
mod location;
mod room;
mod service;
mod support;
mod tables;
