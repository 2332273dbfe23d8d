//! The field cipher: AES-256-GCM, bound to the place where the ciphertext is stored.
//!
//! Ciphertext: `1 (format) | key version, u32 big-endian | nonce, 12 bytes | ciphertext | tag, 16 bytes`.
//! The nonce is random. One key stays far below the 2^32 messages that NIST SP 800-38D §8.3 allows for that,
//! because there is a key for each patient.

use std::fmt;

use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::aes::Aes256Enc;
use aes_gcm::{AesGcm, Nonce, Tag};
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use super::key::{fill_random, length_prefixed};
use super::sealed::Sealed;
use super::{CryptoError, Key};
use crate::id::{TypedId, WorkspaceId};

pub(crate) const FORMAT: u8 = 1;
const NONCE: usize = 12;
const TAG: usize = 16;
/// Format and key version.
pub(crate) const PREFIX: usize = 1 + 4;
const HEADER: usize = PREFIX + NONCE;

/// What a ciphertext has more bytes than its plain text.
pub const OVERHEAD: usize = HEADER + TAG;

/// Where a sealed value is stored. It opens in no other place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub workspace: WorkspaceId,
    pub table: &'static str,
    pub column: &'static str,
    pub row: Uuid,
}

impl Place {
    /// The place of a column in the row of this id; the id knows its table.
    pub fn of<I: TypedId>(workspace: WorkspaceId, row: I, column: &'static str) -> Self {
        Self { workspace, table: I::TABLE, column, row: row.uuid() }
    }

    fn associated_data(&self, version: u32) -> Vec<u8> {
        length_prefixed(&[
            b"praxis-field-v1",
            self.workspace.uuid().as_bytes(),
            self.table.as_bytes(),
            self.column.as_bytes(),
            self.row.as_bytes(),
            &version.to_be_bytes(),
        ])
    }
}

/// One version of one key, expanded and ready to seal and open.
///
/// The expanded key is wiped when dropped.
pub struct Cipher {
    version: u32,
    /// GCM only ever encrypts with the key itself: what would decrypt is not expanded.
    gcm: AesGcm<Aes256Enc, U12>,
}

impl Cipher {
    pub fn new(key: &Key, version: u32) -> Self {
        Self { version, gcm: AesGcm::new(key.expose().into()) }
    }

    /// The version of the key: everything sealed names it, and nothing of another version opens.
    pub fn version(&self) -> u32 {
        self.version
    }

    pub fn seal(&self, place: &Place, plaintext: &[u8]) -> Sealed {
        Sealed(self.seal_bound(&place.associated_data(self.version), plaintext))
    }

    pub fn open(&self, place: &Place, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.open_bound(&place.associated_data(self.version), &sealed.0)
    }

    pub fn seal_text(&self, place: &Place, text: &str) -> Sealed {
        self.seal(place, text.as_bytes())
    }

    pub fn open_text(&self, place: &Place, sealed: &Sealed) -> Result<Zeroizing<String>, CryptoError> {
        let mut bytes = self.open(place, sealed)?;
        match String::from_utf8(std::mem::take(&mut *bytes)) {
            Ok(text) => Ok(Zeroizing::new(text)),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(CryptoError::NotText)
            }
        }
    }

    /// Seals under associated data of the caller's making, which must name its purpose first.
    pub(crate) fn seal_bound(&self, associated_data: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        fill_random(&mut nonce);
        // The final size at once: growing would leave copies of the plain text behind.
        let mut out = Vec::with_capacity(OVERHEAD + plaintext.len());
        out.push(FORMAT);
        out.extend_from_slice(&self.version.to_be_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plaintext);
        let tag = self
            .gcm
            .encrypt_inout_detached(&Nonce::from(nonce), associated_data, (&mut out[HEADER..]).into())
            .expect("a value in memory is shorter than AES-GCM's 64 GiB");
        out.extend_from_slice(&tag);
        out
    }

    pub(crate) fn open_bound(
        &self,
        associated_data: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let version = key_version(sealed)?;
        if version != self.version {
            return Err(CryptoError::WrongKeyVersion { sealed: version, key: self.version });
        }
        let (nonce, rest) = sealed[PREFIX..].split_first_chunk::<NONCE>().ok_or(CryptoError::Truncated)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG>().ok_or(CryptoError::Truncated)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        self.gcm
            .decrypt_inout_detached(
                &Nonce::from(*nonce),
                associated_data,
                buffer.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| CryptoError::NotAuthentic)?;
        Ok(buffer)
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cipher(version {})", self.version)
    }
}

/// The key version that a ciphertext names. It is authentic only once the ciphertext has opened.
pub(crate) fn key_version(sealed: &[u8]) -> Result<u32, CryptoError> {
    match sealed {
        [] => Err(CryptoError::Truncated),
        [FORMAT, rest @ ..] => {
            let version = rest.first_chunk().ok_or(CryptoError::Truncated)?;
            Ok(u32::from_be_bytes(*version))
        }
        [format, ..] => Err(CryptoError::UnknownFormat(*format)),
    }
}

#[cfg(test)]
mod tests;
