//! The permissions that an operation asks for: known before it runs, whatever its variables are.

use std::collections::{BTreeSet, HashSet};

use apollo_compiler::ast::{DirectiveList, FieldDefinition, Value};
use apollo_compiler::executable::{Operation, Selection, SelectionSet};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{ExecutableDocument, Name, Node, Schema};
use async_graphql::resolver_utils::EnumType;

use crate::access::permission::Permission;

/// Every permission that a field of the operation declares with `@requires`, in no order. A field of an interface
/// asks for what any of its types asks for; a field that is skipped asks all the same.
pub fn permissions(schema: &Schema, document: &ExecutableDocument, operation: &Operation) -> Vec<Permission> {
    let mut walk = Walk { schema, document, seen: HashSet::new(), asked: HashSet::new() };
    walk.selections(&operation.selection_set);
    walk.asked.into_iter().collect()
}

/// The variables that are used below the operation's root fields.
pub fn variables_below(document: &ExecutableDocument, operation: &Operation) -> Vec<String> {
    let mut used = Used { document, seen: HashSet::new(), names: BTreeSet::new() };
    used.roots(&operation.selection_set);
    used.names.into_iter().map(String::from).collect()
}

struct Used<'a> {
    document: &'a ExecutableDocument,
    seen: HashSet<&'a str>,
    names: BTreeSet<&'a str>,
}

impl<'a> Used<'a> {
    fn roots(&mut self, set: &'a SelectionSet) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => self.selections(&field.selection_set),
                Selection::InlineFragment(fragment) => self.roots(&fragment.selection_set),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name) {
                        self.roots(&fragment.selection_set);
                    }
                }
            }
        }
    }

    fn selections(&mut self, set: &'a SelectionSet) {
        for selection in &set.selections {
            self.directives(selection.directives());
            match selection {
                Selection::Field(field) => {
                    field.arguments.iter().for_each(|argument| self.value(&argument.value));
                    self.selections(&field.selection_set);
                }
                Selection::InlineFragment(fragment) => self.selections(&fragment.selection_set),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name)
                        && self.seen.insert(fragment.name.as_str())
                    {
                        self.selections(&fragment.selection_set);
                    }
                }
            }
        }
    }

    fn directives(&mut self, directives: &'a DirectiveList) {
        for directive in directives.iter() {
            directive.arguments.iter().for_each(|argument| self.value(&argument.value));
        }
    }

    fn value(&mut self, value: &'a Value) {
        match value {
            Value::Variable(name) => drop(self.names.insert(name.as_str())),
            Value::List(items) => items.iter().for_each(|item| self.value(item)),
            Value::Object(fields) => fields.iter().for_each(|(_, value)| self.value(value)),
            _ => {}
        }
    }
}

struct Walk<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    /// Fragments that were walked already.
    seen: HashSet<&'a str>,
    asked: HashSet<Permission>,
}

impl<'a> Walk<'a> {
    fn selections(&mut self, set: &'a SelectionSet) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    self.field(&field.definition);
                    if matches!(self.schema.types.get(&set.ty), Some(ExtendedType::Interface(_))) {
                        self.implementations(&set.ty, &field.name);
                    }
                    self.selections(&field.selection_set);
                }
                Selection::InlineFragment(fragment) => self.selections(&fragment.selection_set),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name)
                        && self.seen.insert(fragment.name.as_str())
                    {
                        self.selections(&fragment.selection_set);
                    }
                }
            }
        }
    }

    fn implementations(&mut self, interface: &Name, field: &Name) {
        let schema = self.schema;
        for of in schema.types.values() {
            if let ExtendedType::Object(object) = of
                && object.implements_interfaces.contains(interface)
                && let Some(field) = object.fields.get(field)
            {
                self.field(field);
            }
        }
    }

    fn field(&mut self, field: &Node<FieldDefinition>) {
        for directive in field.directives.get_all("requires") {
            let named = directive.specified_argument_by_name("permission").and_then(|value| value.as_enum());
            let item =
                named.and_then(|name| Permission::items().iter().find(|item| item.name == name.as_str()));
            self.asked.extend(item.map(|item| item.value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> HashSet<Permission> {
        let sdl = "
            directive @requires(permission: Permission!) on FIELD_DEFINITION
            enum Permission { READ_PATIENTS READ_CLINICAL READ_AUDIT }
            interface Node { id: ID! }
            type Query { node: Node me: Chart @requires(permission: READ_PATIENTS) }
            type Chart implements Node { id: ID! notes: String @requires(permission: READ_CLINICAL) me: Chart }
            type Event implements Node { id: ID! @requires(permission: READ_AUDIT) }
        ";
        let schema = Schema::parse_and_validate(sdl, "schema").unwrap();
        let document = ExecutableDocument::parse_and_validate(&schema, text, "document").unwrap();
        let operation = document.operations.iter().next().unwrap();
        permissions(&schema, &document, operation).into_iter().collect()
    }

    #[test]
    fn a_variable_of_a_root_field_alone_is_not_used_below_it() {
        let sdl = "type Query { me(id: ID): Chart } type Chart { me(ids: [ID]): Chart name: String }";
        let schema = Schema::parse_and_validate(sdl, "schema").unwrap();
        let text = "query ($a: ID, $b: ID, $c: Boolean!, $d: ID) { me(id: $a) { me(ids: [$b]) { ...N } } } \
            fragment N on Chart { name @skip(if: $c) me(ids: [$d]) { name } }";
        let document = ExecutableDocument::parse_and_validate(&schema, text, "document").unwrap();
        let operation = document.operations.iter().next().unwrap();
        assert_eq!(variables_below(&document, operation), ["b", "c", "d"]);
    }

    #[test]
    fn a_permission_is_asked_wherever_its_field_stands() {
        use Permission::{ReadAudit, ReadClinical, ReadPatients};
        assert_eq!(asked("{ __typename }"), HashSet::new());
        assert_eq!(asked("{ me { id } }"), [ReadPatients].into());
        assert_eq!(asked("{ me { me { notes @skip(if: true) } } }"), [ReadPatients, ReadClinical].into());
        assert_eq!(asked("{ node { ... on Chart { notes } } }"), [ReadClinical].into());
        assert_eq!(asked("{ node { ...N } } fragment N on Chart { me { notes } }"), [ReadClinical].into());
        // Only when it runs is it known whose id it is.
        assert_eq!(asked("{ node { id } }"), [ReadAudit].into());
    }
}
