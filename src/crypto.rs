//! Encryption at rest: keys, field cipher, sealed columns.
//!
//! A [root key](root) wraps a key for each workspace, which wraps a key for each patient; the patient's key
//! seals the patient's fields. Whatever is sealed is bound to its place, so that it opens nowhere else, and
//! destroying a patient's one wrapped key makes everything sealed with it unreadable.

pub mod entity;
pub mod error;
pub mod field;
pub mod key;
pub mod key_file;
pub mod keyring;
pub mod keys;
pub mod root;
pub mod sealed;

pub use error::CryptoError;
pub use field::{Cipher, Place};
pub use key::Key;
