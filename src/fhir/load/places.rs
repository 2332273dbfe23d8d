//! Organizations and Locations become locations.

use std::collections::{HashMap, HashSet};

use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};

use super::{CHUNK, Load, place_key};
use crate::error::Result;
use crate::fhir::Outcome;
use crate::fhir::record::{Address, LocationKind as SourceKind, LocationRecord};
use crate::graphql::input::fold;
use crate::id::LocationId;
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::location::entity::{self, LocationKind, Model};

impl Load<'_> {
    pub(super) async fn locations(&mut self, records: &[LocationRecord]) -> Result<()> {
        for records in records.chunks(CHUNK) {
            let keys: Vec<_> = records.iter().map(|it| place_key(it.resource, &it.external_id)).collect();
            let names = records.iter().map(|it| fold(&it.name));
            let found = self.places(entity::Column::ExternalId.is_in(&keys)).await?;
            let named = self.places(entity::Column::NameKey.is_in(names)).await?;
            let mut taken: HashSet<String> = named.into_iter().map(|row| row.name_key).collect();
            let mut existing: HashMap<String, Model> = HashMap::new();
            for row in found {
                if let Some(key) = &row.external_id {
                    existing.insert(key.clone(), row);
                }
            }
            for (record, key) in records.iter().zip(keys) {
                let id = match existing.get(&key) {
                    Some(row) => self.update_place(record, row).await?,
                    None => {
                        let row = self.create_place(record, key.clone(), &mut taken).await?;
                        let id = row.id;
                        // The same place twice in one file is one place.
                        existing.insert(key, row);
                        id
                    }
                };
                self.known.locations.insert((record.resource, record.source_id.clone()), id);
            }
        }
        Ok(())
    }

    async fn places(&self, condition: impl sea_orm::sea_query::IntoCondition) -> Result<Vec<Model>> {
        Ok(self.actor.find::<entity::Entity>().filter(condition).all(&**self.unit).await?)
    }

    async fn create_place(
        &mut self,
        record: &LocationRecord,
        key: String,
        taken: &mut HashSet<String>,
    ) -> Result<Model> {
        let id = self.unit.id::<LocationId>();
        // Two branches of a chain may have one name; the practice needs to tell them apart.
        let name =
            if taken.contains(&fold(&record.name)) { distinct_name(record) } else { record.name.clone() };
        taken.insert(fold(&name));
        let now = self.unit.clock().now();
        let row = entity::ActiveModel {
            id: Set(id),
            name_key: Set(fold(&name)),
            name: Set(name),
            kind: Set(kind(record.kind)),
            address: Set(record.address.as_ref().and_then(one_line)),
            details: Set(record.phone.clone()),
            timezone: Set(None),
            external_id: Set(Some(key)),
            archived_at: Set((!record.active).then_some(now)),
            ..Default::default()
        };
        let row = self.unit.insert(row).await?;
        self.unit
            .record(Event::by(self.actor, AuditKind::Write, "location.created").on(id).because("import"));
        self.count(record.resource, Outcome::Created);
        Ok(row)
    }

    /// What the source does not say stays as the practice has it.
    async fn update_place(&mut self, record: &LocationRecord, before: &Model) -> Result<LocationId> {
        let id = before.id;
        let mut after = before.clone();
        if before.name != record.name && before.name != distinct_name(record) {
            after.name = distinct_name(record);
            after.name_key = fold(&after.name);
        }
        after.kind = kind(record.kind);
        after.address = record.address.as_ref().and_then(one_line).or(after.address);
        after.details = record.phone.clone().or(after.details);
        if after == *before {
            self.count(record.resource, Outcome::Unchanged);
            return Ok(id);
        }
        let mut row = before.clone().into_active_model();
        row.name = Set(after.name);
        row.name_key = Set(after.name_key);
        row.kind = Set(after.kind);
        row.address = Set(after.address);
        row.details = Set(after.details);
        self.unit.update(row).await?;
        self.unit
            .record(Event::by(self.actor, AuditKind::Write, "location.updated").on(id).because("import"));
        self.count(record.resource, Outcome::Updated);
        Ok(id)
    }
}

fn distinct_name(record: &LocationRecord) -> String {
    format!("{} ({})", record.name, record.external_id)
}

fn kind(kind: SourceKind) -> LocationKind {
    match kind {
        SourceKind::Clinic => LocationKind::Clinic,
        SourceKind::Home => LocationKind::Home,
        SourceKind::Online => LocationKind::Online,
    }
}

fn one_line(address: &Address) -> Option<String> {
    let parts = [&address.line, &address.city, &address.state, &address.postal_code, &address.country];
    let parts: Vec<_> = parts.into_iter().flatten().map(|part| part.replace('\n', ", ")).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
