//! What a sealed field costs: sealing it, opening it, and coming by the patient's cipher.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use praxis::clock::Clock;
use praxis::crypto::keyring::{CacheLimits, FIRST_VERSION, Keyring};
use praxis::crypto::root::RootKeys;
use praxis::crypto::{Cipher, Key, Place};
use praxis::id::{PatientId, TypedId, WorkspaceId};

fn fields(criterion: &mut Criterion) {
    let clock = Clock::system();
    let cipher = Cipher::new(&Key::random(), 1);
    let place = Place::of(WorkspaceId::new(&clock), PatientId::new(&clock), "first_name");
    for (name, text) in [("name", "Wilhelmina".to_owned()), ("note of 4 kB", "a line of a note ".repeat(240))]
    {
        let sealed = cipher.seal_text(&place, &text);
        criterion.bench_function(&format!("cipher/seal a {name}"), |bench| {
            bench.iter(|| black_box(cipher.seal_text(&place, &text)));
        });
        criterion.bench_function(&format!("cipher/open a {name}"), |bench| {
            bench.iter(|| black_box(cipher.open_text(&place, &sealed).is_ok()));
        });
    }
}

fn keys(criterion: &mut Criterion) {
    let clock = Clock::system();
    let folder = tempfile::tempdir().expect("a folder for the key");
    let roots = RootKeys::create(&folder.path().join("root-keys")).expect("a root key");
    let ring = Keyring::new(roots, CacheLimits::default());
    let (workspace, patient) = (WorkspaceId::new(&clock), PatientId::new(&clock));
    let row = ring.new_workspace_key(workspace, FIRST_VERSION);
    let under = ring.workspace_cipher(workspace, &row).expect("it was just wrapped");
    let row = ring.new_patient_key(&under, patient, FIRST_VERSION);
    ring.patient_cipher(&under, patient, &row).expect("it was just wrapped");
    criterion.bench_function("cipher/patient's, in memory", |bench| {
        bench.iter(|| black_box(ring.cached_patient(workspace, patient, FIRST_VERSION).is_some()));
    });
    criterion.bench_function("cipher/patient's, unwrapped", |bench| {
        bench.iter(|| black_box(ring.passing_patient_cipher(&under, patient, &row).is_ok()));
    });
    criterion.bench_function("cipher/patient's, new", |bench| {
        bench.iter(|| black_box(ring.new_patient_key(&under, patient, FIRST_VERSION)));
    });
}

criterion_group!(benches, fields, keys);
criterion_main!(benches);
