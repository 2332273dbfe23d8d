//! Who is asking, and for which workspace.

use std::net::IpAddr;
use std::sync::Arc;

use crate::access::permission::Permission;
use crate::db::Scope;
use crate::error::{Error, Result};
use crate::id::{AuthSessionId, MembershipId, PatientId, UserId, WorkspaceId};
use crate::member::entity::Role;

/// A member of a workspace on whose behalf something happens. Built from the token, never from an argument.
#[derive(Clone, Debug)]
pub struct Actor {
    pub workspace: WorkspaceId,
    pub user: Option<UserId>,
    pub membership: Option<MembershipId>,
    pub session: Option<AuthSessionId>,
    pub role: Role,
    /// The chart that a `PATIENT` is confined to.
    pub patient: Option<PatientId>,
    pub request: RequestInfo,
}

/// Where a request came from, for the journal. Whatever acts for the request has its own.
#[derive(Clone, Debug, Default)]
pub struct RequestInfo {
    pub id: Arc<str>,
    /// The client's address, when it is known.
    pub ip: Option<IpAddr>,
    pub user_agent: Option<Arc<str>>,
}

impl Actor {
    /// The application itself, at work in a workspace: import, jobs, the command line.
    pub fn system(workspace: WorkspaceId, task: &str) -> Self {
        Self {
            workspace,
            user: None,
            membership: None,
            session: None,
            role: Role::Owner,
            patient: None,
            request: RequestInfo { id: format!("task:{task}").into(), ..RequestInfo::default() },
        }
    }

    pub fn may(&self, permission: Permission) -> bool {
        permission.roles().contains(&self.role)
    }

    pub fn require(&self, permission: Permission) -> Result<()> {
        if self.may(permission) { Ok(()) } else { Err(Error::Forbidden) }
    }

    pub fn scope(&self) -> Scope {
        Scope::workspace(self.workspace)
    }
}
