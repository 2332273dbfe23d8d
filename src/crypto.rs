//! Encryption at rest: keys, field cipher, sealed columns.

pub mod entity;
pub mod sealed;
