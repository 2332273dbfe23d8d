//! Names as the server keeps them: sealed under each patient's own key, which is stored wrapped under the workspace's.
//! Keys that were unwrapped stay in memory, as many and as long as the server's do.

use std::collections::HashMap;
use std::sync::Arc;

use praxis::crypto::Place;
use praxis::crypto::keyring::{CacheLimits, Keyring, WorkspaceCipher, WrappedKey};
use praxis::crypto::root::RootKeys;
use praxis::crypto::sealed::Sealed;
use praxis::id::{PatientId, WorkspaceId};
use uuid::Uuid;

use super::answer::{Failed, Patient};
use crate::Outcome;
use crate::site::Site;

/// The workspaces' keys with their versions, those of the root keys that wrap them, and themselves.
pub const WORKSPACE_KEYS: &str = "SELECT workspace_id, version, root_version, wrapped FROM workspace_keys";

/// All keys that are in memory.
pub struct Seals {
    ring: Keyring,
    workspaces: HashMap<(WorkspaceId, u32), Arc<WorkspaceCipher>>,
}

/// A row of `patients`.
pub struct SealedPatient {
    pub workspace: Uuid,
    pub id: Uuid,
    pub first_name: Vec<u8>,
    pub last_name: Vec<u8>,
}

/// Of a row of `patient_keys`, the version of the workspace's key and the patient's key wrapped under it.
pub type StoredKey = (i32, Vec<u8>);

impl Seals {
    /// Takes the rows of [`WORKSPACE_KEYS`].
    pub fn new(site: &Site, rows: Vec<(Uuid, i32, i32, Vec<u8>)>) -> Outcome<Self> {
        let ring = Keyring::new(RootKeys::load(&site.config()?.root_keys_file)?, CacheLimits::default());
        let mut workspaces = HashMap::new();
        for (workspace, version, root_version, wrapped) in rows {
            let (workspace, row) =
                (WorkspaceId(workspace), key(version.try_into()?, (root_version, wrapped))?);
            workspaces.insert((workspace, row.version), ring.workspace_cipher(workspace, &row)?);
        }
        Ok(Self { ring, workspaces })
    }

    /// Opens the names; the stored key, of this version, is asked for unless it is in memory.
    pub fn open(
        &self,
        patient: SealedPatient,
        stored: impl FnOnce(u32) -> Result<StoredKey, Failed>,
    ) -> Result<Patient, Failed> {
        let (workspace, id) = (WorkspaceId(patient.workspace), PatientId(patient.id));
        let (first_name, last_name) = (Sealed(patient.first_name), Sealed(patient.last_name));
        let version = first_name.version()?;
        let cipher = match self.ring.cached_patient(workspace, id, version) {
            Some(cipher) => cipher?,
            None => {
                let row = key(version, stored(version)?)?;
                let under = self.workspaces.get(&(workspace, row.wrapping_version));
                let under = under.ok_or_else(|| Failed::from("the workspace has no such key"))?;
                self.ring.patient_cipher(under, id, &row)?
            }
        };
        let open = |column, sealed| cipher.open_text(&Place::of(workspace, id, column), sealed);
        Ok(Patient {
            id: id.to_string(),
            first_name: open("first_name", &first_name)?.to_string(),
            last_name: open("last_name", &last_name)?.to_string(),
        })
    }
}

fn key(
    version: u32,
    (wrapping_version, wrapped): StoredKey,
) -> Result<WrappedKey, std::num::TryFromIntError> {
    Ok(WrappedKey { version, wrapping_version: wrapping_version.try_into()?, wrapped: Sealed(wrapped) })
}
