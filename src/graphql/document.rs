//! Documents before they run: guarded, parsed, validated and counted once, then remembered by their hash.
//!
//! This is the only way to the schema, for every transport. What comes out of here is valid by the
//! specification, bounded in size, and has variables of the types that it declares.

pub mod cost;
mod engine;
mod guard;
mod positions;
mod shape;
pub mod trusted;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use apollo_compiler::executable::Operation;
use apollo_compiler::parser::Parser;
use apollo_compiler::request::{RequestError, coerce_variable_values};
use apollo_compiler::response::GraphQLError;
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, Node, Schema};
use async_graphql::parser::types::{ExecutableDocument as EngineDocument, OperationType};
use async_graphql::{ErrorExtensionValues, Pos, Response, ServerError};
use data_encoding::HEXLOWER;
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::error::{Code, MAX_ERRORS};
use super::request::{DocumentId, Request};
use cost::Cost;
use trusted::{Mode, TrustedDocuments};

/// Bytes that remembered documents may take, by estimate.
const REMEMBERED_BYTES: u64 = 64 << 20;
/// What a selection takes in the two forms that are kept, with room to spare.
const SELECTION_BYTES: u64 = 500;
/// Fragments can spread each other this deep: there is no room in a document for more.
pub const MAX_CHAIN: usize = 300;

/// Why a request is not run: the errors of an answer without data.
#[derive(Clone, Debug)]
pub struct Refusal(Vec<ServerError>);

impl Refusal {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(vec![coded(code, ServerError::new(message, None))])
    }

    fn located(code: Code, error: GraphQLError) -> Self {
        Self(vec![from_compiler(code, error)])
    }

    /// What a rule of the application says.
    pub fn because(error: crate::error::Error) -> Self {
        let mut error =
            async_graphql::Error::from(super::error::Error(error)).into_server_error(Pos::default());
        // It is about no place in the document.
        error.locations.clear();
        Self(vec![error])
    }

    /// The code of the first error.
    pub fn code(&self) -> Code {
        let code = self.0.first().and_then(|error| error.extensions.as_ref()?.get("code"));
        Code::ALL.into_iter().find(|known| code == Some(&known.text().into())).unwrap_or(Code::Internal)
    }

    pub fn into_response(self) -> Response {
        Response::from_errors(self.0)
    }
}

/// An operation that may be executed.
pub struct Prepared {
    pub kind: OperationType,
    /// In points; see [`cost`].
    pub cost: u32,
    pub request: async_graphql::Request,
}

/// The validator and the documents that it let through.
#[derive(Clone)]
pub struct Documents(Arc<Inner>);

struct Inner {
    schema: Valid<Schema>,
    introspection: bool,
    trusted: TrustedDocuments,
    /// By the SHA-256 of the text.
    known: Cache<[u8; 32], Arc<Document>>,
}

/// A valid document.
struct Document {
    valid: Valid<ExecutableDocument>,
    /// What is made of its operations, by their names.
    plans: HashMap<Option<String>, Plan>,
    /// What it takes in memory, by estimate.
    bytes: u64,
}

struct Plan {
    document: EngineDocument,
    kind: OperationType,
    /// Known beforehand, unless it depends on variables.
    cost: Option<Cost>,
}

impl Documents {
    /// Prepares to validate against this schema, given in the schema language.
    pub fn new(sdl: &str, introspection: bool, trusted: TrustedDocuments) -> Self {
        // The introspection of the validator's own schema lacks what newer clients ask for.
        let sdl = format!("{sdl}\nextend type __Type {{ isOneOf: Boolean }}");
        let schema = Schema::builder()
            .adopt_orphan_extensions()
            .parse(sdl, "schema.graphql")
            .build()
            .and_then(Schema::validate)
            .unwrap_or_else(|errors| panic!("the schema is not valid: {}", errors.errors));
        let known = Cache::builder()
            .weigher(|_, document: &Arc<Document>| document.weight())
            .max_capacity(REMEMBERED_BYTES)
            .build();
        Self(Arc::new(Inner { schema, introspection, trusted, known }))
    }

    /// Finds the operation that the request asks for, ready to run with its variables.
    pub fn prepare(&self, request: &Request) -> Result<Prepared, Refusal> {
        let document = self.find(request)?;
        let operation = document
            .valid
            .operations
            .get(request.operation_name.as_deref())
            .map_err(|error| document.refuse(Code::BadUserInput, &error))?;
        let plan = document
            .plans
            .get(&operation.name.as_ref().map(|name| name.as_str().to_owned()))
            .ok_or_else(|| Refusal::new(Code::Internal, "Internal error."))?;
        let variables = coerce_variable_values(&self.0.schema, operation, &request.variables)
            .map_err(|error| document.refuse(Code::BadUserInput, &error))?;
        let cost = match plan.cost {
            Some(cost) => cost,
            None => cost::count(&document.valid, operation, &variables),
        };
        let cost = cost::check(cost)?;
        let mut prepared =
            async_graphql::Request::new(String::new()).variables(engine::variables(&variables));
        prepared.set_parsed_query(plan.document.clone());
        Ok(Prepared { kind: plan.kind, cost, request: prepared })
    }

    fn find(&self, request: &Request) -> Result<Arc<Document>, Refusal> {
        let trusted = &self.0.trusted;
        match (&request.document_id, &request.query) {
            (Some(DocumentId::Trusted(id)), _) => match trusted.text(id) {
                Some(text) => self.known_or_new(text),
                None => Err(not_found()),
            },
            (Some(DocumentId::Hash(hash)), query) => {
                let key = digest(hash).ok_or_else(not_found)?;
                if let Some(text) = trusted.text(hash) {
                    return self.known_or_new(text);
                }
                match query {
                    _ if trusted.mode() == Mode::Require => Err(untrusted()),
                    None => self.0.known.get(&key).ok_or_else(not_found),
                    Some(text) if <[u8; 32]>::from(Sha256::digest(text)) == key => self.known_or_new(text),
                    Some(_) => {
                        let message = "The hash of the document is another.";
                        Err(Refusal::new(Code::BadUserInput, message))
                    }
                }
            }
            (None, Some(text)) if trusted.mode() != Mode::Require || trusted.holds(text) => {
                self.known_or_new(text)
            }
            (None, _) => Err(untrusted()),
        }
    }

    fn known_or_new(&self, text: &str) -> Result<Arc<Document>, Refusal> {
        let key: [u8; 32] = Sha256::digest(text).into();
        if let Some(document) = self.0.known.get(&key) {
            return Ok(document);
        }
        let started = Instant::now();
        let read = self.read(text);
        crate::metrics::validated(started.elapsed());
        let document = Arc::new(read?);
        self.0.known.insert(key, document.clone());
        Ok(document)
    }

    /// Everything that is done once for a document.
    fn read(&self, text: &str) -> Result<Document, Refusal> {
        guard::inspect(text)?;
        let parsed = Parser::new()
            .recursion_limit(4 * guard::MAX_NESTING)
            .parse_ast(text, "document")
            .map_err(|failed| refuse_all(Code::GraphqlParseFailed, &failed.errors))?;
        let selections = shape::check(&parsed)?;
        let valid = parsed
            .to_executable_validate(&self.0.schema)
            .map_err(|failed| refuse_all(Code::GraphqlValidationFailed, &failed.errors))?;
        let mut plans = HashMap::new();
        for operation in valid.operations.iter() {
            positions::check(&self.0.schema, &valid, operation)?;
            self.check_introspection(&valid, operation)?;
            plans.insert(
                operation.name.as_ref().map(|name| name.as_str().to_owned()),
                plan(&valid, operation),
            );
        }
        let bytes = text.len() as u64 + selections * SELECTION_BYTES;
        Ok(Document { valid, plans, bytes })
    }

    fn check_introspection(
        &self,
        document: &Valid<ExecutableDocument>,
        operation: &Node<Operation>,
    ) -> Result<(), Refusal> {
        if !self.0.introspection
            && operation
                .root_fields(document)
                .any(|field| matches!(field.name.as_str(), "__schema" | "__type"))
        {
            return Err(Refusal::new(Code::GraphqlValidationFailed, "Introspection is switched off."));
        }
        apollo_compiler::introspection::check_max_depth(document, operation).map_err(|error| {
            Refusal::located(Code::QueryTooComplex, error.to_graphql_error(&document.sources))
        })
    }
}

fn plan(document: &Valid<ExecutableDocument>, operation: &Node<Operation>) -> Plan {
    use apollo_compiler::ast::OperationType as Kind;
    let cost = cost::count(document, operation, &Default::default());
    Plan {
        document: engine::operation(document, operation),
        kind: match operation.operation_type {
            Kind::Query => OperationType::Query,
            Kind::Mutation => OperationType::Mutation,
            Kind::Subscription => OperationType::Subscription,
        },
        cost: (!cost.varies).then_some(cost),
    }
}

impl Document {
    fn refuse(&self, code: Code, error: &RequestError) -> Refusal {
        Refusal::located(code, error.to_graphql_error(&self.valid.sources))
    }

    fn weight(&self) -> u32 {
        u32::try_from(self.bytes).unwrap_or(u32::MAX)
    }
}

fn digest(hash: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(hash.as_bytes()).ok()?.try_into().ok()
}

fn not_found() -> Refusal {
    // Clients that persist queries by themselves look for exactly this message, and send the text then.
    Refusal::new(Code::PersistedQueryNotFound, "PersistedQueryNotFound")
}

fn untrusted() -> Refusal {
    Refusal::new(Code::UntrustedDocument, "Only documents of the manifest are run here.")
}

fn refuse_all(code: Code, errors: &DiagnosticList) -> Refusal {
    Refusal(errors.iter().take(MAX_ERRORS).map(|error| from_compiler(code, error.to_json())).collect())
}

fn from_compiler(code: Code, error: GraphQLError) -> ServerError {
    let mut refused = ServerError::new(sentence(&error.message), None);
    refused.locations =
        error.locations.iter().map(|place| Pos { line: place.line, column: place.column }).collect();
    coded(code, refused)
}

/// The validator's messages are phrases; ours are sentences.
fn sentence(phrase: &str) -> String {
    let phrase = phrase.trim_end_matches('.');
    let mut letters = phrase.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(std::iter::once('.')).collect()
}

fn coded(code: Code, mut error: ServerError) -> ServerError {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code.text());
    error.extensions = Some(extensions);
    error
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SCHEMA: &str = "type Query { hello(name: String, n: Int, on: Boolean, list: [Int!]): String } \
                          type Mutation { go: String } type Subscription { tick: Int }";

    fn documents() -> Documents {
        Documents::new(SCHEMA, true, TrustedDocuments::default())
    }

    fn trusting(mode: Mode) -> Documents {
        let manifest = json!({ "hi": "{ hello }" }).to_string();
        Documents::new(SCHEMA, true, TrustedDocuments::parse(mode, manifest.as_bytes()).unwrap())
    }

    fn ask(text: &str, variables: serde_json::Value) -> Request {
        Request { variables: serde_json::from_value(variables).unwrap(), ..Request::new(text) }
    }

    fn code(documents: &Documents, request: &Request) -> Option<Code> {
        documents.prepare(request).err().map(|refusal| refusal.code())
    }

    #[test]
    fn a_document_is_read_once() {
        let documents = documents();
        let request = Request::new("{ hello }");
        let first = documents.find(&request).unwrap();
        assert!(Arc::ptr_eq(&first, &documents.find(&request).unwrap()));
    }

    #[test]
    fn each_step_has_its_code() {
        let documents = documents();
        for (text, expected) in [
            ("{", Code::GraphqlParseFailed),
            ("", Code::GraphqlParseFailed),
            ("{ hello @ }", Code::GraphqlParseFailed),
            ("\u{feff}", Code::GraphqlParseFailed),
            ("{ nothing }", Code::GraphqlValidationFailed),
            ("type A { a: Int }", Code::GraphqlValidationFailed),
            ("{ a: hello(name: \"x\") a: hello(name: \"y\") }", Code::GraphqlValidationFailed),
            ("query A { hello } query B { hello }", Code::BadUserInput),
            ("query ($n: Int!) { hello(n: $n) }", Code::BadUserInput),
        ] {
            assert_eq!(code(&documents, &Request::new(text)), Some(expected), "{text}");
        }
    }

    #[test]
    fn variables_are_coerced_to_their_types() {
        let documents = documents();
        let required = "query ($n: Int!) { hello(n: $n) }";
        for variables in [
            json!({}),
            json!({ "n": null }),
            json!({ "n": "5" }),
            json!({ "n": 5.5 }),
            json!({ "n": 1_i64 << 40 }),
            json!({ "n": [5] }),
        ] {
            assert_eq!(
                code(&documents, &ask(required, variables.clone())),
                Some(Code::BadUserInput),
                "{variables}"
            );
        }
        let prepared = documents.prepare(&ask(required, json!({ "n": 5, "other": 1 }))).unwrap();
        assert_eq!(serde_json::to_value(&prepared.request.variables).unwrap(), json!({ "n": 5 }));
        let list =
            documents.prepare(&ask("query ($l: [Int!]) { hello(list: $l) }", json!({ "l": 5 }))).unwrap();
        assert_eq!(serde_json::to_value(&list.request.variables).unwrap(), json!({ "l": [5] }));
    }

    #[test]
    fn the_operation_is_chosen_by_its_name() {
        let documents = documents();
        let text = "query A { hello } mutation B { go } subscription C { tick }";
        for (name, kind) in
            [("A", OperationType::Query), ("B", OperationType::Mutation), ("C", OperationType::Subscription)]
        {
            let request = Request { operation_name: Some(name.into()), ..Request::new(text) };
            assert_eq!(documents.prepare(&request).unwrap().kind, kind);
        }
        let request = Request { operation_name: Some("D".into()), ..Request::new(text) };
        assert_eq!(code(&documents, &request), Some(Code::BadUserInput));
    }

    #[test]
    fn a_hash_stands_for_a_text_that_was_sent_with_it() {
        let documents = documents();
        let hash = HEXLOWER.encode(&Sha256::digest("{ hello }"));
        let by_hash = Request { document_id: Some(DocumentId::Hash(hash)), ..Request::default() };
        assert_eq!(code(&documents, &by_hash), Some(Code::PersistedQueryNotFound));
        let other = Request { query: Some("{ a: hello }".into()), ..by_hash.clone() };
        assert_eq!(code(&documents, &other), Some(Code::BadUserInput));
        let both = Request { query: Some("{ hello }".into()), ..by_hash.clone() };
        assert_eq!(code(&documents, &both), None);
        assert_eq!(code(&documents, &by_hash), None);
    }

    #[test]
    fn only_the_manifest_is_run_when_it_is_required() {
        let by_id = Request { document_id: Some(DocumentId::Trusted("hi".into())), ..Request::default() };
        let unknown = Request { document_id: Some(DocumentId::Trusted("ho".into())), ..Request::default() };
        let text = Request::new("{ a: hello }");
        let hash = HEXLOWER.encode(&Sha256::digest("{ a: hello }"));
        let persisted = Request { document_id: Some(DocumentId::Hash(hash)), ..text.clone() };
        for (mode, of_text) in
            [(Mode::Off, None), (Mode::Allow, None), (Mode::Require, Some(Code::UntrustedDocument))]
        {
            let documents = trusting(mode);
            assert_eq!(code(&documents, &by_id), None);
            assert_eq!(code(&documents, &unknown), Some(Code::PersistedQueryNotFound));
            assert_eq!(code(&documents, &text), of_text, "{mode:?}");
            assert_eq!(code(&documents, &persisted), of_text, "{mode:?}");
            assert_eq!(code(&documents, &Request::new("{ hello }")), None);
        }
    }

    #[test]
    fn introspection_can_be_switched_off_and_never_runs_deep() {
        let open = documents();
        let closed = Documents::new(SCHEMA, false, TrustedDocuments::default());
        let schema = Request::new("{ __schema { types { name fields { type { ofType { name } } } } } }");
        assert_eq!(code(&open, &schema), None);
        assert_eq!(code(&closed, &schema), Some(Code::GraphqlValidationFailed));
        assert_eq!(code(&closed, &Request::new("{ __typename }")), None);
        let hidden = Request::new("{ ...F } fragment F on Query { __type(name: \"Query\") { name } }");
        assert_eq!(code(&closed, &hidden), Some(Code::GraphqlValidationFailed));
        let deep = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }";
        assert_eq!(code(&open, &Request::new(deep)), Some(Code::QueryTooComplex));
        let newer = Request::new("{ __type(name: \"Query\") { isOneOf } }");
        assert_eq!(code(&open, &newer), None);
    }

    /// The corpus, with what graphql-js says of each request, is made by `tests/conformance/corpus/verdicts.mjs`.
    #[test]
    fn requests_are_judged_as_the_reference_implementation_does() {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Judged {
            query: String,
            variables: Option<apollo_compiler::response::JsonMap>,
            operation_name: Option<String>,
            verdict: String,
        }
        const SDL: &str = include_str!("../../tests/conformance/corpus/schema.graphql");
        const CORPUS: &str = include_str!("../../tests/conformance/corpus/corpus.json");
        let documents = Documents::new(SDL, true, TrustedDocuments::default());
        let corpus: Vec<Judged> = serde_json::from_str(CORPUS).unwrap();
        let mut different = Vec::new();
        for judged in &corpus {
            let request = Request {
                query: Some(judged.query.clone()),
                operation_name: judged.operation_name.clone(),
                variables: judged.variables.clone().unwrap_or_default(),
                document_id: None,
            };
            let verdict = match code(&documents, &request) {
                None => "valid",
                Some(Code::GraphqlParseFailed | Code::GraphqlValidationFailed) => "refused",
                Some(Code::BadUserInput) => "variables",
                Some(other) => other.text(),
            };
            // Whether a slip is one of grammar or of the schema, parsers may see in their own way.
            let expected = match judged.verdict.as_str() {
                "syntax" | "invalid" => "refused",
                other => other,
            };
            if verdict != expected {
                different.push(format!("{:?}: {verdict}, not {}", judged.query, judged.verdict));
            }
        }
        assert!(corpus.len() > 200 && different.is_empty(), "{different:#?}");
    }

    /// Bombs at one, ten and a hundred times the limits; the time is for benchmarks, that they end is for tests.
    #[test]
    fn bombs_of_any_size_are_refused() {
        let documents = documents();
        for times in [1, 10, 100] {
            let chain: String = (0..25 * times)
                .map(|level| {
                    format!("fragment F{level} on Query {{ ...F{next} ...F{next} }} ", next = level + 1)
                })
                .collect();
            for bomb in [
                format!("{{ hello(list: {}{}) }}", "[".repeat(1_700 * times), "]".repeat(1_700 * times)),
                format!("{{ ...F0 }} {chain} fragment F{} on Query {{ hello }}", 25 * times),
                format!("{{ {} }}", "hello ".repeat(2_001 * times)),
                format!("{{ {} }}", (0..31 * times).map(|n| format!("a{n}: hello ")).collect::<String>()),
                format!("{{ hello {} }}", "@skip(if: true) ".repeat(21 * times)),
                format!("{}hello{}", "{ ... on Query ".repeat(33 * times), "}".repeat(33 * times)),
                ",".repeat(20_001 * times),
                "#".repeat(20_001 * times),
            ] {
                assert_eq!(
                    code(&documents, &Request::new(&bomb)),
                    Some(Code::QueryTooComplex),
                    "{}",
                    &bomb[..30]
                );
            }
        }
    }

    proptest::proptest! {
        /// Half of the texts are made of what could confuse the two readers of strings.
        #[test]
        fn what_the_guard_lets_through_the_parser_survives(text in "[\"\\\\\\[\\]{}(:#a1\n ]{0,300}|\\PC{0,200}") {
            let _ = documents().prepare(&Request::new(text));
        }
    }
}
