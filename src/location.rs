//! Locations: where patients are seen.
//!
//! A location is a branch of the practice, the patient's home or a call. Its name is unique in the
//! workspace, whatever its case. Locations are archived, never deleted, because past appointments name them.

pub mod commands;
pub mod entity;
pub mod graphql;
pub mod input;
pub mod queries;
