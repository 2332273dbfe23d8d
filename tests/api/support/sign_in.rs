//! People who come in by the front door: with a password, and then with tokens.

use std::time::Duration;

use praxis::access::actor::RequestInfo;
use praxis::access::entity::user;
use praxis::db::Scope;
use praxis::graphql::endpoint::Caller;
use praxis::id::WorkspaceId;
use praxis::journal::entity as journal;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value as Json, json};

use super::app::{TestApp, respond};

/// Good enough for the policy.
pub const PASSWORD: &str = "quiet lamps borrow seven tulips";

pub const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) { accessToken refreshToken \
                           viewer { role workspace { slug } } memberships { workspaceSlug role } } }";
pub const REFRESH: &str = "mutation($input: RefreshTokensInput!) { refreshTokens(input: $input) { accessToken \
                           refreshToken } }";

/// What a signed-in client holds.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Tokens {
    pub fn of(payload: &Json) -> Self {
        let text = |name: &str| payload[name].as_str().expect("a token").to_owned();
        Self { access: text("accessToken"), refresh: text("refreshToken") }
    }
}

pub fn code(body: &Json) -> &str {
    body["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no error: {body}"))
}

impl TestApp {
    /// Sends an operation with a token, as HTTP would; one that is not accepted is `UNAUTHENTICATED`.
    pub async fn ask(&self, token: Option<&str>, document: &str, variables: Json) -> Json {
        let identity = match token {
            None => None,
            Some(token) => match self.app.authenticate(token, &RequestInfo::default()).await {
                Ok((identity, _)) => Some(identity),
                Err(_) => return json!({ "errors": [{ "extensions": { "code": "UNAUTHENTICATED" } }] }),
            },
        };
        let caller = Caller { identity, request: RequestInfo::default() };
        let response = respond(&self.endpoint, document, variables, caller).await;
        serde_json::to_value(response).expect("a response is JSON")
    }

    /// Sends an operation that must succeed.
    pub async fn get(&self, token: Option<&str>, document: &str, variables: Json) -> Json {
        let body = self.ask(token, document, variables).await;
        assert!(body.get("errors").is_none(), "{document}\n{body:#}");
        body["data"].clone()
    }

    /// Whether the token is still good.
    pub async fn is_accepted(&self, token: &str) -> bool {
        self.app.authenticate(token, &RequestInfo::default()).await.is_ok()
    }

    pub async fn sign_up(&self, email: &str, slug: &str) -> Tokens {
        let body = self.try_sign_up(email, PASSWORD, slug).await;
        assert!(body.get("errors").is_none(), "{body:#}");
        Tokens::of(&body["data"]["signUp"])
    }

    pub async fn try_sign_up(&self, email: &str, password: &str, slug: &str) -> Json {
        let document =
            "mutation($input: SignUpInput!) { signUp(input: $input) { accessToken refreshToken } }";
        let input = json!({ "email": email, "password": password, "name": "Jo Doe",
                            "workspaceName": "Riverside", "workspaceSlug": slug });
        self.ask(None, document, json!({ "input": input })).await
    }

    pub async fn sign_in(&self, email: &str) -> Tokens {
        let body = self.try_sign_in(email, PASSWORD).await;
        assert!(body.get("errors").is_none(), "{body:#}");
        Tokens::of(&body["data"]["signIn"])
    }

    pub async fn try_sign_in(&self, email: &str, password: &str) -> Json {
        self.ask(None, SIGN_IN, json!({ "input": { "email": email, "password": password } })).await
    }

    pub async fn refresh(&self, tokens: &Tokens) -> Tokens {
        let body = self.try_refresh(&tokens.refresh).await;
        assert!(body.get("errors").is_none(), "{body:#}");
        Tokens::of(&body["data"]["refreshTokens"])
    }

    pub async fn try_refresh(&self, token: &str) -> Json {
        self.ask(None, REFRESH, json!({ "input": { "refreshToken": token } })).await
    }

    pub fn advance(&self, seconds: u64) {
        self.app.clock.advance(Duration::from_secs(seconds));
    }

    /// Changes a column of an account behind the application's back.
    pub async fn set_user(
        &self,
        email: &str,
        column: user::Column,
        value: impl Into<sea_orm::Value> + Clone,
    ) {
        let value = &value;
        self.app
            .write_global(Scope::default(), move |unit| async move {
                user::Entity::update_many()
                    .col_expr(column, Expr::value(value.clone()))
                    .filter(user::Column::Email.eq(email))
                    .exec(&**unit)
                    .await?;
                Ok(())
            })
            .await
            .expect("the account changes");
    }

    /// The journal of a workspace, in order.
    pub async fn journal(&self, workspace: WorkspaceId) -> Vec<journal::Model> {
        let tx = self.app.db.begin_read(Scope::workspace(workspace)).await.expect("a transaction");
        let rows = journal::Entity::find()
            .filter(journal::Column::WorkspaceId.eq(workspace))
            .order_by_asc(journal::Column::Seq)
            .all(&tx)
            .await
            .expect("the journal can be read");
        tx.rollback().await.expect("it ends");
        rows
    }
}
