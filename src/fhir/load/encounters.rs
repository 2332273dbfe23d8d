//! Encounters become appointments, most of them past ones.
//!
//! Their occupancies are not exclusive: what happened elsewhere may overlap, and is no reason to refuse it.

use std::collections::{BTreeMap, HashMap};

use chrono::TimeDelta;
use sea_orm::{ActiveModelTrait, ColumnTrait, IntoActiveModel, QueryFilter, Set};

use super::{CHUNK, Load, kind_of, name_of, place_key};
use crate::appointment::entity::{
    self, AppointmentPriority, AppointmentStatus, AppointmentType, Model, PaymentStatus,
};
use crate::appointment::event::{self, AppointmentEventKind};
use crate::appointment::{occupy, rules};
use crate::crypto::keys::PatientCipher;
use crate::error::{Error, Result};
use crate::fhir::record::{self, EncounterRecord};
use crate::fhir::{Kind, Outcome};
use crate::id::{AppointmentEventId, AppointmentId, LocationId, MembershipId, PatientId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::location::entity as location;
use crate::location::entity::LocationKind;
use crate::patient::entity as patient;
use crate::workspace;

/// The shortest appointment that can be kept.
const SHORTEST: TimeDelta = TimeDelta::minutes(5);

/// Where an encounter belongs.
struct Ends {
    patient: PatientId,
    practitioner: MembershipId,
    location: Option<LocationId>,
}

/// What one patient's appointments came to, for the journal.
#[derive(Default)]
struct Tally {
    created: u64,
    updated: u64,
}

impl Load<'_> {
    pub(super) async fn encounters(&mut self, records: &[EncounterRecord]) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let timezone = workspace::queries::require(&**self.unit, self.actor.workspace).await?.timezone;
        self.find_outside(records).await?;
        let mut tallies = BTreeMap::<PatientId, Tally>::new();
        for records in records.chunks(CHUNK) {
            self.chunk(records, &timezone, &mut tallies).await?;
        }
        for (patient, Tally { created, updated }) in tallies {
            self.unit.record(
                Event::by(self.actor, AuditKind::Write, "appointment.imported")
                    .on(patient)
                    .with("created", created)
                    .with("updated", updated),
            );
        }
        Ok(())
    }

    async fn chunk(
        &mut self,
        records: &[EncounterRecord],
        timezone: &str,
        tallies: &mut BTreeMap<PatientId, Tally>,
    ) -> Result<()> {
        let mut keys = Vec::with_capacity(records.len());
        for record in records {
            keys.push(self.hash("appointments.external_id", &record.source_id).await?);
        }
        let query =
            self.actor.find::<entity::Entity>().filter(entity::Column::ExternalKey.is_in(keys.clone()));
        let existing: HashMap<_, _> = query
            .all(&**self.unit)
            .await?
            .into_iter()
            .filter_map(|row| Some((row.external_key.clone()?, row)))
            .collect();

        let mut ciphers = HashMap::new();
        let (mut rows, mut occupied, mut history) = (Vec::new(), Vec::new(), Vec::new());
        for (record, key) in records.iter().zip(keys) {
            let Some(ends) = self.ends(record).await? else { continue };
            if record.ends_at - record.starts_at < SHORTEST {
                let reason = "Encounter.period.end: a time at least 5 minutes after the start was expected";
                self.failed(Kind::Encounter, &record.source_id, reason);
                continue;
            }
            let cipher = match ciphers.get(&ends.patient) {
                Some(cipher) => cipher,
                None => ciphers.entry(ends.patient).or_insert(self.cipher(ends.patient).await?),
            };
            match existing.get(&key) {
                Some(before) if before.patient_id != ends.patient => {
                    let reason = "Encounter.subject: the patient of the earlier import was expected";
                    self.failed(Kind::Encounter, &record.source_id, reason);
                }
                Some(before) => {
                    let changed = self.update_appointment(record, &ends, cipher, before).await?;
                    if changed {
                        tallies.entry(ends.patient).or_default().updated += 1;
                    }
                    self.count(Kind::Encounter, if changed { Outcome::Updated } else { Outcome::Unchanged });
                }
                None => {
                    let appointment = self.appointment(record, &ends, cipher, key, timezone);
                    if rules::occupies(appointment.status) {
                        occupied.extend(occupy::rows(self.unit, &appointment, false));
                    }
                    history.push(self.line(&appointment, AppointmentEventKind::Booked, None));
                    rows.push(appointment.into_active_model().reset_all());
                    tallies.entry(ends.patient).or_default().created += 1;
                    self.count(Kind::Encounter, Outcome::Created);
                }
            }
        }
        self.unit.insert_all(rows).await?;
        self.unit.insert_all(occupied).await?;
        self.unit.insert_all(history).await
    }

    /// Looks for what the encounters refer to outside of the import, in one statement for each type.
    async fn find_outside(&mut self, records: &[EncounterRecord]) -> Result<()> {
        let (mut people, mut places, mut patients) = (Vec::new(), Vec::new(), Vec::new());
        for record in records {
            let links = [Some(&record.patient), record.practitioner.as_ref(), record.place.as_ref()];
            for (kind, name) in
                links.into_iter().flatten().filter_map(|link| Some((kind_of(link), name_of(link)?)))
            {
                match kind {
                    Kind::Patient if self.patient(name).is_none() => patients.push(name),
                    Kind::Practitioner if self.practitioner(name).is_none() => people.push(name),
                    Kind::Organization | Kind::Location if self.location(kind, name).is_none() => {
                        places.push((kind, name));
                    }
                    _ => {}
                }
            }
        }
        for names in people.chunks(CHUNK) {
            let found = self.members(names.iter().copied()).await?;
            self.known.practitioners.extend(found.into_iter().map(|(name, row)| (name, row.id)));
        }
        for names in patients.chunks(CHUNK) {
            let found = self.patients_by(names.iter().copied()).await?;
            self.known.patients.extend(found.into_iter().map(|(name, row)| (name, row.id)));
        }
        for names in places.chunks(CHUNK) {
            let keys = names.iter().map(|(kind, name)| place_key(*kind, name));
            let query =
                self.actor.find::<location::Entity>().filter(location::Column::ExternalId.is_in(keys));
            let found: HashMap<_, _> = query
                .all(&**self.unit)
                .await?
                .into_iter()
                .filter_map(|row| Some((row.external_id?, row.id)))
                .collect();
            for (kind, name) in names {
                if let Some(id) = found.get(&place_key(*kind, name)) {
                    self.known.locations.insert((*kind, (*name).to_owned()), *id);
                }
            }
        }
        Ok(())
    }

    /// Where the encounter belongs; without its patient it belongs nowhere.
    async fn ends(&mut self, record: &EncounterRecord) -> Result<Option<Ends>> {
        let Some(patient) = name_of(&record.patient).and_then(|name| self.patient(name)) else {
            let reason = "Encounter.subject: a patient of this or an earlier import was expected";
            self.failed(Kind::Encounter, &record.source_id, reason);
            return Ok(None);
        };
        let practitioner = match &record.practitioner {
            None => self.nobody().await?,
            Some(link) => match name_of(link).and_then(|name| self.practitioner(name)) {
                Some(id) => id,
                None => {
                    let reason = "Encounter.participant: leads to no known practitioner; left empty";
                    self.remark(Kind::Encounter, &record.source_id, reason);
                    self.nobody().await?
                }
            },
        };
        let location = record.place.as_ref().map(|link| self.location(kind_of(link), name_of(link)?));
        if location == Some(None) {
            let reason = "Encounter.location: leads to no known place; left empty";
            self.remark(Kind::Encounter, &record.source_id, reason);
        }
        Ok(Some(Ends { patient, practitioner, location: location.flatten() }))
    }

    async fn cipher(&mut self, id: PatientId) -> Result<PatientCipher> {
        if !self.patients.contains_key(&id) {
            let query = self.actor.find::<patient::Entity>().filter(patient::Column::Id.eq(id));
            let row = query.one(&**self.unit).await?.ok_or(Error::NotFound)?;
            self.patients.insert(id, row);
        }
        let version = self.patients.get(&id).ok_or(Error::NotFound)?.key_version;
        self.app.keys.patient(&**self.unit, self.actor, id, version).await
    }

    fn appointment(
        &self,
        record: &EncounterRecord,
        ends: &Ends,
        cipher: &PatientCipher,
        key: Vec<u8>,
        timezone: &str,
    ) -> Model {
        let id = self.unit.id::<AppointmentId>();
        let now = self.unit.clock().now();
        let status = status(record.status);
        Model {
            id,
            workspace_id: self.actor.workspace,
            patient_id: ends.patient,
            practitioner_id: ends.practitioner,
            service_id: None,
            location_id: ends.location,
            room_id: None,
            series_id: None,
            series_starts_local: None,
            starts_at: record.starts_at,
            ends_at: record.ends_at,
            timezone: timezone.into(),
            appointment_type: appointment_type(record.appointment_type),
            location_kind: Some(location_kind(record.location_kind)),
            location_details: None,
            priority: AppointmentPriority::Normal,
            status,
            reason: cipher.seal_some(id, "reason", reason(record)),
            notes: None,
            buffer_before_minutes: 0,
            buffer_after_minutes: 0,
            cancelled_at: (status == AppointmentStatus::Cancelled).then(|| record.starts_at.min(now)),
            cancellation_reason: None,
            late_cancellation: false,
            started_at: began(status).then_some(record.starts_at),
            completed_at: (status == AppointmentStatus::Completed).then_some(record.ends_at),
            sequence: 0,
            is_override: false,
            external_key: Some(key),
            price_minor: None,
            payment_status: PaymentStatus::NotPaid,
            payment_method: None,
            payment_notes: None,
            paid_at: None,
            created_by: self.actor.membership,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Brings an appointment to what the source says now, and says whether that was anything new.
    async fn update_appointment(
        &self,
        record: &EncounterRecord,
        ends: &Ends,
        cipher: &PatientCipher,
        before: &Model,
    ) -> Result<bool> {
        let said =
            before.reason.as_ref().map(|sealed| cipher.open(before.id, "reason", sealed)).transpose()?;
        let same = (before.starts_at, before.ends_at) == (record.starts_at, record.ends_at)
            && before.status == status(record.status)
            && before.appointment_type == appointment_type(record.appointment_type)
            && before.practitioner_id == ends.practitioner
            && (ends.location.is_none() || before.location_id == ends.location)
            && (reason(record).is_none() || said.as_deref() == reason(record));
        if same {
            return Ok(false);
        }
        let status = status(record.status);
        let mut row = before.clone().into_active_model();
        row.starts_at = Set(record.starts_at);
        row.ends_at = Set(record.ends_at);
        row.status = Set(status);
        row.appointment_type = Set(appointment_type(record.appointment_type));
        row.practitioner_id = Set(ends.practitioner);
        row.location_id = Set(ends.location.or(before.location_id));
        if let Some(reason) = reason(record) {
            row.reason = Set(Some(cipher.seal(before.id, "reason", reason)));
        }
        row.cancelled_at = Set((status == AppointmentStatus::Cancelled)
            .then(|| before.cancelled_at.unwrap_or_else(|| self.unit.clock().now())));
        row.started_at = Set(began(status).then_some(record.starts_at));
        row.completed_at = Set((status == AppointmentStatus::Completed).then_some(record.ends_at));
        let after = self.unit.update(row).await?;
        occupy::free(self.unit, self.actor, before).await?;
        if rules::occupies(after.status) {
            self.unit.insert_all(occupy::rows(self.unit, &after, false)).await?;
        }
        let line = self.line(&after, AppointmentEventKind::Edited, Some(before));
        self.unit.insert_all(vec![line]).await?;
        Ok(true)
    }

    /// One line of the appointment's history.
    fn line(&self, after: &Model, kind: AppointmentEventKind, before: Option<&Model>) -> event::ActiveModel {
        event::ActiveModel {
            id: Set(self.unit.id::<AppointmentEventId>()),
            appointment_id: Set(after.id),
            kind: Set(kind),
            from_status: Set(before.map(|it| it.status)),
            to_status: Set(after.status),
            from_starts_at: Set(before.map(|it| it.starts_at)),
            from_ends_at: Set(before.map(|it| it.ends_at)),
            to_starts_at: Set(Some(after.starts_at)),
            to_ends_at: Set(Some(after.ends_at)),
            reason: Set(None),
            actor_id: Set(self.actor.membership),
            occurred_at: Set(self.unit.clock().now()),
            ..Default::default()
        }
    }
}

/// Why the patient came, or else what was done.
fn reason(record: &EncounterRecord) -> Option<&str> {
    record.reason.as_deref().or(record.service.as_deref())
}

fn began(status: AppointmentStatus) -> bool {
    matches!(status, AppointmentStatus::InProgress | AppointmentStatus::Completed)
}

fn status(status: record::AppointmentStatus) -> AppointmentStatus {
    match status {
        record::AppointmentStatus::Scheduled => AppointmentStatus::Scheduled,
        record::AppointmentStatus::Confirmed => AppointmentStatus::Confirmed,
        record::AppointmentStatus::InProgress => AppointmentStatus::InProgress,
        record::AppointmentStatus::Completed => AppointmentStatus::Completed,
        record::AppointmentStatus::Cancelled => AppointmentStatus::Cancelled,
        record::AppointmentStatus::NoShow => AppointmentStatus::NoShow,
    }
}

fn appointment_type(kind: record::AppointmentType) -> AppointmentType {
    match kind {
        record::AppointmentType::Consultation => AppointmentType::Consultation,
        record::AppointmentType::FollowUp => AppointmentType::FollowUp,
        record::AppointmentType::Procedure => AppointmentType::Procedure,
        record::AppointmentType::Emergency => AppointmentType::Emergency,
    }
}

fn location_kind(kind: record::LocationKind) -> LocationKind {
    match kind {
        record::LocationKind::Clinic => LocationKind::Clinic,
        record::LocationKind::Home => LocationKind::Home,
        record::LocationKind::Online => LocationKind::Online,
    }
}
