//! The keys that sign access tokens.

use std::fmt;
use std::path::Path;

use data_encoding::HEXLOWER;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use zeroize::Zeroizing;

use crate::crypto::Key;
use crate::crypto::key::fill_random;
use crate::crypto::key_file::{self, KeyFileError, Problem};

/// What precedes the 32 bytes of an Ed25519 private key in PKCS#8 (RFC 8410 §7), the form that the signer reads.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The signing keys in the order of their file: the last one signs, all of them verify.
pub struct TokenKeys(Vec<TokenKey>);

pub(super) struct TokenKey {
    pub id: String,
    pub encoding: EncodingKey,
    pub decoding: DecodingKey,
}

impl TokenKeys {
    /// Reads the keys from a file that only its owner can use.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        key_file::load(path, Self::parse)
    }

    /// Makes a file with one new key, and never replaces a file.
    pub fn create(path: &Path) -> Result<Self, KeyFileError> {
        let (id, key) = (new_id(), Key::random());
        key_file::create(
            path,
            "Keys that sign access tokens, ID:KEY. The last one signs, all of them verify.",
            &[(&id, &key)],
        )?;
        Ok(Self(vec![TokenKey::new(id, &key)]))
    }

    /// The keys of a list: `ID:BASE64` on each line, of the 32-byte private key.
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        let keys = key_file::parse(text)?.into_iter().map(|entry| {
            if is_id(&entry.name) {
                Ok(TokenKey::new(entry.name, &entry.key))
            } else {
                let expected = "an id of at most 64 letters, digits, - and _";
                Err(KeyFileError::at_line(entry.line, Problem::Name(expected)))
            }
        });
        Ok(Self(keys.collect::<Result<_, _>>()?))
    }

    pub(super) fn signing(&self) -> &TokenKey {
        self.0.last().expect("there is at least one key")
    }

    pub(super) fn find(&self, id: &str) -> Option<&TokenKey> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

impl TokenKey {
    fn new(id: String, seed: &Key) -> Self {
        let mut pkcs8 = Zeroizing::new([0; PKCS8_PREFIX.len() + Key::LENGTH]);
        pkcs8[..PKCS8_PREFIX.len()].copy_from_slice(&PKCS8_PREFIX);
        pkcs8[PKCS8_PREFIX.len()..].copy_from_slice(seed.expose());
        let encoding = EncodingKey::from_ed_der(pkcs8.as_slice());
        let public = Jwk::from_encoding_key(&encoding, Algorithm::EdDSA)
            .and_then(|jwk| DecodingKey::from_jwk(&jwk))
            .expect("any 32 bytes are an Ed25519 private key");
        Self { id, encoding, decoding: public }
    }
}

fn new_id() -> String {
    let mut bytes = [0; 8];
    fill_random(&mut bytes);
    HEXLOWER.encode(&bytes)
}

fn is_id(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn key(id: &str, seed: &str) -> String {
        let seed = HEXLOWER.decode(seed.as_bytes()).unwrap();
        format!("{id}:{}\n", data_encoding::BASE64.encode(&seed))
    }

    /// Test 1 of RFC 8032 §7.1: its public key belongs to its private key.
    #[test]
    fn the_key_pair_is_that_of_ed25519() {
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let keys = TokenKeys::parse(&key("k", seed)).unwrap();
        let public = keys.signing().decoding.try_get_as_bytes().unwrap();
        assert_eq!(
            HEXLOWER.encode(public),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        let signature = jsonwebtoken::crypto::sign(b"", &keys.signing().encoding, Algorithm::EdDSA).unwrap();
        let signature = data_encoding::BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
        assert_eq!(
            HEXLOWER.encode(&signature),
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
             d25bf5f0595bbe24655141438e7a100b"
        );
    }

    #[test]
    fn the_last_key_signs_and_all_are_found() {
        let text = key("old", SEED) + &key("new", SEED);
        let keys = TokenKeys::parse(&text).unwrap();
        assert_eq!(keys.signing().id, "new");
        assert!(keys.find("old").is_some() && keys.find("new").is_some() && keys.find("ne").is_none());
        assert_eq!(format!("{keys:?}"), r#"["old", "new"]"#);
    }

    #[test]
    fn an_id_is_a_plain_word() {
        for id in ["", "../key", "a b", "a/b", "é", "a\0b", &"x".repeat(65)] {
            let error = TokenKeys::parse(&key(id, SEED)).unwrap_err();
            assert!(error.to_string().contains("line 1: expected an id of at most 64"), "{id}: {error}");
        }
        assert!(TokenKeys::parse(&key(&"x".repeat(64), SEED)).is_ok());
    }

    #[test]
    fn a_created_file_loads_as_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token.keys");
        let created = TokenKeys::create(&path).unwrap();
        let loaded = TokenKeys::load(&path).unwrap();
        assert_eq!(loaded.signing().id, created.signing().id);
        assert_eq!(loaded.signing().encoding.as_bytes(), created.signing().encoding.as_bytes());
        assert!(TokenKeys::create(&path).unwrap_err().is_existing_file());
    }
}
