//! The application's error, and how the database's constraints become part of it.
//!
//! Nothing here carries database text towards a client: `Internal` keeps its source for the log only.

use std::sync::Arc;

use sea_orm::{DbErr, RuntimeErr, SqlxError};

use crate::db::is_busy;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One thing wrong with the input: where, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// Path from the argument to the field, such as `["input", "startsAt"]`.
    pub path: Vec<String>,
    /// One sentence in the user's language.
    pub message: String,
}

/// Why a request was not answered as asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("not signed in")]
    Unauthenticated,
    #[error("not permitted")]
    Forbidden,
    /// Absent and invisible are the same.
    #[error("not found")]
    NotFound,
    #[error("invalid input")]
    Invalid(Vec<FieldProblem>),
    /// The request is well formed, but the state of things forbids it.
    #[error("conflict: {0}")]
    Conflict(String),
    /// An occupied resource refused the booking.
    #[error("occupied")]
    Occupied,
    /// The practitioner cannot be booked at that time, although nothing is taken.
    #[error("not bookable")]
    Unbookable(Vec<crate::availability::check::Obstacle>),
    #[error("stale version, current is {current}")]
    StaleVersion { current: i32 },
    #[error("idempotency key reused")]
    IdempotencyKeyReused,
    #[error("cursor expired")]
    CursorExpired,
    #[error("rate limited")]
    RateLimited { retry_after_seconds: u32 },
    #[error("unavailable: {0}")]
    Unavailable(&'static str),
    #[error("internal error")]
    Internal(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// One problem with one field of the mutation's `input`.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem {
            path: vec!["input".into(), field.into()],
            message: message.into(),
        }])
    }

    /// One problem with an argument beside `input`.
    pub fn invalid_argument(argument: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem { path: vec![argument.into()], message: message.into() }])
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict(message.into())
    }

    pub fn internal(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Internal(Arc::new(source))
    }

    /// Turns a violation of the unique key over `column` into a problem of the input field `field`.
    #[must_use]
    pub fn on_duplicate(self, column: &str, field: &str, message: &str) -> Self {
        match violation(&self) {
            Some(Violation::Unique(key)) if key.contains(column) => Self::invalid(field, message),
            _ => self,
        }
    }

    /// Whether running the whole transaction again may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(violation(self), Some(Violation::Transient))
    }

    /// Whether this is a violation of the unique key that names `column`.
    pub fn is_duplicate_of(&self, column: &str) -> bool {
        matches!(violation(self), Some(Violation::Unique(key)) if key.contains(column))
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match database_violation(&error) {
            Some(Violation::Occupied) => Self::Occupied,
            Some(Violation::TimedOut) => Self::Unavailable("database"),
            Some(Violation::OutOfRange) => Self::Invalid(vec![FieldProblem {
                path: Vec::new(),
                message: "A time is too far away.".into(),
            }]),
            _ if matches!(error, DbErr::ConnectionAcquire(_)) => Self::Unavailable("database"),
            // What is to be done once was done before.
            _ if matches!(error, DbErr::RecordNotInserted) => Self::conflict("This was done before."),
            _ => Self::internal(error),
        }
    }
}

/// What the database refused.
enum Violation {
    /// PostgreSQL names the constraint, SQLite lists `table.column`s: both contain the column's name.
    Unique(String),
    Occupied,
    Transient,
    TimedOut,
    OutOfRange,
}

fn violation(error: &Error) -> Option<Violation> {
    let Error::Internal(source) = error else { return None };
    database_violation(source.downcast_ref::<DbErr>()?)
}

fn database_violation(error: &DbErr) -> Option<Violation> {
    let (DbErr::Exec(source) | DbErr::Query(source) | DbErr::Conn(source)) = error else { return None };
    let RuntimeErr::SqlxError(source) = source else { return None };
    if is_busy(source) {
        return Some(Violation::TimedOut);
    }
    let SqlxError::Database(source) = source.as_ref() else { return None };
    match source.code().as_deref() {
        // PostgreSQL: exclusion_violation; SQLite: the trigger's RAISE(ABORT).
        Some("23P01") => Some(Violation::Occupied),
        Some("1811") if source.message().contains("occupancies_no_overlap") => Some(Violation::Occupied),
        Some("23505") => Some(Violation::Unique(source.constraint().unwrap_or_default().into())),
        Some("1555" | "2067") => Some(Violation::Unique(source.message().into())),
        // serialization_failure, deadlock_detected, lock_not_available.
        Some("40001" | "40P01" | "55P03") => Some(Violation::Transient),
        // datetime_field_overflow, numeric_value_out_of_range.
        Some("22008" | "22003") => Some(Violation::OutOfRange),
        // query_canceled: the statement's time ran out.
        Some("57014") => Some(Violation::TimedOut),
        _ => None,
    }
}
