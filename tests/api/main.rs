//! Black-box tests through GraphQL, each on SQLite and on PostgreSQL, each with a database of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod appointment;
mod availability;
mod course;
mod group;
mod hold;
mod http;
mod import;
mod journal;
mod live;
mod location;
mod member;
mod patient;
mod roles;
mod room;
mod schedule;
mod schema;
mod series;
mod service;
mod sign_in;
mod support;
mod tables;
mod tenancy;
mod waitlist;
mod workspace;
