//! A booking written by hand with what none can do without: the key of a repeated request, what stands around it, what
//! it takes up, its history, and its event in the workspace's chain, in one transaction. Without keys of patients, hours
//! off and row-level security. Four round trips on PostgreSQL, without reminders, and with tables of one index for keys
//! and events. On SQLite the server's own tables, and no more statements than tables; reminders would be rows of their
//! own, but nobody in the data set wants any.

use chrono::TimeDelta;
use praxis::clock::Clock;
use praxis::id::{AppointmentId, PatientId, WorkspaceId};
use praxis::journal::chain;
use praxis::journal::entity::AuditKind;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use sea_orm::sqlx::{AssertSqlSafe, Executor, PgPool, Row, query};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::answer::Failed;
use super::audit::{self, Audit, Told};
use super::{Ask, instant, uuid};
use crate::Outcome;

const ACTION: &str = "appointment.booked";
const DETAIL: &str = r#"{"override":false}"#;
/// How long a repeated request gets the same answer.
const KEPT: TimeDelta = TimeDelta::hours(48);

const TABLES: [&str; 6] = [
    "DROP TABLE IF EXISTS bench_keys",
    "DROP TABLE IF EXISTS bench_heads",
    "DROP TABLE IF EXISTS bench_changes",
    "CREATE TABLE bench_keys (workspace_id UUID, key TEXT, response TEXT, PRIMARY KEY (workspace_id, key))",
    "CREATE TABLE bench_heads (workspace_id UUID PRIMARY KEY, seq BIGINT, hash BYTEA)",
    "CREATE TABLE bench_changes (workspace_id UUID, seq BIGINT, patient_id UUID, at TIMESTAMP WITH TIME ZONE, \
     action TEXT, detail TEXT, prev_hash BYTEA, hash BYTEA, PRIMARY KEY (workspace_id, seq))",
];

/// The key is claimed, practitioner and patient are locked, and all is read that a booking depends on.
const LOOK: &str = "WITH claim AS (INSERT INTO bench_keys VALUES ($1, $2, '') ON CONFLICT DO NOTHING RETURNING 1), \
     doctor AS (SELECT id FROM memberships WHERE workspace_id = $1 AND id = $3 AND is_active AND is_bookable \
                FOR NO KEY UPDATE), \
     patient AS (SELECT id FROM patients WHERE workspace_id = $1 AND id = $4 AND archived_at IS NULL \
                 FOR NO KEY UPDATE) \
     SELECT s.price_minor, w.timezone, \
            (SELECT count(*) FROM doctor_schedules WHERE workspace_id = $1 AND practitioner_id = $3), \
            (SELECT count(*) FROM occupancies WHERE workspace_id = $1 AND resource_id IN ($3, $4) \
             AND starts_at < $8 AND starts_at > $7 - interval '1 day' AND ends_at > $7) \
     FROM claim, doctor, patient, services s, locations l, workspaces w \
     WHERE s.workspace_id = $1 AND s.id = $5 AND l.workspace_id = $1 AND l.id = $6 AND w.id = $1";
const WRITE: &str = "WITH appointment AS ( \
         INSERT INTO appointments (id, workspace_id, patient_id, practitioner_id, service_id, location_id, starts_at, \
             ends_at, timezone, price_minor, payment_status, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'NOT_PAID', now(), now()) \
     ), occupancy AS ( \
         INSERT INTO occupancies (id, workspace_id, appointment_id, resource_kind, resource_id, starts_at, ends_at, \
             created_at, updated_at) \
         VALUES ($15, $2, $1, 'PRACTITIONER', $4, $7, $8, now(), now()), \
                ($16, $2, $1, 'PATIENT', $3, $7, $8, now(), now()) \
     ), history AS ( \
         INSERT INTO appointment_events (id, workspace_id, appointment_id, kind, to_status, to_starts_at, to_ends_at, \
             occurred_at, created_at) \
         VALUES ($17, $2, $1, 'BOOKED', 'SCHEDULED', $7, $8, now(), now()) \
     ), answer AS ( \
         UPDATE bench_keys SET response = $11 WHERE workspace_id = $2 AND key = $11 \
     ), head AS ( \
         SELECT seq, hash FROM bench_heads WHERE workspace_id = $2 FOR UPDATE \
     ), event AS ( \
         INSERT INTO bench_changes \
         SELECT $2, seq + 1, $3, now(), $12, $13, hash, sha256(hash || int8send(seq + 1) || $14) FROM head \
         RETURNING seq, hash \
     ) \
     UPDATE bench_heads SET seq = event.seq, hash = event.hash FROM event WHERE workspace_id = $2";

pub async fn prepare_postgres(pool: &PgPool) -> Outcome<()> {
    for statement in TABLES {
        pool.execute(statement).await?;
    }
    let heads = "INSERT INTO bench_heads SELECT id, 0, $1 FROM workspaces";
    query(heads).bind(chain::GENESIS.as_slice()).execute(pool).await?;
    Ok(())
}

pub async fn on_postgres(pool: &PgPool, ask: &Ask) -> Result<(), Failed> {
    let (workspace, id, key) = (ask.workspace, uuid(&ask.id), ask.id.as_str());
    let (patient, practitioner) = (uuid(&ask.patient), uuid(&ask.practitioner));
    let (service, location) = (uuid(&ask.service), uuid(&ask.location));
    let (from, to) = (instant(&ask.from)?, instant(&ask.to)?);
    let mut tx = pool.begin_with(AssertSqlSafe(begin(workspace))).await?;
    let found = query(LOOK)
        .bind(workspace)
        .bind(key)
        .bind(practitioner)
        .bind(patient)
        .bind(service)
        .bind(location)
        .bind(from)
        .bind(to)
        .fetch_one(&mut *tx)
        .await?;
    free(found.try_get(3)?)?;
    query(WRITE)
        .bind(id)
        .bind(workspace)
        .bind(patient)
        .bind(practitioner)
        .bind(service)
        .bind(location)
        .bind(from)
        .bind(to)
        .bind(found.try_get::<String, _>(1)?)
        .bind(found.try_get::<Option<i64>, _>(0)?)
        .bind(key)
        .bind(ACTION)
        .bind(DETAIL)
        .bind(content(workspace, id).as_slice())
        .bind(new_id())
        .bind(new_id())
        .bind(new_id())
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

fn begin(workspace: Uuid) -> String {
    format!("BEGIN; SET LOCAL app.workspace_id = '{workspace}'")
}

fn free(taken: i64) -> Result<(), Failed> {
    match taken {
        0 => Ok(()),
        _ => Err(Failed::from("taken")),
    }
}

fn content(workspace: Uuid, appointment: Uuid) -> [u8; 32] {
    let mut content = [0; 32];
    let (front, back) = content.split_at_mut(16);
    front.copy_from_slice(workspace.as_bytes());
    back.copy_from_slice(appointment.as_bytes());
    content
}

fn new_id() -> Uuid {
    Clock::system().new_uuid()
}

pub fn on_sqlite(writer: &mut Connection, audit: &Audit, ask: &Ask) -> Result<(), Failed> {
    let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    book(&tx, audit, ask)?;
    Ok(tx.commit()?)
}

fn book(tx: &Transaction<'_>, audit: &Audit, ask: &Ask) -> Result<(), Failed> {
    let (workspace, id) = (ask.workspace.as_bytes(), uuid(&ask.id));
    let (patient, practitioner) = (uuid(&ask.patient), uuid(&ask.practitioner));
    let (service, location) = (uuid(&ask.service), uuid(&ask.location));
    let (from, to) = (instant(&ask.from)?.to_rfc3339(), instant(&ask.to)?.to_rfc3339());
    let (owner, clock) = (audit.owner(WorkspaceId(ask.workspace))?, &audit.clock);
    let now = clock.now();
    let (expires_at, now) = ((now + KEPT).to_rfc3339(), now.to_rfc3339());

    // With the answer, which is known: what fails later takes it back.
    tx.prepare_cached(
        "INSERT INTO idempotency_keys (id, workspace_id, user_id, key, operation, request_hash, response, expires_at, \
             created_at, updated_at) VALUES (?1, ?2, ?3, ?4, 'bookAppointment', ?5, ?6, ?7, ?8, ?8)",
    )?
    .execute(params![
        clock.new_uuid().as_bytes(),
        workspace,
        owner.user.0.as_bytes(),
        format!("load-{}", ask.id),
        fingerprint(ask),
        format!("\"{id}\""),
        expires_at,
        now,
    ])?;
    let found = tx
        .prepare_cached(
            "SELECT s.price_minor, w.timezone, \
                    (SELECT count(*) FROM doctor_schedules WHERE workspace_id = ?1 AND practitioner_id = ?2), \
                    (SELECT count(*) FROM occupancies WHERE workspace_id = ?1 AND resource_id IN (?2, ?3) \
                     AND starts_at < ?7 AND starts_at > datetime(?6, '-1 day') AND ends_at > ?6), \
                    p.reminder_consent \
                    OR EXISTS (SELECT 1 FROM notification_settings WHERE workspace_id = ?1 AND membership_id = ?2) \
             FROM workspaces w, memberships m, patients p, services s, locations l \
             WHERE w.id = ?1 AND m.workspace_id = ?1 AND m.id = ?2 AND m.is_active AND m.is_bookable \
                AND p.workspace_id = ?1 AND p.id = ?3 AND p.archived_at IS NULL \
                AND s.workspace_id = ?1 AND s.id = ?4 AND l.workspace_id = ?1 AND l.id = ?5",
        )?
        .query_row(
            (
                workspace,
                practitioner.as_bytes(),
                patient.as_bytes(),
                service.as_bytes(),
                location.as_bytes(),
                &from,
                &to,
            ),
            |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, String>(1)?, row.get(3)?, row.get(4)?)),
        )
        .optional()?;
    let (price, timezone, taken, reminded) = found.ok_or_else(|| Failed::from("not found"))?;
    free(taken)?;
    if reminded {
        return Err(Failed::from("reminders are not planned here"));
    }

    tx.prepare_cached(
        "INSERT INTO appointments (id, workspace_id, patient_id, practitioner_id, service_id, location_id, starts_at, \
             ends_at, timezone, price_minor, payment_status, created_by, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'NOT_PAID', ?11, ?12, ?12)",
    )?
    .execute((
        id.as_bytes(),
        workspace,
        patient.as_bytes(),
        practitioner.as_bytes(),
        service.as_bytes(),
        location.as_bytes(),
        &from,
        &to,
        timezone,
        price,
        owner.membership.0.as_bytes(),
        &now,
    ))?;
    let mut occupy = tx.prepare_cached(
        "INSERT INTO occupancies (id, workspace_id, appointment_id, resource_kind, resource_id, starts_at, ends_at, \
             created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
    )?;
    for (kind, resource) in [("PRACTITIONER", practitioner), ("PATIENT", patient)] {
        let own = clock.new_uuid();
        let (own, resource) = (own.as_bytes(), resource.as_bytes());
        occupy.execute((own, workspace, id.as_bytes(), kind, resource, &from, &to, &now))?;
    }
    tx.prepare_cached(
        "INSERT INTO appointment_events (id, workspace_id, appointment_id, kind, to_status, to_starts_at, to_ends_at, \
             actor_id, occurred_at, created_at) VALUES (?1, ?2, ?3, 'BOOKED', 'SCHEDULED', ?4, ?5, ?6, ?7, ?7)",
    )?
    .execute((
        clock.new_uuid().as_bytes(),
        workspace,
        id.as_bytes(),
        &from,
        &to,
        owner.membership.0.as_bytes(),
        &now,
    ))?;

    let told = Told {
        kind: AuditKind::Write,
        action: ACTION,
        subject: AppointmentId(id),
        patient: PatientId(patient),
        detail: DETAIL,
        request: clock.new_uuid().to_string(),
    };
    let workspace = WorkspaceId(ask.workspace);
    Ok(audit::append(tx, workspace, vec![audit.event(workspace, told)?])?)
}

/// Tells the same request from another one with its key.
fn fingerprint(ask: &Ask) -> Vec<u8> {
    let asked = [&ask.id, &ask.practitioner, &ask.patient, &ask.service, &ask.location, &ask.from, &ask.to];
    asked.into_iter().fold(Sha256::new(), Digest::chain_update).finalize().to_vec()
}
