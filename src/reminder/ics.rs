//! Calendar files (RFC 5545): content lines, escaped and folded, and an appointment as an event.
//!
//! Written here and not with a crate: docs/adr/0013-reminders-and-calendar-files.md says why.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::appointment::entity::{AppointmentStatus, Model as Appointment, ModelEx};
use crate::appointment::rules::occupies;
use crate::error::{Error, Result};
use crate::graphql::context::Call;

/// Of a practice that has no address; a domain that never exists.
const NO_ADDRESS: &str = "no-reply@praxis.invalid";

/// Octets of a line, without its end.
const LINE: usize = 75;

/// What is told of an appointment: neither who comes nor what for.
pub struct Entry<'a> {
    pub appointment: &'a Appointment,
    /// The name of the place.
    pub place: Option<&'a str>,
}

/// Whoever calls or calls off, for a file that is sent around.
pub struct Organizer<'a> {
    pub name: &'a str,
    pub email: &'a str,
}

/// A calendar of many appointments, to be subscribed to.
pub fn feed(name: &str, entries: &[Entry<'_>]) -> String {
    let mut file = Writer::open(None);
    file.text("X-WR-CALNAME", name);
    file.line("REFRESH-INTERVAL;VALUE=DURATION:PT15M");
    file.line("X-PUBLISHED-TTL:PT15M");
    for entry in entries {
        file.event(entry, None);
    }
    file.close()
}

/// One appointment, to be put into a calendar; cancelled, to be taken out of it again.
pub fn single(entry: &Entry<'_>, organizer: &Organizer<'_>) -> String {
    let cancelled = entry.appointment.status == AppointmentStatus::Cancelled;
    let mut file = Writer::open(Some(if cancelled { "CANCEL" } else { "PUBLISH" }));
    file.event(entry, Some(organizer));
    file.close()
}

/// The file of one appointment whom whoever asks may see.
pub async fn of_appointment(call: &Call, appointment: &ModelEx) -> Result<String> {
    let place = match appointment.location_id {
        Some(id) => call.load(id).await?,
        None => None,
    };
    let workspace = call.load(appointment.workspace_id).await?.ok_or(Error::NotFound)?;
    let email = workspace.email.as_deref().or(call.app.config.mail_from.as_deref()).unwrap_or(NO_ADDRESS);
    let organizer = Organizer { name: &workspace.name, email: address(email) };
    let entry =
        Entry { appointment: &appointment.clone().into(), place: place.as_ref().map(|p| p.name.as_str()) };
    Ok(single(&entry, &organizer))
}

/// The address in `Name <address>`.
fn address(mailbox: &str) -> &str {
    mailbox.rsplit_once('<').map_or(mailbox, |(_, address)| address.trim_end_matches('>')).trim()
}

/// The tag of a file: another one as soon as an octet differs.
pub fn etag(file: &str) -> String {
    format!("\"{}\"", data_encoding::HEXLOWER.encode(&Sha256::digest(file)[..16]))
}

struct Writer(String);

impl Writer {
    fn open(method: Option<&str>) -> Self {
        let mut file = Self(String::new());
        file.line("BEGIN:VCALENDAR");
        file.line("VERSION:2.0");
        file.line("PRODID:-//Praxis//Praxis//EN");
        file.line("CALSCALE:GREGORIAN");
        if let Some(method) = method {
            file.line(&format!("METHOD:{method}"));
        }
        file
    }

    fn close(mut self) -> String {
        self.line("END:VCALENDAR");
        self.0
    }

    fn event(&mut self, Entry { appointment, place }: &Entry<'_>, organizer: Option<&Organizer<'_>>) {
        self.line("BEGIN:VEVENT");
        // The same in every file, whatever becomes of the appointment.
        self.text("UID", &appointment.id.to_string());
        self.instant("DTSTAMP", appointment.updated_at);
        self.instant("LAST-MODIFIED", appointment.updated_at);
        self.instant("CREATED", appointment.created_at);
        self.line(&format!("SEQUENCE:{}", appointment.sequence));
        // In UTC: right in every zone and on both sides of a change of clocks, without a zone's rules.
        self.instant("DTSTART", appointment.starts_at);
        self.instant("DTEND", appointment.ends_at);
        self.line(match appointment.status {
            AppointmentStatus::Cancelled => "STATUS:CANCELLED",
            _ => "STATUS:CONFIRMED",
        });
        self.line(if occupies(appointment.status) { "TRANSP:OPAQUE" } else { "TRANSP:TRANSPARENT" });
        self.line("CLASS:PRIVATE");
        self.text("SUMMARY", "Appointment");
        if let Some(place) = place {
            self.text("LOCATION", place);
        }
        if let Some(Organizer { name, email }) = organizer {
            // A parameter's text cannot hold quotes or controls at all.
            let name: String = name.chars().filter(|c| *c != '"' && !c.is_control()).collect();
            self.line(&format!("ORGANIZER;CN=\"{name}\":mailto:{email}"));
        }
        self.line("END:VEVENT");
    }

    fn instant(&mut self, name: &str, at: DateTime<Utc>) {
        self.line(&format!("{name}:{}", at.format("%Y%m%dT%H%M%SZ")));
    }

    /// A property whose value is TEXT.
    fn text(&mut self, name: &str, text: &str) {
        let mut line = format!("{name}:");
        let text = text.replace("\r\n", "\n");
        for character in text.chars() {
            match character {
                '\\' | ';' | ',' => {
                    line.push('\\');
                    line.push(character);
                }
                '\n' | '\r' => line.push_str("\\n"),
                control if control.is_control() && control != '\t' => {}
                other => line.push(other),
            }
        }
        self.line(&line);
    }

    /// A content line, folded between characters so that no line is longer than 75 octets.
    fn line(&mut self, line: &str) {
        let mut used = 0;
        for character in line.chars() {
            if used + character.len_utf8() > LINE {
                self.0.push_str("\r\n ");
                used = 1;
            }
            used += character.len_utf8();
            self.0.push(character);
        }
        self.0.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfolded(file: &str) -> String {
        file.replace("\r\n ", "")
    }

    #[test]
    fn text_is_escaped_and_cannot_begin_another_line() {
        let mut file = Writer(String::new());
        file.text("LOCATION", "A, B; C\\D\r\nSTATUS:CANCELLED\rX\u{0}");
        assert_eq!(file.0, "LOCATION:A\\, B\\; C\\\\D\\nSTATUS:CANCELLED\\nX\r\n");
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_longer_than_75_octets_and_nothing_is_lost(text in "\\PC{0,300}") {
            let mut file = Writer(String::new());
            file.line(&format!("X:{text}"));
            for line in file.0.strip_suffix("\r\n").unwrap().split("\r\n") {
                assert!(line.len() <= LINE, "{}: {line}", line.len());
            }
            assert_eq!(unfolded(&file.0), format!("X:{text}\r\n"));
        }
    }

    #[test]
    fn a_line_of_exactly_75_octets_is_not_folded_and_the_next_ones_hold_74_more() {
        for (length, lines) in [(75, 1), (76, 2), (149, 2), (150, 3)] {
            let mut file = Writer(String::new());
            file.line(&"x".repeat(length));
            assert_eq!(file.0.matches("\r\n").count(), lines, "{length}");
        }
    }
}
