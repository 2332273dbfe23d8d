//! Why something sealed does not open.

/// Why a ciphertext or a wrapped key does not open. Carries numbers only, never a plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    #[error("the ciphertext has the unknown format {0}")]
    UnknownFormat(u8),
    #[error("the ciphertext is cut short")]
    Truncated,
    #[error("sealed with key version {sealed}, opened with version {key}")]
    WrongKeyVersion { sealed: u32, key: u32 },
    /// No root key of this version is loaded.
    #[error("root key {0} is not loaded")]
    UnknownRootKey(u32),
    /// Altered, moved from another place, or sealed with another key: which of these cannot be told.
    #[error("the ciphertext is not authentic in this place")]
    NotAuthentic,
    /// It opened, but is not the UTF-8 text that was asked for.
    #[error("the plain text is not text")]
    NotText,
    #[error("the key was destroyed")]
    Destroyed,
}
