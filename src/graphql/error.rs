//! Errors as the API's user sees them.

use async_graphql::InputValueError;

/// The input error of an id that is not a `TypeID` of the expected type.
pub fn invalid_id<T: async_graphql::InputType>(prefix: &str) -> InputValueError<T> {
    InputValueError::custom(format!("Expected an id of the form {prefix}_…"))
}
