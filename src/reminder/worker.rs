//! The worker: sends what is due, from all nodes at once.
//!
//! A reminder is leased before it is sent: the row says who has it and until when, and no other node touches it
//! before. A node that dies leaves its leases to run out; the next one sends again, under the same name, because
//! nobody knows how far the dead one came. So every reminder is handed over at least once, and more often only
//! after a crash or when a mail server took a message and could not say so.
//!
//! Jobs go workspace by workspace: row-level security shows one at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, Query};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

use super::entity::{Column, Entity, Model as Reminder, ReminderState};
use super::notification_setting as setting;
use super::plan;
use super::rules::{Kind, agenda_due};
use super::send::{Judge, Verdict, zone_in};
use crate::access::actor::Actor;
use crate::access::scope::find_global;
use crate::app::App;
use crate::db::Scope;
use crate::error::Result;
use crate::id::MembershipId;
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::shutdown::Drain;
use crate::workspace::entity::{self as workspace, WorkspaceStatus};

/// How often a node looks for what is due.
const PERIOD: Duration = Duration::from_secs(15);
/// How many reminders a node takes at a time.
const BATCH: u64 = 10;
/// How long they are its own: longer than the mail server may take for all of them.
const LEASE: chrono::Duration = chrono::Duration::minutes(5);
/// What is left of a lease when another message is begun.
const MARGIN: chrono::Duration = chrono::Duration::seconds(30);
/// After so many attempts a reminder is given up.
pub const ATTEMPTS: i32 = 8;

/// One node's share of the work.
pub struct Worker {
    app: Arc<App>,
    /// Names this node in its leases.
    owner: String,
    drain: Drain,
}

/// What came of an attempt.
enum Outcome {
    Sent,
    Dropped(&'static str),
    Postponed(DateTime<Utc>),
    /// To be tried again, unless that was often enough.
    Failed(String),
    /// Never to be tried again.
    Refused(String),
}

impl Worker {
    pub fn new(app: Arc<App>, drain: Drain) -> Self {
        let owner = app.clock.new_uuid().to_string();
        Self { app, owner, drain }
    }

    /// Works until it is told to stop; the message in hand is finished first.
    pub async fn run(mut self) {
        loop {
            if let Err(error) = self.tick().await {
                tracing::error!(error = &error as &dyn std::error::Error, "reminders cannot be read");
            }
            if tokio::time::timeout(PERIOD, self.drain.told()).await.is_ok() {
                return;
            }
        }
    }

    /// Sends everything that is due now. A workspace that fails does not hold up the others.
    pub async fn tick(&self) -> Result<()> {
        let tx = self.app.db.begin_read(Scope::default()).await?;
        // Global: the jobs of all workspaces, each then done within its own.
        let workspaces = find_global::<workspace::Entity>()
            .filter(workspace::Column::Status.eq(WorkspaceStatus::Active))
            .all(&tx)
            .await?;
        tx.rollback().await?;
        for workspace in workspaces {
            if self.is_stopped() {
                break;
            }
            if let Err(error) = Box::pin(self.work(&workspace)).await {
                tracing::warn!(
                    workspace = %workspace.id,
                    error = &error as &dyn std::error::Error,
                    "reminders of a workspace wait"
                );
            }
        }
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        self.drain.is_told()
    }

    async fn work(&self, workspace: &workspace::Model) -> Result<()> {
        let actor = Actor::system(workspace.id, "reminders");
        let (agendas, mut due) = self.look(&actor, workspace).await?;
        if !agendas.is_empty() {
            let agendas = &agendas;
            self.app
                .write(&actor, move |unit| async move { plan::put_agendas(&unit, agendas).await })
                .await?;
            due = true;
        }
        while due && !self.is_stopped() {
            let claimed = self.claim(&actor).await?;
            due = claimed.len() as u64 == BATCH;
            for reminder in claimed {
                self.handle(&actor, workspace, &reminder).await?;
            }
        }
        Ok(())
    }

    /// The agendas that are due and not planned, and whether anything waits: without a write.
    async fn look(
        &self,
        actor: &Actor,
        workspace: &workspace::Model,
    ) -> Result<(Vec<(MembershipId, Kind, DateTime<Utc>)>, bool)> {
        let now = self.app.clock.now();
        let tx = self.app.db.begin_read(actor.scope()).await?;
        let waiting = actor.find::<Entity>().filter(claimable(now)).limit(1).one(&tx).await?;
        let either = Condition::any()
            .add(setting::Column::DigestEnabled.eq(true))
            .add(setting::Column::TomorrowDigestEnabled.eq(true));
        let settings = actor
            .find::<setting::Entity>()
            .filter(setting::Column::EmailEnabled.eq(true))
            .filter(either)
            .all(&tx)
            .await?;
        let mut agendas = Vec::new();
        for one in settings {
            let zone = zone_in(&one, workspace);
            let today = one
                .digest_enabled
                .then(|| agenda_due(now, zone, one.digest_minute, one.digest_weekdays))
                .flatten();
            let tomorrow = one
                .tomorrow_digest_enabled
                .then(|| agenda_due(now, zone, one.tomorrow_digest_minute, one.tomorrow_digest_weekdays))
                .flatten();
            agendas.extend(today.map(|due| (one.membership_id, Kind::AgendaToday, due)));
            agendas.extend(tomorrow.map(|due| (one.membership_id, Kind::AgendaTomorrow, due)));
        }
        if !agendas.is_empty() {
            let planned = actor
                .find::<Entity>()
                .filter(Column::AppointmentId.is_null())
                .filter(Column::MembershipId.is_in(agendas.iter().map(|(member, ..)| *member)))
                .filter(Column::StartsAt.is_in(agendas.iter().map(|(.., due)| *due)))
                .all(&tx)
                .await?;
            agendas.retain(|(member, kind, due)| {
                !planned.iter().any(|row| {
                    row.membership_id == Some(*member)
                        && row.starts_at == *due
                        && row.kind == kind.to_string()
                })
            });
        }
        tx.rollback().await?;
        Ok((agendas, waiting.is_some()))
    }

    /// Takes what is due and nobody else has, for as long as a lease.
    async fn claim(&self, actor: &Actor) -> Result<Vec<Reminder>> {
        self.app
            .write(actor, move |unit| async move {
                let now = unit.clock().now();
                // SQLite has one writer, so nobody else is choosing at the same time.
                let chosen = actor
                    .find::<Entity>()
                    .select_only()
                    .column(Column::Id)
                    .filter(claimable(now))
                    .order_by_asc(Column::DueAt)
                    .order_by_asc(Column::Id)
                    .limit(BATCH)
                    .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
                    .into_query();
                let lease = Query::update()
                    .table(Entity)
                    .value(Column::State, ReminderState::Sending)
                    .value(Column::LeaseOwner, self.owner.as_str())
                    .value(Column::LeaseUntil, now + LEASE)
                    .value(Column::UpdatedAt, now)
                    .value(Column::Attempts, Expr::col(Column::Attempts).add(1))
                    .and_where(Column::WorkspaceId.eq(actor.workspace))
                    .and_where(Column::Id.in_subquery(chosen))
                    .returning_all()
                    .to_owned();
                let rows = unit.query_all(&lease).await?;
                let mut claimed: Vec<Reminder> =
                    rows.iter().map(|row| Reminder::from_query_result(row, "")).collect::<Result<_, _>>()?;
                claimed.sort_by_key(|reminder| (reminder.due_at, reminder.id));
                Ok(claimed)
            })
            .await
    }

    async fn handle(&self, actor: &Actor, workspace: &workspace::Model, reminder: &Reminder) -> Result<()> {
        let now = self.app.clock.now();
        let time_left = reminder.lease_until.is_some_and(|until| now + MARGIN < until);
        let outcome = if self.is_stopped() || !time_left {
            Outcome::Postponed(reminder.due_at)
        } else if reminder.attempts > ATTEMPTS {
            // Claimed so often and never concluded: whoever tried did not survive it.
            Outcome::Refused("crash".into())
        } else {
            match Box::pin(self.attempt(actor, workspace, reminder, now)).await {
                Ok(outcome) => outcome,
                Err(error) => {
                    tracing::warn!(
                        reminder = %reminder.id,
                        error = &error as &dyn std::error::Error,
                        "a reminder could not be made"
                    );
                    Outcome::Failed("internal".into())
                }
            }
        };
        Box::pin(self.conclude(actor, reminder, &outcome)).await
    }

    /// Judges the reminder and hands it over, outside any transaction.
    async fn attempt(
        &self,
        actor: &Actor,
        workspace: &workspace::Model,
        reminder: &Reminder,
        now: DateTime<Utc>,
    ) -> Result<Outcome> {
        let tx = self.app.db.begin_read(actor.scope()).await?;
        let judge = Judge { app: &self.app, actor, workspace, tx: &tx, now };
        let verdict = Box::pin(judge.judge(reminder)).await;
        tx.rollback().await?;
        let (mail, patient) = match verdict? {
            Verdict::Send(mail, patient) => (mail, patient),
            Verdict::Later(at) => return Ok(Outcome::Postponed(at)),
            Verdict::Drop(reason) => return Ok(Outcome::Dropped(reason)),
        };
        if let Some(patient) = patient {
            // Before it leaves: no address is opened that the journal does not know of.
            let read = Event::by(actor, AuditKind::Read, "patient.read")
                .on(patient)
                .with("fields", vec!["patients.email"]);
            self.app.journal.append(actor.workspace, vec![read]).await?;
        }
        Ok(match self.app.mailer.send(reminder.id.0, &mail).await {
            Ok(()) => Outcome::Sent,
            Err(error) if error.is_final() => Outcome::Refused(error.code().into()),
            Err(error) => Outcome::Failed(error.code().into()),
        })
    }

    /// Notes what came of it, unless the lease has passed to somebody else meanwhile.
    async fn conclude(&self, actor: &Actor, reminder: &Reminder, outcome: &Outcome) -> Result<()> {
        self.app
            .write(actor, move |unit| async move {
                let now = unit.clock().now();
                let (state, code) = match outcome {
                    Outcome::Sent => (ReminderState::Sent, None),
                    Outcome::Dropped(reason) => (ReminderState::Cancelled, Some((*reason).to_owned())),
                    Outcome::Postponed(_) => (ReminderState::Pending, None),
                    Outcome::Failed(code) if reminder.attempts < ATTEMPTS => {
                        (ReminderState::Pending, Some(code.clone()))
                    }
                    Outcome::Failed(code) | Outcome::Refused(code) => {
                        (ReminderState::Failed, Some(code.clone()))
                    }
                };
                let due = match outcome {
                    Outcome::Postponed(at) => *at,
                    Outcome::Failed(_) if state == ReminderState::Pending => now + pause(reminder.attempts),
                    _ => reminder.due_at,
                };
                // What was not tried does not count as an attempt.
                let tried = i32::from(!matches!(outcome, Outcome::Postponed(_)));
                let noted = Entity::update_many()
                    .col_expr(Column::State, Expr::value(state))
                    .col_expr(Column::DueAt, Expr::value(due))
                    .col_expr(Column::Attempts, Expr::value(reminder.attempts - 1 + tried))
                    .col_expr(Column::LastError, Expr::value(code.clone()))
                    .col_expr(Column::SentAt, Expr::value((state == ReminderState::Sent).then_some(now)))
                    .col_expr(Column::LeaseUntil, Expr::value(Option::<DateTime<Utc>>::None))
                    .col_expr(Column::LeaseOwner, Expr::value(Option::<String>::None))
                    .col_expr(Column::UpdatedAt, Expr::value(now))
                    .filter(Column::WorkspaceId.eq(actor.workspace))
                    .filter(Column::Id.eq(reminder.id))
                    .filter(Column::State.eq(ReminderState::Sending))
                    .filter(Column::LeaseOwner.eq(self.owner.as_str()))
                    .filter(Column::Attempts.eq(reminder.attempts))
                    .exec(&**unit)
                    .await?;
                let (sort, action) = match state {
                    ReminderState::Sent => (AuditKind::Export, "reminder.sent"),
                    ReminderState::Failed => (AuditKind::Failed, "reminder.failed"),
                    _ => return Ok(()),
                };
                if noted.rows_affected == 1 {
                    unit.record(
                        Event::by(actor, sort, action)
                            .on(reminder.id)
                            .with("kind", reminder.kind.clone())
                            .with("code", code),
                    );
                }
                Ok(())
            })
            .await
    }
}

/// What is due, and what somebody took and did not bring to an end in time.
fn claimable(now: DateTime<Utc>) -> Condition {
    let due = Condition::all().add(Column::State.eq(ReminderState::Pending)).add(Column::DueAt.lte(now));
    let left =
        Condition::all().add(Column::State.eq(ReminderState::Sending)).add(Column::LeaseUntil.lte(now));
    Condition::any().add(due).add(left)
}

/// 30 seconds, doubling up to an hour, and up to half of it more, so that nodes do not knock in step.
fn pause(attempts: i32) -> chrono::Duration {
    let doubled = 30_000_u64 << (attempts.clamp(1, 8) - 1);
    let base = std::cmp::min(doubled, 3_600_000);
    let jitter = getrandom::u64().map_or(0, |random| random % (base / 2));
    chrono::Duration::milliseconds(i64::try_from(base + jitter).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_longer_until_it_is_an_hour_and_a_half_at_most() {
        for (attempts, seconds) in [(1, 30), (2, 60), (3, 120), (8, 3_600), (40, 3_600)] {
            for _ in 0..50 {
                let pause = pause(attempts).num_milliseconds();
                assert!((seconds * 1_000..seconds * 1_500).contains(&pause), "{attempts}: {pause}");
            }
        }
    }
}
