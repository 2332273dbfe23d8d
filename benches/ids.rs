//! Ids as text and back: once for every id of an answer, and for every id of a question.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use praxis::clock::Clock;
use praxis::id::{AppointmentId, TypedId};

fn codec(criterion: &mut Criterion) {
    let clock = Clock::system();
    let id = AppointmentId::new(&clock);
    let text = id.to_string();
    criterion.bench_function("id/write", |bench| bench.iter(|| black_box(id).to_string()));
    criterion.bench_function("id/read", |bench| bench.iter(|| AppointmentId::parse(black_box(&text))));
    criterion.bench_function("id/new", |bench| bench.iter(|| AppointmentId::new(&clock)));
}

criterion_group!(benches, codec);
criterion_main!(benches);
