//! One response of a stream, as it is sent.

use std::sync::Arc;

use async_graphql::{Response, ServerError, Value};
use serde::Serialize;

use super::context::SeenPatients;
use super::document::cost;
use super::error::Code;
use crate::json;

/// One response of a stream. Many may be sent the same.
#[derive(Debug)]
pub struct Frame {
    /// The response.
    pub json: String,
    /// Where the stream stands after it: what it can be resumed after.
    pub cursor: Option<Arc<str>>,
    /// How many objects it shows.
    pub objects: u64,
    /// It says that the sign-in is over.
    pub signed_out: bool,
    /// What it shows of patients.
    pub seen: SeenPatients,
}

impl Frame {
    /// A response that shows nothing of patients, or whose journal is told by itself.
    pub fn new(response: &Response) -> Self {
        Self {
            json: text(response),
            cursor: None,
            objects: cost::objects(&response.data, &[]),
            signed_out: response.errors.iter().any(is_signed_out),
            seen: SeenPatients::default(),
        }
    }
}

fn is_signed_out(error: &ServerError) -> bool {
    let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
    matches!(code, Some(Value::String(code)) if code == Code::Unauthenticated.text())
}

/// A response without `data`: nothing was executed.
#[derive(Serialize)]
pub struct Refused<'a> {
    pub errors: &'a [ServerError],
}

/// A response as part of a stream: without `data` when it only says why nothing was executed.
fn text(response: &Response) -> String {
    let nothing = response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty());
    let json = match nothing {
        true => serde_json::to_string(&Refused { errors: &response.errors }),
        false => json::response(response),
    };
    match json {
        Ok(json) => json,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a response is not JSON");
            r#"{"errors":[{"message":"Internal error.","extensions":{"code":"INTERNAL"}}]}"#.into()
        }
    }
}
