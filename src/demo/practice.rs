//! The demo practice: what it offers, and where.

use chrono::{DateTime, Datelike, Days, Duration, NaiveDate, Utc, Weekday};
use sea_orm::Set;

use super::TIMEZONE;
use crate::app::UnitOfWork;
use crate::appointment::entity::AppointmentType;
use crate::availability::local::start_of_day;
use crate::error::Result;
use crate::graphql::input::fold;
use crate::id::{DoctorScheduleId, LocationId, MembershipId, RoomId, ScheduleExceptionId, ServiceId};
use crate::location::entity::{self as location, LocationKind};
use crate::room::entity::{self as room, RoomKind};
use crate::schedule::entity as schedule;
use crate::schedule::exception::{self, AbsenceReason, ExceptionKind};
use crate::service::entity as service;

/// From so many days ahead on the demo has no appointments.
const CALM: u64 = 16;

/// What appointments refer to.
pub struct Practice {
    pub services: Vec<service::Model>,
    pub location: LocationId,
    /// One for each doctor, and one more.
    pub rooms: Vec<RoomId>,
}

struct Offer {
    name: &'static str,
    description: &'static str,
    minutes: i32,
    /// Kept free before and after.
    buffers: (i32, i32),
    price: i64,
    kind: AppointmentType,
    color: &'static str,
}

const OFFERS: [Offer; 5] = [
    Offer {
        name: "Consultation",
        description: "A first visit, with an examination.",
        minutes: 30,
        buffers: (0, 5),
        price: 6_500,
        kind: AppointmentType::Consultation,
        color: "#0ea5e9",
    },
    Offer {
        name: "Follow-up",
        description: "A short visit that continues an earlier one.",
        minutes: 20,
        buffers: (0, 0),
        price: 3_500,
        kind: AppointmentType::FollowUp,
        color: "#22c55e",
    },
    Offer {
        name: "Physiotherapy",
        description: "Exercises and manual therapy.",
        minutes: 45,
        buffers: (0, 5),
        price: 5_200,
        kind: AppointmentType::Therapy,
        color: "#f59e0b",
    },
    Offer {
        name: "Psychotherapy",
        description: "One session of individual therapy.",
        minutes: 50,
        buffers: (0, 10),
        price: 11_000,
        kind: AppointmentType::Therapy,
        color: "#a855f7",
    },
    Offer {
        name: "Minor procedure",
        description: "Stitches, removals and the like, under local anaesthesia.",
        minutes: 40,
        buffers: (5, 10),
        price: 14_500,
        kind: AppointmentType::Procedure,
        color: "#ef4444",
    },
];

const ROOMS: [(&str, RoomKind); 4] = [
    ("Room 1", RoomKind::Consultation),
    ("Room 2", RoomKind::Consultation),
    ("Therapy room", RoomKind::Other),
    ("Treatment room", RoomKind::Procedure),
];

pub async fn build(unit: &UnitOfWork) -> Result<Practice> {
    let mut services = Vec::new();
    for offer in OFFERS {
        services.push(unit.insert(row(unit, &offer)).await?);
    }
    let location =
        add_location(unit, "Main street", LocationKind::Clinic, "Hauptstraße 12, 10827 Berlin").await?;
    add_location(unit, "Video", LocationKind::Online, "By link, sent with the confirmation").await?;
    let mut rooms = Vec::new();
    for (name, kind) in ROOMS {
        let id = unit.id::<RoomId>();
        unit.insert(room::ActiveModel {
            id: Set(id),
            location_id: Set(Some(location)),
            name: Set(name.into()),
            name_key: Set(fold(name)),
            kind: Set(kind),
            capacity: Set(2),
            ..Default::default()
        })
        .await?;
        rooms.push(id);
    }
    Ok(Practice { services, location, rooms })
}

fn row(unit: &UnitOfWork, offer: &Offer) -> service::ActiveModel {
    service::ActiveModel {
        id: Set(unit.id::<ServiceId>()),
        name: Set(offer.name.into()),
        name_key: Set(fold(offer.name)),
        description: Set(Some(offer.description.into())),
        duration_minutes: Set(offer.minutes),
        buffer_before_minutes: Set(offer.buffers.0),
        buffer_after_minutes: Set(offer.buffers.1),
        price_minor: Set(Some(offer.price)),
        capacity: Set(1),
        color: Set(Some(offer.color.into())),
        appointment_type: Set(offer.kind),
        requires_room: Set(offer.kind == AppointmentType::Procedure),
        min_notice_minutes: Set(0),
        max_advance_days: Set(180),
        ..Default::default()
    }
}

async fn add_location(
    unit: &UnitOfWork,
    name: &str,
    kind: LocationKind,
    address: &str,
) -> Result<LocationId> {
    let id = unit.id::<LocationId>();
    unit.insert(location::ActiveModel {
        id: Set(id),
        name: Set(name.into()),
        name_key: Set(fold(name)),
        kind: Set(kind),
        address: Set(Some(address.into())),
        ..Default::default()
    })
    .await?;
    Ok(id)
}

/// Monday to Friday from eight to five, with an hour for lunch.
pub async fn add_schedules(unit: &UnitOfWork, doctors: &[MembershipId], practice: &Practice) -> Result<()> {
    let rows = doctors.iter().flat_map(|doctor| {
        (1..=5).map(|weekday| schedule::ActiveModel {
            id: Set(unit.id::<DoctorScheduleId>()),
            practitioner_id: Set(*doctor),
            location_id: Set(Some(practice.location)),
            weekday: Set(weekday),
            starts_minute: Set(8 * 60),
            ends_minute: Set(17 * 60),
            break_starts_minute: Set(Some(12 * 60)),
            break_ends_minute: Set(Some(13 * 60)),
            timezone: Set(TIMEZONE.name().into()),
            ..Default::default()
        })
    });
    unit.insert_all(rows.collect()).await
}

/// After the month of appointments: a day on which the practice is closed, a vacation, and a Saturday with extra
/// hours. So the calendar has exceptions, and nobody's appointment lies in them.
pub async fn add_exceptions(unit: &UnitOfWork, doctors: &[MembershipId]) -> Result<()> {
    let today = unit.clock().now().with_timezone(&TIMEZONE).date_naive();
    let after = today.checked_add_days(Days::new(CALM)).unwrap_or(today);
    let weekday = |wanted: Weekday| after.iter_days().find(|day| day.weekday() == wanted).unwrap_or(after);
    let (friday, saturday) = (weekday(Weekday::Fri), weekday(Weekday::Sat));
    let monday = friday.checked_add_days(Days::new(3)).unwrap_or(friday);
    let whole = |first: NaiveDate, days: u64| {
        let end = first.checked_add_days(Days::new(days)).unwrap_or(first);
        (start_of_day(TIMEZONE, first), start_of_day(TIMEZONE, end))
    };
    let nine = start_of_day(TIMEZONE, saturday) + Duration::hours(9);
    let mut rows =
        vec![exception(unit, None, whole(friday, 1), Some(AbsenceReason::Holiday), "Works outing")];
    if let [first, second, ..] = doctors {
        let vacation = Some(AbsenceReason::Vacation);
        rows.push(exception(unit, Some(*second), whole(monday, 5), vacation, "At the sea"));
        let hours = (nine, nine + Duration::hours(4));
        rows.push(exception(unit, Some(*first), hours, None, "Saturday clinic"));
    }
    unit.insert_all(rows).await
}

/// Time off for a reason, or extra hours without one.
fn exception(
    unit: &UnitOfWork,
    practitioner: Option<MembershipId>,
    (starts_at, ends_at): (DateTime<Utc>, DateTime<Utc>),
    reason: Option<AbsenceReason>,
    note: &str,
) -> exception::ActiveModel {
    exception::ActiveModel {
        id: Set(unit.id::<ScheduleExceptionId>()),
        practitioner_id: Set(practitioner),
        kind: Set(if reason.is_some() { ExceptionKind::TimeOff } else { ExceptionKind::ExtraHours }),
        reason_kind: Set(reason),
        starts_at: Set(starts_at),
        ends_at: Set(ends_at),
        timezone: Set(TIMEZONE.name().into()),
        location_id: Set(None),
        note: Set(Some(note.into())),
        ..Default::default()
    }
}
