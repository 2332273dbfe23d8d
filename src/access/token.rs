use crate::clock::Clock;
use crate::id::*;
pub struct TokenKeys;
pub struct Claims { pub user: UserId, pub session: AuthSessionId, pub workspace: Option<WorkspaceId>, pub membership: Option<MembershipId> }
impl TokenKeys { pub fn verify(&self, _t: &str, _c: &Clock) -> Result<Claims, ()> { Err(()) } }
