//! The column type of an encrypted value.

use std::fmt;

use super::CryptoError;

/// Ciphertext of one field: made and opened only by the [field cipher](super::field).
///
/// It has no plain text in it, and `Debug` prints none of its bytes.
#[derive(Clone, Default, PartialEq, Eq, sea_orm::DeriveValueType)]
pub struct Sealed(pub Vec<u8>);

impl Sealed {
    /// The version of the key that it was sealed with, to know which key to open it with.
    pub fn version(&self) -> Result<u32, CryptoError> {
        super::field::key_version(&self.0)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<sealed {} bytes>", self.0.len())
    }
}
