//! The key hierarchy at work: root keys wrap workspace keys, which wrap patient keys.
//!
//! Only wrapped keys are stored. Expanded ciphers are kept in memory for a while, a bounded number of them, and
//! are wiped when the last user lets go. The rows of wrapped keys are read and written elsewhere; nothing here
//! touches the database.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use moka::sync::Cache;
use sha2::Sha256;

use super::root::{Context, RootKeys};
use super::sealed::Sealed;
use super::{Cipher, CryptoError, Key};
use crate::id::{PatientId, TypedId, WorkspaceId};

/// The version of a workspace's first key, the one that index hashes come from.
pub const FIRST_VERSION: u32 = 1;

/// How many ciphers each cache holds, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct CacheLimits {
    pub entries: u64,
    /// Since the last use.
    pub idle: Duration,
    /// Since the key was unwrapped, however much it is used: a key destroyed by another node, whose word of it
    /// was lost, is gone from here after this time.
    pub life: Duration,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { entries: 50_000, idle: Duration::from_secs(10 * 60), life: Duration::from_secs(60 * 60) }
    }
}

/// A wrapped key as its row stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// The version of the key itself: what is sealed with it names this.
    pub version: u32,
    /// The version of the key that it is wrapped under: the root key of a workspace's key, the workspace key
    /// of a patient's.
    pub wrapping_version: u32,
    pub wrapped: Sealed,
}

/// What one version of a workspace's key is used for, each with a key of its own.
#[derive(Debug)]
pub struct WorkspaceCipher {
    workspace: WorkspaceId,
    wrapping: Cipher,
    fields: Cipher,
    index: Key,
}

impl WorkspaceCipher {
    fn new(workspace: WorkspaceId, key: &Key, version: u32) -> Self {
        let purpose = |name: &[u8]| key.derive(&[b"praxis-workspace-v1", workspace.uuid().as_bytes(), name]);
        Self {
            workspace,
            wrapping: Cipher::new(&purpose(b"wrap"), version),
            fields: Cipher::new(&purpose(b"fields"), version),
            index: purpose(b"index"),
        }
    }

    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    pub fn version(&self) -> u32 {
        self.fields.version()
    }

    /// The cipher for what is the workspace's own and no patient's.
    pub fn fields(&self) -> &Cipher {
        &self.fields
    }

    /// A keyed hash of a text, for unique columns and for digests of what was searched: equal texts have equal
    /// hashes within one workspace and column, and nobody without the key can try texts out.
    ///
    /// The text is hashed as it is; bring it to its canonical form before. Only the workspace's first key
    /// hashes, any other is `WrongKeyVersion`: the hash in a unique column must not change when the key rotates.
    pub fn index_hash(&self, column: &str, text: &str) -> Result<[u8; 32], CryptoError> {
        if self.version() != FIRST_VERSION {
            return Err(CryptoError::WrongKeyVersion { sealed: FIRST_VERSION, key: self.version() });
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(self.index.expose()).expect("HMAC takes any key");
        // Its length first, so that the column's end and the text's beginning cannot be confused.
        let length = u32::try_from(column.len()).expect("a column's name is short");
        mac.update(&length.to_be_bytes());
        mac.update(column.as_bytes());
        mac.update(text.as_bytes());
        Ok(mac.finalize().into_bytes().into())
    }
}

/// A patient's cached cipher, or the mark that the key was destroyed.
#[derive(Clone)]
enum Slot {
    Live(Arc<Cipher>),
    Destroyed,
}

impl Slot {
    fn live(self) -> Result<Arc<Cipher>, CryptoError> {
        match self {
            Self::Live(cipher) => Ok(cipher),
            Self::Destroyed => Err(CryptoError::Destroyed),
        }
    }
}

/// The root keys, and the ciphers of the workspaces and patients in use.
pub struct Keyring {
    roots: RootKeys,
    workspaces: Cache<(WorkspaceId, u32), Arc<WorkspaceCipher>>,
    patients: Cache<(WorkspaceId, PatientId, u32), Slot>,
}

impl Keyring {
    pub fn new(roots: RootKeys, limits: CacheLimits) -> Self {
        fn cache<K, V>(limits: CacheLimits) -> Cache<K, V>
        where
            K: std::hash::Hash + Eq + Send + Sync + 'static,
            V: Clone + Send + Sync + 'static,
        {
            Cache::builder()
                .max_capacity(limits.entries)
                .time_to_idle(limits.idle)
                .time_to_live(limits.life)
                .build()
        }
        Self { roots, workspaces: cache(limits), patients: cache(limits) }
    }

    pub fn roots(&self) -> &RootKeys {
        &self.roots
    }

    /// A fresh key for a workspace, wrapped under the current root key.
    pub fn new_workspace_key(&self, workspace: WorkspaceId, version: u32) -> WrappedKey {
        self.wrap_workspace_key(workspace, version, &Key::random())
    }

    /// The cipher of a workspace, if it is in memory: asked first, to spare reading the row.
    pub fn cached_workspace(&self, workspace: WorkspaceId, version: u32) -> Option<Arc<WorkspaceCipher>> {
        self.workspaces.get(&(workspace, version))
    }

    /// The cipher of a workspace from its row.
    pub fn workspace_cipher(
        &self,
        workspace: WorkspaceId,
        row: &WrappedKey,
    ) -> Result<Arc<WorkspaceCipher>, CryptoError> {
        let entry = self
            .workspaces
            .entry((workspace, row.version))
            .or_try_insert_with(|| {
                let key = self.unwrap_workspace_key(workspace, row)?;
                Ok::<_, CryptoError>(Arc::new(WorkspaceCipher::new(workspace, &key, row.version)))
            })
            .map_err(|error| *error)?;
        Ok(entry.into_value())
    }

    /// The same workspace key, wrapped under the current root key: rotation of the root.
    pub fn rewrap_workspace_key(
        &self,
        workspace: WorkspaceId,
        row: &WrappedKey,
    ) -> Result<WrappedKey, CryptoError> {
        let key = self.unwrap_workspace_key(workspace, row)?;
        Ok(self.wrap_workspace_key(workspace, row.version, &key))
    }

    /// A fresh key for a patient, wrapped under the workspace's key.
    pub fn new_patient_key(&self, under: &WorkspaceCipher, patient: PatientId, version: u32) -> WrappedKey {
        wrap_patient_key(under, patient, version, &Key::random())
    }

    /// The cipher of a patient, if it is in memory; `Destroyed` if the key was destroyed a short while ago.
    pub fn cached_patient(
        &self,
        workspace: WorkspaceId,
        patient: PatientId,
        version: u32,
    ) -> Option<Result<Arc<Cipher>, CryptoError>> {
        self.patients.get(&(workspace, patient, version)).map(Slot::live)
    }

    /// The cipher of a patient from its row.
    pub fn patient_cipher(
        &self,
        under: &WorkspaceCipher,
        patient: PatientId,
        row: &WrappedKey,
    ) -> Result<Arc<Cipher>, CryptoError> {
        self.patients
            .entry((under.workspace, patient, row.version))
            .or_try_insert_with(|| {
                let key = unwrap_patient_key(under, patient, row)?;
                Ok::<_, CryptoError>(Slot::Live(Arc::new(Cipher::new(&key, row.version))))
            })
            .map_err(|error| *error)?
            .into_value()
            .live()
    }

    /// The same patient key, wrapped under another version of the workspace's key: rotation of the workspace.
    pub fn rewrap_patient_key(
        &self,
        from: &WorkspaceCipher,
        to: &WorkspaceCipher,
        patient: PatientId,
        row: &WrappedKey,
    ) -> Result<WrappedKey, CryptoError> {
        let key = unwrap_patient_key(from, patient, row)?;
        Ok(wrap_patient_key(to, patient, row.version, &key))
    }

    /// Takes a destroyed patient key out of memory; called once the erasure of its row is committed.
    ///
    /// A mark stays in its place, so that a request that had read the row just before does not put the key back.
    pub fn destroy_patient_key(&self, workspace: WorkspaceId, patient: PatientId, version: u32) {
        self.patients.insert((workspace, patient, version), Slot::Destroyed);
        self.sweep();
    }

    /// Wipes what has expired. The caches do this only while they are used; a timer does it on an idle node.
    pub fn sweep(&self) {
        self.workspaces.run_pending_tasks();
        self.patients.run_pending_tasks();
    }

    fn wrap_workspace_key(&self, workspace: WorkspaceId, version: u32, key: &Key) -> WrappedKey {
        let (wrapping_version, wrapped) = self.roots.wrap(&Context::Workspace { workspace, version }, key);
        WrappedKey { version, wrapping_version, wrapped: Sealed(wrapped) }
    }

    fn unwrap_workspace_key(&self, workspace: WorkspaceId, row: &WrappedKey) -> Result<Key, CryptoError> {
        let context = Context::Workspace { workspace, version: row.version };
        self.roots.unwrap(row.wrapping_version, &context, &row.wrapped.0)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(..)")
    }
}

fn wrap_patient_key(under: &WorkspaceCipher, patient: PatientId, version: u32, key: &Key) -> WrappedKey {
    let context = Context::Patient { workspace: under.workspace, patient, version };
    let wrapped = Sealed(under.wrapping.wrap(&context, key));
    WrappedKey { version, wrapping_version: under.version(), wrapped }
}

fn unwrap_patient_key(
    under: &WorkspaceCipher,
    patient: PatientId,
    row: &WrappedKey,
) -> Result<Key, CryptoError> {
    let context = Context::Patient { workspace: under.workspace, patient, version: row.version };
    under.wrapping.unwrap(&context, &row.wrapped.0)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::crypto::Place;

    const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(1));
    const OTHER_WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(2));
    const PATIENT: PatientId = PatientId(Uuid::from_u128(11));
    const OTHER_PATIENT: PatientId = PatientId(Uuid::from_u128(12));

    fn roots(lines: &[u8]) -> RootKeys {
        let text: String = lines
            .iter()
            .map(|seed| {
                let bytes: Vec<u8> = (0..32).map(|i| seed.wrapping_mul(31).wrapping_add(i)).collect();
                format!("{seed}:{}\n", data_encoding::BASE64.encode(&bytes))
            })
            .collect();
        RootKeys::parse(&text).unwrap()
    }

    fn keyring() -> Keyring {
        Keyring::new(roots(&[1]), CacheLimits::default())
    }

    fn place() -> Place {
        Place::of(WORKSPACE, PATIENT, "name")
    }

    #[test]
    fn a_field_opens_again_through_the_whole_hierarchy() {
        let first = keyring();
        let workspace_row = first.new_workspace_key(WORKSPACE, 1);
        let workspace = first.workspace_cipher(WORKSPACE, &workspace_row).unwrap();
        let patient_row = first.new_patient_key(&workspace, PATIENT, 1);
        let sealed =
            first.patient_cipher(&workspace, PATIENT, &patient_row).unwrap().seal_text(&place(), "Ada");

        // Another process with the same root keys and rows.
        let second = keyring();
        assert!(second.cached_workspace(WORKSPACE, 1).is_none());
        let workspace = second.workspace_cipher(WORKSPACE, &workspace_row).unwrap();
        assert!(second.cached_patient(WORKSPACE, PATIENT, 1).is_none());
        let patient = second.patient_cipher(&workspace, PATIENT, &patient_row).unwrap();
        assert_eq!(*patient.open_text(&place(), &sealed).unwrap(), "Ada");
        assert!(Arc::ptr_eq(&workspace, &second.cached_workspace(WORKSPACE, 1).unwrap()));
        assert!(Arc::ptr_eq(&patient, &second.cached_patient(WORKSPACE, PATIENT, 1).unwrap().unwrap()));
    }

    #[test]
    fn a_wrapped_key_moved_to_another_workspace_patient_or_version_does_not_unwrap() {
        let keyring = keyring();
        let row = keyring.new_workspace_key(WORKSPACE, 1);
        let moved = keyring.workspace_cipher(OTHER_WORKSPACE, &row).unwrap_err();
        assert_eq!(moved, CryptoError::NotAuthentic);
        let renumbered = WrappedKey { version: 2, ..row.clone() };
        assert_eq!(keyring.workspace_cipher(WORKSPACE, &renumbered).unwrap_err(), CryptoError::NotAuthentic);
        let rewrapped = WrappedKey { wrapping_version: 9, ..row.clone() };
        assert_eq!(
            keyring.workspace_cipher(WORKSPACE, &rewrapped).unwrap_err(),
            CryptoError::UnknownRootKey(9)
        );

        let workspace = keyring.workspace_cipher(WORKSPACE, &row).unwrap();
        let patient_row = keyring.new_patient_key(&workspace, PATIENT, 1);
        assert_eq!(
            keyring.patient_cipher(&workspace, OTHER_PATIENT, &patient_row).unwrap_err(),
            CryptoError::NotAuthentic
        );
        let renumbered = WrappedKey { version: 2, ..patient_row.clone() };
        assert_eq!(
            keyring.patient_cipher(&workspace, PATIENT, &renumbered).unwrap_err(),
            CryptoError::NotAuthentic
        );
        let other = keyring
            .workspace_cipher(OTHER_WORKSPACE, &keyring.new_workspace_key(OTHER_WORKSPACE, 1))
            .unwrap();
        assert_eq!(
            keyring.patient_cipher(&other, PATIENT, &patient_row).unwrap_err(),
            CryptoError::NotAuthentic
        );
        // A failure is not remembered.
        assert!(keyring.patient_cipher(&workspace, PATIENT, &patient_row).is_ok());
    }

    #[test]
    fn the_same_key_in_another_workspace_would_still_be_another_cipher() {
        let key = Key::from_slice(&[9; 32]).unwrap();
        let one = WorkspaceCipher::new(WORKSPACE, &key, 1);
        let other = WorkspaceCipher::new(OTHER_WORKSPACE, &key, 1);
        assert_ne!(
            one.index_hash("external_id", "7").unwrap(),
            other.index_hash("external_id", "7").unwrap()
        );
        let sealed = one.fields().seal(&place(), b"x");
        assert_eq!(other.fields().open(&place(), &sealed).unwrap_err(), CryptoError::NotAuthentic);
        assert!(one.fields().open(&place(), &sealed).is_ok());
        // Nor do the uses of one key open each other's.
        assert_eq!(one.wrapping.open(&place(), &sealed).unwrap_err(), CryptoError::NotAuthentic);
    }

    #[test]
    fn rotating_the_root_keeps_the_workspace_key() {
        let before = Keyring::new(roots(&[1]), CacheLimits::default());
        let row = before.new_workspace_key(WORKSPACE, 1);
        let sealed = before.workspace_cipher(WORKSPACE, &row).unwrap().fields().seal(&place(), b"x");

        let both = Keyring::new(roots(&[1, 2]), CacheLimits::default());
        let rewrapped = both.rewrap_workspace_key(WORKSPACE, &row).unwrap();
        assert_eq!((rewrapped.version, rewrapped.wrapping_version), (1, 2));

        let after = Keyring::new(roots(&[2]), CacheLimits::default());
        let cipher = after.workspace_cipher(WORKSPACE, &rewrapped).unwrap();
        assert_eq!(**cipher.fields().open(&place(), &sealed).unwrap(), *b"x");
        assert_eq!(after.rewrap_workspace_key(WORKSPACE, &row).unwrap_err(), CryptoError::UnknownRootKey(1));
    }

    #[test]
    fn rotating_the_workspace_keeps_the_patient_key() {
        let keyring = keyring();
        let one = keyring.workspace_cipher(WORKSPACE, &keyring.new_workspace_key(WORKSPACE, 1)).unwrap();
        let two = keyring.workspace_cipher(WORKSPACE, &keyring.new_workspace_key(WORKSPACE, 2)).unwrap();
        let row = keyring.new_patient_key(&one, PATIENT, 1);
        let sealed = keyring.patient_cipher(&one, PATIENT, &row).unwrap().seal(&place(), b"x");

        let rewrapped = keyring.rewrap_patient_key(&one, &two, PATIENT, &row).unwrap();

        assert_eq!((rewrapped.version, rewrapped.wrapping_version), (1, 2));
        assert_eq!(rewrapped.wrapped.version(), Ok(2));
        let key = unwrap_patient_key(&two, PATIENT, &rewrapped).unwrap();
        assert_eq!(**Cipher::new(&key, 1).open(&place(), &sealed).unwrap(), *b"x");
        assert_eq!(
            unwrap_patient_key(&two, PATIENT, &row).unwrap_err(),
            CryptoError::WrongKeyVersion { sealed: 1, key: 2 }
        );
        assert_eq!(
            keyring.rewrap_patient_key(&one, &two, OTHER_PATIENT, &row).unwrap_err(),
            CryptoError::NotAuthentic
        );
    }

    #[test]
    fn a_destroyed_key_does_not_come_back_from_a_row_read_before() {
        let keyring = keyring();
        let workspace =
            keyring.workspace_cipher(WORKSPACE, &keyring.new_workspace_key(WORKSPACE, 1)).unwrap();
        let row = keyring.new_patient_key(&workspace, PATIENT, 1);
        let other_row = keyring.new_patient_key(&workspace, OTHER_PATIENT, 1);
        let held = Arc::downgrade(&keyring.patient_cipher(&workspace, PATIENT, &row).unwrap());
        keyring.patient_cipher(&workspace, OTHER_PATIENT, &other_row).unwrap();

        keyring.destroy_patient_key(WORKSPACE, PATIENT, 1);

        assert!(held.upgrade().is_none(), "it is dropped, and so wiped, at once");
        let cached = keyring.cached_patient(WORKSPACE, PATIENT, 1).unwrap();
        assert_eq!(cached.unwrap_err(), CryptoError::Destroyed);
        assert_eq!(keyring.patient_cipher(&workspace, PATIENT, &row).unwrap_err(), CryptoError::Destroyed);
        assert!(keyring.patient_cipher(&workspace, OTHER_PATIENT, &other_row).is_ok());
    }

    #[test]
    fn the_caches_are_bounded_and_expire() {
        let limits = CacheLimits::default();
        let keyring = keyring();
        for policy in [keyring.workspaces.policy(), keyring.patients.policy()] {
            assert_eq!(policy.max_capacity(), Some(50_000));
            assert_eq!(policy.time_to_idle(), Some(Duration::from_secs(600)));
            assert_eq!(policy.time_to_live(), Some(Duration::from_secs(3600)));
        }

        let small = Keyring::new(roots(&[1]), CacheLimits { entries: 10, ..limits });
        let workspace = small.workspace_cipher(WORKSPACE, &small.new_workspace_key(WORKSPACE, 1)).unwrap();
        for n in 0..200 {
            let patient = PatientId(Uuid::from_u128(n));
            let row = small.new_patient_key(&workspace, patient, 1);
            small.patient_cipher(&workspace, patient, &row).unwrap();
        }
        small.sweep();
        assert!(small.patients.entry_count() <= 10, "{}", small.patients.entry_count());
    }

    #[test]
    fn index_hashes_separate_workspaces_columns_and_texts_and_repeat() {
        let keyring = keyring();
        let row = keyring.new_workspace_key(WORKSPACE, 1);
        let cipher = keyring.workspace_cipher(WORKSPACE, &row).unwrap();
        let hash = cipher.index_hash("external_id", "A-1").unwrap();

        let again = self::keyring().workspace_cipher(WORKSPACE, &row).unwrap();
        assert_eq!(again.index_hash("external_id", "A-1").unwrap(), hash);
        assert_ne!(cipher.index_hash("external_id", "A-2").unwrap(), hash);
        assert_ne!(cipher.index_hash("search", "A-1").unwrap(), hash);
        assert_ne!(cipher.index_hash("external_i", "dA-1").unwrap(), hash);
        let other = keyring
            .workspace_cipher(OTHER_WORKSPACE, &keyring.new_workspace_key(OTHER_WORKSPACE, 1))
            .unwrap();
        assert_ne!(other.index_hash("external_id", "A-1").unwrap(), hash);
    }

    #[test]
    fn only_the_first_workspace_key_makes_index_hashes() {
        let keyring = keyring();
        let second = keyring.workspace_cipher(WORKSPACE, &keyring.new_workspace_key(WORKSPACE, 2)).unwrap();
        assert_eq!(
            second.index_hash("external_id", "A-1").unwrap_err(),
            CryptoError::WrongKeyVersion { sealed: 1, key: 2 }
        );
    }

    #[test]
    fn debug_prints_no_key() {
        let keyring = keyring();
        let cipher = keyring.workspace_cipher(WORKSPACE, &keyring.new_workspace_key(WORKSPACE, 1)).unwrap();
        let printed = format!("{cipher:?}");
        assert!(
            printed.contains("fields: Cipher(version 1)") && printed.contains("index: Key(..)"),
            "{printed}"
        );
        assert_eq!(format!("{keyring:?}"), "Keyring(..)");
    }
}
