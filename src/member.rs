//! Members: who belongs to a workspace, and in which role.
//!
//! A member need not have an account: a locum, or a practitioner who came with imported data, has a calendar
//! and nothing else. An invitation creates the member at once, inactive until it is accepted.

pub mod commands;
pub mod entity;
pub mod graphql;
pub mod input;
pub mod queries;
