//! Who may come in, as whom, and what each may do.

pub mod actor;
pub mod entity;
pub mod password;
pub mod permission;
pub mod scope;
pub mod secret;
pub mod sessions;
pub mod token;
