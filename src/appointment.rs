//! Appointments: booking, moving, holding, repeating and waiting for them.

pub mod entity;
pub mod event;
pub mod hold;
pub mod occupancy;
pub mod series;
pub mod waitlist;
