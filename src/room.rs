//! Rooms of the practice: what an appointment may need besides people.
//!
//! A room's name is unique in the workspace, whatever its case. Rooms are archived, never deleted, because
//! past appointments name them.

pub mod commands;
pub mod entity;
pub mod graphql;
pub mod input;
pub mod queries;
