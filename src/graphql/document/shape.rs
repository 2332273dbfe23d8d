//! How large a document is when its fragments are spread: counted before anything walks the expansion.
//!
//! Each fragment is counted once and remembered, so a few hundred bytes of fragments that spread each other
//! cannot keep a processor busy.

use std::collections::{HashMap, HashSet};

use apollo_compiler::Node;
use apollo_compiler::ast::{
    Argument, Definition, DirectiveList, Document, FragmentDefinition, Selection, Value,
};

use super::Refusal;
use crate::graphql::error::Code;

/// Selections below selections.
pub const MAX_DEPTH: u64 = 15;
/// The same with the fragments between them, inline or spread. Each is a step on the stack of whoever runs the operation,
/// some 13 kB of 4 MB. Clients that give each part of a page a fragment need two or three for each field.
pub const MAX_LEVELS: u64 = 100;
/// Selections, counted as often as fragments spread them.
pub const MAX_SELECTIONS: u64 = 2_000;
/// Fields with another name in the answer.
pub const MAX_ALIASES: u64 = 30;
/// Directives, wherever they stand.
pub const MAX_DIRECTIVES: u64 = 20;
/// Fields of the operation itself. Ten would do for most, but a page that opens with all that it refers to (the viewer
/// and the practice, places, rooms, equipment, services, members, schedules, courses, the calendar, the feed's position)
/// asks for a dozen, and has to come in one snapshot. What twenty may cost is bounded by points, and secrets are tried
/// once in an operation, so the number only bounds how many mutations one request can queue.
pub const MAX_ROOTS: u64 = 20;
/// Operations, those that are not run included.
pub const MAX_OPERATIONS: u64 = 10;

/// Sums over a part of a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shape {
    depth: u64,
    /// As deep, with fragments.
    levels: u64,
    selections: u64,
    /// Fields at the top of the part.
    roots: u64,
}

impl Shape {
    /// With the selection that it stands in.
    fn within(self) -> Self {
        Self { levels: self.levels + 1, selections: self.selections.saturating_add(1), ..self }
    }

    fn beside(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            levels: self.levels.max(other.levels),
            selections: self.selections.saturating_add(other.selections),
            roots: self.roots.saturating_add(other.roots),
        }
    }
}

/// How many selections the operations have together, fragments spread; or why that is too many of something.
pub fn check(document: &Document) -> Result<u64, Refusal> {
    let mut fragments = HashMap::new();
    let mut text = Written::default();
    for definition in &document.definitions {
        match definition {
            Definition::OperationDefinition(operation) => {
                text.operations += 1;
                text.directives(&operation.directives);
                for variable in &operation.variables {
                    variable.default_value.iter().for_each(|value| text.value(value));
                    text.directives(&variable.directives);
                }
                text.selections(&operation.selection_set);
            }
            Definition::FragmentDefinition(fragment) => {
                text.directives(&fragment.directives);
                text.selections(&fragment.selection_set);
                fragments.insert(fragment.name.as_str(), fragment);
            }
            // What is not executable is for the validator to name.
            _ => {}
        }
    }
    text.check()?;

    let mut walk = Walk { fragments, counted: HashMap::new() };
    let mut total = 0u64;
    for definition in &document.definitions {
        let Definition::OperationDefinition(operation) = definition else { continue };
        let shape = walk.selections(&operation.selection_set)?;
        total = total.saturating_add(shape.selections);
        at_most("too deep: selections nested", shape.depth, MAX_DEPTH)?;
        at_most("too deep: selections and fragments nested", shape.levels, MAX_LEVELS)?;
        at_most("too large: root fields", shape.roots, MAX_ROOTS)?;
        at_most("too large: selections", total, MAX_SELECTIONS)?;
    }
    Ok(total)
}

fn at_most(what: &str, is: u64, most: u64) -> Result<(), Refusal> {
    if is <= most {
        return Ok(());
    }
    let message = format!("The operation is {what} {is}, at most {most}.");
    Err(Refusal::new(Code::QueryTooComplex, message))
}

/// What stands in the text, whether it is spread or not.
#[derive(Default)]
struct Written {
    operations: u64,
    aliases: u64,
    directives: u64,
    repeats_a_field: bool,
}

impl Written {
    fn directives(&mut self, list: &DirectiveList) {
        self.directives += list.len() as u64;
        for directive in list.iter() {
            self.arguments(&directive.arguments);
        }
    }

    fn arguments(&mut self, arguments: &[Node<Argument>]) {
        for argument in arguments {
            self.value(&argument.value);
        }
    }

    /// The validator lets an object literal give a field twice.
    fn value(&mut self, value: &Value) {
        match value {
            Value::List(items) => items.iter().for_each(|item| self.value(item)),
            Value::Object(fields) => {
                let mut names = HashSet::with_capacity(fields.len());
                for (name, value) in fields {
                    self.repeats_a_field |= !names.insert(name.as_str());
                    self.value(value);
                }
            }
            _ => {}
        }
    }

    fn selections(&mut self, selections: &[Selection]) {
        for selection in selections {
            match selection {
                Selection::Field(field) => {
                    self.aliases += u64::from(field.alias.as_ref().is_some_and(|alias| *alias != field.name));
                    self.directives(&field.directives);
                    self.arguments(&field.arguments);
                    self.selections(&field.selection_set);
                }
                Selection::FragmentSpread(spread) => self.directives(&spread.directives),
                Selection::InlineFragment(fragment) => {
                    self.directives(&fragment.directives);
                    self.selections(&fragment.selection_set);
                }
            }
        }
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.repeats_a_field {
            let message = "An input object gives a field more than once.";
            return Err(Refusal::new(Code::GraphqlValidationFailed, message));
        }
        at_most("too large: operations in the document", self.operations, MAX_OPERATIONS)?;
        at_most("too large: aliases", self.aliases, MAX_ALIASES)?;
        at_most("too large: directives", self.directives, MAX_DIRECTIVES)
    }
}

struct Walk<'a> {
    fragments: HashMap<&'a str, &'a Node<FragmentDefinition>>,
    /// Fragments counted already; `None` while one is being counted.
    counted: HashMap<&'a str, Option<Shape>>,
}

impl<'a> Walk<'a> {
    fn selections(&mut self, selections: &'a [Selection]) -> Result<Shape, Refusal> {
        let mut sum = Shape::default();
        for selection in selections {
            let shape = match selection {
                Selection::Field(field) => {
                    let below = self.selections(&field.selection_set)?;
                    Shape { depth: below.depth + 1, roots: 1, ..below.within() }
                }
                Selection::InlineFragment(fragment) => self.selections(&fragment.selection_set)?.within(),
                Selection::FragmentSpread(spread) => self.fragment(spread.fragment_name.as_str())?,
            };
            sum = sum.beside(shape);
        }
        Ok(sum)
    }

    fn fragment(&mut self, name: &'a str) -> Result<Shape, Refusal> {
        match self.counted.get(name) {
            Some(Some(shape)) => return Ok(*shape),
            Some(None) => {
                return Err(Refusal::new(Code::GraphqlValidationFailed, "A fragment spreads itself."));
            }
            None => {}
        }
        // One that is not defined is for the validator to name.
        let Some(fragment) = self.fragments.get(name).copied() else { return Ok(Shape::default()) };
        self.counted.insert(name, None);
        let shape = self.selections(&fragment.selection_set)?.within();
        self.counted.insert(name, Some(shape));
        Ok(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Option<Code> {
        let document = Document::parse(text, "document").expect("it parses");
        check(&document).err().map(|refusal| refusal.code())
    }

    /// A document at the limit, and one above it.
    fn at_and_above(most: u64, document: impl Fn(u64) -> String) {
        assert_eq!(refused(&document(most)), None, "{}", document(most));
        assert_eq!(refused(&document(most + 1)), Some(Code::QueryTooComplex));
    }

    #[test]
    fn each_limit_holds_exactly() {
        let times = |count: u64, text: &str| text.repeat(usize::try_from(count).unwrap());
        at_and_above(MAX_DEPTH, |depth| format!("{}{}", times(depth, "{ a "), times(depth, "}")));

        at_and_above(MAX_LEVELS - 1, |levels| {
            format!("{{ {}a{} }}", times(levels, "... { "), times(levels, " }"))
        });
        at_and_above(MAX_LEVELS - 2, |levels| {
            let spread = |level| format!(" fragment F{level} on Query {{ a {{ ...F{} }} }}", level + 1);
            let inline = format!(
                " fragment F10 on Query {{ {}a{} }}",
                times(levels - 20, "... { "),
                times(levels - 20, " }")
            );
            format!("{{ ...F0 }}{}{inline}", (0..10).map(spread).collect::<String>())
        });

        at_and_above(MAX_SELECTIONS - 1, |count| format!("{{ a {{ {} }} }}", times(count, "b ")));
        at_and_above(MAX_ALIASES, |count| {
            format!("{{ a {{ {} }} }}", (0..count).map(|alias| format!("x{alias}: b ")).collect::<String>())
        });
        at_and_above(MAX_DIRECTIVES, |count| format!("{{ a {{ {} }} }}", times(count, "b @skip(if: true) ")));
        at_and_above(MAX_ROOTS, |count| format!("{{ {} }}", times(count, "b ")));
        at_and_above(MAX_OPERATIONS, |count| {
            (0..count).map(|name| format!("query Q{name} {{ a }} ")).collect::<String>()
        });
    }

    #[test]
    fn fragments_count_as_often_as_they_are_spread() {
        let bomb = |levels: usize| {
            let mut text = String::from("{ ...F0 } ");
            for level in 0..levels {
                let next = level + 1;
                text += &format!("fragment F{level} on Query {{ ...F{next} ...F{next} }} ");
            }
            text + &format!("fragment F{levels} on Query {{ a }}")
        };
        assert_eq!(refused(&bomb(3)), None);
        for levels in [20, 64, 200] {
            assert_eq!(refused(&bomb(levels)), Some(Code::QueryTooComplex), "{levels}");
        }
        let cycle = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }";
        assert_eq!(refused(cycle), Some(Code::GraphqlValidationFailed));
    }

    #[test]
    fn directives_count_on_operations_variables_and_spreads_too() {
        let spreads = "...F @skip(if: true) ".repeat(21);
        assert_eq!(
            refused(&format!("{{ {spreads} }} fragment F on Query {{ a }}")),
            Some(Code::QueryTooComplex)
        );
        let on_operation = "@skip(if: true) ".repeat(21);
        assert_eq!(refused(&format!("query {on_operation} {{ a }}")), Some(Code::QueryTooComplex));
        assert_eq!(refused(&format!("query ($a: Int {on_operation}) {{ a }}")), Some(Code::QueryTooComplex));
    }
}
