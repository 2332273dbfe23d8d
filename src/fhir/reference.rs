//! References between resources: inside one file they are followed, others are kept for the database.

use std::collections::{HashMap, HashSet};

use super::element::{Element, Fault};

/// The resource types that Praxis keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Patient,
    Practitioner,
    Organization,
    Location,
    Encounter,
}

impl Kind {
    pub const ALL: [Kind; 5] =
        [Kind::Patient, Kind::Practitioner, Kind::Organization, Kind::Location, Kind::Encounter];

    /// The FHIR name of the type.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Patient => "Patient",
            Kind::Practitioner => "Practitioner",
            Kind::Organization => "Organization",
            Kind::Location => "Location",
            Kind::Encounter => "Encounter",
        }
    }

    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The other end of a reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// The record with this `source_id` in the same batch.
    Local { kind: Kind, source_id: String },
    /// Something that this file does not hold, or that could not be read from it.
    External(ExternalRef),
}

/// A reference out of the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExternalRef {
    pub kind: Kind,
    pub key: ExternalKey,
}

/// By what the other resource is named.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ExternalKey {
    /// Its id in the source system.
    Id(String),
    /// One of its identifiers; without a system, any system's.
    Identifier { system: Option<String>, value: String },
    /// Its address on another server.
    Url(String),
}

/// A reference as it is written.
#[derive(Debug, PartialEq, Eq)]
enum Target<'a> {
    Typed {
        name: &'a str,
        id: &'a str,
    },
    Identifier {
        name: &'a str,
        system: Option<String>,
        value: String,
    },
    Url(&'a str),
    /// A resource inside the one that refers to it: it has no identity of its own and is not kept.
    Contained,
}

/// What one file holds, by every name that a reference may use.
///
/// A name that two entries bear leads nowhere: better an encounter too few than one in the wrong chart.
#[derive(Default)]
pub struct Index {
    /// Every entry's address.
    by_url: HashMap<String, Addressee>,
    /// Every entry of a kept type, and how often.
    entries: HashMap<(Kind, String), Bearers>,
    /// Entries that became records.
    records: HashSet<(Kind, String)>,
    /// Records by the value of each of their identifiers.
    by_identifier: HashMap<(Kind, String), Vec<Bearer>>,
}

/// Who bears an identifier of this system.
struct Bearer {
    system: Option<String>,
    source_id: String,
}

enum Addressee {
    Kept(Kind, String),
    /// A resource of a type that is not kept.
    Other,
    Several,
}

#[derive(PartialEq, Eq)]
enum Bearers {
    One,
    Several,
}

impl Index {
    /// Notes an entry; a name that an earlier entry bears is a fault.
    pub fn enter(&mut self, resource: Option<(Kind, &str)>, full_url: Option<&str>) -> Result<(), Fault> {
        let mut fault = None;
        if let Some((kind, id)) = resource
            && self.entries.insert((kind, id.to_owned()), Bearers::One).is_some()
        {
            self.entries.insert((kind, id.to_owned()), Bearers::Several);
            fault =
                Some(Fault::expected(&format!("{}.id", kind.as_str()), "an id that no earlier entry has"));
        }
        if let Some(url) = full_url {
            let addressee =
                resource.map_or(Addressee::Other, |(kind, id)| Addressee::Kept(kind, id.to_owned()));
            if self.by_url.insert(url.to_owned(), addressee).is_some() {
                self.by_url.insert(url.to_owned(), Addressee::Several);
                fault = Some(Fault::expected("entry.fullUrl", "a fullUrl that no earlier entry has"));
            }
        }
        fault.map_or(Ok(()), Err)
    }

    /// Notes that an entry became a record, which has these identifiers.
    pub fn keep(&mut self, kind: Kind, id: &str, identifiers: Vec<(Option<String>, String)>) {
        self.records.insert((kind, id.to_owned()));
        for (system, value) in identifiers {
            self.by_identifier
                .entry((kind, value))
                .or_default()
                .push(Bearer { system, source_id: id.to_owned() });
        }
    }

    /// Reads a Reference to one of `kinds`.
    ///
    /// `Ok(None)`: it leads to nothing that could be one of them, as a display text, a contained resource or
    /// a resource of another type.
    pub fn read(&self, reference: &Element<'_>, kinds: &[Kind]) -> Result<Option<Link>, Fault> {
        let Some(text) = reference.text("reference")? else {
            return self.read_logical(reference, kinds);
        };
        let target = parse(text).ok_or_else(|| {
            reference.expected_at("reference", "Type/id, a URL, urn:uuid: or Type?identifier=system|value")
        })?;
        let twice = || reference.expected_at("reference", "a resource that stands once in the file");
        match target {
            Target::Typed { name, id } => match kind_of(name, kinds) {
                Some(kind) => self.link(kind, id).map(Some).ok_or_else(twice),
                None => Ok(None),
            },
            Target::Identifier { name, system, value } => {
                Ok(kind_of(name, kinds).map(|kind| self.by_identifier(kind, system, value)))
            }
            Target::Url(url) => match self.by_url.get(url) {
                Some(Addressee::Kept(kind, id)) if kinds.contains(kind) => {
                    self.link(*kind, id).map(Some).ok_or_else(twice)
                }
                Some(Addressee::Kept(..) | Addressee::Other) => Ok(None),
                Some(Addressee::Several) => Err(twice()),
                None => Ok(outside(url, kinds)),
            },
            Target::Contained => Ok(None),
        }
    }

    /// A reference without an address may carry an identifier of its target.
    fn read_logical(&self, reference: &Element<'_>, kinds: &[Kind]) -> Result<Option<Link>, Fault> {
        let Some(identifier) = reference.get("identifier")? else { return Ok(None) };
        let Some(value) = identifier.owned("value")? else { return Ok(None) };
        let kind = match reference.text("type")? {
            Some(name) => kind_of(name, kinds),
            None => kinds.first().copied(),
        };
        let system = identifier.owned("system")?;
        Ok(kind.map(|kind| self.by_identifier(kind, system, value)))
    }

    /// The link to a resource of this id; `None` when several entries bear it.
    fn link(&self, kind: Kind, id: &str) -> Option<Link> {
        let name = (kind, id.to_owned());
        if self.entries.get(&name) == Some(&Bearers::Several) {
            return None;
        }
        Some(if self.records.contains(&name) {
            Link::Local { kind, source_id: name.1 }
        } else {
            Link::External(ExternalRef { kind, key: ExternalKey::Id(name.1) })
        })
    }

    /// The one record with this identifier; with none, or several, the reference stays as it is.
    fn by_identifier(&self, kind: Kind, system: Option<String>, value: String) -> Link {
        let bearers = self.by_identifier.get(&(kind, value.clone()));
        let mut ids = bearers
            .into_iter()
            .flatten()
            .filter(|it| system.is_none() || it.system == system)
            .map(|it| &it.source_id);
        match (ids.next(), ids.next()) {
            (Some(id), None) => Link::Local { kind, source_id: id.clone() },
            _ => Link::External(ExternalRef { kind, key: ExternalKey::Identifier { system, value } }),
        }
    }
}

fn kind_of(name: &str, kinds: &[Kind]) -> Option<Kind> {
    Kind::from_name(name).filter(|kind| kinds.contains(kind))
}

/// The link of an address that is not in the file: its type from the address, or else the first asked for.
fn outside(url: &str, kinds: &[Kind]) -> Option<Link> {
    let (kind, key) = match url.strip_prefix("urn:uuid:") {
        Some(uuid) => (kinds.first().copied(), ExternalKey::Id(uuid.to_owned())),
        None => {
            let name = url.rsplit('/').nth(1).unwrap_or_default();
            (kind_of(name, kinds), ExternalKey::Url(url.to_owned()))
        }
    };
    kind.map(|kind| Link::External(ExternalRef { kind, key }))
}

/// What kind of reference this is; `None` when it is none.
fn parse(text: &str) -> Option<Target<'_>> {
    if text.starts_with('#') {
        return Some(Target::Contained);
    }
    if text.starts_with("urn:uuid:") {
        return Some(Target::Url(text));
    }
    if let Some((name, query)) = text.split_once('?') {
        let token = query.strip_prefix("identifier=").filter(|token| !token.contains('&'))?;
        let token = percent_decoded(token)?;
        let (system, value) = match token.split_once('|') {
            Some(("", value)) => (None, value),
            Some((system, value)) => (Some(system.to_owned()), value),
            None => (None, token.as_str()),
        };
        let value = value.to_owned();
        return (is_type_name(name) && !value.is_empty()).then_some(Target::Identifier {
            name,
            system,
            value,
        });
    }
    let unversioned = text.split_once("/_history/").map_or(text, |(resource, _)| resource);
    if text.starts_with("https://") || text.starts_with("http://") {
        return Some(Target::Url(unversioned));
    }
    let (name, id) = unversioned.split_once('/')?;
    (is_type_name(name) && is_id(id)).then_some(Target::Typed { name, id })
}

/// Whether this can be the name of a resource type.
pub fn is_type_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_alphabetic())
}

/// Whether this is a FHIR id.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
}

/// Search parameters in a reference may be percent-encoded, the bar between system and value most often.
fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits =
                std::str::from_utf8(tail.get(..2).filter(|two| two.iter().all(u8::is_ascii_hexdigit))?);
            out.push(u8::from_str_radix(digits.ok()?, 16).ok()?);
            rest = &tail[2..];
        } else {
            out.push(first);
            rest = tail;
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_reference_is_understood() {
        let id = "abc-1.2";
        for text in ["Patient/abc-1.2", "Patient/abc-1.2/_history/3"] {
            assert_eq!(parse(text), Some(Target::Typed { name: "Patient", id }), "{text}");
        }
        assert_eq!(parse("#contained"), Some(Target::Contained));
        assert_eq!(parse("urn:uuid:f00d"), Some(Target::Url("urn:uuid:f00d")));
        assert_eq!(
            parse("https://other.example/r4/Patient/7/_history/2"),
            Some(Target::Url("https://other.example/r4/Patient/7"))
        );
        let npi = |system: Option<&str>| {
            let system = system.map(str::to_owned);
            Some(Target::Identifier { name: "Practitioner", system, value: "240".to_owned() })
        };
        assert_eq!(parse("Practitioner?identifier=http://npi|240"), npi(Some("http://npi")));
        assert_eq!(parse("Practitioner?identifier=http%3A%2F%2Fnpi%7C240"), npi(Some("http://npi")));
        assert_eq!(parse("Practitioner?identifier=|240"), npi(None));
        assert_eq!(parse("Practitioner?identifier=240"), npi(None));
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for text in [
            "Patient",
            "Patient/",
            "Patient/a b",
            "patient/1",
            "Patient/1/2",
            "Practitioner?name=x",
            "Practitioner?identifier=",
            "Practitioner?identifier=a|",
            "Practitioner?identifier=a&active=true",
            "Practitioner?identifier=%7",
            "Practitioner?identifier=%ff|1",
            "Practitioner?identifier=%+1|1",
            "",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
