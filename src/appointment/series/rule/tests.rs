use serde::Deserialize;

use super::*;

/// An expansion by python-dateutil: see `tests/data/recurrence/generate.py`.
#[derive(Deserialize)]
struct Expansion {
    zone: Tz,
    start: String,
    rule: String,
    exceptions: Vec<String>,
    local: Vec<String>,
    utc: Vec<String>,
}

fn at(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").unwrap()
}

fn text(at: NaiveDateTime) -> String {
    at.format("%Y-%m-%dT%H:%M").to_string()
}

fn expansions() -> Vec<Expansion> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/recurrence/expansions.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn every_expansion_is_that_of_python_dateutil() {
    let (mut checked, mut wrong) = (0, Vec::new());
    for case in expansions() {
        let rule = Rule::parse(&case.rule, case.zone).unwrap();
        let mut local = rule.expand(at(&case.start)).unwrap();
        local.retain(|start| !case.exceptions.contains(&text(*start)));
        let instants: Vec<String> =
            local.iter().map(|start| text(zone::instant(*start, case.zone).naive_utc())).collect();
        if local.iter().map(|start| text(*start)).collect::<Vec<_>>() != case.local || instants != case.utc {
            wrong.push(format!("{} {} {}\n  {local:?}\n  {:?}", case.zone, case.start, case.rule, case.utc));
        }
        checked += case.utc.len();
    }
    assert!(wrong.is_empty(), "{} expansions differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(checked > 2_000, "{checked}");
}

#[test]
fn a_rule_is_stored_as_it_was_understood() {
    for case in expansions() {
        let rule = Rule::parse(&case.rule, case.zone).unwrap();
        assert_eq!(Rule::parse(&rule.to_string(), case.zone).unwrap(), rule, "{}", case.rule);
    }
}

#[test]
fn what_is_no_rule_for_appointments_is_refused() {
    for bad in [
        "",
        "COUNT=3",
        "FREQ=SECONDLY;COUNT=3",
        "FREQ=MINUTELY;COUNT=3",
        "FREQ=HOURLY;COUNT=3",
        "FREQ=FORTNIGHTLY",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=733",
        "FREQ=DAILY;COUNT=3;UNTIL=20270101",
        "FREQ=DAILY;FREQ=WEEKLY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;BYHOUR=9",
        "FREQ=YEARLY;BYWEEKNO=20",
        "FREQ=YEARLY;BYYEARDAY=100",
        "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=WEEKLY;BYMONTHDAY=3",
        "FREQ=WEEKLY;BYDAY=2MO",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=MONTHLY;BYDAY=é",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=MONTHLY;BYSETPOS=1",
        "FREQ=MONTHLY;X-NAME=1",
        "DTSTART:20270101T090000",
        "daily",
    ] {
        assert!(Rule::parse(bad, Tz::UTC).is_err(), "{bad}");
    }
    assert!(Rule::parse(" rrule:freq=weekly;byday=mo ", Tz::UTC).is_ok());
}

#[test]
fn a_rule_without_an_end_goes_a_year_and_none_goes_for_ever() {
    let start = at("2026-06-01T09:00");
    let daily = Rule::parse("FREQ=DAILY", Tz::UTC).unwrap().expand(start).unwrap();
    assert_eq!((daily.len(), daily.last().copied()), (366, Some(at("2027-06-01T09:00"))));
    let never = Rule::parse("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=5", Tz::UTC).unwrap();
    assert_eq!(never.expand(start), Ok(Vec::new()));
    let long = Rule::parse("FREQ=DAILY;UNTIL=20361231", Tz::UTC).unwrap();
    assert!(long.expand(start).is_err(), "more than {MOST}");
}

#[test]
fn until_includes_its_own_instant_and_its_whole_day() {
    let start = at("2026-10-24T09:00");
    let berlin: Tz = "Europe/Berlin".parse().unwrap();
    for (until, count) in [
        ("20261026", 3),
        ("20261026T090000", 3),
        ("20261026T085959", 2),
        // After the clocks went back, 09:00 is 08:00 in UTC.
        ("20261026T080000Z", 3),
        ("20261026T075959Z", 2),
        ("20261023", 0),
    ] {
        let rule = Rule::parse(&format!("FREQ=DAILY;UNTIL={until}"), berlin).unwrap();
        assert_eq!(rule.expand(start).unwrap().len(), count, "{until}");
    }
}
