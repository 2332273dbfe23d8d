use apollo_compiler::Schema;
use serde_json::json;

use super::*;

const SCHEMA: &str = "
    directive @listSize(assumedSize: Int!) on FIELD_DEFINITION
    type Query {
        one: Thing
        things(first: Int, after: String, last: Int): ThingConnection
        nodes(ids: [ID!]!): [Thing]
        some: [Thing!] @listSize(assumedSize: 5)
        search(input: SearchInput!): Found
        unknown: [Thing!]
        names: [String!]
    }
    type Mutation { make: Thing }
    input SearchInput { text: String, limit: Int! = 50 }
    type Found { hits: [Thing!] @listSize(assumedSize: 50) }
    type ThingConnection { nodes: [Thing!]! edges: [ThingEdge!]! pageInfo: PageInfo! totalCount: Int }
    type ThingEdge { node: Thing! cursor: String }
    type PageInfo { hasNextPage: Boolean }
    type Thing { name: String, thing: Thing, things(first: Int): ThingConnection }
";

fn cost_with(text: &str, variables: serde_json::Value) -> Cost {
    let schema = Schema::parse_and_validate(SCHEMA, "schema").unwrap();
    let document = ExecutableDocument::parse_and_validate(&schema, text, "document").unwrap();
    let operation = document.operations.iter().next().unwrap();
    let variables: JsonMap = serde_json::from_value(variables).unwrap();
    let variables = apollo_compiler::request::coerce_variable_values(&schema, operation, &variables).unwrap();
    count(&document, operation, &variables)
}

fn points(text: &str) -> u64 {
    let cost = cost_with(text, json!({}));
    assert!(!cost.varies, "{text}");
    cost.points
}

#[test]
fn objects_cost_a_point_and_scalars_nothing() {
    assert_eq!(points("{ names }"), 1);
    assert_eq!(points("{ __typename }"), 1);
    assert_eq!(points("{ one { name thing { name } } }"), 2);
    assert_eq!(points("mutation { make { name } }"), 11);
}

#[test]
fn what_is_below_a_list_costs_as_often_as_the_list_is_long() {
    assert_eq!(points("{ things { nodes { name } } }"), 1 + 20);
    assert_eq!(
        points("{ things(first: 50) { nodes { thing { name } } pageInfo { hasNextPage } } }"),
        1 + 50 * 2 + 1
    );
    assert_eq!(points("{ things(last: 3) { edges { node { name } } } }"), 1 + 3 * 2);
    assert_eq!(points("{ things(first: 5000) { totalCount } }"), 1);
    assert_eq!(points("{ things(first: 5000) { nodes { name } } }"), 1 + 100);
    assert_eq!(points("{ nodes(ids: [1, 2, 3]) { name } }"), 3);
    assert_eq!(points("{ some { thing { name } } }"), 5 * 2);
    assert_eq!(points("{ unknown { name } }"), 100);
    assert_eq!(
        points("{ things(first: 10) { nodes { things(first: 10) { nodes { name } } } } }"),
        1 + 10 * (1 + 1 + 10)
    );
}

#[test]
fn a_page_cannot_hide_in_a_variable_a_default_or_a_fragment() {
    let text = "query ($n: Int = 30) { things(first: $n) { nodes { name } } }";
    assert_eq!(cost_with(text, json!({})), Cost { points: 31, fields: 61, varies: true, assumed: false });
    assert_eq!(cost_with(text, json!({ "n": 7 })).points, 8);
    assert_eq!(cost_with(text, json!({ "n": null })).points, 21);
    let omitted = "query ($n: Int) { things(first: $n) { nodes { name } } }";
    assert_eq!(cost_with(omitted, json!({})).points, 21);
    let ids = "query ($ids: [ID!]!) { nodes(ids: $ids) { name } }";
    assert_eq!(cost_with(ids, json!({ "ids": ["a", "b"] })).points, 2);
    assert_eq!(
        points(
            "{ things(first: 9) { ...P } } fragment P on ThingConnection { ... on ThingConnection { nodes { name } } }"
        ),
        1 + 9
    );
}

#[test]
fn the_objects_of_an_answer_are_counted_as_they_are_charged() {
    let data =
        json!({ "a": { "b": [{ "c": 1 }, { "c": [1, 2] }, null] }, "d": "text", "s": { "types": [{}] } });
    let data = Data::from_json(data).unwrap();
    assert_eq!(objects(&data, &[]), 3 + 2);
    assert_eq!(objects(&data, &["s".to_owned()]), 3);
    assert_eq!(objects(&Data::Null, &[]), 0);
}

#[test]
fn a_limit_counts_wherever_it_stands() {
    assert_eq!(points("{ search(input: {}) { hits { name } } }"), 1 + 50);
    assert_eq!(points("{ search(input: { limit: 7 }) { hits { thing { name } } } }"), 1 + 7 * 2);
    assert_eq!(points("{ search(input: { limit: 5000 }) { hits { name } } }"), 1 + 300);
    let spread = "{ search(input: { limit: 7 }) { ...F } } fragment F on Found { hits { name } }";
    assert_eq!(points(spread), 1 + 7);
    let within = "query ($n: Int!) { search(input: { limit: $n }) { hits { name } } }";
    assert_eq!(
        cost_with(within, json!({ "n": 290 })),
        Cost { points: 291, fields: 581, varies: true, assumed: false }
    );
    let whole = "query ($input: SearchInput!) { search(input: $input) { hits { name } } }";
    assert_eq!(cost_with(whole, json!({ "input": { "limit": 200 } })).points, 201);
    assert_eq!(cost_with(whole, json!({ "input": {} })).points, 51);
}

const INTROSPECTION: &str = "
    query IntrospectionQuery {
      __schema {
        description queryType { name kind } mutationType { name kind } subscriptionType { name kind }
        types { ...FullType }
        directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } }
      }
    }
    fragment FullType on __Type {
      kind name description specifiedByURL
      fields(includeDeprecated: true) {
        name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef }
        isDeprecated deprecationReason
      }
      inputFields(includeDeprecated: true) { ...InputValue }
      interfaces { ...TypeRef }
      enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
      possibleTypes { ...TypeRef }
    }
    fragment InputValue on __InputValue {
      name description type { ...TypeRef } defaultValue isDeprecated deprecationReason
    }
    fragment TypeRef on __Type {
      kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
      ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } }
    }";

#[test]
fn introspection_is_paid_for_by_what_it_asks() {
    let standard = cost_with(INTROSPECTION, json!({}));
    assert!(check(standard).is_ok() && (80..=150).contains(&standard.points), "{standard:?}");
    assert!(check(Cost { fields: 2 * standard.fields, ..standard }).is_ok());
    assert_eq!(points("{ __type(name: \"Thing\") { name } }"), INTROSPECTION_POINTS);
    for wide in ["{ __schema { types { fields { X } } } }", "{ __type(name: \"Thing\") { fields { X } } }"] {
        let wide = cost_with(&wide.replace('X', &"name ".repeat(1_000)), json!({}));
        assert!(check(wide).is_err(), "{wide:?}");
    }
}

#[test]
fn the_lists_of_introspection_are_as_long_as_they_are_taken_to_be() {
    use apollo_compiler::schema::ExtendedType;
    let schema = Schema::parse(include_str!("../../../../schema.graphql"), "schema").unwrap();
    let (mut fields, mut arguments, mut inputs, mut values, mut interfaces) = (0, 0, 0, 0, 0);
    for ty in schema.types.values() {
        let of = match ty {
            ExtendedType::Object(ty) => &ty.fields,
            ExtendedType::Interface(ty) => &ty.fields,
            ExtendedType::InputObject(ty) => {
                inputs += ty.fields.len();
                continue;
            }
            ExtendedType::Enum(ty) => {
                values += ty.values.len();
                continue;
            }
            _ => continue,
        };
        fields += of.len();
        arguments += of.values().map(|field| field.arguments.len()).sum::<usize>();
        interfaces += ty.as_object().map_or(0, |ty| ty.implements_interfaces.len());
        assert!(of.len() as u64 <= introspected("fields") * TYPE_WEIGHT, "{}", ty.name());
    }
    let types = schema.types.len();
    for (list, length, of) in [
        ("fields", fields, types),
        ("args", arguments, fields),
        ("inputFields", inputs, types),
        ("enumValues", values, types),
        ("interfaces", interfaces, types),
    ] {
        assert!(length as u64 <= introspected(list) * of as u64, "{list}: {length} of {of}");
    }
}

#[test]
fn chained_fragments_are_counted_without_expanding_them() {
    // Two to the power of sixty objects.
    let mut text = String::from("{ one { ...F0 } }");
    for level in 0..60 {
        text += &format!(
            " fragment F{level} on Thing {{ a: thing {{ ...F{next} }} b: thing {{ ...F{next} }} }}",
            next = level + 1
        );
    }
    text += " fragment F60 on Thing { name }";
    let schema = Schema::parse_and_validate(SCHEMA, "schema").unwrap();
    let document = ExecutableDocument::parse(&schema, text, "document").unwrap();
    let operation = document.operations.iter().next().unwrap();
    assert!(count(&document, operation, &JsonMap::new()).points > 1 << 60);
}

#[test]
fn each_limit_is_the_last_that_passes() {
    let cost = |points: u64, fields: u64| check(Cost { points, fields, varies: false, assumed: false });
    assert_eq!(cost(MAX_POINTS.into(), MAX_FIELDS).unwrap(), MAX_POINTS);
    assert_eq!(cost(u64::from(MAX_POINTS) + 1, 1).unwrap_err().code(), Code::QueryTooComplex);
    assert_eq!(cost(1, MAX_FIELDS + 1).unwrap_err().code(), Code::QueryTooComplex);
}

#[test]
fn scalars_cost_no_points_and_are_counted_all_the_same() {
    let many = format!("{{ things(first: 100) {{ nodes {{ {} }} }} }}", "name ".repeat(500));
    let cost = cost_with(&many, json!({}));
    assert_eq!((cost.points, cost.fields), (101, 1 + 100 * 501));
    assert!(check(cost).is_err());
}

#[test]
fn mutations_cannot_hide_in_a_fragment() {
    let hidden = "mutation { ...M } fragment M on Mutation { a: make { name } b: make { name } }";
    assert_eq!(points(hidden), 22);
    assert_eq!(points("mutation { ... { a: make { name } } }"), 11);
}
