//! The tables of accounts and sign-ins.

pub mod auth_session;
pub mod email_blocklist;
pub mod idempotency_key;
pub mod login_challenge;
pub mod one_time_token;
pub mod refresh_token;
pub mod user;
