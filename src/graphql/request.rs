//! A GraphQL request, whichever way it came.

use apollo_compiler::response::{JsonMap, JsonValue};

/// How deep values may nest in variables.
const MAX_DEPTH: usize = 32;
/// How many items the lists of all variables may have together.
const MAX_ITEMS: usize = 1_000;

/// What a client sends: by POST, in a query string, or as the payload of `subscribe`.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The document's text; none when it is named by its hash.
    pub query: Option<String>,
    pub operation_name: Option<String>,
    pub variables: JsonMap,
    /// The name of a trusted document, or the hash of one seen before.
    pub document_id: Option<DocumentId>,
}

/// How a request names a document instead of sending it, or beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentId {
    /// `documentId`: the name that the manifest gives it.
    Trusted(String),
    /// `extensions.persistedQuery.sha256Hash`: the SHA-256 of the text, in hexadecimal.
    Hash(String),
}

/// Why something is not a request. The text is for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl Request {
    pub fn new(query: impl Into<String>) -> Self {
        Self { query: Some(query.into()), ..Self::default() }
    }

    /// Reads the parameters as they are in a request's body.
    pub fn from_value(value: JsonValue) -> Result<Self, Malformed> {
        let JsonValue::Object(mut fields) = value else {
            return Err(Malformed(match value {
                JsonValue::Array(_) => "Send one operation per request.",
                _ => "Expected an object.",
            }));
        };
        let text = |value: Option<JsonValue>, problem: &'static str| match value {
            None | Some(JsonValue::Null) => Ok(None),
            Some(JsonValue::String(text)) => Ok(Some(text.as_str().to_owned())),
            Some(_) => Err(Malformed(problem)),
        };
        let object = |value: Option<JsonValue>, problem: &'static str| match value {
            None | Some(JsonValue::Null) => Ok(JsonMap::new()),
            Some(JsonValue::Object(object)) => Ok(object),
            Some(_) => Err(Malformed(problem)),
        };
        let query = text(fields.remove("query"), "query must be a text.")?;
        let operation_name = text(fields.remove("operationName"), "operationName must be a text.")?;
        let variables = object(fields.remove("variables"), "variables must be an object.")?;
        let extensions = object(fields.remove("extensions"), "extensions must be an object.")?;
        let trusted = text(fields.remove("documentId"), "documentId must be a text.")?;
        let document_id = match trusted {
            Some(id) => Some(DocumentId::Trusted(id)),
            None => hash(extensions.get("persistedQuery"))?,
        };
        if query.is_none() && document_id.is_none() {
            return Err(Malformed("query is missing."));
        }
        bounded(&variables)?;
        // An empty name is what some clients send for none.
        let operation_name = operation_name.filter(|name| !name.is_empty());
        Ok(Self { query, operation_name, variables, document_id })
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::from_value(serde_json::from_slice(bytes).map_err(|_| Malformed("The request is not JSON."))?)
    }

    /// Reads the parameters of a query string, where objects are JSON texts.
    pub fn from_query_string(pairs: impl Iterator<Item = (String, String)>) -> Result<Self, Malformed> {
        let mut fields = JsonMap::new();
        for (name, value) in pairs {
            let value = match name.as_str() {
                "query" | "operationName" | "documentId" => JsonValue::String(value.into()),
                "variables" | "extensions" if value.is_empty() => JsonValue::Null,
                "variables" | "extensions" => serde_json::from_str(&value)
                    .map_err(|_| Malformed("variables and extensions must be JSON objects."))?,
                _ => continue,
            };
            if fields.insert(name, value).is_some() {
                return Err(Malformed("Give each parameter once."));
            }
        }
        Self::from_value(JsonValue::Object(fields))
    }
}

fn hash(persisted: Option<&JsonValue>) -> Result<Option<DocumentId>, Malformed> {
    let Some(persisted) = persisted else { return Ok(None) };
    let version = persisted.get("version").and_then(JsonValue::as_i64);
    let hash = persisted.get("sha256Hash").and_then(JsonValue::as_str);
    match (version, hash) {
        (Some(1), Some(hash)) if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(Some(DocumentId::Hash(hash.to_ascii_lowercase())))
        }
        _ => Err(Malformed("persistedQuery needs version 1 and sha256Hash, 64 hexadecimal digits.")),
    }
}

/// Refuses variables that nest too deep or have too many items.
fn bounded(variables: &JsonMap) -> Result<(), Malformed> {
    fn walk(value: &JsonValue, depth: usize, items: &mut usize) -> Result<(), Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed("variables nest too deep: at most 32 levels."));
        }
        match value {
            JsonValue::Array(list) => {
                *items += list.len();
                if *items > MAX_ITEMS {
                    return Err(Malformed("The lists of the variables have too many items: at most 1000."));
                }
                list.iter().try_for_each(|value| walk(value, depth + 1, items))
            }
            JsonValue::Object(fields) => fields.values().try_for_each(|value| walk(value, depth + 1, items)),
            _ => Ok(()),
        }
    }
    let mut items = 0;
    variables.values().try_for_each(|value| walk(value, 1, &mut items))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Request, Malformed> {
        Request::from_json(text.as_bytes())
    }

    #[test]
    fn null_stands_for_a_parameter_that_is_left_out() {
        let request =
            read(r#"{"query":"{a}","operationName":null,"variables":null,"extensions":null}"#).unwrap();
        assert_eq!(request.query.as_deref(), Some("{a}"));
        assert_eq!((request.operation_name, request.variables.len()), (None, 0));
        assert_eq!(read(r#"{"query":"{a}","operationName":""}"#).unwrap().operation_name, None);
    }

    #[test]
    fn parameters_of_the_wrong_type_are_named() {
        for (text, problem) in [
            ("", "JSON"),
            ("7", "object"),
            ("[]", "one operation"),
            ("{}", "query"),
            (r#"{"query":7}"#, "query"),
            (r#"{"query":"{a}","operationName":{}}"#, "operationName"),
            (r#"{"query":"{a}","variables":[]}"#, "variables"),
            (r#"{"query":"{a}","extensions":"x"}"#, "extensions"),
            (r#"{"query":"{a}","extensions":{"persistedQuery":{"version":2}}}"#, "persistedQuery"),
            (r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"zz"}}}"#, "persistedQuery"),
        ] {
            let Malformed(message) = read(text).unwrap_err();
            assert!(message.contains(problem), "{text}: {message}");
        }
    }

    #[test]
    fn variables_are_bounded_in_depth_and_number() {
        let nested = |depth: usize| {
            format!(r#"{{"query":"{{a}}","variables":{{"v":{}{}}}}}"#, "[".repeat(depth), "]".repeat(depth))
        };
        assert!(read(&nested(32)).is_ok());
        assert!(read(&nested(33)).is_err());
        assert!(read(&nested(100_000)).is_err());
        let list = |items: usize| {
            format!(r#"{{"query":"{{a}}","variables":{{"v":[{}0]}}}}"#, "0,".repeat(items - 1))
        };
        assert!(read(&list(1_000)).is_ok());
        assert!(read(&list(1_001)).is_err());
    }

    #[test]
    fn a_query_string_gives_each_parameter_once() {
        let pairs = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            Request::from_query_string(pairs.into_iter())
        };
        let request =
            pairs(&[("query", "{a}"), ("operationName", "A"), ("variables", r#"{"x":1}"#)]).unwrap();
        assert_eq!((request.operation_name.as_deref(), request.variables.len()), (Some("A"), 1));
        assert!(pairs(&[("query", "{a}"), ("variables", ""), ("utm", "x")]).is_ok());
        assert!(pairs(&[("query", "{a}"), ("query", "{b}")]).is_err());
        assert!(pairs(&[("query", "{a}"), ("variables", "[1]")]).is_err());
        assert!(pairs(&[("operationName", "A")]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = Request::from_json(&bytes);
        }

        #[test]
        fn any_json_is_read_or_refused(text in r#"(\{|\[|"query"|"variables"|:|,|"|\}|\]|[0-9a-z\\])*"#) {
            let _ = Request::from_json(text.as_bytes());
        }
    }
}
