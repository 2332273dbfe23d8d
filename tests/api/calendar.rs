//! Calendar feeds and calendar files, read by a library that nobody here wrote.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use chrono::DateTime;
use praxis::http::router;
use praxis::id::PatientId;
use praxis::member::entity::Role;
use serde_json::{Value as Json, json};
use tower::ServiceExt;

use crate::support::app::{Client, TestApp};
use crate::support::database::On;
use crate::support::on_both_engines;

const CREATE: &str = "mutation($input: CreateCalendarFeedInput!) { createCalendarFeed(input: $input) { \
    url feed { id name lastReadAt revokedAt practitioner { id } } } }";
const REVOKE: &str = "mutation($input: RevokeCalendarFeedInput!) { revokeCalendarFeed(input: $input) { \
    feed { revokedAt } } }";
const FEEDS: &str =
    "query($all: Boolean!) { calendarFeeds(includeRevoked: $all) { nodes { id name lastReadAt } } }";

/// Parses a calendar file with the PyPI library `icalendar`.
fn read(file: &str) -> Json {
    // The Python of scripts/test, beside the folder that Cargo gives to tests.
    let python = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../python/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run scripts/test, or `python3 -m venv target/python` and \
         `target/python/bin/pip install -r tests/requirements.txt`",
        python.display()
    );
    let mut reader = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/read_ics.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    reader.stdin.take().unwrap().write_all(file.as_bytes()).unwrap();
    let output = reader.wait_with_output().unwrap();
    assert!(output.status.success(), "{file}");
    let read: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read["errors"], json!([]), "{file}");
    read
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn tag(&self) -> String {
        self.header(header::ETAG).to_owned()
    }
}

struct Practice {
    app: TestApp,
    owner: Client,
    doctor: Client,
    ada: PatientId,
    place: Json,
    service: Json,
}

impl Practice {
    async fn new(on: On) -> Self {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let doctor = app.member(owner.workspace(), Role::Doctor).await;
        let ada = app.patient(&owner, "Ada", "Lovelace").await;
        let place = json!({ "input": { "name": "Harbour; Street, 2\\b – 老虎の部屋の長い名前がここに続きます、そしてさらに続く", "kind": "CLINIC" } });
        let create =
            "mutation($input: CreateLocationInput!) { createLocation(input: $input) { location { id } } }";
        let place = owner.ok(create, place).await["createLocation"]["location"]["id"].clone();
        let service = json!({ "input": { "name": "Chemotherapy", "durationMinutes": 30, "appointmentType": "THERAPY",
            "maxAdvanceDays": 730 } });
        let create =
            "mutation($input: CreateServiceInput!) { createService(input: $input) { service { id } } }";
        let service = owner.ok(create, service).await["createService"]["service"]["id"].clone();
        Self { app, owner, doctor, ada, place, service }
    }

    async fn book(&self, with: &Client, starts_at: &str) -> Json {
        let input = json!({ "patientId": self.ada.to_string(), "serviceId": self.service,
            "practitionerId": with.membership().to_string(), "locationId": self.place,
            "startsAt": starts_at, "reason": "Relapse", "notes": "Fragile" });
        let booked = self.owner.ok(crate::appointment::BOOK, json!({ "input": input })).await;
        booked["bookAppointment"]["appointment"]["id"].clone()
    }

    async fn change(&self, mutation: &str, input: &str, id: &Json, mut more: Json) {
        let version = "query($id: ID!) { appointment(id: $id) { version } }";
        let appointment = self.owner.ok(version, json!({ "id": id })).await;
        more["id"] = id.clone();
        more["expectedVersion"] = appointment["appointment"]["version"].clone();
        let document = format!("mutation($input: {input}!) {{ {mutation}(input: $input) {{ __typename }} }}");
        self.owner.ok(&document, json!({ "input": more })).await;
    }

    async fn reschedule(&self, id: &Json, starts_at: &str) {
        let to = json!({ "startsAt": starts_at });
        self.change("rescheduleAppointment", "RescheduleAppointmentInput", id, to).await;
    }

    async fn cancel(&self, id: &Json) {
        self.change("cancelAppointment", "CancelAppointmentInput", id, json!({ "reason": "Relapse" })).await;
    }

    async fn ics(&self, id: &Json) -> String {
        let answer =
            self.owner.ok("query($id: ID!) { appointment(id: $id) { ics } }", json!({ "id": id })).await;
        answer["appointment"]["ics"].as_str().unwrap().to_owned()
    }

    /// A feed of the client's calendar: its id, and the path of its address.
    async fn feed(&self, of: &Client) -> (Json, String) {
        let made = of.ok(CREATE, json!({ "input": { "name": "Phone" } })).await;
        let url = made["createCalendarFeed"]["url"].as_str().unwrap();
        let path = url.strip_prefix(&self.app.app.config.public_url).unwrap();
        (made["createCalendarFeed"]["feed"]["id"].clone(), path.into())
    }

    async fn send(&self, method: Method, path: &str, tag: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(tag) = tag {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        let response =
            router(self.app.app.clone()).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: head.status, headers: head.headers, body: String::from_utf8(body.into()).unwrap() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }
}

fn seconds(instant: &str) -> i64 {
    instant.parse::<DateTime<chrono::Utc>>().unwrap().timestamp()
}

/// What is wrong with how a file is written, whatever it says.
fn check_form(file: &str) {
    for line in file.strip_suffix("\r\n").unwrap().split("\r\n") {
        assert!(line.len() <= 75, "{}: {line}", line.len());
        assert!(!line.contains(['\r', '\n']), "{line:?}");
    }
}

on_both_engines! {
    async fn a_feed_shows_times_and_places_and_nothing_about_patients(on: On) {
        let practice = Practice::new(on).await;
        practice.book(&practice.doctor, "2026-06-03T09:00:00Z").await;
        practice.book(&practice.owner, "2026-06-03T11:00:00Z").await;
        let (_, path) = practice.feed(&practice.doctor).await;

        let answer = practice.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header(header::CONTENT_TYPE), "text/calendar; charset=utf-8");
        assert_eq!(answer.header(header::CACHE_CONTROL), "private, no-store");
        check_form(&answer.body);
        let feed = read(&answer.body);
        assert_eq!((&feed["name"], &feed["method"], &feed["zones"]), (&json!("north practice"), &Json::Null, &json!(0)));
        assert_eq!(feed["events"].as_array().unwrap().len(), 1, "the own calendar only: {}", answer.body);
        let event = &feed["events"][0];
        assert_eq!(event["summary"], "Appointment");
        assert_eq!(event["location"], "Harbour; Street, 2\\b – 老虎の部屋の長い名前がここに続きます、そしてさらに続く");
        assert_eq!(
            event["properties"],
            json!(["CLASS", "CREATED", "DTEND", "DTSTAMP", "DTSTART", "LAST-MODIFIED", "LOCATION", "SEQUENCE",
                "STATUS", "SUMMARY", "TRANSP", "UID"])
        );
        for secret in ["Ada", "Lovelace", "Chemo", "THERAPY", "Relapse", "Fragile", "pat_"] {
            assert!(!answer.body.contains(secret), "{secret}: {}", answer.body);
        }
    }

    /// B21, B27, B30.
    async fn an_appointment_keeps_its_uid_and_counts_its_changes_in_every_file(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.book(&practice.doctor, "2026-07-01T09:00:00Z").await;
        let (_, path) = practice.feed(&practice.doctor).await;
        let booked = read(&practice.ics(&id).await);
        practice.app.app.clock.advance(Duration::from_secs(60));
        practice.reschedule(&id, "2026-12-01T09:30:00Z").await;
        let moved = read(&practice.ics(&id).await);
        practice.app.app.clock.advance(Duration::from_secs(60));
        practice.cancel(&id).await;
        let file = practice.ics(&id).await;
        check_form(&file);
        let cancelled = read(&file);
        let in_feed = read(&practice.get(&path).await.body);

        for (file, method, start, sequence, status, transparency) in [
            (&booked, json!("PUBLISH"), "2026-07-01T09:00:00Z", 0, "CONFIRMED", "OPAQUE"),
            (&moved, json!("PUBLISH"), "2026-12-01T09:30:00Z", 1, "CONFIRMED", "OPAQUE"),
            (&cancelled, json!("CANCEL"), "2026-12-01T09:30:00Z", 2, "CANCELLED", "TRANSPARENT"),
            (&in_feed, Json::Null, "2026-12-01T09:30:00Z", 2, "CANCELLED", "TRANSPARENT"),
        ] {
            assert_eq!(file["method"], method);
            let event = &file["events"][0];
            assert_eq!(event["uid"], id);
            assert_eq!((&event["sequence"], &event["status"]), (&json!(sequence), &json!(status)));
            assert_eq!(event["transparency"], transparency);
            // Summer and winter: the instants, to the second.
            assert_eq!(event["start"], seconds(start));
            assert_eq!(event["end"], seconds(start) + 1800);
            assert_eq!(file["zones"], 0, "times are in UTC, so no zone has to be told");
        }
        assert_eq!(moved["events"][0]["stamp"], booked["events"][0]["stamp"].as_i64().unwrap() + 60);
        assert_eq!(cancelled["events"][0]["organizer"], "mailto:no-reply@praxis.invalid");
    }

    async fn a_feed_reaches_from_a_month_ago_to_a_year_ahead(on: On) {
        let practice = Practice::new(on).await;
        let clock = &practice.app.app.clock;
        let (_, path) = practice.feed(&practice.doctor).await;
        for start in ["2026-06-02T09:00:00Z", "2026-06-04T09:00:00Z", "2027-07-03T09:00:00Z", "2027-07-06T09:00:00Z"] {
            practice.book(&practice.doctor, start).await;
        }
        clock.advance(Duration::from_secs(32 * 86_400)); // 3 July, noon
        let feed = read(&practice.get(&path).await.body);
        let starts: Vec<i64> = feed["events"].as_array().unwrap().iter().map(|e| e["start"].as_i64().unwrap()).collect();
        assert_eq!(starts, [seconds("2026-06-04T09:00:00Z"), seconds("2027-07-03T09:00:00Z")]);
    }

    async fn a_program_that_has_the_present_file_gets_it_no_second_time(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.book(&practice.doctor, "2026-06-03T09:00:00Z").await;
        let (_, path) = practice.feed(&practice.doctor).await;
        let first = practice.get(&path).await;
        practice.app.app.clock.advance(Duration::from_secs(600));

        for tag in [first.tag(), format!("\"other\", W/{}", first.tag()), "*".into()] {
            let again = practice.send(Method::GET, &path, Some(&tag)).await;
            assert_eq!((again.status, again.body.as_str()), (StatusCode::NOT_MODIFIED, ""), "{tag}");
            assert_eq!(again.tag(), first.tag());
        }
        let head = practice.send(Method::HEAD, &path, None).await;
        assert_eq!((head.status, head.body.as_str()), (StatusCode::OK, ""));
        assert_eq!(head.tag(), first.tag());
        assert_eq!(head.header(header::CONTENT_LENGTH), first.body.len().to_string());

        practice.reschedule(&id, "2026-06-03T10:00:00Z").await;
        let changed = practice.send(Method::GET, &path, Some(&first.tag())).await;
        assert_eq!(changed.status, StatusCode::OK);
        assert_ne!(changed.tag(), first.tag());
        let posted = practice.send(Method::POST, &path, None).await;
        assert_eq!(posted.status, StatusCode::METHOD_NOT_ALLOWED);
    }

    async fn a_revoked_feed_is_answered_as_one_that_never_was(on: On) {
        let practice = Practice::new(on).await;
        let (id, path) = practice.feed(&practice.doctor).await;
        let (_, other) = practice.feed(&practice.doctor).await;
        assert_eq!(practice.get(&path).await.status, StatusCode::OK);
        let listed = practice.doctor.ok(FEEDS, json!({ "all": false })).await;
        assert_eq!(listed["calendarFeeds"]["nodes"][1]["lastReadAt"], "2026-06-01T12:00:00+00:00");
        assert_eq!(listed["calendarFeeds"]["nodes"][0]["lastReadAt"], Json::Null);
        // A colleague sees and revokes their own only; whoever manages members, all.
        let colleague = practice.app.member(practice.owner.workspace(), Role::Nurse).await;
        let revoke = json!({ "input": { "id": id } });
        assert_eq!(colleague.code(REVOKE, revoke.clone()).await, "NOT_FOUND");
        assert_eq!(colleague.ok(FEEDS, json!({ "all": true })).await["calendarFeeds"]["nodes"], json!([]));
        practice.owner.ok(REVOKE, revoke.clone()).await;
        practice.doctor.ok(REVOKE, revoke).await;

        let revoked = practice.get(&path).await;
        assert_eq!(practice.get(&other).await.status, StatusCode::OK);
        let unknown = format!("{}{}.ics", &path[..path.len() - 47], "A".repeat(43));
        let elsewhere = path.replace("/calendar/0", "/calendar/7");
        for wrong in [unknown.as_str(), &elsewhere, "/calendar/x.ics", "/calendar/.ics", &path[..path.len() - 4]] {
            let answer = practice.get(wrong).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{wrong}");
            assert_eq!(answer.body, revoked.body, "{wrong}");
            let names = |headers: &HeaderMap| headers.keys().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(names(&answer.headers), names(&revoked.headers));
        }
        assert_eq!(revoked.status, StatusCode::NOT_FOUND);
        // A secret is stored nowhere.
        let secret = &path[path.len() - 47..path.len() - 4];
        let journal = format!("{:?}", practice.app.journal(practice.owner.workspace()).await);
        assert!(!journal.contains(secret));
        assert!(journal.contains("calendar_feed.created") && journal.contains("calendar_feed.revoked"));
    }

    async fn a_member_who_leaves_takes_their_feeds_along(on: On) {
        let practice = Practice::new(on).await;
        let (_, path) = practice.feed(&practice.doctor).await;
        let doctors = practice.owner.ok("{ members(role: DOCTOR) { nodes { id version } } }", json!({})).await;
        let doctor = &doctors["members"]["nodes"][0];
        let leave = "mutation($input: MemberActivationInput!) { deactivateMember(input: $input) { __typename } }";
        let input = json!({ "id": doctor["id"], "expectedVersion": doctor["version"] });
        practice.owner.ok(leave, json!({ "input": input })).await;
        assert_eq!(practice.get(&path).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_member_has_twenty_feeds_at_most() {
    let practice = Practice::new(On::Sqlite).await;
    for _ in 0..20 {
        practice.feed(&practice.doctor).await;
    }
    assert_eq!(practice.doctor.code(CREATE, json!({ "input": { "name": "Phone" } })).await, "CONFLICT");
}
