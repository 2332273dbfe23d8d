//! A mail server of the test's own: takes messages on loopback, and fails on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use praxis::clock::Clock;
use praxis::mail::smtp::SmtpMailer;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// How the server treats one message; without a word it takes it.
#[derive(Clone, Copy, Debug)]
pub enum Treatment {
    /// Answers the recipient with this line.
    Recipient(&'static str),
    /// Answers the end of the message with this line, and does not keep it.
    Message(&'static str),
    /// Keeps the message and hangs up without an answer.
    HangUp,
}

/// A message as it was taken.
#[derive(Clone, Debug)]
pub struct Received {
    pub to: String,
    pub data: String,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        let (head, _) = self.data.split_once("\r\n\r\n").expect("a message has a head");
        let line = head.split("\r\n").find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in {head}"))
    }
}

#[derive(Default)]
struct State {
    inbox: Vec<Received>,
    treatments: VecDeque<Treatment>,
}

pub struct Sink {
    pub url: String,
    state: Arc<Mutex<State>>,
    task: AbortHandle,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sink {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let task = tokio::spawn(accept(listener, state.clone())).abort_handle();
        Self { url, state, task }
    }

    /// How the next messages are treated, one each.
    pub fn next(&self, treatments: impl IntoIterator<Item = Treatment>) {
        self.state.lock().unwrap().treatments.extend(treatments);
    }

    pub fn inbox(&self) -> Vec<Received> {
        self.state.lock().unwrap().inbox.clone()
    }

    /// The names of the messages, as they came.
    pub fn names(&self) -> Vec<String> {
        self.inbox().iter().map(|mail| mail.header("Message-ID").to_owned()).collect()
    }

    pub fn mailer(&self, clock: &Clock) -> Arc<SmtpMailer> {
        let from = "Praxis <no-reply@praxis.example>";
        Arc::new(SmtpMailer::new(&self.url, from, clock.clone()).unwrap())
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        // A client that hangs up ends its conversation and nothing else.
        tokio::spawn(converse(stream, state.clone()));
    }
}

async fn converse(stream: TcpStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let (mut to, mut treatment) = (String::new(), None);
    writer.write_all(b"220 sink\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let answer = match line.split([' ', ':']).next().unwrap_or_default().to_uppercase().as_str() {
            "EHLO" | "HELO" => "250-sink\r\n250 8BITMIME",
            "MAIL" => {
                treatment = state.lock().unwrap().treatments.pop_front();
                "250 ok"
            }
            "RCPT" => {
                to = line[8..].trim_matches(['<', '>']).to_owned();
                match treatment {
                    Some(Treatment::Recipient(answer)) => answer,
                    _ => "250 ok",
                }
            }
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await?;
                let mut data = String::new();
                while let Some(line) = lines.next_line().await? {
                    if line == "." {
                        break;
                    }
                    data.push_str(line.strip_prefix('.').unwrap_or(&line));
                    data.push_str("\r\n");
                }
                if let Some(Treatment::Message(answer)) = treatment {
                    answer
                } else {
                    state.lock().unwrap().inbox.push(Received { to: to.clone(), data });
                    if matches!(treatment, Some(Treatment::HangUp)) {
                        return Ok(());
                    }
                    "250 taken"
                }
            }
            "QUIT" => {
                writer.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 ok",
        };
        writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}
