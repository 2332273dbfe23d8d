//! A journal of reads written by hand: who was seen, each event chained to the one before, and one transaction for all
//! who wait. On SQLite it is the server's own, since its lists by patient, actor and kind need all of its indexes; on
//! PostgreSQL no more than a table with two indexes, and one chain for everybody.

use std::collections::BTreeMap;
use std::path::Path;

use praxis::id::{PatientId, WorkspaceId};
use praxis::journal::chain;
use praxis::journal::entity::{AuditKind, Model};
use rusqlite::{Connection, TransactionBehavior};
use sea_orm::sqlx::{self, PgPool};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::answer::Failed;
use super::audit::{self, Audit, Told};
use super::sqlite;
use crate::Outcome;

/// The most requests that share a transaction.
const GROUP: usize = 32;

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
        let mut writer = sqlite::writer(file)?;
        audit::settle(&writer)?;
        let (sender, mut jobs) = mpsc::channel(1024);
        std::thread::spawn(move || {
            let (audit, mut group) = (Audit::new(), Vec::new());
            while jobs.blocking_recv_many(&mut group, GROUP) > 0 {
                let stored = write(&mut writer, &audit, &group);
                tell(&mut group, stored.map_err(|error| error.to_string()));
            }
        });
        Ok(Self(sender))
    }

    /// Stores who was seen.
    pub async fn saw(&self, workspace: Uuid, mut patients: Vec<Uuid>) -> Result<(), Failed> {
        patients.sort_unstable();
        patients.dedup();
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

fn write(writer: &mut Connection, audit: &Audit, jobs: &[Job]) -> Outcome<()> {
    let mut chains: BTreeMap<WorkspaceId, Vec<Model>> = BTreeMap::new();
    for job in jobs {
        let (workspace, request) = (WorkspaceId(job.workspace), audit.clock.new_uuid().to_string());
        let events = chains.entry(workspace).or_default();
        for patient in job.patients.iter().copied().map(PatientId) {
            let request = request.clone();
            let told = Told {
                kind: AuditKind::Read,
                action: ACTION,
                subject: patient,
                patient,
                detail: DETAIL,
                request,
            };
            events.push(audit.event(workspace, told)?);
        }
    }
    let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (workspace, events) in chains {
        audit::append(&tx, workspace, events)?;
    }
    Ok(tx.commit()?)
}
