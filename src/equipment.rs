//! Equipment of the practice that one appointment at a time can have, such as an ultrasound scanner.
//!
//! A service says which equipment it takes up. Its name is unique in the workspace, whatever its case.
//! Equipment is archived, never deleted, because past appointments took it up; not while a service needs it.

pub mod commands;
pub mod entity;
pub mod graphql;
pub mod input;
pub mod queries;
