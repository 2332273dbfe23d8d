//! A query is run in a shorter way unless it has directives: it answers the same either way.

use serde_json::{Value as Json, json};

use crate::appointment::Practice;
use crate::support::app::TestApp;
use crate::support::on_both_engines;

/// Documents with their variables. Each has a place for a directive that changes nothing.
fn documents(appointment: &Json, patient: &Json) -> Vec<(&'static str, Json)> {
    let one = json!({ "id": appointment });
    vec![
        ("{ __typename viewer? { __typename id email } }", json!({})),
        (
            "query($id: ID!) { a: appointment(id: $id)? { id b: startsAt b: startsAt service { name } service { id } } }",
            one.clone(),
        ),
        (
            "query($id: ID!) { appointment(id: $id)? { patient { firstName lastName appointments { nodes { id } } } } }",
            one.clone(),
        ),
        (
            "query($id: ID!) { appointment(id: $id) { ...A? ... on Appointment { practitioner { ...M } } } } \
             fragment A on Appointment { id status room { name } ...B } fragment B on Appointment { patient { id } } \
             fragment M on Member { __typename displayName }",
            one.clone(),
        ),
        (
            "query($id: ID!, $first: Int = 1, $order: AppointmentOrder = STARTS_AT_DESC) { \
             appointments(first: $first, orderBy: $order, filter: { patientId: $id })? { totalCount nodes { id startsAt } \
             pageInfo { hasNextPage endCursor } } }",
            json!({ "id": patient }),
        ),
        (
            "query($first: Int) { appointments(first: $first)? { edges { cursor node { id } } } }",
            json!({ "first": null }),
        ),
        (
            "query($id: ID!) { node(id: $id)? { __typename id ... on Patient { lastName } ... on Appointment { status } } }",
            json!({ "id": patient }),
        ),
        (
            "query($id: ID!) { node(id: $id)? { id ... on Patient { lastName } ... on Appointment { status } } }",
            one.clone(),
        ),
        // Nothing there; not readable; refused; one of two that fails.
        (
            "query($id: ID!) { appointment(id: $id)? { id } }",
            json!({ "id": "apt_00000000000000000000000000" }),
        ),
        ("query($id: ID!) { appointment(id: $id)? { id } }", json!({ "id": patient })),
        ("{ auditEvents? { __typename } }", json!({})),
        ("query($id: ID!) { appointment(id: $id)? { id } patients(first: 101) { nodes { id } } }", one),
    ]
}

on_both_engines! {
    async fn a_query_answers_the_same_with_and_without_a_directive(on: On) {
        let practice = Practice::new(on).await;
        let appointment = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        practice.booked(practice.ada, "2026-06-02T11:00:00Z").await;
        let patient = json!(practice.ada);
        let mut failed = 0;
        for client in [&practice.owner, &practice.desk] {
            for (document, variables) in documents(&appointment, &patient) {
                let plain = client.run(&document.replace('?', ""), variables.clone()).await;
                let other = client.run(&document.replace('?', " @include(if: true)"), variables.clone()).await;
                assert_eq!(plain.data, other.data, "{document}");
                let without_place = |errors: &[Json]| -> Vec<Json> {
                    let told = errors.iter().map(|error| json!([error["message"], error["path"], error["extensions"]]));
                    told.collect()
                };
                assert_eq!(without_place(&plain.errors), without_place(&other.errors), "{document}");
                if plain.errors.is_empty() {
                    assert_eq!((plain.statements, plain.overhead), (other.statements, other.overhead), "{document}");
                }
                failed += usize::from(!plain.errors.is_empty());
            }
        }
        assert!((4..12).contains(&failed), "{failed}");
    }

    async fn fragments_as_deep_as_allowed_are_answered_and_deeper_ones_refused(on: On) {
        let owner = TestApp::new(on).await.workspace("north").await;
        for (levels, directive) in [(100, ""), (100, " @include(if: true)"), (101, ""), (332, ""), (332, " @skip(if: false)")] {
            let answer = owner.run(&deep(levels, directive), json!({})).await;
            match levels {
                100 => assert_eq!((answer.data, answer.errors.len()), (json!({ "__typename": "Query" }), 0)),
                _ => assert_eq!(answer.code(), "QUERY_TOO_COMPLEX"),
            }
        }
    }

    async fn what_is_skipped_is_neither_answered_nor_read(on: On) {
        let practice = Practice::new(on).await;
        let id = practice.booked(practice.ada, "2026-06-02T09:00:00Z").await;
        let document = "query($id: ID!, $names: Boolean!) { appointment(id: $id) { id \
            patient @include(if: $names) { firstName } ... @skip(if: $names) { status } ...T @include(if: $names) } } \
            fragment T on Appointment { timezone }";
        let with = practice.owner.ok(document, json!({ "id": id, "names": true })).await;
        assert_eq!(with["appointment"]["patient"]["firstName"], "Ada");
        assert_eq!(keys(&with["appointment"]), ["id", "patient", "timezone"]);
        let before = practice.app.journal(practice.owner.workspace()).await.len();
        let without = practice.owner.ok(document, json!({ "id": id, "names": false })).await;
        assert_eq!(keys(&without["appointment"]), ["id", "status"]);
        assert_eq!(practice.app.journal(practice.owner.workspace()).await.len(), before);
    }
}

/// A document of so many levels: fragments of up to thirty each, and a field.
fn deep(levels: usize, directive: &str) -> String {
    let (mut document, mut left, mut name) = (format!("{{ ...A0{directive} }}"), levels - 1, 0);
    while left > 0 {
        let inline = left.min(30) - 1;
        left -= inline + 1;
        let next = if left > 0 { format!("...A{}", name + 1) } else { "__typename".to_owned() };
        let (open, close) = ("... { ".repeat(inline), " }".repeat(inline));
        document += &format!(" fragment A{name} on Query {{ {open}{next}{close} }}");
        name += 1;
    }
    document
}

fn keys(object: &Json) -> Vec<&String> {
    let mut keys: Vec<_> = object.as_object().unwrap().keys().collect();
    keys.sort();
    keys
}
