//! Services: what a practice offers.
//!
//! A service says how long an appointment takes, which time is kept free around it and what it costs.
//! Its name is unique in the workspace, whatever its case. Services are archived, never deleted, because
//! past appointments name them.

pub mod commands;
pub mod entity;
pub mod equipment;
pub mod graphql;
pub mod input;
pub mod queries;
