//! Patients: their charts, family history and care teams.
//!
//! Everything personal is sealed under the patient's own key ([`chart`]), so the database can neither search
//! nor sort it: each node keeps a [`directory`] of the workspaces in use in memory. Patients are archived,
//! never deleted; erasing one destroys the key.

pub mod care_team;
pub mod chart;
pub mod commands;
pub mod directory;
pub mod entity;
pub mod family_history;
pub mod graphql;
pub mod input;
pub mod queries;
pub mod relatives;
