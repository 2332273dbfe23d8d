//! Schedules: when practitioners work, week by week and by exception.
//!
//! A weekly entry is an interval of the wall clock on one weekday, in a zone, at a place, from a first to a last
//! day. Exceptions are dated: time off, extra hours, and days on which the practice is closed. What follows from
//! them together is computed in [`crate::availability`].

pub mod commands;
pub mod entity;
pub mod exception;
pub mod exceptions;
pub mod graphql;
pub mod input;
pub mod queries;
pub mod time;
