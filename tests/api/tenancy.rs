//! Tenancy, generated from the schema: whatever takes an id answers another workspace's id as one that does not exist.

use async_graphql::parser::types::{BaseType, InputValueDefinition, Type};
use serde_json::{Map, Value as Json, json};

use crate::support::app::{Client, TestApp};
use crate::support::database::On;
use crate::support::sdl::{Sdl, named};
use crate::support::world::North;

/// Root fields that take no id of a workspace's object, or take it to leave the workspace on purpose.
const NO_FOREIGN_IDS: [&str; 2] = ["switchWorkspace", "revokeAuthSession"];

/// A place in the arguments that holds an id: the argument and the path of input fields below it.
#[derive(Clone, Debug)]
struct Place {
    root: &'static str,
    field: String,
    path: Vec<String>,
}

/// Every place that takes an id, and one call for each with everything else filled in.
fn places(sdl: &Sdl) -> Vec<(Place, String, Json)> {
    let mut found = Vec::new();
    for root in ["Query", "Mutation"] {
        for field in sdl.fields(root) {
            let arguments: Vec<&InputValueDefinition> =
                field.arguments.iter().map(|argument| &argument.node).collect();
            let mut paths = Vec::new();
            for argument in &arguments {
                id_paths(sdl, argument, &mut Vec::new(), &mut paths);
            }
            for path in paths {
                let mut variables = Map::new();
                let (mut declared, mut passed) = (Vec::new(), Vec::new());
                for argument in &arguments {
                    let name = argument.name.node.as_str();
                    if required(argument) || path[0] == name {
                        let below: Vec<&str> = if path[0] == name {
                            path[1..].iter().map(String::as_str).collect()
                        } else {
                            Vec::new()
                        };
                        variables.insert(name.into(), sample(sdl, name, &argument.ty.node, &below));
                        declared.push(format!("${name}: {}", argument.ty.node));
                        passed.push(format!("{name}: ${name}"));
                    }
                }
                let kind = if root == "Query" { "query" } else { "mutation" };
                let document = format!(
                    "{kind}({}) {{ {}({}) {} }}",
                    declared.join(", "),
                    field.name.node,
                    passed.join(", "),
                    sdl.selection(&field.ty.node)
                );
                let place = Place { root, field: field.name.node.to_string(), path };
                found.push((place, document, Json::Object(variables)));
            }
        }
    }
    found
}

fn id_paths(sdl: &Sdl, value: &InputValueDefinition, above: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    above.push(value.name.node.to_string());
    let name = named(&value.ty.node);
    if name == "ID" {
        found.push(above.clone());
    } else if above.len() < 5
        && let Some(fields) = sdl.input_fields(name)
    {
        for field in fields {
            id_paths(sdl, field, above, found);
        }
    }
    above.pop();
}

fn required(value: &InputValueDefinition) -> bool {
    !value.ty.node.nullable && value.default_value.is_none()
}

/// A valid value of the type, with the field at `below` present.
fn sample(sdl: &Sdl, name: &str, ty: &Type, below: &[&str]) -> Json {
    if let BaseType::List(inner) = &ty.base {
        return json!([sample(sdl, name, inner, below)]);
    }
    let type_name = named(ty);
    if let Some(fields) = sdl.input_fields(type_name) {
        let mut object = Map::new();
        for field in fields {
            let field_name = field.name.node.as_str();
            if required(field) || below.first() == Some(&field_name) {
                let deeper = if below.first() == Some(&field_name) { &below[1..] } else { &[] };
                object.insert(field_name.into(), sample(sdl, field_name, &field.ty.node, deeper));
            }
        }
        return Json::Object(object);
    }
    if let Some(value) = sdl.first_enum_value(type_name) {
        return value.into();
    }
    match (type_name, name) {
        ("ID", _) => "?".into(),
        ("Int", "first" | "last" | "expectedVersion") => 1.into(),
        ("Int", _) => 30.into(),
        ("Float", _) => 1.5.into(),
        ("Boolean", _) => true.into(),
        ("DateTime", _) => "2026-06-03T09:00:00Z".into(),
        ("LocalTime", name) => if name.contains("end") { "17:00" } else { "09:00" }.into(),
        ("NaiveDate" | "Date", _) => "1980-01-01".into(),
        ("String", "email") => "somebody@elsewhere.example".into(),
        ("String", "password" | "newPassword") => "correct horse battery staple".into(),
        ("String", "timezone") => "Europe/Berlin".into(),
        ("String", _) => "Text".into(),
        (other, _) => panic!("no sample for the type {other} of {name}"),
    }
}

/// The variables with this id at the place.
fn with_id(variables: &Json, path: &[String], id: &str) -> Json {
    let mut variables = variables.clone();
    let mut at = &mut variables;
    for part in path {
        at = &mut at[part.as_str()];
        while at.is_array() {
            at = &mut at[0];
        }
    }
    *at = id.into();
    variables
}

/// The id prefix that the place expects, as its own error message says; `None` where any id is taken.
async fn expected_prefix(client: &Client, document: &str, variables: &Json, place: &Place) -> Option<String> {
    let answer = client.run(document, with_id(variables, &place.path, "nonsense")).await;
    let message =
        answer.errors.first().and_then(|error| error["message"].as_str()).unwrap_or_default().to_owned();
    let (_, rest) = message.split_once("starts with \"")?;
    rest.split_once('_').map(|(prefix, _)| prefix.to_owned())
}

/// The answer without what differs between any two requests.
fn comparable(data: &Json, errors: &[Json], id: &str) -> String {
    json!({ "data": data, "errors": errors }).to_string().replace(id, "<id>")
}

async fn check(app: &TestApp) {
    let north = North::fill(app).await;
    let south = app.workspace("south").await;
    let sdl = Sdl::load();
    let (mut checked, mut unknown, mut different) = (0, Vec::new(), Vec::new());
    for (place, document, variables) in places(&sdl) {
        if NO_FOREIGN_IDS.contains(&place.field.as_str()) {
            continue;
        }
        // Where any id is taken, every kind is tried.
        let prefix = expected_prefix(&south, &document, &variables, &place).await;
        let foreign: Vec<(&String, &String)> = match &prefix {
            Some(prefix) => north.ids.iter().filter(|(known, _)| *known == prefix).collect(),
            None => north.ids.iter().collect(),
        };
        if foreign.is_empty() {
            unknown.push(format!("{place:?} expects {prefix:?}"));
        }
        for (prefix, id) in foreign {
            // The same prefix, and a UUID that nothing has.
            let missing = format!("{prefix}_7zzzzzzzzzzzzzzzzzzzzzzzzz");
            let of_foreign = south.run(&document, with_id(&variables, &place.path, id)).await;
            let of_missing = south.run(&document, with_id(&variables, &place.path, &missing)).await;
            let (foreign_text, missing_text) = (
                comparable(&of_foreign.data, &of_foreign.errors, id),
                comparable(&of_missing.data, &of_missing.errors, &missing),
            );
            if foreign_text != missing_text {
                different.push(format!(
                    "{}.{} {:?}\n  {foreign_text}\n  {missing_text}",
                    place.root, place.field, place.path
                ));
            }
            assert!(!foreign_text.contains(North::MARKER), "{}: {foreign_text}", place.field);
            checked += 1;
        }
    }
    assert!(unknown.is_empty(), "the fixture lacks an object for: {unknown:#?}");
    assert!(different.is_empty(), "a foreign id shows: {different:#?}");
    assert!(checked >= 40, "only {checked} places were checked");
    no_list_shows_anything(&sdl, &south).await;
    // And nothing of north was changed on the way.
    assert_eq!(north.fingerprint().await, north.before);
}

/// Every list that can be read without arguments shows nothing of the other workspace.
async fn no_list_shows_anything(sdl: &Sdl, south: &Client) {
    for field in sdl.fields("Query") {
        let callable = field.arguments.iter().all(|argument| !required(&argument.node));
        if !callable || !named(&field.ty.node).ends_with("Connection") {
            continue;
        }
        let document = format!(
            "{{ {}(first: 100) {{ nodes {{ __typename ... on Node {{ id }} }} totalCount }} }}",
            field.name.node
        );
        let answer = south.run(&document, json!({})).await;
        let text = answer.data.to_string();
        assert!(!text.contains(North::MARKER), "{text}");
    }
}

// Both walls together.
#[cfg(not(feature = "test-without-scope"))]
crate::support::on_both_engines! {
    async fn a_foreign_id_is_answered_as_one_that_does_not_exist(on: On) {
        check(&TestApp::new(on).await).await;
    }
}

/// The scoped finder alone: as the superuser, whom row-level security does not bind.
#[cfg(not(feature = "test-without-scope"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scoped_finder_alone_is_enough() {
    check(&TestApp::past_row_level_security(On::Postgres).await).await;
}

/// Row-level security alone: the scoped finder is compiled out.
#[cfg(feature = "test-without-scope")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_level_security_alone_is_enough() {
    check(&TestApp::new(On::Postgres).await).await;
}
