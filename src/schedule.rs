//! Schedules: when practitioners work, week by week and by exception.

pub mod entity;
pub mod exception;
