//! A shard's sockets: what is ready, what came in as the Core's [`Ingress`], and what goes out as its [`Egress`].
//!
//! UDP goes in batches; a TCP connection is a socket with one remote, whose datagrams are framed in [`crate::tcp`].
//!
//! Must not know the Core's objects; packets for the program are kept by lane until somebody says whose lane it is.

use crate::snapshot::IoCounters;
use crate::tcp::{Connection, Datagrams, Intake};
use std::io;
use std::marker::PhantomData;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;
use tureen_rtp_wire::{Ecn, Time};
use tureen_transport::{Arrival, Datagram, Destination, Egress, Ingress, Lane, SocketId};
use tureen_udp::{Poller, RecvBatch, SendBatch, Socket, Waker};

/// Messages taken in one system call; with GRO each can carry several datagrams.
const RECEIVE_MESSAGES: usize = 32;
/// Packets that wait for one flush: few enough to stay in a core's cache until the system has copied them. What goes to one
/// receiver of a burst stands side by side, so that it leaves as one message all the same.
const SEND_SLOTS: usize = 128;
/// The same where packets are held to be joined by later ones: eight packets of a frame to a hundred receivers.
const HELD_SEND_SLOTS: usize = 1024;
/// Bytes of a slot: the largest packet of an Ethernet frame, and what header extensions and SRTP may add to it.
const SEND_SLOT_LEN: usize = 1600;
/// Packets for the program that wait within one batch; more find no slot.
const MAX_PROGRAM_PACKETS: usize = 1024;

/// Connections taken from a listener at a time.
const ACCEPTS: usize = 32;

/// A shard's sockets and buffers.
#[derive(Debug)]
pub(crate) struct Net {
    poller: Poller,
    ready: Vec<u64>,
    received: RecvBatch,
    sockets: Sockets,
    outgoing: SendBatch,
    program: ProgramQueue,
    streams: StreamQueue,
    pub(crate) counters: IoCounters,
}

/// What a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketKind {
    Udp,
    Listener,
    Connection,
}

impl Net {
    /// `held` tells whether packets will wait for others beyond the batch that they came in.
    pub(crate) fn open(held: bool) -> io::Result<(Self, Waker)> {
        let poller = Poller::new()?;
        let waker = poller.waker();
        let send_slots = if held { HELD_SEND_SLOTS } else { SEND_SLOTS };
        let net = Self {
            poller,
            ready: Vec::new(),
            received: RecvBatch::new(RECEIVE_MESSAGES),
            sockets: Sockets::default(),
            outgoing: SendBatch::with_slot_len(send_slots, SEND_SLOT_LEN),
            program: ProgramQueue::default(),
            streams: StreamQueue::default(),
            counters: IoCounters::default(),
        };
        Ok((net, waker))
    }

    /// Waits until a socket is readable, the waker rings or `timeout` has passed; returns how many sockets are readable.
    pub(crate) fn wait(&mut self, timeout: Duration) -> io::Result<usize> {
        let timeout = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        self.poller.wait(Some(timeout), &mut self.ready)?;
        Ok(self.ready.len())
    }

    /// The `nth` socket that was readable in the last [`Net::wait`].
    pub(crate) fn ready(&self, nth: usize) -> Option<SocketId> {
        self.ready.get(nth).and_then(|token| u32::try_from(*token).ok()).map(SocketId)
    }

    pub(crate) fn kind(&self, socket: SocketId) -> Option<SocketKind> {
        self.sockets.get(socket).map(|socket| match socket {
            AnySocket::Udp(_) => SocketKind::Udp,
            AnySocket::Listener(_) => SocketKind::Listener,
            AnySocket::Connection(_) => SocketKind::Connection,
        })
    }

    /// Receives one batch from a UDP socket: its datagrams, and the way for what follows from them. `None` once the socket
    /// has nothing more.
    pub(crate) fn receive(
        &mut self,
        socket: SocketId,
    ) -> Option<(Received<'_, impl Iterator<Item = tureen_udp::Datagram<'_>>>, Outgoing<'_>)> {
        let Self { received, sockets, outgoing, program, streams, counters, .. } = self;
        let AnySocket::Udp(udp) = sockets.get(socket)? else { return None };
        match udp.recv(received) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(_) => {
                counters.receive_errors += 1;
                return None;
            }
        }
        let ingress = Received { datagrams: received.datagrams_mut(), socket, bytes: PhantomData };
        Some((ingress, Outgoing { sockets, batch: outgoing, program, streams, counters, open: Open::Batch }))
    }

    /// Reads a TCP connection. Its bytes are lent out, so that answers can be queued while they are looked at.
    pub(crate) fn read_connection(&mut self, id: SocketId) -> Option<(Intake, StreamDatagrams)> {
        let connection = self.sockets.connection(id)?;
        let intake = connection.read();
        let arrival = Arrival { socket: id, source: connection.remote() };
        Some((intake, StreamDatagrams { arrival, datagrams: connection.lend() }))
    }

    /// Puts the bytes back that a connection lent.
    pub(crate) fn return_bytes(&mut self, read: StreamDatagrams) {
        if let Some(connection) = self.sockets.connection(read.arrival.socket) {
            connection.take_back(read.datagrams);
        }
    }

    /// The way out for what follows from anything else than a batch of UDP.
    pub(crate) fn outgoing(&mut self) -> Outgoing<'_> {
        let Self { sockets, outgoing, program, streams, counters, .. } = self;
        Outgoing { sockets, batch: outgoing, program, streams, counters, open: Open::Batch }
    }

    /// Whether packets wait to be sent.
    pub(crate) fn holds_packets(&self) -> bool {
        !self.outgoing.is_empty() || !self.program.packets.is_empty() || self.streams.fresh
    }

    /// Whether a TCP peer reads more slowly than it is sent to.
    pub(crate) fn awaits_stream(&self) -> bool {
        !self.streams.waiting.is_empty()
    }

    /// Sends what waits for sockets, and gives what waits for the program to `deliver`.
    pub(crate) fn flush(&mut self, mut deliver: impl FnMut(Lane, &[u8])) {
        self.outgoing().send();
        self.streams.flush(&mut self.sockets);
        self.program.packets().for_each(|(lane, packet)| deliver(lane, packet));
        self.program.clear();
    }

    /// Takes a UDP socket in and waits for it from now on.
    pub(crate) fn add(&mut self, socket: Socket) -> io::Result<SocketId> {
        self.put(AnySocket::Udp(socket))
    }

    /// Takes a TCP listener in, which must not block.
    pub(crate) fn add_listener(&mut self, listener: TcpListener) -> io::Result<SocketId> {
        self.put(AnySocket::Listener(listener))
    }

    fn put(&mut self, socket: AnySocket) -> io::Result<SocketId> {
        let id = self.sockets.vacant();
        self.poller.add(&socket, u64::from(id.0))?;
        self.sockets.put(id, socket);
        Ok(id)
    }

    /// Accepts what waits at a listener, a bounded number at a time. An error other than there being nothing more means
    /// that the system is out of something.
    pub(crate) fn accept(
        &mut self,
        now: Time,
        listener: SocketId,
        mut accepted: impl FnMut(SocketId),
    ) -> io::Result<()> {
        for _ in 0..ACCEPTS {
            let Some(AnySocket::Listener(socket)) = self.sockets.get(listener) else { return Ok(()) };
            let (stream, remote) = match socket.accept() {
                Ok(connected) => connected,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // The peer was gone again before it was its turn.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            accepted(self.put(AnySocket::Connection(Connection::new(now, stream, remote)?))?);
        }
        Ok(())
    }

    /// Stops or starts to wait for a listener.
    pub(crate) fn mute(&mut self, listener: SocketId, muted: bool) -> io::Result<()> {
        let Some(socket) = self.sockets.get(listener) else { return Ok(()) };
        if muted { self.poller.remove(socket) } else { self.poller.add(socket, u64::from(listener.0)) }
    }

    /// When a connection was accepted.
    pub(crate) fn connected_since(&self, id: SocketId) -> Option<Time> {
        match self.sockets.get(id)? {
            AnySocket::Connection(connection) => Some(connection.since),
            _ => None,
        }
    }

    /// Closes a socket. What waits for it must be sent before.
    pub(crate) fn release(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.take(id)
            && let Err(error) = self.poller.remove(&socket)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(socket = id.0, %error, "cannot stop waiting for a socket");
        }
    }

    pub(crate) fn sockets(&self) -> usize {
        self.sockets.len()
    }
}

/// The datagrams of a TCP connection as a batch.
#[derive(Debug)]
pub(crate) struct StreamDatagrams {
    arrival: Arrival,
    datagrams: Datagrams,
}

impl StreamDatagrams {
    pub(crate) fn broken(&self) -> bool {
        self.datagrams.broken()
    }
}

impl Ingress for StreamDatagrams {
    fn next(&mut self) -> Option<Datagram<'_>> {
        let bytes = self.datagrams.next()?;
        Some(Datagram { arrival: self.arrival, bytes, ecn: Ecn::NotCapable })
    }
}

#[derive(Debug)]
enum AnySocket {
    Udp(Socket),
    Listener(TcpListener),
    Connection(Connection),
}

impl AsFd for AnySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Udp(socket) => socket.as_fd(),
            Self::Listener(listener) => listener.as_fd(),
            Self::Connection(connection) => connection.as_fd(),
        }
    }
}

/// Sockets by their number; numbers of closed ones are used again.
#[derive(Debug, Default)]
struct Sockets {
    slots: Vec<Option<AnySocket>>,
    free: Vec<SocketId>,
}

impl Sockets {
    fn get(&self, id: SocketId) -> Option<&AnySocket> {
        self.slots.get(id.0 as usize)?.as_ref()
    }

    fn udp(&self, id: SocketId) -> Option<&Socket> {
        match self.get(id)? {
            AnySocket::Udp(socket) => Some(socket),
            _ => None,
        }
    }

    fn connection(&mut self, id: SocketId) -> Option<&mut Connection> {
        match self.slots.get_mut(id.0 as usize)?.as_mut()? {
            AnySocket::Connection(connection) => Some(connection),
            _ => None,
        }
    }

    /// The number that the next socket will have.
    fn vacant(&self) -> SocketId {
        self.free.last().copied().unwrap_or(SocketId(self.slots.len() as u32))
    }

    fn put(&mut self, id: SocketId, socket: AnySocket) {
        match self.slots.get_mut(id.0 as usize) {
            Some(slot) => *slot = Some(socket),
            None => self.slots.push(Some(socket)),
        }
        self.free.retain(|free| *free != id);
    }

    fn take(&mut self, id: SocketId) -> Option<AnySocket> {
        let socket = self.slots.get_mut(id.0 as usize)?.take()?;
        self.free.push(id);
        Some(socket)
    }

    fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

/// A received batch.
#[derive(Debug)]
pub(crate) struct Received<'a, I> {
    datagrams: I,
    socket: SocketId,
    /// Says that what the iterator yields lives as long as this does.
    bytes: PhantomData<&'a mut [u8]>,
}

impl<'a, I: Iterator<Item = tureen_udp::Datagram<'a>>> Ingress for Received<'a, I> {
    fn next(&mut self) -> Option<Datagram<'_>> {
        let datagram = self.datagrams.next()?;
        let arrival = Arrival { socket: self.socket, source: datagram.source };
        Some(Datagram { arrival, bytes: datagram.bytes, ecn: Ecn::from_bits(datagram.ecn) })
    }
}

/// Slots for packets to sockets and to the program.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    sockets: &'a mut Sockets,
    batch: &'a mut SendBatch,
    program: &'a mut ProgramQueue,
    streams: &'a mut StreamQueue,
    counters: &'a mut IoCounters,
    open: Open,
}

/// Where the slot reserved last is.
#[derive(Clone, Copy, Debug)]
enum Open {
    Batch,
    Program,
    Stream(SocketId),
}

impl Egress for Outgoing<'_> {
    fn reserve(&mut self, lane: Lane, to: &Destination, capacity: usize) -> Option<&mut [u8]> {
        let slot = match *to {
            Destination::Socket { socket, .. } if self.sockets.connection(socket).is_some() => {
                self.open = Open::Stream(socket);
                self.streams.reserve(capacity)
            }
            Destination::Socket { socket, remote } => {
                self.open = Open::Batch;
                if self.batch.free() == 0 {
                    self.send();
                }
                self.batch.reserve(lane.0, socket.0, remote, capacity)
            }
            Destination::Program => {
                self.open = Open::Program;
                self.program.reserve(lane, capacity)
            }
        };
        if slot.is_none() {
            self.counters.sends_dropped += 1;
        }
        slot
    }

    fn commit(&mut self, len: usize) {
        self.commit_marked(len, Ecn::NotCapable);
    }

    fn commit_marked(&mut self, len: usize, mark: Ecn) {
        match self.open {
            Open::Batch => {
                self.batch.commit_marked(len, mark.bits());
            }
            Open::Program => self.program.commit(len),
            Open::Stream(socket) => {
                let sent = self.streams.commit(self.sockets, socket, len);
                self.counters.datagrams_sent += u64::from(sent);
                self.counters.bytes_sent += if sent { len as u64 } else { 0 };
                self.counters.sends_dropped += u64::from(!sent);
            }
        }
    }
}

impl Outgoing<'_> {
    fn send(&mut self) {
        let sent = self.batch.flush(|socket| self.sockets.udp(SocketId(socket)));
        self.counters.datagrams_sent += sent.packets;
        self.counters.bytes_sent += sent.bytes;
        self.counters.send_calls += sent.system_calls;
        self.counters.segmented_messages += sent.gso_messages;
        self.counters.sends_dropped += sent.dropped_would_block + sent.dropped_error;
    }
}

/// What goes to TCP connections: a slot to write in, and who has something waiting.
#[derive(Debug, Default)]
struct StreamQueue {
    slot: Vec<u8>,
    waiting: Vec<SocketId>,
    /// Whether something came since the last flush.
    fresh: bool,
}

impl StreamQueue {
    fn reserve(&mut self, capacity: usize) -> Option<&mut [u8]> {
        self.slot.resize(capacity.max(self.slot.len()), 0);
        self.slot.get_mut(..capacity)
    }

    fn commit(&mut self, sockets: &mut Sockets, socket: SocketId, len: usize) -> bool {
        let (Some(connection), Some(datagram)) = (sockets.connection(socket), self.slot.get(..len)) else {
            return false;
        };
        if !std::mem::replace(&mut connection.queued_for_flush, true) {
            self.waiting.push(socket);
        }
        self.fresh = true;
        connection.queue(datagram)
    }

    /// Gives the system what it takes; who has more waits for the next time.
    fn flush(&mut self, sockets: &mut Sockets) {
        self.fresh = false;
        self.waiting.retain(|socket| {
            let Some(connection) = sockets.connection(*socket) else { return false };
            connection.queued_for_flush = connection.flush();
            connection.queued_for_flush
        });
    }
}

/// Packets for the program, one behind the other in one buffer that is used again.
#[derive(Debug, Default)]
struct ProgramQueue {
    bytes: Vec<u8>,
    /// Lane and end of each; it starts where the one before ends.
    packets: Vec<(Lane, usize)>,
    reserved: Option<Lane>,
}

impl ProgramQueue {
    fn reserve(&mut self, lane: Lane, capacity: usize) -> Option<&mut [u8]> {
        self.reserved = None;
        if self.packets.len() >= MAX_PROGRAM_PACKETS {
            return None;
        }
        self.reserved = Some(lane);
        let start = self.end();
        self.bytes.resize(start + capacity, 0);
        self.bytes.get_mut(start..)
    }

    fn commit(&mut self, len: usize) {
        if let Some(lane) = self.reserved.take() {
            let end = self.end() + len;
            self.packets.push((lane, end.min(self.bytes.len())));
        }
    }

    fn end(&self) -> usize {
        self.packets.last().map_or(0, |(_, end)| *end)
    }

    fn packets(&self) -> impl Iterator<Item = (Lane, &[u8])> {
        let starts = std::iter::once(0).chain(self.packets.iter().map(|(_, end)| *end));
        let packets = self.packets.iter().zip(starts);
        packets.filter_map(|((lane, end), start)| Some((*lane, self.bytes.get(start..*end)?)))
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.packets.clear();
        self.reserved = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_for_the_program_keep_lane_and_order_and_uncommitted_slots_vanish() {
        let mut queue = ProgramQueue::default();
        for (lane, text) in [(2, "first"), (4, "second")] {
            let slot = queue.reserve(Lane(lane), 20).expect("there is room");
            slot[..text.len()].copy_from_slice(text.as_bytes());
            queue.commit(text.len());
            queue.reserve(Lane(9), 7).expect("there is room")[..4].copy_from_slice(b"none");
        }
        let packets: Vec<_> = queue.packets().collect();
        assert_eq!(packets, [(Lane(2), &b"first"[..]), (Lane(4), &b"second"[..])]);
        queue.commit(3);
        queue.commit(3);
        assert_eq!(queue.packets().count(), 3, "a slot is committed once");
        queue.clear();
        assert_eq!(queue.packets().count(), 0);
    }

    #[test]
    fn the_program_queue_is_bounded() {
        let mut queue = ProgramQueue::default();
        for _ in 0..MAX_PROGRAM_PACKETS {
            queue.reserve(Lane(0), 1).expect("there is room");
            queue.commit(1);
        }
        assert!(queue.reserve(Lane(0), 1).is_none());
    }
}
