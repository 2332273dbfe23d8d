//! The keys of workspaces and patients: their rows, and the ciphers made of them.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, Select, Set};
use uuid::Uuid;

use super::entity::{patient_key, workspace_key};
use super::keyring::{CacheLimits, FIRST_VERSION, Keyring, WorkspaceCipher, WrappedKey};
use super::root::RootKeys;
use super::sealed::Sealed;
use super::{Cipher, CryptoError, Place};
use crate::access::actor::Actor;
use crate::app::UnitOfWork;
use crate::error::{Error, Result};
use crate::graphql::batch::BatchKey;
use crate::graphql::context::Call;
use crate::id::{PatientId, PatientKeyId, TypedId, WorkspaceId, WorkspaceKeyId};

impl From<CryptoError> for Error {
    fn from(error: CryptoError) -> Self {
        match error {
            // Erased: what the key sealed is gone.
            CryptoError::Destroyed => Self::NotFound,
            other => Self::internal(other),
        }
    }
}

/// The keyring with the tables behind it.
pub struct Keys(Keyring);

/// One version of one patient's key, ready to use.
#[derive(Clone)]
pub struct PatientCipher {
    workspace: WorkspaceId,
    cipher: Arc<Cipher>,
}

impl PatientCipher {
    pub fn version(&self) -> i32 {
        i32::try_from(self.cipher.version()).expect("key versions are small")
    }

    /// Seals a field for its row.
    pub fn seal<I: TypedId>(&self, row: I, column: &'static str, text: &str) -> Sealed {
        self.cipher.seal_text(&Place::of(self.workspace, row, column), text)
    }

    /// Seals a field that may be absent. Blank is not absent: what was given is kept.
    pub fn seal_some<I: TypedId>(&self, row: I, column: &'static str, text: Option<&str>) -> Option<Sealed> {
        text.map(|text| self.seal(row, column, text))
    }

    pub fn open<I: TypedId>(&self, row: I, column: &'static str, sealed: &Sealed) -> Result<String> {
        self.open_text(I::TABLE, column, row.uuid(), sealed)
    }

    pub fn open_text(
        &self,
        table: &'static str,
        column: &'static str,
        row: Uuid,
        sealed: &Sealed,
    ) -> Result<String> {
        let place = Place { workspace: self.workspace, table, column, row };
        Ok(self.cipher.open_text(&place, sealed)?.to_string())
    }
}

/// One version of a patient's key: what the loader batches by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyOf {
    pub patient: PatientId,
    pub version: u32,
}

impl BatchKey for KeyOf {
    type Value = PatientCipher;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, PatientCipher>> {
        let actor = call.actor()?;
        let tx = call.tx().await?;
        call.app.keys.load(&*tx, &actor, keys).await
    }
}

impl Keys {
    pub fn new(roots: RootKeys) -> Self {
        Self(Keyring::new(roots, CacheLimits::default()))
    }

    pub fn ring(&self) -> &Keyring {
        &self.0
    }

    /// The patient's cipher, if it is in memory.
    pub fn cached(&self, workspace: WorkspaceId, key: KeyOf) -> Result<Option<PatientCipher>> {
        match self.0.cached_patient(workspace, key.patient, key.version) {
            Some(cipher) => Ok(Some(PatientCipher { workspace, cipher: cipher? })),
            None => Ok(None),
        }
    }

    /// The ciphers of these keys, reading those that are not in memory in one statement.
    pub async fn load(
        &self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        keys: Vec<KeyOf>,
    ) -> Result<HashMap<KeyOf, PatientCipher>> {
        self.fetch(db, actor, keys, true).await
    }

    /// The same for one passing use: what was not in memory is forgotten again, so that going through all
    /// charts does not push out the ciphers in daily use.
    pub async fn load_passing(
        &self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        keys: Vec<KeyOf>,
    ) -> Result<HashMap<KeyOf, PatientCipher>> {
        self.fetch(db, actor, keys, false).await
    }

    async fn fetch(
        &self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        keys: Vec<KeyOf>,
        keep: bool,
    ) -> Result<HashMap<KeyOf, PatientCipher>> {
        let mut ciphers = HashMap::with_capacity(keys.len());
        let mut missing = Vec::new();
        for key in keys {
            match self.cached(actor.workspace, key) {
                Ok(Some(cipher)) => {
                    ciphers.insert(key, cipher);
                }
                Ok(None) => missing.push(key),
                // Destroyed: one erased patient does not hide the others.
                Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        if missing.is_empty() {
            return Ok(ciphers);
        }
        let rows = actor
            .find::<patient_key::Entity>()
            .filter(patient_key::Column::PatientId.is_in(missing.iter().map(|key| key.patient)))
            .all(db)
            .await?;
        for row in rows {
            ciphers.extend(self.unwrapped(db, actor, row, keep).await?);
        }
        Ok(ciphers)
    }

    /// The cipher of a stored key, unless the key was destroyed.
    async fn unwrapped(
        &self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        row: patient_key::Model,
        keep: bool,
    ) -> Result<Option<(KeyOf, PatientCipher)>> {
        let key = KeyOf { patient: row.patient_id, version: version(row.version)? };
        let Some(wrapped) = row.wrapped else { return Ok(None) };
        let wrapping_version = version(row.workspace_key_version)?;
        let under = self.workspace_cipher(db, actor.workspace, wrapping_version).await?;
        let stored = WrappedKey { version: key.version, wrapping_version, wrapped: Sealed(wrapped) };
        let cipher = match keep {
            true => self.0.patient_cipher(&under, row.patient_id, &stored)?,
            false => self.0.passing_patient_cipher(&under, row.patient_id, &stored)?,
        };
        Ok(Some((key, PatientCipher { workspace: actor.workspace, cipher })))
    }

    /// The stored keys of a patient: for whoever reads them with something else.
    pub fn of_patient(actor: &Actor, patient: PatientId) -> Select<patient_key::Entity> {
        actor.find::<patient_key::Entity>().filter(patient_key::Column::PatientId.eq(patient))
    }

    /// The cipher of that version of a patient's key, whose stored keys were read.
    pub async fn stored(
        &self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        version: i32,
        rows: Vec<patient_key::Model>,
    ) -> Result<PatientCipher> {
        let row = rows.into_iter().find(|row| row.version == version).ok_or(Error::NotFound)?;
        let key = KeyOf { patient: row.patient_id, version: self::version(version)? };
        if let Some(cipher) = self.cached(actor.workspace, key)? {
            return Ok(cipher);
        }
        Ok(self.unwrapped(db, actor, row, true).await?.ok_or(Error::NotFound)?.1)
    }

    /// The cipher of one patient's current key.
    pub async fn patient(
        &self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        patient: PatientId,
        key_version: i32,
    ) -> Result<PatientCipher> {
        let key = KeyOf { patient, version: version(key_version)? };
        self.load(db, actor, vec![key]).await?.remove(&key).ok_or(Error::NotFound)
    }

    /// Makes the first key of a new workspace.
    pub async fn create_workspace_key(&self, unit: &UnitOfWork, workspace: WorkspaceId) -> Result<()> {
        let key = self.0.new_workspace_key(workspace, FIRST_VERSION);
        unit.insert(workspace_key::ActiveModel {
            id: Set(unit.id::<WorkspaceKeyId>()),
            workspace_id: Set(workspace),
            version: Set(column(key.version)?),
            root_version: Set(column(key.wrapping_version)?),
            wrapped: Set(key.wrapped.0),
            ..Default::default()
        })
        .await?;
        Ok(())
    }

    /// Makes the first key of a new patient and stores it in this transaction.
    pub async fn create_patient_key(&self, unit: &UnitOfWork, patient: PatientId) -> Result<PatientCipher> {
        let workspace = unit.workspace()?;
        let under = self.workspace_cipher(&**unit, workspace, FIRST_VERSION).await?;
        let key = self.0.new_patient_key(&under, patient, FIRST_VERSION);
        unit.insert(patient_key::ActiveModel {
            id: Set(unit.id::<PatientKeyId>()),
            patient_id: Set(patient),
            version: Set(column(key.version)?),
            workspace_key_version: Set(column(key.wrapping_version)?),
            wrapped: Set(Some(key.wrapped.0.clone())),
            ..Default::default()
        })
        .await?;
        let cipher = self.0.patient_cipher(&under, patient, &key)?;
        Ok(PatientCipher { workspace, cipher })
    }

    /// A keyed hash within the workspace, for unique columns and digests of search texts.
    pub async fn index_hash(
        &self,
        db: &impl ConnectionTrait,
        workspace: WorkspaceId,
        column: &str,
        text: &str,
    ) -> Result<Vec<u8>> {
        let cipher = self.workspace_cipher(db, workspace, FIRST_VERSION).await?;
        Ok(cipher.index_hash(column, text)?.to_vec())
    }

    async fn workspace_cipher(
        &self,
        db: &impl ConnectionTrait,
        workspace: WorkspaceId,
        version: u32,
    ) -> Result<Arc<WorkspaceCipher>> {
        if let Some(cipher) = self.0.cached_workspace(workspace, version) {
            return Ok(cipher);
        }
        let row = Actor::system(workspace, "keys")
            .find::<workspace_key::Entity>()
            .filter(workspace_key::Column::Version.eq(column(version)?))
            .one(db)
            .await?
            .ok_or(Error::NotFound)?;
        let stored = WrappedKey {
            version,
            wrapping_version: self::version(row.root_version)?,
            wrapped: Sealed(row.wrapped),
        };
        Ok(self.0.workspace_cipher(workspace, &stored)?)
    }
}

fn version(column: i32) -> Result<u32> {
    u32::try_from(column).map_err(Error::internal)
}

fn column(version: u32) -> Result<i32> {
    i32::try_from(version).map_err(Error::internal)
}
