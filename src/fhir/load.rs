//! Storing a [`Batch`] in a workspace: what is new is created, what has changed is updated, the rest is left alone.
//!
//! One transaction for each file: a patient comes with everything or not at all. Loading the same file again
//! writes nothing, not even into the journal.

mod encounters;
mod people;
mod places;

use std::collections::HashMap;

use super::{Batch, ExternalKey, Kind, Link, Outcome, Problem, Report};
use crate::access::actor::Actor;
use crate::access::permission::Permission;
use crate::app::{App, UnitOfWork};
use crate::error::Result;
use crate::id::{LocationId, MembershipId, PatientId};
use crate::patient::entity::Model as Patient;

/// Rows of one lookup or insert: below the number of values that a statement of either engine can carry.
const CHUNK: usize = 500;

/// One import of any number of files. Later files may refer to what earlier ones held.
#[derive(Default)]
pub struct Import {
    known: Known,
}

/// Where resources are, by their id in the source.
#[derive(Default)]
struct Known {
    locations: HashMap<(Kind, String), LocationId>,
    practitioners: HashMap<String, MembershipId>,
    patients: HashMap<String, PatientId>,
}

impl Known {
    fn extend(&mut self, more: Self) {
        self.locations.extend(more.locations);
        self.practitioners.extend(more.practitioners);
        self.patients.extend(more.patients);
    }
}

/// The work on one file, inside its transaction.
struct Load<'a> {
    app: &'a App,
    unit: &'a UnitOfWork,
    actor: &'a Actor,
    file: &'a str,
    /// What earlier files held.
    earlier: &'a Known,
    /// What this file adds.
    known: Known,
    /// The rows of this file's patients, for their keys.
    patients: HashMap<PatientId, Patient>,
    report: Report,
}

impl Import {
    /// Stores the records of one file; `file` is what problems call it. An error leaves nothing of it behind.
    pub async fn load(&mut self, app: &App, actor: &Actor, file: &str, batch: &Batch) -> Result<Report> {
        actor.require(Permission::ImportData)?;
        let earlier = &self.known;
        let (known, report) = app
            .write(actor, move |unit| async move {
                let mut load = Load {
                    app,
                    unit: &unit,
                    actor,
                    file,
                    earlier,
                    known: Known::default(),
                    patients: HashMap::new(),
                    report: batch.report.clone(),
                };
                load.locations(&batch.locations).await?;
                load.practitioners(&batch.practitioners).await?;
                load.patients(&batch.patients).await?;
                load.encounters(&batch.encounters).await?;
                Ok((load.known, load.report))
            })
            .await?;
        self.known.extend(known);
        Ok(report)
    }
}

impl Load<'_> {
    fn patient(&self, name: &str) -> Option<PatientId> {
        self.known.patients.get(name).or_else(|| self.earlier.patients.get(name)).copied()
    }

    fn practitioner(&self, name: &str) -> Option<MembershipId> {
        self.known.practitioners.get(name).or_else(|| self.earlier.practitioners.get(name)).copied()
    }

    fn location(&self, kind: Kind, name: &str) -> Option<LocationId> {
        let key = (kind, name.to_owned());
        self.known.locations.get(&key).or_else(|| self.earlier.locations.get(&key)).copied()
    }

    fn count(&mut self, kind: Kind, outcome: Outcome) {
        self.report.count(kind.as_str(), outcome);
    }

    fn failed(&mut self, kind: Kind, source_id: &str, reason: &str) {
        self.count(kind, Outcome::Failed);
        self.remark(kind, source_id, reason);
    }

    fn remark(&mut self, kind: Kind, source_id: &str, reason: &str) {
        self.report.problem(Problem {
            file: self.file.to_owned(),
            entry: Some(format!("{}/{source_id}", kind.as_str())),
            reason: reason.to_owned(),
        });
    }
}

/// What a link names its other end by: its id in the source, or how another system knows it.
///
/// An address on another server names nothing here: an equal id there may be somebody else's.
fn name_of(link: &Link) -> Option<&str> {
    match link {
        Link::Local { source_id, .. } => Some(source_id),
        Link::External(reference) => match &reference.key {
            ExternalKey::Id(id) => Some(id),
            ExternalKey::Identifier { value, .. } => Some(value),
            ExternalKey::Url(_) => None,
        },
    }
}

fn kind_of(link: &Link) -> Kind {
    match link {
        Link::Local { kind, .. } => *kind,
        Link::External(reference) => reference.kind,
    }
}

/// How a place is known again. Organizations and Locations number their ids each for themselves.
fn place_key(kind: Kind, external_id: &str) -> String {
    format!("{}/{external_id}", kind.as_str())
}
