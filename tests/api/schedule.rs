//! Weekly schedules and dated exceptions.

use praxis::member::entity::Role;
use serde_json::{Value as Json, json};

use crate::support::app::{Client, TestApp};
use crate::support::on_both_engines;

const CREATE: &str = "mutation($input: CreateWeeklyScheduleInput!) { createWeeklySchedule(input: $input) { \
    weeklySchedule { id version weekday startTime endTime breakStart breakEnd timezone validFrom validUntil \
    practitioner { id } location { name } } } }";
const UPDATE: &str = "mutation($input: UpdateWeeklyScheduleInput!) { updateWeeklySchedule(input: $input) { \
    weeklySchedule { id version weekday startTime endTime breakStart breakEnd validFrom validUntil } } }";
const DELETE: &str =
    "mutation($input: DeleteWeeklyScheduleInput!) { deleteWeeklySchedule(input: $input) { deletedId } }";
const EXCEPT: &str = "mutation($input: CreateScheduleExceptionInput!) { createScheduleException(input: $input) { \
    scheduleException { id version kind reason startsAt endsAt timezone note practitioner { id } } } }";

fn hours(weekday: &str, from: &str, to: &str) -> Json {
    json!({ "weekday": weekday, "startTime": from, "endTime": to })
}

async fn created(client: &Client, input: Json) -> Json {
    client.ok(CREATE, json!({ "input": input })).await["createWeeklySchedule"]["weeklySchedule"].clone()
}

on_both_engines! {
    async fn hours_are_created_changed_listed_and_deleted(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let doctor = app.member(owner.workspace(), Role::Doctor).await;
        let mut input = hours("TUESDAY", "09:00", "17:30");
        input["breakStart"] = "12:00".into();
        input["breakEnd"] = "12:45".into();
        input["validFrom"] = "2026-06-01".into();
        input["idempotencyKey"] = "tuesday".into();
        let entry = created(&doctor, input.clone()).await;
        assert_eq!(created(&doctor, input).await["id"], entry["id"]);
        assert_eq!(entry["practitioner"]["id"], doctor.membership().to_string());
        assert_eq!((&entry["timezone"], &entry["breakEnd"]), (&json!("Europe/Berlin"), &json!("12:45")));

        let change = json!({ "id": entry["id"], "expectedVersion": 1, "endTime": "24:00", "breakStart": null,
            "breakEnd": null, "validUntil": "2026-12-31" });
        let changed = doctor.ok(UPDATE, json!({ "input": change })).await["updateWeeklySchedule"]["weeklySchedule"].clone();
        assert_eq!((&changed["endTime"], &changed["breakStart"], &changed["version"]), (&json!("24:00"), &Json::Null, &json!(2)));
        assert_eq!(doctor.code(UPDATE, json!({ "input": change })).await, "STALE_VERSION");

        let of_owner = json!({ "practitionerId": owner.membership().to_string(), "weekday": "MONDAY",
            "startTime": "08:00", "endTime": "12:00" });
        created(&owner, of_owner).await;
        let list = "query($filter: WeeklyScheduleFilter) { weeklySchedules(filter: $filter) { totalCount nodes { weekday \
            practitioner { displayName } } } }";
        let all = owner.run(list, json!({})).await;
        assert_eq!(all.data["weeklySchedules"]["totalCount"], 2);
        assert!(all.statements <= 3, "{}", all.statements);
        for (filter, count) in [
            (json!({ "practitionerId": doctor.membership().to_string() }), 1),
            (json!({ "validOn": "2026-05-31" }), 1),
            (json!({ "validOn": "2026-12-31" }), 2),
            (json!({ "validOn": "2027-01-01" }), 1),
        ] {
            let found = owner.ok(list, json!({ "filter": filter })).await;
            assert_eq!(found["weeklySchedules"]["totalCount"], count, "{filter}");
        }
        let one = owner.ok("query($id: ID!) { weeklySchedule(id: $id) { weekday } node(id: $id) { id } }", json!({ "id": entry["id"] })).await;
        assert_eq!((&one["weeklySchedule"]["weekday"], &one["node"]["id"]), (&json!("TUESDAY"), &entry["id"]));
        let gone = json!({ "input": { "id": entry["id"], "expectedVersion": 2 } });
        assert_eq!(doctor.ok(DELETE, gone.clone()).await["deleteWeeklySchedule"]["deletedId"], entry["id"]);
        assert_eq!(doctor.code(DELETE, gone).await, "NOT_FOUND");
        let told = owner.ok("{ auditEvents(first: 4) { nodes { action } } }", json!({})).await.to_string();
        for action in ["schedule.created", "schedule.updated", "schedule.deleted"] {
            assert!(told.contains(action), "{told}");
        }
    }
}

on_both_engines! {
    async fn hours_that_nobody_can_work_are_refused(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        created(&owner, hours("MONDAY", "09:00", "12:00")).await;
        created(&owner, hours("MONDAY", "12:00", "15:00")).await;
        let with = |changes: Json| {
            let mut input = hours("FRIDAY", "09:00", "17:00");
            for (field, value) in changes.as_object().unwrap() {
                input[field] = value.clone();
            }
            input
        };
        for (input, path) in [
            (with(json!({ "endTime": "09:00" })), "endTime"),
            (with(json!({ "startTime": "18:00" })), "endTime"),
            (with(json!({ "breakStart": "12:00" })), "breakEnd"),
            (with(json!({ "breakEnd": "12:00" })), "breakStart"),
            (with(json!({ "breakStart": "13:00", "breakEnd": "12:00" })), "breakEnd"),
            (with(json!({ "breakStart": "08:30", "breakEnd": "09:30" })), "breakStart"),
            (with(json!({ "breakStart": "16:30", "breakEnd": "17:30" })), "breakStart"),
            (with(json!({ "validFrom": "2026-07-01", "validUntil": "2026-06-30" })), "validUntil"),
            (with(json!({ "timezone": "Mars/Olympus" })), "timezone"),
            (hours("MONDAY", "11:59", "12:01"), "startTime"),
            (hours("MONDAY", "08:00", "18:00"), "startTime"),
            (with(json!({ "locationId": "loc_00000000000000000000000000" })), "locationId"),
            (with(json!({ "practitionerId": "mem_00000000000000000000000000" })), "practitionerId"),
        ] {
            let answer = owner.run(CREATE, json!({ "input": input })).await;
            assert_eq!(answer.code(), "BAD_USER_INPUT", "{input}");
            assert_eq!(answer.errors[0]["extensions"]["fields"][0]["path"], json!(["input", path]), "{input}");
        }
        for time in ["9:00", "24:30", "noon"] {
            let answer = owner.run(CREATE, json!({ "input": with(json!({ "startTime": time })) })).await;
            assert_eq!(answer.code(), "BAD_USER_INPUT", "{time}");
        }
        // They may lie over each other where they do not hold together.
        let mut summer = hours("MONDAY", "09:00", "11:00");
        summer["validUntil"] = "2026-08-31".into();
        let entry = owner.ok("{ weeklySchedules(first: 1) { nodes { id version startTime } } }", json!({})).await;
        let entry = &entry["weeklySchedules"]["nodes"][0];
        assert_eq!(entry["startTime"], "09:00");
        let later = json!({ "id": entry["id"], "expectedVersion": 1, "validFrom": "2026-09-01" });
        owner.ok(UPDATE, json!({ "input": later })).await;
        created(&owner, summer).await;
        let back = json!({ "id": entry["id"], "expectedVersion": 2, "validFrom": null });
        assert_eq!(owner.code(UPDATE, json!({ "input": back })).await, "BAD_USER_INPUT");
    }
}

on_both_engines! {
    async fn everybody_keeps_the_own_hours_and_only_some_keep_those_of_others(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let doctor = app.member(owner.workspace(), Role::Doctor).await;
        let desk = app.member(owner.workspace(), Role::Staff).await;
        let lab = app.member(owner.workspace(), Role::LabTech).await;
        let own = created(&doctor, hours("MONDAY", "09:00", "12:00")).await;
        let mut of_owner = hours("MONDAY", "09:00", "12:00");
        of_owner["practitionerId"] = owner.membership().to_string().into();
        assert_eq!(doctor.code(CREATE, json!({ "input": of_owner })).await, "FORBIDDEN");
        assert_eq!(lab.code(CREATE, json!({ "input": hours("MONDAY", "09:00", "12:00") })).await, "FORBIDDEN");
        let foreign = created(&desk, of_owner).await;
        let later = |entry: &Json| json!({ "input": { "id": entry["id"], "expectedVersion": 1, "startTime": "10:00" } });
        assert_eq!(doctor.code(UPDATE, later(&foreign)).await, "FORBIDDEN");
        let gone = json!({ "input": { "id": foreign["id"], "expectedVersion": 1 } });
        assert_eq!(doctor.code(DELETE, gone).await, "FORBIDDEN");
        doctor.ok(UPDATE, later(&own)).await;
        desk.ok(UPDATE, later(&foreign)).await;
        let closed = json!({ "input": { "kind": "TIME_OFF", "firstDay": "2026-12-24", "lastDay": "2026-12-24" } });
        assert_eq!(doctor.code(EXCEPT, closed.clone()).await, "FORBIDDEN");
        desk.ok(EXCEPT, closed).await;
    }
}

on_both_engines! {
    async fn an_exception_is_given_in_days_or_in_instants(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let me = owner.membership().to_string();
        let except = async |input: Json| {
            owner.ok(EXCEPT, json!({ "input": input })).await["createScheduleException"]["scheduleException"].clone()
        };
        // Days of the zone that was meant, wherever on earth; the day on which the clocks change is shorter.
        for (zone, first, last, from, to) in [
            ("Europe/Berlin", "2026-08-03", "2026-08-14", "2026-08-02T22:00:00+00:00", "2026-08-14T22:00:00+00:00"),
            ("Europe/Berlin", "2027-03-28", "2027-03-28", "2027-03-27T23:00:00+00:00", "2027-03-28T22:00:00+00:00"),
            ("Pacific/Kiritimati", "2026-08-03", "2026-08-03", "2026-08-02T10:00:00+00:00", "2026-08-03T10:00:00+00:00"),
            ("Etc/GMT+12", "2026-08-03", "2026-08-03", "2026-08-03T12:00:00+00:00", "2026-08-04T12:00:00+00:00"),
            ("America/Santiago", "2026-09-06", "2026-09-06", "2026-09-06T04:00:00+00:00", "2026-09-07T03:00:00+00:00"),
        ] {
            let off = except(json!({ "practitionerId": me, "kind": "TIME_OFF", "reason": "VACATION", "timezone": zone,
                "firstDay": first, "lastDay": last })).await;
            assert_eq!((&off["startsAt"], &off["endsAt"]), (&json!(from), &json!(to)), "{zone}");
        }
        let extra = except(json!({ "practitionerId": me, "kind": "EXTRA_HOURS", "startsAt": "2026-08-08T08:00:00Z",
            "endsAt": "2026-08-08T12:00:00Z", "note": "Saturday clinic" })).await;
        assert_eq!(extra["timezone"], "Europe/Berlin");
        for (input, path) in [
            (json!({ "kind": "TIME_OFF" }), "startsAt"),
            (json!({ "kind": "TIME_OFF", "firstDay": "2026-08-03" }), "startsAt"),
            (json!({ "kind": "TIME_OFF", "firstDay": "2026-08-03", "lastDay": "2026-08-02" }), "endsAt"),
            (json!({ "kind": "TIME_OFF", "startsAt": "2026-08-03T08:00:00Z", "endsAt": "2026-08-03T08:00:00Z" }), "endsAt"),
            (json!({ "kind": "TIME_OFF", "firstDay": "2026-08-03", "lastDay": "2029-08-10" }), "endsAt"),
            (json!({ "kind": "EXTRA_HOURS", "firstDay": "2026-08-03", "lastDay": "2026-08-03" }), "practitionerId"),
            (json!({ "practitionerId": me, "kind": "EXTRA_HOURS", "firstDay": "2026-08-03", "lastDay": "2026-08-04" }), "endsAt"),
            (json!({ "practitionerId": me, "kind": "EXTRA_HOURS", "reason": "MEETING", "firstDay": "2026-08-03", "lastDay": "2026-08-03" }), "reason"),
        ] {
            let answer = owner.run(EXCEPT, json!({ "input": input })).await;
            assert_eq!(answer.code(), "BAD_USER_INPUT", "{input}");
            assert_eq!(answer.errors[0]["extensions"]["fields"][0]["path"], json!(["input", path]), "{input}");
        }
        let list = "query($filter: ScheduleExceptionFilter) { scheduleExceptions(filter: $filter) { totalCount } }";
        for (filter, count) in [
            (json!({}), 6),
            (json!({ "kind": "EXTRA_HOURS" }), 1),
            (json!({ "wholePractice": true }), 0),
            (json!({ "from": "2026-08-14T22:00:00Z" }), 2),
            (json!({ "to": "2026-08-02T22:00:00Z" }), 1),
        ] {
            let found = owner.ok(list, json!({ "filter": filter })).await;
            assert_eq!(found["scheduleExceptions"]["totalCount"], count, "{filter}");
        }
        let change = "mutation($input: UpdateScheduleExceptionInput!) { updateScheduleException(input: $input) { \
            scheduleException { startsAt endsAt version } } }";
        let moved = json!({ "input": { "id": extra["id"], "expectedVersion": 1, "startsAt": "2026-08-08T09:00:00Z",
            "endsAt": "2026-08-08T12:00:00Z" } });
        let moved = owner.ok(change, moved).await["updateScheduleException"]["scheduleException"].clone();
        assert_eq!(moved, json!({ "startsAt": "2026-08-08T09:00:00+00:00", "endsAt": "2026-08-08T12:00:00+00:00", "version": 2 }));
        let delete = "mutation($input: DeleteScheduleExceptionInput!) { deleteScheduleException(input: $input) { deletedId } }";
        owner.ok(delete, json!({ "input": { "id": extra["id"], "expectedVersion": 2 } })).await;
    }
}
