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
