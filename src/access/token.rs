//! Access tokens: short-lived signed statements of who is asking, and where.
//!
//! A token is a JWT signed with Ed25519 that lives ten minutes. It says which session it belongs to; whether
//! that session is still good is for the session's row to say.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::crypto::key_file::KeyFileError;
use crate::id::{AuthSessionId, MembershipId, TypedId, UserId, WorkspaceId};

mod keys;

pub use keys::TokenKeys;

/// How long an access token lives.
pub const LIFE: TimeDelta = TimeDelta::minutes(10);

/// How far the clocks of two nodes may be apart.
const LEEWAY: TimeDelta = TimeDelta::seconds(5);

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
    keys: RwLock<Arc<TokenKeys>>,
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
            keys: RwLock::new(Arc::new(keys)),
            clock,
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            validation,
        }
    }

    /// Reads the keys anew: a key added to the file signs from now on, one taken out verifies no more.
    pub fn reload(&self, path: &Path) -> Result<(), KeyFileError> {
        let keys = Arc::new(TokenKeys::load(path)?);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    fn keys(&self) -> Arc<TokenKeys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
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
        let keys = self.keys();
        let key = keys.signing();
        let text = encode(&header(&key.id), &claims, &key.encoding).expect("a loaded key signs any claims");
        IssuedToken { text, expires_at: at(expires).expect("the clock is within chrono's range") }
    }

    pub fn verify(&self, token: &str) -> Result<AccessToken, InvalidToken> {
        if token.len() > MAX_BYTES {
            return Err(InvalidToken);
        }
        let shown = decode_header(token).map_err(|_| InvalidToken)?;
        let keys = self.keys();
        let key = shown.kid.as_deref().and_then(|id| keys.find(id)).ok_or(InvalidToken)?;
        // Exactly the header that is written here: no other algorithm or type, and none of the fields that
        // bring a key along (jku, jwk, x5u, x5c) or demand more (crit).
        if shown != header(&key.id) {
            return Err(InvalidToken);
        }
        let claims =
            decode::<Claims>(token, &key.decoding, &self.validation).map_err(|_| InvalidToken)?.claims;
        self.accept(claims).ok_or(InvalidToken)
    }

    /// Judges claims whose signature, issuer and audience are right.
    fn accept(&self, claims: Claims) -> Option<AccessToken> {
        let now = self.clock.now();
        let expires_at = at(claims.exp)?;
        let (earliest, latest) = (now - LEEWAY, now + LEEWAY);
        let in_time = earliest <= expires_at && at(claims.nbf)? <= latest && at(claims.iat)? <= latest;
        if !in_time || claims.jti.is_empty() {
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
        Some(AccessToken { subject, id: claims.jti, expires_at })
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
