//! What reminders say: date, time, place and who is met, and nothing about health.

use chrono::{DateTime, NaiveDate};
use chrono_tz::Tz;

use super::rules::Kind;
use crate::location::entity::{LocationKind, Model as Location};
use crate::mail::Mail;
use crate::workspace::entity::Model as Workspace;

const AGREED: &str =
    "\n\nYou get this because you agreed to reminders. Tell the practice if you want no more.";

/// One line of an agenda.
pub struct Entry<'a> {
    pub starts_at: DateTime<Tz>,
    pub ends_at: DateTime<Tz>,
    pub place: Option<&'a Location>,
}

pub fn to_patient(
    workspace: &Workspace,
    practitioner: &str,
    place: Option<&Location>,
    starts_at: &DateTime<Tz>,
) -> Mail {
    let mut text = format!(
        "This is a reminder of your appointment:\n\n{}\nWith {practitioner}\n{}{}\n\n",
        when(starts_at),
        place.map(|place| format!("{}\n", place_of(place))).unwrap_or_default(),
        workspace.name,
    );
    text.push_str(&match &workspace.phone {
        Some(phone) => format!("If you cannot come, please call us: {phone}"),
        None => "If you cannot come, please tell us.".into(),
    });
    text.push_str(AGREED);
    mail("Reminder of your appointment".into(), text)
}

/// A slot that is kept for somebody of the waiting list.
pub fn offer(
    workspace: &Workspace,
    practitioner: &str,
    place: Option<&Location>,
    starts_at: &DateTime<Tz>,
    until: &DateTime<Tz>,
) -> Mail {
    let place = place.map(|place| format!("{}\n", place_of(place))).unwrap_or_default();
    let answer = match &workspace.phone {
        Some(phone) => format!("please call us: {phone}"),
        None => "please tell us.".into(),
    };
    let text = format!(
        "An appointment that you wait for is free:\n\n{}\nWith {practitioner}\n{place}{}\n\nIt is kept for you until {}. \
         If you want it, {answer}{AGREED}",
        when(starts_at),
        workspace.name,
        when(until),
    );
    mail("An appointment is free for you".into(), text)
}

pub fn to_practitioner(
    workspace: &Workspace,
    kind: Kind,
    place: Option<&Location>,
    starts_at: &DateTime<Tz>,
) -> Mail {
    let what = match kind {
        Kind::Booked => "Appointment booked",
        Kind::Rescheduled => "Appointment moved",
        Kind::Confirmed => "Appointment confirmed",
        Kind::Cancelled => "Appointment cancelled",
        Kind::Before(_) | Kind::AgendaToday | Kind::AgendaTomorrow | Kind::Offer => "Upcoming appointment",
    };
    let place = place.map(|place| format!("{}\n", place_of(place))).unwrap_or_default();
    let text = format!("{what}:\n\n{}\n{place}{}", when(starts_at), workspace.name);
    mail(what.into(), text)
}

pub fn agenda(workspace: &Workspace, day: NaiveDate, zone: Tz, entries: &[Entry<'_>]) -> Mail {
    let mut text = format!("{} ({zone}), {}\n\n", day.format("%A %-d %B %Y"), workspace.name);
    if entries.is_empty() {
        text.push_str("No appointments.");
    }
    for Entry { starts_at, ends_at, place } in entries {
        let place = place.map(|place| format!("  {}", place.name)).unwrap_or_default();
        text.push_str(&format!("{}–{}{place}\n", starts_at.format("%H:%M"), ends_at.format("%H:%M")));
    }
    mail(format!("Your appointments on {}", day.format("%A %-d %B")), text)
}

fn mail(subject: String, text: String) -> Mail {
    Mail { to: String::new(), subject, text }
}

fn when(starts_at: &DateTime<Tz>) -> String {
    format!("{} ({})", starts_at.format("%A %-d %B %Y, %H:%M"), starts_at.timezone())
}

fn place_of(place: &Location) -> String {
    match (place.kind, &place.address) {
        // Where somebody lives does not belong into a mail.
        (LocationKind::Clinic, Some(address)) => format!("{}, {address}", place.name),
        _ => place.name.clone(),
    }
}
