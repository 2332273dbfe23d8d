//! Following appointments: who hears of which, and what those share who see the same.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use praxis::id::{MembershipId, PatientId};
use praxis::member::entity::Role;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value as Json, json};

use super::{change, create, end, member_of, next, owner_of, position, sign_in, subscribe};
use crate::support::app::{Client, TestApp};
use crate::support::on_both_engines;

fn appointments(client: &Client, variables: Json) -> BoxStream<'static, Json> {
    let document = "subscription($filter: AppointmentEventFilter, $after: String) { appointmentEvents(filter: $filter, \
                    after: $after) { cursor action actor { id } appointment { status patient { firstName } } } }";
    client.stream(document, variables)
}

/// The next event of an appointment: what happened, and to whose.
async fn appointment_event(stream: &mut BoxStream<'static, Json>) -> (String, String) {
    let response = next(stream).await;
    assert!(response.get("errors").is_none(), "{response:#}");
    let event = &response["data"]["appointmentEvents"];
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    (text(&event["action"]), text(&event["appointment"]["patient"]["firstName"]))
}

on_both_engines! {
    async fn appointment_events_reach_those_who_may_see_the_appointment(on: On) {
        let app = TestApp::new(on).await;
        let owner = owner_of(&app, "north").await;
        let doctor = app.member(owner.workspace(), Role::Doctor).await;
        let (ada, bob) = (app.patient(&owner, "Ada", "North").await, app.patient(&owner, "Bob", "North").await);
        let after = position(&owner).await;
        let book = "mutation($input: BookAppointmentInput!) { bookAppointment(input: $input) { ... on AppointmentBooked \
                    { appointment { id } } } }";
        let cancel = "mutation($id: ID!) { cancelAppointment(input: { id: $id, expectedVersion: 1 }) { appointment { \
                      status } } }";
        let mut booked = Vec::new();
        for (patient, hour) in [(ada, "09"), (bob, "10")] {
            let input = json!({ "patientId": patient.to_string(), "practitionerId": doctor.membership().to_string(),
                "startsAt": format!("2026-06-02T{hour}:00:00Z"), "endsAt": format!("2026-06-02T{hour}:30:00Z") });
            let answer = owner.ok(book, json!({ "input": input })).await;
            booked.push(answer["bookAppointment"]["appointment"]["id"].clone());
        }
        create(&owner, "between").await;
        owner.ok(cancel, json!({ "id": booked[1] })).await;

        let event = |action: &str, name: &str| (action.to_owned(), name.to_owned());
        let mut all = appointments(&owner, json!({ "after": after }));
        for expected in [event("BOOKED", "Ada"), event("BOOKED", "Bob"), event("CANCELLED", "Bob")] {
            assert_eq!(appointment_event(&mut all).await, expected);
        }
        let filter = json!({ "patientId": bob.to_string(), "practitionerId": doctor.membership().to_string() });
        let mut of_bob = appointments(&owner, json!({ "after": after, "filter": filter }));
        assert_eq!(appointment_event(&mut of_bob).await, event("BOOKED", "Bob"));
        assert_eq!(appointment_event(&mut of_bob).await, event("CANCELLED", "Bob"));

        // A patient's account hears of the own chart only.
        let account = app.member(owner.workspace(), Role::Patient).await;
        let db = app.database.connect_as_owner().await;
        let backend = db.writer().get_database_backend();
        let sql = "UPDATE memberships SET patient_id = $1 WHERE id = $2";
        let values = [bob.into(), account.membership().into()];
        db.writer().execute_raw(Statement::from_sql_and_values(backend, sql, values)).await.unwrap();
        sign_in(&app, &account).await;
        let mut own = appointments(&account, json!({ "after": after }));
        assert_eq!(appointment_event(&mut own).await, event("BOOKED", "Bob"));
        let mut own = subscribe(&account, json!({ "after": after, "types": ["APPOINTMENT"] }));
        assert_eq!(change(&mut own).await["id"], booked[1]);
        let researcher = member_of(&app, &owner, Role::Researcher).await;
        assert_eq!(end(&mut appointments(&researcher, json!({}))).await, "FORBIDDEN");

        // Each patient is told of once for a subscription, however often.
        let reads = "{ auditEvents(filter: { actions: [\"patient.read\"] }) { nodes { patientId } } }";
        let reads = owner.ok(reads, json!({})).await["auditEvents"]["nodes"].clone();
        let of_bob = reads.as_array().unwrap().iter().filter(|read| read["patientId"] == bob.to_string()).count();
        // The stream of all, that of Bob, and Bob's own.
        assert_eq!(of_bob, 3);
    }
}

on_both_engines! {
    async fn those_who_see_the_same_are_told_what_one_of_them_found_out_and_the_journal_hears_of_each(on: On) {
        let app = TestApp::new(on).await;
        let owner = owner_of(&app, "north").await;
        let mut desks = Vec::new();
        for _ in 0..3 {
            desks.push(member_of(&app, &owner, Role::Staff).await);
        }
        let auditor = member_of(&app, &owner, Role::Admin).await;
        let ada = app.patient(&owner, "Ada", "North").await;
        let after = position(&owner).await;
        let book = "mutation($input: BookAppointmentInput!) { bookAppointment(input: $input) { ... on AppointmentBooked \
                    { appointment { id } } } }";
        let input = json!({ "patientId": ada.to_string(), "practitionerId": owner.membership().to_string(),
            "startsAt": "2026-06-02T09:00:00Z", "endsAt": "2026-06-02T09:30:00Z" });
        let booked = owner.ok(book, json!({ "input": input })).await["bookAppointment"]["appointment"]["id"].clone();

        // A practitioner's own filter does not keep them apart; what is selected does.
        let own = json!({ "after": after, "filter": { "practitionerId": owner.membership().to_string() } });
        let mut costs = Vec::new();
        for (desk, variables) in desks.iter().zip([json!({ "after": after }), own, json!({ "after": after })]) {
            let before = app.app.db.statements().work.load(Ordering::SeqCst);
            let mut stream = appointments(desk, variables);
            assert_eq!(appointment_event(&mut stream).await, ("BOOKED".to_owned(), "Ada".to_owned()));
            costs.push(app.app.db.statements().work.load(Ordering::SeqCst) - before);
        }
        assert!(costs[0] > 0 && costs[1..] == [0, 0], "{costs:?}");

        // A field that this role may not read is refused to each of them, with the id of their own request.
        let notes = "subscription($after: String) { appointmentEvents(after: $after) { appointment { \
                     patient { firstName } notes } } }";
        let mut refusals: Vec<_> =
            desks[..2].iter().map(|desk| desk.stream(notes, json!({ "after": after }))).collect();
        let cancel = "mutation($id: ID!) { cancelAppointment(input: { id: $id, expectedVersion: 1 }) { __typename } }";
        for event in 0..2 {
            for stream in &mut refusals {
                let refused = next(stream).await;
                assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{event}: {refused:#}");
                assert_eq!(refused["errors"][0]["extensions"]["requestId"], "test");
            }
            if event == 0 {
                owner.ok(cancel, json!({ "id": booked })).await;
            }
        }

        let events = "query($actions: [String!]) { auditEvents(filter: { actions: $actions }) { nodes { actor { id } } } }";
        let count = async |action: &str, client: &Client| {
            let nodes = auditor.ok(events, json!({ "actions": [action] })).await["auditEvents"]["nodes"].clone();
            let of = client.membership().to_string();
            nodes.as_array().unwrap().iter().filter(|event| event["actor"]["id"] == of).count()
        };
        for (desk, (read, denied)) in desks.iter().zip([(2, 1), (2, 1), (1, 0)]) {
            assert_eq!(count("patient.read", desk).await, read);
            assert_eq!(count("permission.denied", desk).await, denied);
        }
    }
}

on_both_engines! {
    async fn what_is_prepared_for_a_group_is_for_those_who_are_in_it_and_want_to_hear_of_it(on: On) {
        let app = TestApp::new(on).await;
        let owner = owner_of(&app, "north").await;
        let (first, second) = (member_of(&app, &owner, Role::Staff).await, member_of(&app, &owner, Role::Staff).await);
        let (busy, idle) = (owner.membership(), member_of(&app, &owner, Role::Doctor).await.membership());
        let (ada, bob) = (app.patient(&owner, "Ada", "North").await, app.patient(&owner, "Bob", "North").await);
        let book = async |patient: PatientId, practitioner: MembershipId, hour: &str| {
            let document = "mutation($input: BookAppointmentInput!) { bookAppointment(input: $input) { __typename } }";
            let input = json!({ "patientId": patient.to_string(), "practitionerId": practitioner.to_string(),
                "startsAt": format!("2026-06-02T{hour}:00:00Z"), "endsAt": format!("2026-06-02T{hour}:30:00Z") });
            let answer = owner.ok(document, json!({ "input": input })).await;
            assert_eq!(answer["bookAppointment"]["__typename"], "AppointmentBooked");
        };
        let of = |practitioner: MembershipId| json!({ "filter": { "practitionerId": practitioner.to_string() } });
        let event = |name: &str| ("BOOKED".to_owned(), name.to_owned());

        let mut all = [appointments(&first, json!({})), appointments(&second, json!({}))];
        let mut of_one = [appointments(&first, of(idle)), appointments(&second, of(idle))];
        // Each runs once to find out what it follows.
        for stream in all.iter_mut().chain(&mut of_one) {
            assert!(tokio::time::timeout(Duration::from_millis(300), stream.next()).await.is_err());
        }
        book(ada, busy, "09").await;
        book(bob, idle, "10").await;
        for stream in &mut all {
            assert_eq!(appointment_event(stream).await, event("Ada"));
            assert_eq!(appointment_event(stream).await, event("Bob"));
        }
        for stream in &mut of_one {
            assert_eq!(appointment_event(stream).await, event("Bob"));
        }

        // Whoever has another role by now is told what that one may see, whatever was prepared for the others.
        let id = second.membership().to_string();
        let member = owner.ok("query($id: ID!) { member(id: $id) { version } }", json!({ "id": id })).await;
        let change = "mutation($input: ChangeMemberRoleInput!) { changeMemberRole(input: $input) { member { role } } }";
        let input = json!({ "id": id, "expectedVersion": member["member"]["version"], "role": "RESEARCHER" });
        owner.ok(change, json!({ "input": input })).await;
        book(ada, busy, "11").await;
        let [still, no_more] = &mut all;
        assert_eq!(appointment_event(still).await, event("Ada"));
        assert_eq!(end(no_more).await, "FORBIDDEN");

        // Of each patient the journal heard once from each stream.
        let reads = "{ auditEvents(first: 100, filter: { actions: [\"patient.read\"] }) { nodes { patientId actor { id } } } }";
        let reads = owner.ok(reads, json!({})).await["auditEvents"]["nodes"].clone();
        let count = |patient: PatientId, client: &Client| {
            let (patient, client) = (patient.to_string(), client.membership().to_string());
            let reads = reads.as_array().unwrap().iter();
            reads.filter(|read| read["patientId"] == patient && read["actor"]["id"] == client).count()
        };
        for desk in [&first, &second] {
            assert_eq!([count(ada, desk), count(bob, desk)], [1, 2]);
        }
    }
}
