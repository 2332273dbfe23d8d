//! What an operation may cost: the objects that it can answer, in points.
//!
//! An object is a point, a field of the mutation ten; scalars are free. What is below a list counts as often as
//! the list can be long: the size of the page asked for, the `limit` or the number of ids given, or what the schema
//! says with `@listSize`. A test finds a list of the schema that says none of it. What `@listSize` says is what is
//! usual, not the most there can be: an answer that has more objects than it was charged for is charged for them
//! afterwards.

use std::collections::HashMap;

use apollo_compiler::ExecutableDocument;
use apollo_compiler::ast::{FieldDefinition, OperationType, Type, Value};
use apollo_compiler::executable::{Field, Operation, Selection, SelectionSet};
use apollo_compiler::response::{JsonMap, JsonValue};
use async_graphql::{TypeDirective, Value as Data};

use super::Refusal;
use crate::graphql::error::Code;
use crate::graphql::page::{DEFAULT_SIZE, MAX_SIZE};

/// The most points of one operation.
pub const MAX_POINTS: u32 = 2_000;
/// The largest `limit` of an input.
pub const MOST_LIMIT: i32 = 300;
/// The most fields that one operation may answer, scalars included.
const MAX_FIELDS: u64 = 50_000;

const MUTATION_POINTS: u64 = 10;
/// Introspection is counted as if the schema had one type, the average one. What tools ask for comes to some 500
/// fields of it, and is let through twice: so many fields that are answered from a database would do as much work.
const SCHEMA_WEIGHT: u64 = 40;
/// One type by its name may be one of the largest.
const TYPE_WEIGHT: u64 = 60;
/// Fields of introspection for a point, and the least that it costs.
const FIELDS_OF_A_POINT: u64 = 200;
const INTROSPECTION_POINTS: u64 = 10;

/// How many items a list without pages is taken to have when an operation's cost is counted.
#[TypeDirective(name = "listSize", location = "FieldDefinition")]
pub fn list_size(assumed_size: i32) {}

/// How long a field's list can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// It is not a list of objects.
    One,
    /// A page of a connection: what its `nodes` and `edges` repeat.
    Page,
    /// As many as there are ids.
    Ids,
    /// What the schema says.
    Assumed(u64),
    /// The items of the page around it.
    Items,
    /// The schema does not say.
    Unknown,
}

/// How long the lists of introspection are on average, rounded up. A test compares them with the schema.
fn introspected(field: &str) -> u64 {
    match field {
        "fields" => 4,
        "inputFields" | "enumValues" => 3,
        _ => 1,
    }
}

/// How long the list of this field can be; `parent` is the type that has the field, `composite` whether the field
/// answers objects.
pub fn length(parent: &str, field: &FieldDefinition, composite: bool) -> Length {
    let takes = |name: &str| field.arguments.iter().any(|argument| argument.name == name);
    let is_list = matches!(field.ty, Type::List(_) | Type::NonNullList(_));
    if !composite {
        return Length::One;
    }
    if parent.starts_with("__") {
        return if is_list { Length::Assumed(introspected(field.name.as_str())) } else { Length::One };
    }
    if field.ty.inner_named_type().ends_with("Connection") && takes("first") {
        return Length::Page;
    }
    if !is_list {
        return Length::One;
    }
    if parent.ends_with("Connection") && matches!(field.name.as_str(), "nodes" | "edges") {
        return Length::Items;
    }
    let declared = field.directives.get("listSize").and_then(|directive| {
        directive.specified_argument_by_name("assumedSize").and_then(|size| size.to_i32())
    });
    match declared.and_then(|size| u64::try_from(size).ok()) {
        Some(size) => Length::Assumed(size),
        None if takes("ids") => Length::Ids,
        None => Length::Unknown,
    }
}

/// Points of an operation under these variables, and whether other variables could cost another amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub points: u64,
    /// Fields that are answered, counted as often as lists repeat them.
    pub fields: u64,
    pub varies: bool,
    /// It holds lists that can be longer than they are taken to be.
    pub assumed: bool,
}

/// What a part of an operation adds up to.
#[derive(Clone, Copy, Default)]
struct Sum {
    points: u64,
    fields: u64,
}

impl Sum {
    fn and(self, other: Self) -> Self {
        Self {
            points: self.points.saturating_add(other.points),
            fields: self.fields.saturating_add(other.fields),
        }
    }

    fn times(self, count: u64) -> Self {
        Self { points: self.points.saturating_mul(count), fields: self.fields.saturating_mul(count) }
    }
}

const FIELD: Sum = Sum { points: 0, fields: 1 };
const OBJECT: Sum = Sum { points: 1, fields: 1 };

/// Counts without expanding anything: each fragment once.
pub fn count(document: &ExecutableDocument, operation: &Operation, variables: &JsonMap) -> Cost {
    let mutation =
        (operation.operation_type == OperationType::Mutation).then(|| operation.selection_set.ty.as_str());
    let mut walk =
        Walk { document, variables, mutation, varies: false, assumed: false, counted: HashMap::new() };
    let sum = walk.selections(&operation.selection_set, None);
    Cost { points: sum.points.max(1), fields: sum.fields, varies: walk.varies, assumed: walk.assumed }
}

/// The points, or why they are too many.
pub fn check(cost: Cost) -> Result<u32, Refusal> {
    let Cost { points, fields, .. } = cost;
    if fields > MAX_FIELDS {
        let message =
            format!("The operation answers {fields} fields, at most {MAX_FIELDS}. Ask for smaller pages.");
        return Err(Refusal::new(Code::QueryTooComplex, message));
    }
    if let Some(points) = u32::try_from(points).ok().filter(|points| *points <= MAX_POINTS) {
        return Ok(points);
    }
    let message =
        format!("The operation costs {points} points, at most {MAX_POINTS}. Ask for smaller pages.");
    Err(Refusal::new(Code::QueryTooComplex, message))
}

/// How many objects an answer has, those of introspection left out, which stand under these names.
pub fn objects(data: &Data, introspection: &[String]) -> u64 {
    fn within(value: &Data) -> u64 {
        match value {
            Data::Object(fields) => 1 + fields.values().map(within).sum::<u64>(),
            Data::List(items) => items.iter().map(within).sum(),
            _ => 0,
        }
    }
    let Data::Object(roots) = data else { return 0 };
    let is_shown = |name: &str| !introspection.iter().any(|key| key == name);
    roots.iter().filter(|(name, _)| is_shown(name)).map(|(_, value)| within(value)).sum()
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    variables: &'a JsonMap,
    /// The type of mutations, when the operation is one.
    mutation: Option<&'a str>,
    varies: bool,
    assumed: bool,
    /// Sums of fragments by name and by the size of the page that they are spread on.
    counted: HashMap<(&'a str, Option<u64>), Sum>,
}

impl<'a> Walk<'a> {
    /// The sum of a selection; `page` is how long the lists that it is about were asked to be: the items of a
    /// connection, or what a `limit` bounds.
    fn selections(&mut self, set: &'a SelectionSet, page: Option<u64>) -> Sum {
        let mut sum = Sum::default();
        for selection in &set.selections {
            let part = match selection {
                Selection::Field(field) => self.field(set.ty.as_str(), field, page),
                Selection::InlineFragment(fragment) => self.selections(&fragment.selection_set, page),
                Selection::FragmentSpread(spread) => self.fragment(spread.fragment_name.as_str(), page),
            };
            sum = sum.and(part);
        }
        sum
    }

    fn field(&mut self, parent: &str, field: &'a Field, page: Option<u64>) -> Sum {
        let own = match (field.name.as_str(), self.mutation) {
            ("__schema", _) => return self.introspection(field, SCHEMA_WEIGHT),
            ("__type", _) => return self.introspection(field, TYPE_WEIGHT),
            (_, Some(mutation)) if parent == mutation => Sum { points: MUTATION_POINTS, fields: 0 },
            _ => Sum::default(),
        };
        let composite = !field.selection_set.selections.is_empty();
        let length = length(parent, &field.definition, composite);
        self.assumed |= match length {
            Length::Assumed(_) => page.is_none(),
            Length::Unknown => true,
            _ => false,
        };
        let (size, below) = match length {
            Length::One if !composite => return own.and(FIELD),
            Length::One => (1, self.limit(field)),
            Length::Page => (1, Some(self.page_size(field))),
            Length::Items => (page.unwrap_or(1), None),
            Length::Assumed(size) => (page.unwrap_or(size), None),
            Length::Ids => (self.ids(field), None),
            Length::Unknown => (MAX_SIZE as u64, None),
        };
        self.selections(&field.selection_set, below).and(OBJECT).times(size).and(own)
    }

    fn introspection(&mut self, field: &'a Field, weight: u64) -> Sum {
        let below = self.selections(&field.selection_set, None);
        let fields = below.fields.saturating_add(1).saturating_mul(weight);
        Sum { points: (fields / FIELDS_OF_A_POINT).max(INTROSPECTION_POINTS), fields }
    }

    fn fragment(&mut self, name: &'a str, page: Option<u64>) -> Sum {
        // Validated before: it is defined, and no cycle.
        let Some(fragment) = self.document.fragments.get(name) else { return Sum::default() };
        if let Some(sum) = self.counted.get(&(name, page)) {
            return *sum;
        }
        let sum = self.selections(&fragment.selection_set, page);
        self.counted.insert((name, page), sum);
        sum
    }

    fn page_size(&mut self, field: &Field) -> u64 {
        let sizes = ["first", "last"].map(|name| self.number(field, name));
        let size = sizes.into_iter().flatten().max().unwrap_or(DEFAULT_SIZE as u64);
        size.clamp(1, MAX_SIZE as u64)
    }

    /// The `limit` in the `input` of a field, when there is one.
    fn limit(&mut self, field: &Field) -> Option<u64> {
        let limit = match self.argument(field, "input")? {
            Given::Literal(Value::Object(fields)) => {
                let (_, value) = fields.iter().find(|(name, _)| name == "limit")?;
                match value.as_ref() {
                    Value::Variable(variable) => {
                        self.varies = true;
                        self.variables.get(variable.as_str())?.as_i64()?
                    }
                    literal => literal.to_i32()?.into(),
                }
            }
            Given::Literal(_) => return None,
            Given::Passed(value) => value.get("limit")?.as_i64()?,
        };
        // One that is not allowed is for the field to refuse.
        Some(limit.clamp(1, MOST_LIMIT.into()).unsigned_abs())
    }

    /// The number that an argument is under these variables.
    fn number(&mut self, field: &Field, argument: &str) -> Option<u64> {
        match self.argument(field, argument)? {
            Given::Literal(value) => value.to_i32().map(|number| number.max(0).unsigned_abs().into()),
            Given::Passed(value) => value.as_i64().map(|number| number.max(0).unsigned_abs()),
        }
    }

    fn ids(&mut self, field: &Field) -> u64 {
        let length = match self.argument(field, "ids") {
            Some(Given::Literal(value)) => value.as_list().map_or(1, <[_]>::len),
            Some(Given::Passed(value)) => value.as_array().map_or(1, Vec::len),
            None => 1,
        };
        length as u64
    }

    fn argument<'f>(&mut self, field: &'f Field, name: &str) -> Option<Given<'f, 'a>> {
        let value = &field.arguments.iter().find(|argument| argument.name == name)?.value;
        match value.as_ref() {
            Value::Variable(variable) => {
                self.varies = true;
                self.variables.get(variable.as_str()).filter(|value| !value.is_null()).map(Given::Passed)
            }
            Value::Null => None,
            // A variable inside a list makes it vary, too; its length does not.
            literal => Some(Given::Literal(literal)),
        }
    }
}

enum Given<'f, 'v> {
    Literal(&'f Value),
    Passed(&'v JsonValue),
}

#[cfg(test)]
mod tests;
