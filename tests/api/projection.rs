//! Rows read in part: a field asked for alone says what it says when the whole row is read.

use praxis::appointment::entity as appointment;
use praxis::crypto::keys::PatientCipher;
use praxis::id::{AppointmentId, TypedId};
use praxis::patient::entity as patient;
use praxis::{location, member, room, service};
use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::ArrayType;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, Iden, IntoActiveModel, Iterable, ModelTrait, Value,
};
use serde_json::{Value as Json, json};

use crate::appointment::Practice;
use crate::support::app::Client;
use crate::support::on_both_engines;

/// Gives every column that may be empty, or has what every row has, a value of its own.
fn fill<M: ModelTrait>(model: &mut M, id: impl TypedId, cipher: Option<&PatientCipher>, leave: &[&str]) {
    for (number, column) in (1..).zip(<M::Entity as EntityTrait>::Column::iter()) {
        let name: &'static str = column.unquoted().to_owned().leak();
        if name == "version" || leave.contains(&name) {
            continue;
        }
        let text = match name {
            "timezone" => "Europe/Vienna".to_owned(),
            "birth_date" => "1980-04-30".to_owned(),
            "deceased_on" => "2020-01-02".to_owned(),
            "reported_age" => "40".to_owned(),
            "gender" => "FEMALE".to_owned(),
            "marital_status" => "MARRIED".to_owned(),
            "blood_type" => "A_POSITIVE".to_owned(),
            "tags" => r#"["a","b"]"#.to_owned(),
            "color" => "#123456".to_owned(),
            _ => format!("{name} {number}"),
        };
        let is_text = matches!(model.get(column), Value::String(_));
        let is_enum = column.def().get_column_type() == &sea_orm::ColumnType::string(Some(24));
        let value: Value = match M::get_value_type(column) {
            ArrayType::Bytes => match cipher {
                Some(cipher) if !name.ends_with("_key") => cipher.seal(id, name, &text).into(),
                _ => continue,
            },
            ArrayType::String if is_text && !is_enum => text.into(),
            ArrayType::Int => (number + 10).into(),
            ArrayType::BigInt => i64::from(number + 10).into(),
            ArrayType::Bool => true.into(),
            ArrayType::ChronoDateTimeUtc => {
                DateTimeUtc::from_timestamp(1_900_000_000 + i64::from(number), 0).into()
            }
            _ => continue,
        };
        model.set(column, value);
    }
}

/// Names of the fields of a type with what can be selected of them; fields with arguments as they are by default.
async fn fields(client: &Client, of: &str) -> Vec<String> {
    let document = "query($of: String!) { __type(name: $of) { fields { name type { ...T } } } } \
        fragment T on __Type { name kind ofType { name kind ofType { name kind ofType { name kind } } } }";
    let answer = client.ok(document, json!({ "of": of })).await;
    let mut selections = Vec::new();
    for field in answer["__type"]["fields"].as_array().unwrap() {
        let mut kind = &field["type"];
        while !kind["ofType"].is_null() {
            kind = &kind["ofType"];
        }
        let name = field["name"].as_str().unwrap();
        selections.push(match (kind["kind"].as_str().unwrap(), kind["name"].as_str().unwrap()) {
            ("OBJECT", "PatientAddress") => format!("{name} {{ line city state postalCode country }}"),
            ("OBJECT", "EmergencyContact") => format!("{name} {{ name phone relationship }}"),
            ("OBJECT", "AppointmentConnection") => format!("{name} {{ nodes {{ id startsAt }} }}"),
            ("OBJECT", _) => format!("{name} {{ id }}"),
            _ => name.to_owned(),
        });
    }
    selections
}

on_both_engines! {
    async fn a_field_alone_says_what_the_whole_row_says(on: On) {
        let practice = Practice::new(on).await;
        let owner = &practice.owner;
        let id = whole(&practice).await;
        let ids = owner
            .ok("query($id: ID!) { appointment(id: $id) { patient { id } practitioner { id } service { id } \
                 location { id } room { id } } }", json!({ "id": id }))
            .await["appointment"]
            .clone();

        let mut compared = 0;
        for (of, way) in [
            ("Appointment", ""), ("Patient", "patient"), ("Member", "practitioner"), ("Service", "service"),
            ("Location", "location"), ("Room", "room"),
        ] {
            let node = if way.is_empty() { &id } else { &ids[way]["id"] };
            for field in fields(owner, of).await {
                let part = if way.is_empty() { field.clone() } else { format!("{way} {{ {field} }}") };
                let alone = owner
                    .ok(&format!("query($id: ID!) {{ appointment(id: $id) {{ {part} }} }}"), json!({ "id": id }))
                    .await["appointment"]
                    .clone();
                let alone = if way.is_empty() { alone } else { alone[way].clone() };
                let whole = owner
                    .ok(&format!("query($id: ID!) {{ node(id: $id) {{ ... on {of} {{ {field} }} }} }}"), json!({ "id": node }))
                    .await["node"]
                    .clone();
                assert_eq!(alone, whole, "{of}.{field}");
                compared += 1;
                let name = field.split(' ').next().unwrap();
                // What only a series, an archived row or more records would give.
                let empty = ["archivedAt", "series", "seriesStartsAtLocal", "reminders", "history", "familyHistory", "primaryPractitionerId"];
                assert!(!whole[name].is_null() || empty.contains(&name), "{of}.{name} is empty, so it proves nothing");
            }
        }
        assert!(compared > 100, "{compared}");

        // The other ways to a patient and to appointments.
        for field in fields(owner, "Patient").await {
            let list = owner
                .ok(&format!("{{ patients(orderBy: NEWEST) {{ nodes {{ id {field} }} }} \
                    searched: patients(search: \"North\") {{ edges {{ node {{ id {field} }} }} }} }}"), json!({}))
                .await;
            let ada = |nodes: Vec<Json>| nodes.into_iter().find(|node| node["id"] == ids["patient"]["id"]);
            let newest = ada(list["patients"]["nodes"].as_array().unwrap().clone()).unwrap();
            let edges = list["searched"]["edges"].as_array().unwrap();
            let found = edges.iter().map(|edge| edge["node"].clone()).collect();
            if let Some(found) = ada(found) {
                assert_eq!(newest, found, "{field}");
            }
        }
        for field in fields(owner, "Appointment").await {
            let answer = owner
                .ok(&format!("query($id: ID!, $patient: ID!) {{ node(id: $id) {{ ... on Appointment {{ {field} }} }} \
                    appointments {{ nodes {{ {field} }} }} patient(id: $patient) {{ appointments {{ nodes {{ {field} }} }} }} }}"),
                    json!({ "id": id, "patient": ids["patient"]["id"] }))
                .await;
            assert_eq!(answer["appointments"]["nodes"][0], answer["node"], "{field}");
            assert_eq!(answer["patient"]["appointments"]["nodes"][0], answer["node"], "{field}");
        }
    }
}

/// An appointment whose row, and the rows that it names, have a value in every column.
async fn whole(practice: &Practice) -> Json {
    let owner = &practice.owner;
    let actor = owner.actor.as_deref().unwrap();
    let place = owner
        .ok(
            "mutation { createLocation(input: { name: \"Branch\", kind: CLINIC }) { location { id } } }",
            json!({}),
        )
        .await["createLocation"]["location"]["id"]
        .clone();
    let mut booking = practice.booking(practice.ada, "2026-06-02T09:00:00Z");
    booking["roomId"] = practice.room.clone();
    booking["locationId"] = place;
    let booked = practice.book(owner, booking).await;
    let id = booked["appointment"]["id"].clone();
    let appointment = <AppointmentId as TypedId>::parse(id.as_str().unwrap()).unwrap();
    let app = &practice.app.app;
    app.write(actor, move |unit| async move {
        let row = |name| sea_orm::DbErr::RecordNotFound(String::from(name));
        let mut booked =
            actor.find::<appointment::Entity>().one(&**unit).await?.ok_or_else(|| row("appointment"))?;
        assert_eq!(booked.id, appointment);
        let (of, keys) = (booked.patient_id, &app.keys);
        let found = actor.find::<patient::Entity>().all(&**unit).await?.into_iter().find(|row| row.id == of);
        let mut patient = found.ok_or_else(|| row("patient"))?;
        let cipher = keys.patient(&**unit, actor, of, patient.key_version).await?;
        fill(
            &mut booked,
            appointment,
            Some(&cipher),
            &["starts_at", "ends_at", "created_by", "series_starts_local"],
        );
        fill(&mut patient, of, Some(&cipher), &["key_version", "created_by", "archived_at", "erased_at"]);
        unit.update(booked.clone().into_active_model().reset_all()).await?;
        unit.update(patient.into_active_model().reset_all()).await?;
        let found = actor.find::<member::entity::Entity>().all(&**unit).await?;
        for mut row in found.into_iter().filter(|row| row.id == booked.practitioner_id) {
            let id = row.id;
            fill(&mut row, id, None, &["invited_by"]);
            unit.update(row.into_active_model().reset_all()).await?;
        }
        for mut row in actor.find::<service::entity::Entity>().all(&**unit).await? {
            let id = row.id;
            fill(&mut row, id, None, &["name_key"]);
            unit.update(row.into_active_model().reset_all()).await?;
        }
        for mut row in actor.find::<location::entity::Entity>().all(&**unit).await? {
            let id = row.id;
            fill(&mut row, id, None, &["name_key"]);
            unit.update(row.into_active_model().reset_all()).await?;
        }
        for mut row in actor.find::<room::entity::Entity>().all(&**unit).await? {
            let id = row.id;
            row.location_id = booked.location_id;
            fill(&mut row, id, None, &["name_key"]);
            unit.update(row.into_active_model().reset_all()).await?;
        }
        Ok(())
    })
    .await
    .expect("the rows are filled");
    id
}
