//! Who may come in: passwords, tokens, sessions, and what each may do.

pub mod password;
pub mod secret;
pub mod token;
