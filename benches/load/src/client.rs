//! HTTP/1.1 over a connection that is kept: no more than a load driver needs, so that it costs little beside the
//! server on the same machine.

use std::io;
use std::net::SocketAddr;

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Outcome;

/// No head of an answer is longer.
const HEAD: usize = 16 * 1024;

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// An answer in the connection's buffer.
pub struct Reply<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Reply<'_> {
    /// Whether this is an answer without errors, and no conflict, as far as its ends tell: all of it would take longer
    /// to search than some answers to make.
    pub fn is_data(&self) -> bool {
        let end = self.body.get(self.body.len().saturating_sub(512)..).unwrap_or_default();
        self.status == 200
            && self.body.starts_with(b"{\"data\":{")
            && !self.body.starts_with(b"{\"data\":{\"bookAppointment\":{}")
            && find(end, b"\"errors\":").is_none()
    }
}

impl Connection {
    pub async fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 64 * 1024], filled: 0 })
    }

    /// Sends a request and waits for all of its answer.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<Reply<'_>> {
        self.stream.write_all(request).await?;
        self.filled = 0;
        let head = loop {
            self.read().await?;
            let searched = self.buffer.get(..self.filled.min(HEAD)).unwrap_or_default();
            if let Some(end) = find(searched, b"\r\n\r\n") {
                break end + 4;
            }
            if self.filled >= HEAD {
                return Err(broken("the head of the answer is too long"));
            }
        };
        let (status, length) = parse(self.buffer.get(..head).unwrap_or_default())?;
        let end = head + length;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        while self.filled < end {
            self.read().await?;
        }
        Ok(Reply { status, body: self.buffer.get(head..end).unwrap_or_default() })
    }

    async fn read(&mut self) -> io::Result<()> {
        let free = self.buffer.get_mut(self.filled..).unwrap_or_default();
        match self.stream.read(free).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.filled += read;
                Ok(())
            }
        }
    }
}

/// Status and length of the body.
fn parse(head: &[u8]) -> io::Result<(u16, usize)> {
    let head = std::str::from_utf8(head).map_err(|_| broken("the head of the answer is no text"))?;
    let status = head.get(9..12).and_then(|code| code.parse().ok());
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    match (status, length) {
        (Some(status), Some(length)) => Ok((status, length)),
        _ => Err(broken("the answer has no status or no length")),
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

pub fn get(path: &str) -> Vec<u8> {
    get_as(None, path)
}

/// The same, for whoever has this token.
pub fn get_as(token: Option<&str>, path: &str) -> Vec<u8> {
    let authorization = authorization(token);
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{authorization}\r\n").into_bytes()
}

/// A GraphQL request as a browser's application sends it.
pub fn post(token: Option<&str>, body: &str) -> Vec<u8> {
    let authorization = authorization(token);
    format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\ncontent-type: application/json\r\n\
         {authorization}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn authorization(token: Option<&str>) -> String {
    token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default()
}

/// One request on a connection of its own, and its body as text.
pub async fn text(to: SocketAddr, request: &[u8]) -> Outcome<String> {
    let mut connection = Connection::open(to).await?;
    let reply = connection.ask(request).await?;
    let body = String::from_utf8_lossy(reply.body).into_owned();
    if reply.status == 200 { Ok(body) } else { Err(format!("status {}: {body}", reply.status).into()) }
}

/// A GraphQL operation that must succeed: its `data`.
pub async fn graphql(to: SocketAddr, token: Option<&str>, query: &str, variables: Json) -> Outcome<Json> {
    let body = serde_json::json!({ "query": query, "variables": variables }).to_string();
    let answer: Json = serde_json::from_str(&text(to, &post(token, &body)).await?)?;
    match answer.get("errors") {
        None => Ok(answer.get("data").cloned().unwrap_or_default()),
        Some(errors) => Err(format!("{query}: {errors}").into()),
    }
}
