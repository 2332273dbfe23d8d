//! What is looked at before an appointment is booked: its practitioner's hours, and what is taken around it.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;

use super::check::Wanted;
use super::load;
use super::spans::Span;
use crate::access::actor::Actor;
use crate::app::UnitOfWork;
use crate::appointment::book::Booking;
use crate::appointment::occupancy::{self, LONGEST};
use crate::appointment::{group, queries, seats};
use crate::db::together::{Found, Slot, Together};
use crate::error::Result;
use crate::id::EquipmentId;
use crate::schedule::entity as schedule;
use crate::schedule::exception;
use crate::service::equipment;
use crate::{room, service};

/// What there is to be seen.
pub struct Sight {
    pub schedules: Vec<schedule::Model>,
    pub exceptions: Vec<exception::Model>,
    /// The service's, in the order of its ids.
    pub equipment: Vec<EquipmentId>,
    /// What takes up practitioner, room, patient and equipment around that time, expired holds among it.
    pub taken: Vec<occupancy::Model>,
    /// The group session that would be joined.
    pub session: Option<group::Model>,
}

impl Sight {
    /// Looks, in one statement, at what takes up something wanted.
    ///
    /// The caller holds the locks on practitioner, room and patient, so that it sees all there is.
    pub async fn of(unit: &UnitOfWork, actor: &Actor, wanted: &Wanted<'_>) -> Result<Self> {
        let mut look = Together::default();
        let asked = Look::at(&mut look, &load::eyes(actor), wanted);
        asked.seen(&look.run(unit).await?)
    }
}

/// Where in a statement the rows are found.
pub struct Look {
    schedules: Slot<schedule::Entity>,
    exceptions: Slot<exception::Entity>,
    equipment: Option<Slot<equipment::Entity>>,
    taken: Vec<Slot<occupancy::Entity>>,
    session: Option<Slot<group::Entity>>,
}

impl Look {
    fn at(look: &mut Together, eyes: &Actor, wanted: &Wanted<'_>) -> Self {
        let (ids, claim) = ([wanted.practitioner.id], wanted.claim());
        let span = Span::between(wanted.starts_at, wanted.ends_at);
        let mut asked = Self {
            schedules: look.find(load::schedules_of(eyes, Some(&ids))),
            exceptions: look.find(load::exceptions_of(eyes, Some(&ids), span)),
            taken: vec![look.find(queries::taking_up(eyes, &claim.spans()))],
            equipment: None,
            session: None,
        };
        if let Some(service) = wanted.service {
            asked.equipment = Some(look.find(queries::equipment_links(eyes, service.id)));
            let equipment = queries::taking_up_equipment(eyes, service.id, &claim.practice_spans());
            asked.taken.push(look.find(equipment));
            if service.capacity > 1 {
                let key = (wanted.practitioner.id, service.id, wanted.starts_at);
                asked.session = Some(look.find_one(seats::session(eyes, key)));
            }
        }
        asked
    }

    /// The same before service and room are known: PostgreSQL finds them, takes the locks and looks, all in one
    /// statement. For an appointment of its own, not for a seat in a group session.
    ///
    /// A statement sees what was there when it began, and this one may have waited for its locks since. So the hours and
    /// what is taken are read by functions: they look anew.
    pub fn ahead(
        look: &mut Together,
        eyes: &Actor,
        booking: &Booking,
        service: Option<&Slot<service::entity::Entity>>,
        room: Option<&Slot<room::entity::Entity>>,
    ) -> Self {
        let practitioner = booking.places.practitioner.0;
        let equipment = booking.service.map(|service| look.find(queries::equipment_links(eyes, service)));

        let mut resources = String::from("VALUES ($1::uuid), ($2::uuid)");
        if let Some(room) = room {
            resources.push_str(&format!(" UNION ALL SELECT id FROM {}", room.name()));
        }
        if let Some(equipment) = &equipment {
            resources.push_str(&format!(" UNION ALL SELECT equipment_id FROM {}", equipment.name()));
        }
        let minutes = |sum: &str| match service {
            Some(service) => format!("make_interval(mins => (SELECT {sum} FROM {}))", service.name()),
            None => "make_interval()".to_owned(),
        };
        let resources =
            Expr::cust_with_values(format!("ARRAY({resources})"), [practitioner, booking.patient.0]);
        let lasts = match booking.ends_at {
            Some(_) => "0",
            None => "duration_minutes",
        };
        let instant = |at: DateTime<Utc>, sign: &str, sum: &str| {
            Expr::cust_with_values(format!("$1::timestamptz {sign} {}", minutes(sum)), [at])
        };
        let (starts_at, given) = (booking.starts_at, booking.ends_at.unwrap_or(booking.starts_at));
        let (starts, ends) = (Expr::value(starts_at), instant(given, "+", lasts));
        let before = instant(starts_at, "-", "buffer_before_minutes");
        let after = instant(given, "+", &format!("{lasts} + buffer_after_minutes"));
        let longest = Expr::cust(format!("make_interval(hours => {})", LONGEST.num_hours()));
        let practitioner = Expr::value(practitioner);
        let schedules = look.call(eyes, "schedules_by_now", [practitioner.clone()]);
        let exceptions = look.call(eyes, "exceptions_by_now", [practitioner, starts, ends]);
        let taken = look.call(eyes, "taken_by_now", [resources, before, after, longest]);
        Self { schedules, exceptions, equipment, taken: vec![taken], session: None }
    }

    pub fn seen(&self, found: &Found) -> Result<Sight> {
        let equipment =
            self.equipment.as_ref().map(|links| found.all(links)).transpose()?.unwrap_or_default();
        let mut equipment: Vec<EquipmentId> = equipment.into_iter().map(|link| link.equipment_id).collect();
        equipment.sort_unstable();
        let mut taken = Vec::new();
        for rows in &self.taken {
            taken.extend(found.all(rows)?);
        }
        Ok(Sight {
            schedules: found.all(&self.schedules)?,
            exceptions: found.all(&self.exceptions)?,
            equipment,
            taken,
            session: found.maybe(self.session.as_ref())?,
        })
    }
}
