//! Sending one reminder: whether it still holds, and what it says.

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder};

use super::entity::{Model as Reminder, ReminderRecipient};
use super::notification_setting::{self, Model as Settings};
use super::rules::{AGENDA_KEEPS, Allowed, Kind, Quiet, instant, is_expected, zone_of};
use super::text;
use crate::access::actor::Actor;
use crate::access::entity::user;
use crate::access::scope::find_global;
use crate::app::App;
use crate::appointment::entity::{self as appointment, AppointmentStatus, Model as Appointment};
use crate::appointment::hold;
use crate::consent::entity::ConsentPurpose;
use crate::db::tx::Tx;
use crate::error::{Error, Result};
use crate::id::{AppointmentHoldId, LocationId, MembershipId, PatientId};
use crate::location::entity as location;
use crate::mail::Mail;
use crate::member::entity as member;
use crate::room::entity as room;
use crate::workspace::entity::Model as Workspace;
use crate::{consent, patient};

/// What is to be done with a reminder.
pub enum Verdict {
    /// Hand it over. Names the patient whose address was opened for it.
    Send(Mail, Option<PatientId>),
    /// Not now.
    Later(DateTime<Utc>),
    /// Not any more, for this reason.
    Drop(&'static str),
}

/// Where a patient is told something, and on which clock.
struct Reach {
    to: String,
    zone: Tz,
}

/// What is at hand for judging one reminder.
pub struct Judge<'a> {
    pub app: &'a App,
    pub actor: &'a Actor,
    pub workspace: &'a Workspace,
    pub tx: &'a Tx,
    pub now: DateTime<Utc>,
}

impl Judge<'_> {
    /// Asks again everything that the reminder was planned on: it may have changed since.
    pub async fn judge(&self, reminder: &Reminder) -> Result<Verdict> {
        let Ok(kind) = reminder.kind.parse::<Kind>() else { return Ok(Verdict::Drop("kind")) };
        if let Some(held) = reminder.hold_id {
            return self.offer(held).await;
        }
        let appointment = match reminder.appointment_id {
            Some(id) => {
                let query = self.actor.find::<appointment::Entity>();
                let found = query.filter(appointment::Column::Id.eq(id)).one(self.tx).await?;
                Some(found.ok_or(Error::NotFound)?)
            }
            None => None,
        };
        if let Some(appointment) = &appointment {
            let expected = match kind {
                Kind::Cancelled => appointment.status == AppointmentStatus::Cancelled,
                _ => is_expected(appointment.status),
            };
            if !expected {
                return Ok(Verdict::Drop("status"));
            }
            if appointment.starts_at != reminder.starts_at {
                return Ok(Verdict::Drop("moved"));
            }
            if appointment.starts_at <= self.now {
                return Ok(Verdict::Drop("past"));
            }
        }
        match (reminder.recipient, reminder.membership_id, &appointment) {
            (ReminderRecipient::Patient, _, Some(appointment)) => self.to_patient(appointment).await,
            (ReminderRecipient::Member, Some(member), Some(appointment)) => {
                if appointment.practitioner_id != member {
                    return Ok(Verdict::Drop("practitioner"));
                }
                self.to_practitioner(member, kind, appointment).await
            }
            (ReminderRecipient::Member, Some(member), None) => {
                self.agenda(member, kind, reminder.starts_at).await
            }
            _ => Ok(Verdict::Drop("recipient")),
        }
    }

    async fn to_patient(&self, of: &Appointment) -> Result<Verdict> {
        let Reach { to, zone } = match self.reach(of.patient_id, &of.timezone, of.starts_at).await? {
            Ok(reach) => reach,
            Err(verdict) => return Ok(verdict),
        };
        let practitioner = self.member(of.practitioner_id).await?;
        let place = self.place(of.location_id).await?;
        let starts_at = of.starts_at.with_timezone(&zone);
        let mail = text::to_patient(self.workspace, &practitioner.display_name, place.as_ref(), &starts_at);
        Ok(Verdict::Send(Mail { to, ..mail }, Some(of.patient_id)))
    }

    /// The message about a slot that is kept for a patient, as long as it is.
    async fn offer(&self, id: AppointmentHoldId) -> Result<Verdict> {
        let query = self.actor.find::<hold::Entity>().filter(hold::Column::Id.eq(id));
        let held = query.one(self.tx).await?.ok_or(Error::NotFound)?;
        let Some(patient) = held.patient_id else { return Ok(Verdict::Drop("recipient")) };
        if held.released_at.is_some() || held.expires_at <= self.now {
            return Ok(Verdict::Drop("over"));
        }
        let Reach { to, zone } = match self.reach(patient, &self.workspace.timezone, held.expires_at).await? {
            Ok(reach) => reach,
            Err(verdict) => return Ok(verdict),
        };
        let practitioner = self.member(held.practitioner_id).await?;
        let place = match held.room_id {
            Some(id) => {
                let room = self.actor.find::<room::Entity>().filter(room::Column::Id.eq(id));
                self.place(room.one(self.tx).await?.and_then(|room| room.location_id)).await?
            }
            None => None,
        };
        let (starts_at, until) = (held.starts_at.with_timezone(&zone), held.expires_at.with_timezone(&zone));
        let mail =
            text::offer(self.workspace, &practitioner.display_name, place.as_ref(), &starts_at, &until);
        Ok(Verdict::Send(Mail { to, ..mail }, Some(patient)))
    }

    /// Where a patient is told something that is of use until then, or why they are not told. `timezone` is the zone
    /// of a patient who has none.
    async fn reach(
        &self,
        id: PatientId,
        timezone: &str,
        until: DateTime<Utc>,
    ) -> Result<std::result::Result<Reach, Verdict>> {
        let query = self.actor.find::<patient::entity::Entity>();
        let query = query.filter(patient::entity::Column::Id.eq(id));
        let patient = query.one(self.tx).await?.ok_or(Error::NotFound)?;
        let gone = patient.archived_at.is_some()
            || patient.merged_into_id.is_some()
            || patient.restricted_at.is_some()
            || patient.deceased_on.is_some();
        if gone {
            return Ok(Err(Verdict::Drop("patient")));
        }
        if !patient.reminder_consent || self.consent_expired(patient.id).await? {
            return Ok(Err(Verdict::Drop("consent")));
        }
        let Some(email) = &patient.email else { return Ok(Err(Verdict::Drop("address"))) };
        let key_version = patient.key_version;
        let cipher = self.app.keys.patient(self.tx, self.actor, patient.id, key_version).await?;
        let zone = match &patient.timezone {
            Some(sealed) => zone_of(&cipher.open(patient.id, "timezone", sealed)?),
            None => zone_of(timezone),
        };
        Ok(match Quiet::of(self.workspace, zone).allows(self.now, until) {
            Allowed::Now => Ok(Reach { to: cipher.open(patient.id, "email", email)?, zone }),
            Allowed::From(at) => Err(Verdict::Later(at)),
            Allowed::Never => Err(Verdict::Drop("quiet")),
        })
    }

    async fn to_practitioner(&self, id: MembershipId, kind: Kind, of: &Appointment) -> Result<Verdict> {
        let (settings, to) = match self.address(id).await? {
            Some(found) => found,
            None => return Ok(Verdict::Drop("settings")),
        };
        let wanted = match kind {
            Kind::Before(_) => settings.reminder_enabled,
            Kind::Booked => settings.notify_booked,
            Kind::Rescheduled => settings.notify_rescheduled,
            Kind::Confirmed => settings.notify_confirmed,
            Kind::Cancelled => settings.notify_cancelled,
            Kind::AgendaToday | Kind::AgendaTomorrow | Kind::Offer => false,
        };
        if !wanted {
            return Ok(Verdict::Drop("settings"));
        }
        let starts_at = of.starts_at.with_timezone(&zone_in(&settings, self.workspace));
        let place = self.place(of.location_id).await?;
        let mail = text::to_practitioner(self.workspace, kind, place.as_ref(), &starts_at);
        Ok(Verdict::Send(Mail { to, ..mail }, None))
    }

    async fn agenda(&self, id: MembershipId, kind: Kind, due: DateTime<Utc>) -> Result<Verdict> {
        if self.now >= due + AGENDA_KEEPS {
            return Ok(Verdict::Drop("past"));
        }
        let (settings, to) = match self.address(id).await? {
            Some(found) => found,
            None => return Ok(Verdict::Drop("settings")),
        };
        let (wanted, days) = match kind {
            Kind::AgendaToday => (settings.digest_enabled, 0),
            Kind::AgendaTomorrow => (settings.tomorrow_digest_enabled, 1),
            _ => (false, 0),
        };
        if !wanted {
            return Ok(Verdict::Drop("settings"));
        }
        let zone = zone_in(&settings, self.workspace);
        let day = due.with_timezone(&zone).date_naive() + Duration::days(days);
        let appointments = self
            .actor
            .find::<appointment::Entity>()
            .filter(appointment::Column::PractitionerId.eq(id))
            .filter(appointment::Column::StartsAt.gte(instant(zone, day, 0)))
            .filter(appointment::Column::StartsAt.lt(instant(zone, day + Duration::days(1), 0)))
            .filter(
                appointment::Column::Status
                    .is_in([AppointmentStatus::Scheduled, AppointmentStatus::Confirmed]),
            )
            .order_by_asc(appointment::Column::StartsAt)
            .order_by_asc(appointment::Column::Id)
            .all(self.tx)
            .await?;
        let ids = appointments.iter().filter_map(|row| row.location_id);
        let places = self
            .actor
            .find::<location::Entity>()
            .filter(location::Column::Id.is_in(ids))
            .all(self.tx)
            .await?;
        let entries = appointments.iter().map(|row| text::Entry {
            starts_at: row.starts_at.with_timezone(&zone),
            ends_at: row.ends_at.with_timezone(&zone),
            place: places.iter().find(|place| Some(place.id) == row.location_id),
        });
        let mail = text::agenda(self.workspace, day, zone, &entries.collect::<Vec<_>>());
        Ok(Verdict::Send(Mail { to, ..mail }, None))
    }

    /// What a member wants, and their address; `None` when they want nothing or have no account.
    async fn address(&self, id: MembershipId) -> Result<Option<(Settings, String)>> {
        let settings = self
            .actor
            .find::<notification_setting::Entity>()
            .filter(notification_setting::Column::MembershipId.eq(id))
            .filter(notification_setting::Column::EmailEnabled.eq(true))
            .one(self.tx)
            .await?;
        let member = self.member(id).await?;
        let (Some(settings), Some(user), true) = (settings, member.user_id, member.is_active) else {
            return Ok(None);
        };
        // Accounts are global: the id comes from a member of this workspace.
        let account = find_global::<user::Entity>()
            .filter(user::Column::Id.eq(user))
            .filter(user::Column::IsActive.eq(true))
            .one(self.tx)
            .await?;
        Ok(account.map(|account| (settings, account.email)))
    }

    async fn member(&self, id: MembershipId) -> Result<member::Model> {
        let query = self.actor.find::<member::Entity>().filter(member::Column::Id.eq(id));
        query.one(self.tx).await?.ok_or(Error::NotFound)
    }

    async fn place(&self, id: Option<LocationId>) -> Result<Option<location::Model>> {
        let Some(id) = id else { return Ok(None) };
        let query = self.actor.find::<location::Entity>().filter(location::Column::Id.eq(id));
        Ok(query.one(self.tx).await?)
    }

    /// Whether the consent was given until a day that has come. Giving and withdrawing show in the chart.
    async fn consent_expired(&self, patient: PatientId) -> Result<bool> {
        let query = consent::queries::latest(self.actor, patient, ConsentPurpose::Reminders, self.now);
        let latest = query.one(self.tx).await?;
        Ok(latest.and_then(|event| event.expires_at).is_some_and(|until| until <= self.now))
    }
}

/// The zone of a member's clock.
pub fn zone_in(settings: &Settings, workspace: &Workspace) -> chrono_tz::Tz {
    zone_of(settings.timezone.as_deref().unwrap_or(&workspace.timezone))
}
