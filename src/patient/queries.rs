//! Reading patients.

use std::collections::HashMap;
use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use sea_orm::{ColumnTrait, Order, QueryFilter, QueryOrder, Select};

use super::directory::{Criteria, PatientOrder};
use super::entity::{Column, Entity, ModelEx};
use super::family_history;
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::error::{Error, Result};
use crate::graphql::batch::BatchKey;
use crate::graphql::context::Call;
use crate::graphql::input::fold;
use crate::graphql::page::{Key, Page};
use crate::graphql::project::{self, Chosen, Shape};
use crate::id::{FamilyHistoryId, PatientId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;

/// What the fields of a patient read.
pub static SHAPE: LazyLock<Shape<Entity>> = LazyLock::new(|| {
    let address = [Column::AddressLine, Column::City, Column::State, Column::PostalCode, Column::Country];
    let contact =
        [Column::EmergencyContactName, Column::EmergencyContactPhone, Column::EmergencyContactRelationship];
    Shape::new([Column::Id])
        .field("displayName", [Column::FirstName, Column::LastName])
        .field("age", [Column::BirthDate, Column::ReportedAge, Column::DeceasedOn])
        .field("address", address)
        .field("emergencyContact", contact)
        .field("appointments", [])
        .field("familyHistory", [])
});

/// The newest first: ids are in the order of creation.
pub const NEWEST: [(Column, Order); 1] = [(Column::Id, Order::Desc)];

/// The longest text to search for.
const LONGEST_SEARCH: usize = 200;
/// The most possible duplicates that are told.
const MOST_DUPLICATES: usize = 20;

pub fn list(actor: &Actor, include_archived: bool) -> Select<Entity> {
    let query = actor.seek::<Entity>();
    if include_archived {
        query
    } else {
        query.filter(Column::ArchivedAt.is_null()).filter(Column::MergedIntoId.is_null())
    }
}

/// The position of a patient in every list of patients. It holds no name, because a cursor is not encrypted.
pub fn position(row: &ModelEx) -> Vec<Key> {
    vec![Key::Id(row.id.0)]
}

/// A page of the patients who match the text, and how many match. A search is recorded with what it found.
pub async fn search(
    call: &Call,
    text: Option<&str>,
    include_archived: bool,
    order: PatientOrder,
    page: &Page,
    chosen: &Chosen,
) -> Result<(Vec<ModelEx>, u64)> {
    let text = text.unwrap_or_default();
    if text.chars().count() > LONGEST_SEARCH {
        return Err(Error::invalid_argument("search", format!("At most {LONGEST_SEARCH} characters.")));
    }
    let (actor, tx) = (call.actor()?, call.tx().await?);
    let folded = fold(text);
    let directory = call.app.directories.current(&call.app, &tx).await?;
    let found = directory.find(&Criteria::new(&actor, &folded, include_archived), order, page)?;
    if !folded.is_empty() {
        let digest = call.app.keys.index_hash(&*tx, actor.workspace, "search", &folded).await?;
        let shown = &found.ids[..found.ids.len().min(page.size)];
        call.note(
            Event::by(&actor, AuditKind::Search, "patients.searched")
                .with("digest", HEXLOWER.encode(&digest))
                .with("total", found.total)
                .with("ids", ids(shown)),
        );
    }
    Ok((by_ids(call, &found.ids, chosen).await?, found.total))
}

/// Other patients who may be the same person.
pub async fn duplicates(call: &Call, patient: PatientId, chosen: &Chosen) -> Result<Vec<ModelEx>> {
    let (actor, tx) = (call.actor()?, call.tx().await?);
    let directory = call.app.directories.current(&call.app, &tx).await?;
    let found = directory.duplicates(&actor, patient, MOST_DUPLICATES);
    if found.is_empty() {
        return Ok(Vec::new());
    }
    call.note(Event::by(&actor, AuditKind::Search, "patients.compared").on(patient).with("ids", ids(&found)));
    by_ids(call, &found, chosen).await
}

fn ids(patients: &[PatientId]) -> Vec<String> {
    patients.iter().map(ToString::to_string).collect()
}

/// The rows of these patients in this order, in one statement.
async fn by_ids(call: &Call, ids: &[PatientId], chosen: &Chosen) -> Result<Vec<ModelEx>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (actor, tx) = (call.actor()?, call.tx().await?);
    let query = actor.seek::<Entity>().filter(Column::Id.is_in(ids.iter().copied()));
    let rows = project::select(&SHAPE, chosen, query, &*tx).await?;
    let mut rows: HashMap<PatientId, ModelEx> = rows.into_iter().map(|row| (row.id, row)).collect();
    Ok(ids.iter().filter_map(|id| rows.remove(id)).collect())
}

impl BatchKey for PatientId {
    type Value = ModelEx;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, ModelEx>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        actor.require(Permission::ReadPatients)?;
        let rows = actor.find::<Entity>().filter(Column::Id.is_in(keys)).all(&*tx).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }
}

/// The family history of a patient.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FamilyHistoryOf(pub PatientId);

impl BatchKey for FamilyHistoryOf {
    type Value = Vec<family_history::ModelEx>;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, Self::Value>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        actor.require(Permission::ReadClinical)?;
        let rows = actor
            .find::<family_history::Entity>()
            .filter(family_history::Column::PatientId.is_in(keys.iter().map(|key| key.0)))
            .order_by_asc(family_history::Column::PatientId)
            .order_by_asc(family_history::Column::Id)
            .all(&*tx)
            .await?;
        let mut histories: HashMap<Self, Self::Value> = HashMap::with_capacity(keys.len());
        for row in rows {
            histories.entry(Self(row.patient_id)).or_default().push(row.into());
        }
        Ok(histories)
    }
}

impl BatchKey for FamilyHistoryId {
    type Value = family_history::ModelEx;

    async fn load(call: &Call, keys: Vec<Self>) -> Result<HashMap<Self, Self::Value>> {
        let (actor, tx) = (call.actor()?, call.tx().await?);
        actor.require(Permission::ReadClinical)?;
        let query = actor.find::<family_history::Entity>();
        let rows = query.filter(family_history::Column::Id.is_in(keys)).all(&*tx).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }
}
