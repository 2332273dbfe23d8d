//! What searching free times and checking one takes.

use async_graphql::InputObject;
use chrono::{DateTime, Duration, Utc};

use super::query::Request;
use super::search::Shape;
use super::spans::{MINUTE, Span, is_near};
use crate::error::Result;
use crate::graphql::document::cost::MOST_LIMIT;
use crate::graphql::input::Problems;
use crate::id::{AppointmentId, LocationId, MembershipId, PatientId, RoomId, ServiceId};
use crate::service::entity::Model as Service;

/// The longest range of one search.
const MOST_DAYS: i64 = 62;
/// How many times are listed unless more or fewer are asked for.
pub const DEFAULT_LIMIT: i32 = 100;

/// What to look for. Give a service, a duration, or both.
#[derive(Clone, Debug, InputObject)]
pub struct AvailableSlotsInput {
    /// What is to be done. It gives the duration, the buffers, the minimum notice, the maximum advance, the daily
    /// limit, the capacity, and whether a room is needed.
    pub service_id: Option<ServiceId>,
    /// How long it takes, when that is not the service's duration: 5 to 480 minutes.
    pub duration_minutes: Option<i32>,
    /// Only these practitioners. Omitted or empty: all that can be booked. At most 100.
    pub practitioner_ids: Option<Vec<MembershipId>>,
    /// Only at these places. Omitted or empty: anywhere. At most 20.
    pub location_ids: Option<Vec<LocationId>>,
    /// Only in these rooms. Omitted or empty: any room, and none unless one is required. At most 100.
    pub room_ids: Option<Vec<RoomId>>,
    /// Leaves out times at which this patient is somewhere else already.
    pub patient_id: Option<PatientId>,
    /// The earliest start. What lies in the past is left out.
    pub from: DateTime<Utc>,
    /// Starts before this instant. At most 62 days after `from`.
    pub to: DateTime<Utc>,
    /// Starts are multiples of so many minutes after midnight on the practitioner's wall clock: 5 to 240.
    #[graphql(default = 15)]
    pub step_minutes: i32,
    /// At most so many times: 1 to 500. With 1, the next free time.
    #[graphql(default_with = "DEFAULT_LIMIT")]
    pub limit: i32,
    /// One practitioner for each time is enough: faster, when it does not matter who it is.
    #[graphql(default)]
    pub any_practitioner: bool,
}

impl AvailableSlotsInput {
    /// The request, once its ids are known to be visible.
    pub fn request(&self, service: Option<&Service>) -> Result<Request> {
        let mut problems = Problems::default();
        let duration = duration(&mut problems, self.duration_minutes, service);
        problems.range("stepMinutes", self.step_minutes, 5..=240);
        problems.range("limit", self.limit, 1..=MOST_LIMIT);
        for (field, at) in [("from", self.from), ("to", self.to)] {
            if !is_near(at) {
                problems.add(field, "This is too far away.");
            }
        }
        if self.to <= self.from {
            problems.add("to", "The end must be after the start.");
        } else if self.to - self.from > Duration::days(MOST_DAYS) {
            problems.add("to", format!("At most {MOST_DAYS} days."));
        }
        for (field, count, most) in [
            ("practitionerIds", self.practitioner_ids.as_ref().map_or(0, Vec::len), 100),
            ("locationIds", self.location_ids.as_ref().map_or(0, Vec::len), 20),
            ("roomIds", self.room_ids.as_ref().map_or(0, Vec::len), 100),
        ] {
            if count > most {
                problems.add(field, format!("At most {most}."));
            }
        }
        problems.ok()?;
        let buffers = service.map_or((0, 0), |s| (s.buffer_before_minutes, s.buffer_after_minutes));
        Ok(Request {
            practitioners: self.practitioner_ids.clone().unwrap_or_default(),
            locations: self.location_ids.clone().unwrap_or_default(),
            rooms: self.room_ids.clone().unwrap_or_default(),
            patient: self.patient_id,
            shape: Shape::minutes(duration, buffers.0, buffers.1),
            range: Span::between(self.from, self.to),
            step: i64::from(self.step_minutes) * MINUTE,
            anyone: self.any_practitioner,
            limit: usize::try_from(self.limit).unwrap_or(1),
            per_day: None,
            except: None,
        })
    }
}

fn duration(problems: &mut Problems, given: Option<i32>, service: Option<&Service>) -> i32 {
    match (given, service) {
        (Some(minutes), _) => {
            problems.range("durationMinutes", minutes, 5..=480);
            minutes
        }
        (None, Some(service)) => service.duration_minutes,
        (None, None) => {
            problems.add("durationMinutes", "Give a service, or how long it takes.");
            0
        }
    }
}

/// An appointment that somebody thinks of. Nothing is booked or kept.
#[derive(Clone, Debug, InputObject)]
pub struct FindConflictsInput {
    /// Who would see the patient.
    pub practitioner_id: MembershipId,
    /// What would be done. It gives the duration and the buffers, unless they are given here.
    pub service_id: Option<ServiceId>,
    /// Who would come.
    pub patient_id: Option<PatientId>,
    /// The room it would take up.
    pub room_id: Option<RoomId>,
    /// Where it would be.
    pub location_id: Option<LocationId>,
    /// When it would start.
    pub starts_at: DateTime<Utc>,
    /// When it would end. By default after the service's duration.
    pub ends_at: Option<DateTime<Utc>>,
    /// The appointment that would be moved there: it is not in its own way.
    pub appointment_id: Option<AppointmentId>,
}
