//! The loop of a shard: sleep, take in, carry out, send, tell.
//!
//! Each turn does a bounded amount of each kind of work, so that none starves another, and looks again at once if it left
//! something. Must not know what media is.

use crate::clock::Clock;
use crate::error::{AddListeningTransportError, CallError};
use crate::event::EventSink;
use crate::inbox::{AddPlain, Inbox, Message, Status};
use crate::net::{Net, SocketKind};
use crate::relay::RelayLinks;
use crate::snapshot::{IoCounters, ShardSnapshot, TurnCounters};
use crate::tcp::Intake;
use crate::transport::AnyTransport;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tureen_media_model::{AddTransport, Core, CoreConfig, Request, TransportOptions};
use tureen_rtp_wire::Time;
use tureen_transport::{BoundSocket, PlainDetails, PlainTransport, SocketId, Transport};
use tureen_udp::Socket;

/// Receive batches taken from one socket before the next socket has its turn.
const ROUNDS_PER_SOCKET: usize = 4;
/// Messages carried out in one turn.
const MESSAGES_PER_TURN: usize = 64;
/// Packets of the program taken in one turn.
const PROGRAM_PACKETS_PER_TURN: usize = 256;
/// Relay batches taken from each other shard in one turn.
const RELAY_BATCHES_PER_TURN: usize = 16;
/// Turns that a stopping shard takes at most, should the program not stop asking.
const LAST_TURNS: usize = 1024;
/// A shard looks around at least this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// A TCP connection that leads to no transport is closed after this.
const STRANGER_PATIENCE: Duration = Duration::from_secs(10);
/// TCP connections that lead to no transport yet; the oldest makes room for one more.
const MAX_STRANGERS: usize = 512;
/// For so long a listener rests after the system had no connection to give.
const LISTENER_REST: Duration = Duration::from_secs(1);
/// While a queue of others is full a shard looks for room this often.
const RETRY: Duration = Duration::from_millis(10);

/// What a shard is made of; it is put together on its own thread.
pub(crate) struct ShardParts {
    pub(crate) core: CoreConfig,
    pub(crate) clock: Clock,
    pub(crate) net: Net,
    pub(crate) inbox: Inbox,
    pub(crate) relay: RelayLinks,
    pub(crate) events: EventSink,
    pub(crate) egress_hold: Duration,
}

pub(crate) struct Shard {
    pub(crate) core: Core<AnyTransport>,
    pub(crate) parts: ShardParts,
    status: Arc<Status>,
    turns: TurnCounters,
    pub(crate) now: Time,
    /// When the oldest packet that is held back was written.
    held_since: Option<Time>,
    /// Whether the last turn left something undone.
    unfinished: bool,
    /// Packets of the program are copied here, to be opened in place.
    scratch: Vec<u8>,
    /// Accepted TCP connections that may lead nowhere, oldest first.
    strangers: VecDeque<(Time, SocketId)>,
    /// Listeners that rest, and until when.
    resting: Vec<(Time, SocketId)>,
}

impl Shard {
    pub(crate) fn new(parts: ShardParts, status: Arc<Status>) -> Self {
        let core = Core::new(parts.core);
        let now = parts.clock.now();
        let turns = TurnCounters::default();
        Self {
            core,
            parts,
            status,
            turns,
            now,
            held_since: None,
            unfinished: false,
            scratch: Vec::new(),
            strangers: VecDeque::new(),
            resting: Vec::new(),
        }
    }

    /// Turns until the runtime stops it.
    pub(crate) fn run(&mut self) {
        while !self.status.stopping() {
            self.turn();
        }
        // What was asked before the stop is still carried out.
        for _ in 0..LAST_TURNS {
            if self.take_messages() == 0 {
                break;
            }
            self.settle();
        }
        self.flush();
    }

    /// The event queue's end, everything else being dropped.
    pub(crate) fn into_events(self) -> EventSink {
        self.parts.events
    }

    fn turn(&mut self) {
        let ready = self.sleep();
        let mut done = self.receive(ready);
        if self.parts.inbox.has_more() {
            // Messages may close sockets that packets are held for, or move a lane.
            self.flush();
            done += self.take_messages() + self.take_packets();
        }
        done += self.take_relays();
        self.look_after_connections();
        let timed = self.core.poll_timeout().is_some_and(|(at, _)| at <= self.now);
        if done > 0 || timed {
            self.core.handle_timeout(self.now, &mut self.parts.net.outgoing());
        }
        done += self.settle();
        self.unfinished |= self.parts.inbox.has_more() || self.parts.relay.has_waiting();
        self.turns.all += 1;
        self.turns.timed += u64::from(timed);
        self.turns.idle += u64::from(done == 0 && !timed);
    }

    /// Sleeps until there is something to do; returns how many sockets are readable.
    fn sleep(&mut self) -> usize {
        let timeout = self.longest_sleep();
        let ready = match self.parts.net.wait(timeout) {
            Ok(ready) => ready,
            Err(error) => {
                // Nothing a shard does makes this fail; should it, the shard must not spin.
                tracing::error!(%error, "cannot wait for sockets");
                std::thread::sleep(RETRY);
                0
            }
        };
        self.unfinished = false;
        self.now = self.parts.clock.now();
        if ready == 0 && self.held_since.is_some() {
            self.flush();
        }
        ready
    }

    fn longest_sleep(&self) -> Duration {
        if self.unfinished || self.held_since.is_some() {
            return Duration::ZERO;
        }
        let parts = &self.parts;
        let retry = parts.events.backlog() || parts.relay.has_overdue() || parts.net.awaits_stream();
        let limit = if retry { RETRY } else { LONGEST_SLEEP };
        match self.core.poll_timeout() {
            Some((at, _)) => at.since(self.parts.clock.now()).min(limit),
            None => limit,
        }
    }

    /// Takes in what is there on the first `ready` sockets that are readable, a bounded number of batches each.
    fn receive(&mut self, ready: usize) -> usize {
        let mut batches = 0;
        for nth in 0..ready {
            let Some(socket) = self.parts.net.ready(nth) else { continue };
            batches += match self.parts.net.kind(socket) {
                Some(SocketKind::Udp) => self.receive_batches(socket),
                Some(SocketKind::Connection) => self.read_connection(socket),
                Some(SocketKind::Listener) => self.accept(socket),
                None => 0,
            };
        }
        batches
    }

    fn receive_batches(&mut self, socket: SocketId) -> usize {
        for batches in 0..ROUNDS_PER_SOCKET {
            if !self.receive_batch(socket) {
                return batches;
            }
            self.flush_unless_held();
        }
        ROUNDS_PER_SOCKET
    }

    fn read_connection(&mut self, socket: SocketId) -> usize {
        let Some((intake, mut datagrams)) = self.parts.net.read_connection(socket) else { return 0 };
        self.now = self.parts.clock.now();
        self.core.handle_batch(self.now, &mut datagrams, &mut self.parts.net.outgoing());
        let over = intake == Intake::Ended || datagrams.broken();
        self.parts.net.return_bytes(datagrams);
        if over {
            self.end_connection(socket);
        }
        self.flush_unless_held();
        1
    }

    fn end_connection(&mut self, socket: SocketId) {
        self.core.handle_socket_closed(self.now, socket, &mut self.parts.net.outgoing());
        self.flush();
        self.parts.net.release(socket);
    }

    fn accept(&mut self, listener: SocketId) -> usize {
        let Self { core, parts, strangers, now, .. } = self;
        let accepted = parts.net.accept(*now, listener, |connection| {
            core.add_connection(connection, listener);
            strangers.push_back((*now, connection));
        });
        if let Err(error) = accepted {
            tracing::warn!(%error, "cannot accept a TCP connection");
            self.rest(listener);
        }
        while self.strangers.len() > MAX_STRANGERS {
            self.judge_oldest_stranger();
        }
        1
    }

    /// A listener that the system has nothing for would be ready again at once.
    fn rest(&mut self, listener: SocketId) {
        if self.parts.net.mute(listener, true).is_ok() {
            self.resting.push((self.now + LISTENER_REST, listener));
        }
    }

    /// Closes TCP connections that have led nowhere in time, and wakes listeners that rested.
    fn look_after_connections(&mut self) {
        while self.strangers.front().is_some_and(|(since, _)| self.now.since(*since) >= STRANGER_PATIENCE) {
            self.judge_oldest_stranger();
        }
        let (net, now) = (&mut self.parts.net, self.now);
        self.resting.retain(|(until, listener)| {
            // A listener that cannot be waited for now is tried again in the next turn.
            *until > now || net.mute(*listener, false).is_err()
        });
    }

    fn judge_oldest_stranger(&mut self) {
        let Some((since, connection)) = self.strangers.pop_front() else { return };
        let same = self.parts.net.connected_since(connection) == Some(since);
        if same && !self.core.is_proven_connection(connection) {
            self.end_connection(connection);
        }
    }

    fn receive_batch(&mut self, socket: SocketId) -> bool {
        let Some((mut ingress, mut egress)) = self.parts.net.receive(socket) else { return false };
        self.now = self.parts.clock.now();
        self.core.handle_batch(self.now, &mut ingress, &mut egress);
        true
    }

    fn take_messages(&mut self) -> usize {
        for taken in 0..MESSAGES_PER_TURN {
            let Some(message) = self.parts.inbox.next() else { return taken };
            self.carry_out(message);
        }
        MESSAGES_PER_TURN
    }

    fn carry_out(&mut self, message: Message) {
        // Whoever dropped the future does not want the answer.
        match message {
            Message::Call(command, answer) => {
                let _ = answer.send(self.core.handle_command(self.now, *command));
            }
            Message::Close(command) => {
                self.core.handle_command(self.now, *command);
            }
            Message::AddPlain(transport, answer) => {
                let _ = answer.send(self.add_plain(*transport));
            }
            Message::AddWebRtc(transport, answer) => {
                let _ = answer.send(self.add_webrtc(*transport));
            }
            Message::AddListeners(sockets, answer) => {
                let _ = answer.send(self.add_listeners(sockets));
            }
            Message::RemoveListeners(sockets) => self.remove_listeners(sockets),
            Message::Snapshot(answer) => {
                let _ = answer.send(self.snapshot());
            }
            #[cfg(test)]
            Message::Panic => panic!("asked to"),
        }
    }

    fn add_plain(&mut self, request: AddPlain) -> Result<PlainDetails, AddListeningTransportError> {
        let AddPlain { router, id, mut options, sockets, key_material, sctp, pipe } = request;
        options.enable_sctp = sctp.is_some();
        let rtp = self.bound(sockets.rtp)?;
        let rtcp = match sockets.rtcp.map(|socket| self.bound(socket)).transpose() {
            Ok(rtcp) => rtcp,
            Err(error) => {
                self.parts.net.release(rtp.id);
                return Err(error);
            }
        };
        let transport = PlainTransport::new(&options, rtp, rtcp, &key_material);
        let details = transport.details();
        let transport = AnyTransport::from(transport);
        let options = TransportOptions { sctp, pipe, ..Default::default() };
        let request = AddTransport { router, id, transport, options };
        let reply = self.core.handle_command(self.now, request.into());
        match <AddTransport<AnyTransport> as Request<AnyTransport>>::reply(reply) {
            Some(Ok(())) => Ok(details),
            refused => {
                self.parts.net.release(rtp.id);
                rtcp.into_iter().for_each(|rtcp| self.parts.net.release(rtcp.id));
                Err(refused.and_then(Result::err).map_or(CallError::WrongReply.into(), Into::into))
            }
        }
    }

    fn bound(&mut self, socket: Socket) -> Result<BoundSocket, AddListeningTransportError> {
        let local = socket.local_addr();
        // A plain transport never changes the remote that it sends to.
        let id = self.parts.net.add(socket.for_one_remote()).map_err(AddListeningTransportError::Register)?;
        Ok(BoundSocket { id, local })
    }

    fn take_packets(&mut self) -> usize {
        for taken in 0..PROGRAM_PACKETS_PER_TURN {
            let Some(program) = self.parts.inbox.next_packet() else { return taken };
            self.scratch.clear();
            self.scratch.extend_from_slice(&program.packet);
            let mut egress = self.parts.net.outgoing();
            // A transport that closed meanwhile: what was sent on it is dropped, as on a socket.
            let _ =
                self.core.handle_program_packet(self.now, program.transport, &mut self.scratch, &mut egress);
        }
        PROGRAM_PACKETS_PER_TURN
    }

    fn take_relays(&mut self) -> usize {
        let Self { core, parts, now, .. } = self;
        let ShardParts { net, relay, .. } = parts;
        relay.receive(RELAY_BATCHES_PER_TURN, |batch| core.handle_relay(*now, batch, &mut net.outgoing()))
    }

    /// Lets go what the turn brought about: packets, relay batches, events, closed sockets. Returns how much that was.
    fn settle(&mut self) -> usize {
        self.flush_unless_held();
        let Self { core, parts, .. } = self;
        let relayed = parts.relay.send_all(|recycled| core.poll_relay(recycled));
        let told = parts.events.pass_on(|| core.poll_event());
        let mut closed = 0;
        while let Some(socket) = self.core.poll_released_socket() {
            // Last words to a closed transport's remote are on their way before its socket goes.
            self.flush();
            self.parts.net.release(socket);
            closed += 1;
        }
        relayed + told + closed
    }

    /// Sends what was written, unless it may be held back for a larger batch; only as long as input keeps coming.
    fn flush_unless_held(&mut self) {
        if self.parts.egress_hold.is_zero() || !self.parts.net.holds_packets() {
            return self.flush();
        }
        let since = *self.held_since.get_or_insert(self.now);
        if self.now.since(since) >= self.parts.egress_hold {
            self.flush();
        }
    }

    pub(crate) fn flush(&mut self) {
        self.held_since = None;
        let Self { core, parts, .. } = self;
        let ShardParts { net, events, .. } = parts;
        net.flush(|lane, packet| {
            if let Some((transport, component)) = core.lane_owner(lane) {
                events.direct_packet(transport, component, packet);
            }
        });
    }

    fn snapshot(&self) -> ShardSnapshot {
        let parts = &self.parts;
        let io = IoCounters {
            direct_packets_dropped: parts.events.packets_dropped(),
            relay_packets_dropped: parts.relay.packets_dropped(),
            ..parts.net.counters
        };
        ShardSnapshot {
            shard: parts.events.shard(),
            core: *self.core.counters(),
            consumers: self.core.consumer_figures(),
            population: self.core.population(),
            io,
            turns: self.turns,
            sockets: parts.net.sockets(),
            traces_lost: self.core.lost_traces(),
            cpu_time: tureen_udp::thread_cpu_time(),
        }
    }
}
