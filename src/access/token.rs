//! Access tokens: short-lived signed statements of who is asking, and where.
//!
//! A token is a JWT signed with Ed25519 that lives ten minutes. It says which session it belongs to; whether
//! that session is still good is for the session's row to say.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::crypto::key_file::KeyFileError;
use crate::id::{AuthSessionId, MembershipId, TypedId, UserId, WorkspaceId};

mod keys;

pub use keys::TokenKeys;

/// How long an access token lives.
pub const LIFE: TimeDelta = TimeDelta::minutes(10);

/// How far the clocks of two nodes may be apart.
const LEEWAY: TimeDelta = TimeDelta::seconds(5);

/// Tokens that are remembered to be genuine: some megabytes.
const REMEMBERED: u64 = 10_000;

/// Longer ones are refused unread.
pub const MAX_BYTES: usize = 4096;

/// The type of token, so that none made for another purpose passes for an access token (RFC 9068).
const TYPE: &str = "at+jwt";

/// Who is asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    pub user: UserId,
    pub session: AuthSessionId,
    /// The workspace they are in, and their membership there; none before one is chosen.
    pub seat: Option<(WorkspaceId, MembershipId)>,
}

/// A token just issued. Its text is a secret until it expires, so it has no `Debug`.
pub struct IssuedToken {
    pub text: String,
    pub expires_at: DateTime<Utc>,
}

/// What a genuine token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    pub subject: Subject,
    /// The token's own id.
    pub id: String,
    pub expires_at: DateTime<Utc>,
}

/// The token is not acceptable. Which of its many possible faults it has is nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the access token is not valid")]
pub struct InvalidToken;

/// The claims as they are written. Instants are whole seconds since 1970, ids are `TypeID`s.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mid: Option<String>,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
}

/// Issues and verifies access tokens.
pub struct AccessTokens {
    ring: RwLock<Arc<Ring>>,
    clock: Clock,
    issuer: String,
    audience: String,
    validation: Validation,
}

impl AccessTokens {
    pub fn new(keys: TokenKeys, clock: Clock, issuer: &str, audience: &str) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "nbf", "exp"]);
        // The library would ask the system's clock. The instants are checked here, against the application's.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self {
            ring: RwLock::new(Arc::new(Ring::new(keys))),
            clock,
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            validation,
        }
    }

    /// Reads the keys anew: a key added to the file signs from now on, one taken out verifies no more.
    pub fn reload(&self, path: &Path) -> Result<(), KeyFileError> {
        let ring = Arc::new(Ring::new(TokenKeys::load(path)?));
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        Ok(())
    }

    fn ring(&self) -> Arc<Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn issue(&self, subject: &Subject) -> IssuedToken {
        let now = self.clock.now();
        // What the token can say: whole seconds.
        let issued = now.timestamp();
        let expires = issued + LIFE.num_seconds();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: subject.user.to_string(),
            sid: subject.session.to_string(),
            wid: subject.seat.map(|(workspace, _)| workspace.to_string()),
            mid: subject.seat.map(|(_, membership)| membership.to_string()),
            iat: issued,
            nbf: issued,
            exp: expires,
            jti: self.clock.new_uuid().to_string(),
        };
        let ring = self.ring();
        let key = ring.keys.signing();
        let text = encode(&header(&key.id), &claims, &key.encoding).expect("a loaded key signs any claims");
        IssuedToken { text, expires_at: at(expires).expect("the clock is within chrono's range") }
    }

    pub fn verify(&self, token: &str) -> Result<AccessToken, InvalidToken> {
        if token.len() > MAX_BYTES {
            return Err(InvalidToken);
        }
        let (ring, digest) = (self.ring(), Sha256::digest(token).into());
        let genuine = match ring.genuine.get(&digest) {
            Some(genuine) => genuine,
            None => {
                let genuine = Arc::new(self.check(&ring.keys, token)?);
                ring.genuine.insert(digest, genuine.clone());
                genuine
            }
        };
        if genuine.holds(self.clock.now()) { Ok(genuine.token.clone()) } else { Err(InvalidToken) }
    }

    /// Finds out whether a token is one of ours, whatever the time is.
    fn check(&self, keys: &TokenKeys, token: &str) -> Result<Genuine, InvalidToken> {
        let shown = decode_header(token).map_err(|_| InvalidToken)?;
        let key = shown.kid.as_deref().and_then(|id| keys.find(id)).ok_or(InvalidToken)?;
        // Exactly the header that is written here: no other algorithm or type, and none of the fields that
        // bring a key along (jku, jwk, x5u, x5c) or demand more (crit).
        if shown != header(&key.id) {
            return Err(InvalidToken);
        }
        let claims =
            decode::<Claims>(token, &key.decoding, &self.validation).map_err(|_| InvalidToken)?.claims;
        Genuine::of(claims).ok_or(InvalidToken)
    }
}

/// The keys, and the tokens that they were found to have signed: checking a signature takes many times as long as
/// everything else that a small request needs. Other keys begin with none.
struct Ring {
    keys: TokenKeys,
    /// By the SHA-256 of the token.
    genuine: Cache<[u8; 32], Arc<Genuine>>,
}

impl Ring {
    fn new(keys: TokenKeys) -> Self {
        let life = LIFE + LEEWAY + LEEWAY;
        let genuine =
            Cache::builder().max_capacity(REMEMBERED).time_to_live(life.to_std().unwrap_or_default()).build();
        Self { keys, genuine }
    }
}

/// A token that was signed with one of the keys, with what the clock has to say about it.
struct Genuine {
    token: AccessToken,
    not_before: DateTime<Utc>,
    issued_at: DateTime<Utc>,
}

impl Genuine {
    fn holds(&self, now: DateTime<Utc>) -> bool {
        let (earliest, latest) = (now - LEEWAY, now + LEEWAY);
        earliest <= self.token.expires_at && self.not_before <= latest && self.issued_at <= latest
    }

    /// Reads claims whose signature, issuer and audience are right.
    fn of(claims: Claims) -> Option<Self> {
        if claims.jti.is_empty() {
            return None;
        }
        let seat = match (claims.wid, claims.mid) {
            (Some(workspace), Some(membership)) => {
                Some((WorkspaceId::parse(&workspace)?, MembershipId::parse(&membership)?))
            }
            (None, None) => None,
            _ => return None,
        };
        let subject =
            Subject { user: UserId::parse(&claims.sub)?, session: AuthSessionId::parse(&claims.sid)?, seat };
        let token = AccessToken { subject, id: claims.jti, expires_at: at(claims.exp)? };
        Some(Self { token, not_before: at(claims.nbf)?, issued_at: at(claims.iat)? })
    }
}

fn header(key_id: &str) -> Header {
    Header { typ: Some(TYPE.to_owned()), kid: Some(key_id.to_owned()), ..Header::new(Algorithm::EdDSA) }
}

fn at(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}

#[cfg(test)]
mod tests;
