//! Praxis: the GraphQL API server for healthcare practices.
#![recursion_limit = "512"]

pub mod access;
pub mod appointment;
pub mod attachment;
pub mod care_plan;
pub mod clock;
pub mod consent;
pub mod crypto;
pub mod diagnostic;
pub mod disclosure;
pub mod erasure;
pub mod graphql;
pub mod id;
pub mod journal;
pub mod location;
pub mod medical_record;
pub mod member;
pub mod patient;
pub mod prediction;
pub mod reminder;
pub mod retention;
pub mod room;
pub mod schedule;
pub mod service;
pub mod therapy_session;
pub mod workspace;
