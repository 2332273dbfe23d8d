//! The patients, each with a key of its own and a sealed chart.

use chrono::{Days, NaiveDate};
use praxis::access::actor::Actor;
use praxis::app::{App, UnitOfWork};
use praxis::error::{Error, Result};
use praxis::journal::entity::AuditKind;
use praxis::journal::event::Event;
use praxis::patient::chart::{self, Chart, Gender, NewPatient};
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use crate::plan::{self, Plan};

/// Patients of one transaction.
const BATCH: u64 = 1_000;

pub async fn fill(app: &App, plan: Plan, workspace: u64) -> Result<()> {
    let actor = &Actor::system(plan::workspace(workspace), "load");
    for first in (0..plan.patients).step_by(usize::try_from(BATCH).map_err(Error::internal)?) {
        let numbers = first..(first + BATCH).min(plan.patients);
        app.write(actor, move |unit| {
            let numbers = numbers.clone();
            async move {
                let mut rows = Vec::new();
                for number in numbers.clone() {
                    let id = plan.patient(workspace, number);
                    let new = NewPatient { chart: chart(workspace, number), ..NewPatient::default() };
                    let cipher = app.keys.create_patient_key(&unit, id).await?;
                    rows.push(chart::seal_new(&cipher, id, &new));
                    unit.record(
                        Event::by(actor, AuditKind::Write, "patient.created")
                            .on(id)
                            .of_patient(id)
                            .with("fields", new.chart.filled()),
                    );
                }
                unit.insert_all(rows).await?;
                names(&unit, plan, workspace, numbers).await
            }
        })
        .await?;
    }
    Ok(())
}

fn chart(workspace: u64, number: u64) -> Chart {
    let (first, last) = plan::name(workspace, number);
    let born =
        NaiveDate::from_ymd_opt(1940, 1, 1).and_then(|day| day.checked_add_days(Days::new(number * 5)));
    Chart {
        first_name: first.into(),
        last_name: last.into(),
        birth_date: born,
        gender: Some(if number.is_multiple_of(2) { Gender::Female } else { Gender::Male }),
        email: Some(format!("patient-{number}@load-{workspace}.example")),
        phone: Some(format!("+49 30 555 {number:05}")),
        city: Some("Berlin".into()),
        country: Some("DE".into()),
        ..Chart::default()
    }
}

/// The same names in plain text.
async fn names(unit: &UnitOfWork, plan: Plan, workspace: u64, numbers: std::ops::Range<u64>) -> Result<()> {
    let (mut places, mut values) = (Vec::new(), Vec::<Value>::new());
    for number in numbers {
        let (first, last) = plan::name(workspace, number);
        values.extend([plan.patient(workspace, number).0.into(), first.into(), last.into()]);
        let n = values.len();
        places.push(format!("(${}, ${}, ${})", n - 2, n - 1, n));
    }
    let sql =
        format!("INSERT INTO bench_names (patient_id, first_name, last_name) VALUES {}", places.join(", "));
    let engine: DbBackend = unit.get_database_backend();
    unit.execute_raw(Statement::from_sql_and_values(engine, sql, values)).await?;
    Ok(())
}
