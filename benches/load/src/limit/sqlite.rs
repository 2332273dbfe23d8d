//! axum and rusqlite: a read connection for each thread, one writer, statements prepared once.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Json, Router};
use praxis::id::{AppointmentId, LocationId, MembershipId, PatientId, ServiceId};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};
use uuid::Uuid;

use super::answer::{
    All, Answer, Appointment, Booked, BookedAppointment, Booking, Chart, Charts, Failed, Location, Many,
    Nodes, One, Patient, Practitioner, Seen, Service, Single, Visit,
};
use super::audit::{self, Audit};
use super::journal::Journal;
use super::sealed::{SealedPatient, Seals, WORKSPACE_KEYS};
use super::{Also, Ask, Replies, booking, instant, uuid};
use crate::Outcome;
use crate::queries::Query as Asked;
use crate::site::Site;

#[derive(Clone)]
struct File {
    path: Arc<PathBuf>,
    writer: Arc<Mutex<Connection>>,
    journal: Option<Journal>,
    seals: Option<Arc<Seals>>,
    books: Option<Arc<Audit>>,
}

thread_local! {
    static READER: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

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
        appointment!($more, $join, "a.workspace_id = ?1 AND a.id = ?2")
    };
}

macro_rules! days {
    ($more:literal, $join:literal) => {
        appointment!(
            $more,
            $join,
            "a.workspace_id = ?1 AND a.practitioner_id = ?2 AND a.starts_at >= ?3 AND a.starts_at < ?4 \
             ORDER BY a.starts_at, a.id LIMIT 50"
        )
    };
}

macro_rules! patients {
    ($names:literal, $from:literal) => {
        concat!(
            "SELECT p.id, ",
            $names,
            ", a.id, a.starts_at, a.ends_at, a.status, m.id, m.display_name FROM ",
            $from,
            " JOIN appointments a ON a.id IN (SELECT id FROM appointments WHERE workspace_id = ?1 AND patient_id = p.id \
              ORDER BY starts_at DESC, id DESC LIMIT 10) \
              JOIN memberships m ON m.workspace_id = ?1 AND m.id = a.practitioner_id \
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
        "(SELECT id FROM patients WHERE workspace_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT 20) p \
         JOIN bench_names n ON n.patient_id = p.id"
    ),
};

const SEALED: Named = Named {
    q1: one!(
        ", a.patient_id, p.first_name, p.last_name",
        "JOIN patients p ON p.workspace_id = a.workspace_id AND p.id = a.patient_id"
    ),
    q2: days!(
        ", a.patient_id, p.first_name, p.last_name",
        "JOIN patients p ON p.workspace_id = a.workspace_id AND p.id = a.patient_id"
    ),
    q3: patients!(
        "p.first_name, p.last_name",
        "(SELECT id, first_name, last_name FROM patients WHERE workspace_id = ?1 AND id < ?2 \
          ORDER BY id DESC LIMIT 20) p"
    ),
};

/// The key of a patient, read when it is not in memory.
const KEY: &str = "SELECT workspace_key_version, wrapped FROM patient_keys \
     WHERE workspace_id = ?1 AND patient_id = ?2 AND version = ?3";
const Q4: &str = "INSERT INTO appointments (id, workspace_id, patient_id, practitioner_id, service_id, location_id, \
     starts_at, ends_at, timezone, price_minor, payment_status, created_at, updated_at) \
     SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'UTC', 3500, 'NOT_PAID', ?7, ?7 \
     WHERE NOT EXISTS (SELECT 1 FROM appointments WHERE workspace_id = ?2 AND practitioner_id = ?4 \
                       AND starts_at < ?8 AND starts_at > datetime(?7, '-1 day') AND ends_at > ?7 \
                       AND status <> 'CANCELLED')";

pub fn routes(site: &Site, also: &[Also]) -> Outcome<Router> {
    let path = site.file();
    let writer = writer(&path)?;
    let books = also.contains(&Also::Booking);
    if books {
        audit::settle(&writer)?;
    }
    let seals = also.contains(&Also::Sealed).then(|| seals(site, &writer)).transpose()?;
    let journal = also.contains(&Also::Journal).then(|| Journal::on_sqlite(&path)).transpose()?;
    let file = File {
        path: Arc::new(path),
        writer: Arc::new(Mutex::new(writer)),
        journal,
        seals: seals.map(Arc::new),
        books: books.then(|| Arc::new(Audit::new())),
    };
    let routes =
        Router::new().route("/q1", get(q1)).route("/q2", get(q2)).route("/q3", get(q3)).route("/q4", get(q4));
    Ok(routes.with_state(file))
}

/// A connection that writes.
pub fn writer(path: &Path) -> Outcome<Connection> {
    let writer = Connection::open(path)?;
    writer.pragma_update(None, "journal_mode", "WAL")?;
    writer.pragma_update(None, "synchronous", "FULL")?;
    writer.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(writer)
}

fn seals(site: &Site, connection: &Connection) -> Outcome<Seals> {
    let mut keys = connection.prepare(WORKSPACE_KEYS)?;
    let keys = keys.query_map((), |row| {
        let workspace = Uuid::from_bytes(row.get(0)?);
        Ok((workspace, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    Seals::new(site, keys.collect::<Result<_, _>>()?)
}

impl File {
    /// Writes down whose names are answered.
    async fn saw(&self, workspace: Uuid, patients: impl Iterator<Item = &Patient>) -> Result<(), Failed> {
        match &self.journal {
            Some(journal) => {
                journal.saw(workspace, patients.map(|patient| uuid(&patient.id)).collect()).await
            }
            None => Ok(()),
        }
    }

    fn named(&self) -> Named {
        if self.seals.is_some() { SEALED } else { PLAIN }
    }

    /// The patient whose id is in this column of the row, before the names.
    fn patient(
        &self,
        reader: &Connection,
        workspace: Uuid,
        row: &Row<'_>,
        column: usize,
    ) -> Result<Patient, Failed> {
        let id = id(row, column)?;
        let Some(seals) = &self.seals else {
            let (first_name, last_name) = (row.get(column + 1)?, row.get(column + 2)?);
            return Ok(Patient { id: PatientId(id).to_string(), first_name, last_name });
        };
        let (first_name, last_name) = (row.get(column + 1)?, row.get(column + 2)?);
        seals.open(SealedPatient { workspace, id, first_name, last_name }, |version| {
            let mut key = reader.prepare_cached(KEY)?;
            let key = key.query_row((workspace.as_bytes(), id.as_bytes(), version), |row| {
                Ok((row.get(0)?, row.get(1)?))
            });
            Ok(key?)
        })
    }

    fn appointment(&self, reader: &Connection, ask: &Ask, row: &Row<'_>) -> Result<Appointment, Failed> {
        let patient = ask.chart.then(|| self.patient(reader, ask.workspace, row, 21)).transpose()?;
        appointment(row, patient)
    }

    /// On this thread's read connection.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Failed>) -> Result<T, Failed> {
        READER.with_borrow_mut(|slot| {
            if slot.is_none() {
                let reader = Connection::open_with_flags(&*self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
                // With the journal each chart writes, and a write makes every reader give its mapping up.
                if self.journal.is_none() {
                    reader.pragma_update(None, "mmap_size", 268_435_456)?;
                }
                reader.set_prepared_statement_cache_capacity(32);
                *slot = Some(reader);
            }
            work(slot.as_ref().ok_or_else(|| Failed::from("no reader"))?)
        })
    }
}

async fn q1(
    State(file): State<File>,
    replies: Extension<Replies>,
    Query(ask): Query<Ask>,
) -> Result<Response, Failed> {
    let sql = if ask.chart { file.named().q1 } else { Q1 };
    let appointment = file.read(|reader| {
        let mut statement = reader.prepare_cached(sql)?;
        let found = statement.query_row((ask.workspace.as_bytes(), uuid(&ask.id).as_bytes()), |row| {
            Ok(file.appointment(reader, &ask, row))
        });
        found.optional()?.transpose()
    })?;
    if ask.chart {
        file.saw(
            ask.workspace,
            appointment.iter().filter_map(|it| it.patient.as_ref().map(|patient| &patient.0)),
        )
        .await?;
    }
    let query = if ask.chart { Asked::Q1Chart } else { Asked::Q1 };
    Ok(replies.reply(query, Single { appointment: appointment.map(One) }).await)
}

async fn q2(
    State(file): State<File>,
    replies: Extension<Replies>,
    Query(ask): Query<Ask>,
) -> Result<Response, Failed> {
    let sql = if ask.chart { file.named().q2 } else { Q2 };
    let nodes: Vec<Appointment> = file.read(|reader| {
        let mut statement = reader.prepare_cached(sql)?;
        let (from, to) = (stored(&ask.from)?, stored(&ask.to)?);
        let practitioner = uuid(&ask.practitioner);
        let mut rows = statement.query((ask.workspace.as_bytes(), practitioner.as_bytes(), from, to))?;
        let mut nodes = Vec::with_capacity(50);
        while let Some(row) = rows.next()? {
            nodes.push(file.appointment(reader, &ask, row)?);
        }
        Ok(nodes)
    })?;
    if ask.chart {
        file.saw(ask.workspace, nodes.iter().filter_map(|it| it.patient.as_ref().map(|patient| &patient.0)))
            .await?;
    }
    let query = if ask.chart { Asked::Q2Chart } else { Asked::Q2 };
    Ok(replies.reply(query, Many { appointments: One(Nodes { nodes: All(nodes) }) }).await)
}

async fn q3(
    State(file): State<File>,
    replies: Extension<Replies>,
    Query(ask): Query<Ask>,
) -> Result<Response, Failed> {
    let nodes = file.read(|reader| {
        let mut statement = reader.prepare_cached(file.named().q3)?;
        let mut rows = statement.query((ask.workspace.as_bytes(), uuid(&ask.id).as_bytes()))?;
        let mut nodes: Vec<Chart> = Vec::with_capacity(20);
        let mut last = None;
        while let Some(row) = rows.next()? {
            let id = id(row, 0)?;
            if last != Some(id) {
                last = Some(id);
                let Patient { id, first_name, last_name } = file.patient(reader, ask.workspace, row, 0)?;
                let appointments = One(Nodes { nodes: All(Vec::with_capacity(10)) });
                nodes.push(Chart { id, first_name, last_name, appointments });
            }
            if let Some(chart) = nodes.last_mut() {
                chart.appointments.0.nodes.0.push(visit(row)?);
            }
        }
        Ok(nodes)
    })?;
    if let Some(journal) = &file.journal {
        journal.saw(ask.workspace, nodes.iter().map(|chart| uuid(&chart.id)).collect()).await?;
    }
    Ok(replies.reply(Asked::Q3Chart, Charts { patients: One(Nodes { nodes: All(nodes) }) }).await)
}

fn visit(row: &Row<'_>) -> Result<Visit, Failed> {
    Ok(Visit {
        id: AppointmentId(id(row, 3)?).to_string(),
        starts_at: row.get(4)?,
        ends_at: row.get(5)?,
        status: row.get(6)?,
        practitioner: One(Seen { id: MembershipId(id(row, 7)?).to_string(), display_name: row.get(8)? }),
    })
}

async fn q4(State(file): State<File>, Query(ask): Query<Ask>) -> Result<Json<Answer<Booking>>, Failed> {
    let (from, to) = (stored(&ask.from)?, stored(&ask.to)?);
    let id = uuid(&ask.id);
    let mut writer = file.writer.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(audit) = &file.books {
        booking::on_sqlite(&mut writer, audit, &ask)?;
    } else {
        let written = writer.prepare_cached(Q4)?.execute((
            id.as_bytes(),
            ask.workspace.as_bytes(),
            uuid(&ask.patient).as_bytes(),
            uuid(&ask.practitioner).as_bytes(),
            uuid(&ask.service).as_bytes(),
            uuid(&ask.location).as_bytes(),
            &from,
            to,
        ))?;
        if written == 0 {
            return Err(Failed::from("taken"));
        }
    }
    let appointment = BookedAppointment { id: AppointmentId(id).to_string(), starts_at: from };
    Ok(Json(Answer { data: Booking { book_appointment: Booked { appointment } } }))
}

fn appointment(row: &Row<'_>, patient: Option<Patient>) -> Result<Appointment, Failed> {
    let (starts_at, ends_at): (String, String) = (row.get(1)?, row.get(2)?);
    Ok(Appointment {
        id: AppointmentId(id(row, 0)?).to_string(),
        duration_minutes: (instant(&ends_at)? - instant(&starts_at)?).num_minutes(),
        starts_at,
        ends_at,
        timezone: row.get(3)?,
        status: row.get(4)?,
        appointment_type: row.get(5)?,
        priority: row.get(6)?,
        payment_status: row.get(7)?,
        version: row.get(8)?,
        patient: patient.map(One),
        practitioner: One(Practitioner {
            id: MembershipId(id(row, 9)?).to_string(),
            display_name: row.get(10)?,
            title: row.get(11)?,
            specialization: row.get(12)?,
        }),
        service: One(Service {
            id: ServiceId(id(row, 13)?).to_string(),
            name: row.get(14)?,
            duration_minutes: row.get(15)?,
            price_minor: row.get(16)?,
        }),
        location: One(Location {
            id: LocationId(id(row, 17)?).to_string(),
            name: row.get(18)?,
            kind: row.get(19)?,
            address: row.get(20)?,
        }),
    })
}

fn id(row: &Row<'_>, column: usize) -> Result<Uuid, Failed> {
    Ok(Uuid::from_slice(row.get_ref(column)?.as_blob()?)?)
}

/// An instant as the database has it.
fn stored(text: &str) -> Result<String, Failed> {
    Ok(instant(text)?.to_rfc3339())
}
