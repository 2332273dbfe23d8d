use std::collections::HashSet;

use data_encoding::HEXLOWER;

use super::*;

fn place(n: u128) -> Place {
    Place {
        workspace: WorkspaceId(Uuid::from_u128(n)),
        table: "patients",
        column: "first_name",
        row: Uuid::from_u128(100),
    }
}

fn cipher(seed: u8, version: u32) -> Cipher {
    Cipher::new(&Key::from_slice(&[seed; 32]).unwrap(), version)
}

#[test]
fn the_format_is_the_documented_one() {
    let sealed = cipher(1, 0x0102_0304).seal(&place(1), b"abc");

    assert_eq!(sealed.0.len(), OVERHEAD + 3);
    assert_eq!(sealed.0[..5], [1, 1, 2, 3, 4]);
    assert_eq!(sealed.version(), Ok(0x0102_0304));

    // Opened by hand: the associated data is exactly this list.
    let mut aad = Vec::new();
    let (workspace, row) = (Uuid::from_u128(1), Uuid::from_u128(100));
    let parts: [&[u8]; 6] =
        [b"praxis-field-v1", workspace.as_bytes(), b"patients", b"first_name", row.as_bytes(), &[1, 2, 3, 4]];
    for part in parts {
        aad.extend_from_slice(&(part.len() as u32).to_be_bytes());
        aad.extend_from_slice(part);
    }
    let (body, tag) = sealed.0[17..].split_at(3);
    let mut body = body.to_vec();
    aes_gcm::Aes256Gcm::new(&[1; 32].into())
        .decrypt_inout_detached(
            &Nonce::try_from(&sealed.0[5..17]).unwrap(),
            &aad,
            body.as_mut_slice().into(),
            &Tag::try_from(tag).unwrap(),
        )
        .unwrap();
    assert_eq!(body, b"abc");
}

#[test]
fn a_ciphertext_opens_in_its_own_place_only() {
    let here = place(1);
    let (cipher, elsewhere) = (
        cipher(1, 1),
        [
            place(2),
            Place { table: "family_history", ..here },
            Place { column: "last_name", ..here },
            Place { row: Uuid::from_u128(101), ..here },
            // The same bytes, cut at another point.
            Place { table: "patientsf", column: "irst_name", ..here },
            // Workspace and row exchanged.
            Place { workspace: WorkspaceId(here.row), row: here.workspace.uuid(), ..here },
        ],
    );
    let sealed = cipher.seal(&here, b"Ada");

    assert_eq!(**cipher.open(&here, &sealed).unwrap(), *b"Ada");
    for place in elsewhere {
        assert_eq!(cipher.open(&place, &sealed).unwrap_err(), CryptoError::NotAuthentic, "{place:?}");
    }
}

#[test]
fn a_place_takes_its_table_from_the_id() {
    let id = crate::id::PatientId(Uuid::from_u128(100));
    assert_eq!(Place::of(WorkspaceId(Uuid::from_u128(1)), id, "first_name"), place(1));
}

#[test]
fn another_key_or_another_version_does_not_open() {
    let sealed = cipher(1, 1).seal(&place(1), b"Ada");
    assert_eq!(cipher(2, 1).open(&place(1), &sealed).unwrap_err(), CryptoError::NotAuthentic);
    assert_eq!(
        cipher(1, 2).open(&place(1), &sealed).unwrap_err(),
        CryptoError::WrongKeyVersion { sealed: 1, key: 2 }
    );

    // Nor when the version in the header is made to match.
    let mut relabelled = sealed;
    relabelled.0[4] = 2;
    assert_eq!(relabelled.version(), Ok(2));
    assert_eq!(cipher(1, 2).open(&place(1), &relabelled).unwrap_err(), CryptoError::NotAuthentic);
}

#[test]
fn no_bit_can_be_flipped() {
    let cipher = cipher(1, 1);
    let sealed = cipher.seal_text(&place(1), "Ada Lovelace");
    for bit in 0..sealed.0.len() * 8 {
        let mut flipped = sealed.clone();
        flipped.0[bit / 8] ^= 1 << (bit % 8);
        let error = cipher.open(&place(1), &flipped).unwrap_err();
        match bit / 8 {
            0 => assert_eq!(error, CryptoError::UnknownFormat(flipped.0[0])),
            1..5 => {
                assert!(matches!(error, CryptoError::WrongKeyVersion { key: 1, .. }), "bit {bit}: {error}")
            }
            _ => assert_eq!(error, CryptoError::NotAuthentic, "bit {bit}"),
        }
    }
    assert!(cipher.open(&place(1), &sealed).is_ok());
}

#[test]
fn no_length_can_be_changed() {
    let cipher = cipher(1, 1);
    let sealed = cipher.seal_text(&place(1), "Ada Lovelace");
    for length in 0..sealed.0.len() {
        let error = cipher.open(&place(1), &Sealed(sealed.0[..length].to_vec())).unwrap_err();
        let expected = if length < OVERHEAD { CryptoError::Truncated } else { CryptoError::NotAuthentic };
        assert_eq!(error, expected, "{length} bytes");
    }
    for extra in 1..40 {
        let mut longer = sealed.clone();
        longer.0.resize(sealed.0.len() + extra, 0);
        assert_eq!(cipher.open(&place(1), &longer).unwrap_err(), CryptoError::NotAuthentic);
    }
    assert_eq!(Sealed(vec![]).version(), Err(CryptoError::Truncated));
    assert_eq!(Sealed(vec![1, 0, 0, 0]).version(), Err(CryptoError::Truncated));
    assert_eq!(Sealed(vec![0; 60]).version(), Err(CryptoError::UnknownFormat(0)));
}

#[test]
fn an_empty_text_is_sealed_like_any_other() {
    let cipher = cipher(1, 1);
    let sealed = cipher.seal_text(&place(1), "");
    assert_eq!(sealed.0.len(), OVERHEAD, "an absent value has no bytes at all");
    assert_eq!(*cipher.open_text(&place(1), &sealed).unwrap(), "");
    assert_eq!(cipher.open(&place(1), &Sealed(vec![])).unwrap_err(), CryptoError::Truncated);
}

#[test]
fn long_and_foreign_texts_come_back_exactly() {
    let cipher = cipher(1, 1);
    let megabyte: Vec<u8> = (0..1 << 20).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert_eq!(**cipher.open(&place(1), &cipher.seal(&place(1), &megabyte)).unwrap(), *megabyte);
    for text in ["Ærøskøbing", "e\u{301} is not é", "李小龍", "🩺👩🏽‍⚕️", "\0\u{7f}\u{feff}\u{202e}", "עברית"]
    {
        assert_eq!(*cipher.open_text(&place(1), &cipher.seal_text(&place(1), text)).unwrap(), text);
    }
    let bytes = cipher.seal(&place(1), b"\xff\xfe");
    assert_eq!(cipher.open_text(&place(1), &bytes).unwrap_err(), CryptoError::NotText);
    assert_eq!(**cipher.open(&place(1), &bytes).unwrap(), *b"\xff\xfe");
}

#[test]
fn the_same_text_never_has_the_same_nonce() {
    let (cipher, place) = (cipher(1, 1), place(1));
    let mut nonces = HashSet::with_capacity(100_000);
    for _ in 0..100_000 {
        let sealed = cipher.seal(&place, b"x");
        let nonce: [u8; NONCE] = sealed.0[PREFIX..HEADER].try_into().unwrap();
        assert!(nonces.insert(nonce));
    }
}

#[test]
fn debug_shows_neither_key_nor_text() {
    let cipher = cipher(0x41, 7);
    assert_eq!(format!("{cipher:?}"), "Cipher(version 7)");
    assert_eq!(format!("{:?}", cipher.seal_text(&place(1), "Ada")), "<sealed 36 bytes>");
}

/// Test cases 13 to 16 of the GCM specification (McGrew and Viega, "The Galois/Counter Mode of Operation").
#[test]
fn the_primitive_answers_the_published_vectors() {
    const KEY: &str = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
    const NONCE: &str = "cafebabefacedbaddecaf888";
    const PLAIN: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                         1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
    const CIPHER: &str = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                          8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";
    const AAD: &str = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    let zero_key = "0".repeat(64);
    let zero_nonce = "0".repeat(24);
    let zero_block = "0".repeat(32);
    let cases = [
        (zero_key.as_str(), zero_nonce.as_str(), "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
        (
            zero_key.as_str(),
            zero_nonce.as_str(),
            "",
            zero_block.as_str(),
            "cea7403d4d606b6e074ec5d3baf39d18",
            "d0d1c8a799996bf0265b98b5d48ab919",
        ),
        (KEY, NONCE, "", PLAIN, CIPHER, "b094dac5d93471bdec1a502270e3cc6c"),
        (KEY, NONCE, AAD, &PLAIN[..120], &CIPHER[..120], "76fc6ece0f4e1768cddf8853bb2d551b"),
    ];
    let bytes = |hex: &str| HEXLOWER.decode(hex.as_bytes()).unwrap();
    for (key, nonce, aad, plain, ciphertext, tag) in cases {
        let gcm = aes_gcm::Aes256Gcm::new_from_slice(&bytes(key)).unwrap();
        let nonce = Nonce::try_from(bytes(nonce).as_slice()).unwrap();
        let mut buffer = bytes(plain);
        let computed = gcm.encrypt_inout_detached(&nonce, &bytes(aad), buffer.as_mut_slice().into()).unwrap();
        assert_eq!(HEXLOWER.encode(&buffer), ciphertext);
        assert_eq!(HEXLOWER.encode(&computed), tag);
        gcm.decrypt_inout_detached(&nonce, &bytes(aad), buffer.as_mut_slice().into(), &computed).unwrap();
        assert_eq!(HEXLOWER.encode(&buffer), plain);
    }
}
