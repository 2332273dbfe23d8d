//! The journal: what happened, in order, provably complete.

pub mod append;
pub mod chain;
pub mod checkpoint;
pub mod entity;
pub mod event;
pub mod head;
pub mod writer;
