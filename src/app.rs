//! Everything that lives as long as the process, and the unit of work that every command runs in.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::access::actor::Actor;
use crate::access::entity::idempotency_key as stored_key;
use crate::access::password::Passwords;
use crate::access::sessions::Sessions;
use crate::access::token::TokenKeys;
use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::keys::Keys;
use crate::db::tx::Tx;
use crate::db::{Database, Scope};
use crate::error::{Error, Result};
use crate::id::{IdempotencyKeyId, TypedId};
use crate::journal::append::append;
use crate::journal::event::Event;
use crate::journal::writer::Writer;
use crate::live::Hub;
use crate::patient::directory::Directories;

/// How often a transaction that lost a race in the database is run again.
const ATTEMPTS: u32 = 6;

/// The application.
pub struct App {
    pub config: Config,
    pub clock: Clock,
    pub db: Database,
    pub keys: Keys,
    pub journal: Writer,
    pub hub: Hub,
    pub passwords: Passwords,
    pub tokens: TokenKeys,
    pub sessions: Sessions,
    pub directories: Directories,
}

/// The secrets that a process starts with.
pub struct Secrets {
    pub root: crate::crypto::root::RootKeys,
    pub tokens: TokenKeys,
}

impl App {
    /// Puts the application together on an open, migrated database.
    pub fn assemble(config: Config, clock: Clock, db: Database, secrets: Secrets) -> Arc<Self> {
        let hub = Hub::default();
        Arc::new(Self {
            journal: Writer::start(db.clone(), clock.clone(), hub.clone()),
            keys: Keys::new(secrets.root),
            passwords: Passwords::new(config.password_cost),
            tokens: secrets.tokens,
            sessions: Sessions::new(),
            directories: Directories::new(),
            hub,
            config,
            clock,
            db,
        })
    }

    /// Runs a command's work in one transaction together with the events it records.
    ///
    /// Work that lost a race (serialisation failure, deadlock, lock timeout) is run again from the start.
    pub async fn write<T>(&self, actor: &Actor, work: impl AsyncFn(&UnitOfWork) -> Result<T>) -> Result<T> {
        self.transact(actor.scope(), Some(actor), work).await
    }

    /// The same for work outside any workspace: sign-in, new workspaces.
    pub async fn write_global<T>(
        &self,
        scope: Scope,
        work: impl AsyncFn(&UnitOfWork) -> Result<T>,
    ) -> Result<T> {
        self.transact(scope, None, work).await
    }

    /// Runs the work once per idempotency key: a repetition gets the stored answer.
    pub async fn write_once<T>(
        &self,
        actor: &Actor,
        key: Option<&IdempotencyKey>,
        work: impl AsyncFn(&UnitOfWork) -> Result<T>,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        let (Some(key), Some(_)) = (key, actor.user) else { return self.write(actor, work).await };
        self.write(actor, async |unit| {
            if let Some(answer) = key.claim(unit, actor).await? {
                return serde_json::from_str(&answer).map_err(Error::internal);
            }
            let answer = work(unit).await?;
            key.answer(unit, actor, &serde_json::to_string(&answer).map_err(Error::internal)?).await?;
            Ok(answer)
        })
        .await
    }

    async fn transact<T>(
        &self,
        scope: Scope,
        actor: Option<&Actor>,
        work: impl AsyncFn(&UnitOfWork) -> Result<T>,
    ) -> Result<T> {
        let mut attempt = 1;
        loop {
            match self.attempt(scope, actor, &work).await {
                Err(error) if error.is_retryable() && attempt < ATTEMPTS => {
                    tokio::time::sleep(backoff(attempt)).await;
                    attempt += 1;
                }
                Err(error) if error.is_retryable() => return Err(Error::Unavailable("database")),
                outcome => return outcome,
            }
        }
    }

    async fn attempt<T>(
        &self,
        scope: Scope,
        actor: Option<&Actor>,
        work: &impl AsyncFn(&UnitOfWork) -> Result<T>,
    ) -> Result<T> {
        let unit = UnitOfWork {
            tx: self.db.begin_write(scope).await?,
            clock: self.clock.clone(),
            events: Mutex::default(),
        };
        let value = match work(&unit).await {
            Ok(value) => value,
            Err(error) => {
                unit.tx.rollback().await?;
                return Err(error);
            }
        };
        let UnitOfWork { tx, events, .. } = unit;
        let events = events.into_inner().unwrap_or_else(PoisonError::into_inner);
        let chain = scope.workspace.or(actor.map(|actor| actor.workspace));
        let head = match (chain, events.is_empty()) {
            (Some(workspace), false) => {
                Some((workspace, append(&tx, &self.clock, workspace, events).await?))
            }
            (None, false) => {
                let system = crate::journal::event::SYSTEM_CHAIN;
                tx.set_scope(Scope::workspace(system)).await?;
                Some((system, append(&tx, &self.clock, system, events).await?))
            }
            (_, true) => None,
        };
        tx.commit().await?;
        if let Some((workspace, seq)) = head {
            self.hub.hint(workspace, seq);
        }
        Ok(value)
    }
}

/// 5 ms, doubling, with jitter of half of it.
fn backoff(attempt: u32) -> Duration {
    let base = 5_000u64 << attempt.min(6);
    let jitter = getrandom::u64().map_or(0, |random| random % (base / 2));
    Duration::from_micros(base / 2 + jitter)
}

/// One transaction of a command, and what it will tell the journal.
pub struct UnitOfWork {
    tx: Tx,
    clock: Clock,
    events: Mutex<Vec<Event>>,
}

impl std::ops::Deref for UnitOfWork {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl UnitOfWork {
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// An id for a new row.
    pub fn id<I: TypedId>(&self) -> I {
        I::new(&self.clock)
    }

    /// Tells the journal, in this transaction.
    pub fn record(&self, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// Inserts a row of this workspace with its times and first version.
    pub async fn insert<A>(&self, row: A) -> Result<<A::Entity as EntityTrait>::Model>
    where
        A: sea_orm::ActiveModelTrait + sea_orm::ActiveModelBehavior + Send,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        self.tx.insert(row, self.clock.now()).await
    }

    /// Inserts many rows of one table in one statement.
    pub async fn insert_all<A>(&self, rows: Vec<A>) -> Result<()>
    where
        A: sea_orm::ActiveModelTrait + Send,
    {
        self.tx.insert_all(rows, self.clock.now()).await
    }

    /// Updates a row that this transaction loaded; compare-and-swap on its version.
    pub async fn update<A>(&self, row: A) -> Result<<A::Entity as EntityTrait>::Model>
    where
        A: sea_orm::ActiveModelTrait + Send,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        self.tx.update(row, self.clock.now()).await
    }
}

/// A client's key for one write, with what it was first used for.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    pub key: String,
    /// The mutation's name.
    pub operation: String,
    /// SHA-256 of the arguments.
    pub request_hash: Vec<u8>,
}

impl IdempotencyKey {
    /// Claims the key in this transaction, or returns the stored answer of its first use.
    ///
    /// A concurrent first use is waited for: the unique key makes the second claim wait for the first commit.
    async fn claim(&self, unit: &UnitOfWork, actor: &Actor) -> Result<Option<String>> {
        let user = actor.user.ok_or(Error::Unauthenticated)?;
        let now = unit.clock.now();
        let claimed = Query::insert()
            .into_table(stored_key::Entity)
            .columns([
                stored_key::Column::Id,
                stored_key::Column::WorkspaceId,
                stored_key::Column::UserId,
                stored_key::Column::Key,
                stored_key::Column::Operation,
                stored_key::Column::RequestHash,
                stored_key::Column::Response,
                stored_key::Column::ExpiresAt,
                stored_key::Column::CreatedAt,
                stored_key::Column::UpdatedAt,
            ])
            .values_panic([
                unit.id::<IdempotencyKeyId>().into(),
                actor.workspace.into(),
                user.into(),
                self.key.clone().into(),
                self.operation.clone().into(),
                self.request_hash.clone().into(),
                "".into(),
                (now + chrono::Duration::hours(48)).into(),
                now.into(),
                now.into(),
            ])
            .on_conflict(
                OnConflict::columns([
                    stored_key::Column::WorkspaceId,
                    stored_key::Column::UserId,
                    stored_key::Column::Key,
                ])
                .do_nothing()
                .to_owned(),
            )
            .to_owned();
        if unit.execute(&claimed).await?.rows_affected() == 1 {
            return Ok(None);
        }
        let stored = self.find(unit, actor).await?;
        if stored.operation != self.operation || stored.request_hash != self.request_hash {
            return Err(Error::IdempotencyKeyReused);
        }
        Ok(Some(stored.response))
    }

    async fn answer(&self, unit: &UnitOfWork, actor: &Actor, response: &str) -> Result<()> {
        let user = actor.user.ok_or(Error::Unauthenticated)?;
        let answer = Query::update()
            .table(stored_key::Entity)
            .value(stored_key::Column::Response, response)
            .and_where(stored_key::Column::WorkspaceId.eq(actor.workspace))
            .and_where(stored_key::Column::UserId.eq(user))
            .and_where(stored_key::Column::Key.eq(self.key.as_str()))
            .to_owned();
        unit.execute(&answer).await?;
        Ok(())
    }

    async fn find(&self, unit: &UnitOfWork, actor: &Actor) -> Result<stored_key::Model> {
        let user = actor.user.ok_or(Error::Unauthenticated)?;
        actor
            .find::<stored_key::Entity>()
            .filter(stored_key::Column::UserId.eq(user))
            .filter(stored_key::Column::Key.eq(self.key.as_str()))
            .one(&**unit)
            .await?
            .ok_or(Error::NotFound)
    }
}
