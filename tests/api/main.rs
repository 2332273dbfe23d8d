//! Black-box tests through GraphQL, each on SQLite and on PostgreSQL, each with a database of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod appointment;
mod availability;
mod calendar;
mod connections;
mod course;
mod directives;
mod equipment;
mod events;
mod group;
mod hold;
mod http;
mod import;
mod journal;
mod live;
mod location;
mod member;
mod patient;
mod plans;
mod projection;
mod reminder;
mod roles;
mod room;
mod schedule;
mod schema;
mod series;
mod server;
mod service;
mod sign_in;
mod socket;
mod support;
mod tables;
mod tenancy;
mod waitlist;
mod workspace;
