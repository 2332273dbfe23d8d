//! Services: what can be booked.

pub mod entity;
