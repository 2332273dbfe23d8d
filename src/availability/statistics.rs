//! Counts, rates and utilisation.

use std::collections::{BTreeMap, HashMap};

use async_graphql::{Context, InputObject, SimpleObject};
use chrono::{DateTime, Duration, Utc};
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbBackend, Iterable, QueryFilter, QuerySelect};

use super::calendar::minutes;
use super::graphql::{practice, zone_of};
use super::hours::within;
use super::load;
use super::query::{bookable, by_name};
use super::spans::{Span, is_near};
use crate::appointment::entity::{AppointmentStatus, AppointmentType, Column, Entity};
use crate::error::Error;
use crate::graphql::context::ContextExt;
use crate::graphql::document::cost::list_size;
use crate::graphql::error::Result;
use crate::id::{LocationId, MembershipId, ServiceId};
use crate::member;

/// The longest range.
const MOST_DAYS: i64 = 366;

/// Which appointments to count. Conditions hold together.
#[derive(Clone, Debug, Default, InputObject)]
pub struct StatisticsFilter {
    /// Those of these practitioners. At most 100.
    pub practitioner_ids: Option<Vec<MembershipId>>,
    /// Those at these places. At most 20.
    pub location_ids: Option<Vec<LocationId>>,
    /// Those for these services. At most 100.
    pub service_ids: Option<Vec<ServiceId>>,
}

/// Counts and rates of a range.
#[derive(SimpleObject)]
pub struct AppointmentStatistics {
    /// How many there are, whatever became of them.
    pub total: i64,
    /// How many have each status, in the order of the status flow.
    #[graphql(directive = list_size::apply(6))]
    pub by_status: Vec<StatusCount>,
    /// How many are of each kind.
    #[graphql(directive = list_size::apply(10))]
    pub by_type: Vec<TypeCount>,
    /// Each practitioner by name.
    #[graphql(directive = list_size::apply(10))]
    pub by_practitioner: Vec<PractitionerStatistics>,
    /// No-shows among those that were due: completed or no-show. Null when none was due.
    pub no_show_rate: Option<f64>,
    /// Cancelled among all. Null when there are none.
    pub cancellation_rate: Option<f64>,
    /// How many were cancelled later than the practice's policy asks.
    pub late_cancellations: i64,
    /// Minutes of appointments that take up time: neither cancelled nor no-show.
    pub booked_minutes: i64,
    /// Minutes that the practitioners with a weekly schedule work.
    pub working_minutes: i64,
    /// Booked ÷ working minutes, of the practitioners with a weekly schedule. Null when nobody works. More than 1
    /// when work goes on outside working hours.
    pub utilisation: Option<f64>,
}

/// How many have a status.
#[derive(SimpleObject)]
pub struct StatusCount {
    /// The status.
    pub status: AppointmentStatus,
    /// How many have it.
    pub count: i64,
}

/// How many are of a kind.
#[derive(SimpleObject)]
pub struct TypeCount {
    /// The kind.
    pub appointment_type: AppointmentType,
    /// How many are of it.
    pub count: i64,
}

/// The figures of one practitioner.
#[derive(SimpleObject)]
pub struct PractitionerStatistics {
    /// Whose they are.
    pub practitioner: member::entity::ModelEx,
    /// How many there are, whatever became of them.
    pub total: i64,
    /// How many have each status, in the order of the status flow.
    #[graphql(directive = list_size::apply(6))]
    pub by_status: Vec<StatusCount>,
    /// No-shows among those that were due: completed or no-show. Null when none was due.
    pub no_show_rate: Option<f64>,
    /// Minutes of appointments that take up time: neither cancelled nor no-show.
    pub booked_minutes: i64,
    /// Minutes of work by the weekly schedule and its exceptions. Null without a weekly schedule.
    pub working_minutes: Option<i64>,
    /// Booked ÷ working minutes. Null when there is no working time.
    pub utilisation: Option<f64>,
}

/// One group of appointments.
struct Group {
    practitioner: MembershipId,
    status: AppointmentStatus,
    kind: AppointmentType,
    late: bool,
    count: i64,
    minutes: i64,
}

/// Counts of a set of groups.
#[derive(Default)]
struct Sum {
    /// In the order of the enum.
    status: [i64; 6],
    minutes: i64,
}

impl Sum {
    fn add(&mut self, group: &Group) {
        self.status[group.status as usize] += group.count;
        if crate::appointment::rules::occupies(group.status) {
            self.minutes += group.minutes;
        }
    }

    fn of(&self, status: AppointmentStatus) -> i64 {
        self.status[status as usize]
    }

    fn total(&self) -> i64 {
        self.status.iter().sum()
    }

    fn by_status(&self) -> Vec<StatusCount> {
        AppointmentStatus::iter().map(|status| StatusCount { status, count: self.of(status) }).collect()
    }

    fn no_show_rate(&self) -> Option<f64> {
        let missed = self.of(AppointmentStatus::NoShow);
        rate(missed, missed + self.of(AppointmentStatus::Completed))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and minutes stay far below 2^52")]
fn rate(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

pub async fn read(
    ctx: &Context<'_>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    filter: StatisticsFilter,
) -> Result<AppointmentStatistics> {
    check(from, to, &filter)?;
    let (actor, workspace) = (ctx.actor()?, practice(ctx).await?);
    let tx = ctx.call().tx().await?;
    let groups = groups(ctx, from, to, &filter).await?;

    let (mut all, mut kinds, mut late) = (Sum::default(), BTreeMap::<usize, i64>::new(), 0);
    let mut each: HashMap<MembershipId, Sum> = HashMap::new();
    for group in &groups {
        all.add(group);
        each.entry(group.practitioner).or_default().add(group);
        *kinds.entry(group.kind as usize).or_default() += group.count;
        late += if group.late { group.count } else { 0 };
    }

    let among = filter.practitioner_ids.as_deref().unwrap_or_default();
    let mut members = bookable(&actor, among).all(&*tx).await?;
    let others: Vec<_> = each.keys().filter(|id| !members.iter().any(|member| member.id == **id)).collect();
    if !others.is_empty() {
        use member::entity::Column;
        let others = others.into_iter().copied();
        let query = member::queries::visible(&actor).filter(Column::Id.is_in(others));
        members.extend(query.all(&*tx).await?);
    }
    members.sort_unstable_by(by_name);
    let ids: Vec<MembershipId> = members.iter().map(|member| member.id).collect();
    let span = Span::between(from, to);
    let plan = load::plan(&*tx, &actor, &ids, span).await?;
    let clocks = plan.clocks(span, zone_of(&workspace));

    let (mut working, mut booked) = (0, 0);
    let by_practitioner = members.into_iter().map(|member| {
        let sum = each.remove(&member.id).unwrap_or_default();
        let hours = plan.hours(member.id);
        let works = hours
            .rules
            .is_some()
            .then(|| minutes(&within(&hours.windows(&plan.closings, &clocks, None), span)));
        if let Some(works) = works {
            working += works;
            booked += sum.minutes;
        }
        PractitionerStatistics {
            total: sum.total(),
            by_status: sum.by_status(),
            no_show_rate: sum.no_show_rate(),
            booked_minutes: sum.minutes,
            working_minutes: works,
            utilisation: works.and_then(|works| rate(sum.minutes, works)),
            practitioner: member.into(),
        }
    });
    let by_practitioner = by_practitioner.collect();
    Ok(AppointmentStatistics {
        total: all.total(),
        by_status: all.by_status(),
        by_type: AppointmentType::iter()
            .map(|kind| TypeCount {
                appointment_type: kind,
                count: kinds.get(&(kind as usize)).copied().unwrap_or(0),
            })
            .collect(),
        by_practitioner,
        no_show_rate: all.no_show_rate(),
        cancellation_rate: rate(all.of(AppointmentStatus::Cancelled), all.total()),
        late_cancellations: late,
        booked_minutes: all.minutes,
        working_minutes: working,
        utilisation: rate(booked, working),
    })
}

fn check(from: DateTime<Utc>, to: DateTime<Utc>, filter: &StatisticsFilter) -> Result<()> {
    for (name, at) in [("from", from), ("to", to)] {
        if !is_near(at) {
            return Err(Error::invalid_argument(name, "This is too far away.").into());
        }
    }
    if to <= from {
        return Err(Error::invalid_argument("to", "The end must be after the start.").into());
    }
    if to - from > Duration::days(MOST_DAYS) {
        return Err(Error::invalid_argument("to", format!("At most {MOST_DAYS} days.")).into());
    }
    let counts = [
        (filter.practitioner_ids.as_ref().map_or(0, Vec::len), 100),
        (filter.location_ids.as_ref().map_or(0, Vec::len), 20),
        (filter.service_ids.as_ref().map_or(0, Vec::len), 100),
    ];
    if counts.iter().any(|(count, most)| count > most) {
        return Err(Error::invalid_argument("filter", "Too many ids.").into());
    }
    Ok(())
}

/// The appointments of the range, counted by the database.
async fn groups(
    ctx: &Context<'_>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    filter: &StatisticsFilter,
) -> Result<Vec<Group>> {
    let tx = ctx.call().tx().await?;
    let length: SimpleExpr = match tx.get_database_backend() {
        DbBackend::Postgres => {
            Expr::cust("CAST(SUM(EXTRACT(EPOCH FROM ends_at - starts_at)) / 60 AS bigint)")
        }
        _ => Expr::cust("CAST(SUM(unixepoch(ends_at) - unixepoch(starts_at)) / 60 AS bigint)"),
    };
    let mut any = Condition::all().add(Column::StartsAt.gte(from)).add(Column::StartsAt.lt(to));
    if let Some(ids) = filter.practitioner_ids.as_ref().filter(|ids| !ids.is_empty()) {
        any = any.add(Column::PractitionerId.is_in(ids.iter().copied()));
    }
    if let Some(ids) = filter.location_ids.as_ref().filter(|ids| !ids.is_empty()) {
        any = any.add(Column::LocationId.is_in(ids.iter().copied()));
    }
    if let Some(ids) = filter.service_ids.as_ref().filter(|ids| !ids.is_empty()) {
        any = any.add(Column::ServiceId.is_in(ids.iter().copied()));
    }
    let columns = [Column::PractitionerId, Column::Status, Column::AppointmentType, Column::LateCancellation];
    let mut query = ctx.actor()?.find::<Entity>().select_only().columns(columns).filter(any);
    for column in columns {
        query = query.group_by(column);
    }
    type Row = (MembershipId, AppointmentStatus, AppointmentType, bool, i64, i64);
    let rows: Vec<Row> = query
        .column_as(Expr::cust("COUNT(*)"), "appointments")
        .column_as(length, "minutes")
        .into_tuple()
        .all(&*tx)
        .await?;
    let group = |(practitioner, status, kind, late, count, minutes): Row| Group {
        practitioner,
        status,
        kind,
        late,
        count,
        minutes,
    };
    Ok(rows.into_iter().map(group).collect())
}
