//! Appointments: booking, moving, and what becomes of them.
//!
//! An appointment takes up its practitioner, its room and its patient from start to end, practitioner and
//! room also during the buffers around it. The `occupancies` table holds one row for each, and the
//! database refuses rows that overlap: double booking is impossible, not merely checked for. The end is
//! exclusive, so appointments may touch. An override (with a permission and a reason) stores rows that
//! neither refuse nor are refused.
//!
//! The status goes forward (scheduled, confirmed, in progress, completed; or cancelled, or no-show) or is
//! corrected with a reason: [`rules`] has the table. Cancelled appointments and no-shows give their time
//! back; putting them back on the calendar must take it again and can fail.

pub mod book;
pub mod commands;
pub mod entity;
pub mod event;
pub mod graphql;
pub mod group;
pub mod history;
pub mod hold;
pub mod input;
pub mod occupancy;
pub mod occupy;
pub mod places;
pub mod queries;
pub mod rules;
pub mod seat;
pub mod seats;
pub mod series;
pub mod status;
pub mod sweep;
pub mod waitlist;
