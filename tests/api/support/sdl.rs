//! The schema as data, for the tests that walk all of it.

use std::collections::BTreeMap;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};
use praxis::config::Config;

pub struct Sdl(pub BTreeMap<String, TypeDefinition>);

impl Sdl {
    pub fn load() -> Self {
        let config = Config::from_sources(None, std::iter::empty()).expect("the defaults");
        let document = parse_schema(praxis::graphql::sdl(&config)).expect("our own schema parses");
        let types = document.definitions.into_iter().filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => {
                Some((definition.node.name.to_string(), definition.node))
            }
            _ => None,
        });
        Self(types.collect())
    }

    /// The fields of an object type; none when there is no such type.
    pub fn fields(&self, object: &str) -> Vec<&FieldDefinition> {
        match self.0.get(object).map(|definition| &definition.kind) {
            Some(TypeKind::Object(object)) => object.fields.iter().map(|field| &field.node).collect(),
            _ => Vec::new(),
        }
    }

    pub fn input_fields(&self, input: &str) -> Option<Vec<&InputValueDefinition>> {
        match &self.0.get(input)?.kind {
            TypeKind::InputObject(input) => Some(input.fields.iter().map(|field| &field.node).collect()),
            _ => None,
        }
    }

    pub fn first_enum_value(&self, name: &str) -> Option<String> {
        match &self.0.get(name)?.kind {
            TypeKind::Enum(values) => Some(values.values.first()?.node.value.to_string()),
            _ => None,
        }
    }

    /// A selection that is valid on the type: `{ __typename }`, or nothing on a scalar.
    pub fn selection(&self, ty: &Type) -> &'static str {
        match self.0.get(named(ty)).map(|definition| &definition.kind) {
            Some(TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_)) => "{ __typename }",
            _ => "",
        }
    }
}

/// The name of the type inside lists and non-nulls.
pub fn named(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => named(inner),
    }
}
