//! JSON that is written often: answers, and events for the journal.
//!
//! Nearly all of an answer is names and short texts in which nothing has to be escaped. serde_json finds that out byte by
//! byte, which was an eighth of what a list takes; here a text is looked through at once, and then copied.

use std::fmt::Write;

use async_graphql::{Response, Value};
use serde::Serialize;

/// A response as serde_json would write it.
pub fn response(response: &Response) -> serde_json::Result<String> {
    // About what an object with its relations takes; lists grow from there.
    let mut out = String::with_capacity(2048);
    out.push('{');
    if !response.errors.is_empty() {
        out.push_str("\"errors\":");
        other(&mut out, &response.errors)?;
        out.push(',');
    }
    out.push_str("\"data\":");
    value(&mut out, &response.data)?;
    if !response.extensions.is_empty() {
        out.push_str(",\"extensions\":");
        other(&mut out, &response.extensions)?;
    }
    out.push('}');
    Ok(out)
}

fn value(out: &mut String, it: &Value) -> serde_json::Result<()> {
    match it {
        Value::Null => out.push_str("null"),
        Value::Boolean(true) => out.push_str("true"),
        Value::Boolean(false) => out.push_str("false"),
        Value::Number(number) => write!(out, "{number}").expect("a string takes any text"),
        Value::String(it) => text(out, it),
        Value::Enum(name) => text(out, name),
        Value::Binary(_) => other(out, it)?,
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                value(out, item)?;
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (index, (name, field)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                text(out, name);
                out.push(':');
                value(out, field)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// A text in quotes.
pub fn text(out: &mut String, text: &str) {
    let is_special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    // All of it, whatever is found: so that the processor may take many bytes at once.
    if text.bytes().fold(false, |found, byte| found | is_special(byte)) {
        return out.push_str(&serde_json::to_string(text).expect("a text is JSON"));
    }
    out.reserve(text.len() + 2);
    out.push('"');
    out.push_str(text);
    out.push('"');
}

fn other(out: &mut String, it: &impl Serialize) -> serde_json::Result<()> {
    out.push_str(&serde_json::to_string(it)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use async_graphql::{Name, ServerError};
    use proptest::prelude::*;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let number = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from)
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            number,
            ".*".prop_map(Value::String),
            "[\"\\\\\u{0}-\u{1f}\u{7f}é😀a]{0,40}".prop_map(Value::String),
            "[A-Z_]{1,9}".prop_map(|name| Value::Enum(Name::new(name))),
            any::<Vec<u8>>().prop_map(|bytes| Value::Binary(bytes.into())),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            let object = prop::collection::vec((".{0,9}".prop_map(Name::new), inner.clone()), 0..8);
            prop_oneof![
                prop::collection::vec(inner, 0..8).prop_map(Value::List),
                object.prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_response_is_written_as_by_serde_json(data in values(), message in ".{0,20}", failed: bool, extended: bool) {
            let mut it = Response::new(data.clone());
            if failed {
                it.errors.push(ServerError::new(message, None));
            }
            if extended {
                it.extensions.insert("cost".into(), data);
            }
            prop_assert_eq!(response(&it).unwrap(), serde_json::to_string(&it).unwrap());
        }
    }
}
