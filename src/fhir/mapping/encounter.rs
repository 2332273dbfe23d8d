//! From an Encounter to the appointment it was.

use chrono::TimeDelta;

use super::Record;
use crate::fhir::element::{Element, Fault};
use crate::fhir::record::{AppointmentStatus, AppointmentType, EncounterRecord, LocationKind};
use crate::fhir::reference::{Index, Kind, Link};

/// The longest stay that is taken. Measured: the longest of the sample population lasts 14 days.
pub const LONGEST_ENCOUNTER_DAYS: i64 = 31;

pub fn map(
    source_id: String,
    resource: &Element<'_>,
    index: &Index,
    remarks: &mut Vec<Fault>,
) -> Result<Record, Fault> {
    let status = match resource.text("status")? {
        Some("planned") => AppointmentStatus::Scheduled,
        Some("arrived" | "triaged") => AppointmentStatus::Confirmed,
        Some("in-progress" | "onleave") => AppointmentStatus::InProgress,
        Some("finished") => AppointmentStatus::Completed,
        Some("cancelled") => AppointmentStatus::Cancelled,
        Some("entered-in-error") => {
            remarks.push(resource.remark_at("status", "entered in error; skipped"));
            return Ok(Record::Withdrawn);
        }
        _ => {
            let codes = "one of planned, arrived, triaged, in-progress, onleave, finished, cancelled";
            return Err(resource.expected_at("status", codes));
        }
    };
    let period =
        resource.get("period")?.ok_or_else(|| resource.expected_at("period", "a start and an end"))?;
    let required = |name| period.instant(name)?.ok_or_else(|| period.expected_at(name, "a date and time"));
    let (starts_at, ends_at) = (required("start")?, required("end")?);
    if ends_at <= starts_at {
        return Err(period.expected_at("end", "a time after the start"));
    }
    if ends_at - starts_at > TimeDelta::days(LONGEST_ENCOUNTER_DAYS) {
        let bound = format!("a time at most {LONGEST_ENCOUNTER_DAYS} days after the start");
        return Err(period.expected_at("end", &bound));
    }

    let subject = resource.get("subject")?.ok_or_else(|| resource.expected_at("subject", "a patient"))?;
    let patient = index
        .read(&subject, &[Kind::Patient])?
        .ok_or_else(|| subject.expected("a reference to a Patient"))?;

    let mut types = Vec::new();
    let mut service = None;
    for concept in resource.list("type")? {
        types.extend(concept.codes()?);
        service = service.or(concept.words()?.map(str::to_owned));
    }
    let mut reason = None;
    for concept in resource.list("reasonCode")? {
        reason = reason.or(concept.words()?.map(str::to_owned));
    }
    let class = match resource.get("class")? {
        Some(coding) => coding.text("code")?,
        None => None,
    };
    Ok(Record::Encounter(EncounterRecord {
        source_id,
        patient,
        practitioner: attending(resource, index, remarks)?,
        place: place(resource, index, remarks)?,
        appointment_type: appointment_type(class, &types),
        location_kind: match class {
            Some("HH") => LocationKind::Home,
            Some("VR") => LocationKind::Online,
            _ => LocationKind::Clinic,
        },
        status,
        starts_at,
        ends_at,
        service,
        reason,
    }))
}

/// HL7's v3-ActCode of the class, and SNOMED CT's two words for a return visit.
fn appointment_type(class: Option<&str>, types: &[&str]) -> AppointmentType {
    match class {
        Some("EMER") => AppointmentType::Emergency,
        // A stay is for something to be done: admitted, short stay, or kept for observation.
        Some("IMP" | "ACUTE" | "NONAC" | "SS" | "OBSENC") => AppointmentType::Procedure,
        _ if types.iter().any(|code| matches!(*code, "390906007" | "185389009")) => AppointmentType::FollowUp,
        _ => AppointmentType::Consultation,
    }
}

/// The practitioner who is marked as the primary performer or as attending, or else the first.
fn attending(resource: &Element<'_>, index: &Index, remarks: &mut Vec<Fault>) -> Result<Option<Link>, Fault> {
    let mut first = None;
    let mut others = None;
    for participant in resource.list("participant")? {
        let Some(individual) = participant.get("individual")? else { continue };
        let Some(link) = index.read(&individual, &[Kind::Practitioner])? else {
            others = others.or(Some(individual));
            continue;
        };
        for role in participant.list("type")? {
            if role.codes()?.iter().any(|code| matches!(*code, "PPRF" | "ATND")) {
                return Ok(Some(link));
            }
        }
        first = first.or(Some(link));
    }
    if first.is_none() {
        remarks.extend(others.map(|it| it.remark("does not lead to a Practitioner; left empty")));
    }
    Ok(first)
}

/// The first Location, or else the Organization that provides the service.
fn place(resource: &Element<'_>, index: &Index, remarks: &mut Vec<Fault>) -> Result<Option<Link>, Fault> {
    let mut others = None;
    let mut references = Vec::new();
    for stay in resource.list("location")? {
        references.extend(stay.get("location")?.map(|it| (it, Kind::Location)));
    }
    references.extend(resource.get("serviceProvider")?.map(|it| (it, Kind::Organization)));
    for (reference, kind) in references {
        match index.read(&reference, &[kind])? {
            Some(link) => return Ok(Some(link)),
            None => others = others.or(Some(reference)),
        }
    }
    remarks.extend(others.map(|it| it.remark("does not lead to a Location or an Organization; left empty")));
    Ok(None)
}
