//! A validated operation in the form that the engine executes.
//!
//! The engine's own parser is never used: it recurses without bound, refuses valid string escapes and accepts
//! documents that the specification does not.

use std::collections::{HashMap, HashSet};

use apollo_compiler::ast::{self, OperationType, Type};
use apollo_compiler::executable::{Fragment, Operation, Selection, SelectionSet};
use apollo_compiler::parser::SourceMap;
use apollo_compiler::response::{JsonMap, JsonValue};
use apollo_compiler::{ExecutableDocument, Node};
use async_graphql::parser::types as engine;
use async_graphql::{Name, Pos, Positioned, Variables};
use async_graphql_value::{ConstValue, Number, Value};

/// The operation with the fragments that it reaches, and nothing else of the document.
pub fn operation(document: &ExecutableDocument, operation: &Operation) -> engine::ExecutableDocument {
    let convert = Convert { sources: &document.sources };
    let definition = engine::OperationDefinition {
        ty: match operation.operation_type {
            OperationType::Query => engine::OperationType::Query,
            OperationType::Mutation => engine::OperationType::Mutation,
            OperationType::Subscription => engine::OperationType::Subscription,
        },
        variable_definitions: operation.variables.iter().map(|variable| convert.variable(variable)).collect(),
        directives: convert.directives(&operation.directives),
        selection_set: convert.selections(&operation.selection_set),
    };
    let mut reached = HashSet::new();
    reach(document, &operation.selection_set, &mut reached);
    let fragments = reached.into_iter().filter_map(|name| {
        let fragment = document.fragments.get(name)?;
        Some((Name::new(name), convert.fragment(fragment)))
    });
    engine::ExecutableDocument {
        operations: engine::DocumentOperations::Single(Positioned::new(definition, Pos::default())),
        fragments: fragments.collect::<HashMap<_, _>>(),
    }
}

/// The operation of such a document.
pub fn single(document: &engine::ExecutableDocument) -> Option<&engine::OperationDefinition> {
    match &document.operations {
        engine::DocumentOperations::Single(operation) => Some(&operation.node),
        engine::DocumentOperations::Multiple(_) => None,
    }
}

/// Whether a selection of the document has a directive.
pub fn has_directives(document: &engine::ExecutableDocument) -> bool {
    fn any(set: &Positioned<engine::SelectionSet>) -> bool {
        set.node.items.iter().any(|selection| match &selection.node {
            engine::Selection::Field(it) => !it.node.directives.is_empty() || any(&it.node.selection_set),
            engine::Selection::FragmentSpread(it) => !it.node.directives.is_empty(),
            engine::Selection::InlineFragment(it) => {
                !it.node.directives.is_empty() || any(&it.node.selection_set)
            }
        })
    }
    single(document).is_some_and(|operation| any(&operation.selection_set))
        || document.fragments.values().any(|fragment| any(&fragment.node.selection_set))
}

/// Coerced variables as the engine takes them.
pub fn variables(values: &JsonMap) -> Variables {
    let fields = values.iter().map(|(name, value)| (Name::new(name.as_str()), constant(value)));
    Variables::from_value(ConstValue::Object(fields.collect()))
}

fn constant(value: &JsonValue) -> ConstValue {
    match value {
        JsonValue::Null => ConstValue::Null,
        JsonValue::Bool(value) => ConstValue::Boolean(*value),
        JsonValue::Number(number) => ConstValue::Number(number.clone()),
        JsonValue::String(text) => ConstValue::String(text.as_str().to_owned()),
        JsonValue::Array(items) => ConstValue::List(items.iter().map(constant).collect()),
        JsonValue::Object(fields) => ConstValue::Object(
            fields.iter().map(|(name, value)| (Name::new(name.as_str()), constant(value))).collect(),
        ),
    }
}

fn reach<'a>(document: &'a ExecutableDocument, set: &'a SelectionSet, reached: &mut HashSet<&'a str>) {
    for selection in &set.selections {
        match selection {
            Selection::Field(field) => reach(document, &field.selection_set, reached),
            Selection::InlineFragment(fragment) => reach(document, &fragment.selection_set, reached),
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.fragment_name)
                    && reached.insert(fragment.name.as_str())
                {
                    reach(document, &fragment.selection_set, reached);
                }
            }
        }
    }
}

struct Convert<'a> {
    sources: &'a SourceMap,
}

impl Convert<'_> {
    fn at<N: ?Sized, T>(&self, node: &Node<N>, value: T) -> Positioned<T> {
        Positioned::new(value, self.pos(node))
    }

    fn pos<N: ?Sized>(&self, node: &Node<N>) -> Pos {
        node.line_column_range(self.sources)
            .map_or_else(Pos::default, |range| Pos { line: range.start.line, column: range.start.column })
    }

    fn variable(&self, variable: &Node<ast::VariableDefinition>) -> Positioned<engine::VariableDefinition> {
        let default = variable.default_value.as_ref().and_then(|value| {
            let constant = self.value(value).into_const()?;
            Some(self.at(value, constant))
        });
        self.at(
            variable,
            engine::VariableDefinition {
                name: self.at(variable, name(&variable.name)),
                var_type: self.at(&variable.ty, type_of(&variable.ty)),
                directives: self.directives(&variable.directives),
                default_value: default,
            },
        )
    }

    fn fragment(&self, fragment: &Node<Fragment>) -> Positioned<engine::FragmentDefinition> {
        let on = self.at(fragment, name(&fragment.selection_set.ty));
        self.at(
            fragment,
            engine::FragmentDefinition {
                type_condition: self.at(fragment, engine::TypeCondition { on }),
                directives: self.directives(&fragment.directives),
                selection_set: self.selections(&fragment.selection_set),
            },
        )
    }

    fn selections(&self, set: &SelectionSet) -> Positioned<engine::SelectionSet> {
        let items = set.selections.iter().map(|selection| match selection {
            Selection::Field(field) => self.at(field, engine::Selection::Field(self.field(field))),
            Selection::FragmentSpread(spread) => {
                let spread = self.at(
                    spread,
                    engine::FragmentSpread {
                        fragment_name: self.at(spread, name(&spread.fragment_name)),
                        directives: self.directives(&spread.directives),
                    },
                );
                let pos = spread.pos;
                Positioned::new(engine::Selection::FragmentSpread(spread), pos)
            }
            Selection::InlineFragment(fragment) => {
                let condition = fragment
                    .type_condition
                    .as_ref()
                    .map(|on| self.at(fragment, engine::TypeCondition { on: self.at(fragment, name(on)) }));
                let inline = self.at(
                    fragment,
                    engine::InlineFragment {
                        type_condition: condition,
                        directives: self.directives(&fragment.directives),
                        selection_set: self.selections(&fragment.selection_set),
                    },
                );
                let pos = inline.pos;
                Positioned::new(engine::Selection::InlineFragment(inline), pos)
            }
        });
        Positioned::new(engine::SelectionSet { items: items.collect() }, Pos::default())
    }

    fn field(&self, field: &Node<apollo_compiler::executable::Field>) -> Positioned<engine::Field> {
        self.at(
            field,
            engine::Field {
                alias: field.alias.as_ref().map(|alias| self.at(field, name(alias))),
                name: self.at(field, name(&field.name)),
                arguments: self.arguments(&field.arguments),
                directives: self.directives(&field.directives),
                selection_set: self.selections(&field.selection_set),
            },
        )
    }

    fn arguments(&self, arguments: &[Node<ast::Argument>]) -> Vec<(Positioned<Name>, Positioned<Value>)> {
        let convert = |argument: &Node<ast::Argument>| {
            let value = self.at(&argument.value, self.value(&argument.value));
            (self.at(argument, name(&argument.name)), value)
        };
        arguments.iter().map(convert).collect()
    }

    fn directives(&self, directives: &ast::DirectiveList) -> Vec<Positioned<engine::Directive>> {
        let convert = |directive: &Node<ast::Directive>| {
            let arguments = self.arguments(&directive.arguments);
            self.at(
                directive,
                engine::Directive { name: self.at(directive, name(&directive.name)), arguments },
            )
        };
        directives.iter().map(convert).collect()
    }

    fn value(&self, value: &Node<ast::Value>) -> Value {
        match value.as_ref() {
            ast::Value::Null => Value::Null,
            ast::Value::Enum(value) => Value::Enum(name(value)),
            ast::Value::Variable(variable) => Value::Variable(name(variable)),
            ast::Value::String(text) => Value::String(text.clone()),
            ast::Value::Boolean(value) => Value::Boolean(*value),
            ast::Value::Int(number) => numeral(number.as_str()),
            ast::Value::Float(number) => numeral(number.as_str()),
            ast::Value::List(items) => Value::List(items.iter().map(|item| self.value(item)).collect()),
            ast::Value::Object(fields) => {
                Value::Object(fields.iter().map(|(key, value)| (name(key), self.value(value))).collect())
            }
        }
    }
}

/// A number as the machine has it. Only a custom scalar is given one that no machine number holds: it gets the text.
fn numeral(text: &str) -> Value {
    let whole = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
    let number = whole.ok().or_else(|| Number::from_f64(text.parse().ok()?));
    number.map_or_else(|| Value::String(text.into()), Value::Number)
}

fn name(name: &apollo_compiler::Name) -> Name {
    Name::new(name.as_str())
}

fn type_of(ty: &Type) -> engine::Type {
    let (base, nullable) = match ty {
        Type::Named(of) => (engine::BaseType::Named(name(of)), true),
        Type::NonNullNamed(of) => (engine::BaseType::Named(name(of)), false),
        Type::List(of) => (engine::BaseType::List(Box::new(type_of(of))), true),
        Type::NonNullList(of) => (engine::BaseType::List(Box::new(type_of(of))), false),
    };
    engine::Type { base, nullable }
}
