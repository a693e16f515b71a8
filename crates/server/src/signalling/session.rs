//! One WebSocket, from its first message to its last: who reads, who writes, and why it ends. Must not know methods.

use super::message::{self, Incoming};
use super::methods::{self, Next};
use super::outbox::{Offered, Outbox};
use super::pump;
use super::seat::{self, Ticket};
use crate::http::{App, Client, RateLimiter};
use crate::refusal::Refusal;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tureen_room::{CloseReason, Peer};

/// The server asks for a sign of life so often.
const PING: Duration = Duration::from_secs(30);
/// A message has so long to get into the socket.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
/// The code that `protoo-client` closes with.
const GOODBYE: u16 = 4_000;

/// What a connection knows.
pub(super) struct Session {
    pub(super) app: Arc<App>,
    ticket: Ticket,
    outbox: Outbox,
    rate: RateLimiter,
    client: Client,
    pump: Option<JoinHandle<()>>,
    heard: Instant,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client said so.
    Goodbye,
    /// It went away without a word, or stopped reading.
    Lost,
    /// It does not speak the protocol.
    Violation(u16),
    /// Another connection speaks for the peer.
    Replaced,
    /// The peer is no more.
    PeerClosed,
}

/// Serves a connection to its end.
pub(super) async fn run(app: Arc<App>, client: Client, ticket: Ticket, socket: WebSocket) {
    let (sink, mut stream) = socket.split();
    let (outbox, queue) = Outbox::new();
    let (farewell, farewells) = mpsc::channel(1);
    let writer = tokio::spawn(write(sink, queue, farewells));
    outbox.notify("mediasoup-version", &json!({ "version": env!("CARGO_PKG_VERSION") }));
    let mut session = Session::new(app, client, ticket, outbox);
    tracing::debug!(peer = session.peer().id(), client = %session.client.remote, "WebSocket opened");
    let end = session.converse(&mut stream).await;
    tracing::debug!(peer = session.peer().id(), ?end, "WebSocket ended");
    // The writer may be gone already.
    let _ = farewell.send(farewell_of(end, session.peer())).await;
    session.leave(end);
    // It ends by itself: each write has its time.
    drop(stream);
    let _ = writer.await;
}

/// The close frame that says why (RFC 6455 section 7.4).
fn farewell_of(end: End, peer: &Peer) -> CloseFrame {
    let (code, reason) = match end {
        End::Goodbye => (close_code::NORMAL, "goodbye"),
        End::Lost => (close_code::POLICY, "too slow"),
        End::Violation(code) => (code, "not a message of the protocol"),
        End::Replaced => (GOODBYE, "another connection speaks for this peer"),
        End::PeerClosed => match peer.close_reason() {
            Some(CloseReason::RoomClosed) => (GOODBYE, "room closed"),
            Some(CloseReason::Removed) => (GOODBYE, "removed"),
            _ => (GOODBYE, "peer closed"),
        },
    };
    CloseFrame { code, reason: reason.into() }
}

/// Writes what is queued, and pings; ends with the farewell, or when the socket takes nothing any more.
async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut queue: mpsc::Receiver<String>,
    mut farewells: mpsc::Receiver<CloseFrame>,
) {
    let mut pings = interval(PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.tick().await;
    loop {
        let message = tokio::select! {
            biased;
            farewell = farewells.recv() => Message::Close(farewell),
            text = queue.recv() => match text {
                Some(text) => Message::Text(text.into()),
                None => break,
            },
            _ = pings.tick() => Message::Ping(Vec::new().into()),
        };
        let last = matches!(message, Message::Close(_));
        if last {
            // What was said before the farewell is said first.
            while let Ok(text) = queue.try_recv() {
                if timeout(WRITE_TIMEOUT, sink.feed(Message::Text(text.into()))).await.is_err() {
                    return;
                }
            }
        }
        let written = timeout(WRITE_TIMEOUT, sink.send(message)).await;
        if last || !matches!(written, Ok(Ok(()))) {
            break;
        }
    }
}

impl Session {
    pub(super) fn new(app: Arc<App>, client: Client, ticket: Ticket, outbox: Outbox) -> Self {
        let rate = RateLimiter::new(app.settings.max_messages_per_second);
        Self { app, ticket, outbox, rate, client, pump: None, heard: Instant::now() }
    }

    pub(super) fn peer(&self) -> &Peer {
        &self.ticket.peer
    }

    /// Whether the client has not said yet whether it goes on as the peer that was there, or starts anew.
    pub(super) fn undecided(&self) -> bool {
        self.ticket.resumed
    }

    /// It goes on.
    pub(super) fn resume(&mut self) {
        self.ticket.resumed = false;
    }

    /// It starts anew if that is still open.
    pub(super) async fn start_anew(&mut self) -> Result<(), Refusal> {
        if self.undecided() {
            self.ticket = seat::renew(&self.app, &self.ticket).await?;
            self.ticket.resumed = false;
        }
        Ok(())
    }

    /// Events go to the client from now on.
    fn start_pump(&mut self) {
        if self.pump.is_none() {
            let max_messages = self.app.settings.max_data_messages_per_second;
            let run = pump::run(Arc::clone(&self.ticket.seat), self.outbox.clone(), max_messages);
            self.pump = Some(tokio::spawn(run));
        }
    }

    async fn converse(&mut self, stream: &mut SplitStream<WebSocket>) -> End {
        let mut looks = interval(Duration::from_secs(1));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let outbox = self.outbox.clone();
            let message = tokio::select! {
                message = stream.next() => message,
                () = self.ticket.until_replaced() => return End::Replaced,
                () = outbox.until_slow() => return End::Lost,
                _ = looks.tick() => match self.look_around() {
                    Some(end) => return end,
                    None => continue,
                },
            };
            self.heard = Instant::now();
            match message {
                Some(Ok(Message::Text(text))) => {
                    if let Err(end) = self.hear(&text).await {
                        return end;
                    }
                }
                Some(Ok(Message::Binary(_))) => return End::Violation(close_code::UNSUPPORTED),
                // The library answers pings.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(Some(_)))) => return End::Goodbye,
                Some(Ok(Message::Close(None))) | None => return End::Lost,
                Some(Err(error)) => return end_of(&error),
            }
            if self.peer().closed() {
                return End::PeerClosed;
            }
        }
    }

    /// What has to be seen to once a second.
    fn look_around(&mut self) -> Option<End> {
        let now = Instant::now();
        for offered in self.outbox.overdue(now) {
            tracing::debug!(peer = self.peer().id(), "a consumer was not answered");
            offered.decline(self.peer());
        }
        if self.peer().closed() {
            return Some(End::PeerClosed);
        }
        // Two pings without an answer.
        (now.saturating_duration_since(self.heard) > PING * 2 + WRITE_TIMEOUT).then_some(End::Lost)
    }

    pub(super) async fn hear(&mut self, text: &str) -> Result<(), End> {
        match message::parse(text).ok_or(End::Violation(close_code::POLICY))? {
            Incoming::Request { id, method, data } => self.answer(id, &method, data).await,
            Incoming::Response { id, ok } => self.take_answer(id, ok).await,
            Incoming::Notification => {}
        }
        Ok(())
    }

    async fn answer(&mut self, id: u64, method: &str, data: Value) {
        if let Err(wait) = self.rate.take(self.client.remote.ip(), Instant::now()) {
            let reason = format!("too many requests; again in {} ms", wait.as_millis());
            return self.outbox.send(message::failure(id, 429, &reason));
        }
        match methods::answer(self, method, data).await {
            Ok(answer) => {
                self.outbox.send(message::success(id, &answer.data));
                match answer.next {
                    Next::Nothing => {}
                    // Only now: who joins is answered before it is told of others.
                    Next::Tell => self.start_pump(),
                }
            }
            Err(refusal) => {
                tracing::debug!(peer = self.peer().id(), method, %refusal, "refused");
                self.outbox.send(message::failure(id, refusal.code(), &refusal.to_string()));
            }
        }
    }

    /// The client has made its side of a consumer, or could not.
    async fn take_answer(&self, id: u64, ok: bool) {
        let Some(offered) = self.outbox.answered(id) else { return };
        if !ok {
            return offered.decline(self.peer());
        }
        let Offered::Media(offer) = offered else { return };
        let consumer = offer.consumer;
        if consumer.resume().await.is_ok() {
            let data = json!({ "consumerId": consumer.id(), "score": consumer.score() });
            self.outbox.notify("consumerScore", &data);
        }
    }

    /// The client says that it goes.
    pub(super) fn end_by_goodbye(self) {
        self.leave(End::Goodbye);
    }

    /// What becomes of the peer.
    fn leave(mut self, end: End) {
        if let Some(pump) = self.pump.take() {
            pump.abort();
        }
        self.ticket.seat.keep_unanswered(self.outbox.unanswered());
        let peer = self.peer();
        match end {
            End::Replaced | End::PeerClosed => {}
            End::Goodbye => peer.close(),
            // Of a peer that has not joined there is nothing to keep.
            End::Lost | End::Violation(_) if !peer.joined() => peer.close_because(CloseReason::Lost),
            End::Lost | End::Violation(_) => {
                let grace = Duration::from_secs(self.app.settings.peer_grace.into());
                tokio::spawn(self.ticket.keep(grace));
            }
        }
    }
}

/// How a connection ends that the WebSocket library gave up.
fn end_of(error: &axum::Error) -> End {
    // Neither axum nor the trait of errors says more than the text.
    if error.to_string().contains("too long") { End::Violation(close_code::SIZE) } else { End::Lost }
}
