//! A stretch of the practice's calendar in a constant number of statements.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Duration, Utc};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect};

use super::graphql::{all_known, practice, zone_of};
use super::hours::stretches;
use super::load::{self, Plan};
use super::spans::{Span, instant, is_near, merged, total};
use crate::appointment::entity::AppointmentStatus;
use crate::appointment::input::AppointmentFilter;
use crate::appointment::{entity as appointment, hold, queries, rules};
use crate::error::Error;
use crate::graphql::context::ContextExt;
use crate::graphql::document::cost::list_size;
use crate::graphql::error::Result;
use crate::graphql::project::{self, Asked};
use crate::id::{LocationId, MembershipId};
use crate::member::entity::Role;
use crate::schedule::exception;
use crate::{location, member};

/// The longest stretch.
const MOST_DAYS: i64 = 42;
/// The most appointments of one answer.
const MOST: u64 = 5_000;

/// What is asked for.
pub struct Wanted {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub practitioners: Vec<MembershipId>,
    pub locations: Vec<LocationId>,
    pub include_cancelled: bool,
}

/// A stretch of the practice's calendar.
#[derive(SimpleObject)]
pub struct Calendar {
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when, exclusive.
    pub to: DateTime<Utc>,
    /// IANA name of the practice's zone.
    pub timezone: String,
    /// When the practice, or one of its places, is closed.
    #[graphql(directive = list_size::apply(5))]
    pub closings: Vec<exception::ModelEx>,
    /// The practitioners by name, each with the own calendar.
    #[graphql(directive = list_size::apply(10))]
    pub practitioners: Vec<PractitionerCalendar>,
}

/// The calendar of one practitioner.
#[derive(SimpleObject)]
pub struct PractitionerCalendar {
    /// Whose it is.
    pub practitioner: member::entity::ModelEx,
    /// Whether there is a weekly schedule. Without one the practitioner can be booked at any time, which is then
    /// what `workingHours` says.
    pub has_schedule: bool,
    /// When the practitioner works: the weekly schedule with all exceptions applied, by start.
    #[graphql(directive = list_size::apply(10))]
    pub working_hours: Vec<WorkingHours>,
    /// Time off and extra hours that touch the stretch, by start.
    #[graphql(directive = list_size::apply(5))]
    pub exceptions: Vec<exception::ModelEx>,
    /// What is booked, by start.
    #[graphql(directive = list_size::apply(10))]
    pub appointments: Vec<appointment::ModelEx>,
    /// Slots that are kept for somebody and not booked yet, by start. A patient sees the own ones.
    #[graphql(directive = list_size::apply(5))]
    pub holds: Vec<hold::ModelEx>,
    /// How many minutes the practitioner works.
    pub working_minutes: i64,
    /// How many of them appointments take.
    pub booked_minutes: i64,
}

/// A stretch of working time at one place.
#[derive(Clone, Copy)]
pub struct WorkingHours {
    span: Span,
    location: Option<LocationId>,
}

/// A stretch of working time at one place.
#[Object]
impl WorkingHours {
    /// From when.
    async fn starts_at(&self) -> DateTime<Utc> {
        instant(self.span.start)
    }

    /// Until when, exclusive.
    async fn ends_at(&self) -> DateTime<Utc> {
        instant(self.span.end)
    }

    /// Where. Null for hours that serve every place.
    async fn location(&self, ctx: &Context<'_>) -> Result<Option<location::entity::ModelEx>> {
        match self.location {
            Some(id) => Ok(ctx.call().load(id).await?),
            None => Ok(None),
        }
    }
}

pub async fn read(ctx: &Context<'_>, wanted: Wanted) -> Result<Calendar> {
    check(&wanted)?;
    all_known(ctx, &wanted.practitioners, "practitionerIds").await.map_err(as_argument("practitionerIds"))?;
    all_known(ctx, &wanted.locations, "locationIds").await.map_err(as_argument("locationIds"))?;
    let (actor, workspace) = (ctx.actor()?, practice(ctx).await?);
    let tx = ctx.call().tx().await?;
    let span = Span::between(wanted.from, wanted.to);

    let appointments = appointments(ctx, &wanted).await?;
    let booked: HashSet<MembershipId> = appointments.iter().map(|row| row.practitioner_id).collect();
    let members = practitioners(ctx, &wanted, &booked).await?;
    let ids: Vec<MembershipId> = members.iter().map(|member| member.id).collect();
    let schedules = load::schedules(&*tx, &actor, &ids).await?;
    let exceptions = load::exceptions(&*tx, &actor, &ids, span).await?;
    let plan = Plan::of(&schedules, &exceptions);
    let clocks = plan.clocks(span, zone_of(&workspace));

    let mut by_member: HashMap<MembershipId, Vec<appointment::ModelEx>> = HashMap::new();
    for row in appointments {
        by_member.entry(row.practitioner_id).or_default().push(row);
    }
    let mut held = holds(ctx, &ids, span).await?;
    let scheduled: HashSet<MembershipId> = schedules.iter().map(|row| row.practitioner_id).collect();
    let calendars = members.into_iter().map(|member| {
        let hours = plan.hours(member.id);
        let open = working(&hours, &plan, &clocks, &wanted.locations);
        let appointments = by_member.remove(&member.id).unwrap_or_default();
        let own = exceptions.iter().filter(|row| row.practitioner_id == Some(member.id));
        let working = merged(open.iter().map(|hours| hours.span).collect());
        let taken = appointments.iter().filter(|row| rules::occupies(row.status));
        let taken = merged(taken.map(|row| Span::between(row.starts_at, row.ends_at)).collect());
        PractitionerCalendar {
            has_schedule: scheduled.contains(&member.id),
            exceptions: own.cloned().map(Into::into).collect(),
            working_minutes: minutes(&working),
            booked_minutes: minutes(&super::spans::common(&taken, &working)),
            holds: held.remove(&member.id).unwrap_or_default(),
            working_hours: open,
            appointments,
            practitioner: member.into(),
        }
    });
    let mut practitioners: Vec<_> = calendars.collect();
    if !wanted.locations.is_empty() && wanted.practitioners.is_empty() {
        // Who neither works nor has anything there is not part of that place's calendar.
        practitioners.retain(|own| !own.working_hours.is_empty() || !own.appointments.is_empty());
    }
    let closings = exceptions.into_iter().filter(|row| row.practitioner_id.is_none());
    Ok(Calendar {
        from: wanted.from,
        to: wanted.to,
        timezone: workspace.timezone,
        closings: closings.map(Into::into).collect(),
        practitioners,
    })
}

fn check(wanted: &Wanted) -> Result<()> {
    for (name, at) in [("from", wanted.from), ("to", wanted.to)] {
        if !is_near(at) {
            return Err(Error::invalid_argument(name, "This is too far away.").into());
        }
    }
    if wanted.to <= wanted.from {
        return Err(Error::invalid_argument("to", "The end must be after the start.").into());
    }
    if wanted.to - wanted.from > Duration::days(MOST_DAYS) {
        return Err(Error::invalid_argument("to", format!("At most {MOST_DAYS} days.")).into());
    }
    if wanted.practitioners.len() > 100 {
        return Err(Error::invalid_argument("practitionerIds", "At most 100.").into());
    }
    if wanted.locations.len() > 20 {
        return Err(Error::invalid_argument("locationIds", "At most 20.").into());
    }
    Ok(())
}

/// The arguments of a query have no `input` above them.
fn as_argument(name: &'static str) -> impl Fn(crate::graphql::error::Error) -> crate::graphql::error::Error {
    move |error| match error.0 {
        Error::Invalid(_) => Error::invalid_argument(name, "Not found.").into(),
        other => other.into(),
    }
}

/// The appointments of the stretch with what is asked about them, in one statement.
async fn appointments(ctx: &Context<'_>, wanted: &Wanted) -> Result<Vec<appointment::ModelEx>> {
    let actor = ctx.actor()?;
    let filter =
        AppointmentFilter { from: Some(wanted.from), to: Some(wanted.to), ..AppointmentFilter::default() };
    let mut query = queries::list(&actor, &filter);
    if !wanted.include_cancelled {
        let status = [AppointmentStatus::Cancelled, AppointmentStatus::NoShow];
        query = query.filter(appointment::Column::Status.is_not_in(status));
    }
    if !wanted.practitioners.is_empty() {
        let ids = wanted.practitioners.iter().copied();
        query = query.filter(appointment::Column::PractitionerId.is_in(ids));
    }
    if !wanted.locations.is_empty() {
        let here = appointment::Column::LocationId.is_in(wanted.locations.iter().copied());
        query = query.filter(Condition::any().add(here).add(appointment::Column::LocationId.is_null()));
    }
    for (column, order) in queries::order(false) {
        query = query.order_by(column, order);
    }
    let tx = ctx.call().tx().await?;
    let asked = Asked::of(ctx).below("practitioners").below("appointments");
    let own = [appointment::Column::PractitionerId, appointment::Column::EndsAt, appointment::Column::Status];
    let chosen = queries::SHAPE.choose_with(&asked, own);
    let rows = project::select(&queries::SHAPE, &chosen, query.limit(MOST + 1), &*tx).await?;
    if rows.len() as u64 > MOST {
        let message =
            format!("There are more than {MOST} appointments: ask for fewer days or practitioners.");
        return Err(Error::invalid_argument("to", message).into());
    }
    Ok(rows)
}

/// Those named, or those who can be booked or are.
async fn practitioners(
    ctx: &Context<'_>,
    wanted: &Wanted,
    booked: &HashSet<MembershipId>,
) -> Result<Vec<member::entity::Model>> {
    use member::entity::Column;
    let actor = ctx.actor()?;
    let query = member::queries::visible(&actor).filter(Column::Role.ne(Role::Patient));
    let query = if wanted.practitioners.is_empty() {
        let bookable = Condition::all().add(Column::IsActive.eq(true)).add(Column::IsBookable.eq(true));
        let booked = Column::Id.is_in(booked.iter().copied());
        query.filter(Condition::any().add(bookable).add(booked))
    } else {
        query.filter(Column::Id.is_in(wanted.practitioners.iter().copied()))
    };
    let query = query.order_by_asc(Column::DisplayName).order_by_asc(Column::Id);
    Ok(query.all(&*ctx.call().tx().await?).await?)
}

/// The holds that have not expired.
async fn holds(
    ctx: &Context<'_>,
    practitioners: &[MembershipId],
    span: Span,
) -> Result<HashMap<MembershipId, Vec<hold::ModelEx>>> {
    use hold::{Column, Entity};
    let rows = ctx
        .actor()?
        .find::<Entity>()
        .filter(Column::PractitionerId.is_in(practitioners.iter().copied()))
        .filter(Column::ReleasedAt.is_null())
        .filter(Column::ExpiresAt.gt(ctx.app().clock.now()))
        .filter(Column::StartsAt.lt(instant(span.end)))
        .filter(Column::EndsAt.gt(instant(span.start)))
        .order_by_asc(Column::StartsAt)
        .order_by_asc(Column::Id)
        .all(&*ctx.call().tx().await?)
        .await?;
    let mut holds: HashMap<MembershipId, Vec<hold::ModelEx>> = HashMap::new();
    for row in rows {
        holds.entry(row.practitioner_id).or_default().push(row.into());
    }
    Ok(holds)
}

/// The working hours at these places, put together where they touch.
fn working(
    hours: &super::hours::Hours,
    plan: &Plan,
    clocks: &super::hours::Clocks,
    locations: &[LocationId],
) -> Vec<WorkingHours> {
    let asked: Vec<Option<LocationId>> = match locations {
        [] => vec![None],
        locations => locations.iter().copied().map(Some).collect(),
    };
    let mut open: BTreeMap<Option<LocationId>, Vec<Span>> = BTreeMap::new();
    for at in asked {
        let windows = hours.windows(&plan.closings, clocks, at);
        for (location, spans) in stretches(&windows, at) {
            open.entry(location).or_default().extend(spans);
        }
    }
    let mut open: Vec<WorkingHours> = open
        .into_iter()
        .flat_map(|(location, spans)| {
            merged(spans).into_iter().map(move |span| WorkingHours { span, location })
        })
        .collect();
    open.sort_unstable_by_key(|hours| (hours.span, hours.location));
    open
}

/// The time of a set in whole minutes.
pub fn minutes(spans: &[Span]) -> i64 {
    total(spans) / super::spans::MINUTE
}
