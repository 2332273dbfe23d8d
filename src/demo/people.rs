//! The demo's people. All of them are invented.

use chrono::NaiveDate;
use sea_orm::{IntoActiveModel, Set};

use crate::access::actor::Actor;
use crate::app::{App, UnitOfWork};
use crate::error::Result;
use crate::graphql::input::fold;
use crate::id::{MembershipId, PatientId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::member;
use crate::member::commands::NewAccount;
use crate::member::entity::Role;
use crate::patient::chart::{BloodType, Chart, Gender, NewPatient};

/// Somebody who can sign in.
pub struct Account {
    pub email: &'static str,
    pub role: Role,
    name: &'static str,
    title: Option<&'static str>,
    specialization: Option<&'static str>,
}

const fn account(role: Role, email: &'static str, name: &'static str) -> Account {
    Account { email, role, name, title: None, specialization: None }
}

/// One account for each role.
pub const ACCOUNTS: [Account; 8] = [
    account(Role::Owner, "owner@demo.example", "Renate Vogelsang"),
    account(Role::Admin, "admin@demo.example", "Tobias Mertens"),
    Account {
        title: Some("Dr."),
        specialization: Some("General practice"),
        ..account(Role::Doctor, "doctor@demo.example", "Amélie Fournier")
    },
    account(Role::Nurse, "nurse@demo.example", "Kwame Boateng"),
    account(Role::LabTech, "lab@demo.example", "Ingrid Sørensen"),
    account(Role::Staff, "staff@demo.example", "Lucía Ferrer"),
    account(Role::Researcher, "researcher@demo.example", "Hiroshi Tanaka"),
    account(Role::Patient, "patient@demo.example", "Zoë Lindqvist"),
];

/// The owner of the other practice.
pub const SOUTH: Account = account(Role::Owner, "south-owner@demo.example", "Matteo Bianchi");

/// Doctors without an account.
const COLLEAGUES: [(&str, &str); 2] =
    [("Jonas Brückner", "Physiotherapy"), ("Nadia Haddad", "Psychotherapy")];

/// First name, last name, gender; the first one has the patient's account.
const PATIENTS: [(&str, &str, Gender); 40] = [
    ("Zoë", "Lindqvist", Gender::Female),
    ("Arthur", "Nowak", Gender::Male),
    ("Beatriz", "Carvalho", Gender::Female),
    ("Çınar", "Yıldız", Gender::Male),
    ("Dorothea", "Weiß", Gender::Female),
    ("Édouard", "Lefèvre", Gender::Male),
    ("Fatima", "Benali", Gender::Female),
    ("Göran", "Åkesson", Gender::Male),
    ("Hannah", "O'Brien", Gender::Female),
    ("Iñigo", "Echeverría", Gender::Male),
    ("Jana", "Dvořáková", Gender::Female),
    ("Karol", "Wiśniewski", Gender::Male),
    ("Léa", "Dubois", Gender::Female),
    ("Mihai", "Ștefănescu", Gender::Male),
    ("Nuria", "Ibáñez", Gender::Female),
    ("Ólafur", "Jónsson", Gender::Male),
    ("Paula", "Krüger", Gender::Female),
    ("Quentin", "Marchand", Gender::Male),
    ("Ružica", "Horvat", Gender::Female),
    ("Søren", "Møller", Gender::Male),
    ("Teréz", "Szabó", Gender::Female),
    ("Ulrich", "Schäfer", Gender::Male),
    ("Valentina", "Rossi", Gender::Female),
    ("Władysław", "Zając", Gender::Male),
    ("Xenia", "Papadopoulou", Gender::Female),
    ("Yusuf", "Demir", Gender::Male),
    ("Žofie", "Černá", Gender::Female),
    ("Adrián", "Núñez", Gender::Male),
    ("Brigitte", "Hoffmann", Gender::Female),
    ("Cédric", "Petit", Gender::Male),
    ("Daniela", "Lopes", Gender::Female),
    ("Emil", "Bäcker", Gender::Male),
    ("Freya", "Nilsson", Gender::Female),
    ("Gustavo", "Peña", Gender::Other),
    ("Helena", "Kovač", Gender::Female),
    ("Ivan", "Petrov", Gender::Male),
    ("Joséphine", "Garnier", Gender::Female),
    ("Kaan", "Öztürk", Gender::Male),
    ("Lotte", "van Dijk", Gender::Female),
    ("Marek", "Šimko", Gender::Male),
];

const BLOOD: [BloodType; 4] =
    [BloodType::APositive, BloodType::OPositive, BloodType::BPositive, BloodType::ONegative];

/// An account with its place in the practice and, for a patient, the chart that belongs to it.
pub async fn add_account(
    unit: &UnitOfWork,
    actor: &Actor,
    account: &Account,
    chart: Option<PatientId>,
    password_hash: &str,
) -> Result<MembershipId> {
    let new = NewAccount {
        email: account.email.into(),
        name: account.name.into(),
        role: account.role,
        password_hash: Some(password_hash.into()),
    };
    let row = member::commands::add_account(unit, &new).await?.row;
    let id = row.id;
    unit.record(Event::by(actor, AuditKind::Write, "member.added").on(id));
    if chart.is_some() || account.title.is_some() {
        let mut row = row.into_active_model();
        row.patient_id = Set(chart);
        row.title = Set(account.title.map(Into::into));
        row.specialization = Set(account.specialization.map(Into::into));
        unit.update(row).await?;
    }
    Ok(id)
}

pub async fn add_colleagues(unit: &UnitOfWork) -> Result<Vec<MembershipId>> {
    let mut ids = Vec::new();
    for (name, specialization) in COLLEAGUES {
        let id = unit.id::<MembershipId>();
        unit.insert(member::entity::ActiveModel {
            id: Set(id),
            user_id: Set(None),
            role: Set(Role::Doctor),
            display_name: Set(name.into()),
            title: Set(Some("Dr.".into())),
            specialization: Set(Some(specialization.into())),
            is_active: Set(true),
            is_bookable: Set(true),
            ..Default::default()
        })
        .await?;
        ids.push(id);
    }
    Ok(ids)
}

pub async fn add_patients(app: &App, unit: &UnitOfWork, actor: &Actor) -> Result<Vec<PatientId>> {
    let mut ids = Vec::with_capacity(PATIENTS.len());
    for (number, patient) in (0..).zip(&PATIENTS) {
        let new = NewPatient {
            chart: chart(number, patient),
            reminder_consent: number % 3 != 0,
            ..Default::default()
        };
        ids.push(crate::patient::commands::create_in(app, unit, actor, &new).await?);
    }
    Ok(ids)
}

/// Different for each patient, and the same at each first start.
fn chart(number: i32, (first, last, gender): &(&str, &str, Gender)) -> Chart {
    let word = |text: &str| fold(text).replace([' ', '\''], "");
    let born = NaiveDate::from_ymd_opt(
        1941 + number * 37 % 74,
        1 + (number * 7 % 12) as u32,
        1 + (number * 11 % 28) as u32,
    );
    let some = |text: &str| Some(text.to_owned());
    let every = |n: i32, text: &str| (number % n == 1).then(|| text.to_owned());
    Chart {
        external_id: Some(format!("DEMO-{:04}", number + 1)),
        first_name: (*first).into(),
        last_name: (*last).into(),
        birth_date: born,
        gender: Some(*gender),
        email: Some(format!("{}.{}@mail.example", word(first), word(last))),
        phone: Some(format!("+49 30 5550 {:04}", 1_000 + number * 17)),
        address_line: Some(format!("Lindenallee {}", 3 + number * 2)),
        city: some("Berlin"),
        postal_code: Some(format!("10{:03}", 115 + number * 13)),
        country: some("DE"),
        preferred_language: some(if number % 4 == 0 { "en" } else { "de" }),
        allergies: every(5, "Penicillin: rash"),
        medications: every(4, "Ramipril 5 mg, once a day"),
        medical_history: every(3, "High blood pressure since 2018"),
        blood_type: BLOOD.get((number % 5) as usize).copied(),
        ..Chart::default()
    }
}
