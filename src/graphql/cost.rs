//! What an operation may cost, counted before it runs and without expanding anything.
//!
//! Each fragment is counted once and remembered, so a few hundred bytes of fragments that spread each other
//! cannot keep a processor busy. The engine's own limits are checked after it has walked the expansion.

use std::collections::HashMap;

use async_graphql::Variables;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, FragmentDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned};
use async_graphql_value::{ConstValue, Value};

use super::document::Refusal;
use super::error::Code;
use super::page::{DEFAULT_SIZE, MAX_SIZE};

/// Selections below selections.
const MAX_DEPTH: u64 = 15;
/// Fields, counted as often as fragments spread them.
const MAX_FIELDS: u64 = 4_000;
/// Fields, counted as often as pages repeat them.
const MAX_COST: u64 = 20_000;

/// Sums over a part of a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub depth: u64,
    pub fields: u64,
    pub points: u64,
}

impl Cost {
    fn beside(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            fields: self.fields.saturating_add(other.fields),
            points: self.points.saturating_add(other.points),
        }
    }
}

/// The cost of the document's costliest operation, or why it is not run.
pub fn check(document: &ExecutableDocument, variables: &Variables) -> Result<Cost, Refusal> {
    let mut cost = Cost::default();
    let operations = match &document.operations {
        DocumentOperations::Single(operation) => vec![operation],
        DocumentOperations::Multiple(operations) => operations.values().collect(),
    };
    for operation in operations {
        let defaults = operation.node.variable_definitions.iter().filter_map(|definition| {
            let default = definition.node.default_value.as_ref()?;
            Some((definition.node.name.node.as_str(), &default.node))
        });
        let defaults = defaults.collect();
        let mut walk = Walk { fragments: &document.fragments, variables, defaults, counted: HashMap::new() };
        let own = walk.selection_set(&operation.node.selection_set.node)?;
        cost = Cost {
            depth: cost.depth.max(own.depth),
            fields: cost.fields.max(own.fields),
            points: cost.points.max(own.points),
        };
    }
    for (what, is, most) in [
        ("deep: nested", cost.depth, MAX_DEPTH),
        ("large: fields", cost.fields, MAX_FIELDS),
        ("costly: points", cost.points, MAX_COST),
    ] {
        if is > most {
            let message = format!("The operation is too {what} {is}, at most {most}.");
            return Err(Refusal { code: Code::QueryTooComplex, message });
        }
    }
    Ok(cost)
}

struct Walk<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    variables: &'a Variables,
    /// What the operation's variables are when the request leaves them out.
    defaults: HashMap<&'a str, &'a ConstValue>,
    /// Fragments counted already; `None` while one is being counted.
    counted: HashMap<&'a str, Option<Cost>>,
}

impl<'a> Walk<'a> {
    fn selection_set(&mut self, set: &'a SelectionSet) -> Result<Cost, Refusal> {
        let mut sum = Cost::default();
        for selection in &set.items {
            let cost = match &selection.node {
                Selection::Field(field) => self.field(&field.node)?,
                Selection::InlineFragment(fragment) => {
                    self.selection_set(&fragment.node.selection_set.node)?
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(spread.node.fragment_name.node.as_str())?
                }
            };
            sum = sum.beside(cost);
        }
        Ok(sum)
    }

    fn field(&mut self, field: &'a Field) -> Result<Cost, Refusal> {
        let below = self.selection_set(&field.selection_set.node)?;
        Ok(Cost {
            depth: below.depth + 1,
            fields: below.fields.saturating_add(1),
            points: below.points.saturating_mul(self.repeats(field)).saturating_add(1),
        })
    }

    fn fragment(&mut self, name: &'a str) -> Result<Cost, Refusal> {
        match self.counted.get(name) {
            Some(Some(cost)) => return Ok(*cost),
            Some(None) => {
                let message = "A fragment spreads itself.".into();
                return Err(Refusal { code: Code::GraphqlValidationFailed, message });
            }
            None => {}
        }
        // Refused here, for the engine walks the expansion before it notices.
        let Some(fragment) = self.fragments.get(name) else {
            let message = "A fragment is not defined.".into();
            return Err(Refusal { code: Code::GraphqlValidationFailed, message });
        };
        self.counted.insert(name, None);
        let mut cost = self.selection_set(&fragment.node.selection_set.node)?;
        cost.fields = cost.fields.saturating_add(1);
        self.counted.insert(name, Some(cost));
        Ok(cost)
    }

    /// How often what is below the field is answered: the size of a page, or the length of a list of ids.
    fn repeats(&self, field: &Field) -> u64 {
        let argument = |name: &str| field.get_argument(name).map(|value| self.constant(&value.node));
        for name in ["first", "last"] {
            match argument(name) {
                Some(Some(ConstValue::Number(size))) => {
                    return size.as_u64().unwrap_or(MAX_SIZE as u64).clamp(1, MAX_SIZE as u64);
                }
                // Omitted or null: the default page. Anything else is refused later; until then it counts in full.
                Some(None | Some(ConstValue::Null)) | None => {}
                Some(Some(_)) => return MAX_SIZE as u64,
            }
        }
        if let Some(Some(ConstValue::List(ids))) = argument("ids") {
            return ids.len().max(1) as u64;
        }
        if self.lists(&field.selection_set.node, 0) { DEFAULT_SIZE as u64 } else { 1 }
    }

    /// Whether the selection asks for the items of a list, itself or through fragments.
    fn lists(&self, set: &SelectionSet, spreads: usize) -> bool {
        set.items.iter().any(|selection| match &selection.node {
            Selection::Field(field) => matches!(field.node.name.node.as_str(), "nodes" | "edges"),
            Selection::InlineFragment(fragment) => self.lists(&fragment.node.selection_set.node, spreads),
            // Behind a chain of fragments it counts as a list, whatever it is.
            Selection::FragmentSpread(spread) => {
                spreads >= 2
                    || self
                        .fragments
                        .get(&spread.node.fragment_name.node)
                        .is_some_and(|fragment| self.lists(&fragment.node.selection_set.node, spreads + 1))
            }
        })
    }

    fn constant(&self, value: &Value) -> Option<ConstValue> {
        let named = |name: Name| {
            let passed = self.variables.get(&name);
            passed.or_else(|| self.defaults.get(name.as_str()).copied()).cloned().ok_or(())
        };
        value.clone().into_const_with(named).ok()
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn cost(text: &str) -> Result<Cost, Code> {
        check(&parse_query(text).unwrap(), &Variables::default()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_page_costs_its_size_times_what_is_on_it() {
        assert_eq!(cost("{ a { b } }").unwrap().points, 2);
        assert_eq!(cost("{ a(first: 50) { nodes { b } } }").unwrap().points, 1 + 50 * 2);
        assert_eq!(cost("{ a { nodes { b } } }").unwrap().points, 1 + 20 * 2);
        assert_eq!(cost("{ nodes(ids: [1, 2, 3]) { id } }").unwrap().points, 1 + 3);
        let variables = Variables::from_json(serde_json::json!({ "n": 10 }));
        let document = parse_query("query($n: Int) { a(first: $n) { nodes { b } } }").unwrap();
        assert_eq!(check(&document, &variables).unwrap().points, 1 + 10 * 2);
    }

    #[test]
    fn an_omitted_variable_counts_as_the_default_page() {
        assert_eq!(cost("query($n: Int) { a(first: $n) { nodes { b } } }").unwrap().points, 1 + 20 * 2);
    }

    #[test]
    fn a_page_cannot_hide_in_a_default_or_behind_a_fragment() {
        let defaulted = "query($n: Int = 100) { a(first: $n) { nodes { b(first: $n) { nodes { c d } } } } }";
        assert_eq!(cost(defaulted), Err(Code::QueryTooComplex));
        assert_eq!(cost("{ a { ... on C { nodes { b } } } }").unwrap().points, 1 + 20 * 2);
        assert_eq!(cost("{ a { ...f } } fragment f on C { nodes { b } }").unwrap().points, 1 + 20 * 2);
    }

    #[test]
    fn a_fragment_that_is_not_defined_is_refused_before_it_is_expanded() {
        let mut text = String::from("{ ...f0 }");
        for level in 0..30 {
            text.push_str(&format!(
                " fragment f{level} on Q {{ {} }}",
                format!("...f{} ", level + 1).repeat(25)
            ));
        }
        text.push_str(" fragment f30 on Q { ...missing }");
        assert_eq!(cost(&text), Err(Code::GraphqlValidationFailed));
    }

    #[test]
    fn chained_fragments_are_counted_without_expanding_them() {
        // Two to the power of 200 fields.
        let mut text = String::from("{ ...f0 }");
        for level in 0..200 {
            text.push_str(&format!(" fragment f{level} on Q {{ ...f{next} ...f{next} }}", next = level + 1));
        }
        text.push_str(" fragment f200 on Q { a }");
        assert_eq!(cost(&text), Err(Code::QueryTooComplex));
    }

    #[test]
    fn cycles_depth_and_costly_pages_are_refused() {
        assert_eq!(cost("{ ...f } fragment f on Q { a { ...f } }"), Err(Code::GraphqlValidationFailed));
        assert_eq!(cost(&format!("{}{}", "{ a ".repeat(16), "}".repeat(16))), Err(Code::QueryTooComplex));
        let nested = "{ a(first: 100) { nodes { b(first: 100) { nodes { c d } } } } }";
        assert_eq!(cost(nested), Err(Code::QueryTooComplex));
        let wide = format!("{{ {} }}", "a ".repeat(4_001));
        assert_eq!(cost(&wide), Err(Code::QueryTooComplex));
    }
}
