//! Black-box tests through GraphQL, each on SQLite and on PostgreSQL, each with a database of its own.

mod member;
mod service;
mod sign_in;
mod support;
mod tables;
mod workspace;
