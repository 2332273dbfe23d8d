//! The sample population: invented people with the shapes of real exports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::fhir::record::{AppointmentStatus, AppointmentType};
use crate::fhir::{Link, Report, read_file};

/// Two bundles that come with the sources.
const SAMPLE: &str = "tests/data/synthea";
/// The whole population, where it lies beside the sources.
const POPULATION: &str = "../shared/data/synthea-r4";

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read_folder(path: &str) -> Vec<Batch> {
    let mut files: Vec<_> = std::fs::read_dir(folder(path)).unwrap().map(|it| it.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|it| it == "json"));
    files.sort();
    files.iter().map(|file| read_file(file)).collect()
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    patients: usize,
    practitioners: usize,
    locations: usize,
    encounters: usize,
    skipped: BTreeMap<String, u64>,
}

/// Adds up the batches, in which nothing may have failed.
fn sums(batches: &[Batch]) -> Sums {
    let mut report = Report::default();
    let mut sums = Sums::default();
    for batch in batches {
        sums.patients += batch.patients.len();
        sums.practitioners += batch.practitioners.len();
        sums.locations += batch.locations.len();
        sums.encounters += batch.encounters.len();
        report.merge(batch.report.clone());
    }
    assert_eq!(report.problems, []);
    assert_eq!(report.total(), skipped(report.total().skipped));
    sums.skipped = report.by_type.into_iter().map(|(name, counts)| (name, counts.skipped)).collect();
    sums
}

/// Every reference of a bundle leads to a record of the same bundle; how many there are of each kind.
fn followed(batches: &[Batch]) -> [usize; 3] {
    let mut found = [0; 3];
    for batch in batches {
        for encounter in &batch.encounters {
            let links = [Some(&encounter.patient), encounter.practitioner.as_ref(), encounter.place.as_ref()];
            for (link, count) in links.into_iter().zip(&mut found) {
                match link {
                    Some(Link::Local { .. }) => *count += 1,
                    Some(Link::External(_)) => panic!("{encounter:?} refers out of its bundle"),
                    None => {}
                }
            }
        }
    }
    found
}

#[test]
fn the_sample_loads_completely() {
    let batches = read_folder(SAMPLE);
    let expected =
        Sums { patients: 2, practitioners: 3, locations: 3, encounters: 19, skipped: BTreeMap::new() };
    assert_eq!(sums(&batches), expected);
    assert_eq!(followed(&batches), [19, 18, 19]);
    let [garrett, liz] = batches.as_slice() else { panic!("two files") };
    assert_eq!(garrett.patients[0].deceased.unwrap().on.unwrap().to_string(), "1973-07-19");
    assert_eq!(liz.patients[0].last_name, "Conn");
    assert_eq!(liz.patients[0].external_id, "27c911c6-f045-4ffa-af5d-6eba57ac94b2");
    assert_eq!(liz.patients[0].national_id.as_deref().map(str::len), Some(11));
    let surgery = liz.encounters.iter().find(|it| it.appointment_type == AppointmentType::Procedure).unwrap();
    assert_eq!((surgery.ends_at - surgery.starts_at).num_hours(), 26);
    assert!(liz.encounters.iter().all(|it| it.status == AppointmentStatus::Completed));
}

#[test]
fn the_whole_population_loads_completely() {
    if !folder(POPULATION).exists() {
        // The sample above stands for it where only the sources are.
        return;
    }
    let batches = read_folder(POPULATION);
    let skipped = [
        ("CarePlan", 34),
        ("Claim", 360),
        ("Condition", 131),
        ("DiagnosticReport", 126),
        ("ExplanationOfBenefit", 303),
        ("Goal", 5),
        ("ImagingStudy", 1),
        ("Immunization", 265),
        ("MedicationRequest", 57),
        ("Observation", 1963),
        ("Procedure", 96),
    ];
    let expected = Sums {
        patients: 40,
        // 51 in the patients' bundles, of 41 different ones, and the 102 of the directory.
        practitioners: 153,
        locations: 153,
        encounters: 303,
        skipped: skipped.into_iter().map(|(name, n)| (name.to_owned(), n)).collect(),
    };
    assert_eq!(batches.len(), 42);
    assert_eq!(sums(&batches), expected);
    assert_eq!(followed(&batches), [303, 301, 303]);

    let distinct = |ids: Vec<&String>| ids.into_iter().collect::<std::collections::BTreeSet<_>>().len();
    let all = || batches.iter();
    assert_eq!(distinct(all().flat_map(|it| &it.patients).map(|it| &it.external_id).collect()), 40);
    assert_eq!(distinct(all().flat_map(|it| &it.practitioners).map(|it| &it.external_id).collect()), 102);
    assert_eq!(distinct(all().flat_map(|it| &it.locations).map(|it| &it.external_id).collect()), 102);
    assert_eq!(all().flat_map(|it| &it.patients).filter(|it| it.deceased.is_some()).count(), 2);
    let of_type =
        |wanted| all().flat_map(|it| &it.encounters).filter(|it| it.appointment_type == wanted).count();
    assert_eq!(
        [AppointmentType::Consultation, AppointmentType::Emergency, AppointmentType::Procedure].map(of_type),
        [277, 23, 3]
    );
    let longest = all().flat_map(|it| &it.encounters).map(|it| it.ends_at - it.starts_at).max();
    assert_eq!(longest.map(|it| it.num_days()), Some(14));
}

#[test]
fn the_report_is_a_table_and_json() {
    let mut report = Report::default();
    report.count("Patient", crate::fhir::Outcome::Created);
    report.count("Patient", crate::fhir::Outcome::Unchanged);
    report.count("ExplanationOfBenefit", crate::fhir::Outcome::Skipped);
    report.count("Encounter", crate::fhir::Outcome::Updated);
    report.problem(Problem {
        file: "a\u{1b}[2J.json".to_owned(),
        entry: None,
        reason: "is not UTF-8 text".to_owned(),
    });
    report.problem(Problem {
        file: "b.json".to_owned(),
        entry: Some("entry[3] Encounter/7".to_owned()),
        reason: "Encounter.period.end: a date and time was expected".to_owned(),
    });
    let table = "\
Resource                Created    Updated  Unchanged    Skipped     Failed
Encounter                     0          1          0          0          0
ExplanationOfBenefit          0          0          0          1          0
Patient                       1          0          1          0          0
Total                         1          1          1          1          0

2 problems
  a\u{fffd}[2J.json: is not UTF-8 text
  b.json, entry[3] Encounter/7: Encounter.period.end: a date and time was expected
";
    assert_eq!(report.table(), table);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["byType"]["Patient"]["unchanged"], 1);
    assert_eq!(json["problems"][1]["entry"], "entry[3] Encounter/7");
    assert_eq!(json["problemsOmitted"], 0);
}
