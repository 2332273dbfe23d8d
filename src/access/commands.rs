//! Coming in, staying in and going out.

pub mod credentials;
pub mod password;
pub mod refresh;
pub mod session;
pub mod sign_in;
pub mod sign_out;
pub mod sign_up;
pub mod switch_workspace;
