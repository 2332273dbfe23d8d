//! The journal: what happened, in order, provably complete.

pub mod checkpoint;
pub mod entity;
pub mod head;
