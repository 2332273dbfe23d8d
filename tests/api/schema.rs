//! The schema as a product: committed, described, guarded.

use async_graphql::parser::types::TypeKind;

use crate::support::sdl::Sdl;

/// What anybody may call without being signed in, or what only concerns the own sign-in.
const PUBLIC: [&str; 14] = [
    "Mutation.signUp",
    "Mutation.signIn",
    "Mutation.refreshTokens",
    "Mutation.acceptInvitation",
    "Mutation.signOut",
    "Mutation.signOutEverywhere",
    "Mutation.switchWorkspace",
    "Mutation.revokeAuthSession",
    "Mutation.changePassword",
    "Query.viewer",
    "Query.authSessions",
    "Mutation.requestPasswordReset",
    "Mutation.resetPassword",
    "Mutation.verifyEmail",
];

#[test]
fn the_committed_schema_is_the_one_that_is_served() {
    let config = praxis::config::Config::from_sources(None, std::iter::empty()).unwrap();
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql")).unwrap();
    let served = praxis::graphql::sdl(&config);
    let difference = committed.lines().zip(served.lines()).find(|(committed, served)| committed != served);
    assert!(
        committed == served,
        "schema.graphql is stale: run `cargo run -- schema > schema.graphql`. First difference: {difference:?}"
    );
}

#[test]
fn every_root_field_is_guarded_or_known_to_be_public() {
    let sdl = Sdl::load();
    let mut unguarded = Vec::new();
    for root in ["Query", "Mutation", "Subscription"] {
        for field in sdl.fields(root) {
            let guarded = field.directives.iter().any(|directive| directive.node.name.node == "requires");
            let name = format!("{root}.{}", field.name.node);
            if !guarded && !PUBLIC.contains(&name.as_str()) {
                unguarded.push(name);
            }
        }
    }
    assert!(unguarded.is_empty(), "{unguarded:?}");
}

#[test]
fn everything_in_the_schema_is_described() {
    let sdl = Sdl::load();
    let mut missing = Vec::new();
    for (name, definition) in &sdl.0 {
        // The engine's own paging types and the fields of a list's envelope describe themselves or not at all.
        let mut check = |what: String, described: bool| {
            if !described {
                missing.push(what);
            }
        };
        check(
            name.clone(),
            definition.description.is_some() || matches!(name.as_str(), "Query" | "Mutation"),
        );
        match &definition.kind {
            TypeKind::Object(object) => {
                for field in object.fields.iter().map(|field| &field.node) {
                    check(format!("{name}.{}", field.name.node), field.description.is_some());
                    for argument in field.arguments.iter().map(|argument| &argument.node) {
                        let what = format!("{name}.{}({})", field.name.node, argument.name.node);
                        // Every mutation's one argument is its input, and the input's type is described.
                        check(what, argument.description.is_some() || argument.name.node == "input");
                    }
                }
            }
            TypeKind::InputObject(input) => {
                for field in input.fields.iter().map(|field| &field.node) {
                    check(format!("{name}.{}", field.name.node), field.description.is_some());
                }
            }
            TypeKind::Enum(values) => {
                for value in values.values.iter().map(|value| &value.node) {
                    check(format!("{name}.{}", value.value.node), value.description.is_some());
                }
            }
            TypeKind::Interface(interface) => {
                for field in interface.fields.iter().map(|field| &field.node) {
                    check(format!("{name}.{}", field.name.node), field.description.is_some());
                }
            }
            TypeKind::Scalar | TypeKind::Union(_) => {}
        }
    }
    assert!(missing.is_empty(), "no description: {missing:#?}");
}

/// Without this a list could be asked for inside a list at no cost.
#[test]
fn every_list_says_how_long_it_can_be() {
    use praxis::graphql::document::cost::{Length, length};
    let config = praxis::config::Config::from_sources(None, std::iter::empty()).unwrap();
    let schema = apollo_compiler::Schema::parse_and_validate(praxis::graphql::sdl(&config), "schema.graphql");
    let schema = schema.unwrap_or_else(|errors| panic!("{}", errors.errors));
    let mut unknown = Vec::new();
    for (name, definition) in schema.types.iter().filter(|(name, _)| !name.starts_with("__")) {
        let fields = match definition {
            apollo_compiler::schema::ExtendedType::Object(object) => &object.fields,
            apollo_compiler::schema::ExtendedType::Interface(interface) => &interface.fields,
            _ => continue,
        };
        for field in fields.values() {
            let composite = schema.types[field.ty.inner_named_type()].is_object()
                || schema.types[field.ty.inner_named_type()].is_interface()
                || schema.types[field.ty.inner_named_type()].is_union();
            if length(name, field, composite) == Length::Unknown {
                unknown.push(format!("{name}.{}", field.name));
            }
            // A connection is a page of something.
            let is_connection = field.ty.inner_named_type().ends_with("Connection");
            if is_connection && length(name, field, composite) != Length::Page {
                unknown.push(format!("{name}.{}", field.name));
            }
        }
    }
    assert!(unknown.is_empty(), "no @listSize and no page: {unknown:?}");
}

/// The scoped finder is the only way to select a tenant table: no other file calls SeaORM's finders.
#[test]
fn tables_are_selected_only_through_the_scoped_finder() {
    let mut found = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("access/scope.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                for (number, line) in text.lines().enumerate() {
                    let selects = [
                        "Entity::find()",
                        "Entity::find_by_id(",
                        "::find_by_id(",
                        "Entity::load()",
                        "Query::select()",
                    ];
                    // The raw selects: the window over a scoped query, and what puts scoped queries together.
                    let around = ["appointment/queries.rs", "db/together.rs"];
                    let excepted =
                        around.iter().any(|file| path.ends_with(file)) && line.contains("Query::select()");
                    if selects.iter().any(|select| line.contains(select)) && !excepted {
                        found.push(format!("{}:{}", path.display(), number + 1));
                    }
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_documented_permissions_are_the_enforced_ones() {
    let committed = include_str!("../../docs/authorization.md");
    assert!(
        committed == praxis::access::permission::document(),
        "docs/authorization.md is stale: run `cargo run -- permissions > docs/authorization.md`"
    );
}

/// The operations that GraphiQL offers, with the variables it fills in.
#[tokio::test]
async fn the_sample_operations_fit_the_schema() {
    let app = crate::support::app::TestApp::new(crate::support::database::On::Sqlite).await;
    let owner = crate::live::owner_of(&app, "north").await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/web/operations");
    let mut checked = 0;
    for file in ["samples", "session"]
        .iter()
        .flat_map(|part| std::fs::read_dir(format!("{folder}/{part}")).unwrap())
        .map(|entry| entry.unwrap().path())
    {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let variables = match name.as_str() {
            "BookAppointment" => serde_json::json!({ "input": {
                "patientId": "pat_00000000000000000000000000", "practitionerId": "mem_00000000000000000000000000",
                "serviceId": "svc_00000000000000000000000000", "startsAt": "2026-06-02T09:00:00Z",
                "idempotencyKey": "one" } }),
            "SearchPatients" => serde_json::json!({ "search": "an" }),
            "CalendarWeek" => {
                serde_json::json!({ "from": "2026-06-01T00:00:00Z", "to": "2026-06-08T00:00:00Z" })
            }
            "FreeTimes" => serde_json::json!({ "input": { "durationMinutes": 30,
                "from": "2026-06-01T00:00:00Z", "to": "2026-06-08T00:00:00Z" } }),
            "PracticeCalendar" | "Utilisation" => {
                serde_json::json!({ "from": "2026-06-01T00:00:00Z", "to": "2026-06-08T00:00:00Z" })
            }
            "SignIn" => serde_json::json!({ "input": { "email": "a@b.example", "password": "wrong" } }),
            "RefreshTokens" => serde_json::json!({ "input": { "refreshToken": "none" } }),
            _ => serde_json::json!({}),
        };
        let text = std::fs::read_to_string(&file).unwrap();
        if text.contains("subscription ") {
            // Its stream stays open when it fits, and begins with an error when it does not.
            let mut events = owner.stream(&text, serde_json::json!({}));
            let first = tokio::time::timeout(
                std::time::Duration::from_millis(300),
                futures::StreamExt::next(&mut events),
            );
            assert!(first.await.is_err(), "{name} ended or failed");
        } else {
            let answer = owner.run(&text, variables).await;
            let codes =
                answer.errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap().to_owned());
            assert!(
                !codes.into_iter().any(|code| code.starts_with("GRAPHQL_")),
                "{name}: {:?}",
                answer.errors
            );
        }
        checked += 1;
    }
    assert_eq!(checked, 11);
}

/// B30. What looks like one, and is text that nobody opens.
const ONLY_TEXT: [&str; 1] = ["UpdateWorkspaceInput.website"];

#[test]
fn no_input_is_an_address_that_the_server_would_open() {
    let sdl = Sdl::load();
    let mut found = Vec::new();
    for (name, definition) in &sdl.0 {
        let TypeKind::InputObject(input) = &definition.kind else { continue };
        for field in input.fields.iter().map(|field| field.node.name.node.as_str()) {
            let lower = field.to_lowercase();
            let opens = ["url", "uri", "webhook", "callback", "endpoint", "hostname", "website", "domain"];
            if opens.iter().any(|word| lower.contains(word)) {
                found.push(format!("{name}.{field}"));
            }
        }
    }
    assert_eq!(found, ONLY_TEXT);
}
