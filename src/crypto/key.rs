//! Secret keys, and keys derived from them.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 secret bytes, wiped when dropped.
///
/// Boxed, so that moving a key moves a pointer and leaves no copy of the bytes on the stack.
#[derive(Clone)]
pub struct Key(Box<[u8; Key::LENGTH]>);

impl Key {
    pub const LENGTH: usize = 32;

    /// A fresh key from the operating system's random source.
    pub fn random() -> Self {
        let mut key = Self(Box::new([0; Self::LENGTH]));
        fill_random(key.0.as_mut_slice());
        key
    }

    /// The key of these bytes, or `None` when there are not exactly 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::LENGTH {
            return None;
        }
        let mut key = Self(Box::new([0; Self::LENGTH]));
        key.0.copy_from_slice(bytes);
        Some(key)
    }

    pub fn expose(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// An independent key for another purpose: HKDF-SHA-256, with `purpose` as the info.
    pub fn derive(&self, purpose: &[&[u8]]) -> Self {
        let mut derived = Self(Box::new([0; Self::LENGTH]));
        Hkdf::<Sha256>::new(None, self.0.as_slice())
            .expand(&length_prefixed(purpose), derived.0.as_mut_slice())
            .expect("32 bytes are fewer than HKDF's maximum");
        derived
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl ZeroizeOnDrop for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Fills `bytes` from the operating system's random source.
pub(crate) fn fill_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

/// One byte string for a list of them: each follows its length, so that no two lists have the same encoding.
pub(crate) fn length_prefixed(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|part| 4 + part.len()).sum());
    for part in parts {
        let length = u32::try_from(part.len()).expect("names and ids are shorter than 4 GiB");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lists_never_share_an_encoding() {
        let lists: [&[&[u8]]; 5] =
            [&[b"ab", b"c"], &[b"a", b"bc"], &[b"abc"], &[b"abc", b""], &[b"", b"abc"]];
        let encoded: std::collections::HashSet<_> = lists.iter().map(|list| length_prefixed(list)).collect();
        assert_eq!(encoded.len(), lists.len());
        assert_eq!(length_prefixed(&[b"ab", b"c"]), b"\0\0\0\x02ab\0\0\0\x01c");
    }

    #[test]
    fn derived_keys_differ_by_purpose_and_by_key_and_are_stable() {
        let (one, other) = (Key::from_slice(&[1; 32]).unwrap(), Key::from_slice(&[2; 32]).unwrap());
        assert_eq!(one.derive(&[b"a"]).expose(), one.derive(&[b"a"]).expose());
        assert_ne!(one.derive(&[b"a"]).expose(), one.derive(&[b"b"]).expose());
        assert_ne!(one.derive(&[b"ab", b"c"]).expose(), one.derive(&[b"a", b"bc"]).expose());
        assert_ne!(one.derive(&[b"a"]).expose(), other.derive(&[b"a"]).expose());
        assert_ne!(one.derive(&[b"a"]).expose(), one.expose());
    }

    #[test]
    fn a_key_has_exactly_32_bytes_and_prints_none_of_them() {
        assert!(Key::from_slice(&[7; 31]).is_none());
        assert!(Key::from_slice(&[7; 33]).is_none());
        let key = Key::from_slice(&[7; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "Key(..)");
        assert_ne!(Key::random().expose(), Key::random().expose());
    }
}
