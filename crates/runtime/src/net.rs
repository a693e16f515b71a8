//! A shard's sockets: what is ready, what came in as the Core's [`Ingress`], and what goes out as its [`Egress`].
//!
//! Must not know the Core's objects; packets for the program are kept by lane until somebody says whose lane it is.

use crate::snapshot::IoCounters;
use std::io;
use std::marker::PhantomData;
use std::time::Duration;
use tureen_transport::{Arrival, Datagram, Destination, Egress, Ingress, Lane, SocketId};
use tureen_udp::{Poller, RecvBatch, SendBatch, Socket, Waker};

/// Messages taken in one system call; with GRO each can carry several datagrams.
const RECEIVE_MESSAGES: usize = 32;
/// Packets that wait for one flush: eight packets of a frame to a hundred receivers, so that what goes to one of them leaves as
/// one message. That pays more than a pool that stays in the L2 cache.
const SEND_SLOTS: usize = 1024;
/// Bytes of a slot: the largest packet of an Ethernet frame, and what header extensions and SRTP may add to it.
const SEND_SLOT_LEN: usize = 1600;
/// Packets for the program that wait within one batch; more find no slot.
const MAX_PROGRAM_PACKETS: usize = 1024;

/// A shard's sockets and buffers.
#[derive(Debug)]
pub(crate) struct Net {
    poller: Poller,
    ready: Vec<u64>,
    received: RecvBatch,
    sockets: Sockets,
    outgoing: SendBatch,
    program: ProgramQueue,
    pub(crate) counters: IoCounters,
}

impl Net {
    pub(crate) fn open() -> io::Result<(Self, Waker)> {
        let poller = Poller::new()?;
        let waker = poller.waker();
        let net = Self {
            poller,
            ready: Vec::new(),
            received: RecvBatch::new(RECEIVE_MESSAGES),
            sockets: Sockets::default(),
            outgoing: SendBatch::with_slot_len(SEND_SLOTS, SEND_SLOT_LEN),
            program: ProgramQueue::default(),
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

    /// Receives one batch from a socket: its datagrams, and the way for what follows from them. `None` once the socket
    /// has nothing more.
    pub(crate) fn receive(
        &mut self,
        socket: SocketId,
    ) -> Option<(Received<'_, impl Iterator<Item = tureen_udp::Datagram<'_>>>, Outgoing<'_>)> {
        let Self { received, sockets, outgoing, program, counters, .. } = self;
        match sockets.get(socket)?.recv(received) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(_) => {
                counters.receive_errors += 1;
                return None;
            }
        }
        let ingress = Received { datagrams: received.datagrams_mut(), socket, bytes: PhantomData };
        Some((ingress, Outgoing { sockets, batch: outgoing, program, counters }))
    }

    /// The way out for what follows from anything else than datagrams.
    pub(crate) fn outgoing(&mut self) -> Outgoing<'_> {
        let Self { sockets, outgoing, program, counters, .. } = self;
        Outgoing { sockets, batch: outgoing, program, counters }
    }

    /// Whether packets wait to be sent.
    pub(crate) fn holds_packets(&self) -> bool {
        !self.outgoing.is_empty() || !self.program.packets.is_empty()
    }

    /// Sends what waits for sockets, and gives what waits for the program to `deliver`.
    pub(crate) fn flush(&mut self, mut deliver: impl FnMut(Lane, &[u8])) {
        self.outgoing().send();
        self.program.packets().for_each(|(lane, packet)| deliver(lane, packet));
        self.program.clear();
    }

    /// Takes a socket in and waits for it from now on.
    pub(crate) fn add(&mut self, socket: Socket) -> io::Result<SocketId> {
        let id = self.sockets.vacant();
        self.poller.add(&socket, u64::from(id.0))?;
        self.sockets.put(id, socket);
        Ok(id)
    }

    /// Closes a socket. What waits for it must be sent before.
    pub(crate) fn release(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.take(id)
            && let Err(error) = self.poller.remove(&socket)
        {
            tracing::warn!(socket = id.0, %error, "cannot stop waiting for a socket");
        }
    }

    pub(crate) fn sockets(&self) -> usize {
        self.sockets.len()
    }
}

/// Sockets by their number; numbers of closed ones are used again.
#[derive(Debug, Default)]
struct Sockets {
    slots: Vec<Option<Socket>>,
    free: Vec<SocketId>,
}

impl Sockets {
    fn get(&self, id: SocketId) -> Option<&Socket> {
        self.slots.get(id.0 as usize)?.as_ref()
    }

    /// The number that the next socket will have.
    fn vacant(&self) -> SocketId {
        self.free.last().copied().unwrap_or(SocketId(self.slots.len() as u32))
    }

    fn put(&mut self, id: SocketId, socket: Socket) {
        match self.slots.get_mut(id.0 as usize) {
            Some(slot) => *slot = Some(socket),
            None => self.slots.push(Some(socket)),
        }
        self.free.retain(|free| *free != id);
    }

    fn take(&mut self, id: SocketId) -> Option<Socket> {
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
        Some(Datagram { arrival, bytes: datagram.bytes })
    }
}

/// Slots for packets to sockets and to the program.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    sockets: &'a Sockets,
    batch: &'a mut SendBatch,
    program: &'a mut ProgramQueue,
    counters: &'a mut IoCounters,
}

impl Egress for Outgoing<'_> {
    fn reserve(&mut self, lane: Lane, to: Destination, capacity: usize) -> Option<&mut [u8]> {
        let slot = match to {
            Destination::Udp { socket, remote } => {
                self.program.open = false;
                if self.batch.free() == 0 {
                    self.send();
                }
                self.batch.reserve(lane.0, socket.0, remote, capacity)
            }
            Destination::Program => self.program.reserve(lane, capacity),
        };
        if slot.is_none() {
            self.counters.sends_dropped += 1;
        }
        slot
    }

    fn commit(&mut self, len: usize) {
        if self.program.open {
            self.program.commit(len);
        } else {
            self.batch.commit(len);
        }
    }
}

impl Outgoing<'_> {
    fn send(&mut self) {
        let sent = self.batch.flush(|socket| self.sockets.get(SocketId(socket)));
        self.counters.datagrams_sent += sent.packets;
        self.counters.bytes_sent += sent.bytes;
        self.counters.send_calls += sent.system_calls;
        self.counters.segmented_messages += sent.gso_messages;
        self.counters.sends_dropped += sent.dropped_would_block + sent.dropped_error;
    }
}

/// Packets for the program, one behind the other in one buffer that is used again.
#[derive(Debug, Default)]
struct ProgramQueue {
    bytes: Vec<u8>,
    /// Lane and end of each; it starts where the one before ends.
    packets: Vec<(Lane, usize)>,
    reserved: Option<Lane>,
    /// Whether the slot reserved last is here.
    open: bool,
}

impl ProgramQueue {
    fn reserve(&mut self, lane: Lane, capacity: usize) -> Option<&mut [u8]> {
        self.open = true;
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
