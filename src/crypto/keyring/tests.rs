use uuid::Uuid;

use super::*;
use crate::crypto::Place;

const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(1));
const OTHER_WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(2));
const PATIENT: PatientId = PatientId(Uuid::from_u128(11));
const OTHER_PATIENT: PatientId = PatientId(Uuid::from_u128(12));

fn roots(lines: &[u8]) -> RootKeys {
    let text: String = lines
        .iter()
        .map(|seed| {
            let bytes: Vec<u8> = (0..32).map(|i| seed.wrapping_mul(31).wrapping_add(i)).collect();
            format!("{seed}:{}\n", data_encoding::BASE64.encode(&bytes))
        })
        .collect();
    RootKeys::parse(&text).unwrap()
}

fn keyring() -> Keyring {
    Keyring::new(roots(&[1]), CacheLimits::default())
}

fn place() -> Place {
    Place::of(WORKSPACE, PATIENT, "name")
}

#[test]
fn a_field_opens_again_through_the_whole_hierarchy() {
    let first = keyring();
    let workspace_row = first.new_workspace_key(WORKSPACE, 1);
    let workspace = first.workspace_cipher(WORKSPACE, &workspace_row).unwrap();
    let patient_row = first.new_patient_key(&workspace, PATIENT, 1);
    let sealed = first.patient_cipher(&workspace, PATIENT, &patient_row).unwrap().seal_text(&place(), "Ada");

    // Another process with the same root keys and rows.
    let second = keyring();
    assert!(second.cached_workspace(WORKSPACE, 1).is_none());
    let workspace = second.workspace_cipher(WORKSPACE, &workspace_row).unwrap();
    assert!(second.cached_patient(WORKSPACE, PATIENT, 1).is_none());
    let patient = second.patient_cipher(&workspace, PATIENT, &patient_row).unwrap();
    assert_eq!(*patient.open_text(&place(), &sealed).unwrap(), "Ada");
    assert!(Arc::ptr_eq(&workspace, &second.cached_workspace(WORKSPACE, 1).unwrap()));
    let cached = second.cached_patient(WORKSPACE, PATIENT, 1).unwrap().unwrap();
    assert_eq!(*cached.open_text(&place(), &sealed).unwrap(), "Ada");
}

#[test]
fn a_wrapped_key_moved_to_another_workspace_patient_or_version_does_not_unwrap() {
    let keyring = keyring();
    let row = keyring.new_workspace_key(WORKSPACE, 1);
    let moved = keyring.workspace_cipher(OTHER_WORKSPACE, &row).unwrap_err();
    assert_eq!(moved, CryptoError::NotAuthentic);
    let renumbered = WrappedKey { version: 2, ..row.clone() };
    assert_eq!(keyring.workspace_cipher(WORKSPACE, &renumbered).unwrap_err(), CryptoError::NotAuthentic);
    let rewrapped = WrappedKey { wrapping_version: 9, ..row.clone() };
    assert_eq!(keyring.workspace_cipher(WORKSPACE, &rewrapped).unwrap_err(), CryptoError::UnknownRootKey(9));

    let workspace = keyring.workspace_cipher(WORKSPACE, &row).unwrap();
    let patient_row = keyring.new_patient_key(&workspace, PATIENT, 1);
    assert_eq!(
        keyring.patient_cipher(&workspace, OTHER_PATIENT, &patient_row).unwrap_err(),
        CryptoError::NotAuthentic
    );
    let renumbered = WrappedKey { version: 2, ..patient_row.clone() };
    assert_eq!(
        keyring.patient_cipher(&workspace, PATIENT, &renumbered).unwrap_err(),
        CryptoError::NotAuthentic
    );
    let other =
        keyring.workspace_cipher(OTHER_WORKSPACE, &keyring.new_workspace_key(OTHER_WORKSPACE, 1)).unwrap();
    assert_eq!(keyring.patient_cipher(&other, PATIENT, &patient_row).unwrap_err(), CryptoError::NotAuthentic);
    // A failure is not remembered.
    assert!(keyring.patient_cipher(&workspace, PATIENT, &patient_row).is_ok());
}

#[test]
fn the_same_key_in_another_workspace_would_still_be_another_cipher() {
    let key = Key::from_slice(&[9; 32]).unwrap();
    let one = WorkspaceCipher::new(WORKSPACE, &key, 1);
    let other = WorkspaceCipher::new(OTHER_WORKSPACE, &key, 1);
    assert_ne!(one.index_hash("external_id", "7").unwrap(), other.index_hash("external_id", "7").unwrap());
    let sealed = one.fields().seal(&place(), b"x");
    assert_eq!(other.fields().open(&place(), &sealed).unwrap_err(), CryptoError::NotAuthentic);
    assert!(one.fields().open(&place(), &sealed).is_ok());
    // Nor do the uses of one key open each other's.
    assert_eq!(one.wrapping.open(&place(), &sealed).unwrap_err(), CryptoError::NotAuthentic);
}

#[test]
fn rotating_the_root_keeps_the_workspace_key() {
    let before = Keyring::new(roots(&[1]), CacheLimits::default());
    let row = before.new_workspace_key(WORKSPACE, 1);
    let sealed = before.workspace_cipher(WORKSPACE, &row).unwrap().fields().seal(&place(), b"x");

    let both = Keyring::new(roots(&[1, 2]), CacheLimits::default());
    let rewrapped = both.rewrap_workspace_key(WORKSPACE, &row).unwrap();
    assert_eq!((rewrapped.version, rewrapped.wrapping_version), (1, 2));

    let after = Keyring::new(roots(&[2]), CacheLimits::default());
    let cipher = after.workspace_cipher(WORKSPACE, &rewrapped).unwrap();
    assert_eq!(**cipher.fields().open(&place(), &sealed).unwrap(), *b"x");
    assert_eq!(after.rewrap_workspace_key(WORKSPACE, &row).unwrap_err(), CryptoError::UnknownRootKey(1));
}

#[test]
fn rotating_the_workspace_keeps_the_patient_key() {
    let keyring = keyring();
    let one = keyring.workspace_cipher(WORKSPACE, &keyring.new_workspace_key(WORKSPACE, 1)).unwrap();
    let two = keyring.workspace_cipher(WORKSPACE, &keyring.new_workspace_key(WORKSPACE, 2)).unwrap();
    let row = keyring.new_patient_key(&one, PATIENT, 1);
    let sealed = keyring.patient_cipher(&one, PATIENT, &row).unwrap().seal(&place(), b"x");

    let rewrapped = keyring.rewrap_patient_key(&one, &two, PATIENT, &row).unwrap();

    assert_eq!((rewrapped.version, rewrapped.wrapping_version), (1, 2));
    assert_eq!(rewrapped.wrapped.version(), Ok(2));
    let key = unwrap_patient_key(&two, PATIENT, &rewrapped).unwrap();
    assert_eq!(**Cipher::new(&key, 1).open(&place(), &sealed).unwrap(), *b"x");
    assert_eq!(
        unwrap_patient_key(&two, PATIENT, &row).unwrap_err(),
        CryptoError::WrongKeyVersion { sealed: 1, key: 2 }
    );
    assert_eq!(
        keyring.rewrap_patient_key(&one, &two, OTHER_PATIENT, &row).unwrap_err(),
        CryptoError::NotAuthentic
    );
}

#[test]
fn a_destroyed_key_does_not_come_back_from_a_row_read_before() {
    let keyring = keyring();
    let workspace = keyring.workspace_cipher(WORKSPACE, &keyring.new_workspace_key(WORKSPACE, 1)).unwrap();
    let row = keyring.new_patient_key(&workspace, PATIENT, 1);
    let other_row = keyring.new_patient_key(&workspace, OTHER_PATIENT, 1);
    keyring.patient_cipher(&workspace, PATIENT, &row).unwrap();
    keyring.patient_cipher(&workspace, OTHER_PATIENT, &other_row).unwrap();

    let Some(Slot::Live(key)) = keyring.patients.get(&(WORKSPACE, PATIENT, 1)) else {
        panic!("it is cached")
    };
    let held = Arc::downgrade(&key);
    drop(key);

    keyring.destroy_patient_key(WORKSPACE, PATIENT, 1);

    assert!(held.upgrade().is_none(), "it is dropped, and so wiped, at once");
    let cached = keyring.cached_patient(WORKSPACE, PATIENT, 1).unwrap();
    assert_eq!(cached.unwrap_err(), CryptoError::Destroyed);
    assert_eq!(keyring.patient_cipher(&workspace, PATIENT, &row).unwrap_err(), CryptoError::Destroyed);
    assert!(keyring.patient_cipher(&workspace, OTHER_PATIENT, &other_row).is_ok());
}

#[test]
fn the_caches_are_bounded_and_expire() {
    let limits = CacheLimits::default();
    let keyring = keyring();
    for (policy, entries) in [(keyring.workspaces.policy(), 10_000), (keyring.patients.policy(), 110_000)] {
        assert_eq!(policy.max_capacity(), Some(entries));
        assert_eq!(policy.time_to_idle(), Some(Duration::from_secs(600)));
        assert_eq!(policy.time_to_live(), Some(Duration::from_secs(3600)));
    }

    let small = Keyring::new(roots(&[1]), CacheLimits { entries: 10, ..limits });
    let workspace = small.workspace_cipher(WORKSPACE, &small.new_workspace_key(WORKSPACE, 1)).unwrap();
    for n in 0..200 {
        let patient = PatientId(Uuid::from_u128(n));
        let row = small.new_patient_key(&workspace, patient, 1);
        small.patient_cipher(&workspace, patient, &row).unwrap();
    }
    small.sweep();
    assert!(small.patients.entry_count() <= 10, "{}", small.patients.entry_count());
}

#[test]
fn index_hashes_separate_workspaces_columns_and_texts_and_repeat() {
    let keyring = keyring();
    let row = keyring.new_workspace_key(WORKSPACE, 1);
    let cipher = keyring.workspace_cipher(WORKSPACE, &row).unwrap();
    let hash = cipher.index_hash("external_id", "A-1").unwrap();

    let again = self::keyring().workspace_cipher(WORKSPACE, &row).unwrap();
    assert_eq!(again.index_hash("external_id", "A-1").unwrap(), hash);
    assert_ne!(cipher.index_hash("external_id", "A-2").unwrap(), hash);
    assert_ne!(cipher.index_hash("search", "A-1").unwrap(), hash);
    assert_ne!(cipher.index_hash("external_i", "dA-1").unwrap(), hash);
    let other =
        keyring.workspace_cipher(OTHER_WORKSPACE, &keyring.new_workspace_key(OTHER_WORKSPACE, 1)).unwrap();
    assert_ne!(other.index_hash("external_id", "A-1").unwrap(), hash);
}

#[test]
fn only_the_first_workspace_key_makes_index_hashes() {
    let keyring = keyring();
    let second = keyring.workspace_cipher(WORKSPACE, &keyring.new_workspace_key(WORKSPACE, 2)).unwrap();
    assert_eq!(
        second.index_hash("external_id", "A-1").unwrap_err(),
        CryptoError::WrongKeyVersion { sealed: 1, key: 2 }
    );
}

#[test]
fn debug_prints_no_key() {
    let keyring = keyring();
    let cipher = keyring.workspace_cipher(WORKSPACE, &keyring.new_workspace_key(WORKSPACE, 1)).unwrap();
    let printed = format!("{cipher:?}");
    assert!(printed.contains("fields: Cipher(version 1)") && printed.contains("index: Key(..)"), "{printed}");
    assert_eq!(format!("{keyring:?}"), "Keyring(..)");
}
