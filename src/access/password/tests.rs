use super::*;

fn cheap() -> Passwords {
    Passwords::new(Cost::CHEAP, Limits::default())
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn hash(argon2: Argon2<'static>, password: &str) -> String {
    Hasher { argon2, runs: Arc::default() }.hash(password)
}

const RIGHT: Result<Verdict, PasswordError> = Ok(Verdict::Right { needs_rehash: false });
const OLD: Result<Verdict, PasswordError> = Ok(Verdict::Right { needs_rehash: true });
const WRONG: Result<Verdict, PasswordError> = Ok(Verdict::Wrong);

#[tokio::test]
async fn a_new_hash_is_argon2id_with_the_standard_parameters_and_a_salt_of_its_own() {
    let passwords = Passwords::new(Cost::STANDARD, Limits::default());
    let one = passwords.hash(secret("correct horse")).await.unwrap();
    let two = passwords.hash(secret("correct horse")).await.unwrap();
    for hash in [&one, &two] {
        let parts: Vec<_> = hash.split('$').collect();
        assert_eq!(parts[..4], ["", "argon2id", "v=19", "m=19456,t=2,p=1"]);
        // 16 and 32 bytes in base64 without padding.
        assert_eq!((parts[4].len(), parts[5].len()), (22, 43));
    }
    assert_ne!(one, two);
    assert_eq!(passwords.verify(secret("correct horse"), &one).await, RIGHT);
    assert_eq!(passwords.verify(secret("correct hors"), &one).await, WRONG);
    assert_eq!(passwords.verify(secret("correct horse "), &one).await, WRONG);
    assert_eq!(passwords.verify(secret("Correct horse"), &one).await, WRONG);
    assert_eq!(passwords.verify(secret(""), &one).await, WRONG);
}

#[tokio::test]
async fn a_password_is_checked_exactly_as_received() {
    let passwords = cheap();
    let composed = passwords.hash(secret("caf\u{e9}")).await.unwrap();
    assert_eq!(passwords.verify(secret("cafe\u{301}"), &composed).await, WRONG);
    assert_eq!(passwords.verify(secret("caf\u{e9}"), &composed).await, RIGHT);
    let nul = passwords.hash(secret("a\0b")).await.unwrap();
    assert_eq!(passwords.verify(secret("a\0c"), &nul).await, WRONG);
    // Not cut off anywhere.
    let long = "x".repeat(MAX_CHARS);
    let hash = passwords.hash(secret(&long)).await.unwrap();
    assert_eq!(passwords.verify(secret(&long[1..]), &hash).await, WRONG);
    assert_eq!(passwords.verify(secret(&long), &hash).await, RIGHT);
}

#[tokio::test]
async fn a_hash_of_other_parameters_is_right_and_wants_a_new_one() {
    let passwords = cheap();
    for cost in [
        Cost { memory_kib: 16, ..Cost::CHEAP },
        Cost { passes: 2, ..Cost::CHEAP },
        Cost { memory_kib: 16, lanes: 2, ..Cost::CHEAP },
    ] {
        let other = Passwords::new(cost, Limits::default()).hash(secret("p")).await.unwrap();
        assert_eq!(passwords.verify(secret("p"), &other).await, OLD, "{other}");
        assert_eq!(passwords.verify(secret("q"), &other).await, WRONG, "{other}");
    }
    let params = || Params::new(8, 1, 1, Some(32)).unwrap();
    for old in [
        Argon2::new(Algorithm::Argon2i, Version::V0x13, params()),
        Argon2::new(Algorithm::Argon2id, Version::V0x10, params()),
        Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, Some(16)).unwrap()),
    ] {
        assert_eq!(passwords.verify(secret("p"), &hash(old, "p")).await, OLD);
    }
}

/// Made with the reference implementation's command line tool, so that hashes from elsewhere verify.
#[tokio::test]
async fn a_hash_of_the_reference_implementation_verifies() {
    let stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    assert_eq!(cheap().verify(secret("password"), stored).await, OLD);
    assert_eq!(cheap().verify(secret("passwore"), stored).await, WRONG);
}

#[tokio::test]
async fn a_broken_stored_hash_is_an_error_and_not_a_wrong_password() {
    let passwords = cheap();
    for stored in [
        "",
        "secret",
        "$argon2id$v=19$m=8,t=1,p=1",
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ",
        "$argon2id$v=19$m=1,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$2b$10$abcdefghijklmnopqrstuuyvZ1v1ZZ1v1ZZ1v1ZZ1v1ZZ1v1ZZ1v1",
    ] {
        assert_eq!(passwords.verify(secret("p"), stored).await, Err(PasswordError::BrokenHash), "{stored}");
    }
}

#[tokio::test]
async fn known_and_unknown_users_cost_one_hash_each() {
    let passwords = cheap();
    let stored = passwords.hash(secret("right")).await.unwrap();
    for check in 0..3u8 {
        let before = passwords.runs();
        match check {
            0 => assert_eq!(passwords.verify(secret("right"), &stored).await, RIGHT),
            1 => assert_eq!(passwords.verify(secret("wrong"), &stored).await, WRONG),
            _ => assert_eq!(passwords.verify_nobody(secret("right")).await, Ok(())),
        }
        assert_eq!(passwords.runs() - before, 1);
    }
    assert!(passwords.hasher.made_as_now(&PasswordHash::new(&passwords.nobody).unwrap()));
}

#[tokio::test]
async fn an_overlong_password_is_refused_unhashed_for_everyone() {
    let passwords = cheap();
    let stored = passwords.hash(secret("right")).await.unwrap();
    let before = passwords.runs();
    // Characters count, not bytes.
    let longest = "é".repeat(MAX_CHARS);
    let too_long = format!("{longest}x");
    assert_eq!(passwords.hash(secret(&too_long)).await, Err(PasswordError::TooLong));
    assert_eq!(passwords.verify(secret(&too_long), &stored).await, Err(PasswordError::TooLong));
    assert_eq!(passwords.verify_nobody(secret(&too_long)).await, Err(PasswordError::TooLong));
    assert_eq!(passwords.runs(), before);
    assert_eq!(passwords.verify(secret(&longest), &stored).await, WRONG);
}

#[tokio::test]
async fn a_new_password_must_be_good_enough() {
    let passwords = cheap();
    let before = passwords.runs();
    let refused = passwords.hash_new(secret("lovelacelovelace"), vec!["Ada Lovelace".to_owned()]).await;
    assert_eq!(refused, Err(PasswordError::Refused(vec![PolicyProblem::TooGuessable])));
    let refused = passwords.hash_new(secret(&"long ".repeat(60)), vec![]).await;
    assert_eq!(refused, Err(PasswordError::Refused(vec![PolicyProblem::TooLong])));
    assert_eq!(passwords.runs(), before, "a refused password is not hashed");

    let stored = passwords.hash_new(secret("quiet lamps borrow tulips"), vec![]).await.unwrap();
    assert_eq!(passwords.verify(secret("quiet lamps borrow tulips"), &stored).await, RIGHT);
}

#[tokio::test]
async fn a_full_queue_and_a_long_wait_are_refused_without_work() {
    let limits = Limits { running: 1, waiting: 2, wait: Duration::from_millis(50) };
    let passwords = Passwords::new(Cost::CHEAP, limits);
    let running = passwords.running.clone().acquire_owned().await.unwrap();

    let two = async { tokio::join!(passwords.hash(secret("1")), passwords.hash(secret("2"))) };
    let third = async { passwords.hash(secret("3")).await };
    let started = std::time::Instant::now();
    let ((first, second), (third, third_at)) = tokio::join!(two, async { (third.await, started.elapsed()) });

    assert_eq!(third, Err(PasswordError::Overloaded));
    assert!(third_at < limits.wait, "the full queue is noticed at once");
    assert_eq!((first, second), (Err(PasswordError::Overloaded), Err(PasswordError::Overloaded)));
    assert!(started.elapsed() >= limits.wait);
    assert_eq!(passwords.runs(), 0);

    drop(running);
    assert!(passwords.hash(secret("4")).await.is_ok(), "the queue is free again");
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_free_the_permit_early() {
    let limits = Limits { running: 1, waiting: 1, wait: Duration::from_secs(5) };
    let passwords = Passwords::new(Cost::CHEAP, limits);
    let (started, start) = std::sync::mpsc::channel();
    let (release, hold) = std::sync::mpsc::channel::<()>();
    let work = move |_: &Hasher, _: &str| {
        started.send(()).unwrap();
        hold.recv()
    };
    let mut gone = Box::pin(passwords.run(secret("1"), work));
    assert!(futures::poll!(&mut gone).is_pending());
    start.recv().unwrap();
    drop(gone);
    assert_eq!(passwords.running.available_permits(), 0);

    release.send(()).unwrap();
    assert!(passwords.hash(secret("2")).await.is_ok());
    assert_eq!(passwords.running.available_permits(), 1);
}

#[tokio::test]
async fn debug_shows_no_hash() {
    let passwords = cheap();
    let printed = format!("{passwords:?}");
    assert!(printed.contains("m_cost: 8") && !printed.contains('$'), "{printed}");
}
