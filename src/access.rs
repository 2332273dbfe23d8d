//! Who is asking: accounts, sign-ins and the secrets behind them.

pub mod actor;
pub mod entity;
pub mod password;
pub mod permission;
pub mod scope;
pub mod secret;
pub mod sessions;
pub mod token;
