//! Sending e-mail.

pub mod smtp;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::clock::Clock;
use crate::config::Config;
use smtp::{SmtpConfigError, SmtpMailer};

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub text: String,
}

/// The message could not be handed over. None of it names an address: it is logged and stored.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("the mail could not be written to its folder")]
    Folder(#[from] std::io::Error),
    /// Trying again would not help.
    #[error("the mail server refused the message for good: {0}")]
    Refused(String),
    /// The server may take it later, or has taken it and could not say so.
    #[error("the mail server did not take the message: {0}")]
    Unavailable(String),
}

impl MailError {
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// What is kept of it, such as `smtp 451`.
    pub fn code(&self) -> &str {
        match self {
            Self::Folder(_) => "folder",
            Self::Refused(code) | Self::Unavailable(code) => code,
        }
    }
}

/// Where messages are handed over.
#[async_trait::async_trait]
pub trait Mailer: Send + Sync {
    /// Hands a message over. `id` names it: the same one may be handed over again when it is not known whether it
    /// arrived, and then has the same name.
    async fn send(&self, id: Uuid, mail: &Mail) -> Result<(), MailError>;
}

/// The mailer that is configured: a mail server, or else the folder `outbox` in the data folder.
pub fn configured(config: &Config, clock: &Clock) -> Result<Arc<dyn Mailer>, SmtpConfigError> {
    Ok(match &config.smtp_url {
        Some(url) => {
            Arc::new(SmtpMailer::new(url, config.mail_from.as_deref().unwrap_or_default(), clock.clone())?)
        }
        None => Arc::new(FolderOutbox::new(config.data_dir.join("outbox"))),
    })
}

/// Writes each message to a file of its own: for development, and for a server without mail.
pub struct FolderOutbox(PathBuf);

impl FolderOutbox {
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }
}

#[async_trait::async_trait]
impl Mailer for FolderOutbox {
    async fn send(&self, id: Uuid, mail: &Mail) -> Result<(), MailError> {
        // The messages hold secrets: nobody else may read them.
        let mut folder = tokio::fs::DirBuilder::new();
        let mut options = tokio::fs::OpenOptions::new();
        #[cfg(unix)]
        {
            folder.mode(0o700);
            options.mode(0o600);
        }
        folder.recursive(true).create(&self.0).await?;
        let file = self.0.join(format!("{id}.eml"));
        let mut file = options.write(true).create(true).truncate(true).open(file).await?;
        tokio::io::AsyncWriteExt::write_all(&mut file, text(mail).as_bytes()).await?;
        Ok(file.sync_all().await?)
    }
}

/// The message as a mail program opens it.
fn text(mail: &Mail) -> String {
    // A line break in a header would begin another header.
    let line = |text: &str| text.replace(['\r', '\n'], " ");
    format!(
        "To: {}\r\nSubject: {}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{}\r\n",
        line(&mail.to),
        line(&mail.subject),
        mail.text
    )
}

/// Keeps the messages in memory: for tests.
#[derive(Default)]
pub struct MemoryOutbox(Mutex<Vec<Mail>>);

impl MemoryOutbox {
    /// The messages so far, in order.
    pub fn sent(&self) -> Vec<Mail> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait::async_trait]
impl Mailer for MemoryOutbox {
    async fn send(&self, _: Uuid, mail: &Mail) -> Result<(), MailError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(mail.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_becomes_a_file_that_only_its_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = FolderOutbox::new(folder.path().join("outbox"));
        let mail = Mail {
            to: "a@praxis.example\r\nBcc: b@praxis.example".into(),
            subject: "Hello".into(),
            text: "One\nTwo".into(),
        };
        outbox.send(Uuid::nil(), &mail).await.unwrap();
        let file = folder.path().join("outbox").join(format!("{}.eml", Uuid::nil()));
        let written = std::fs::read_to_string(&file).unwrap();
        assert!(
            written.starts_with("To: a@praxis.example  Bcc: b@praxis.example\r\nSubject: Hello\r\n"),
            "{written}"
        );
        assert!(written.ends_with("\r\n\r\nOne\nTwo\r\n"), "{written}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
