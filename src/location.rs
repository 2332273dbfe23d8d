//! Locations: where patients are seen.

pub mod entity;
