//! Roles and what they may do: the one table of it.

use async_graphql::Enum;
use sea_orm::{EnumIter, Iterable};

use crate::member::entity::Role;

/// What a field or a command asks of the one who calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum, EnumIter)]
pub enum Permission {
    /// See the workspace's name, settings and limits.
    ReadWorkspace,
    /// Change the workspace's settings.
    ManageWorkspace,
    /// List the people of the workspace with their roles.
    ReadMembers,
    /// Invite people, change their roles, deactivate them.
    ManageMembers,
    /// See services, locations and rooms.
    ReadPractice,
    /// Create, change and archive services, locations and rooms.
    ManagePractice,
    /// Change the own weekly schedule and own exceptions.
    ManageOwnSchedule,
    /// Change everybody's weekly schedules and exceptions, and when the practice is closed.
    ManageSchedules,
    /// See the practice's statistics: counts, rates and hours, nothing about a patient.
    ReadReports,
    /// See appointments: times, people, places and status.
    ReadAppointments,
    /// Book, reschedule and cancel appointments.
    BookAppointments,
    /// Confirm, start, complete appointments and mark no-shows.
    ManageAppointments,
    /// Correct a status after the fact, with a reason.
    CorrectAppointments,
    /// Book although a resource is occupied, with a reason.
    OverrideBooking,
    /// Book an appointment that starts in the past.
    BookInThePast,
    /// See patients' names, contact data and demographics.
    ReadPatients,
    /// Create patients and change their demographics.
    WritePatients,
    /// Archive and restore patients.
    ArchivePatients,
    /// See clinical text: history, allergies, medications, notes.
    ReadClinical,
    /// Change clinical text.
    WriteClinical,
    /// Read the audit trail.
    ReadAudit,
    /// Import records from other systems.
    ImportData,
    /// Operate the platform: workspaces as such, never their health data.
    ManagePlatform,
}

impl Permission {
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }

    /// The roles that have this permission. Which rows they reach is the scoped finder's matter:
    /// a `PATIENT` only ever reaches the own chart.
    pub fn roles(self) -> &'static [Role] {
        use Role::{Admin, Doctor, LabTech, Nurse, Owner, Patient, Researcher, Staff};
        match self {
            Self::ReadWorkspace | Self::ReadPractice => {
                &[Owner, Admin, Doctor, Nurse, LabTech, Staff, Researcher, Patient]
            }
            Self::ManageWorkspace
            | Self::ManageMembers
            | Self::ManagePractice
            | Self::ReadAudit
            | Self::ImportData => &[Owner, Admin],
            Self::ReadMembers => &[Owner, Admin, Doctor, Nurse, LabTech, Staff, Researcher],
            Self::ReadAppointments | Self::ReadPatients => {
                &[Owner, Admin, Doctor, Nurse, LabTech, Staff, Patient]
            }
            Self::BookAppointments => &[Owner, Admin, Doctor, Nurse, Staff, Patient],
            Self::ManageAppointments | Self::WritePatients | Self::ManageOwnSchedule | Self::ReadReports => {
                &[Owner, Admin, Doctor, Nurse, Staff]
            }
            Self::ManageSchedules => &[Owner, Admin, Staff],
            Self::CorrectAppointments
            | Self::OverrideBooking
            | Self::BookInThePast
            | Self::ArchivePatients => &[Owner, Admin, Doctor],
            Self::ReadClinical => &[Owner, Doctor, Nurse, Patient],
            Self::WriteClinical => &[Owner, Doctor, Nurse],
            // Never a role's: the platform administrator is a flag on the user.
            Self::ManagePlatform => &[],
        }
    }
}

/// The table as a document: the content of `docs/authorization.md`.
pub fn document() -> String {
    use async_graphql::resolver_utils::EnumType;
    let roles: Vec<Role> = Role::iter().collect();
    let name =
        |role: &Role| Role::items().iter().find(|item| item.value == *role).map_or("", |item| item.name);
    let mut text = String::from(
        "# Roles and permissions\n\n\
         Written by `praxis permissions`; a test compares it. A permission is what a field asks for with\n\
         `@requires(permission:)`. Which rows a role reaches is another matter: a `PATIENT` only ever reaches the own\n\
         chart, and nobody reaches another workspace. `MANAGE_PLATFORM` belongs to no role: it is a flag on the user,\n\
         and opens no health data.\n\n| permission |",
    );
    for role in &roles {
        text.push_str(&format!(" {} |", name(role)));
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(roles.len()));
    for item in Permission::items() {
        text.push_str(&format!("\n| {} |", item.name));
        for role in &roles {
            text.push_str(if item.value.roles().contains(role) { " ✓ |" } else { " |" });
        }
    }
    text.push('\n');
    text
}
