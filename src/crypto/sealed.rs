//! The column type of an encrypted value.

use std::fmt;

/// Ciphertext of one field: made and opened only by the [field cipher](super::field).
///
/// It has no plain text in it, and `Debug` prints none of its bytes.
#[derive(Clone, PartialEq, Eq, sea_orm::DeriveValueType)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<sealed {} bytes>", self.0.len())
    }
}
