//! Patients: their charts, family history and care teams.

pub mod care_team;
pub mod chart;
pub mod commands;
pub mod entity;
pub mod family_history;
