//! The calendar of a week, and the statistics.

use praxis::member::entity::Role;
use serde_json::{Value as Json, json};

use super::{BOOK, Clinic};
use crate::support::on_both_engines;

const CALENDAR: &str = "query($from: DateTime!, $to: DateTime!, $who: [ID!], $at: [ID!]) { \
    calendar(from: $from, to: $to, practitionerIds: $who, locationIds: $at) { timezone closings { startsAt note } \
    practitioners { practitioner { id } hasSchedule workingMinutes bookedMinutes \
        workingHours { startsAt endsAt location { name } } exceptions { kind reason startsAt } \
        holds { startsAt } appointments { startsAt patient { lastName } service { name } room { name } location { name } } } } }";

fn of<'a>(calendar: &'a Json, who: &crate::support::app::Client) -> &'a Json {
    let id = json!(who.membership().to_string());
    calendar["practitioners"].as_array().unwrap().iter().find(|own| own["practitioner"]["id"] == id).unwrap()
}

on_both_engines! {
    async fn a_week_of_the_clinic_shows_hours_absences_and_appointments_in_few_statements(on: On) {
        let clinic = Clinic::new(on).await;
        let house = clinic.create("createLocation", "location", json!({ "name": "House" })).await;
        let service = clinic.service(json!({ "name": "Talk" })).await;
        clinic.hours(&clinic.doctor, "09:00", "12:00", json!({ "locationId": house })).await;
        clinic.hours(&clinic.doctor, "12:00", "13:00", json!({ "locationId": house })).await;
        clinic.hours(&clinic.other, "09:00", "10:00", json!({})).await;
        clinic.away(Some(&clinic.doctor), "2026-06-03T10:00:00Z", "2026-06-05T00:00:00Z").await;
        clinic.away(None, "2026-06-06T00:00:00Z", "2026-06-07T00:00:00Z").await;
        for start in ["2026-06-02T09:00:00Z", "2026-06-02T10:00:00Z", "2026-06-05T09:00:00Z"] {
            clinic.booked(clinic.booking(&service, start)).await;
        }
        let hold = "mutation($input: HoldSlotInput!) { holdSlot(input: $input) { __typename } }";
        let input = json!({ "practitionerId": clinic.doctor.membership().to_string(), "serviceId": service, "startsAt": "2026-06-02T11:00:00Z" });
        clinic.desk.ok(hold, json!({ "input": input })).await;
        let week = json!({ "from": "2026-06-01T00:00:00Z", "to": "2026-06-08T00:00:00Z" });
        let cold = clinic.app.another_node().await.client(clinic.desk.actor.as_deref().cloned());
        let answer = cold.run(CALENDAR, week.clone()).await;
        assert!(answer.errors.is_empty(), "{:?}", answer.errors);
        let calendar = &answer.data["calendar"];
        let own = of(calendar, &clinic.doctor);
        let hours = own["workingHours"].as_array().unwrap();
        // Seven days less one and a half of absence and the holiday; what touches is one stretch.
        assert_eq!(hours.len(), 5, "{hours:?}");
        assert_eq!(hours[0], json!({ "startsAt": "2026-06-01T09:00:00+00:00", "endsAt": "2026-06-01T13:00:00+00:00", "location": { "name": "House" } }));
        assert_eq!(hours[2]["endsAt"], "2026-06-03T10:00:00+00:00");
        assert_eq!((&own["workingMinutes"], &own["bookedMinutes"]), (&json!(4 * 240 + 60), &json!(90)));
        assert_eq!(own["exceptions"].as_array().unwrap().len(), 1);
        assert_eq!(own["appointments"].as_array().unwrap().len(), 3);
        assert_eq!(own["appointments"][0]["patient"]["lastName"], "North");
        assert_eq!(own["appointments"][0]["service"]["name"], "Talk");
        assert_eq!(own["holds"], json!([{ "startsAt": "2026-06-02T11:00:00+00:00" }]));
        assert_eq!(calendar["closings"].as_array().unwrap().len(), 1);
        let of_owner = of(calendar, &clinic.owner);
        assert_eq!((&of_owner["hasSchedule"], of_owner["workingHours"].as_array().unwrap().len()), (&json!(false), 2));

        // Twice as many people and appointments take no more statements.
        for number in 0..3 {
            let who = clinic.app.member(clinic.owner.workspace(), Role::Doctor).await;
            clinic.hours(&who, "09:00", "12:00", json!({})).await;
            let patient = clinic.app.patient(&clinic.owner, "Pat", &format!("Ient{number}")).await;
            let mut input = clinic.booking(&service, "2026-06-02T09:00:00Z");
            input["practitionerId"] = who.membership().to_string().into();
            input["patientId"] = patient.to_string().into();
            clinic.booked(input).await;
        }
        let cold = clinic.app.another_node().await.client(clinic.desk.actor.as_deref().cloned());
        let more = cold.run(CALENDAR, week.clone()).await;
        assert_eq!(more.data["calendar"]["practitioners"].as_array().unwrap().len(), 6);
        assert_eq!(more.statements, answer.statements);
        assert!(answer.statements <= 10, "{}", answer.statements);

        // One place, one practitioner.
        let mut there = week.clone();
        there["at"] = json!([house]);
        let there = clinic.desk.ok(CALENDAR, there).await["calendar"].clone();
        assert_eq!(of(&there, &clinic.doctor)["workingHours"].as_array().unwrap().len(), 5);
        let mut one = week.clone();
        one["who"] = json!([clinic.other.membership().to_string()]);
        let one = clinic.desk.ok(CALENDAR, one).await["calendar"].clone();
        assert_eq!(one["practitioners"].as_array().unwrap().len(), 1);
        let long = json!({ "from": "2026-06-01T00:00:00Z", "to": "2026-07-13T00:00:01Z" });
        assert_eq!(clinic.desk.code(CALENDAR, long).await, "BAD_USER_INPUT");
        let mut strange = week;
        strange["who"] = json!(["mem_00000000000000000000000000"]);
        assert_eq!(clinic.desk.code(CALENDAR, strange).await, "BAD_USER_INPUT");
    }
}

on_both_engines! {
    async fn statistics_count_outcomes_and_the_use_of_working_time(on: On) {
        let clinic = Clinic::new(on).await;
        let service = clinic.service(json!({ "durationMinutes": 60 })).await;
        clinic.hours(&clinic.doctor, "09:00", "13:00", json!({ "weekday": "TUESDAY" })).await;
        let mut ids = Vec::new();
        for hour in 9..13 {
            let input = clinic.booking(&service, &format!("2026-06-02T{hour:02}:00:00Z"));
            ids.push(clinic.booked(input).await["id"].clone());
        }
        let mut other = clinic.booking(&service, "2026-06-03T09:00:00Z");
        other["practitionerId"] = clinic.other.membership().to_string().into();
        other["appointmentType"] = "PROCEDURE".into();
        clinic.booked(other).await;
        let step = async |mutation: &str, id: &Json, version: i32| {
            let input = if mutation == "cancelAppointment" { "CancelAppointmentInput" } else { "AppointmentStatusInput" };
            let document = format!("mutation($input: {input}!) {{ {mutation}(input: $input) {{ appointment {{ id }} }} }}");
            clinic.desk.ok(&document, json!({ "input": { "id": id, "expectedVersion": version } })).await;
        };
        clinic.app.app.clock.advance(std::time::Duration::from_secs(24 * 3_600));
        step("cancelAppointment", &ids[3], 1).await;
        step("markNoShow", &ids[0], 1).await;
        for id in &ids[1..3] {
            step("startAppointment", id, 1).await;
            step("completeAppointment", id, 2).await;
        }
        let query = "query($from: DateTime!, $to: DateTime!, $filter: StatisticsFilter) { appointmentStatistics(from: $from, \
            to: $to, filter: $filter) { total noShowRate cancellationRate lateCancellations bookedMinutes workingMinutes utilisation \
            byStatus { status count } byType { appointmentType count } byPractitioner { total workingMinutes bookedMinutes \
            utilisation noShowRate practitioner { id } } } }";
        let june = json!({ "from": "2026-06-01T00:00:00Z", "to": "2026-06-08T00:00:00Z" });
        let answer = clinic.desk.run(query, june.clone()).await;
        assert!(answer.errors.is_empty(), "{:?}", answer.errors);
        let all = &answer.data["appointmentStatistics"];
        assert_eq!((&all["total"], &all["noShowRate"], &all["cancellationRate"]), (&json!(5), &json!(1.0 / 3.0), &json!(0.2)));
        assert_eq!((&all["bookedMinutes"], &all["workingMinutes"], &all["utilisation"]), (&json!(180), &json!(240), &json!(0.5)));
        assert_eq!(all["lateCancellations"], 1);
        let status = |name: &str| all["byStatus"].as_array().unwrap().iter().find(|row| row["status"] == name).unwrap()["count"].clone();
        assert_eq!((status("COMPLETED"), status("NO_SHOW"), status("CANCELLED"), status("CONFIRMED")), (json!(2), json!(1), json!(1), json!(0)));
        let kinds = all["byType"].as_array().unwrap();
        assert!(kinds.contains(&json!({ "appointmentType": "PROCEDURE", "count": 1 })), "{kinds:?}");
        let own = all["byPractitioner"].as_array().unwrap().iter().find(|row| row["practitioner"]["id"] == clinic.other.membership().to_string()).unwrap();
        assert_eq!((&own["total"], &own["workingMinutes"], &own["utilisation"]), (&json!(1), &Json::Null, &Json::Null));
        assert!(answer.statements <= 6, "{}", answer.statements);
        let mut filtered = june;
        filtered["filter"] = json!({ "practitionerIds": [clinic.other.membership().to_string()], "serviceIds": [service] });
        assert_eq!(clinic.desk.ok(query, filtered).await["appointmentStatistics"]["total"], 1);
        let long = json!({ "from": "2026-01-01T00:00:00Z", "to": "2027-01-02T00:00:01Z" });
        assert_eq!(clinic.desk.code(query, long).await, "BAD_USER_INPUT");
        let lab = clinic.app.member(clinic.owner.workspace(), Role::LabTech).await;
        let week = json!({ "from": "2026-06-01T00:00:00Z", "to": "2026-06-08T00:00:00Z" });
        assert_eq!(lab.code(query, week).await, "FORBIDDEN");
    }
}

on_both_engines! {
    async fn what_is_booked_without_a_service_blocks_all_and_a_limit_of_one_service_only_that(on: On) {
        let clinic = Clinic::new(on).await;
        let (one, two) = (clinic.service(json!({ "dailyLimit": 1 })).await, clinic.service(json!({ "durationMinutes": 15 })).await);
        let mut plain = clinic.booking(&one, "2026-06-02T09:00:00Z");
        plain.as_object_mut().unwrap().remove("serviceId");
        plain["endsAt"] = "2026-06-02T10:00:00Z".into();
        clinic.booked(plain).await;
        for service in [&one, &two] {
            let mut input = clinic.booking(service, "2026-06-02T09:30:00Z");
            input["patientId"] = clinic.bob.to_string().into();
            assert_eq!(clinic.refused(input).await["conflicts"][0]["resource"], "PRACTITIONER");
        }
        clinic.booked(clinic.booking(&one, "2026-06-02T11:00:00Z")).await;
        assert_eq!(clinic.refused(clinic.booking(&one, "2026-06-02T12:00:00Z")).await["obstacles"], json!(["DAILY_LIMIT"]));
        clinic.booked(clinic.booking(&two, "2026-06-02T12:00:00Z")).await;
        // A member's own limit counts everything.
        let limit = "mutation($input: UpdateMemberInput!) { updateMember(input: $input) { member { dailyLimit } } }";
        let input = json!({ "id": clinic.doctor.membership().to_string(), "expectedVersion": 1, "dailyLimit": 3 });
        clinic.owner.ok(limit, json!({ "input": input })).await;
        assert_eq!(clinic.refused(clinic.booking(&two, "2026-06-02T15:00:00Z")).await["obstacles"], json!(["DAILY_LIMIT"]));
        let answer = clinic.owner.run(BOOK, json!({ "input": { "patientId": clinic.ada.to_string(), "serviceId": two,
            "practitionerId": clinic.doctor.membership().to_string(), "startsAt": "2026-06-02T15:00:00Z", "overrideReason": "One more" } })).await;
        assert_eq!(answer.data["bookAppointment"]["__typename"], "AppointmentBooked");
    }
}

on_both_engines! {
    async fn a_week_of_thirty_practitioners_is_one_query(on: On) {
        let clinic = Clinic::new(on).await;
        let mut everybody = Vec::new();
        for number in 0..30 {
            let who = clinic.app.member(clinic.owner.workspace(), Role::Doctor).await;
            let hours = json!({ "weekday": "TUESDAY" });
            clinic.hours(&who, "09:00", "17:00", hours).await;
            if number < 3 {
                let patient = clinic.app.patient(&clinic.owner, "Pat", &format!("Ient{number}")).await;
                let input = json!({ "patientId": patient.to_string(), "practitionerId": who.membership().to_string(),
                    "startsAt": "2026-06-02T10:00:00Z", "endsAt": "2026-06-02T10:30:00Z" });
                clinic.booked(input).await;
            }
            everybody.push(who.membership().to_string());
        }
        // Whoever is named counts, and whoever is not.
        let week = json!({ "from": "2026-06-01T00:00:00Z", "to": "2026-06-08T00:00:00Z" });
        let mut named = week.clone();
        named["who"] = json!(everybody);
        for (variables, count) in [(named, 30), (week, 33)] {
            let answer = clinic.desk.run(CALENDAR, variables).await;
            assert!(answer.errors.is_empty(), "{:?}", answer.errors);
            let calendars = answer.data["calendar"]["practitioners"].as_array().unwrap();
            assert_eq!(calendars.len(), count);
            let booked = calendars.iter().map(|own| own["appointments"].as_array().unwrap().len()).sum::<usize>();
            assert_eq!(booked, 3);
            assert!(answer.statements <= 10, "{}", answer.statements);
        }
    }
}

on_both_engines! {
    /// B33: October of 2026 lies in six weeks of a grid, and its 25th has 25 hours in Berlin.
    async fn a_month_in_six_weeks_with_a_day_of_25_hours_shows_every_occurrence(on: On) {
        let clinic = Clinic::new(on).await;
        clinic.hours(&clinic.doctor, "00:00", "24:00", json!({ "timezone": "Europe/Berlin" })).await;
        let series = json!({ "patientId": clinic.ada.to_string(), "practitionerId": clinic.doctor.membership().to_string(),
            "startsAtLocal": "2026-09-28T09:00", "durationMinutes": 30, "rule": "FREQ=DAILY;COUNT=42", "onConflict": "FAIL_ALL" });
        clinic.desk.ok(crate::series::BOOK, json!({ "input": series })).await;
        // From midnight to midnight on the wall: an hour more than 42 days of 24 hours, of which the last is the next grid's.
        let grid = json!({ "from": "2026-09-27T22:00:00Z", "to": "2026-11-08T22:00:00Z" });
        let calendar = clinic.desk.ok(CALENDAR, grid).await["calendar"].clone();
        let own = of(&calendar, &clinic.doctor);
        let starts: Vec<&str> =
            own["appointments"].as_array().unwrap().iter().map(|one| one["startsAt"].as_str().unwrap()).collect();
        assert_eq!(starts.len(), 42);
        assert_eq!((starts[26], starts[27]), ("2026-10-24T07:00:00+00:00", "2026-10-25T08:00:00+00:00"));
        assert_eq!((&own["workingMinutes"], &own["bookedMinutes"]), (&json!(42 * 1_440), &json!(42 * 30)));
    }
}

on_both_engines! {
    /// B11.
    async fn a_day_that_is_full_is_not_listed_and_the_next_one_is(on: On) {
        let clinic = Clinic::new(on).await;
        clinic.hours(&clinic.doctor, "09:00", "11:00", json!({})).await;
        let service = clinic.service(json!({ "dailyLimit": 2 })).await;
        let days = json!({ "serviceId": service, "to": "2026-06-04T00:00:00Z" });
        assert_eq!(clinic.starts(days.clone()).await.len(), 8);
        clinic.booked(clinic.booking(&service, "2026-06-02T09:00:00Z")).await;
        assert_eq!(clinic.starts(days.clone()).await.len(), 7);
        clinic.booked(clinic.booking(&service, "2026-06-02T10:00:00Z")).await;
        let left = clinic.starts(days).await;
        assert!(left.len() == 4 && left.iter().all(|start| start.starts_with("03")), "{left:?}");
    }
}
