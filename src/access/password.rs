//! Passwords: hashing them, checking them, and which ones are good enough.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::secret::SecretToken;

mod policy;

pub use policy::{MIN_CHARS, PolicyProblem, check_policy};

/// Longer ones are refused before any work is done on them.
pub const MAX_CHARS: usize = 256;

/// What one hash costs: argon2id's memory, passes and lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Cost {
    /// OWASP's second choice: 19 MiB and two passes, about 20 ms. Its first, 46 MiB, would let a handful of
    /// sign-ins a second saturate a small server.
    pub const STANDARD: Self = Self { memory_kib: 19_456, passes: 2, lanes: 1 };

    /// For tests, which sign in often and protect nothing.
    pub const CHEAP: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };
}

/// How much hashing may run and wait at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub running: usize,
    pub waiting: usize,
    pub wait: Duration,
}

impl Default for Limits {
    /// One hash for each core, since more would only slow each other down; a short queue, and a short wait.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { running: cores, waiting: 64, wait: Duration::from_secs(2) }
    }
}

/// Whether a password was the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    /// `needs_rehash`: the stored hash has other parameters than a new one would get; store a new one.
    Right {
        needs_rehash: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too many passwords are being hashed; the client may try again soon.
    #[error("too many passwords are being checked")]
    Overloaded,
    #[error("the password has more than {MAX_CHARS} characters")]
    TooLong,
    /// A new password that is not good enough, with everything that is wrong with it.
    #[error("the password is not good enough")]
    Refused(Vec<PolicyProblem>),
    /// What is stored is no password hash.
    #[error("the stored password hash cannot be read")]
    BrokenHash,
}

/// Hashes and verifies passwords, off the async threads and never more at once than there are cores.
pub struct Passwords {
    hasher: Hasher,
    running: Arc<Semaphore>,
    waiting: Semaphore,
    wait: Duration,
    /// The hash of a password that nobody knows.
    nobody: String,
}

impl Passwords {
    pub fn new(cost: Cost, limits: Limits) -> Self {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(Params::DEFAULT_OUTPUT_LEN))
            .expect("the cost is within argon2's bounds");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hasher = Hasher { argon2, runs: Arc::default() };
        let nobody = hasher.hash(SecretToken::generate().expose());
        hasher.runs.store(0, Ordering::Relaxed);
        Self {
            hasher,
            running: Arc::new(Semaphore::new(limits.running)),
            waiting: Semaphore::new(limits.waiting),
            wait: limits.wait,
            nobody,
        }
    }

    /// The hash to store: a PHC string with a fresh salt and the parameters in it.
    pub async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        self.run(password, |hasher, password| hasher.hash(password)).await
    }

    /// The hash of a password that a user has chosen, if the [policy](check_policy) lets them have it.
    pub async fn hash_new(
        &self,
        password: SecretString,
        context_words: Vec<String>,
    ) -> Result<String, PasswordError> {
        let work = move |hasher: &Hasher, password: &str| {
            let words: Vec<&str> = context_words.iter().map(String::as_str).collect();
            check_policy(password, &words).map_err(PasswordError::Refused)?;
            Ok(hasher.hash(password))
        };
        match self.run(password, work).await {
            Err(PasswordError::TooLong) => Err(PasswordError::Refused(vec![PolicyProblem::TooLong])),
            done => done?,
        }
    }

    /// Checks a password against a stored hash, whatever parameters that has.
    pub async fn verify(&self, password: SecretString, stored: &str) -> Result<Verdict, PasswordError> {
        let parsed = match PasswordHash::new(stored) {
            // The format allows a string without salt or hash, which would match nothing.
            Ok(parsed) if parsed.salt.is_some() && parsed.hash.is_some() => parsed,
            _ => return Err(PasswordError::BrokenHash),
        };
        self.run(password, move |hasher, password| hasher.verify(password, &parsed)).await?
    }

    /// The work of `verify` for a user who does not exist, so that the time taken tells nobody who does.
    pub async fn verify_nobody(&self, password: SecretString) -> Result<(), PasswordError> {
        self.verify(password, &self.nobody).await.map(|_| ())
    }

    /// How many passwords were hashed or verified so far.
    pub fn runs(&self) -> u64 {
        self.hasher.runs.load(Ordering::Relaxed)
    }

    /// Runs `work` on a blocking thread once a permit is free.
    async fn run<T: Send + 'static>(
        &self,
        password: SecretString,
        work: impl FnOnce(&Hasher, &str) -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        if password.expose_secret().chars().nth(MAX_CHARS).is_some() {
            return Err(PasswordError::TooLong);
        }
        let place = self.waiting.try_acquire().map_err(|_| PasswordError::Overloaded)?;
        let permit = tokio::time::timeout(self.wait, self.running.clone().acquire_owned())
            .await
            .map_err(|_| PasswordError::Overloaded)?
            .expect("the semaphore is never closed");
        drop(place);

        let hasher = self.hasher.clone();
        let hashing = tokio::task::spawn_blocking(move || {
            // Held here and not by the request: the work goes on when the client has gone away.
            let _permit = permit;
            work(&hasher, password.expose_secret())
        });
        match hashing.await {
            Ok(done) => Ok(done),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is shutting down.
            Err(_) => Err(PasswordError::Overloaded),
        }
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("params", self.hasher.argon2.params()).finish_non_exhaustive()
    }
}

/// Argon2 and the count of its runs.
#[derive(Clone)]
struct Hasher {
    argon2: Argon2<'static>,
    runs: Arc<AtomicU64>,
}

impl Hasher {
    fn hash(&self, password: &str) -> String {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.argon2
            .hash_password(password.as_bytes())
            .expect("the operating system gives a salt, and the parameters were checked")
            .to_string()
    }

    fn verify(&self, password: &str, stored: &PasswordHash) -> Result<Verdict, PasswordError> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        match self.argon2.verify_password(password.as_bytes(), stored) {
            Ok(()) => Ok(Verdict::Right { needs_rehash: !self.made_as_now(stored) }),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
            Err(_) => Err(PasswordError::BrokenHash),
        }
    }

    /// Whether a stored hash was made as a new one would be.
    fn made_as_now(&self, stored: &PasswordHash) -> bool {
        let now = self.argon2.params();
        stored.algorithm == Algorithm::Argon2id.ident()
            && stored.version == Some(Version::V0x13.into())
            && Params::try_from(stored).is_ok_and(|then| {
                (then.m_cost(), then.t_cost(), then.p_cost(), then.output_len())
                    == (now.m_cost(), now.t_cost(), now.p_cost(), now.output_len())
            })
    }
}

#[cfg(test)]
mod tests {
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
            assert_eq!(
                passwords.verify(secret("p"), stored).await,
                Err(PasswordError::BrokenHash),
                "{stored}"
            );
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
        let ((first, second), (third, third_at)) =
            tokio::join!(two, async { (third.await, started.elapsed()) });

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
        let (release, hold) = std::sync::mpsc::channel::<()>();
        let mut gone = Box::pin(passwords.run(secret("1"), move |_, _| hold.recv()));
        assert!(futures::poll!(&mut gone).is_pending());
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
}
