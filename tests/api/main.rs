//! Black-box tests through GraphQL, each on SQLite and on PostgreSQL, each with a database of its own.

mod patient;
mod service;
mod support;
mod tables;
