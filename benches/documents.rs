//! What a request pays before it runs: a document seen for the first time, one that is remembered, and whether the field
//! guard has anything to refuse.

use std::hint::black_box;

use apollo_compiler::response::JsonMap;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use praxis::config::Config;
use praxis::graphql::document::Documents;
use praxis::graphql::document::trusted::TrustedDocuments;
use praxis::graphql::request::Request;
use praxis::member::entity::Role;

const APPOINTMENT: &str = "query Appointment($id: ID!) { appointment(id: $id) { id startsAt endsAt timezone status \
    appointmentType priority patient { id firstName lastName } practitioner { id displayName } \
    service { id name durationMinutes color } location { id name } room { id name } } }";

fn documents() -> Documents {
    let config = Config::from_sources(None, std::iter::empty()).expect("the defaults");
    Documents::new(&praxis::graphql::sdl(&config), true, TrustedDocuments::default())
}

fn request(text: String) -> Request {
    let mut variables = JsonMap::new();
    variables.insert("id", "apt_00000000000000000000000000".into());
    Request { variables, ..Request::new(text) }
}

fn ordinary(criterion: &mut Criterion) {
    let documents = documents();
    let known = request(APPOINTMENT.into());
    criterion.bench_function("document/remembered", |bench| {
        bench.iter(|| black_box(documents.prepare(&known).is_ok()));
    });
    let prepared = documents.prepare(&known).expect("a document of the schema");
    criterion.bench_function("guard/whether a role needs it", |bench| {
        bench.iter(|| {
            prepared.needs_no_guard(|permission| black_box(permission).roles().contains(&Role::Staff))
        });
    });
    let mut number = 0u64;
    criterion.bench_function("document/first time", |bench| {
        bench.iter_batched(
            || {
                number += 1;
                request(format!("{APPOINTMENT}#{number}"))
            },
            |request| black_box(documents.prepare(&request).is_ok()),
            BatchSize::SmallInput,
        );
    });
}

/// Documents at ten times the limits: what each costs the server that refuses it.
fn bombs(criterion: &mut Criterion) {
    let documents = documents();
    let chain: String = (0..120)
        .map(|level| format!("fragment F{level} on Query {{ ...F{next} ...F{next} }} ", next = level + 1))
        .collect();
    for (name, text) in [
        ("nesting", format!("{{ node(id: {}{}) {{ id }} }}", "[".repeat(5_000), "]".repeat(5_000))),
        ("fragments", format!("{{ ...F0 }} {chain} fragment F120 on Query {{ __typename }}")),
        ("aliases", format!("{{ {} }}", (0..300).map(|n| format!("a{n}: __typename ")).collect::<String>())),
        ("tokens", format!("{{ {} }}", "a ".repeat(9_000))),
        ("bytes", ",".repeat(200_000)),
        ("unknown fields", format!("{{ {} }}", "nothing ".repeat(1_990))),
    ] {
        let bomb = Request::new(text);
        criterion.bench_function(&format!("bomb/{name}"), |bench| {
            bench.iter(|| black_box(documents.prepare(&bomb).is_err()));
        });
    }
}

criterion_group!(benches, ordinary, bombs);
criterion_main!(benches);
