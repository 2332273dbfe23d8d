//! axum and sqlx on PostgreSQL.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Json, Router};
use chrono::{DateTime, Utc};
use praxis::db::connect::{PoolOptions, connect};
use praxis::db::{Database, Scope};
use praxis::id::{AppointmentId, LocationId, MembershipId, PatientId, ServiceId, WorkspaceId};
use sea_orm::sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sea_orm::sqlx::{AssertSqlSafe, Row, query, query_as};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};
use uuid::Uuid;

use super::answer::{
    All, Answer, Appointment, Booked, BookedAppointment, Booking, Chart, Charts, Failed, Location, Many,
    Nodes, One, Patient, Practitioner, Seen, Service, Single, Visit,
};
use super::journal::Journal;
use super::sealed::{SealedPatient, Seals, WORKSPACE_KEYS};
use super::{Also, Ask, Replies, booking, instant, uuid};
use crate::Outcome;
use crate::queries::Query as Asked;
use crate::site::{ROLE, Site};

/// Fields 0 to 20; with names 21 to 23, with their key 24 and 25.
macro_rules! appointment {
    ($more:literal, $join:literal, $where:literal) => {
        concat!(
            "SELECT a.id, a.starts_at, a.ends_at, a.timezone, a.status, a.appointment_type, a.priority, ",
            "a.payment_status, a.version, m.id, m.display_name, m.title, m.specialization, s.id, s.name, ",
            "s.duration_minutes, s.price_minor, l.id, l.name, l.kind, l.address",
            $more,
            " FROM appointments a ",
            "JOIN memberships m ON m.workspace_id = a.workspace_id AND m.id = a.practitioner_id ",
            "JOIN services s ON s.workspace_id = a.workspace_id AND s.id = a.service_id ",
            "JOIN locations l ON l.workspace_id = a.workspace_id AND l.id = a.location_id ",
            $join,
            " WHERE ",
            $where
        )
    };
}

macro_rules! one {
    ($more:literal, $join:literal) => {
        appointment!($more, $join, "a.workspace_id = $1 AND a.id = $2")
    };
}

macro_rules! days {
    ($more:literal, $join:literal) => {
        appointment!(
            $more,
            $join,
            "a.workspace_id = $1 AND a.practitioner_id = $2 AND a.starts_at >= $3 AND a.starts_at < $4 \
             ORDER BY a.starts_at, a.id LIMIT 50"
        )
    };
}

/// The id and the names of the patient first, the visit after them.
macro_rules! patients {
    ($names:literal, $more:literal, $from:literal) => {
        concat!(
            "SELECT p.id, ",
            $names,
            ", a.id, a.starts_at, a.ends_at, a.status, m.id, m.display_name",
            $more,
            " FROM ",
            $from,
            " JOIN LATERAL (SELECT id, starts_at, ends_at, status, practitioner_id FROM appointments \
                            WHERE workspace_id = $1 AND patient_id = p.id ORDER BY starts_at DESC, id DESC LIMIT 10) a \
              ON true \
              JOIN memberships m ON m.workspace_id = $1 AND m.id = a.practitioner_id \
              ORDER BY p.id DESC, a.starts_at DESC, a.id DESC"
        )
    };
}

const Q1: &str = one!("", "");
const Q2: &str = days!("", "");

/// The statements with names.
#[derive(Clone, Copy)]
struct Named {
    q1: &'static str,
    q2: &'static str,
    q3: &'static str,
}

const PLAIN: Named = Named {
    q1: one!(
        ", a.patient_id, n.first_name, n.last_name",
        "JOIN bench_names n ON n.patient_id = a.patient_id"
    ),
    q2: days!(
        ", a.patient_id, n.first_name, n.last_name",
        "JOIN bench_names n ON n.patient_id = a.patient_id"
    ),
    q3: patients!(
        "n.first_name, n.last_name",
        "",
        "(SELECT id FROM patients WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT 20) p \
         JOIN bench_names n ON n.patient_id = p.id"
    ),
};

/// With the keys: a statement of its own for those that are not in memory would be a round trip.
const SEALED: Named = Named {
    q1: one!(
        ", a.patient_id, p.first_name, p.last_name, k.workspace_key_version, k.wrapped",
        "JOIN patients p ON p.workspace_id = a.workspace_id AND p.id = a.patient_id \
         JOIN patient_keys k ON k.workspace_id = p.workspace_id AND k.patient_id = p.id AND k.version = p.key_version"
    ),
    q2: days!(
        ", a.patient_id, p.first_name, p.last_name, k.workspace_key_version, k.wrapped",
        "JOIN patients p ON p.workspace_id = a.workspace_id AND p.id = a.patient_id \
         JOIN patient_keys k ON k.workspace_id = p.workspace_id AND k.patient_id = p.id AND k.version = p.key_version"
    ),
    q3: patients!(
        "p.first_name, p.last_name",
        ", k.workspace_key_version, k.wrapped",
        "(SELECT id, first_name, last_name, key_version FROM patients WHERE workspace_id = $1 AND id < $2 \
          ORDER BY id DESC LIMIT 20) p \
         JOIN patient_keys k ON k.workspace_id = $1 AND k.patient_id = p.id AND k.version = p.key_version"
    ),
};
const Q4: &str = "INSERT INTO appointments (id, workspace_id, patient_id, practitioner_id, service_id, location_id, \
     starts_at, ends_at, timezone, price_minor, payment_status, created_at, updated_at) \
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, 'UTC', 3500, 'NOT_PAID', now(), now() \
     WHERE NOT EXISTS (SELECT 1 FROM appointments WHERE workspace_id = $2 AND practitioner_id = $4 \
                       AND starts_at < $8 AND starts_at > $7 - interval '1 day' AND ends_at > $7 AND status <> 'CANCELLED') \
     RETURNING id, starts_at";

#[derive(Clone)]
struct Data {
    pool: PgPool,
    /// The server's own way to a transaction of a workspace.
    tenant: Option<Database>,
    journal: Option<Journal>,
    seals: Option<Arc<Seals>>,
    books: bool,
}

/// What a statement is given.
enum Bind {
    Uuid(Uuid),
    Instant(DateTime<Utc>),
}

impl From<Bind> for Value {
    fn from(bind: Bind) -> Self {
        match bind {
            Bind::Uuid(id) => id.into(),
            Bind::Instant(at) => at.into(),
        }
    }
}

pub async fn routes(site: &Site, also: &[Also]) -> Outcome<Router> {
    let options = PgPoolOptions::new().max_connections(10).test_before_acquire(false);
    let pool = options.connect(&site.owner_url()?).await?;
    let books = also.contains(&Also::Booking);
    let mut data = Data { pool, tenant: None, journal: None, seals: None, books };
    if data.books {
        booking::prepare_postgres(&data.pool).await?;
    }
    if also.contains(&Also::Tenant) {
        query(AssertSqlSafe(format!("GRANT SELECT ON bench_names TO {ROLE}"))).execute(&data.pool).await?;
        data.tenant = Some(connect(&site.server_url()?, &PoolOptions::default()).await?);
    }
    if also.contains(&Also::Sealed) {
        data.seals = Some(Arc::new(Seals::new(site, query_as(WORKSPACE_KEYS).fetch_all(&data.pool).await?)?));
    }
    if also.contains(&Also::Journal) {
        data.journal = Some(Journal::on_postgres(data.pool.clone()).await?);
    }
    let routes =
        Router::new().route("/q1", get(q1)).route("/q2", get(q2)).route("/q3", get(q3)).route("/q4", get(q4));
    Ok(routes.with_state(data))
}

impl Data {
    async fn rows(
        &self,
        sql: &'static str,
        workspace: Uuid,
        more: impl IntoIterator<Item = Bind>,
    ) -> Result<Vec<QueryResult>, Failed> {
        if let Some(db) = &self.tenant {
            let values = std::iter::once(Bind::Uuid(workspace)).chain(more).map(Value::from);
            let tx = db.begin_read(Scope::workspace(WorkspaceId(workspace))).await?;
            let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
            return Ok(tx.query_all_raw(statement).await?);
        }
        let mut query = query(sql).bind(workspace);
        for bind in more {
            query = match bind {
                Bind::Uuid(id) => query.bind(id),
                Bind::Instant(at) => query.bind(at),
            };
        }
        Ok(query.fetch_all(&self.pool).await?.into_iter().map(Into::into).collect())
    }

    fn named(&self) -> Named {
        if self.seals.is_some() { SEALED } else { PLAIN }
    }

    /// The patient whose id is in this column of the row, before the names; what opens them is from `key` on.
    fn patient(&self, workspace: Uuid, row: &PgRow, column: usize, key: usize) -> Result<Patient, Failed> {
        let id: Uuid = row.try_get(column)?;
        let Some(seals) = &self.seals else {
            let (first_name, last_name) = (row.try_get(column + 1)?, row.try_get(column + 2)?);
            return Ok(Patient { id: PatientId(id).to_string(), first_name, last_name });
        };
        let (first_name, last_name) = (row.try_get(column + 1)?, row.try_get(column + 2)?);
        seals.open(SealedPatient { workspace, id, first_name, last_name }, |_| {
            Ok((row.try_get(key)?, row.try_get(key + 1)?))
        })
    }

    fn appointment(&self, ask: &Ask, row: &PgRow) -> Result<Appointment, Failed> {
        let patient = ask.chart.then(|| self.patient(ask.workspace, row, 21, 24)).transpose()?;
        appointment(row, patient)
    }

    /// Writes down whose names are in these rows.
    async fn saw(&self, workspace: Uuid, rows: &[QueryResult], column: usize) -> Result<(), Failed> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let patients = rows.iter().map(|row| Ok(of(row)?.try_get(column)?)).collect::<Result<_, Failed>>()?;
        journal.saw(workspace, patients).await
    }
}

fn of(row: &QueryResult) -> Result<&PgRow, Failed> {
    row.try_as_pg_row().ok_or_else(|| Failed::from("not a row of PostgreSQL"))
}

async fn q1(
    State(data): State<Data>,
    replies: Extension<Replies>,
    Query(ask): Query<Ask>,
) -> Result<Response, Failed> {
    let sql = if ask.chart { data.named().q1 } else { Q1 };
    let rows = data.rows(sql, ask.workspace, [Bind::Uuid(uuid(&ask.id))]).await?;
    let found = rows.first().map(|row| data.appointment(&ask, of(row)?)).transpose()?;
    if ask.chart {
        data.saw(ask.workspace, &rows, 21).await?;
    }
    let query = if ask.chart { Asked::Q1Chart } else { Asked::Q1 };
    Ok(replies.reply(query, Single { appointment: found.map(One) }).await)
}

async fn q2(
    State(data): State<Data>,
    replies: Extension<Replies>,
    Query(ask): Query<Ask>,
) -> Result<Response, Failed> {
    let sql = if ask.chart { data.named().q2 } else { Q2 };
    let (from, to) = (Bind::Instant(instant(&ask.from)?), Bind::Instant(instant(&ask.to)?));
    let rows = data.rows(sql, ask.workspace, [Bind::Uuid(uuid(&ask.practitioner)), from, to]).await?;
    let nodes = rows.iter().map(|row| data.appointment(&ask, of(row)?)).collect::<Result<_, Failed>>()?;
    if ask.chart {
        data.saw(ask.workspace, &rows, 21).await?;
    }
    let query = if ask.chart { Asked::Q2Chart } else { Asked::Q2 };
    Ok(replies.reply(query, Many { appointments: One(Nodes { nodes: All(nodes) }) }).await)
}

async fn q3(
    State(data): State<Data>,
    replies: Extension<Replies>,
    Query(ask): Query<Ask>,
) -> Result<Response, Failed> {
    let rows = data.rows(data.named().q3, ask.workspace, [Bind::Uuid(uuid(&ask.id))]).await?;
    let mut nodes: Vec<Chart> = Vec::new();
    let mut last = None;
    for row in &rows {
        let row = of(row)?;
        let id: Uuid = row.try_get(0)?;
        if last != Some(id) {
            last = Some(id);
            let Patient { id, first_name, last_name } = data.patient(ask.workspace, row, 0, 9)?;
            let appointments = One(Nodes { nodes: All(Vec::with_capacity(10)) });
            nodes.push(Chart { id, first_name, last_name, appointments });
        }
        let visit = Visit {
            id: AppointmentId(row.try_get(3)?).to_string(),
            starts_at: text(row.try_get(4)?),
            ends_at: text(row.try_get(5)?),
            status: row.try_get(6)?,
            practitioner: One(Seen {
                id: MembershipId(row.try_get(7)?).to_string(),
                display_name: row.try_get(8)?,
            }),
        };
        if let Some(chart) = nodes.last_mut() {
            chart.appointments.0.nodes.0.push(visit);
        }
    }
    data.saw(ask.workspace, &rows, 0).await?;
    Ok(replies.reply(Asked::Q3Chart, Charts { patients: One(Nodes { nodes: All(nodes) }) }).await)
}

async fn q4(State(data): State<Data>, Query(ask): Query<Ask>) -> Result<Json<Answer<Booking>>, Failed> {
    if data.books {
        booking::on_postgres(&data.pool, &ask).await?;
        return Ok(Json(booked(uuid(&ask.id), instant(&ask.from)?)));
    }
    let row = query(Q4)
        .bind(uuid(&ask.id))
        .bind(ask.workspace)
        .bind(uuid(&ask.patient))
        .bind(uuid(&ask.practitioner))
        .bind(uuid(&ask.service))
        .bind(uuid(&ask.location))
        .bind(instant(&ask.from)?)
        .bind(instant(&ask.to)?)
        .fetch_optional(&data.pool)
        .await?;
    let row = row.ok_or_else(|| Failed::from("taken"))?;
    Ok(Json(booked(row.try_get(0)?, row.try_get(1)?)))
}

fn booked(id: Uuid, starts_at: DateTime<Utc>) -> Answer<Booking> {
    let appointment = BookedAppointment { id: AppointmentId(id).to_string(), starts_at: text(starts_at) };
    Answer { data: Booking { book_appointment: Booked { appointment } } }
}

fn appointment(row: &PgRow, patient: Option<Patient>) -> Result<Appointment, Failed> {
    let (starts_at, ends_at): (DateTime<Utc>, DateTime<Utc>) = (row.try_get(1)?, row.try_get(2)?);
    Ok(Appointment {
        id: AppointmentId(row.try_get(0)?).to_string(),
        starts_at: text(starts_at),
        ends_at: text(ends_at),
        duration_minutes: (ends_at - starts_at).num_minutes(),
        timezone: row.try_get(3)?,
        status: row.try_get(4)?,
        appointment_type: row.try_get(5)?,
        priority: row.try_get(6)?,
        payment_status: row.try_get(7)?,
        version: row.try_get(8)?,
        patient: patient.map(One),
        practitioner: One(Practitioner {
            id: MembershipId(row.try_get(9)?).to_string(),
            display_name: row.try_get(10)?,
            title: row.try_get(11)?,
            specialization: row.try_get(12)?,
        }),
        service: One(Service {
            id: ServiceId(row.try_get(13)?).to_string(),
            name: row.try_get(14)?,
            duration_minutes: row.try_get(15)?,
            price_minor: row.try_get(16)?,
        }),
        location: One(Location {
            id: LocationId(row.try_get(17)?).to_string(),
            name: row.try_get(18)?,
            kind: row.try_get(19)?,
            address: row.try_get(20)?,
        }),
    })
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339()
}
