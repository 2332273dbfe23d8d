//! Bookings at the same time, and the same booking several times.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use praxis::app::Unit;
use praxis::appointment::book::{Booking, place};
use praxis::appointment::entity::AppointmentPriority;
use praxis::appointment::occupancy;
use praxis::appointment::places::{self, Places};
use praxis::error::{Error, Result};
use praxis::id::ScheduleExceptionId;
use praxis::journal::entity::AuditKind;
use praxis::journal::event::Event;
use praxis::journal::verify::verify;
use praxis::member::entity::Role;
use praxis::patient;
use praxis::schedule::exception;
use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};
use serde_json::json;
use tokio::sync::Notify;

use super::{BOOK, Practice};
use crate::support::app::Answer;
use crate::support::database::On;
use crate::support::on_both_engines;

/// What the front desk hears who books nine o'clock for Bob while the doctor's transaction has done its work and is not
/// committed yet.
async fn booked_meanwhile<F>(practice: &Practice, work: impl Fn(Unit) -> F) -> Answer
where
    F: Future<Output = Result<()>>,
{
    let (app, doctor) = (&practice.app.app, practice.doctor.actor.as_deref().unwrap());
    let (works, done) = (&work, &Notify::new());
    let first = app.write(doctor, move |unit| async move {
        works(unit.clone()).await?;
        done.notify_one();
        // Long enough for the other to come and wait.
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(())
    });
    let second = async {
        done.notified().await;
        let input = practice.booking(practice.bob, "2026-06-02T09:00:00Z");
        practice.desk.run(BOOK, json!({ "input": input })).await
    };
    let (first, second) = tokio::join!(first, second);
    first.unwrap();
    second
}

on_both_engines! {
    async fn who_waits_for_a_practitioner_sees_what_was_booked_meanwhile(on: On) {
        let practice = Practice::new(on).await;
        let (app, doctor) = (&practice.app.app, practice.doctor.actor.as_deref().unwrap());
        let places = Places { practitioner: practice.doctor.membership(), location: None, room: None };
        let starts_at = "2026-06-02T09:00:00Z".parse().unwrap();
        // What stands beside others is refused by the check only.
        let beside = &Booking {
            patient: practice.ada,
            places,
            service: None,
            starts_at,
            ends_at: Some(starts_at + TimeDelta::minutes(30)),
            timezone: None,
            appointment_type: None,
            priority: AppointmentPriority::Normal,
            reason: None,
            notes: None,
            override_reason: Some("An emergency".into()),
        };
        let answer = booked_meanwhile(&practice, |unit| async move {
            place(app, &unit, doctor, beside).await?;
            Ok(())
        });
        assert_eq!(answer.await.data["bookAppointment"]["__typename"], "AppointmentConflict");
    }

    async fn who_waits_for_a_practitioner_sees_that_they_are_away_meanwhile(on: On) {
        let practice = Practice::new(on).await;
        let (doctor, practitioner) = (practice.doctor.actor.as_deref().unwrap(), practice.doctor.membership());
        let starts_at: DateTime<Utc> = "2026-06-02T00:00:00Z".parse().unwrap();
        let answer = booked_meanwhile(&practice, |unit| async move {
            places::lock(&unit, doctor, practitioner, None).await?;
            let away = exception::ActiveModel {
                id: Set(unit.id::<ScheduleExceptionId>()),
                practitioner_id: Set(Some(practitioner)),
                kind: Set(exception::ExceptionKind::TimeOff),
                starts_at: Set(starts_at),
                ends_at: Set(starts_at + TimeDelta::days(1)),
                timezone: Set("UTC".into()),
                ..Default::default()
            };
            unit.insert(away).await?;
            Ok(())
        });
        assert_eq!(answer.await.data["bookAppointment"]["__typename"], "AppointmentConflict");
    }

    async fn who_waits_for_a_patient_sees_that_the_chart_is_archived_meanwhile(on: On) {
        let practice = Practice::new(on).await;
        let (doctor, bob) = (practice.doctor.actor.as_deref().unwrap(), practice.bob);
        let answer = booked_meanwhile(&practice, |unit| async move {
            let bob = patient::commands::require(&unit, doctor, bob).await?;
            let archived = patient::entity::ActiveModel {
                archived_at: Set(Some(unit.clock().now())),
                ..bob.into_active_model()
            };
            unit.update(archived).await?;
            Ok(())
        });
        let answer = answer.await;
        assert_eq!(answer.code(), "BAD_USER_INPUT");
        assert_eq!(answer.errors[0]["extensions"]["fields"][0]["path"], json!(["input", "patientId"]));
    }
}

/// SQLite has one writer at a time, so there everybody waits.
#[tokio::test]
async fn a_repetition_waits_for_nobody_who_is_booking_something_else() {
    let practice = Practice::new(On::Postgres).await;
    let doctor = practice.doctor.actor.as_deref().unwrap();
    let mut input = practice.booking(practice.ada, "2026-06-02T09:00:00Z");
    input["idempotencyKey"] = "click-1".into();
    let booked = practice.book(&practice.desk, input.clone()).await;
    let (held, answered) = (&Notify::new(), &Notify::new());
    let holder = practice.app.app.write(doctor, |unit| {
        let practitioner = practice.doctor.membership();
        async move {
            places::lock(&unit, doctor, practitioner, None).await?;
            held.notify_one();
            Ok(tokio::time::timeout(Duration::from_secs(4), answered.notified()).await.is_ok())
        }
    });
    let repetition = async {
        held.notified().await;
        let again = practice.book(&practice.desk, input).await;
        answered.notify_one();
        again
    };
    let (answered_in_time, again) = tokio::join!(holder, repetition);
    assert!(answered_in_time.unwrap());
    assert_eq!(again, booked);
}

on_both_engines! {
    async fn a_failed_use_of_a_key_is_none_and_one_that_has_expired_neither(on: On) {
        let practice = Practice::new(on).await;
        let mut input = practice.booking(practice.ada, "2026-06-02T09:00:00Z");
        input["idempotencyKey"] = "click-1".into();
        input["timezone"] = "Mars/Olympus".into();
        assert_eq!(practice.desk.code(BOOK, json!({ "input": input })).await, "BAD_USER_INPUT");
        input["timezone"] = "UTC".into();
        let booked = practice.book(&practice.desk, input.clone()).await;
        // What the first use made stands in its own way now, and is the answer all the same.
        assert_eq!(practice.book(&practice.desk, input.clone()).await, booked);

        practice.app.app.clock.advance(Duration::from_secs(48 * 60 * 60));
        input["startsAt"] = "2026-06-09T09:00:00Z".into();
        let again = practice.book(&practice.desk, input.clone()).await;
        assert_eq!(again["__typename"], "AppointmentBooked");
        assert_ne!(again["appointment"]["id"], booked["appointment"]["id"]);
        assert_eq!(practice.book(&practice.desk, input).await, again);
    }
}

on_both_engines! {
    async fn the_same_key_books_once_and_other_arguments_are_refused(on: On) {
        let practice = Practice::new(on).await;
        let mut input = practice.booking(practice.ada, "2026-06-02T09:00:00Z");
        input["idempotencyKey"] = "click-1".into();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (client, input) = (practice.desk.clone(), input.clone());
            tasks.spawn(async move { client.ok(BOOK, json!({ "input": input })).await });
        }
        let mut ids = std::collections::BTreeSet::new();
        while let Some(answer) = tasks.join_next().await {
            ids.insert(answer.unwrap()["bookAppointment"]["appointment"]["id"].as_str().unwrap().to_owned());
        }
        assert_eq!(ids.len(), 1);

        input["startsAt"] = "2026-06-02T10:00:00Z".into();
        assert_eq!(practice.desk.code(BOOK, json!({ "input": input })).await, "IDEMPOTENCY_KEY_REUSED");
    }
}

on_both_engines! {
    async fn bookings_with_several_practitioners_at_once_all_succeed_and_the_journal_holds(on: On) {
        let practice = Practice::new(on).await;
        let workspace = practice.owner.workspace();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..6 {
            let doctor = practice.app.member(workspace, Role::Doctor).await;
            let patient = practice.app.patient(&practice.owner, "Pat", &format!("Ient{number}")).await;
            for hour in 8..16 {
                let mut input = practice.booking(patient, &format!("2026-06-02T{hour:02}:00:00Z"));
                input["practitionerId"] = doctor.membership().to_string().into();
                input["idempotencyKey"] = format!("{number} at {hour}").into();
                let client = practice.desk.clone();
                tasks.spawn(async move { client.ok(BOOK, json!({ "input": input })).await });
            }
        }
        while let Some(answer) = tasks.join_next().await {
            assert_eq!(answer.unwrap()["bookAppointment"]["__typename"], "AppointmentBooked");
        }
        assert_eq!(verify(&practice.app.app.db, workspace).await.unwrap().broken, None);
    }

    async fn what_the_database_refuses_at_the_end_of_a_command_is_told_like_anything_else(on: On) {
        let practice = Practice::new(on).await;
        let app = &practice.app.app;
        practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let mut in_room = practice.booking(practice.bob, "2026-06-02T11:00:00Z");
        in_room["roomId"] = practice.room.clone();
        practice.book(&practice.desk, in_room).await;
        let actor = practice.desk.actor.as_deref().unwrap();
        let taken = async || {
            let tx = app.db.begin_read(actor.scope()).await.unwrap();
            actor.find::<occupancy::Entity>().all(&tx).await.unwrap()
        };
        let before = taken().await;
        let head = app.feeds.head(actor.workspace).await.unwrap();

        let room = before.iter().find(|row| row.resource_kind == occupancy::ResourceKind::Room).unwrap();
        let other = before.iter().find(|row| row.appointment_id != room.appointment_id).unwrap();
        let outcome = app.write(actor, |unit| async move {
            let row = occupancy::Model { id: unit.id(), appointment_id: other.appointment_id, ..room.clone() };
            unit.put(vec![row.into_active_model().reset_all()]).await?;
            unit.record(Event::by(actor, AuditKind::Write, "appointment.booked"));
            Ok(())
        });

        let outcome = outcome.await;
        assert!(matches!(outcome, Err(Error::Occupied)), "{outcome:?}");
        assert_eq!(taken().await, before);
        assert_eq!(app.feeds.head(actor.workspace).await.unwrap(), head);
    }
}
