//! Messages: reminders, what members want to be told, and calendar feeds.

pub mod calendar_feed;
pub mod entity;
pub mod notification_setting;
