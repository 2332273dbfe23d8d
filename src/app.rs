//! Everything that lives as long as the process, and the unit of work that every command runs in.

mod once;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, IntoActiveModel};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::access::actor::Actor;
use crate::access::password::{Limits, Passwords};
use crate::access::sessions::Sessions;
use crate::access::throttle::Throttle;
use crate::access::token::{AccessTokens, TokenKeys};
use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::keys::Keys;
use crate::db::tx::Tx;
use crate::db::{Database, Engine, Scope};
use crate::error::{Error, Result};
use crate::id::TypedId;
use crate::journal::append::append;
use crate::journal::event::{Event, SYSTEM_CHAIN};
use crate::journal::writer::Writer;
use crate::live::Hub;
use crate::live::bus::Bus;
use crate::live::feed::Feeds;
use crate::live::shared::Shares;
use crate::mail::{FolderOutbox, Mailer};
use crate::patient::directory::Directories;
use crate::shutdown::Shutdown;
pub use once::IdempotencyKey;
use once::Once;

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
    pub feeds: Feeds,
    pub shares: Shares,
    pub passwords: Passwords,
    pub tokens: AccessTokens,
    pub sessions: Sessions,
    pub throttle: Throttle,
    /// Tells sockets, streams and connections when the process stops.
    pub shutdown: Shutdown,
    pub directories: Directories,
    /// Held for its tasks, which end with the application.
    _bus: Option<Bus>,
    pub mailer: Arc<dyn Mailer>,
}

/// The secrets that a process starts with.
pub struct Secrets {
    pub root: crate::crypto::root::RootKeys,
    pub tokens: TokenKeys,
}

impl App {
    /// Puts the application together on an open, migrated database. Mail goes to a folder.
    pub fn assemble(config: Config, clock: Clock, db: Database, secrets: Secrets) -> Arc<Self> {
        let mailer = Arc::new(FolderOutbox::new(config.data_dir.join("outbox")));
        Self::assemble_with(config, clock, db, secrets, mailer)
    }

    /// The same with another way to send mail.
    pub fn assemble_with(
        config: Config,
        clock: Clock,
        db: Database,
        secrets: Secrets,
        mailer: Arc<dyn Mailer>,
    ) -> Arc<Self> {
        let hub = Hub::default();
        let bus = (db.engine() == Engine::Postgres).then(|| Bus::start(&config.database_url, &hub));
        Arc::new(Self {
            journal: Writer::start(db.clone(), clock.clone()),
            feeds: Feeds::new(db.clone(), hub.clone()),
            shares: Shares::default(),
            _bus: bus,
            keys: Keys::new(secrets.root),
            passwords: Passwords::new(config.password_cost, Limits::default()),
            tokens: AccessTokens::new(secrets.tokens, clock.clone(), &config.public_url, "praxis"),
            sessions: Sessions::start(db.clone(), clock.clone()),
            throttle: Throttle::new(&config.rate_limits),
            shutdown: Shutdown::default(),
            directories: Directories::default(),
            mailer,
            hub,
            config,
            clock,
            db,
        })
    }

    /// Runs a command's work in one transaction together with the events it records.
    ///
    /// Work that lost a race (serialisation failure, deadlock, lock timeout) is run again from the start.
    pub async fn write<T, W, F>(&self, actor: &Actor, work: W) -> Result<T>
    where
        W: Fn(Unit) -> F,
        F: Future<Output = Result<T>>,
    {
        self.transact(actor.scope(), work).await
    }

    /// The same for work outside any workspace: sign-in, new workspaces. Its events go to the chain of the
    /// scope's workspace, or else to the system's.
    pub async fn write_global<T, W, F>(&self, scope: Scope, work: W) -> Result<T>
    where
        W: Fn(Unit) -> F,
        F: Future<Output = Result<T>>,
    {
        self.transact(scope, work).await
    }

    /// Runs the work once per idempotency key: a repetition gets the stored answer.
    pub async fn write_once<T, W, F>(&self, actor: &Actor, key: Option<&IdempotencyKey>, work: W) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        W: Fn(Unit) -> F,
        F: Future<Output = Result<T>>,
    {
        let (Some(key), Some(user)) = (key, actor.user) else { return self.write(actor, work).await };
        let (work, once) = (&work, &Once { key, actor, user });
        let done = self.write(actor, move |unit| async move {
            once.claim(&unit).await?;
            let answer = work(unit.clone()).await?;
            unit.is_first().await?;
            once.answer(&unit, &serde_json::to_string(&answer).map_err(Error::internal)?).await?;
            Ok(answer)
        });
        let error = match done.await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        // Whatever hindered it: done before, it is answered as it was then.
        match once.answered(self).await {
            Ok(Some(answer)) => serde_json::from_str(&answer).map_err(Error::internal),
            Err(reused @ Error::IdempotencyKeyReused) => Err(reused),
            Ok(None) | Err(_) => Err(error),
        }
    }

    async fn transact<T, W, F>(&self, scope: Scope, work: W) -> Result<T>
    where
        W: Fn(Unit) -> F,
        F: Future<Output = Result<T>>,
    {
        let mut attempt = 1;
        loop {
            let unit = Arc::new(UnitOfWork {
                tx: Box::pin(self.db.begin_write(scope)).await?,
                clock: self.clock.clone(),
                events: Mutex::default(),
            });
            // On the heap, as what is before and behind it: a command inside a resolver inside a request is more than a
            // small stack holds.
            let outcome = Box::pin(work(unit.clone())).await;
            let unit = Arc::into_inner(unit)
                .ok_or_else(|| Error::internal(std::io::Error::other("a unit of work outlived its work")))?;
            match Box::pin(self.conclude(scope, unit, outcome)).await {
                Err(error) if error.is_retryable() && attempt < ATTEMPTS => {
                    tokio::time::sleep(backoff(attempt)).await;
                    attempt += 1;
                }
                Err(error) if error.is_retryable() => return Err(Error::Unavailable("database")),
                outcome => return outcome,
            }
        }
    }

    /// Appends the events and commits, or rolls back; then hints those who follow.
    async fn conclude<T>(&self, scope: Scope, unit: UnitOfWork, outcome: Result<T>) -> Result<T> {
        let UnitOfWork { tx, events, .. } = unit;
        let value = match outcome {
            Ok(value) => value,
            Err(error) => {
                tx.undo().await;
                return Err(error);
            }
        };
        let events = events.into_inner().unwrap_or_else(PoisonError::into_inner);
        if events.is_empty() {
            tx.commit().await?;
            return Ok(value);
        }
        let chain = scope.workspace.unwrap_or(SYSTEM_CHAIN);
        let seq = append(&tx, &self.clock, chain, events).await?;
        tx.commit().await?;
        self.hub.hint(chain, seq);
        Ok(value)
    }
}

/// A unit of work as a command's work gets it.
pub type Unit = Arc<UnitOfWork>;

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

    /// Inserts rows of one table whose stored form nobody needs back: they go in together with whatever else waits, at
    /// the latest with the journal's events. What is wrong with them shows then.
    pub async fn put<A>(&self, rows: Vec<A>) -> Result<()>
    where
        A: sea_orm::ActiveModelTrait + Send,
    {
        self.tx.put(rows, None, self.clock.now()).await
    }

    /// The same, with what to do about rows that are there already.
    pub async fn put_or<A>(&self, rows: Vec<A>, conflict: OnConflict) -> Result<()>
    where
        A: sea_orm::ActiveModelTrait + Send,
    {
        self.tx.put(rows, Some(conflict), self.clock.now()).await
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
