//! A journal of reads written by hand: who was seen, each event chained to the one before, and one transaction for all
//! who wait. No more than a table with two indexes; one chain for everybody.

use std::path::Path;

use praxis::journal::chain;
use rusqlite::Connection;
use sea_orm::sqlx::{self, PgPool};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::answer::Failed;
use crate::Outcome;

/// The most requests that share a transaction.
const GROUP: usize = 32;

const COLUMNS: &str = "(seq, workspace_id, patient_id, at, action, detail, prev_hash, hash)";
const ACTION: &str = "patient.read";
const DETAIL: &str = r#"{"fields":["patients.first_name","patients.last_name"]}"#;

#[derive(Clone)]
pub struct Journal(mpsc::Sender<Job>);

struct Job {
    workspace: Uuid,
    patients: Vec<Uuid>,
    done: oneshot::Sender<Result<(), String>>,
}

/// The end of the chain.
struct Chain {
    seq: i64,
    hash: Vec<u8>,
}

/// An event in its place.
struct Event {
    seq: i64,
    workspace: Uuid,
    patient: Uuid,
    prev_hash: Vec<u8>,
    hash: Vec<u8>,
}

impl Chain {
    fn new() -> Self {
        Self { seq: 0, hash: chain::GENESIS.to_vec() }
    }

    fn place(&mut self, jobs: &[Job]) -> Vec<Event> {
        let seen = jobs.iter().flat_map(|job| job.patients.iter().map(|patient| (job.workspace, *patient)));
        seen.map(|(workspace, patient)| {
            let mut content = [0; 32];
            let (front, back) = content.split_at_mut(16);
            front.copy_from_slice(workspace.as_bytes());
            back.copy_from_slice(patient.as_bytes());
            self.seq += 1;
            let hash = chain::link(&self.hash, self.seq, &content);
            let prev_hash = std::mem::replace(&mut self.hash, hash.clone());
            Event { seq: self.seq, workspace, patient, prev_hash, hash }
        })
        .collect()
    }
}

impl Journal {
    pub async fn on_postgres(pool: PgPool) -> Outcome<Self> {
        for statement in [
            "DROP TABLE IF EXISTS bench_events",
            "CREATE TABLE bench_events (seq bigint PRIMARY KEY, workspace_id uuid, patient_id uuid, at timestamptz, \
             action text, detail text, prev_hash bytea, hash bytea)",
            "CREATE INDEX ON bench_events (workspace_id, patient_id, seq)",
        ] {
            sqlx::query(statement).execute(&pool).await?;
        }
        let (sender, mut jobs) = mpsc::channel(1024);
        tokio::spawn(async move {
            let (mut chain, mut group) = (Chain::new(), Vec::new());
            while jobs.recv_many(&mut group, GROUP).await > 0 {
                let stored = insert(&pool, &chain.place(&group)).await;
                tell(&mut group, stored.map_err(|error| error.to_string()));
            }
        });
        Ok(Self(sender))
    }

    pub fn on_sqlite(file: &Path) -> Outcome<Self> {
        let mut writer = Connection::open(file)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        writer.pragma_update(None, "synchronous", "FULL")?;
        writer.busy_timeout(std::time::Duration::from_secs(5))?;
        writer.execute_batch(
            "DROP TABLE IF EXISTS bench_events; \
             CREATE TABLE bench_events (seq INTEGER PRIMARY KEY, workspace_id, patient_id, at, action, detail, \
             prev_hash, hash); \
             CREATE INDEX bench_events_patient ON bench_events (workspace_id, patient_id, seq)",
        )?;
        let (sender, mut jobs) = mpsc::channel(1024);
        std::thread::spawn(move || {
            let (mut chain, mut group) = (Chain::new(), Vec::new());
            while jobs.blocking_recv_many(&mut group, GROUP) > 0 {
                let stored = write(&mut writer, &chain.place(&group));
                tell(&mut group, stored.map_err(|error| error.to_string()));
            }
        });
        Ok(Self(sender))
    }

    /// Stores who was seen.
    pub async fn saw(&self, workspace: Uuid, patients: Vec<Uuid>) -> Result<(), Failed> {
        let (done, stored) = oneshot::channel();
        self.0.send(Job { workspace, patients, done }).await?;
        Ok(stored.await??)
    }
}

fn tell(group: &mut Vec<Job>, outcome: Result<(), String>) {
    for job in group.drain(..) {
        // Whoever went away does not wait.
        let _ = job.done.send(outcome.clone());
    }
}

async fn insert(pool: &PgPool, events: &[Event]) -> Result<(), sqlx::Error> {
    const INSERT: &str = "INSERT INTO bench_events (seq, workspace_id, patient_id, at, action, detail, prev_hash, hash) \
                          SELECT seq, workspace_id, patient_id, now(), $6, $7, prev_hash, hash \
                          FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bytea[], $5::bytea[]) \
                          AS event (seq, workspace_id, patient_id, prev_hash, hash)";
    sqlx::query(INSERT)
        .bind(events.iter().map(|event| event.seq).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.workspace).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.patient).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.prev_hash.as_slice()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.hash.as_slice()).collect::<Vec<_>>())
        .bind(ACTION)
        .bind(DETAIL)
        .execute(pool)
        .await
        .map(drop)
}

fn write(writer: &mut Connection, events: &[Event]) -> Result<(), rusqlite::Error> {
    let tx = writer.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    {
        let mut insert = tx.prepare_cached(&format!(
            "INSERT INTO bench_events {COLUMNS} VALUES (?1, ?2, ?3, CURRENT_TIMESTAMP, ?4, ?5, ?6, ?7)"
        ))?;
        for event in events {
            let (workspace, patient) = (event.workspace.as_bytes(), event.patient.as_bytes());
            insert.execute((event.seq, workspace, patient, ACTION, DETAIL, &event.prev_hash, &event.hash))?;
        }
    }
    tx.commit()
}
