//! Consents: what a patient allowed to be done with their data, and when they took it back.
//!
//! A row of `data_processing_consents` is an event, never a state: consent for a purpose was `GRANTED`,
//! `WITHDRAWN`, it `EXPIRED` or was `SUPERSEDED` by a newer text. What holds at a moment is read off the
//! latest event of that purpose at that moment. Each event keeps which version of the text was shown, in
//! which language and through which channel. Events are only added: the database refuses to change their
//! facts or to remove them.

pub mod commands;
pub mod entity;
pub mod graphql;
pub mod input;
pub mod queries;
