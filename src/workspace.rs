//! The practice itself: its address, settings, quota and state.

pub mod commands;
pub mod entity;
pub mod graphql;
pub mod input;
pub mod queries;
