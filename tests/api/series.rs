//! Series: appointments by a rule.

use praxis::member::entity::Role;
use serde_json::{Value as Json, json};

use crate::appointment::Practice;
use crate::support::app::Client;
use crate::support::on_both_engines;

pub const BOOK: &str = "mutation($input: BookSeriesInput!) { bookSeries(input: $input) { \
    series { id rule timezone startsAtLocal exceptionDates until } \
    occurrences { startsAtLocal startsAt endsAt outcome problems appointment { id version seriesStartsAtLocal series { id } } \
        conflicts { resource appointment { id } } } } }";

impl Practice {
    pub fn series(&self, start: &str, rule: &str) -> Json {
        json!({ "patientId": self.ada.to_string(), "practitionerId": self.doctor.membership().to_string(),
            "serviceId": self.service, "startsAtLocal": start, "rule": rule, "onConflict": "FAIL_ALL" })
    }

    pub async fn book_series(&self, client: &Client, input: Json) -> Json {
        client.ok(BOOK, json!({ "input": input })).await["bookSeries"].clone()
    }

    pub async fn count(&self) -> u64 {
        self.owner.ok("{ appointments { totalCount } }", json!({})).await["appointments"]["totalCount"]
            .as_u64()
            .unwrap()
    }
}

/// One field of each occurrence.
fn each(booked: &Json, field: &str) -> Vec<String> {
    let occurrences = booked["occurrences"].as_array().unwrap();
    occurrences.iter().map(|one| one[field].as_str().unwrap_or_default().to_owned()).collect()
}

on_both_engines! {
    async fn nine_o_clock_stays_nine_o_clock_when_the_clocks_change(on: On) {
        let practice = Practice::new(on).await;
        let mut input = practice.series("2026-10-20T09:00", "FREQ=WEEKLY;COUNT=3");
        input["roomId"] = practice.room.clone();
        let booked = practice.book_series(&practice.desk, input).await;

        assert_eq!(each(&booked, "startsAt"),
            ["2026-10-20T07:00:00+00:00", "2026-10-27T08:00:00+00:00", "2026-11-03T08:00:00+00:00"]);
        assert_eq!(each(&booked, "endsAt")[1], "2026-10-27T08:30:00+00:00");
        assert_eq!(each(&booked, "outcome"), ["BOOKED"; 3]);
        assert_eq!(booked["series"]["timezone"], "Europe/Berlin");
        assert_eq!(booked["series"]["until"], "2026-11-03T08:30:00+00:00");
        let second = &booked["occurrences"][1]["appointment"];
        assert_eq!(second["seriesStartsAtLocal"], "2026-10-27T09:00");
        assert_eq!(second["series"]["id"], booked["series"]["id"]);
        // An occurrence is an appointment like any other.
        let found = practice.desk.ok(
            "query($id: ID!) { appointment(id: $id) { status timezone room { id } history { kind } } }",
            json!({ "id": second["id"] }),
        ).await;
        assert_eq!(found["appointment"], json!({ "status": "SCHEDULED", "timezone": "Europe/Berlin",
            "room": { "id": practice.room }, "history": [{ "kind": "BOOKED" }] }));
        let taken = practice.book(&practice.desk, practice.booking(practice.bob, "2026-10-27T08:15:00Z")).await;
        assert_eq!(taken["conflicts"][0]["appointment"]["id"], second["id"]);
    }
}

on_both_engines! {
    /// Where the clocks skip an occurrence it takes place an hour later; where they repeat it, the first time.
    async fn an_occurrence_in_a_gap_or_a_fold_takes_place_once(on: On) {
        let practice = Practice::new(on).await;
        let gap = practice.book_series(&practice.desk, practice.series("2027-03-27T02:30", "FREQ=DAILY;COUNT=3")).await;
        assert_eq!(each(&gap, "startsAt"),
            ["2027-03-27T01:30:00+00:00", "2027-03-28T01:30:00+00:00", "2027-03-29T00:30:00+00:00"]);
        let fold = practice.book_series(&practice.desk, practice.series("2026-10-24T02:30", "FREQ=DAILY;COUNT=3")).await;
        assert_eq!(each(&fold, "startsAt"),
            ["2026-10-24T00:30:00+00:00", "2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"]);
    }
}

on_both_engines! {
    async fn a_conflict_at_any_occurrence_is_found_and_nothing_is_booked(on: On) {
        let practice = Practice::new(on).await;
        // The fifth occurrence is taken, the eighth by the patient's own visit elsewhere.
        let fifth = practice.booked(practice.bob, "2026-06-30T07:00:00Z").await;
        let mut eighth = practice.booking(practice.ada, "2026-07-21T07:00:00Z");
        eighth["practitionerId"] = practice.owner.membership().to_string().into();
        practice.book(&practice.desk, eighth).await;
        let input = practice.series("2026-06-02T09:00", "FREQ=WEEKLY;COUNT=10");

        let booked = practice.book_series(&practice.desk, input).await;

        assert_eq!(booked["series"], Json::Null);
        let outcomes = each(&booked, "outcome");
        assert_eq!((outcomes[4].as_str(), outcomes[7].as_str()), ("CONFLICT", "CONFLICT"));
        assert_eq!(outcomes.iter().filter(|outcome| *outcome == "NOT_BOOKED").count(), 8);
        assert_eq!(booked["occurrences"][4]["conflicts"],
            json!([{ "resource": "PRACTITIONER", "appointment": { "id": fifth } }]));
        assert_eq!(booked["occurrences"][7]["conflicts"][0]["resource"], "PATIENT");
        assert_eq!(practice.count().await, 2);
    }
}

on_both_engines! {
    async fn what_cannot_be_booked_is_left_out_when_asked_and_listed(on: On) {
        let practice = Practice::new(on).await;
        practice.booked(practice.bob, "2026-06-16T07:00:00Z").await;
        let mut input = practice.series("2026-06-02T09:00", "FREQ=WEEKLY;COUNT=5");
        input["onConflict"] = "SKIP".into();
        input["exceptionDates"] = json!(["2026-06-09T09:00"]);
        input["idempotencyKey"] = "click-1".into();

        let booked = practice.book_series(&practice.desk, input.clone()).await;

        assert_eq!(each(&booked, "startsAtLocal"),
            ["2026-06-02T09:00", "2026-06-16T09:00", "2026-06-23T09:00", "2026-06-30T09:00"]);
        assert_eq!(each(&booked, "outcome"), ["BOOKED", "SKIPPED", "BOOKED", "BOOKED"]);
        assert_eq!(booked["series"]["exceptionDates"], json!(["2026-06-09T09:00", "2026-06-16T09:00"]));
        assert_eq!(practice.count().await, 4);
        // The same answer to the same request, and nothing booked twice.
        assert_eq!(practice.book_series(&practice.desk, input).await, booked);
        assert_eq!(practice.count().await, 4);
    }
}

on_both_engines! {
    async fn an_occurrence_in_the_past_is_a_problem_of_its_own(on: On) {
        let practice = Practice::new(on).await;
        // It is noon on 1 June in UTC.
        let mut input = practice.series("2026-06-01T09:00", "FREQ=DAILY;COUNT=2");
        let refused = practice.book_series(&practice.desk, input.clone()).await;
        assert_eq!(each(&refused, "outcome"), ["CONFLICT", "NOT_BOOKED"]);
        assert_eq!(refused["occurrences"][0]["problems"], json!(["The start is in the past."]));
        input["onConflict"] = "SKIP".into();
        let booked = practice.book_series(&practice.desk, input).await;
        assert_eq!(each(&booked, "outcome"), ["SKIPPED", "BOOKED"]);
    }
}

on_both_engines! {
    async fn a_rule_that_cannot_be_booked_is_refused_with_its_field(on: On) {
        let practice = Practice::new(on).await;
        for (field, value) in [
            ("rule", json!("FREQ=HOURLY;COUNT=3")),
            ("rule", json!("FREQ=DAILY;COUNT=733")),
            ("rule", json!("FREQ=DAILY;UNTIL=20350101")),
            ("rule", json!("weekly")),
            ("startsAtLocal", json!("2026-06-02T09:00:00Z")),
            ("startsAtLocal", json!("2026-06-03T09:00")),
            ("timezone", json!("Mars/Olympus")),
            ("durationMinutes", json!(481)),
            ("exceptionDates", json!(["tomorrow"])),
            ("exceptionDates", json!(vec!["2026-06-02T09:00"; 367])),
        ] {
            let mut input = practice.series("2026-06-02T09:00", "FREQ=WEEKLY;BYDAY=TU;COUNT=2");
            input[field] = value;
            let answer = practice.desk.run(BOOK, json!({ "input": input })).await;
            assert_eq!(answer.code(), "BAD_USER_INPUT", "{field}");
            assert_eq!(answer.errors[0]["extensions"]["fields"][0]["path"], json!(["input", field]), "{field}");
        }
        assert_eq!(practice.count().await, 0);
    }
}

on_both_engines! {
    async fn the_longest_series_is_booked_at_once(on: On) {
        let practice = Practice::new(on).await;
        let update = "mutation($input: UpdateServiceInput!) { updateService(input: $input) { service { id } } }";
        practice.owner
            .ok(update, json!({ "input": { "id": practice.service, "expectedVersion": 1, "maxAdvanceDays": 3_000 } })).await;
        let booked = practice.book_series(&practice.desk, practice.series("2026-06-02T09:00", "FREQ=DAILY;COUNT=732")).await;
        assert_eq!(each(&booked, "outcome"), vec!["BOOKED"; 732]);
        assert_eq!(practice.count().await, 732);
    }
}

on_both_engines! {
    async fn two_series_at_once_never_overlap(on: On) {
        let practice = Practice::new(on).await;
        let second = practice.app.another_node().await;
        let mut tasks = tokio::task::JoinSet::new();
        for turn in 0..6 {
            let actor = practice.desk.actor.as_deref().cloned();
            let client = if turn % 2 == 0 { practice.app.client(actor) } else { second.client(actor) };
            let mut input = practice.series("2026-06-02T09:00", "FREQ=DAILY;COUNT=20");
            if turn % 2 == 0 {
                input["patientId"] = practice.bob.to_string().into();
            }
            tasks.spawn(async move { client.ok(BOOK, json!({ "input": input })).await });
        }
        let mut booked = 0;
        while let Some(answer) = tasks.join_next().await {
            booked += u32::from(!answer.unwrap()["bookSeries"]["series"].is_null());
        }
        assert_eq!((booked, practice.count().await), (1, 20));
    }
}

on_both_engines! {
    async fn a_patient_books_a_series_for_themselves_only(on: On) {
        let practice = Practice::new(on).await;
        let bob = practice.as_patient(practice.bob).await;
        let input = practice.series("2026-06-02T09:00", "FREQ=DAILY;COUNT=2");
        assert_eq!(bob.code(BOOK, json!({ "input": input })).await, "BAD_USER_INPUT");
        let lab = practice.app.member(practice.owner.workspace(), Role::LabTech).await;
        assert_eq!(lab.code(BOOK, json!({ "input": input })).await, "FORBIDDEN");
        let ada = practice.as_patient(practice.ada).await;
        assert_eq!(each(&practice.book_series(&ada, input).await, "outcome"), ["BOOKED"; 2]);
    }
}

const MOVE: &str = "mutation($input: RescheduleAppointmentInput!) { rescheduleAppointment(input: $input) { __typename \
    ... on AppointmentRescheduled { appointment { id version startsAt series { id rule startsAtLocal exceptionDates } } \
        others { id startsAt } } \
    ... on AppointmentConflict { obstacles conflicts { resource startsAt appointment { id } } } } }";
const CANCEL: &str = "mutation($input: CancelAppointmentInput!) { cancelAppointment(input: $input) { appointment { status } \
    others { id status } } }";
const ALL: &str = "query($filter: AppointmentFilter) { appointments(first: 100, filter: $filter) { nodes { id version status \
    startsAt endsAt seriesStartsAtLocal series { id rule startsAtLocal exceptionDates until } } } }";

/// Ids and versions of the occurrences, by start.
fn ids(booked: &Json) -> Vec<Json> {
    let occurrences = booked["occurrences"].as_array().unwrap();
    occurrences.iter().map(|one| one["appointment"]["id"].clone()).collect()
}

impl Practice {
    async fn weekly(&self, count: usize) -> Vec<Json> {
        // Tuesdays at nine in Berlin: 07:00 in UTC.
        let rule = format!("FREQ=WEEKLY;BYDAY=TU;COUNT={count}");
        ids(&self.book_series(&self.desk, self.series("2026-06-02T09:00", &rule)).await)
    }

    async fn occurrences(&self) -> Vec<Json> {
        let filter = json!({ "filter": { "patientId": self.ada.to_string() } });
        self.owner.ok(ALL, filter).await["appointments"]["nodes"].as_array().unwrap().clone()
    }

    async fn move_to(&self, id: &Json, version: i32, start: &str, scope: &str) -> Json {
        let input = json!({ "id": id, "expectedVersion": version, "startsAt": start, "scope": scope });
        self.desk.ok(MOVE, json!({ "input": input })).await["rescheduleAppointment"].clone()
    }

    async fn cancel_from(
        &self,
        client: &Client,
        id: &Json,
        version: i32,
        scope: &str,
    ) -> Result<Json, String> {
        let input = json!({ "id": id, "expectedVersion": version, "scope": scope });
        let answer = client.run(CANCEL, json!({ "input": input })).await;
        if answer.errors.is_empty() {
            Ok(answer.data["cancelAppointment"].clone())
        } else {
            Err(answer.code())
        }
    }
}

fn field(occurrences: &[Json], name: &str) -> Vec<String> {
    occurrences.iter().map(|one| one[name].as_str().unwrap_or_default().to_owned()).collect()
}

on_both_engines! {
    async fn changing_one_occurrence_leaves_the_series_as_it_is(on: On) {
        let practice = Practice::new(on).await;
        let ids = practice.weekly(4).await;
        let moved = practice.move_to(&ids[1], 1, "2026-06-10T12:00:00Z", "THIS").await;
        assert_eq!(moved["others"], json!([]));
        practice.step(&practice.desk, "confirmAppointment", &ids[2], 1).await.unwrap();
        practice.step(&practice.desk, "cancelAppointment", &ids[3], 1).await.unwrap();

        let all = practice.occurrences().await;
        assert_eq!(field(&all, "status"), ["SCHEDULED", "SCHEDULED", "CONFIRMED", "CANCELLED"]);
        assert_eq!(field(&all, "startsAt")[..3],
            ["2026-06-02T07:00:00+00:00", "2026-06-10T12:00:00+00:00", "2026-06-16T07:00:00+00:00"]);
        // The moved one remembers where the series had it.
        assert_eq!(field(&all, "seriesStartsAtLocal")[1], "2026-06-09T09:00");
        assert!(all.iter().all(|one| one["series"]["rule"] == "FREQ=WEEKLY;COUNT=4;BYDAY=TU"), "{all:?}");
    }
}

on_both_engines! {
    async fn this_and_following_move_by_as_much_and_the_series_splits(on: On) {
        let practice = Practice::new(on).await;
        let ids = practice.weekly(5).await;
        // One that was moved alone keeps its own time, a cancelled one stays cancelled.
        practice.move_to(&ids[3], 1, "2026-06-24T12:00:00Z", "THIS").await;
        practice.step(&practice.desk, "cancelAppointment", &ids[4], 1).await.unwrap();

        // From Tuesday at nine to Wednesday at half past ten, on the wall in Berlin.
        let moved = practice.move_to(&ids[2], 1, "2026-06-17T08:30:00Z", "THIS_AND_FOLLOWING").await;

        assert_eq!(moved["__typename"], "AppointmentRescheduled", "{moved}");
        assert_eq!(moved["others"], json!([{ "id": ids[3], "startsAt": "2026-06-24T12:00:00+00:00" }]));
        assert_eq!(moved["appointment"]["series"]["rule"], "FREQ=WEEKLY;COUNT=3;BYDAY=WE");
        assert_eq!(moved["appointment"]["series"]["startsAtLocal"], "2026-06-17T10:30");
        assert_eq!(moved["appointment"]["series"]["exceptionDates"], json!(["2026-07-01T10:30"]));
        let all = practice.occurrences().await;
        assert_eq!(field(&all, "startsAt"), ["2026-06-02T07:00:00+00:00", "2026-06-09T07:00:00+00:00",
            "2026-06-17T08:30:00+00:00", "2026-06-24T12:00:00+00:00", "2026-06-30T07:00:00+00:00"]);
        assert_eq!(field(&all, "seriesStartsAtLocal"), ["2026-06-02T09:00", "2026-06-09T09:00", "2026-06-17T10:30",
            "2026-06-24T10:30", "2026-06-30T09:00"]);
        assert_eq!(all[0]["series"]["rule"], "FREQ=WEEKLY;UNTIL=20260616T085900;BYDAY=TU");
        assert_eq!(all[0]["series"]["id"], all[1]["series"]["id"]);
        assert_ne!(all[1]["series"]["id"], all[2]["series"]["id"]);
        // The old time is free, the new one is taken.
        practice.booked(practice.bob, "2026-06-16T07:00:00Z").await;
        let taken = practice.book(&practice.desk, practice.booking(practice.bob, "2026-06-17T08:45:00Z")).await;
        assert_eq!(taken["conflicts"][0]["appointment"]["id"], ids[2]);
    }
}

on_both_engines! {
    async fn all_future_touches_nothing_that_has_begun(on: On) {
        let practice = Practice::new(on).await;
        let ids = practice.weekly(4).await;
        // The first is over, the second is under way, by 10 June.
        practice.app.app.clock.advance(std::time::Duration::from_secs(8 * 24 * 3_600));
        practice.step(&practice.desk, "startAppointment", &ids[0], 1).await.unwrap();
        practice.step(&practice.desk, "completeAppointment", &ids[0], 2).await.unwrap();
        practice.step(&practice.desk, "startAppointment", &ids[1], 1).await.unwrap();

        let moved = practice.move_to(&ids[3], 1, "2026-06-23T13:00:00Z", "ALL_FUTURE").await;

        assert_eq!(moved["__typename"], "AppointmentRescheduled", "{moved}");
        let all = practice.occurrences().await;
        assert_eq!(field(&all, "startsAt"), ["2026-06-02T07:00:00+00:00", "2026-06-09T07:00:00+00:00",
            "2026-06-16T13:00:00+00:00", "2026-06-23T13:00:00+00:00"]);
        assert_eq!(field(&all, "status"), ["COMPLETED", "IN_PROGRESS", "SCHEDULED", "SCHEDULED"]);
        // An hour on, by the next day: the first of the new series is moved again, as a whole.
        let again = practice.move_to(&ids[2], 2, "2026-06-17T13:00:00Z", "ALL_FUTURE").await;
        assert_eq!(again["appointment"]["series"]["startsAtLocal"], "2026-06-17T15:00");
        let gone = practice.cancel_from(&practice.desk, &ids[3], 3, "ALL_FUTURE").await.unwrap();
        assert_eq!(gone["others"], json!([{ "id": ids[2], "status": "CANCELLED" }]));
        let all = practice.occurrences().await;
        assert_eq!(field(&all, "status"), ["COMPLETED", "IN_PROGRESS", "CANCELLED", "CANCELLED"]);
        let refused = practice.cancel_from(&practice.desk, &ids[1], 2, "ALL_FUTURE").await;
        assert_eq!(refused, Err("CONFLICT".into()));
    }
}

on_both_engines! {
    async fn cancelling_from_here_on_ends_the_series_before(on: On) {
        let practice = Practice::new(on).await;
        let ids = practice.weekly(4).await;
        let gone = practice.cancel_from(&practice.desk, &ids[2], 1, "THIS_AND_FOLLOWING").await.unwrap();
        assert_eq!(gone["appointment"]["status"], "CANCELLED");
        assert_eq!(gone["others"], json!([{ "id": ids[3], "status": "CANCELLED" }]));
        let all = practice.occurrences().await;
        assert_eq!(field(&all, "status"), ["SCHEDULED", "SCHEDULED", "CANCELLED", "CANCELLED"]);
        assert_eq!(all[0]["series"]["rule"], "FREQ=WEEKLY;UNTIL=20260616T085900;BYDAY=TU");
        assert_eq!(all[0]["series"]["until"], "2026-06-09T07:30:00+00:00");
        practice.booked(practice.bob, "2026-06-23T07:00:00Z").await;

        let alone = practice.booked(practice.bob, "2026-06-23T15:00:00Z").await;
        assert_eq!(practice.cancel_from(&practice.desk, &alone, 1, "ALL_FUTURE").await, Err("BAD_USER_INPUT".into()));
        let bob = practice.as_patient(practice.bob).await;
        assert_eq!(practice.cancel_from(&bob, &ids[0], 1, "ALL_FUTURE").await, Err("NOT_FOUND".into()));
        let ada = practice.as_patient(practice.ada).await;
        practice.cancel_from(&ada, &ids[0], 1, "ALL_FUTURE").await.unwrap();
    }
}

on_both_engines! {
    async fn a_conflict_of_any_occurrence_keeps_all_of_them_where_they_are(on: On) {
        let practice = Practice::new(on).await;
        let ids = practice.weekly(4).await;
        let other = practice.booked(practice.bob, "2026-06-23T13:15:00Z").await;
        let before = practice.occurrences().await;

        let refused = practice.move_to(&ids[1], 1, "2026-06-09T13:00:00Z", "THIS_AND_FOLLOWING").await;

        assert_eq!(refused["__typename"], "AppointmentConflict");
        assert_eq!(refused["conflicts"].as_array().unwrap().len(), 1);
        assert_eq!(refused["conflicts"][0]["appointment"]["id"], other);
        assert_eq!(practice.occurrences().await, before);
        // A quarter of an hour later overlaps only themselves.
        let moved = practice.move_to(&ids[1], 1, "2026-06-09T07:15:00Z", "THIS_AND_FOLLOWING").await;
        assert_eq!(moved["__typename"], "AppointmentRescheduled", "{moved}");
        let stale = json!({ "input": { "id": ids[1], "expectedVersion": 1, "startsAt": "2026-06-09T13:00:00Z",
            "scope": "THIS_AND_FOLLOWING" } });
        assert_eq!(practice.desk.code(MOVE, stale).await, "STALE_VERSION");
    }
}

on_both_engines! {
    async fn a_series_moved_by_a_day_follows_the_clocks_and_only_where_its_rule_can(on: On) {
        let practice = Practice::new(on).await;
        let daily = practice.series("2026-10-22T09:00", "FREQ=DAILY;COUNT=5");
        let daily = ids(&practice.book_series(&practice.desk, daily).await);
        // One day later each: the occurrence of the 24th goes to the 25th, when the clocks go back.
        let moved = practice.move_to(&daily[1], 1, "2026-10-24T07:00:00Z", "THIS_AND_FOLLOWING").await;
        assert_eq!(moved["__typename"], "AppointmentRescheduled", "{moved}");
        let all = practice.occurrences().await;
        assert_eq!(field(&all, "startsAt"), ["2026-10-22T07:00:00+00:00", "2026-10-24T07:00:00+00:00",
            "2026-10-25T08:00:00+00:00", "2026-10-26T08:00:00+00:00", "2026-10-27T08:00:00+00:00"]);

        let mut monthly = practice.series("2026-11-01T09:00", "FREQ=MONTHLY;BYMONTHDAY=1;COUNT=3");
        monthly["patientId"] = practice.bob.to_string().into();
        let monthly = ids(&practice.book_series(&practice.desk, monthly).await);
        let to = |start: &str| json!({ "input": { "id": monthly[0], "expectedVersion": 1, "startsAt": start,
            "scope": "ALL_FUTURE" } });
        assert_eq!(practice.desk.code(MOVE, to("2026-11-02T08:00:00Z")).await, "BAD_USER_INPUT");
        let later = practice.desk.ok(MOVE, to("2026-11-01T09:00:00Z")).await["rescheduleAppointment"].clone();
        assert_eq!(later["appointment"]["series"]["startsAtLocal"], "2026-11-01T10:00");
    }
}

on_both_engines! {
    async fn a_series_that_cannot_be_moved_is_told_where_all_of_it_can_go(on: On) {
        let practice = Practice::new(on).await;
        let ids = practice.weekly(4).await;
        practice.booked(practice.bob, "2026-06-23T13:15:00Z").await;
        let document = "mutation($input: RescheduleAppointmentInput!) { rescheduleAppointment(input: $input) { __typename \
            ... on AppointmentConflict { alternatives { startsAt endsAt options { practitioner { id } } } } } }";
        let to = json!({ "input": { "id": ids[1], "expectedVersion": 1, "startsAt": "2026-06-09T13:00:00Z",
            "scope": "THIS_AND_FOLLOWING" } });

        let refused = practice.desk.ok(document, to).await["rescheduleAppointment"].clone();

        let found = refused["alternatives"].as_array().unwrap().clone();
        let starts: Vec<&str> = found.iter().map(|slot| slot["startsAt"].as_str().unwrap()).collect();
        // The ninth is free from one o'clock on; the 23rd only from the end of the buffer after the other patient on.
        assert_eq!(starts[..4], ["2026-06-09T14:00:00+00:00", "2026-06-09T14:15:00+00:00", "2026-06-09T14:30:00+00:00",
            "2026-06-09T22:00:00+00:00"]);
        assert_eq!(starts.len(), 10);
        assert_eq!(found[0]["endsAt"], "2026-06-09T14:30:00+00:00");
        assert_eq!(found[0]["options"], json!([{ "practitioner": { "id": practice.doctor.membership().to_string() } }]));
        // Each of them is meant: on another day as well.
        for (version, start) in [(1, starts[0]), (2, starts[9])] {
            let moved = practice.move_to(&ids[1], version, start, "THIS_AND_FOLLOWING").await;
            assert_eq!(moved["__typename"], "AppointmentRescheduled", "{start}: {moved}");
        }
    }
}

on_both_engines! {
    async fn how_far_ahead_can_be_booked_is_asked_of_the_first_occurrence_and_of_a_patient_of_each(on: On) {
        let practice = Practice::new(on).await;
        let update = "mutation($input: UpdateServiceInput!) { updateService(input: $input) { service { id } } }";
        let limit = json!({ "input": { "id": practice.service, "expectedVersion": 1, "maxAdvanceDays": 30 } });
        practice.owner.ok(update, limit).await;
        let bob = practice.as_patient(practice.bob).await;
        let mut own = practice.series("2026-06-03T09:00", "FREQ=WEEKLY;COUNT=6");
        own["patientId"] = practice.bob.to_string().into();
        let refused = practice.book_series(&bob, own).await;
        // The thirtieth day from the first of June is the first of July.
        assert_eq!(each(&refused, "outcome"), ["NOT_BOOKED", "NOT_BOOKED", "NOT_BOOKED", "NOT_BOOKED", "NOT_BOOKED", "CONFLICT"]);
        assert_eq!(refused["occurrences"][5]["problems"], json!(["This is too far ahead to be booked."]));

        let booked = practice.book_series(&practice.desk, practice.series("2026-06-03T09:00", "FREQ=WEEKLY;COUNT=10")).await;
        assert_eq!(each(&booked, "outcome"), vec!["BOOKED"; 10]);
        // One that begins too far ahead is none, whatever is left out.
        let mut late = practice.series("2026-07-02T09:00", "FREQ=WEEKLY;COUNT=3");
        late["onConflict"] = "SKIP".into();
        let refused = practice.book_series(&practice.desk, late).await;
        assert_eq!(each(&refused, "outcome"), vec!["CONFLICT"; 3]);
        // The same when it is moved.
        let id = ids(&booked)[1].clone();
        let moved = practice.move_to(&id, 1, "2026-06-10T13:00:00Z", "THIS_AND_FOLLOWING").await;
        assert_eq!(moved["__typename"], "AppointmentRescheduled", "{moved}");
        let moved = practice.move_to(&id, 2, "2026-07-08T13:00:00Z", "THIS_AND_FOLLOWING").await;
        assert_eq!(moved["__typename"], "AppointmentConflict", "{moved}");
    }
}
