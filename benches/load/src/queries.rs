//! The queries: the document for the server, the path for the handler written by hand, and random rows for both.

use chrono::{DateTime, TimeDelta, Utc};
use clap::ValueEnum;
use praxis::id::AppointmentId;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::client::{get_as, post};
use crate::drive::{Session, first_free_day};
use crate::plan::{self, APPOINTMENTS_PER_DAY, MINUTES, Plan, WORKSPACES};
use crate::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ValueEnum)]
pub enum Query {
    Q1,
    Q1Chart,
    Q2,
    Q2Chart,
    Q3Chart,
    Q4,
    Q5,
}

pub const ALL: [Query; 7] =
    [Query::Q1, Query::Q1Chart, Query::Q2, Query::Q2Chart, Query::Q3Chart, Query::Q4, Query::Q5];

/// Which of the systems is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Praxis,
    Limit {
        /// It is told who asks.
        signed_in: bool,
    },
}

/// The same question to either system.
struct Question {
    workspace: u64,
    variables: Json,
    path: String,
}

macro_rules! appointment {
    ($patient:literal) => {
        concat!(
            "{ id startsAt endsAt durationMinutes timezone status appointmentType priority paymentStatus version ",
            $patient,
            "practitioner { id displayName title specialization } ",
            "service { id name durationMinutes priceMinor } location { id name kind address } }"
        )
    };
}

const Q1: &str = concat!("query Appointment($id: ID!) { appointment(id: $id) ", appointment!(""), " }");
const Q1_CHART: &str = concat!(
    "query Appointment($id: ID!) { appointment(id: $id) ",
    appointment!("patient { id firstName lastName } "),
    " }"
);
const Q2: &str = concat!(
    "query Days($filter: AppointmentFilter!) { appointments(filter: $filter, first: 50) { nodes ",
    appointment!(""),
    " } }"
);
const Q2_CHART: &str = concat!(
    "query Days($filter: AppointmentFilter!) { appointments(filter: $filter, first: 50) { nodes ",
    appointment!("patient { id firstName lastName } "),
    " } }"
);
const Q3: &str = "query Patients($after: String) { patients(first: 20, after: $after, orderBy: NEWEST) { nodes { \
     id firstName lastName appointments(first: 10, orderBy: STARTS_AT_DESC) { nodes { id startsAt endsAt status \
     practitioner { id displayName } } } } } }";
const Q4: &str = "mutation Book($input: BookAppointmentInput!) { bookAppointment(input: $input) { \
     ... on AppointmentBooked { appointment { id startsAt } } } }";
const Q5: &str = "query Typename { __typename }";

impl Query {
    pub fn name(self) -> &'static str {
        match self {
            Self::Q1 => "Q1 schedule",
            Self::Q1Chart => "Q1 chart",
            Self::Q2 => "Q2 schedule",
            Self::Q2Chart => "Q2 chart",
            Self::Q3Chart => "Q3 chart",
            Self::Q4 => "Q4",
            Self::Q5 => "Q5",
        }
    }

    pub fn document(self) -> &'static str {
        match self {
            Self::Q1 => Q1,
            Self::Q1Chart => Q1_CHART,
            Self::Q2 => Q2,
            Self::Q2Chart => Q2_CHART,
            Self::Q3Chart => Q3,
            Self::Q4 => Q4,
            Self::Q5 => Q5,
        }
    }

    /// Whether both systems must answer alike.
    pub fn is_read(self) -> bool {
        self != Self::Q4
    }
}

/// Makes requests for random rows, the same ones in every run.
pub struct Requests<'a> {
    pub query: Query,
    pub plan: Plan,
    pub session: &'a Session,
    pub random: Random,
}

impl Requests<'_> {
    pub fn next(&mut self, side: Side) -> Vec<u8> {
        let question = self.question();
        self.request(question, side)
    }

    /// The next request that falls to this workspace.
    pub fn next_in(&mut self, workspace: u64, side: Side) -> Vec<u8> {
        loop {
            let question = self.question();
            if question.workspace == workspace {
                return self.request(question, side);
            }
        }
    }

    fn request(&self, question: Question, side: Side) -> Vec<u8> {
        let token = self.session.token(question.workspace);
        match side {
            Side::Limit { signed_in } => get_as(signed_in.then_some(token), &question.path),
            Side::Praxis => {
                let body =
                    json!({ "query": self.query.document(), "variables": question.variables }).to_string();
                post(Some(token), &body)
            }
        }
    }

    fn question(&mut self) -> Question {
        let workspace = self.random.below(WORKSPACES);
        let number = self.random.next();
        match self.query {
            Query::Q1 | Query::Q1Chart => self.one(workspace, number),
            Query::Q2 | Query::Q2Chart => self.days(workspace, number),
            Query::Q3Chart => self.charts(workspace, number),
            Query::Q4 => self.booking(),
            Query::Q5 => Question { workspace, variables: json!({}), path: "/q5".into() },
        }
    }

    fn one(&self, workspace: u64, number: u64) -> Question {
        let id = self.plan.appointment(workspace, number % self.plan.appointments);
        let path = format!("/q1?workspace={}&id={id}&chart={}", plan::workspace(workspace).0, self.names());
        Question { workspace, variables: json!({ "id": id.to_string() }), path }
    }

    /// Two days of one practitioner.
    fn days(&self, workspace: u64, number: u64) -> Question {
        let practitioner = plan::doctor_id(workspace, number % self.plan.doctors);
        let day = number / self.plan.doctors % self.plan.days().saturating_sub(1).max(1);
        let from = plan::first_day() + TimeDelta::days(i64::try_from(day).unwrap_or_default());
        let to = from + TimeDelta::days(2);
        let path = format!(
            "/q2?workspace={}&practitioner={practitioner}&from={}&to={}&chart={}",
            plan::workspace(workspace).0,
            instant(from),
            instant(to),
            self.names()
        );
        let filter =
            json!({ "practitionerId": practitioner.to_string(), "from": instant(from), "to": instant(to) });
        Question { workspace, variables: json!({ "filter": filter }), path }
    }

    /// Twenty patients, from a random one on.
    fn charts(&self, workspace: u64, number: u64) -> Question {
        let (patient, cursor) = self.session.page(workspace, number);
        let path = format!("/q3?workspace={}&id={patient}", plan::workspace(workspace).0);
        Question { workspace, variables: json!({ "after": cursor }), path }
    }

    /// A time that nobody has booked before.
    fn booking(&mut self) -> Question {
        let turn = self.session.next_booking();
        let (workspace, turn) = (turn % WORKSPACES, turn / WORKSPACES);
        let (doctor, slot) = (turn % self.plan.doctors, turn / self.plan.doctors);
        let (day, place) = (slot / APPOINTMENTS_PER_DAY, slot % APPOINTMENTS_PER_DAY);
        let minutes = i64::try_from((day * 24 * 60) + place * 20).unwrap_or_default() + 8 * 60;
        let starts_at = first_free_day() + TimeDelta::minutes(minutes);
        let ends_at = starts_at + TimeDelta::minutes(MINUTES);
        let patient = self.plan.patient(workspace, turn * 7_919 % self.plan.patients);
        let practitioner = plan::doctor_id(workspace, doctor);
        let (service, location) = (plan::service(workspace, 0), plan::location(workspace, 0));
        // Far from the generator's own ids.
        let id: AppointmentId = plan::id((1 << 40) + turn * WORKSPACES + workspace);
        let path = format!(
            "/q4?workspace={}&id={id}&practitioner={practitioner}&patient={patient}&service={service}\
             &location={location}&from={}&to={}",
            plan::workspace(workspace).0,
            instant(starts_at),
            instant(ends_at)
        );
        let input = json!({
            "patientId": patient.to_string(), "practitionerId": practitioner.to_string(),
            "serviceId": service.to_string(), "locationId": location.to_string(),
            "startsAt": instant(starts_at), "idempotencyKey": format!("load-{id}"),
        });
        Question { workspace, variables: json!({ "input": input }), path }
    }

    fn names(&self) -> bool {
        matches!(self.query, Query::Q1Chart | Query::Q2Chart)
    }
}

/// Without a plus sign, which means a space in a URL.
fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
