//! Encryption at rest: keys, field cipher, sealed columns.

pub mod sealed;
