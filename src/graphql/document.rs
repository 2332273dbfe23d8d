//! Documents before they run: guarded, parsed, validated and counted once, then remembered by their hash.
//!
//! This is the only way to the schema, for every transport. What comes out of here is valid by the
//! specification, bounded in size, and has variables of the types that it declares.

mod asked;
pub mod cost;
mod engine;
mod guard;
mod positions;
pub(super) mod shape;
pub mod trusted;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use apollo_compiler::executable::{Field, Operation};
use apollo_compiler::parser::Parser;
use apollo_compiler::request::{RequestError, coerce_variable_values};
use apollo_compiler::response::{GraphQLError, JsonMap};
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, Node, Schema};
use async_graphql::parser::types::{
    ExecutableDocument as EngineDocument, FragmentDefinition, OperationDefinition, OperationType,
    SelectionSet,
};
use async_graphql::{ErrorExtensionValues, Name, Pos, Positioned, Response, ServerError, Variables};
use data_encoding::HEXLOWER;
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::error::{Code, MAX_ERRORS};
use super::object::Forms;
use super::request::{DocumentId, Request};
use crate::access::permission::Permission;
use cost::Cost;
use trusted::{Mode, TrustedDocuments};

/// Bytes that remembered documents may take, by estimate.
const REMEMBERED_BYTES: u64 = 64 << 20;
/// What a selection takes in the two forms that are kept and as a name in an answer, with room to spare.
const SELECTION_BYTES: u64 = 1_000;
/// Plans made so far.
static PLANS: AtomicU64 = AtomicU64::new(0);

/// Why a request is not run: the errors of an answer without data, all of one code.
#[derive(Clone, Debug)]
pub struct Refusal {
    code: Code,
    errors: Vec<ServerError>,
}

impl Refusal {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, errors: vec![coded(code, ServerError::new(message, None))] }
    }

    fn located(code: Code, error: GraphQLError) -> Self {
        Self { code, errors: vec![from_compiler(code, error)] }
    }

    /// What a rule of the application says.
    pub fn because(error: crate::error::Error) -> Self {
        let error = super::error::Error(error);
        let (code, _) = error.code();
        let mut error = async_graphql::Error::from(error).into_server_error(Pos::default());
        // It is about no place in the document.
        error.locations.clear();
        Self { code, errors: vec![error] }
    }

    pub fn code(&self) -> Code {
        self.code
    }

    pub fn into_response(self) -> Response {
        Response::from_errors(self.errors)
    }
}

/// An operation that may be executed.
pub struct Prepared {
    pub kind: OperationType,
    /// In points; see [`cost`].
    pub cost: u32,
    /// The answer can hold more objects than it is charged for.
    assumed: bool,
    plan: Arc<Plan>,
    variables: Valid<JsonMap>,
}

impl Prepared {
    /// What the engine executes.
    pub fn request(&self) -> async_graphql::Request {
        let variables = engine::variables(&self.variables);
        let mut request = async_graphql::Request::new(String::new()).variables(variables);
        request.set_parsed_query(self.plan.document.clone());
        request
    }

    /// What is to be run of a query that needs no preparation by the engine: one without directives, such as `@skip`,
    /// that does not ask for the schema.
    pub fn plain(&self) -> Option<Plain<'_>> {
        let Plan { document, is_plain, forms, .. } = &*self.plan;
        let operation = engine::single(document).filter(|_| *is_plain)?;
        Some(Plain {
            definition: OperationDefinition {
                ty: operation.ty,
                variable_definitions: operation.variable_definitions.clone(),
                directives: Vec::new(),
                selection_set: Default::default(),
            },
            selection: &operation.selection_set,
            forms: forms.get_or_init(|| Arc::new(Forms::of(&operation.selection_set))).clone(),
            fragments: document.fragments.clone(),
            variables: engine::variables(&self.variables),
        })
    }

    /// How many objects an answer has beyond those that were charged.
    pub fn beyond(&self, answer: &async_graphql::Value) -> u64 {
        match self.assumed {
            true => cost::objects(answer, &self.plan.introspection).saturating_sub(self.cost.into()),
            false => 0,
        }
    }

    /// What it selects of the objects of its root fields.
    pub fn selected(&self) -> Selected {
        let used = self.plan.below.iter().map(|name| self.variables.get(name.as_str()));
        let variables = used.collect::<Vec<_>>();
        Selected { plan: self.plan.number, variables: format!("{variables:?}") }
    }

    /// Whether the field guard would have nothing to refuse, for who is granted these permissions.
    pub fn needs_no_guard(&self, granted: impl Fn(Permission) -> bool) -> bool {
        self.kind == OperationType::Query && self.plan.asked.iter().all(|permission| granted(*permission))
    }
}

/// A query as the engine's resolvers take it.
pub struct Plain<'a> {
    /// Its variables, and no selection.
    pub definition: OperationDefinition,
    pub selection: &'a Positioned<SelectionSet>,
    pub forms: Arc<Forms>,
    pub fragments: HashMap<Name, Positioned<FragmentDefinition>>,
    pub variables: Variables,
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
    plans: HashMap<Option<String>, Arc<Plan>>,
    /// What it takes in memory, by estimate.
    bytes: u64,
}

struct Plan {
    document: EngineDocument,
    /// See [`Prepared::plain`].
    is_plain: bool,
    /// Of its objects. They go by places in memory, so they are made once it has its own.
    forms: OnceLock<Arc<Forms>>,
    kind: OperationType,
    introspection: Vec<String>,
    /// Known beforehand, unless it depends on variables.
    cost: Option<Cost>,
    /// The permissions that its fields ask for.
    asked: Vec<Permission>,
    /// Tells it from all others.
    number: u64,
    /// The variables that are used below its root fields.
    below: Vec<String>,
}

/// What an operation selects of the objects of its root fields: the same selection with the same variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selected {
    plan: u64,
    variables: String,
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
        let assumed = cost.assumed;
        Ok(Prepared { kind: plan.kind, cost: cost::check(cost)?, assumed, plan: plan.clone(), variables })
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
                Arc::new(plan(&self.0.schema, &valid, operation)),
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
        if !self.0.introspection && introspection(document, operation).next().is_some() {
            return Err(Refusal::new(Code::GraphqlValidationFailed, "Introspection is switched off."));
        }
        apollo_compiler::introspection::check_max_depth(document, operation).map_err(|error| {
            Refusal::located(Code::QueryTooComplex, error.to_graphql_error(&document.sources))
        })
    }
}

/// The fields of an operation that ask for the schema.
fn introspection<'a>(
    document: &'a ExecutableDocument,
    operation: &'a Operation,
) -> impl Iterator<Item = &'a Node<Field>> {
    operation.root_fields(document).filter(|field| matches!(field.name.as_str(), "__schema" | "__type"))
}

fn plan(schema: &Schema, document: &Valid<ExecutableDocument>, operation: &Node<Operation>) -> Plan {
    use apollo_compiler::ast::OperationType as Kind;
    let cost = cost::count(document, operation, &Default::default());
    let kind = match operation.operation_type {
        Kind::Query => OperationType::Query,
        Kind::Mutation => OperationType::Mutation,
        Kind::Subscription => OperationType::Subscription,
    };
    let introspection = introspection(document, operation).map(|field| field.response_key().to_string());
    let (introspection, form) = (introspection.collect::<Vec<_>>(), engine::operation(document, operation));
    Plan {
        is_plain: kind == OperationType::Query && introspection.is_empty() && !engine::has_directives(&form),
        document: form,
        forms: OnceLock::new(),
        kind,
        introspection,
        cost: (!cost.varies).then_some(cost),
        asked: asked::permissions(schema, document, operation),
        number: PLANS.fetch_add(1, Ordering::Relaxed),
        below: asked::variables_below(document, operation),
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
    let errors = errors.iter().take(MAX_ERRORS).map(|error| from_compiler(code, error.to_json()));
    Refusal { code, errors: errors.collect() }
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
mod tests;
