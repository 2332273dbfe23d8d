//! Availability: when an appointment can be booked, and why it cannot.
//!
//! A practitioner is there during the windows of the weekly schedule, unless the practice is closed, and during
//! extra hours; never during own time off. An appointment fits where it lies inside those hours at one place,
//! and where it, with its buffers, meets nothing that takes up its practitioner or room, and without them
//! nothing that takes up its patient. Listing free times and checking a booking ask the same [`search`],
//! so a time is listed exactly when booking it succeeds (docs/adr/0009-availability.md).
//!
//! [`local`], [`spans`], [`hours`] and [`search`] know no database; [`load`] reads what they need in a number
//! of statements that does not depend on how many practitioners are asked for.

pub mod calendar;
pub mod check;
pub mod choose;
pub mod conflicts;
pub mod graphql;
pub mod hours;
pub mod input;
pub mod load;
pub mod local;
pub mod query;
pub mod search;
pub mod sight;
pub mod spans;
pub mod statistics;
