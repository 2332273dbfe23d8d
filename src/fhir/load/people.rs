//! Practitioners become members without an account, Patients become patients.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};

use super::{CHUNK, Load};
use crate::error::Result;
use crate::fhir::record::{self, PatientRecord, PractitionerRecord};
use crate::fhir::{Kind, Outcome};
use crate::id::{MembershipId, PatientId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::member::entity::{self as member, Role};
use crate::patient::chart::{Chart, Gender, MaritalStatus, NewPatient};
use crate::patient::commands;
use crate::patient::entity as patient;

/// Whom appointments belong to whose source names nobody.
const NOT_RECORDED: &str = "not-recorded";

impl Load<'_> {
    pub(super) async fn practitioners(&mut self, records: &[PractitionerRecord]) -> Result<()> {
        for records in records.chunks(CHUNK) {
            let mut existing = self.members(records.iter().map(|it| it.external_id.as_str())).await?;
            for record in records {
                let id = match existing.get(&record.external_id) {
                    Some(row) => self.update_member(record, row).await?,
                    None => {
                        let row = self.create_member(record).await?;
                        let id = row.id;
                        existing.insert(record.external_id.clone(), row);
                        id
                    }
                };
                self.known.practitioners.insert(record.source_id.clone(), id);
            }
        }
        Ok(())
    }

    /// Members by how the source knows them.
    pub(super) async fn members<'k>(
        &self,
        keys: impl Iterator<Item = &'k str>,
    ) -> Result<HashMap<String, member::Model>> {
        let query = self.actor.find::<member::Entity>().filter(member::Column::ExternalId.is_in(keys));
        let rows = query.all(&**self.unit).await?;
        Ok(rows.into_iter().filter_map(|row| Some((row.external_id.clone()?, row))).collect())
    }

    async fn create_member(&mut self, record: &PractitionerRecord) -> Result<member::Model> {
        let row = member::ActiveModel {
            display_name: Set(record.name.clone()),
            title: Set(record.title.clone()),
            specialization: Set(record.specialty.clone()),
            is_active: Set(record.active),
            is_bookable: Set(record.active),
            ..self.new_member(&record.external_id)
        };
        let row = self.add_member(row).await?;
        self.count(Kind::Practitioner, Outcome::Created);
        Ok(row)
    }

    fn new_member(&self, external_id: &str) -> member::ActiveModel {
        member::ActiveModel {
            id: Set(self.unit.id::<MembershipId>()),
            user_id: Set(None),
            role: Set(Role::Doctor),
            external_id: Set(Some(external_id.to_owned())),
            ..Default::default()
        }
    }

    async fn add_member(&self, row: member::ActiveModel) -> Result<member::Model> {
        let row = self.unit.insert(row).await?;
        let event = Event::by(self.actor, AuditKind::Write, "member.created").on(row.id).because("import");
        self.unit.record(event);
        Ok(row)
    }

    async fn update_member(
        &mut self,
        record: &PractitionerRecord,
        before: &member::Model,
    ) -> Result<MembershipId> {
        let id = before.id;
        let title = record.title.clone().or_else(|| before.title.clone());
        let specialization = record.specialty.clone().or_else(|| before.specialization.clone());
        let same = record.name == before.display_name
            && title == before.title
            && specialization == before.specialization;
        // Whoever has an account keeps the own name up to date.
        if same || before.user_id.is_some() {
            self.count(Kind::Practitioner, Outcome::Unchanged);
            return Ok(id);
        }
        let mut row = before.clone().into_active_model();
        row.display_name = Set(record.name.clone());
        row.title = Set(title);
        row.specialization = Set(specialization);
        self.unit.update(row).await?;
        self.unit.record(Event::by(self.actor, AuditKind::Write, "member.updated").on(id).because("import"));
        self.count(Kind::Practitioner, Outcome::Updated);
        Ok(id)
    }

    /// The member who stands for a practitioner that the source does not name; nobody can book there.
    pub(super) async fn nobody(&mut self) -> Result<MembershipId> {
        if let Some(id) = self.practitioner(NOT_RECORDED) {
            return Ok(id);
        }
        let id = match self.members(std::iter::once(NOT_RECORDED)).await?.remove(NOT_RECORDED) {
            Some(row) => row.id,
            None => {
                let row = member::ActiveModel {
                    display_name: Set("Not recorded".into()),
                    is_active: Set(false),
                    is_bookable: Set(false),
                    ..self.new_member(NOT_RECORDED)
                };
                self.add_member(row).await?.id
            }
        };
        self.known.practitioners.insert(NOT_RECORDED.into(), id);
        Ok(id)
    }

    pub(super) async fn patients(&mut self, records: &[PatientRecord]) -> Result<()> {
        for records in records.chunks(CHUNK) {
            let mut existing = self.patients_by(records.iter().map(|it| it.external_id.as_str())).await?;
            for record in records {
                let id = match existing.remove(&record.external_id) {
                    Some(row) => self.update_patient(record, row).await?,
                    None => {
                        let mut new = NewPatient::default();
                        fill(&mut new.chart, record);
                        let id = commands::create_in(self.app, self.unit, self.actor, &new).await?;
                        self.count(Kind::Patient, Outcome::Created);
                        id
                    }
                };
                self.known.patients.insert(record.source_id.clone(), id);
            }
        }
        Ok(())
    }

    /// Patients by how the source knows them: by the hash of that, since the id itself is sealed.
    pub(super) async fn patients_by<'k>(
        &self,
        keys: impl Iterator<Item = &'k str>,
    ) -> Result<HashMap<String, patient::Model>> {
        let mut names = HashMap::new();
        for key in keys {
            names.insert(self.hash("patients.external_id", key).await?, key.to_owned());
        }
        let query = self
            .actor
            .find::<patient::Entity>()
            .filter(patient::Column::ExternalIdHash.is_in(names.keys().cloned()));
        let rows = query.all(&**self.unit).await?;
        let named = rows
            .into_iter()
            .filter_map(|row| Some((names.get(row.external_id_hash.as_ref()?)?.clone(), row)));
        Ok(named.collect())
    }

    pub(super) async fn hash(&self, column: &str, text: &str) -> Result<Vec<u8>> {
        self.app.keys.index_hash(&**self.unit, self.actor.workspace, column, text).await
    }

    async fn update_patient(&mut self, record: &PatientRecord, row: patient::Model) -> Result<PatientId> {
        let id = row.id;
        let edit = |patient: &mut NewPatient| {
            fill(&mut patient.chart, record);
            Ok(())
        };
        let changed = commands::update_in(self.app, self.unit, self.actor, row, edit).await?;
        self.count(Kind::Patient, if changed { Outcome::Updated } else { Outcome::Unchanged });
        Ok(id)
    }
}

/// Writes into the chart what the source says. What it does not say stays.
fn fill(chart: &mut Chart, record: &PatientRecord) {
    fn say<T: Clone>(field: &mut Option<T>, said: Option<&T>) {
        if let Some(said) = said {
            *field = Some(said.clone());
        }
    }
    chart.first_name.clone_from(&record.first_name);
    chart.last_name.clone_from(&record.last_name);
    say(&mut chart.external_id, Some(&record.external_id));
    say(&mut chart.middle_name, record.middle_name.as_ref());
    say(&mut chart.birth_date, record.birth_date.as_ref());
    say(&mut chart.gender, record.gender.map(gender).as_ref());
    say(&mut chart.marital_status, record.marital_status.map(marital_status).as_ref());
    say(&mut chart.deceased_on, record.deceased.and_then(|deceased| deceased.on).as_ref());
    say(&mut chart.phone, record.phone.as_ref());
    say(&mut chart.email, record.email.as_ref());
    say(&mut chart.preferred_language, record.language.as_ref());
    say(&mut chart.national_id, record.national_id.as_ref());
    if let Some(address) = &record.address {
        say(&mut chart.address_line, address.line.as_ref());
        say(&mut chart.city, address.city.as_ref());
        say(&mut chart.state, address.state.as_ref());
        say(&mut chart.postal_code, address.postal_code.as_ref());
        say(&mut chart.country, address.country.as_ref());
    }
    if let Some(contact) = &record.contact {
        say(&mut chart.emergency_contact_name, contact.name.as_ref());
        say(&mut chart.emergency_contact_phone, contact.phone.as_ref());
        say(&mut chart.emergency_contact_relationship, contact.relationship.as_ref());
    }
}

fn gender(gender: record::Gender) -> Gender {
    match gender {
        record::Gender::Male => Gender::Male,
        record::Gender::Female => Gender::Female,
        record::Gender::Other => Gender::Other,
        record::Gender::Unknown => Gender::Unknown,
    }
}

fn marital_status(status: record::MaritalStatus) -> MaritalStatus {
    match status {
        record::MaritalStatus::Single => MaritalStatus::Single,
        record::MaritalStatus::Married => MaritalStatus::Married,
        record::MaritalStatus::Divorced => MaritalStatus::Divorced,
        record::MaritalStatus::Widowed => MaritalStatus::Widowed,
        record::MaritalStatus::Other => MaritalStatus::Other,
    }
}
