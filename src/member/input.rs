//! What adding and changing members takes.

use async_graphql::{InputObject, MaybeUndefined};
use sea_orm::{ActiveValue, Set};

use super::entity::{ActiveModel, Role};
use crate::error::Result;
use crate::graphql::input::{Problems, patch, set};
use crate::id::MembershipId;

/// A member without an account, such as a locum.
#[derive(Clone, InputObject)]
pub struct AddMemberInput {
    /// The name that patients and colleagues see: 1 to 255 characters.
    pub display_name: String,
    /// The member's role. Not OWNER, who needs an account, nor PATIENT, who needs a chart.
    pub role: Role,
    /// A title, such as `Dr. med.`: at most 100 characters.
    pub title: Option<String>,
    /// The field of work: at most 255 characters.
    pub specialization: Option<String>,
    /// The number of the licence to practise: at most 100 characters.
    pub license_number: Option<String>,
    /// The colour in calendars, as `#rrggbb`.
    pub color: Option<String>,
    /// Whether appointments can be made with the member.
    #[graphql(default = true)]
    pub is_bookable: bool,
    /// How many appointments the member may have on one day of the practice: 1 to 500. Null for no limit.
    pub daily_limit: Option<i32>,
    /// Makes a repetition of this request harmless: the same key answers with the same member.
    pub idempotency_key: Option<String>,
}

impl AddMemberInput {
    /// The row to insert.
    pub fn row(&self, id: MembershipId) -> Result<ActiveModel> {
        let mut problems = Problems::default();
        if matches!(self.role, Role::Owner | Role::Patient) {
            problems.add("role", "A member without an account cannot have this role.");
        }
        problems.ok()?;
        checked(ActiveModel {
            id: Set(id),
            role: Set(self.role),
            display_name: Set(self.display_name.trim().into()),
            title: Set(self.title.clone()),
            specialization: Set(self.specialization.clone()),
            license_number: Set(self.license_number.clone()),
            color: Set(self.color.clone()),
            is_active: Set(true),
            is_bookable: Set(self.is_bookable),
            daily_limit: Set(self.daily_limit),
            ..Default::default()
        })
    }
}

/// What to change about a member. What is omitted stays; null empties what may be empty.
#[derive(Clone, InputObject)]
pub struct UpdateMemberInput {
    /// The member.
    pub id: MembershipId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// The name that patients and colleagues see: 1 to 255 characters.
    pub display_name: Option<String>,
    /// A title, such as `Dr. med.`: at most 100 characters.
    pub title: MaybeUndefined<String>,
    /// The field of work: at most 255 characters.
    pub specialization: MaybeUndefined<String>,
    /// The number of the licence to practise: at most 100 characters.
    pub license_number: MaybeUndefined<String>,
    /// The colour in calendars, as `#rrggbb`.
    pub color: MaybeUndefined<String>,
    /// Whether appointments can be made with the member. Those already made stay.
    pub is_bookable: Option<bool>,
    /// How many appointments the member may have on one day of the practice: 1 to 500. Null for no limit.
    pub daily_limit: MaybeUndefined<i32>,
}

impl UpdateMemberInput {
    /// The loaded row with the changes.
    pub fn apply(&self, mut row: ActiveModel) -> Result<ActiveModel> {
        set(&mut row.display_name, self.display_name.as_deref().map(|name| name.trim().into()));
        set(&mut row.is_bookable, self.is_bookable);
        patch(&mut row.title, &self.title);
        patch(&mut row.specialization, &self.specialization);
        patch(&mut row.license_number, &self.license_number);
        patch(&mut row.color, &self.color);
        patch(&mut row.daily_limit, &self.daily_limit);
        checked(row)
    }
}

/// The row, if a member can be like that.
fn checked(row: ActiveModel) -> Result<ActiveModel> {
    let mut problems = Problems::default();
    problems.text("displayName", row.display_name.as_ref(), 255);
    problems.length("title", text(&row.title), 100);
    problems.length("specialization", text(&row.specialization), 255);
    problems.length("licenseNumber", text(&row.license_number), 100);
    if text(&row.color).is_some_and(|color| !is_color(color)) {
        problems.add("color", "Use #rrggbb.");
    }
    if let sea_orm::ActiveValue::Set(Some(limit)) = row.daily_limit {
        problems.range("dailyLimit", limit, 1..=500);
    }
    if *row.role.as_ref() == Role::Patient && *row.is_bookable.as_ref() {
        problems.add("isBookable", "No appointments can be made with a patient.");
    }
    problems.ok()?;
    Ok(row)
}

fn text(column: &ActiveValue<Option<String>>) -> Option<&str> {
    if column.is_not_set() { None } else { column.as_ref().as_deref() }
}

fn is_color(text: &str) -> bool {
    text.len() == 7 && text.starts_with('#') && text.bytes().skip(1).all(|byte| byte.is_ascii_hexdigit())
}

/// Another role for a member.
#[derive(InputObject)]
pub struct ChangeMemberRoleInput {
    /// The member.
    pub id: MembershipId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
    /// The new role. Only owners make owners; PATIENT is neither given nor taken here.
    pub role: Role,
}

/// The member to deactivate or reactivate.
#[derive(InputObject)]
pub struct MemberActivationInput {
    /// The member.
    pub id: MembershipId,
    /// The version that you have seen; another one is `STALE_VERSION`.
    pub expected_version: i32,
}

/// An invitation to join the workspace.
#[derive(Clone, InputObject)]
pub struct InviteMemberInput {
    /// The address that the invitation goes to. An open invitation to it is replaced.
    pub email: String,
    /// The name that patients and colleagues will see: 1 to 255 characters.
    pub display_name: String,
    /// The role to join in. Only owners invite owners; PATIENT is not given here.
    pub role: Role,
}

/// The answer to an invitation.
#[derive(InputObject)]
pub struct AcceptInvitationInput {
    /// The secret from the invitation's link.
    pub token: String,
    /// Your name, for a new account: 1 to 255 characters.
    pub name: String,
    /// The password of the account of the invited address, or the one that it gets if there is none yet.
    pub password: String,
}
