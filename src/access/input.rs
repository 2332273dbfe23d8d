//! What signing up, in and out takes.

use async_graphql::InputObject;

use crate::id::{AuthSessionId, WorkspaceId};
use crate::workspace::entity::WorkspaceKind;

/// A new workspace and the account of its owner.
#[derive(InputObject)]
pub struct SignUpInput {
    /// Your e-mail address.
    pub email: String,
    /// A new password of 15 to 256 characters that is hard to guess; or, if the address has an account already,
    /// the password of that account.
    pub password: String,
    /// Your name: 1 to 255 characters.
    pub name: String,
    /// The practice's name: 1 to 255 characters.
    pub workspace_name: String,
    /// Its short name in addresses: 1 to 63 lower-case letters, digits and hyphens, taken by no other workspace.
    /// Made from the name when omitted; give it to make a repetition of this request harmless.
    pub workspace_slug: Option<String>,
    /// What sort of practice it is: CLINIC when omitted.
    pub kind: Option<WorkspaceKind>,
    /// The IANA name of its time zone, such as `Europe/Paris`: UTC when omitted.
    pub timezone: Option<String>,
    /// The ISO 4217 code of the currency of its prices: USD when omitted.
    pub currency: Option<String>,
    /// Its language as a BCP 47 tag, such as `fr-CA`: en when omitted.
    pub locale: Option<String>,
}

/// Who wants to come in.
#[derive(InputObject)]
pub struct SignInInput {
    /// Your e-mail address.
    pub email: String,
    /// Your password.
    pub password: String,
    /// The short name of the workspace to start in. Without it you start in the only one that you are a member
    /// of, or in none: choose by `switchWorkspace`.
    pub workspace_slug: Option<String>,
}

/// The refresh token to exchange.
#[derive(InputObject)]
pub struct RefreshTokensInput {
    /// The latest refresh token that you got. It works once.
    pub refresh_token: String,
}

/// Where to go on.
#[derive(InputObject)]
pub struct SwitchWorkspaceInput {
    /// A workspace that you are an active member of.
    pub workspace_id: WorkspaceId,
}

/// The sign-in to end.
#[derive(InputObject)]
pub struct RevokeAuthSessionInput {
    /// One of your sign-ins.
    pub id: AuthSessionId,
}

/// Another password.
#[derive(InputObject)]
pub struct ChangePasswordInput {
    /// The password until now.
    pub current_password: String,
    /// The new one: 15 to 256 characters, hard to guess.
    pub new_password: String,
}
