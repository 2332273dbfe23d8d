//! Root keys: what the operator guards, and what everything else is wrapped under.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use zeroize::Zeroizing;

use super::key::length_prefixed;
use super::key_file::{self, KeyFileError, Problem};
use super::{Cipher, CryptoError, Key};
use crate::id::{PatientId, TypedId, WorkspaceId};

/// What a wrapped key is for. A key unwraps only in the context that it was wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    Workspace { workspace: WorkspaceId, version: u32 },
    Patient { workspace: WorkspaceId, patient: PatientId, version: u32 },
}

impl Context {
    fn associated_data(&self, wrapping_version: u32) -> Vec<u8> {
        let wrapping = wrapping_version.to_be_bytes();
        match self {
            Self::Workspace { workspace, version } => length_prefixed(&[
                b"praxis-key-v1",
                b"workspace",
                workspace.uuid().as_bytes(),
                &version.to_be_bytes(),
                &wrapping,
            ]),
            Self::Patient { workspace, patient, version } => length_prefixed(&[
                b"praxis-key-v1",
                b"patient",
                workspace.uuid().as_bytes(),
                patient.uuid().as_bytes(),
                &version.to_be_bytes(),
                &wrapping,
            ]),
        }
    }
}

impl Cipher {
    pub(super) fn wrap(&self, context: &Context, key: &Key) -> Vec<u8> {
        self.seal_bound(&context.associated_data(self.version()), key.expose())
    }

    pub(super) fn unwrap(&self, context: &Context, wrapped: &[u8]) -> Result<Key, CryptoError> {
        let bytes = self.open_bound(&context.associated_data(self.version()), wrapped)?;
        Key::from_slice(&bytes).ok_or(CryptoError::Truncated)
    }
}

/// The root keys by version; the highest is current, the others still unwrap.
pub struct RootKeys {
    keys: BTreeMap<u32, RootKey>,
}

struct RootKey {
    secret: Key,
    /// Wraps under a key of its own, derived from the secret, so that the secret itself only ever feeds HKDF.
    wrapping: Cipher,
}

impl RootKeys {
    /// Reads the root keys from a file that only its owner can use.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        key_file::load(path, Self::parse)
    }

    /// Makes a file with one new root key, version 1, and never replaces a file: whatever was wrapped under
    /// the keys in it would be lost.
    pub fn create(path: &Path) -> Result<Self, KeyFileError> {
        let key = Key::random();
        key_file::create(
            path,
            "Root keys, VERSION:KEY, the highest version is current. Without them no data can be read.",
            &[("1", &key)],
        )?;
        Ok(Self::from_keys([(1, key)]))
    }

    /// The root keys of a list: `VERSION:BASE64` on each line.
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        let mut keys = Vec::new();
        for entry in key_file::parse(text)? {
            // One spelling for each version, so that none is listed twice as `1` and `01`.
            match entry.name.parse::<u32>() {
                Ok(version) if version > 0 && version.to_string() == entry.name => {
                    keys.push((version, entry.key));
                }
                _ => return Err(KeyFileError::at_line(entry.line, Problem::Name("a version from 1 up"))),
            }
        }
        Ok(Self::from_keys(keys))
    }

    fn from_keys(keys: impl IntoIterator<Item = (u32, Key)>) -> Self {
        let keys = keys.into_iter().map(|(version, secret)| {
            let wrapping = Cipher::new(&secret.derive(&[b"praxis-root-v1", b"wrap"]), version);
            (version, RootKey { secret, wrapping })
        });
        Self { keys: keys.collect() }
    }

    /// The version that new keys are wrapped under.
    pub fn current_version(&self) -> u32 {
        *self.keys.last_key_value().expect("there is at least one root key").0
    }

    /// The versions that are loaded, ascending.
    pub fn versions(&self) -> impl Iterator<Item = u32> {
        self.keys.keys().copied()
    }

    /// Wraps a key under the current root key, and names that one's version.
    pub fn wrap(&self, context: &Context, key: &Key) -> (u32, Vec<u8>) {
        let (version, root) = self.keys.last_key_value().expect("there is at least one root key");
        (*version, root.wrapping.wrap(context, key))
    }

    pub fn unwrap(&self, version: u32, context: &Context, wrapped: &[u8]) -> Result<Key, CryptoError> {
        let root = self.keys.get(&version).ok_or(CryptoError::UnknownRootKey(version))?;
        root.wrapping.unwrap(context, wrapped)
    }

    /// A secret for something outside the key hierarchy, such as a keyed hash that is stored or sent out.
    ///
    /// It comes from the *lowest* version: keys are only ever added above it, so the secret stays the same
    /// when the current key is rotated, which is what a stored hash needs. It changes when the lowest key is
    /// taken out of the file; whoever does that replaces what was made with it.
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; Key::LENGTH]> {
        let (_, root) = self.keys.first_key_value().expect("there is at least one root key");
        let derived = root.secret.derive(&[b"praxis-root-v1", b"derive", purpose.as_bytes()]);
        Zeroizing::new(*derived.expose())
    }
}

impl fmt::Debug for RootKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKeys(..)")
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;
    use uuid::Uuid;

    use super::*;

    fn line(version: &str, seed: u8) -> String {
        let bytes: Vec<u8> = (0..32).map(|i| seed.wrapping_add(i)).collect();
        format!("{version}:{}\n", BASE64.encode(&bytes))
    }

    fn workspace(n: u128, version: u32) -> Context {
        Context::Workspace { workspace: WorkspaceId(Uuid::from_u128(n)), version }
    }

    fn patient(workspace: u128, patient: u128, version: u32) -> Context {
        Context::Patient {
            workspace: WorkspaceId(Uuid::from_u128(workspace)),
            patient: PatientId(Uuid::from_u128(patient)),
            version,
        }
    }

    #[test]
    fn the_highest_version_wraps_and_every_version_unwraps() {
        let key = Key::random();
        let old = RootKeys::parse(&line("2", 1)).unwrap();
        let (version, wrapped) = old.wrap(&workspace(1, 1), &key);
        assert_eq!(version, 2);

        // In any order in the file.
        let rotated = RootKeys::parse(&(line("10", 50) + &line("2", 1))).unwrap();
        assert_eq!(rotated.current_version(), 10);
        assert_eq!(rotated.versions().collect::<Vec<_>>(), [2, 10]);
        assert_eq!(rotated.unwrap(2, &workspace(1, 1), &wrapped).unwrap().expose(), key.expose());
        let (version, rewrapped) = rotated.wrap(&workspace(1, 1), &key);
        assert_eq!(version, 10);
        assert_eq!(
            old.unwrap(10, &workspace(1, 1), &rewrapped).unwrap_err(),
            CryptoError::UnknownRootKey(10)
        );
        assert_eq!(
            rotated.unwrap(2, &workspace(1, 1), &rewrapped).unwrap_err(),
            CryptoError::WrongKeyVersion { sealed: 10, key: 2 }
        );
    }

    #[test]
    fn a_wrapped_key_unwraps_only_in_its_own_context() {
        let roots = RootKeys::parse(&line("1", 1)).unwrap();
        let contexts = [
            workspace(1, 1),
            workspace(2, 1),
            workspace(1, 2),
            patient(1, 1, 1),
            patient(1, 2, 1),
            patient(2, 1, 1),
            patient(1, 1, 2),
        ];
        for wrapped_in in &contexts {
            let (version, wrapped) = roots.wrap(wrapped_in, &Key::random());
            for context in &contexts {
                let unwrapped = roots.unwrap(version, context, &wrapped);
                assert_eq!(unwrapped.is_ok(), context == wrapped_in, "{wrapped_in:?} in {context:?}");
            }
        }
    }

    #[test]
    fn another_root_key_of_the_same_version_does_not_unwrap() {
        let (one, other) = (RootKeys::parse(&line("1", 1)).unwrap(), RootKeys::parse(&line("1", 2)).unwrap());
        let (version, wrapped) = one.wrap(&workspace(1, 1), &Key::random());
        assert_eq!(other.unwrap(version, &workspace(1, 1), &wrapped).unwrap_err(), CryptoError::NotAuthentic);
    }

    #[test]
    fn a_derived_secret_survives_rotation_and_differs_by_purpose() {
        let before = RootKeys::parse(&line("3", 1)).unwrap();
        let after = RootKeys::parse(&(line("3", 1) + &line("4", 90))).unwrap();
        assert_eq!(before.derive("emails"), after.derive("emails"));
        assert_ne!(before.derive("emails"), before.derive("cursors"));
        assert_ne!(before.derive("emails"), RootKeys::parse(&line("4", 90)).unwrap().derive("emails"));
    }

    #[test]
    fn a_version_has_one_spelling() {
        for name in ["", "0", "01", "+1", "-1", "1.0", "one", "4294967296"] {
            let error = RootKeys::parse(&line(name, 1)).unwrap_err();
            assert_eq!(
                error.to_string(),
                "key list, line 1: expected a version from 1 up before the colon",
                "{name}"
            );
        }
        let twice = RootKeys::parse(&(line("1", 1) + &line("1", 9))).unwrap_err();
        assert_eq!(twice.to_string(), "key list, line 2: has the same name as line 1");
        assert_eq!(RootKeys::parse(&line("4294967295", 1)).unwrap().current_version(), u32::MAX);
    }

    #[test]
    fn a_created_file_loads_as_the_same_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.keys");

        let created = RootKeys::create(&path).unwrap();

        let loaded = RootKeys::load(&path).unwrap();
        let (version, wrapped) = created.wrap(&workspace(1, 1), &Key::random());
        assert!(loaded.unwrap(version, &workspace(1, 1), &wrapped).is_ok());
        assert!(RootKeys::create(&path).unwrap_err().is_existing_file());
        std::fs::write(&path, line("1", 1) + "nonsense").unwrap();
        let error = RootKeys::load(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("key file {}, line 2: expected NAME:BASE64", path.display()));
    }

    #[test]
    fn debug_prints_no_key() {
        assert_eq!(format!("{:?}", RootKeys::parse(&line("1", 1)).unwrap()), "RootKeys(..)");
    }
}
