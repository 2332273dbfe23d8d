//! Mail over SMTP.

use std::time::{Duration, SystemTime};

use axum::http::Uri;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use uuid::Uuid;

use super::{Mail, MailError, Mailer};
use crate::clock::Clock;

/// How long the server may take for one step of the conversation.
const STEP: Duration = Duration::from_secs(5);
/// How long it may take for all of them.
const WHOLE: Duration = Duration::from_secs(20);

/// A mail server that cannot be used as configured. Says nothing of the address, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum SmtpConfigError {
    #[error(
        "PRAXIS_SMTP_URL is not smtp://HOST or smtps://HOST, perhaps with user, password, port and ?tls="
    )]
    Url,
    #[error("PRAXIS_MAIL_FROM is not a sender such as 'Praxis <no-reply@praxis.example>'")]
    From,
}

/// Hands messages to a mail server.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    clock: Clock,
}

impl SmtpMailer {
    /// `smtps://` speaks TLS from the beginning. `smtp://` asks for it and sends nothing without, unless the host is
    /// this machine or the address ends in `?tls=none` or `?tls=opportunistic`.
    pub fn new(url: &str, from: &str, clock: Clock) -> Result<Self, SmtpConfigError> {
        let from: Mailbox = from.parse().map_err(|_| SmtpConfigError::From)?;
        let url = with_tls(url).ok_or(SmtpConfigError::Url)?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&url)
            .map_err(|_| SmtpConfigError::Url)?
            .timeout(Some(STEP))
            .build();
        Ok(Self { transport, from, clock })
    }

    fn message(&self, id: Uuid, mail: &Mail) -> Result<Message, MailError> {
        let to: Address = mail.to.parse().map_err(|_| MailError::Refused("address".into()))?;
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.subject.replace(['\r', '\n'], " "))
            .date(SystemTime::from(self.clock.now()))
            // The same for every attempt, so that whoever passes it on can tell that it is the same message.
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            // Nobody's absence note answers a machine.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".into(),
            ))
            // Without it nobody has to decode what is not ASCII.
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text.clone())
            .map_err(|_| MailError::Refused("message".into()))
    }
}

#[async_trait::async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, id: Uuid, mail: &Mail) -> Result<(), MailError> {
        let message = self.message(id, mail)?;
        match tokio::time::timeout(WHOLE, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(MailError::Unavailable("timeout".into())),
        }
    }
}

/// The server's texts may repeat addresses: only their codes are kept.
fn failure(error: &smtp::Error) -> MailError {
    match error.status().map(|code| code.to_string()) {
        // About this message or this recipient: mailbox unavailable, not local, too large, name not allowed,
        // transaction failed. Other permanent codes are about the server, the sign-in or the configuration.
        Some(code) if matches!(code.as_str(), "550" | "551" | "552" | "553" | "554") => {
            MailError::Refused(format!("smtp {code}"))
        }
        Some(code) => MailError::Unavailable(format!("smtp {code}")),
        None if error.is_timeout() => MailError::Unavailable("timeout".into()),
        None if error.is_tls() => MailError::Unavailable("tls".into()),
        None => MailError::Unavailable("connection".into()),
    }
}

/// The address as the library reads it, which takes `smtp://` without a word about TLS for no TLS at all.
fn with_tls(url: &str) -> Option<String> {
    let parsed: Uri = url.parse().ok()?;
    let host = parsed.host()?.trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match (parsed.scheme_str()?, parsed.query()) {
        ("smtps", None) => Some(url.into()),
        ("smtp", None) if here => Some(url.into()),
        ("smtp", None) => Some(format!("{url}?tls=required")),
        ("smtp", Some("tls=required" | "tls=opportunistic")) => Some(url.into()),
        ("smtp", Some("tls=none")) => url.strip_suffix("?tls=none").map(Into::into),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_gets_nothing_in_the_clear_unless_told_to() {
        for (given, used) in [
            ("smtp://localhost:2525", Some("smtp://localhost:2525")),
            ("smtp://127.0.0.1", Some("smtp://127.0.0.1")),
            ("smtp://[::1]:25", Some("smtp://[::1]:25")),
            ("smtp://me:secret@mail.example", Some("smtp://me:secret@mail.example?tls=required")),
            ("smtps://me:secret@mail.example", Some("smtps://me:secret@mail.example")),
            ("smtp://mail.example?tls=none", Some("smtp://mail.example")),
            ("smtp://mail.example?tls=opportunistic", Some("smtp://mail.example?tls=opportunistic")),
            ("smtp://mail.example?tls=perhaps", None),
            ("http://mail.example", None),
            ("mail.example", None),
        ] {
            assert_eq!(with_tls(given).as_deref(), used, "{given}");
        }
    }

    #[tokio::test]
    async fn a_message_has_one_name_however_often_it_is_sent() {
        let clock = Clock::fixed(chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let mailer = SmtpMailer::new("smtp://localhost", "Praxis <no-reply@praxis.example>", clock).unwrap();
        let mail = Mail {
            to: "ada@example.org".into(),
            subject: "Termin\r\nBcc: eve@example.org".into(),
            text: "Grüße".into(),
        };
        let id = Uuid::from_u128(7);
        let written = String::from_utf8(mailer.message(id, &mail).unwrap().formatted()).unwrap();
        assert_eq!(written, String::from_utf8(mailer.message(id, &mail).unwrap().formatted()).unwrap());
        assert!(written.contains(&format!("Message-ID: <{id}@praxis.example>\r\n")), "{written}");
        assert!(written.contains("Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n"), "{written}");
        assert!(written.contains("MIME-Version: 1.0\r\n"), "{written}");
        assert!(!written.contains("\r\nBcc:"), "{written}");
        let nobody = Mail { to: "nobody".into(), ..mail };
        assert!(mailer.message(id, &nobody).unwrap_err().is_final());
    }
}
