//! The messages of graphql-transport-ws.

use apollo_compiler::response::JsonValue;
use async_graphql::ServerError;
use serde::{Deserialize, Serialize};

use crate::graphql::request::{Malformed, Request};
use crate::json;

/// The longest id that a client may give an operation.
const MAX_ID: usize = 128;

/// What a client says.
#[derive(Debug)]
pub enum Incoming {
    ConnectionInit { payload: JsonValue },
    Ping { payload: JsonValue },
    Pong,
    Subscribe { id: String, request: Request },
    Complete { id: String },
}

#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    payload: Option<JsonValue>,
}

impl Incoming {
    /// Reads a message, or says why it is none.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let fields: Fields =
            serde_json::from_str(text).map_err(|_| "The message is not an object with a type.")?;
        let payload = |payload: Option<JsonValue>| match payload {
            None | Some(JsonValue::Null) => Ok(JsonValue::Null),
            Some(payload @ JsonValue::Object(_)) => Ok(payload),
            Some(_) => Err("The payload is not an object."),
        };
        let id = |id: Option<String>| {
            id.filter(|id| !id.is_empty() && id.len() <= MAX_ID)
                .ok_or("The message has no id, or one too long.")
        };
        match fields.kind.as_str() {
            "connection_init" => Ok(Self::ConnectionInit { payload: payload(fields.payload)? }),
            "ping" => Ok(Self::Ping { payload: payload(fields.payload)? }),
            "pong" => Ok(Self::Pong),
            "subscribe" => {
                let id = id(fields.id)?;
                let payload = fields.payload.ok_or("The message has no payload.")?;
                let request = Request::from_value(payload).map_err(|Malformed(problem)| problem)?;
                Ok(Self::Subscribe { id, request })
            }
            "complete" => Ok(Self::Complete { id: id(fields.id)? }),
            _ => Err("The type of the message is not known."),
        }
    }
}

/// What the server says.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Outgoing<'a> {
    ConnectionAck,
    Pong,
    Error { id: &'a str, payload: &'a [ServerError] },
    Complete { id: &'a str },
}

impl Outgoing<'_> {
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("ids and errors are JSON")
    }
}

/// What the server says of an operation's next response, whose JSON is taken as it is.
pub fn next(id: &str, payload: &str) -> String {
    let mut message = String::with_capacity(id.len() + payload.len() + 40);
    message.push_str(r#"{"type":"next","id":"#);
    json::text(&mut message, id);
    message.push_str(r#","payload":"#);
    message.push_str(payload);
    message.push('}');
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_of_the_protocol_is_read() {
        for text in [
            r#"{"type":"connection_init"}"#,
            r#"{"type":"connection_init","payload":{"authorization":"Bearer t"}}"#,
            r#"{"type":"ping","payload":null}"#,
            r#"{"type":"pong","payload":{}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{ a }"}}"#,
            r#"{"type":"complete","id":"1"}"#,
        ] {
            assert!(Incoming::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_message_is_told_apart() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"type":7}"#,
            r#"{"type":"start","id":"1","payload":{"query":"{ a }"}}"#,
            r#"{"type":"connection_ack"}"#,
            r#"{"type":"next","id":"1","payload":{}}"#,
            r#"{"type":"connection_init","payload":[]}"#,
            r#"{"type":"subscribe","payload":{"query":"{ a }"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{ a }"}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","id":"1","payload":{}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":7}}"#,
            r#"{"type":"complete"}"#,
        ] {
            assert!(Incoming::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_the_server_says_is_what_the_protocol_has() {
        for (message, text) in [
            (Outgoing::ConnectionAck, r#"{"type":"connection_ack"}"#),
            (Outgoing::Pong, r#"{"type":"pong"}"#),
            (Outgoing::Complete { id: "1" }, r#"{"type":"complete","id":"1"}"#),
        ] {
            assert_eq!(message.text(), text);
        }
        let text = next("a\"b", r#"{"data":{"b":1,"a":2}}"#);
        assert_eq!(text, r#"{"type":"next","id":"a\"b","payload":{"data":{"b":1,"a":2}}}"#);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_message_or_is_refused(text in r#"(\{"type":"(subscribe|ping|complete)",?)?\PC{0,100}\}?"#) {
            let _ = Incoming::parse(&text);
        }
    }
}
