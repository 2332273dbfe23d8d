//! Opaque tokens: refresh tokens, links in e-mails, feed addresses.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::crypto::key::fill_random;

const LENGTH: usize = 32;
/// Of the text: 32 bytes in base64url without padding.
const TEXT_LENGTH: usize = 43;

/// A secret of 256 random bits that its bearer shows to prove who they are.
///
/// Only its [hash](Self::hash) is stored. The secret is as strong as any key, so a plain hash suffices: there is
/// nothing to guess that would make a slow one worth its time.
pub struct SecretToken(Zeroizing<String>);

impl SecretToken {
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        fill_random(bytes.as_mut_slice());
        Self(Zeroizing::new(BASE64URL_NOPAD.encode(bytes.as_slice())))
    }

    /// A token as its bearer shows it; `None` when no generated token looks like that.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != TEXT_LENGTH {
            return None;
        }
        let mut bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        bytes.zeroize();
        Some(Self(Zeroizing::new(text.to_owned())))
    }

    /// The text to hand to the bearer, and to nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored and looked up.
    pub fn hash(&self) -> [u8; 32] {
        token_hash(&self.0)
    }
}

impl fmt::Debug for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretToken(..)")
    }
}

/// The SHA-256 of a token's text.
pub fn token_hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use data_encoding::HEXLOWER;

    use super::*;

    #[test]
    fn tokens_are_fresh_and_fit_into_an_address() {
        let tokens: HashSet<String> =
            (0..1000).map(|_| SecretToken::generate().expose().to_owned()).collect();
        assert_eq!(tokens.len(), 1000);
        for token in tokens {
            assert_eq!(token.len(), 43);
            assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{token}");
        }
    }

    #[test]
    fn a_shown_token_has_the_hash_of_the_issued_one() {
        let issued = SecretToken::generate();
        let shown = SecretToken::parse(issued.expose()).unwrap();
        assert_eq!(shown.hash(), issued.hash());
        assert_ne!(SecretToken::generate().hash(), issued.hash());
        // The published vector, so that stored hashes stay valid.
        assert_eq!(
            HEXLOWER.encode(&token_hash("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn what_was_never_generated_is_refused_unhashed() {
        let good = "A".repeat(43);
        assert!(SecretToken::parse(&good).is_some());
        for bad in [
            String::new(),
            "A".repeat(42),
            "A".repeat(44),
            format!("{}=", "A".repeat(42)),
            format!("{}+", "A".repeat(42)),
            format!("{}/", "A".repeat(42)),
            format!("{} ", "A".repeat(42)),
            // The last character has two bits too many: a second spelling of the same bytes.
            format!("{}B", "A".repeat(42)),
            "é".repeat(43),
        ] {
            assert!(SecretToken::parse(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let token = SecretToken::generate();
        assert_eq!(format!("{token:?}"), "SecretToken(..)");
    }
}
