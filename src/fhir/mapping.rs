//! From FHIR's elements to [records](super::record).
//!
//! An element that contradicts FHIR fails its resource: half a patient is worse than none. What FHIR allows
//! and a record cannot hold (a birth date without its day) is left empty and remarked on.

mod encounter;

use serde_json::Value;

use super::element::{Element, Fault, PartialDate};
use super::record::{
    Address, Contact, Deceased, EncounterRecord, Gender, LocationKind, LocationRecord, MaritalStatus,
    PatientRecord, PractitionerRecord,
};
use super::reference::{Index, Kind};

pub use encounter::LONGEST_ENCOUNTER_DAYS;

pub const SSN_SYSTEM: &str = "http://hl7.org/fhir/sid/us-ssn";
pub const NPI_SYSTEM: &str = "http://hl7.org/fhir/sid/us-npi";

pub enum Record {
    Patient(PatientRecord),
    Practitioner(PractitionerRecord),
    Location(LocationRecord),
    Encounter(EncounterRecord),
    /// The source says that the resource was a mistake.
    Withdrawn,
}

/// A record and what is to be said about it.
pub struct Mapped {
    pub record: Record,
    /// System and value of each identifier, by which others may refer to the resource.
    pub identifiers: Vec<(Option<String>, String)>,
    /// Elements that were left empty.
    pub remarks: Vec<Fault>,
}

/// Maps one resource of a type that is kept.
pub fn map(kind: Kind, source_id: String, json: &Value, index: &Index) -> Result<Mapped, Fault> {
    let resource = Element::root(kind.as_str(), json);
    let identifiers = identifiers(&resource)?;
    let mut remarks = Vec::new();
    let record = match kind {
        Kind::Patient => Record::Patient(patient(source_id, &resource, &identifiers, &mut remarks)?),
        Kind::Practitioner => Record::Practitioner(practitioner(source_id, &resource, &identifiers)?),
        Kind::Organization | Kind::Location => {
            Record::Location(location(kind, source_id, &resource, &identifiers)?)
        }
        Kind::Encounter => encounter::map(source_id, &resource, index, &mut remarks)?,
    };
    let identifiers = identifiers.into_iter().map(|it| (it.system, it.value)).collect();
    Ok(Mapped { record, identifiers, remarks })
}

/// An identifier with the codes of its type.
struct Identifier {
    system: Option<String>,
    value: String,
    types: Vec<String>,
}

impl Identifier {
    fn is(&self, type_code: &str) -> bool {
        self.types.iter().any(|code| code == type_code)
    }

    fn has_system(&self, system: &str) -> bool {
        self.system.as_deref() == Some(system)
    }
}

/// The identifiers that have a value and are still in use.
fn identifiers(resource: &Element<'_>) -> Result<Vec<Identifier>, Fault> {
    let mut identifiers = Vec::new();
    for element in in_use(resource.list("identifier")?)? {
        let types = match element.get("type")? {
            Some(concept) => concept.codes()?.into_iter().map(str::to_owned).collect(),
            None => Vec::new(),
        };
        if let Some(value) = element.owned("value")? {
            identifiers.push(Identifier { system: element.owned("system")?, value, types });
        }
    }
    Ok(identifiers)
}

fn patient(
    source_id: String,
    resource: &Element<'_>,
    identifiers: &[Identifier],
    remarks: &mut Vec<Fault>,
) -> Result<PatientRecord, Fault> {
    let value_of = |wanted: &dyn Fn(&Identifier) -> bool| {
        identifiers.iter().find(|it| wanted(it)).map(|it| it.value.clone())
    };
    let name = preferred(resource.list("name")?, &["official", "usual"])?
        .ok_or_else(|| resource.expected_at("name", "a name in use"))?;
    let given = name.list("given")?;
    let mut given_names = Vec::new();
    for part in &given {
        given_names.extend(part.as_text()?);
    }
    let Some((first_name, middle_names)) = given_names.split_first() else {
        return Err(name.expected_at("given", "a given name"));
    };
    let last_name = name.owned("family")?.ok_or_else(|| name.expected_at("family", "a family name"))?;
    let mut whole = |date: Option<PartialDate>, element: &str| match date {
        Some(PartialDate::Whole(date)) => Some(date),
        Some(PartialDate::Partial) => {
            remarks.push(resource.remark_at(element, "has no day; left empty"));
            None
        }
        None => None,
    };
    let birth_date = whole(resource.date("birthDate")?, "birthDate");
    let died_on = resource.date_of("deceasedDateTime")?;
    let deceased = match (died_on, resource.flag("deceasedBoolean")?) {
        (None, None | Some(false)) => None,
        (date, _) => Some(Deceased { on: whole(date, "deceasedDateTime") }),
    };
    Ok(PatientRecord {
        external_id: value_of(&|it| it.is("MR")).unwrap_or_else(|| source_id.clone()),
        active: resource.flag("active")?.unwrap_or(true),
        first_name: (*first_name).to_owned(),
        middle_name: (!middle_names.is_empty()).then(|| middle_names.join(" ")),
        last_name,
        birth_date,
        gender: gender(resource)?,
        deceased,
        phone: telecom(resource, "phone")?,
        email: telecom(resource, "email")?,
        address: match preferred(resource.list("address")?, &["home"])? {
            Some(element) => address(&element)?,
            None => None,
        },
        marital_status: marital_status(resource)?,
        language: language(resource)?,
        national_id: value_of(&|it| it.is("SS") || it.has_system(SSN_SYSTEM))
            .or_else(|| value_of(&|it| it.is("NI"))),
        contact: contact(resource)?,
        source_id,
    })
}

fn gender(resource: &Element<'_>) -> Result<Option<Gender>, Fault> {
    Ok(match resource.text("gender")? {
        None => None,
        Some("male") => Some(Gender::Male),
        Some("female") => Some(Gender::Female),
        Some("other") => Some(Gender::Other),
        Some("unknown") => Some(Gender::Unknown),
        Some(_) => return Err(resource.expected_at("gender", "one of male, female, other, unknown")),
    })
}

/// Codes of HL7's v3-MaritalStatus. Others may use their own, so that a code not known is [`MaritalStatus::Other`].
fn marital_status(resource: &Element<'_>) -> Result<Option<MaritalStatus>, Fault> {
    let Some(concept) = resource.get("maritalStatus")? else { return Ok(None) };
    Ok(concept.codes()?.first().and_then(|code| match *code {
        "S" | "U" => Some(MaritalStatus::Single),
        "M" => Some(MaritalStatus::Married),
        "D" => Some(MaritalStatus::Divorced),
        "W" => Some(MaritalStatus::Widowed),
        "UNK" | "NI" | "NASK" | "ASKU" => None,
        _ => Some(MaritalStatus::Other),
    }))
}

/// The language that is marked as preferred, or the first.
fn language(resource: &Element<'_>) -> Result<Option<String>, Fault> {
    let mut first = None;
    for communication in resource.list("communication")? {
        let Some(concept) = communication.get("language")? else { continue };
        let code = concept.codes()?.first().map(|code| (*code).to_owned());
        if communication.flag("preferred")? == Some(true) && code.is_some() {
            return Ok(code);
        }
        first = first.or(code);
    }
    Ok(first)
}

fn contact(resource: &Element<'_>) -> Result<Option<Contact>, Fault> {
    let Some(element) = resource.list("contact")?.into_iter().next() else { return Ok(None) };
    let mut relationship = None;
    for concept in element.list("relationship")? {
        relationship = relationship.or(concept.words()?.map(str::to_owned));
    }
    let name = match element.get("name")? {
        Some(name) => full_name(&name)?,
        None => None,
    };
    let contact = Contact { name, phone: telecom(&element, "phone")?, relationship };
    Ok((contact != Contact::default()).then_some(contact))
}

fn practitioner(
    source_id: String,
    resource: &Element<'_>,
    identifiers: &[Identifier],
) -> Result<PractitionerRecord, Fault> {
    let npi = identifiers.iter().find(|it| it.is("NPI") || it.has_system(NPI_SYSTEM));
    let name = preferred(resource.list("name")?, &["official", "usual"])?
        .ok_or_else(|| resource.expected_at("name", "a name in use"))?;
    let mut specialty = None;
    for qualification in resource.list("qualification")? {
        if let Some(code) = qualification.get("code")? {
            specialty = specialty.or(code.words()?.map(str::to_owned));
        }
    }
    Ok(PractitionerRecord {
        external_id: npi.map_or_else(|| source_id.clone(), |it| it.value.clone()),
        active: resource.flag("active")?.unwrap_or(true),
        name: full_name(&name)?.ok_or_else(|| name.expected("a text, or a given or family name,"))?,
        title: name.joined("prefix", " ")?,
        specialty,
        phone: telecom(resource, "phone")?,
        email: telecom(resource, "email")?,
        source_id,
    })
}

fn location(
    kind: Kind,
    source_id: String,
    resource: &Element<'_>,
    identifiers: &[Identifier],
) -> Result<LocationRecord, Fault> {
    let (active, place, address_element) = if kind == Kind::Organization {
        let address = preferred(resource.list("address")?, &["work"])?;
        (resource.flag("active")?.unwrap_or(true), LocationKind::Clinic, address)
    } else {
        (resource.text("status")? != Some("inactive"), location_kind(resource)?, resource.get("address")?)
    };
    Ok(LocationRecord {
        external_id: identifiers.first().map_or_else(|| source_id.clone(), |it| it.value.clone()),
        resource: kind,
        active,
        name: resource.owned("name")?.ok_or_else(|| resource.expected_at("name", "a name"))?,
        kind: place,
        phone: telecom(resource, "phone")?,
        address: match address_element {
            Some(element) => address(&element)?,
            None => None,
        },
        source_id,
    })
}

/// A house is where the patient lives; everything that is not virtual either is a place to go to.
fn location_kind(resource: &Element<'_>) -> Result<LocationKind, Fault> {
    let mut codes = Vec::new();
    if let Some(form) = resource.get("physicalType")? {
        codes.extend(form.codes()?);
    }
    for role in resource.list("type")? {
        codes.extend(role.codes()?);
    }
    let any = |wanted: &[&str]| codes.iter().any(|code| wanted.contains(code));
    Ok(match () {
        () if any(&["vi"]) => LocationKind::Online,
        () if any(&["ho", "PTRES"]) => LocationKind::Home,
        () => LocationKind::Clinic,
    })
}

/// A name as it is spoken, without title: its text, or given and family name.
fn full_name(name: &Element<'_>) -> Result<Option<String>, Fault> {
    let given = name.joined("given", " ")?;
    let family = name.owned("family")?;
    Ok(match (given, family) {
        (Some(given), Some(family)) => Some(format!("{given} {family}")),
        (None, None) => name.owned("text")?,
        (given, family) => given.or(family),
    })
}

fn telecom(resource: &Element<'_>, system: &str) -> Result<Option<String>, Fault> {
    for point in in_use(resource.list("telecom")?)? {
        if point.text("system")? == Some(system)
            && let Some(value) = point.owned("value")?
        {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

fn address(element: &Element<'_>) -> Result<Option<Address>, Fault> {
    let line = match element.joined("line", "\n")? {
        Some(line) => Some(line),
        None => element.owned("text")?,
    };
    let address = Address {
        line,
        city: element.owned("city")?,
        state: element.owned("state")?,
        postal_code: element.owned("postalCode")?,
        country: element.owned("country")?,
    };
    Ok((address != Address::default()).then_some(address))
}

/// Names, addresses and numbers that are no longer in use, or never were the person's own.
fn in_use(elements: Vec<Element<'_>>) -> Result<Vec<Element<'_>>, Fault> {
    let mut kept = Vec::new();
    for element in elements {
        if !matches!(element.text("use")?, Some("old" | "maiden" | "anonymous")) {
            kept.push(element);
        }
    }
    Ok(kept)
}

/// The element of the first of these uses that there is, or the first in use.
fn preferred<'a>(elements: Vec<Element<'a>>, uses: &[&str]) -> Result<Option<Element<'a>>, Fault> {
    let mut elements = in_use(elements)?;
    for wanted in uses {
        for i in 0..elements.len() {
            if elements[i].text("use")? == Some(wanted) {
                return Ok(Some(elements.swap_remove(i)));
            }
        }
    }
    Ok(elements.into_iter().next())
}
