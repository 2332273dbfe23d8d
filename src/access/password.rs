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
mod tests;
