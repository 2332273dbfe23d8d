//! Who may come in, as whom, and what each may do.

pub mod actor;
pub mod commands;
pub mod entity;
pub mod graphql;
pub mod input;
pub mod password;
pub mod permission;
pub mod queries;
pub mod scope;
pub mod secret;
pub mod sessions;
pub mod throttle;
pub mod token;
pub mod viewer;
