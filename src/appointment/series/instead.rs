//! Where several occurrences could go instead, and what decides about it.

use std::collections::{BTreeSet, HashMap};

use chrono::{Duration, NaiveDate};
use uuid::Uuid;

use super::commands::counts;
use super::edit::Edit;
use crate::access::actor::Actor;
use crate::app::UnitOfWork;
use crate::appointment::book::{Move, check_time};
use crate::appointment::commands::workspace_of;
use crate::appointment::entity::Model;
use crate::appointment::occupancy;
use crate::appointment::occupy::{Claim, Span};
use crate::appointment::queries::{Busy, equipment_of};
use crate::availability::check::{Judge, Obstacle, Wanted};
use crate::availability::conflicts::Instead;
use crate::availability::query::{self, Answer, Request, alternatives};
use crate::availability::spans::{Span as InstantSpan, instant};
use crate::error::Result;
use crate::id::{AppointmentId, EquipmentId, LocationId};
use crate::member::entity::Model as Member;
use crate::service::{self, entity::Model as Service};
use crate::workspace::entity::Model as Workspace;

/// How far the times go that are offered instead, with a day more for changes of the clock.
const AHEAD: Duration = Duration::days(15);
/// Times of the named occurrence that are looked at: the quarters of two weeks.
const CANDIDATES: usize = 14 * 96;
/// Occurrences that are looked at for them.
const MOST: usize = 20_000;
/// How many times are answered: of each day, and in all.
const A_DAY: usize = 3;
const IN_ALL: usize = 10;

/// The times of an occurrence to which it and the others could go, as a search answers them.
#[derive(Debug)]
pub struct Times {
    pub answer: Answer,
    pub request: Request,
}

/// What decides whether an occurrence fits at its new place.
pub(super) struct Scale {
    pub workspace: Workspace,
    /// Sees everything that is taken.
    pub house: Actor,
    service: Option<Service>,
    practitioner: Member,
    location: Option<LocationId>,
    equipment: Vec<EquipmentId>,
    /// Those that are moved: none of them is in the way of another.
    own: BTreeSet<AppointmentId>,
}

impl Scale {
    /// Loads and locks what the occurrences would take up.
    pub async fn of(unit: &UnitOfWork, actor: &Actor, edit: &Edit, named: &Model, to: &Move) -> Result<Self> {
        let workspace = workspace_of(unit, actor).await?;
        let (service, equipment) = match named.service_id {
            Some(id) => (
                Some(service::commands::require(unit, actor, id).await?),
                equipment_of(&**unit, actor, id).await?,
            ),
            None => (None, Vec::new()),
        };
        let (practitioner, location) = to.places.require(unit, actor, &workspace, service.as_ref()).await?;
        let own = edit.affected.iter().map(|before| before.id).collect();
        let house = Actor::system(actor.workspace, "series");
        Ok(Self { workspace, house, service, practitioner, location, equipment, own })
    }

    pub fn claim(&self, after: &Model) -> Claim {
        Claim { equipment: self.equipment.clone(), ..Claim::of(after) }
    }

    pub fn is_own(&self, row: &occupancy::Model) -> bool {
        row.appointment_id.is_some_and(|id| self.own.contains(&id))
    }

    /// What decides about hours, limits and absences in a span.
    pub async fn judge(
        &self,
        unit: &UnitOfWork,
        actor: &Actor,
        named: &Model,
        span: InstantSpan,
    ) -> Result<Judge> {
        let leaving: Vec<AppointmentId> = self.own.iter().copied().collect();
        Judge::load(&**unit, actor, &self.wanted(named), span, (unit.clock().now(), &leaving)).await
    }

    /// What stands against an occurrence of a series that begins too far ahead or not.
    pub fn against(&self, actor: &Actor, judge: &Judge, after: &Model, too_far: bool) -> Vec<Obstacle> {
        let mut found = judge.against(&self.wanted(after));
        found.retain(|obstacle| counts(actor, *obstacle, too_far));
        found
    }

    fn wanted(&self, after: &Model) -> Wanted<'_> {
        Wanted {
            workspace: &self.workspace,
            service: self.service.as_ref(),
            practitioner: &self.practitioner,
            patient: Some(after.patient_id),
            room: after.room_id,
            location: self.location,
            starts_at: after.starts_at,
            ends_at: after.ends_at,
            buffers: (after.buffer_before_minutes, after.buffer_after_minutes),
            except: Some(after.id),
        }
    }
}

/// The next times of the named occurrence to which all of them can go by as much on the wall clock: three a day within
/// two weeks, ten in all.
pub(super) async fn times(
    unit: &UnitOfWork,
    actor: &Actor,
    edit: &Edit,
    scale: &Scale,
    named: &Model,
    to: &Move,
) -> Result<Times> {
    let now = unit.clock().now();
    let length = to.ends_at.map_or(named.ends_at - named.starts_at, |ends_at| ends_at - to.starts_at);
    let wanted = Instead {
        service: scale.service.as_ref(),
        practitioner: Some(to.places.practitioner),
        patient: Some(named.patient_id),
        room: to.places.room,
        location: to.places.location,
        starts_at: to.starts_at,
        ends_at: to.starts_at + length,
        buffers: (named.buffer_before_minutes, named.buffer_after_minutes),
        except: Some(named.id),
    };
    let wanted = wanted.request();
    let next = alternatives(&wanted, wanted.range.start);
    let request = Request { limit: CANDIDATES, per_day: None, ..next };
    let service = scale.service.as_ref();
    let mut answer = query::find(unit, actor, &scale.workspace, service, &request, now).await?;

    // Whatever the occurrences can meet where the candidates take them.
    let by = edit.distance(named, to)?;
    let mut reach: Vec<Span> = Vec::new();
    for before in &edit.affected {
        for span in scale.claim(&edit.place(before, named, to, by)).spans() {
            reach.push(span);
            reach.push(Span { starts_at: span.starts_at + AHEAD, ends_at: span.ends_at + AHEAD, ..span });
        }
    }
    let taken = Busy::load(&**unit, &scale.house, &reach, now).await?.times(|row| scale.is_own(row));
    let ends = reach.iter().map(|span| span.ends_at).max().unwrap_or(to.starts_at);
    let starts = reach.iter().map(|span| span.starts_at).min().unwrap_or(to.starts_at);
    let judge = scale.judge(unit, actor, named, InstantSpan::between(starts, ends)).await?;

    let (mut kept, mut tried, mut of_day) = (Vec::new(), 0, HashMap::<NaiveDate, usize>::new());
    for choice in std::mem::take(&mut answer.found.choices) {
        if kept.len() == IN_ALL || tried > MOST {
            break;
        }
        let starts_at = instant(choice.starts_at);
        let count = of_day.entry(starts_at.with_timezone(&answer.zone).date_naive()).or_default();
        if *count == A_DAY {
            continue;
        }
        tried += edit.affected.len();
        let there = Move { starts_at, ends_at: to.ends_at.map(|_| starts_at + length), ..to.clone() };
        let by = edit.distance(named, &there)?;
        if edit.shifted(by).is_err() {
            continue;
        }
        let moved: Vec<Model> =
            edit.affected.iter().map(|before| edit.place(before, named, &there, by)).collect();
        let first = moved.iter().map(|after| after.starts_at).min().unwrap_or(starts_at);
        let too_far = judge.is_too_far(first);
        let fits = moved.iter().all(|after| {
            check_time(unit, actor, &scale.workspace, after.starts_at, after.ends_at).is_ok()
                && is_free(&taken, &scale.claim(after))
                && scale.against(actor, &judge, after, too_far).is_empty()
        });
        if fits {
            *count += 1;
            kept.push(choice);
        }
    }
    answer.found.choices = kept;
    answer.found.more = false;
    Ok(Times { answer, request })
}

/// Whether nothing that the claim takes up is taken.
fn is_free(taken: &HashMap<Uuid, Vec<InstantSpan>>, claim: &Claim) -> bool {
    claim.spans().iter().all(|span| {
        let wanted = InstantSpan::between(span.starts_at, span.ends_at);
        taken.get(&span.resource).is_none_or(|taken| {
            let next = taken.partition_point(|taken| taken.end <= wanted.start);
            taken.get(next).is_none_or(|taken| !taken.overlaps(wanted))
        })
    })
}
