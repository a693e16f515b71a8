//! What is to be sent: packets collected by lane, flushed in as few system calls and messages as the system allows.

use crate::slots::{Run, Slots};
use crate::socket::Socket;
use crate::sys::{Mark, Outgoing, SendHeaders, send_marked};
use std::io;
use std::net::SocketAddr;

/// An Ethernet frame's worth.
const SLOT_LEN: usize = 1500;
/// What `sendmmsg(2)` takes at most (`UIO_MAXIOV`).
const MAX_MESSAGES: usize = 1024;
/// How often one message is tried again after an error that an earlier packet left behind.
const MAX_STALE_ERRORS: u32 = 4;

/// Packets that wait to be sent, in a pool that is allocated once and used again after each [`flush`](Self::flush).
///
/// A *lane* is a small dense number that the caller gives to one destination over one socket. Packets of a lane are sent
/// in the order of their commits; a run of them with equal lengths, the last of which may be shorter, leaves as one
/// message that the kernel or the network card takes apart (`UDP_SEGMENT`). Between lanes there is no order.
#[derive(Debug)]
pub struct SendBatch {
    slots: Slots,
    headers: SendHeaders,
    runs: Vec<Run>,
}

/// What a [`flush`](SendBatch::flush) did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlushStats {
    /// Packets that the system took.
    pub packets: u64,
    /// Bytes of UDP payload in them.
    pub bytes: u64,
    /// System calls made.
    pub system_calls: u64,
    /// Messages of more than one packet.
    pub gso_messages: u64,
    /// Packets dropped because the send buffer was full.
    pub dropped_would_block: u64,
    /// Packets dropped because the system refused them, or because the socket was gone.
    pub dropped_error: u64,
    /// Errors that peers caused by way of ICMP, such as a closed port. They cost no packet.
    pub refused: u64,
}

impl SendBatch {
    /// A pool of `packets` slots of 1500 bytes, at least one.
    #[must_use]
    pub fn new(packets: usize) -> Self {
        Self::with_slot_len(packets, SLOT_LEN)
    }

    /// A pool of `packets` slots of `slot_len` bytes: 1 to 65,507.
    #[must_use]
    pub fn with_slot_len(packets: usize, slot_len: usize) -> Self {
        let slots = Slots::new(packets, slot_len);
        let capacity = slots.capacity();
        Self {
            headers: SendHeaders::new(capacity.min(MAX_MESSAGES), capacity),
            runs: Vec::with_capacity(capacity),
            slots,
        }
    }

    /// Hands out a slot of `capacity` bytes for a packet to `destination` over the socket that
    /// [`flush`](Self::flush) knows as `socket`, or `None` when the pool is used up or its slots are too short.
    ///
    /// The slot holds leftovers. Nothing is sent unless [`commit`](Self::commit) follows; another `reserve` before that
    /// hands out the same slot again. `lane` and `socket` are indices of dense tables, to be kept small; from 2^20 on they are
    /// refused with `None`.
    #[inline]
    pub fn reserve(
        &mut self,
        lane: u32,
        socket: u32,
        destination: SocketAddr,
        capacity: usize,
    ) -> Option<&mut [u8]> {
        self.slots.reserve(lane, socket, destination, capacity)
    }

    /// Queues the first `len` bytes of the slot reserved last. `false`, and nothing queued, when no slot is reserved or
    /// `len` is more than a slot holds.
    #[inline]
    pub fn commit(&mut self, len: usize) -> bool {
        self.slots.commit(len, 0)
    }

    /// The same for a packet that leaves with a mark in its IP header: the two bits of ECN (RFC 3168), higher ones are ignored. It leaves
    /// without if the socket was not bound with [`SocketConfig::ecn`](crate::SocketConfig::ecn). What follows each other in a lane
    /// with different marks is not one message.
    #[inline]
    pub fn commit_marked(&mut self, len: usize, ecn: u8) -> bool {
        self.slots.commit(len, ecn & 3)
    }

    /// How many packets wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no packet waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.len() == 0
    }

    /// How many packets can still be reserved.
    #[must_use]
    pub fn free(&self) -> usize {
        self.slots.free()
    }

    /// Sends everything that waits and frees all slots. Never blocks: what a full send buffer does not take is dropped
    /// and counted, as a router would.
    pub fn flush<'s>(&mut self, sockets: impl Fn(u32) -> Option<&'s Socket>) -> FlushStats {
        let mut stats = FlushStats::default();
        for id in self.slots.busy_sockets() {
            let socket = sockets(id);
            let max_segments = socket.map_or(1, Socket::max_segments);
            self.runs.clear();
            let runs = &mut self.runs;
            self.slots.for_each_run(id, max_segments, |run| runs.push(run));
            match socket {
                Some(socket) => {
                    Flush { slots: &self.slots, socket, stats: &mut stats }
                        .send(&self.runs, &mut self.headers);
                }
                None => {
                    stats.dropped_error += self.runs.iter().map(|run| u64::from(run.packets)).sum::<u64>()
                }
            }
        }
        self.slots.clear();
        stats
    }
}

/// The sending of what waits for one socket.
struct Flush<'a> {
    slots: &'a Slots,
    socket: &'a Socket,
    stats: &'a mut FlushStats,
}

/// The system call that a flush makes.
trait Transmit {
    /// Sends messages from number `from` on; returns how many the system took.
    fn transmit(&mut self, socket: &Socket, from: usize) -> io::Result<usize>;
}

impl Transmit for Outgoing<'_, '_> {
    fn transmit(&mut self, socket: &Socket, from: usize) -> io::Result<usize> {
        self.send(socket, from)
    }
}

/// What to do after an error.
enum Remedy {
    Retry,
    OneByOne { for_good: bool },
    DropMessage,
    DropAll,
}

impl Flush<'_> {
    fn send(&mut self, runs: &[Run], headers: &mut SendHeaders) {
        if !self.socket.is_batched() {
            return self.send_one_by_one(runs);
        }
        for (index, part) in runs.chunks(MAX_MESSAGES).enumerate() {
            let mut outgoing = headers.begin();
            for run in part {
                let mark = self.mark(run);
                let destination = self.socket.reachable(run.destination);
                let destination = (!self.socket.is_connected_to(destination)).then_some(destination);
                let segment = (run.packets > 1).then_some(run.segment);
                outgoing.push(destination, segment, mark, self.slots.packets(*run));
            }
            if !self.send_part(part, &mut outgoing) {
                // The send buffer is full: what is behind this part would fare no better.
                self.stats.dropped_would_block +=
                    count(runs.get((index + 1) * MAX_MESSAGES..).unwrap_or_default());
                return;
            }
        }
    }

    /// `false` when the send buffer is full.
    fn send_part(&mut self, runs: &[Run], outgoing: &mut impl Transmit) -> bool {
        let (mut at, mut stale_errors) = (0, 0);
        while let Some(run) = runs.get(at).copied() {
            if run.packets > 1 && self.socket.max_segments() == 1 {
                self.send_one_by_one(&[run]);
                at += 1;
                continue;
            }
            self.stats.system_calls += 1;
            let error = match outgoing.transmit(self.socket, at) {
                Ok(messages) => {
                    self.account(runs.get(at..at + messages).unwrap_or_default());
                    at += messages.max(1);
                    stale_errors = 0;
                    continue;
                }
                Err(error) => error,
            };
            match self.remedy(&error, run.packets > 1, &mut stale_errors) {
                Remedy::Retry => {}
                Remedy::OneByOne { for_good } => {
                    self.socket.segmentation_failed(for_good);
                    self.send_one_by_one(&[run]);
                    at += 1;
                }
                Remedy::DropMessage => {
                    self.stats.dropped_error += u64::from(run.packets);
                    at += 1;
                }
                Remedy::DropAll => {
                    self.stats.dropped_would_block += count(runs.get(at..).unwrap_or_default());
                    return false;
                }
            }
        }
        true
    }

    fn account(&mut self, sent: &[Run]) {
        for run in sent {
            self.stats.packets += u64::from(run.packets);
            self.stats.bytes += self.slots.packets(*run).map(|packet| packet.len() as u64).sum::<u64>();
            if run.packets > 1 {
                self.stats.gso_messages += 1;
                self.socket.segmentation_worked();
            }
        }
    }

    fn send_one_by_one(&mut self, runs: &[Run]) {
        for run in runs {
            let (mark, destination) = (self.mark(run), self.socket.reachable(run.destination));
            for packet in self.slots.packets(*run) {
                self.send_packet(packet, destination, mark);
            }
        }
    }

    /// What the headers of a run are marked with, if with anything.
    fn mark(&self, run: &Run) -> Option<Mark> {
        let Run { ecn, destination, .. } = *run;
        let ipv6 = matches!(destination, SocketAddr::V6(v6) if v6.ip().to_ipv4_mapped().is_none());
        (ecn != 0 && self.socket.has_ecn()).then_some(Mark { ecn, ipv6 })
    }

    fn send_packet(&mut self, packet: &[u8], destination: SocketAddr, mark: Option<Mark>) {
        let mut stale_errors = 0;
        loop {
            self.stats.system_calls += 1;
            let sent = match mark {
                Some(mark) => send_marked(self.socket, packet, destination, mark),
                None => self.socket.udp().send_to(packet, destination).map(drop),
            };
            let Err(error) = sent else {
                self.stats.packets += 1;
                self.stats.bytes += packet.len() as u64;
                return;
            };
            match self.remedy(&error, false, &mut stale_errors) {
                Remedy::Retry => {}
                Remedy::DropAll => return self.stats.dropped_would_block += 1,
                Remedy::DropMessage | Remedy::OneByOne { .. } => return self.stats.dropped_error += 1,
            }
        }
    }

    fn remedy(&mut self, error: &io::Error, segmented: bool, stale_errors: &mut u32) -> Remedy {
        match error.kind() {
            io::ErrorKind::Interrupted => Remedy::Retry,
            io::ErrorKind::WouldBlock => Remedy::DropAll,
            // A pending error of an earlier packet takes the place of the call; the message itself was not tried.
            io::ErrorKind::ConnectionRefused if *stale_errors < MAX_STALE_ERRORS => {
                *stale_errors += 1;
                self.stats.refused += 1;
                Remedy::Retry
            }
            _ => match error.raw_os_error() {
                // The device cannot checksum, so that it cannot segment either.
                Some(libc::EIO) if segmented => Remedy::OneByOne { for_good: true },
                // A segment longer than the path's MTU, or a kernel that takes fewer of them.
                Some(libc::EINVAL | libc::EMSGSIZE) if segmented => Remedy::OneByOne { for_good: false },
                Some(libc::ENOBUFS) => Remedy::DropAll,
                _ => Remedy::DropMessage,
            },
        }
    }
}

fn count(runs: &[Run]) -> u64 {
    runs.iter().map(|run| u64::from(run.packets)).sum()
}

#[cfg(all(test, target_os = "linux"))]
#[path = "send_tests.rs"]
mod tests;
