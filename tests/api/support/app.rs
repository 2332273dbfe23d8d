//! The application under test, and the people who use it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_graphql::Response;
use chrono::{DateTime, TimeZone, Utc};
use futures::stream::{BoxStream, StreamExt};
use praxis::access::actor::{Actor, RequestInfo};
use praxis::access::entity::user;
use praxis::access::password::Cost;
use praxis::access::sessions::Identity;
use praxis::access::token::TokenKeys;
use praxis::app::{App, Secrets};
use praxis::clock::Clock;
use praxis::config::Config;
use praxis::crypto::root::RootKeys;
use praxis::db::Scope;
use praxis::graphql::endpoint::{Caller, Endpoint};
use praxis::graphql::frame::Frame;
use praxis::graphql::request::Request;
use praxis::id::{AuthSessionId, MembershipId, PatientId, TypedId, UserId, WorkspaceId};
use praxis::mail::{Mailer, MemoryOutbox};
use praxis::member::entity::{self as membership, Role};
use praxis::patient::chart::{Chart, NewPatient};
use praxis::workspace::commands::NewWorkspace;
use praxis::workspace::entity::WorkspaceKind;
use sea_orm::Set;
use serde_json::Value as Json;

use super::database::{On, TestDatabase};

/// An application on a database of its own, its clock standing at [`NOON`].
pub struct TestApp {
    pub app: Arc<App>,
    pub endpoint: Endpoint,
    pub database: TestDatabase,
    /// The mail that was sent.
    pub mail: Arc<MemoryOutbox>,
}

/// A Monday at noon UTC, far from any change of clocks.
pub fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 6, 1, 12, 0, 0).single().expect("a valid instant")
}

impl TestApp {
    pub async fn new(on: On) -> Self {
        Self::configured(on, |_| {}).await
    }

    /// The same with another configuration.
    pub async fn configured(on: On, change: impl FnOnce(&mut Config)) -> Self {
        let database = TestDatabase::create(on).await;
        let db = database.connect().await;
        Self::on(database, db, change)
    }

    /// The same on a connection that row-level security does not bind (the second wall alone).
    pub async fn past_row_level_security(on: On) -> Self {
        let database = TestDatabase::create(on).await;
        let db = database.connect_as_owner().await;
        Self::on(database, db, |_| {})
    }

    fn on(database: TestDatabase, db: praxis::db::Database, change: impl FnOnce(&mut Config)) -> Self {
        let folder = database.folder.path().display().to_string();
        let mut config = Config::from_sources(None, [("PRAXIS_DATA_DIR".to_owned(), folder)].into_iter())
            .expect("the test configuration");
        config.password_cost = Cost::CHEAP;
        config.database_url.clone_from(&database.url);
        change(&mut config);
        let secrets = Secrets {
            root: RootKeys::create(&config.root_keys_file).expect("a root key"),
            tokens: TokenKeys::create(&config.token_keys_file).expect("a token key"),
        };
        let mail = Arc::new(MemoryOutbox::default());
        let app = App::assemble_with(config, Clock::fixed(noon()), db, secrets, mail.clone());
        Self { endpoint: Endpoint::new(app.clone()), app, database, mail }
    }

    /// A new workspace with its owner.
    pub async fn workspace(&self, slug: &str) -> Client {
        let id = WorkspaceId::new(&self.app.clock);
        let new = NewWorkspace {
            name: format!("{slug} practice"),
            slug: slug.into(),
            kind: WorkspaceKind::Clinic,
            timezone: "Europe/Berlin".into(),
            currency: "EUR".into(),
            locale: "en".into(),
        };
        let app = &self.app;
        let new = &new;
        app.write_global(Scope::workspace(id), move |unit| async move {
            praxis::workspace::commands::create(app, &unit, id, new).await?;
            Ok(())
        })
        .await
        .expect("the workspace is created");
        self.member(id, Role::Owner).await
    }

    /// A new member of the workspace, signed in.
    pub async fn member(&self, workspace: WorkspaceId, role: Role) -> Client {
        let (user, member) = (UserId::new(&self.app.clock), MembershipId::new(&self.app.clock));
        let name = format!("{role:?} {}", &member.to_string()[20..]);
        let name = &name;
        self.app
            .write_global(Scope::workspace(workspace), move |unit| async move {
                unit.insert(user::ActiveModel {
                    id: Set(user),
                    email: Set(format!("{user}@praxis.example")),
                    name: Set(name.clone()),
                    is_active: Set(true),
                    ..Default::default()
                })
                .await?;
                unit.insert(membership::ActiveModel {
                    id: Set(member),
                    user_id: Set(Some(user)),
                    role: Set(role),
                    display_name: Set(name.clone()),
                    is_active: Set(true),
                    is_bookable: Set(matches!(role, Role::Owner | Role::Doctor | Role::Nurse)),
                    ..Default::default()
                })
                .await?;
                Ok(())
            })
            .await
            .expect("the member is created");
        let actor = Actor {
            workspace,
            user: Some(user),
            membership: Some(member),
            session: Some(AuthSessionId::new(&self.app.clock)),
            role,
            patient: None,
            request: RequestInfo { id: "test".into(), ..RequestInfo::default() },
        };
        self.client(Some(actor))
    }

    /// A patient of the client's workspace.
    pub async fn patient(&self, client: &Client, first_name: &str, last_name: &str) -> PatientId {
        let new = NewPatient {
            chart: Chart { first_name: first_name.into(), last_name: last_name.into(), ..Chart::default() },
            ..NewPatient::default()
        };
        let (app, new) = (&self.app, &new);
        let actor = client.actor.as_deref().expect("signed in");
        app.write(actor, move |unit| async move {
            praxis::patient::commands::create_in(app, &unit, actor, new).await
        })
        .await
        .expect("the patient is created")
    }

    /// Another node on the same database, with the same keys and nothing in memory.
    pub async fn another_node(&self) -> TestNode {
        self.another_node_with(Arc::new(MemoryOutbox::default())).await
    }

    /// The same with a mailer of its own.
    pub async fn another_node_with(&self, mailer: Arc<dyn Mailer>) -> TestNode {
        let secrets = Secrets {
            root: RootKeys::load(&self.app.config.root_keys_file).expect("the root key"),
            tokens: TokenKeys::load(&self.app.config.token_keys_file).expect("the token key"),
        };
        let db = self.database.connect().await;
        let app = App::assemble_with(self.app.config.clone(), self.app.clock.clone(), db, secrets, mailer);
        TestNode { endpoint: Endpoint::new(app.clone()), app }
    }

    /// Somebody who is not signed in.
    pub fn nobody(&self) -> Client {
        self.client(None)
    }

    pub fn client(&self, actor: Option<Actor>) -> Client {
        Client { endpoint: self.endpoint.clone(), app: self.app.clone(), actor: actor.map(Arc::new) }
    }
}

/// A further node of an application under test.
pub struct TestNode {
    pub app: Arc<App>,
    pub endpoint: Endpoint,
}

impl TestNode {
    pub fn client(&self, actor: Option<Actor>) -> Client {
        Client { endpoint: self.endpoint.clone(), app: self.app.clone(), actor: actor.map(Arc::new) }
    }
}

/// One person using the API.
#[derive(Clone)]
pub struct Client {
    pub endpoint: Endpoint,
    pub app: Arc<App>,
    pub actor: Option<Arc<Actor>>,
}

/// A request as a transport decodes it.
pub fn request(document: &str, variables: Json) -> Request {
    let variables = serde_json::from_value(variables).expect("variables are an object");
    Request { variables, ..Request::new(document) }
}

/// What the endpoint responds, whether it runs the request or not.
pub async fn respond(endpoint: &Endpoint, document: &str, variables: Json, caller: Caller) -> Response {
    match endpoint.prepare(&request(document, variables)) {
        Ok(prepared) => endpoint.answer(prepared, caller).await,
        Err(refusal) => endpoint.refuse(refusal, &caller.request),
    }
}

/// What an operation answered, and what it cost.
#[derive(Debug)]
pub struct Answer {
    pub data: Json,
    pub errors: Vec<Json>,
    /// SQL statements of the work itself.
    pub statements: u64,
    /// SQL statements of tenant setting and journal.
    pub overhead: u64,
}

impl Client {
    pub fn workspace(&self) -> WorkspaceId {
        self.actor.as_ref().expect("signed in").workspace
    }

    pub fn membership(&self) -> MembershipId {
        self.actor.as_ref().and_then(|actor| actor.membership).expect("a member")
    }

    pub fn caller(&self) -> Caller {
        let request = RequestInfo { id: "test".into(), ..RequestInfo::default() };
        let identity = self.actor.as_ref().map(|actor| Identity {
            user: actor.user.expect("a user"),
            session: actor.session.expect("a session"),
            platform_admin: false,
            actor: Some(actor.clone()),
        });
        Caller { identity, request }
    }

    /// Runs an operation.
    pub async fn run(&self, document: &str, variables: Json) -> Answer {
        let before = self.counts();
        let response = respond(&self.endpoint, document, variables, self.caller()).await;
        let after = self.counts();
        let body = serde_json::to_value(&response).expect("a response is JSON");
        Answer {
            data: body["data"].clone(),
            errors: body["errors"].as_array().cloned().unwrap_or_default(),
            statements: after.0 - before.0,
            overhead: after.1 - before.1,
        }
    }

    /// The responses of a subscription, or of anything else.
    pub fn stream(&self, document: &str, variables: Json) -> BoxStream<'static, Json> {
        let caller = self.caller();
        let frames = match self.endpoint.prepare(&request(document, variables)) {
            Ok(prepared) => self.endpoint.follow(prepared, caller, None),
            Err(refusal) => {
                let refused = Frame::new(&self.endpoint.refuse(refusal, &caller.request));
                futures::stream::iter([Arc::new(refused)]).boxed()
            }
        };
        frames.map(|frame| serde_json::from_str(&frame.json).expect("a frame is JSON")).boxed()
    }

    /// Runs an operation that must succeed, and returns its data.
    pub async fn ok(&self, document: &str, variables: Json) -> Json {
        let answer = self.run(document, variables).await;
        assert!(answer.errors.is_empty(), "{document}\n{:#?}", answer.errors);
        answer.data
    }

    /// Runs an operation that must fail, and returns the code of its first error.
    pub async fn code(&self, document: &str, variables: Json) -> String {
        self.run(document, variables).await.code()
    }

    fn counts(&self) -> (u64, u64) {
        let statements = self.app.db.statements();
        (statements.work.load(Ordering::SeqCst), statements.overhead.load(Ordering::SeqCst))
    }
}

impl Answer {
    /// The code of the first error.
    pub fn code(&self) -> String {
        let error = self.errors.first().unwrap_or_else(|| panic!("no error: {}", self.data));
        error["extensions"]["code"].as_str().expect("every error has a code").to_owned()
    }
}
