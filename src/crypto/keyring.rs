//! The key hierarchy at work: root keys wrap workspace keys, which wrap patient keys.
//!
//! Only wrapped keys are stored. Unwrapped ones are kept in memory for a while, a bounded number of them, and are wiped
//! when they go. Those of patients are kept as they are and expanded for each use: that takes a tenth of a microsecond, and an
//! expanded key far more room. The rows of wrapped keys are read and written elsewhere; nothing here touches the
//! database.

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

/// The most workspaces whose ciphers are kept.
const WORKSPACES: u64 = 10_000;

/// How many patients' keys are kept, and for how long; the ciphers of workspaces as long.
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
    /// 50 MB of patients' keys: the cache itself takes most of an entry.
    fn default() -> Self {
        Self { entries: 110_000, idle: Duration::from_secs(10 * 60), life: Duration::from_secs(60 * 60) }
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

/// A patient's cached key, or the mark that it was destroyed.
#[derive(Clone)]
enum Slot {
    Live(Arc<Key>),
    Destroyed,
}

impl Slot {
    fn cipher(self, version: u32) -> Result<Arc<Cipher>, CryptoError> {
        match self {
            Self::Live(key) => Ok(Arc::new(Cipher::new(&key, version))),
            Self::Destroyed => Err(CryptoError::Destroyed),
        }
    }
}

/// The root keys, the ciphers of the workspaces, and the keys of the patients in use.
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
        let workspaces = CacheLimits { entries: limits.entries.min(WORKSPACES), ..limits };
        Self { roots, workspaces: cache(workspaces), patients: cache(limits) }
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

    /// The cipher of a patient, if the key is in memory; `Destroyed` if the key was destroyed a short while ago.
    pub fn cached_patient(
        &self,
        workspace: WorkspaceId,
        patient: PatientId,
        version: u32,
    ) -> Option<Result<Arc<Cipher>, CryptoError>> {
        self.patients.get(&(workspace, patient, version)).map(|slot| slot.cipher(version))
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
                Ok::<_, CryptoError>(Slot::Live(Arc::new(unwrap_patient_key(under, patient, row)?)))
            })
            .map_err(|error| *error)?
            .into_value()
            .cipher(row.version)
    }

    /// The same without keeping it in memory.
    pub fn passing_patient_cipher(
        &self,
        under: &WorkspaceCipher,
        patient: PatientId,
        row: &WrappedKey,
    ) -> Result<Arc<Cipher>, CryptoError> {
        let key = unwrap_patient_key(under, patient, row)?;
        Ok(Arc::new(Cipher::new(&key, row.version)))
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
mod tests;
