//! Errors as the API's user sees them: a closed list of codes, no library text.

use async_graphql::{ErrorExtensionValues, InputValueError, Response, ServerError, Value};

use crate::error::FieldProblem;

/// The error type of resolvers.
///
/// It does not implement `Display`: async-graphql turns everything that does into a client's message, so
/// that a stray `?` could leak an inner error's text. This one only becomes what [`code`](Self::code) says.
#[derive(Clone, Debug)]
pub struct Error(pub crate::error::Error);

/// The result type of resolvers. async-graphql's macros look at the name `Result`.
pub type Result<T> = std::result::Result<T, Error>;

impl<E: Into<crate::error::Error>> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// What a client branches on. Documented in `docs/errors.md`, sent as `extensions.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Unauthenticated,
    Forbidden,
    NotFound,
    BadUserInput,
    Conflict,
    StaleVersion,
    IdempotencyKeyReused,
    CursorExpired,
    QueryTooComplex,
    RateLimited,
    Unavailable,
    Internal,
    GraphqlParseFailed,
    GraphqlValidationFailed,
    PersistedQueryNotFound,
    UntrustedDocument,
}

impl Code {
    pub const ALL: [Self; 16] = [
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::BadUserInput,
        Self::Conflict,
        Self::StaleVersion,
        Self::IdempotencyKeyReused,
        Self::CursorExpired,
        Self::QueryTooComplex,
        Self::RateLimited,
        Self::Unavailable,
        Self::Internal,
        Self::GraphqlParseFailed,
        Self::GraphqlValidationFailed,
        Self::PersistedQueryNotFound,
        Self::UntrustedDocument,
    ];

    pub fn text(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::Conflict => "CONFLICT",
            Self::StaleVersion => "STALE_VERSION",
            Self::IdempotencyKeyReused => "IDEMPOTENCY_KEY_REUSED",
            Self::CursorExpired => "CURSOR_EXPIRED",
            Self::QueryTooComplex => "QUERY_TOO_COMPLEX",
            Self::RateLimited => "RATE_LIMITED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
            Self::GraphqlParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::GraphqlValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::UntrustedDocument => "UNTRUSTED_DOCUMENT",
        }
    }
}

impl Error {
    /// The code and the message that the client gets.
    pub fn code(&self) -> (Code, String) {
        use crate::error::Error as E;
        match &self.0 {
            E::Unauthenticated => (Code::Unauthenticated, "Sign in first.".into()),
            E::Forbidden => (Code::Forbidden, "Your role does not permit this.".into()),
            E::NotFound => (Code::NotFound, "Not found.".into()),
            E::Invalid(problems) => (
                Code::BadUserInput,
                match problems.as_slice() {
                    [one] => one.message.clone(),
                    _ => "Several fields of the input are not valid.".into(),
                },
            ),
            E::Conflict(message) => (Code::Conflict, message.clone()),
            E::Occupied => (Code::Conflict, "The time is already taken.".into()),
            E::Unbookable(obstacles) => {
                let sentences: Vec<_> = obstacles.iter().map(|obstacle| obstacle.sentence()).collect();
                (Code::Conflict, sentences.join(" "))
            }
            E::StaleVersion { .. } => (
                Code::StaleVersion,
                "Somebody else changed this in the meantime. Load it again and repeat your change.".into(),
            ),
            E::IdempotencyKeyReused => (
                Code::IdempotencyKeyReused,
                "This idempotency key was used before with other arguments.".into(),
            ),
            E::CursorExpired => (
                Code::CursorExpired,
                "The cursor is too old to resume from. Load the current state and follow from now.".into(),
            ),
            E::RateLimited { .. } => (Code::RateLimited, "Too many attempts. Try again later.".into()),
            E::Unavailable(_) => {
                (Code::Unavailable, "The service cannot answer at the moment. Try again.".into())
            }
            E::Internal(_) => (Code::Internal, "Internal error.".into()),
        }
    }
}

impl From<Error> for async_graphql::Error {
    fn from(error: Error) -> Self {
        if let crate::error::Error::Internal(source) = &error.0 {
            tracing::error!(error = source.as_ref() as &dyn std::error::Error, "internal error");
        }
        let (code, message) = error.code();
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", code.text());
        match &error.0 {
            crate::error::Error::Invalid(problems) => {
                extensions.set("fields", problems.iter().map(field_value).collect::<Vec<_>>());
            }
            crate::error::Error::StaleVersion { current } => extensions.set("currentVersion", *current),
            crate::error::Error::RateLimited { retry_after_seconds } => {
                extensions.set("retryAfterSeconds", *retry_after_seconds);
            }
            _ => {}
        }
        Self { message, source: None, extensions: Some(extensions) }
    }
}

fn field_value(problem: &FieldProblem) -> Value {
    let path = problem.path.iter().map(|part| Value::from(part.as_str())).collect();
    Value::Object(
        [
            (async_graphql::Name::new("path"), Value::List(path)),
            (async_graphql::Name::new("message"), Value::from(problem.message.as_str())),
        ]
        .into_iter()
        .collect(),
    )
}

/// The input error of an id that is not a `TypeID` of the expected type.
pub fn invalid_id<T: async_graphql::InputType>(prefix: &str) -> InputValueError<T> {
    InputValueError::custom(format!("Expected an id that starts with \"{prefix}_\"."))
        .with_extension("code", Code::BadUserInput.text())
}

/// Gives every error of the response a code and the request's id, and a text of ours.
///
/// What the engine itself reports has no code. With a path it comes from an argument that a custom scalar does
/// not take; everything else was refused before the engine saw it.
pub fn finish(response: &mut Response, request_id: &str) {
    response.errors.truncate(MAX_ERRORS);
    for error in &mut response.errors {
        // What the engine adds about the types of arguments.
        if let Some(end) = error.message.find(" (occurred while parsing \"") {
            error.message.truncate(end);
        }
        let scalar = scalar_problem(&error.message);
        let extensions = error.extensions.get_or_insert_default();
        match (extensions.get("code").is_some(), scalar) {
            (true, Some((_, ours))) => error.message = ours,
            (true, None) => {}
            (false, Some((name, _))) => {
                extensions.set("code", Code::BadUserInput.text());
                error.message = format!("This is not a valid {name}.");
            }
            (false, None) => {
                tracing::error!(message = %error.message, "the engine reports an error without a code");
                extensions.set("code", Code::Internal.text());
                error.message = "Internal error.".into();
            }
        }
        if let Some(Value::String(code)) = extensions.get("code") {
            crate::metrics::error(code);
        }
        extensions.set("requestId", request_id);
        error.source = None;
    }
}

/// The most errors that one response lists.
pub const MAX_ERRORS: usize = 20;

/// The type and the reason in what the engine says of a value that a scalar does not take.
fn scalar_problem(message: &str) -> Option<(String, String)> {
    let (name, reason) = message.strip_prefix("Failed to parse \"")?.split_once('"')?;
    let bare = name.trim_matches(['[', ']', '!']);
    let reason = reason.split_once(": ").map_or(reason, |(_, reason)| reason);
    Some((bare.into(), reason.into()))
}

/// A response that consists of one error.
pub fn refuse(code: Code, message: impl Into<String>) -> Response {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code.text());
    let mut error = ServerError::new(message, None);
    error.extensions = Some(extensions);
    Response::from_errors(vec![error])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_the_engine_adds_is_told() {
        let message = "Expected an id that starts with \"pat_\".";
        let mut response = refuse(
            Code::BadUserInput,
            format!("{message} (occurred while parsing \"A\") (occurred while parsing \"B\")"),
        );
        finish(&mut response, "1");
        assert_eq!(response.errors[0].message, message);
        let mut response = Response::from_errors(vec![ServerError::new(
            "Failed to parse \"LocalTime\": premature end (occurred while parsing \"Input\")",
            None,
        )]);
        finish(&mut response, "1");
        assert_eq!(response.errors[0].message, "This is not a valid LocalTime.");
    }

    #[test]
    fn every_code_is_documented() {
        let documented = include_str!("../../docs/errors.md");
        for code in Code::ALL {
            assert!(documented.contains(&format!("| `{}` |", code.text())), "{code:?}");
        }
        assert_eq!(documented.lines().filter(|line| line.starts_with("| `")).count(), Code::ALL.len());
    }
}
