//! The journal: what happened, in order, provably complete.

pub mod append;
pub mod chain;
pub mod checkpoint;
pub mod entity;
pub mod event;
pub mod graphql;
pub mod head;
pub mod queries;
pub mod verify;
pub mod writer;
