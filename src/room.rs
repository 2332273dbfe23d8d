//! Rooms of the practice.

pub mod entity;
