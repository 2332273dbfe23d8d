//! What one operation carries: who asks, one reading transaction, one loader, and what it has seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_graphql::{Context, ServerError};
use futures::future::{BoxFuture, Either, Ready, ready};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::batch::{BatchKey, Batches};
use super::error::Result as FieldResult;
use crate::access::actor::{Actor, RequestInfo};
use crate::access::permission::Permission;
use crate::access::sessions::Identity;
use crate::app::{App, IdempotencyKey};
use crate::crypto::keys::{KeyOf, PatientCipher};
use crate::crypto::sealed::Sealed;
use crate::db::Scope;
use crate::db::tx::Tx;
use crate::error::{Error, Result};
use crate::id::{PatientId, TypedId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::live::follow::Following;

/// One operation; of a subscription, one event.
pub struct Call {
    pub app: Arc<App>,
    pub request: RequestInfo,
    pub(super) batches: Batches,
    identity: RwLock<Option<Identity>>,
    /// The reading transaction, begun by the first read and shared by the operation's resolvers.
    tx: tokio::sync::Mutex<Option<Arc<Tx>>>,
    seen: Mutex<Seen>,
    /// The patient's key that was used last, for as long as the operation reads.
    last: Mutex<Option<(KeyOf, PatientCipher)>>,
    /// Whether a field of the operation has taken a password or a token already.
    secret_taken: AtomicBool,
    /// Errors of nullable fields, which are answered with null.
    pub(super) field_errors: Mutex<Vec<ServerError>>,
    /// Of a subscription: why its root field runs.
    pub following: Following,
}

/// What is known at once, as a rule, and loaded otherwise. Small either way: the future of an object's field has room for
/// the largest of all its fields.
pub type Soon<'a, T> = Either<Ready<FieldResult<T>>, BoxFuture<'a, FieldResult<T>>>;

pub fn at_once<'a, T>(value: FieldResult<T>) -> Soon<'a, T> {
    Either::Left(ready(value))
}

/// Patients of whom something was decrypted, with the tables and columns.
pub type SeenPatients = BTreeMap<PatientId, BTreeSet<(&'static str, &'static str)>>;

/// What the journal will be told before the answer goes out.
#[derive(Default)]
struct Seen {
    /// Patients of whom something was decrypted, with the columns.
    patients: SeenPatients,
    /// Fields that were refused: told once for an operation, however many rows they were asked of.
    denied: BTreeMap<String, Event>,
    events: Vec<Event>,
}

impl Call {
    pub fn new(app: Arc<App>, identity: Option<Identity>, request: RequestInfo) -> Arc<Self> {
        Arc::new(Self {
            app,
            request,
            batches: Batches::default(),
            identity: RwLock::new(identity),
            tx: tokio::sync::Mutex::default(),
            seen: Mutex::default(),
            last: Mutex::default(),
            secret_taken: AtomicBool::new(false),
            field_errors: Mutex::default(),
            following: Following::default(),
        })
    }

    /// The same operation from the start: nothing read, nothing seen.
    pub(super) fn again(&self) -> Arc<Self> {
        Self::new(self.app.clone(), self.identity(), self.request.clone())
    }

    pub fn identity(&self) -> Option<Identity> {
        self.identity.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces who asks: an operation can sign in or out.
    pub fn set_identity(&self, identity: Option<Identity>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.identity.write().unwrap_or_else(PoisonError::into_inner) = identity;
    }

    /// The signed-in member of a workspace.
    pub fn actor(&self) -> Result<Arc<Actor>> {
        self.identity().and_then(|identity| identity.actor).ok_or(Error::Unauthenticated)
    }

    /// Lets one field of an operation take a password or a token: many aliases of it would be many guesses for
    /// the price of one request.
    pub fn one_secret(&self) -> Result<()> {
        if self.secret_taken.swap(true, Ordering::AcqRel) {
            return Err(Error::invalid_argument("input", "Send each sign-in as an operation of its own."));
        }
        self.app.throttle.attempt(self.request.ip)
    }

    /// Whether whoever asks has the permission.
    pub fn permits(&self, permission: Permission) -> Result<()> {
        self.identity().ok_or(Error::Unauthenticated)?.permits(permission)
    }

    /// The operation's reading transaction.
    pub async fn tx(&self) -> Result<Arc<Tx>> {
        let mut tx = self.tx.lock().await;
        if let Some(tx) = &*tx {
            return Ok(tx.clone());
        }
        let scope = match self.identity() {
            Some(Identity { actor: Some(actor), .. }) => actor.scope(),
            Some(identity) => Scope::user(identity.user),
            None => Scope::default(),
        };
        // Boxed: it is large, and whoever reads has room for it.
        let begun = Arc::new(Box::pin(self.app.db.begin_read(scope)).await?);
        *tx = Some(begun.clone());
        Ok(begun)
    }

    /// Ends the reading transaction: before a write, so that a request holds one connection at most and
    /// its answer is read after the write; and at the end.
    pub async fn release(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let tx = self.tx.lock().await.take();
        if let Some(tx) = tx.and_then(Arc::into_inner)
            && let Err(error) = tx.rollback().await
        {
            tracing::debug!(error = &error as &dyn std::error::Error, "ending a reading transaction");
        }
    }

    /// Loads one value together with the others that the operation asks for at the same level.
    pub async fn load<K: BatchKey>(&self, key: K) -> Result<Option<K::Value>> {
        self.batches.load(key).await
    }

    /// Decrypts a field of a patient's chart, if there is something in it, and remembers that it was seen.
    pub fn reveal<'a>(
        &'a self,
        patient: PatientId,
        field: Field,
        sealed: Option<&'a Sealed>,
    ) -> Soon<'a, Option<String>> {
        let Some(sealed) = sealed else { return at_once(Ok(None)) };
        let open = move |cipher: PatientCipher| {
            self.note_seen(patient, field.table, field.column);
            Ok(Some(cipher.open_text(field.table, field.column, field.row, sealed)?))
        };
        match self.cipher(patient, sealed) {
            Ok((_, Some(cipher))) => at_once(open(cipher)),
            Ok((key, None)) => {
                Either::Right(Box::pin(async move { open(self.load(key).await?.ok_or(Error::NotFound)?) }))
            }
            Err(error) => at_once(Err(error.into())),
        }
    }

    /// The key that opens something of a patient's; with its cipher when that is in memory.
    fn cipher(&self, patient: PatientId, sealed: &Sealed) -> Result<(KeyOf, Option<PatientCipher>)> {
        let key = KeyOf { patient, version: sealed.version().map_err(Error::from)? };
        // Fields of one patient come one after the other.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cipher)) = last.as_ref().filter(|(of, _)| *of == key) {
            return Ok((key, Some(cipher.clone())));
        }
        let cipher = self.app.keys.cached(self.actor()?.workspace, key)?;
        *last = cipher.clone().map(|cipher| (key, cipher));
        Ok((key, cipher))
    }

    pub fn note_seen(&self, patient: PatientId, table: &'static str, column: &'static str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.patients.entry(patient).or_default().insert((table, column));
    }

    /// What was decrypted of patients, to be handed on: see [`Call::saw`].
    pub fn take_seen_patients(&self) -> SeenPatients {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner).patients)
    }

    /// Says what the answer shows of patients, whoever decrypted it.
    pub fn saw(&self, patients: SeenPatients) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).patients = patients;
    }

    /// Whether the journal is to be told of something else than of decrypted fields.
    pub fn has_notes(&self) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        !(seen.events.is_empty() && seen.denied.is_empty())
    }

    /// The errors of nullable fields since the last time.
    pub fn take_field_errors(&self) -> Vec<ServerError> {
        std::mem::take(&mut self.field_errors.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers that a field was refused.
    pub fn note_denied(&self, parent: &str, field: &str, permission: Permission) {
        let Ok(actor) = self.actor() else { return };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let field = format!("{parent}.{field}");
        seen.denied.entry(field).or_insert_with_key(|field| {
            Event::by(&actor, AuditKind::Denied, "permission.denied")
                .with("field", field.as_str())
                .with("permission", format!("{permission:?}"))
        });
    }

    /// Leaves out the refusals that the journal was told of before, and adds the others to them.
    pub fn tell_denied_once(&self, told: &mut BTreeSet<String>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.denied.retain(|field, _| told.insert(field.clone()));
    }

    /// An event that is stored before the answer goes out.
    pub fn note(&self, event: Event) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).events.push(event);
    }

    /// Stores what was seen, denied and searched. Without it there is no answer.
    pub async fn tell_journal(&self) -> Result<()> {
        let (patients, mut events) = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let mut events = std::mem::take(&mut seen.events);
            events.extend(std::mem::take(&mut seen.denied).into_values());
            (std::mem::take(&mut seen.patients), events)
        };
        if patients.is_empty() && events.is_empty() {
            return Ok(());
        }
        let Ok(actor) = self.actor() else {
            return self.app.journal.append(crate::journal::event::SYSTEM_CHAIN, events).await;
        };
        for (patient, columns) in patients {
            let fields: Vec<String> =
                columns.into_iter().map(|(table, column)| format!("{table}.{column}")).collect();
            events
                .push(Event::by(&actor, AuditKind::Read, "patient.read").on(patient).with("fields", fields));
        }
        self.app.journal.append(actor.workspace, events).await
    }
}

/// The place of an encrypted field: its table, column and row.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub table: &'static str,
    pub column: &'static str,
    pub row: Uuid,
}

impl Field {
    pub fn of<I: TypedId>(row: I, column: &'static str) -> Self {
        Self { table: I::TABLE, column, row: row.uuid() }
    }
}

/// Short ways to the call from a resolver's context.
pub trait ContextExt<'a> {
    fn call(&self) -> &'a Arc<Call>;

    fn app(&self) -> &'a Arc<App> {
        &self.call().app
    }

    fn actor(&self) -> FieldResult<Arc<Actor>> {
        Ok(self.call().actor()?)
    }

    /// The idempotency key of this mutation, bound to its arguments.
    fn idempotency(&self, key: Option<&str>) -> FieldResult<Option<IdempotencyKey>>;
}

impl<'a> ContextExt<'a> for Context<'a> {
    fn call(&self) -> &'a Arc<Call> {
        self.data_unchecked::<Arc<Call>>()
    }

    fn idempotency(&self, key: Option<&str>) -> FieldResult<Option<IdempotencyKey>> {
        let Some(key) = key else { return Ok(None) };
        if key.is_empty() || key.len() > 255 {
            return Err(Error::invalid("idempotencyKey", "Use 1 to 255 characters.").into());
        }
        let field = self.field();
        let mut hasher = Sha256::new();
        let arguments = field.arguments().map_err(|_| Error::invalid("idempotencyKey", "Not readable."))?;
        for (name, value) in arguments {
            hasher.update(name.as_bytes());
            hash_value(&mut hasher, &value);
        }
        Ok(Some(IdempotencyKey {
            key: key.into(),
            operation: field.name().into(),
            request_hash: hasher.finalize().to_vec(),
        }))
    }
}

/// Hashes a value independently of the order in which a client wrote an object's fields.
fn hash_value(hasher: &mut Sha256, value: &async_graphql::Value) {
    match value {
        async_graphql::Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| name.as_str().to_owned());
            hasher.update(b"{");
            for (name, value) in fields {
                hasher.update(name.as_bytes());
                hasher.update(b":");
                hash_value(hasher, value);
            }
            hasher.update(b"}");
        }
        async_graphql::Value::List(items) => {
            hasher.update(b"[");
            for item in items {
                hash_value(hasher, item);
                hasher.update(b",");
            }
            hasher.update(b"]");
        }
        scalar => hasher.update(scalar.to_string().as_bytes()),
    }
}
