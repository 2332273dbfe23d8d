//! The data set as a function of its size: every row's id and content follows from its number, so that the
//! generator, the queries and the checks agree without asking each other.

use chrono::{DateTime, TimeDelta, Utc};
use praxis::id::{
    AppointmentId, LocationId, MembershipId, PatientId, RoomId, ServiceId, TypedId, UserId, WorkspaceId,
};
use uuid::Builder;

use crate::random::Random;

pub const WORKSPACES: u64 = 20;
pub const MEMBERS: u64 = 20;
pub const SERVICES: u64 = 5;
pub const LOCATIONS: u64 = 2;
pub const APPOINTMENTS_PER_DAY: u64 = 25;
pub const MINUTES: i64 = 20;
/// The password of all users.
pub const PASSWORD: &str = "a lot of appointments 2026";
pub const TIMEZONE: &str = "UTC";

/// Coprime to the number of patients, so that neighbouring appointments have different patients.
const STRIDE: u64 = 7_919;

/// How much data there is.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Appointments of one workspace.
    pub appointments: u64,
    /// Patients of one workspace.
    pub patients: u64,
    /// Members of one workspace who see patients.
    pub doctors: u64,
}

/// An appointment by its number.
pub struct Visit {
    pub id: AppointmentId,
    pub patient: PatientId,
    pub practitioner: MembershipId,
    pub service: ServiceId,
    pub location: LocationId,
    pub room: RoomId,
    pub starts_at: DateTime<Utc>,
    /// Whether it took place.
    pub happened: bool,
}

impl Plan {
    /// A data set of so many appointments in all.
    pub fn new(appointments: u64) -> Self {
        let appointments = appointments / WORKSPACES;
        Self {
            appointments,
            patients: (appointments / 10).max(20),
            doctors: (appointments / 100).clamp(1, 15),
        }
    }

    /// Whole days that every doctor has appointments on.
    pub fn days(self) -> u64 {
        self.appointments / self.doctors / APPOINTMENTS_PER_DAY
    }

    pub fn visit(self, workspace: u64, number: u64) -> Visit {
        let (slot, doctor) = (number / self.doctors, number % self.doctors);
        let (day, turn) = (slot / APPOINTMENTS_PER_DAY, slot % APPOINTMENTS_PER_DAY);
        let minutes = i64::try_from(day * 24 * 60 + turn * 20).expect("a few months of minutes");
        Visit {
            id: self.appointment(workspace, number),
            patient: self.patient(workspace, number * STRIDE % self.patients),
            practitioner: doctor_id(workspace, doctor),
            service: service(workspace, number % SERVICES),
            location: location(workspace, doctor % LOCATIONS),
            room: room(workspace, doctor),
            starts_at: first_day() + TimeDelta::minutes(8 * 60 + minutes),
            happened: !number.is_multiple_of(11),
        }
    }

    pub fn appointment(self, workspace: u64, number: u64) -> AppointmentId {
        id(workspace * self.appointments + number)
    }

    pub fn patient(self, workspace: u64, number: u64) -> PatientId {
        id(workspace * self.patients + number)
    }
}

/// The midnight before the first appointment. All of them are past: nothing of them changes by itself.
pub fn first_day() -> DateTime<Utc> {
    DateTime::from_timestamp(1_751_328_000, 0).expect("a day in 2025")
}

pub fn workspace(number: u64) -> WorkspaceId {
    id(number)
}

pub fn slug(workspace: u64) -> String {
    format!("load-{workspace}")
}

pub fn user(workspace: u64, number: u64) -> UserId {
    id(workspace * MEMBERS + number)
}

pub fn email(workspace: u64, number: u64) -> String {
    format!("member-{number}@load-{workspace}.example")
}

pub fn member(workspace: u64, number: u64) -> MembershipId {
    id(workspace * MEMBERS + number)
}

/// The first member is the owner; the doctors follow.
pub fn doctor_id(workspace: u64, doctor: u64) -> MembershipId {
    member(workspace, doctor + 1)
}

pub fn service(workspace: u64, number: u64) -> ServiceId {
    id(workspace * SERVICES + number)
}

pub fn location(workspace: u64, number: u64) -> LocationId {
    id(workspace * LOCATIONS + number)
}

pub fn room(workspace: u64, number: u64) -> RoomId {
    id(workspace * MEMBERS + number)
}

pub fn service_name(number: u64) -> &'static str {
    ["Consultation", "Follow-up", "Physiotherapy", "Vaccination", "Blood sample"][pick(number, 5)]
}

/// First and last name of a patient.
pub fn name(workspace: u64, patient: u64) -> (&'static str, &'static str) {
    const FIRST: [&str; 16] = [
        "Ada", "Bruno", "Clara", "David", "Elena", "Felix", "Greta", "Hugo", "Ines", "Jonas", "Klara",
        "Leon", "Mira", "Noah", "Olga", "Paul",
    ];
    const LAST: [&str; 16] = [
        "Albrecht", "Bergmann", "Costa", "Dietrich", "Engel", "Fischer", "Graf", "Hartmann", "Ivanov",
        "Jansen", "Kowalski", "Lehmann", "Moreau", "Neumann", "Olsen", "Petrov",
    ];
    let mut random = Random::new((workspace << 32) | patient);
    (FIRST[pick(random.next(), 16)], LAST[pick(random.next(), 16)])
}

fn pick(number: u64, of: u64) -> usize {
    usize::try_from(number % of).expect("less than a short list")
}

/// The id of row `number`: ids of one table follow one another in time, as those of a running system do.
pub fn id<I: TypedId>(number: u64) -> I {
    // Different for each table, so that no two of them share a value.
    let table = I::PREFIX.bytes().fold(0, |seed, letter| (seed << 8) | u64::from(letter));
    let mut random = Random::new(Random::new(table).next() ^ number);
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&random.next().to_be_bytes());
    let millis = u64::try_from(first_day().timestamp_millis()).expect("after 1970") + number;
    I::from_uuid(Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nobody_is_in_two_places_at_once() {
        for plan in [Plan::new(10_000), Plan::new(1_000_000)] {
            let mut taken = HashSet::new();
            for number in 0..plan.appointments {
                let visit = plan.visit(3, number);
                assert!(taken.insert((visit.patient.0, visit.starts_at)), "{plan:?} {number}");
                assert!(taken.insert((visit.practitioner.0, visit.starts_at)), "{plan:?} {number}");
                assert!(taken.insert((visit.room.0, visit.starts_at)), "{plan:?} {number}");
            }
        }
    }

    #[test]
    fn rows_of_all_workspaces_have_ids_of_their_own() {
        let plan = Plan::new(10_000);
        let ids: HashSet<_> =
            (0..WORKSPACES).flat_map(|w| (0..plan.appointments).map(move |n| plan.visit(w, n).id)).collect();
        assert_eq!(ids.len() as u64, plan.appointments * WORKSPACES);
    }
}
