//! Variables inside list and object literals: the validator checks only those that are whole arguments.

use std::collections::HashSet;

use apollo_compiler::ast::{Type, Value, VariableDefinition};
use apollo_compiler::executable::{Operation, Selection, SelectionSet};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{ExecutableDocument, Node, Schema};

use super::Refusal;
use crate::graphql::error::Code;

/// Refuses an operation that puts a variable where values of its type do not fit.
pub fn check(schema: &Schema, document: &ExecutableDocument, operation: &Operation) -> Result<(), Refusal> {
    let mut walk = Walk { schema, document, variables: &operation.variables, seen: HashSet::new() };
    walk.selections(&operation.selection_set)
}

struct Walk<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    variables: &'a [Node<VariableDefinition>],
    /// Fragments that were walked already.
    seen: HashSet<&'a str>,
}

impl<'a> Walk<'a> {
    fn selections(&mut self, set: &'a SelectionSet) -> Result<(), Refusal> {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    for argument in &field.arguments {
                        if let Some(definition) = field.definition.argument_by_name(&argument.name)
                            && !matches!(argument.value.as_ref(), Value::Variable(_))
                        {
                            self.value(&argument.value, &definition.ty, false)?;
                        }
                    }
                    self.selections(&field.selection_set)?;
                }
                Selection::InlineFragment(fragment) => self.selections(&fragment.selection_set)?,
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name)
                        && self.seen.insert(fragment.name.as_str())
                    {
                        self.selections(&fragment.selection_set)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn value(&self, value: &Value, expected: &Type, has_default: bool) -> Result<(), Refusal> {
        match value {
            Value::Variable(name) => {
                let variable = self.variables.iter().find(|variable| variable.name == *name);
                match variable.is_none_or(|variable| fits(variable, expected, has_default)) {
                    true => Ok(()),
                    false => {
                        let message =
                            format!("The variable ${name} does not fit where {expected} is expected.");
                        Err(Refusal::new(Code::GraphqlValidationFailed, message))
                    }
                }
            }
            Value::List(items) => {
                items.iter().try_for_each(|item| self.value(item, expected.item_type(), false))
            }
            Value::Object(fields) => {
                let Some(ExtendedType::InputObject(object)) =
                    self.schema.types.get(expected.inner_named_type())
                else {
                    return Ok(());
                };
                fields.iter().try_for_each(|(name, value)| match object.fields.get(name) {
                    Some(field) => self.value(value, &field.ty, field.default_value.is_some()),
                    None => Ok(()),
                })
            }
            _ => Ok(()),
        }
    }
}

/// Whether the variable may stand there (`AreTypesCompatible` with the rule of defaults, GraphQL §5.8.5).
fn fits(variable: &VariableDefinition, expected: &Type, has_default: bool) -> bool {
    if expected.is_non_null() && !variable.ty.is_non_null() {
        let is_given = variable.default_value.as_ref().is_some_and(|default| !default.is_null());
        return (is_given || has_default) && variable.ty.is_assignable_to(&expected.clone().nullable());
    }
    variable.ty.is_assignable_to(expected)
}
