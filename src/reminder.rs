//! Messages: reminders, what members want to be told, and calendar feeds.
//!
//! The table `reminders` is an outbox. A change of an appointment writes the rows that follow from it in its own
//! transaction ([`plan`]); the [`worker`] of any node leases what is due, asks again whether it still holds
//! ([`send`]), hands it to the mail server outside any transaction, and notes what came of it. A message whose end
//! cannot be noted is sent again, under the same name.

pub mod calendar_feed;
pub mod commands;
pub mod entity;
pub mod feed;
pub mod graphql;
pub mod ics;
pub mod input;
pub mod notification_setting;
pub mod plan;
pub mod queries;
pub mod rules;
pub mod send;
pub mod text;
pub mod worker;
