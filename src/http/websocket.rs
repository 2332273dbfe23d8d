//! `graphql-transport-ws`: operations and subscriptions over one WebSocket.
//!
//! One task for each socket. It reads, runs what is asked, and writes; a client that does not read is waited for
//! only so long, and everything else that it could make grow has a limit. The close codes are those that clients
//! of this protocol go by: after 4403 they come back with a fresh token, after 1012 and 4290 just so, after 4400
//! and 4409 never.

mod message;
mod operation;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use apollo_compiler::response::JsonValue;
use async_graphql::parser::types::OperationType;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use futures::future::{BoxFuture, OptionFuture};
use futures::stream::{AbortHandle, Abortable, FuturesUnordered, StreamExt, StreamFuture};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::Instrument;

use super::places::Place;
use super::reply::{self, Media};
use super::{Guest, Server, TooMany, origin};
use crate::access::actor::RequestInfo;
use crate::access::sessions::{Identity, Watch};
use crate::error::Error;
use crate::graphql::document::{Prepared, Refusal};
use crate::graphql::endpoint::Caller;
use crate::graphql::error::Code;
use crate::graphql::request::Request;
use crate::metrics::{self, Open};
use message::{Incoming, Outgoing};
use operation::{Event, Running, run};

const PROTOCOL: &str = "graphql-transport-ws";
/// Bytes of a message.
const MAX_MESSAGE: usize = 64 * 1024;
/// Buffers of each connection; messages may be longer.
const BUFFER: usize = 2 * 1024;
/// Operations that run at once on one socket.
const MAX_OPERATIONS: usize = 20;
/// Messages that a client may send in a [`WINDOW`].
const MAX_MESSAGES: u32 = 100;
const WINDOW: Duration = Duration::from_secs(10);
/// How long a client may take to say who it is.
const INTRODUCTION: Duration = Duration::from_secs(3);
/// After how much silence the client is asked whether it is still there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(10);
/// How long one message may take to be written.
const WRITE: Duration = Duration::from_secs(10);
/// How long the client's end of a closed socket is waited for.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a socket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Close {
    /// The client is gone: nobody to tell.
    Gone,
    Code(u16, String),
}

fn close<T>(code: u16, reason: impl Into<String>) -> Result<T, Close> {
    Err(Close::Code(code, reason.into()))
}

/// Accepts the upgrade of a client that speaks the protocol.
pub fn open(
    server: Arc<Server>,
    info: RequestInfo,
    headers: &HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !origin::may_connect(&server.app.config, headers) {
        let message = "Pages of this origin may not connect.";
        return reply::refusal(Media::Json, StatusCode::FORBIDDEN, Code::Forbidden, message, &info.id);
    }
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let speaks = offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|protocol| protocol.trim() == PROTOCOL);
    if !speaks {
        let message = "The sub-protocol of the WebSocket must be graphql-transport-ws.";
        return reply::refusal(Media::Json, StatusCode::BAD_REQUEST, Code::BadUserInput, message, &info.id);
    }
    let Ok(place) = server.seat(None, &info) else {
        let message = "Too many sockets of this address are open.";
        let status = StatusCode::TOO_MANY_REQUESTS;
        return reply::refusal(Media::Json, status, Code::RateLimited, message, &info.id);
    };
    let span = tracing::Span::current();
    upgrade
        .protocols([PROTOCOL])
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .on_upgrade(move |socket| serve(server, info, place, socket).instrument(span))
}

async fn serve(server: Arc<Server>, info: RequestInfo, place: Option<Place>, mut socket: WebSocket) {
    // The process waits until the client was told.
    let _drain = server.app.shutdown.subscribe();
    let mut conversation = Conversation::new(server, info, place);
    let why = conversation.hold(&mut socket).await;
    // What still runs ends here, before the client is told.
    drop(conversation);
    if let Close::Code(code, reason) = why {
        let frame = CloseFrame { code, reason: short(&reason).into() };
        let farewell = async {
            if socket.send(Message::Close(Some(frame))).await.is_ok() {
                // Until the client has it: what is cut off too early never arrives.
                while let Some(Ok(_)) = socket.recv().await {}
            }
        };
        // Who was slow to read has its last message before this one.
        let _ = timeout(if code == 4290 { WRITE } else { FAREWELL }, farewell).await;
    }
}

/// A close frame has room for 123 bytes.
fn short(reason: &str) -> &str {
    let end = (0..=reason.len().min(123)).rev().find(|end| reason.is_char_boundary(*end));
    &reason[..end.unwrap_or(0)]
}

/// What is known of a running operation.
struct Entry {
    abort: AbortHandle,
    is_subscription: bool,
    _open: Option<Open>,
    /// Of the last event that was sent.
    cursor: Option<Arc<str>>,
}

struct Conversation {
    server: Arc<Server>,
    info: RequestInfo,
    /// Who is on the other end; nobody knows before `connection_init`.
    guest: Option<Guest>,
    watch: Option<Watch>,
    /// The address's place until somebody has signed in, the user's from then on.
    _place: Option<Place>,
    _open: Open,
    running: FuturesUnordered<StreamFuture<Running>>,
    entries: HashMap<String, Entry>,
    /// Since when the messages of this window are counted, and how many there were.
    window: (Instant, u32),
    heard: Instant,
    asked: bool,
    began: Instant,
    /// The server stops: what runs is finished, nothing new begins.
    stopping: bool,
}

impl Conversation {
    fn new(server: Arc<Server>, info: RequestInfo, place: Option<Place>) -> Self {
        let now = Instant::now();
        Self {
            server,
            info,
            guest: None,
            watch: None,
            _place: place,
            _open: Open::socket(),
            running: FuturesUnordered::new(),
            entries: HashMap::new(),
            window: (now, 0),
            heard: now,
            asked: false,
            began: now,
            stopping: false,
        }
    }

    /// Talks until there is a reason to close.
    async fn hold(&mut self, socket: &mut WebSocket) -> Close {
        let mut drain = self.server.app.shutdown.subscribe();
        let mut silence = pin!(sleep_until(self.began + INTRODUCTION));
        // Beside what runs: the answer may take as long as one of the operations holds what it needs.
        let mut checking: Option<BoxFuture<'static, bool>> = None;
        loop {
            let step = tokio::select! {
                // Boxed: it is large, and clients say little.
                message = socket.recv() => Box::pin(self.hear(socket, message)).await,
                Some((event, rest)) = self.running.next(), if !self.running.is_empty() => {
                    self.tell(socket, event, rest).await
                }
                Some(()) = OptionFuture::from(self.watch.as_ref().map(Watch::alarm)), if checking.is_none() => {
                    checking = Some(self.is_still_signed_in());
                    self.refuse_expired()
                }
                Some(signed_in) = OptionFuture::from(checking.as_mut()) => {
                    checking = None;
                    if signed_in { Ok(()) } else { close(4403, "Forbidden") }
                }
                () = silence.as_mut() => {
                    let outcome = self.ask_whether_there(socket).await;
                    silence.as_mut().reset(self.patience());
                    outcome
                }
                () = drain.told(), if !self.stopping => {
                    self.stopping = true;
                    Ok(())
                }
            };
            if let Err(why) = step {
                return why;
            }
            if self.stopping && self.entries.values().all(|entry| entry.is_subscription) {
                return Close::Code(1012, "The server restarts.".into());
            }
        }
    }

    async fn hear(
        &mut self,
        socket: &mut WebSocket,
        message: Option<Result<Message, axum::Error>>,
    ) -> Result<(), Close> {
        let text = match message {
            None | Some(Ok(Message::Close(_))) => return Err(Close::Gone),
            Some(Err(_)) => return close(1009, "The message is too long, or not one of the protocol."),
            Some(Ok(Message::Binary(_))) => return close(4400, "Messages are text."),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
            Some(Ok(Message::Text(text))) => Some(text),
        };
        let now = Instant::now();
        (self.heard, self.asked) = (now, false);
        if now - self.window.0 > WINDOW {
            self.window = (now, 0);
        }
        self.window.1 += 1;
        if self.window.1 > MAX_MESSAGES {
            return close(4429, "Too many messages.");
        }
        let Some(text) = text else { return Ok(()) };
        match Incoming::parse(&text) {
            Err(problem) => close(4400, problem),
            Ok(Incoming::ConnectionInit { payload }) => self.introduce(socket, payload).await,
            Ok(Incoming::Ping { payload }) => self.renew(socket, payload).await,
            Ok(Incoming::Pong) => Ok(()),
            Ok(Incoming::Subscribe { id, request }) => self.subscribe(socket, id, &request).await,
            Ok(Incoming::Complete { id }) => {
                if let Some(entry) = self.entries.remove(&id) {
                    entry.abort.abort();
                }
                Ok(())
            }
        }
    }

    /// `connection_init`: who is on the other end, nobody when it holds no token.
    async fn introduce(&mut self, socket: &mut WebSocket, payload: JsonValue) -> Result<(), Close> {
        if self.guest.is_some() {
            return close(4429, "Too many initialisation requests.");
        }
        let guest = match token_in(&payload) {
            None => Guest { caller: Caller { identity: None, request: self.info.clone() }, until: None },
            Some(authorization) => admit(&self.server, self.info.clone(), authorization).await?,
        };
        if let Some(identity) = &guest.caller.identity {
            match self.server.seat(Some(identity.user), &self.info) {
                Err(TooMany) => return close(1013, "You have too many sockets open."),
                Ok(place) => self._place = place,
            }
        }
        self.watch = self.server.watch(&guest);
        self.guest = Some(guest);
        say(socket, &Outgoing::ConnectionAck).await
    }

    /// `ping`: with a token in its payload the sign-in goes on under that one.
    async fn renew(&mut self, socket: &mut WebSocket, payload: JsonValue) -> Result<(), Close> {
        if let Some(authorization) = token_in(&payload)
            && self.guest.is_some()
        {
            let fresh = admit(&self.server, self.info.clone(), authorization).await?;
            let seat = |guest: &Guest| guest.caller.identity.as_ref().map(|identity| identity.subject());
            // The streams go on as they are: under the same sign-in, or not at all.
            if self.guest.as_ref().map(seat) != Some(seat(&fresh)) {
                return close(4403, "Forbidden");
            }
            self.watch = self.server.watch(&fresh);
            self.guest = Some(fresh);
        }
        say(socket, &Outgoing::Pong).await
    }

    async fn subscribe(
        &mut self,
        socket: &mut WebSocket,
        id: String,
        request: &Request,
    ) -> Result<(), Close> {
        let Some(guest) = &self.guest else { return close(4401, "Unauthorized") };
        self.refuse_expired()?;
        if self.entries.contains_key(&id) {
            return close(4409, format!("Subscriber for {id} already exists"));
        }
        let refuse = |code, message: &str| Err(Refusal::new(code, message));
        let prepared = if self.entries.len() >= MAX_OPERATIONS {
            refuse(Code::RateLimited, "Too many operations run on this socket.")
        } else if self.stopping {
            refuse(Code::Unavailable, "The server restarts.")
        } else {
            self.prepare(request, guest.caller.identity.as_ref())
        };
        match prepared {
            Ok(prepared) => {
                let is_subscription = prepared.kind == OperationType::Subscription;
                let open = is_subscription.then(|| Open::stream("websocket"));
                let (abort, registration) = AbortHandle::new_pair();
                let events = run(self.server.clone(), guest.caller.clone(), prepared);
                let events = Abortable::new(events, registration);
                self.running.push(Running { id: id.clone(), events }.into_future());
                self.entries.insert(id, Entry { abort, is_subscription, _open: open, cursor: None });
                Ok(())
            }
            Err(refusal) => {
                let response = self.server.endpoint.refuse(refusal, &self.info);
                say(socket, &Outgoing::Error { id: &id, payload: &response.errors }).await
            }
        }
    }

    /// What is asked for, if it is paid: by the address before anybody looks at it, or by the user after that.
    fn prepare(&self, request: &Request, identity: Option<&Identity>) -> Result<Prepared, Refusal> {
        let Server { app, endpoint, .. } = &*self.server;
        if let (None, Some(address)) = (identity, self.info.ip) {
            app.throttle.charge_anonymous(address).permit().map_err(Refusal::because)?;
        }
        endpoint.charge(endpoint.prepare(request), identity).0
    }

    /// Passes on what an operation brings.
    async fn tell(
        &mut self,
        socket: &mut WebSocket,
        event: Option<Event>,
        rest: Running,
    ) -> Result<(), Close> {
        let id = rest.id.clone();
        match event {
            // Ended by the client: it has forgotten the id, and may use it again.
            _ if rest.events.is_aborted() => Ok(()),
            None => {
                self.entries.remove(&id);
                say(socket, &Outgoing::Complete { id: &id }).await
            }
            Some(Event::SignedOut) => close(4403, "Forbidden"),
            Some(Event::Delivered(frame)) => {
                if self.entries.get(&id).is_some_and(|entry| entry.is_subscription) {
                    self.refuse_expired()?;
                }
                if frame.signed_out && !self.is_still_signed_in().await {
                    return close(4403, "Forbidden");
                }
                let said = send(socket, Message::text(message::next(&id, &frame.json))).await;
                let Some(entry) = self.entries.get_mut(&id) else { return said };
                if let Err(Close::Code(4290, _)) = said {
                    return close(4290, entry.cursor.as_deref().unwrap_or_default());
                }
                said?;
                entry.cursor = frame.cursor.clone().or(entry.cursor.take());
                self.running.push(rest.into_future());
                Ok(())
            }
        }
    }

    /// False only when the sign-in that the socket began with is over.
    fn is_still_signed_in(&self) -> BoxFuture<'static, bool> {
        let identity = self.guest.as_ref().and_then(|guest| guest.caller.identity.as_ref());
        let subject = identity.map(Identity::subject);
        let (server, info) = (self.server.clone(), self.info.clone());
        Box::pin(async move {
            let Some(subject) = subject else { return true };
            !matches!(server.app.identify(&subject, &info).await, Err(Error::Unauthenticated))
        })
    }

    /// Closes when the token that the socket was introduced with is over.
    fn refuse_expired(&self) -> Result<(), Close> {
        if self.is_expired() { close(4403, "Forbidden") } else { Ok(()) }
    }

    fn is_expired(&self) -> bool {
        let until = self.guest.as_ref().and_then(|guest| guest.until);
        until.is_some_and(|until| until <= self.server.app.clock.now())
    }

    /// Closes when the client has not said who it is, or that it is still there; asks for that after a while.
    async fn ask_whether_there(&mut self, socket: &mut WebSocket) -> Result<(), Close> {
        let now = Instant::now();
        if self.guest.is_none() {
            return close(4408, "Connection initialisation timeout");
        }
        match now - self.heard {
            silence if silence >= PING + PONG => Err(Close::Gone),
            silence if silence >= PING && !self.asked => {
                self.asked = true;
                send(socket, Message::Ping(Vec::new().into())).await
            }
            _ => Ok(()),
        }
    }

    /// Until when nothing need be heard of the client.
    fn patience(&self) -> Instant {
        self.heard + if self.asked { PING + PONG } else { PING }
    }
}

async fn admit(server: &Server, info: RequestInfo, authorization: &str) -> Result<Guest, Close> {
    match server.introduced(authorization, info).await {
        Ok(guest) => Ok(guest),
        Err(Error::Unauthenticated) => close(4403, "Forbidden"),
        Err(_) => close(1013, "Try again later."),
    }
}

async fn say(socket: &mut WebSocket, message: &Outgoing<'_>) -> Result<(), Close> {
    send(socket, Message::text(message.text())).await
}

/// Writes a message, as long as the client reads.
async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Close> {
    match timeout(WRITE, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Close::Gone),
        Err(_) => {
            metrics::lagged();
            close(4290, "The client does not read.")
        }
    }
}

/// `authorization` in any spelling, in the payload itself or in its `headers`.
fn token_in(payload: &JsonValue) -> Option<&str> {
    let places = [Some(payload), payload.get("headers")];
    places.into_iter().flatten().find_map(|place| {
        let mut fields = place.as_object()?.iter();
        let (_, value) = fields.find(|(name, _)| name.as_str().eq_ignore_ascii_case("authorization"))?;
        value.as_str()
    })
}

#[cfg(test)]
mod tests {
    use apollo_compiler::response::serde_json_bytes::json;

    use super::*;

    #[test]
    fn the_token_is_found_however_the_client_writes_it() {
        for payload in [
            json!({ "authorization": "Bearer t" }),
            json!({ "Authorization": "Bearer t", "other": 1 }),
            json!({ "headers": { "AUTHORIZATION": "Bearer t" } }),
        ] {
            assert_eq!(token_in(&payload), Some("Bearer t"), "{payload}");
        }
        for payload in [json!(null), json!({}), json!({ "authorization": 1 }), json!("Bearer t")] {
            assert_eq!(token_in(&payload), None, "{payload}");
        }
    }

    #[test]
    fn a_reason_fits_into_a_close_frame() {
        assert_eq!(short("short"), "short");
        assert_eq!(short(&"x".repeat(200)).len(), 123);
        assert_eq!(short(&"\u{e4}".repeat(100)).len(), 122);
    }
}
