//! axum and sqlx on PostgreSQL.

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Json, Router};
use chrono::{DateTime, Utc};
use praxis::db::connect::{PoolOptions, connect};
use praxis::db::{Database, Scope};
use praxis::id::{AppointmentId, LocationId, MembershipId, PatientId, ServiceId, WorkspaceId};
use sea_orm::sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sea_orm::sqlx::{AssertSqlSafe, Row, query};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};
use uuid::Uuid;

use super::answer::{
    Answer, Appointment, Booked, BookedAppointment, Booking, Chart, Charts, Failed, Location, Many, Nodes,
    One, Patient, Practitioner, Seen, Service, Visit,
};
use super::journal::Journal;
use super::{Also, Ask, Replies, booking, instant, uuid};
use crate::Outcome;
use crate::queries::Query as Asked;
use crate::site::{ROLE, Site};

/// Fields 0 to 21; with names 22 to 24.
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

const Q1: &str = appointment!("", "", "a.workspace_id = $1 AND a.id = $2");
const Q1_CHART: &str = appointment!(
    ", n.patient_id, n.first_name, n.last_name",
    "JOIN bench_names n ON n.patient_id = a.patient_id",
    "a.workspace_id = $1 AND a.id = $2"
);
const Q2: &str = appointment!(
    "",
    "",
    "a.workspace_id = $1 AND a.practitioner_id = $2 AND a.starts_at >= $3 AND a.starts_at < $4 \
     ORDER BY a.starts_at, a.id LIMIT 50"
);
const Q2_CHART: &str = appointment!(
    ", n.patient_id, n.first_name, n.last_name",
    "JOIN bench_names n ON n.patient_id = a.patient_id",
    "a.workspace_id = $1 AND a.practitioner_id = $2 AND a.starts_at >= $3 AND a.starts_at < $4 \
     ORDER BY a.starts_at, a.id LIMIT 50"
);
const Q3: &str = "SELECT p.id, n.first_name, n.last_name, a.id, a.starts_at, a.ends_at, a.status, m.id, m.display_name \
     FROM (SELECT id FROM patients WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT 20) p \
     JOIN bench_names n ON n.patient_id = p.id \
     JOIN LATERAL (SELECT id, starts_at, ends_at, status, practitioner_id FROM appointments \
                   WHERE workspace_id = $1 AND patient_id = p.id ORDER BY starts_at DESC, id DESC LIMIT 10) a ON true \
     JOIN memberships m ON m.workspace_id = $1 AND m.id = a.practitioner_id \
     ORDER BY p.id DESC, a.starts_at DESC, a.id DESC";
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
    let mut data = Data { pool, tenant: None, journal: None, books: also.contains(&Also::Booking) };
    if data.books {
        booking::prepare_postgres(&data.pool).await?;
    }
    if also.contains(&Also::Tenant) {
        query(AssertSqlSafe(format!("GRANT SELECT ON bench_names TO {ROLE}"))).execute(&data.pool).await?;
        data.tenant = Some(connect(&site.server_url()?, &PoolOptions::default()).await?);
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
    let sql = if ask.chart { Q1_CHART } else { Q1 };
    let rows = data.rows(sql, ask.workspace, [Bind::Uuid(uuid(&ask.id))]).await?;
    let found = rows.first().map(|row| appointment(of(row)?, ask.chart)).transpose()?;
    if ask.chart {
        data.saw(ask.workspace, &rows, 21).await?;
    }
    let query = if ask.chart { Asked::Q1Chart } else { Asked::Q1 };
    Ok(replies.reply(query, One { appointment: found }).await)
}

async fn q2(
    State(data): State<Data>,
    replies: Extension<Replies>,
    Query(ask): Query<Ask>,
) -> Result<Response, Failed> {
    let sql = if ask.chart { Q2_CHART } else { Q2 };
    let (from, to) = (Bind::Instant(instant(&ask.from)?), Bind::Instant(instant(&ask.to)?));
    let rows = data.rows(sql, ask.workspace, [Bind::Uuid(uuid(&ask.practitioner)), from, to]).await?;
    let nodes = rows.iter().map(|row| appointment(of(row)?, ask.chart)).collect::<Result<_, Failed>>()?;
    if ask.chart {
        data.saw(ask.workspace, &rows, 21).await?;
    }
    let query = if ask.chart { Asked::Q2Chart } else { Asked::Q2 };
    Ok(replies.reply(query, Many { appointments: Nodes { nodes } }).await)
}

async fn q3(
    State(data): State<Data>,
    replies: Extension<Replies>,
    Query(ask): Query<Ask>,
) -> Result<Response, Failed> {
    let rows = data.rows(Q3, ask.workspace, [Bind::Uuid(uuid(&ask.id))]).await?;
    let mut nodes: Vec<Chart> = Vec::new();
    let mut last = None;
    for row in &rows {
        let row = of(row)?;
        let id: Uuid = row.try_get(0)?;
        if last != Some(id) {
            last = Some(id);
            nodes.push(Chart {
                id: PatientId(id).to_string(),
                first_name: row.try_get(1)?,
                last_name: row.try_get(2)?,
                appointments: Nodes { nodes: Vec::with_capacity(10) },
            });
        }
        let visit = Visit {
            id: AppointmentId(row.try_get(3)?).to_string(),
            starts_at: text(row.try_get(4)?),
            ends_at: text(row.try_get(5)?),
            status: row.try_get(6)?,
            practitioner: Seen {
                id: MembershipId(row.try_get(7)?).to_string(),
                display_name: row.try_get(8)?,
            },
        };
        if let Some(chart) = nodes.last_mut() {
            chart.appointments.nodes.push(visit);
        }
    }
    data.saw(ask.workspace, &rows, 0).await?;
    Ok(replies.reply(Asked::Q3Chart, Charts { patients: Nodes { nodes } }).await)
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

fn appointment(row: &PgRow, chart: bool) -> Result<Appointment, Failed> {
    let (starts_at, ends_at): (DateTime<Utc>, DateTime<Utc>) = (row.try_get(1)?, row.try_get(2)?);
    let patient = match chart {
        true => Some(Patient {
            id: PatientId(row.try_get(21)?).to_string(),
            first_name: row.try_get(22)?,
            last_name: row.try_get(23)?,
        }),
        false => None,
    };
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
        patient,
        practitioner: Practitioner {
            id: MembershipId(row.try_get(9)?).to_string(),
            display_name: row.try_get(10)?,
            title: row.try_get(11)?,
            specialization: row.try_get(12)?,
        },
        service: Service {
            id: ServiceId(row.try_get(13)?).to_string(),
            name: row.try_get(14)?,
            duration_minutes: row.try_get(15)?,
            price_minor: row.try_get(16)?,
        },
        location: Location {
            id: LocationId(row.try_get(17)?).to_string(),
            name: row.try_get(18)?,
            kind: row.try_get(19)?,
            address: row.try_get(20)?,
        },
    })
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339()
}
