//! From a file to its entries: a Bundle, a single resource, or NDJSON with one of them a line.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::element::Fault;
use super::mapping;
use super::record::{EncounterRecord, LocationRecord, PatientRecord, PractitionerRecord};
use super::reference::{Index, Kind, is_id, is_type_name};
use super::report::{Outcome, Problem, Report, UNKNOWN_TYPE};

/// The largest file that is read: it is held in memory whole.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// The Bundle types whose entries are resources to keep, not answers, messages or old versions.
const BUNDLE_TYPES: [&str; 5] = ["transaction", "batch", "collection", "document", "searchset"];

/// The records of one file.
#[derive(Debug, Default)]
pub struct Batch {
    pub locations: Vec<LocationRecord>,
    pub practitioners: Vec<PractitionerRecord>,
    pub patients: Vec<PatientRecord>,
    pub encounters: Vec<EncounterRecord>,
    /// What was skipped or failed while reading. Who stores the records counts them here too.
    pub report: Report,
}

/// Reads a file of at most [`MAX_FILE_BYTES`].
pub fn read_file(path: &Path) -> Batch {
    let name = path
        .file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    match File::open(path) {
        Ok(file) => read_entries(&name, file),
        Err(error) => Reading::new(&name).broken(&format!("cannot be opened ({})", error.kind())),
    }
}

/// Reads what would be a file, from anywhere; `source_name` is what the problems call it.
pub fn read_entries(source_name: &str, reader: impl Read) -> Batch {
    let reading = Reading::new(source_name);
    let mut bytes = Vec::new();
    if let Err(error) = reader.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes) {
        return reading.broken(&format!("cannot be read ({})", error.kind()));
    }
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return reading.broken(&format!("is larger than {} MiB", MAX_FILE_BYTES / 1024 / 1024));
    }
    match String::from_utf8(bytes) {
        Ok(text) => reading.text(text.trim_start_matches('\u{feff}')),
        Err(_) => reading.broken("is not UTF-8 text"),
    }
}

/// The state of reading one file.
struct Reading<'a> {
    file: &'a str,
    batch: Batch,
    index: Index,
    /// Read last, when everything that they may refer to is known.
    encounters: Vec<Entry<'a>>,
}

/// One resource that is to be kept, not yet looked into.
struct Entry<'a> {
    label: String,
    kind: Kind,
    id: String,
    json: &'a str,
}

/// A document's outermost members.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(rename = "resourceType")]
    resource_type: Option<String>,
    #[serde(rename = "type", borrow)]
    bundle_type: Option<&'a RawValue>,
    #[serde(borrow)]
    entry: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct BundleEntry<'a> {
    #[serde(rename = "fullUrl")]
    full_url: Option<String>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "resourceType")]
    resource_type: String,
    id: Option<String>,
}

impl<'a> Reading<'a> {
    fn new(file: &'a str) -> Self {
        Self { file, batch: Batch::default(), index: Index::default(), encounters: Vec::new() }
    }

    /// The batch of a file of which nothing can be taken.
    fn broken(mut self, reason: &str) -> Batch {
        self.problem(None, reason);
        self.batch
    }

    fn text(mut self, text: &'a str) -> Batch {
        if is_ndjson(self.file, text) {
            for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
                let place = format!("line {number}");
                if let Err(reason) = self.document(line, &place) {
                    self.failed(UNKNOWN_TYPE, &place, &reason);
                }
            }
        } else if let Err(reason) = self.document(text, "") {
            self.problem(None, &reason);
        }
        for entry in std::mem::take(&mut self.encounters) {
            self.keep(entry);
        }
        self.batch
    }

    /// Takes the entries of one JSON document; an error is a document that is none.
    fn document(&mut self, json: &'a str, place: &str) -> Result<(), String> {
        // This pass goes over the whole text: a truncated file is refused before its first entry is taken.
        let document: Document<'a> = object(json, "a FHIR resource with one resourceType was expected")?;
        match document.resource_type.as_deref() {
            Some("Bundle") => {}
            Some(name) if is_type_name(name) => {
                self.resource(json, None, place);
                return Ok(());
            }
            _ => return Err("resourceType: Bundle or the name of a resource was expected".to_owned()),
        }
        let bundle_type = document.bundle_type.and_then(|raw| serde_json::from_str::<&str>(raw.get()).ok());
        if !bundle_type.is_some_and(|name| BUNDLE_TYPES.contains(&name)) {
            return Err(format!("Bundle.type: one of {} was expected", BUNDLE_TYPES.join(", ")));
        }
        let Some(entries) = document.entry else { return Ok(()) };
        let prefix = if place.is_empty() { String::new() } else { format!("{place} ") };
        let each = EachElement(|number: usize, raw: &'a RawValue| {
            self.entry(raw.get(), &format!("{prefix}entry[{number}]"));
        });
        each.deserialize(&mut serde_json::Deserializer::from_str(entries.get()))
            .map_err(|_| "Bundle.entry: an array was expected".to_owned())
    }

    fn entry(&mut self, json: &'a str, place: &str) {
        match object(json, "an entry with one fullUrl and one resource was expected") {
            Ok(BundleEntry { full_url, resource: Some(resource) }) => {
                self.resource(resource.get(), full_url.as_deref(), place);
            }
            Ok(_) => self.failed(UNKNOWN_TYPE, place, "entry.resource: a resource was expected"),
            Err(reason) => self.failed(UNKNOWN_TYPE, place, &reason),
        }
    }

    /// Takes one resource, or counts it when it is of a type that is not kept.
    fn resource(&mut self, json: &'a str, full_url: Option<&str>, place: &str) {
        let expected = "a resource with one resourceType and at most one id was expected";
        let (resource_type, id) = match object(json, expected) {
            Ok(Head { resource_type, id }) if is_type_name(&resource_type) => (resource_type, id),
            Ok(_) => {
                return self.failed(UNKNOWN_TYPE, place, "resourceType: the name of a resource was expected");
            }
            Err(reason) => return self.failed(UNKNOWN_TYPE, place, &reason),
        };
        let Some(kind) = Kind::from_name(&resource_type) else {
            return match self.index.enter(None, full_url) {
                Ok(()) => self.batch.report.count(&resource_type, Outcome::Skipped),
                Err(Fault(reason)) => self.failed(&resource_type, &joined(place, &resource_type), &reason),
            };
        };
        // An entry that is still to be created somewhere has its identity in the fullUrl only.
        let urn = full_url.and_then(|url| url.strip_prefix("urn:uuid:")).map(str::to_owned);
        let Some(id) = id.or(urn).filter(|id| is_id(id)) else {
            let reason =
                format!("{resource_type}.id: an id, or a fullUrl of the form urn:uuid:, was expected");
            return self.failed(&resource_type, &joined(place, &resource_type), &reason);
        };
        let label = joined(place, &format!("{resource_type}/{id}"));
        if let Err(Fault(reason)) = self.index.enter(Some((kind, &id)), full_url) {
            return self.failed(&resource_type, &label, &reason);
        }
        let entry = Entry { label, kind, id, json };
        if kind == Kind::Encounter { self.encounters.push(entry) } else { self.keep(entry) }
    }

    /// Makes a record of an entry, or a problem.
    fn keep(&mut self, entry: Entry<'a>) {
        let Entry { label, kind, id, json } = entry;
        if let Err(reason) = self.map(&label, kind, id, json) {
            self.failed(kind.as_str(), &label, &reason);
        }
    }

    fn map(&mut self, label: &str, kind: Kind, id: String, json: &str) -> Result<(), String> {
        let value: Value = object(json, "a resource was expected")?;
        let mapped = mapping::map(kind, id.clone(), &value, &self.index).map_err(|Fault(reason)| reason)?;
        for Fault(reason) in mapped.remarks {
            self.problem(Some(label), &reason);
        }
        match mapped.record {
            mapping::Record::Patient(record) => self.batch.patients.push(record),
            mapping::Record::Practitioner(record) => self.batch.practitioners.push(record),
            mapping::Record::Location(record) => self.batch.locations.push(record),
            mapping::Record::Encounter(record) => self.batch.encounters.push(record),
            mapping::Record::Withdrawn => {
                self.batch.report.count(kind.as_str(), Outcome::Skipped);
                return Ok(());
            }
        }
        self.index.keep(kind, &id, mapped.identifiers);
        Ok(())
    }

    fn failed(&mut self, resource_type: &str, label: &str, reason: &str) {
        self.batch.report.count(resource_type, Outcome::Failed);
        self.problem(Some(label).filter(|label| !label.is_empty()), reason);
    }

    fn problem(&mut self, entry: Option<&str>, reason: &str) {
        self.batch.report.problem(Problem {
            file: self.file.to_owned(),
            entry: entry.map(str::to_owned),
            reason: reason.to_owned(),
        });
    }
}

fn joined(place: &str, what: &str) -> String {
    if place.is_empty() { what.to_owned() } else { format!("{place} {what}") }
}

/// Reads a JSON object; what is JSON but not this object fails with `otherwise`.
fn object<'a, T: Deserialize<'a>>(json: &'a str, otherwise: &str) -> Result<T, String> {
    let object = serde_json::from_str(json).map_err(|error| not_read(&error, otherwise))?;
    // An array could stand for a struct of as many fields.
    if json.trim_start().starts_with('{') { Ok(object) } else { Err(otherwise.to_owned()) }
}

/// Why JSON was not read. A message about a value would quote it; one about the syntax only says where.
fn not_read(error: &serde_json::Error, otherwise: &str) -> String {
    match error.classify() {
        Category::Data => otherwise.to_owned(),
        Category::Eof => format!("ends too early, at line {} column {}", error.line(), error.column()),
        Category::Syntax | Category::Io => format!("is not JSON: {error}"),
    }
}

/// Whether a text is one JSON document a line: by its name, or because its first line is one and more follow.
fn is_ndjson(file: &str, text: &str) -> bool {
    let by_name = Path::new(file)
        .extension()
        .is_some_and(|it| it.eq_ignore_ascii_case("ndjson") || it.eq_ignore_ascii_case("jsonl"));
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    by_name
        || lines.next().is_some_and(|first| {
            lines.next().is_some() && serde_json::from_str::<Document<'_>>(first).is_ok()
        })
}

/// Hands over the elements of a JSON array one by one, so that they are never in memory together.
struct EachElement<F>(F);

impl<'de, F: FnMut(usize, &'de RawValue)> DeserializeSeed<'de> for EachElement<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(usize, &'de RawValue)> Visitor<'de> for EachElement<F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        let mut number = 0;
        while let Some(element) = elements.next_element()? {
            (self.0)(number, element);
            number += 1;
        }
        Ok(())
    }
}
