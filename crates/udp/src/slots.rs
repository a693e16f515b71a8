//! The packets of a send batch: a recycled pool of slots, chained by lane, the lanes chained by socket. Knows no system
//! call.

use std::net::SocketAddr;

const NONE: u32 = u32::MAX;
const CACHE_LINE: usize = 64;
/// Lanes and sockets are indices of tables, whose memory this bounds.
const MAX_INDEX: u32 = 1 << 20;
/// The longest UDP payload over IPv4; over IPv6 it could be 20 bytes longer.
const MAX_MESSAGE_LEN: usize = 65_507;

/// A pool of packets that wait to be sent.
#[derive(Debug)]
pub(crate) struct Slots {
    buf: Box<[u8]>,
    /// How many there are.
    count: usize,
    stride: usize,
    slot_len: usize,
    packets: Vec<Packet>,
    chains: Vec<Chain>,
    /// The open chain of each lane.
    lanes: Vec<u32>,
    /// First and last chain of each socket.
    sockets: Vec<(u32, u32)>,
    busy_sockets: Vec<u32>,
    pending: Pending,
}

/// Where the packet in the slot that was handed out last will go. Most packets follow another one to the same place, and carry
/// its chain's number rather than an address.
#[derive(Debug, Clone, Copy)]
enum Pending {
    Nothing,
    Open(u32),
    New { lane: u32, socket: u32, destination: SocketAddr },
}

#[derive(Debug, Clone, Copy)]
struct Packet {
    len: u32,
    next: u32,
}

/// The packets of one lane to one destination with one mark.
#[derive(Debug)]
struct Chain {
    lane: u32,
    socket: u32,
    destination: SocketAddr,
    /// The two bits of their mark.
    ecn: u8,
    first: u32,
    last: u32,
    /// The next chain of the same socket.
    next: u32,
}

/// Consecutive packets of a chain that can be one message: equal lengths, the last may be shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) destination: SocketAddr,
    /// The two bits of the mark that they have in common.
    pub(crate) ecn: u8,
    pub(crate) first: u32,
    pub(crate) packets: u32,
    pub(crate) segment: u16,
}

impl Slots {
    pub(crate) fn new(slots: usize, slot_len: usize) -> Self {
        let slots = slots.clamp(1, NONE as usize - 1);
        let slot_len = slot_len.clamp(1, MAX_MESSAGE_LEN);
        // An odd number of cache lines, so that the starts of the slots spread over all sets of the cache.
        let stride = (slot_len.div_ceil(CACHE_LINE) | 1) * CACHE_LINE;
        Self {
            buf: vec![0; slots * stride].into_boxed_slice(),
            count: slots,
            stride,
            slot_len,
            packets: Vec::with_capacity(slots),
            chains: Vec::with_capacity(slots),
            lanes: Vec::new(),
            sockets: Vec::new(),
            busy_sockets: Vec::new(),
            pending: Pending::Nothing,
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.packets.capacity()
    }

    pub(crate) fn len(&self) -> usize {
        self.packets.len()
    }

    pub(crate) fn free(&self) -> usize {
        self.count - self.packets.len()
    }

    pub(crate) fn reserve(
        &mut self,
        lane: u32,
        socket: u32,
        destination: SocketAddr,
        capacity: usize,
    ) -> Option<&mut [u8]> {
        if capacity > self.slot_len || self.free() == 0 || lane >= MAX_INDEX || socket >= MAX_INDEX {
            self.pending = Pending::Nothing;
            return None;
        }
        self.pending = match self.open_chain(lane, socket, &destination) {
            Some(chain) => Pending::Open(chain),
            None => Pending::New { lane, socket, destination },
        };
        let start = self.packets.len() * self.stride;
        self.buf.get_mut(start..start + capacity)
    }

    pub(crate) fn commit(&mut self, len: usize, ecn: u8) -> bool {
        let packet = self.packets.len() as u32;
        match self.pending {
            Pending::Nothing => return false,
            _ if len > self.slot_len => {
                self.pending = Pending::Nothing;
                return false;
            }
            Pending::Open(chain) => self.follow(chain, packet, ecn),
            Pending::New { lane, socket, destination } => {
                self.start_chain(lane, socket, destination, packet, ecn);
            }
        }
        self.packets.push(Packet { len: len as u32, next: NONE });
        self.pending = Pending::Nothing;
        true
    }

    /// The chain that packets of a lane to `destination` are appended to, if there is one.
    fn open_chain(&self, lane: u32, socket: u32, destination: &SocketAddr) -> Option<u32> {
        let number = *self.lanes.get(lane as usize)?;
        let chain = self.chains.get(number as usize)?;
        (chain.socket == socket && chain.destination == *destination).then_some(number)
    }

    /// Appends a packet to a chain, or to a new one behind it if it has another mark.
    fn follow(&mut self, chain: u32, packet: u32, ecn: u8) {
        let Some(chain) = self.chains.get_mut(chain as usize) else { return };
        if chain.ecn != ecn {
            let Chain { lane, socket, destination, .. } = *chain;
            return self.start_chain(lane, socket, destination, packet, ecn);
        }
        let last = std::mem::replace(&mut chain.last, packet);
        if let Some(last) = self.packets.get_mut(last as usize) {
            last.next = packet;
        }
    }

    fn start_chain(&mut self, lane: u32, socket: u32, destination: SocketAddr, packet: u32, ecn: u8) {
        let chain = self.chains.len() as u32;
        self.chains.push(Chain { lane, socket, destination, ecn, first: packet, last: packet, next: NONE });
        if self.lanes.len() <= lane as usize {
            self.lanes.resize(lane as usize + 1, NONE);
        }
        if let Some(open) = self.lanes.get_mut(lane as usize) {
            *open = chain;
        }
        if self.sockets.len() <= socket as usize {
            self.sockets.resize(socket as usize + 1, (NONE, NONE));
        }
        let Some((first, last)) = self.sockets.get_mut(socket as usize) else { return };
        if *first == NONE {
            *first = chain;
            self.busy_sockets.push(socket);
        } else if let Some(previous) = self.chains.get_mut(*last as usize) {
            previous.next = chain;
        }
        *last = chain;
    }

    /// The sockets that packets wait for, in the order of their first packet.
    pub(crate) fn busy_sockets(&self) -> impl Iterator<Item = u32> + '_ {
        self.busy_sockets.iter().copied()
    }

    /// Calls `each` with what waits for a socket: the runs of one lane in order, lane after lane.
    pub(crate) fn for_each_run(&self, socket: u32, max_segments: usize, mut each: impl FnMut(Run)) {
        let mut chain = self.sockets.get(socket as usize).map_or(NONE, |(first, _)| *first);
        while let Some(current) = self.chains.get(chain as usize) {
            let mut packet = current.first;
            while packet != NONE {
                let (run, next) = self.cut_run(current, packet, max_segments);
                each(run);
                packet = next;
            }
            chain = current.next;
        }
    }

    /// The longest run from `first` on, and the packet behind it.
    fn cut_run(&self, chain: &Chain, first: u32, max_segments: usize) -> (Run, u32) {
        let Chain { destination, ecn, .. } = *chain;
        let packet = |index: u32| self.packets.get(index as usize).copied();
        let (segment, mut next) = packet(first).map_or((0, NONE), |packet| (packet.len, packet.next));
        let (mut packets, mut total) = (1, segment as usize);
        while let Some(Packet { len, next: behind }) = packet(next) {
            let fits = total + len as usize <= MAX_MESSAGE_LEN && packets < max_segments;
            if !fits || len == 0 || len > segment {
                break;
            }
            packets += 1;
            total += len as usize;
            next = behind;
            if len < segment {
                break;
            }
        }
        (Run { destination, ecn, first, packets: packets as u32, segment: segment as u16 }, next)
    }

    /// The packets of a run.
    pub(crate) fn packets(&self, run: Run) -> impl Iterator<Item = &[u8]> {
        let mut index = run.first;
        (0..run.packets).filter_map(move |_| {
            let packet = self.packets.get(index as usize)?;
            let start = index as usize * self.stride;
            index = packet.next;
            self.buf.get(start..start + packet.len as usize)
        })
    }

    /// Makes all slots free.
    pub(crate) fn clear(&mut self) {
        for chain in self.chains.drain(..) {
            if let Some(lane) = self.lanes.get_mut(chain.lane as usize) {
                *lane = NONE;
            }
        }
        for socket in self.busy_sockets.drain(..) {
            if let Some(ends) = self.sockets.get_mut(socket as usize) {
                *ends = (NONE, NONE);
            }
        }
        self.packets.clear();
        self.pending = Pending::Nothing;
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_MESSAGE_LEN, Run, Slots};
    use std::net::SocketAddr;

    fn to(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn put(slots: &mut Slots, lane: u32, socket: u32, port: u16, len: usize) {
        slots.reserve(lane, socket, to(port), len).unwrap().fill(len as u8);
        assert!(slots.commit(len, 0));
    }

    fn shape(slots: &Slots, socket: u32, max_segments: usize) -> Vec<(u16, Vec<usize>)> {
        let mut runs: Vec<Run> = Vec::new();
        slots.for_each_run(socket, max_segments, |run| runs.push(run));
        runs.iter()
            .map(|run| (run.destination.port(), slots.packets(*run).map(<[u8]>::len).collect()))
            .collect()
    }

    #[test]
    fn runs_are_equal_but_for_a_shorter_last() {
        let mut slots = Slots::new(32, 1500);
        for len in [1200, 1200, 700, 1200, 1300, 0, 5, 5] {
            put(&mut slots, 0, 0, 1, len);
        }
        let expected = [vec![1200, 1200, 700], vec![1200], vec![1300], vec![0], vec![5, 5]];
        assert_eq!(shape(&slots, 0, 64), expected.map(|lens| (1, lens)));
        assert_eq!(shape(&slots, 0, 1).len(), 8);
        assert_eq!(shape(&slots, 0, 2)[0], (1, vec![1200, 1200]));
    }

    #[test]
    fn lanes_are_told_apart_and_stay_in_order() {
        let mut slots = Slots::new(32, 1500);
        for round in 0..3 {
            put(&mut slots, 7, 0, 1, 100 + round);
            put(&mut slots, 2, 1, 2, 50);
            put(&mut slots, 3, 0, 3, 10);
        }
        let expected =
            [(1, vec![100]), (1, vec![101]), (1, vec![102]), (3, vec![10, 10, 10])].map(|run| run.clone());
        assert_eq!(shape(&slots, 0, 64), expected);
        assert_eq!(shape(&slots, 1, 64), [(2, vec![50, 50, 50])]);
        assert_eq!(slots.busy_sockets().collect::<Vec<_>>(), [0, 1]);
        slots.clear();
        assert_eq!(shape(&slots, 0, 64), []);
        assert_eq!(slots.free(), 32);
    }

    #[test]
    fn a_lane_that_changes_its_destination_starts_anew() {
        let mut slots = Slots::new(8, 1500);
        for port in [1, 1, 2, 2, 1] {
            put(&mut slots, 0, 0, port, 9);
        }
        assert_eq!(shape(&slots, 0, 64), [(1, vec![9, 9]), (2, vec![9, 9]), (1, vec![9])]);
    }

    #[test]
    fn packets_of_one_message_have_one_mark() {
        let mut slots = Slots::new(8, 1500);
        for ecn in [0, 1, 1, 1, 0] {
            slots.reserve(0, 0, to(1), 9).unwrap().fill(9);
            assert!(slots.commit(9, ecn));
        }
        let mut runs = Vec::new();
        slots.for_each_run(0, 64, |run| runs.push((run.ecn, run.packets)));
        assert_eq!(runs, [(0, 1), (1, 3), (0, 1)]);
    }

    #[test]
    fn a_message_is_no_longer_than_a_datagram() {
        let mut slots = Slots::new(100, 1500);
        for _ in 0..60 {
            put(&mut slots, 0, 0, 1, 1400);
        }
        let shape = shape(&slots, 0, 64);
        assert_eq!(shape[0].1.len(), MAX_MESSAGE_LEN / 1400);
        assert_eq!(shape.iter().map(|(_, lens)| lens.len()).sum::<usize>(), 60);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut slots = Slots::new(2, 100);
        assert!(slots.reserve(0, 0, to(1), 101).is_none());
        assert!(slots.reserve(u32::MAX, 0, to(1), 1).is_none());
        assert!(slots.reserve(0, u32::MAX, to(1), 1).is_none());
        assert!(!slots.commit(1, 0), "nothing is reserved");
        assert!(slots.reserve(0, 0, to(1), 100).is_some());
        assert!(!slots.commit(101, 0));
        for _ in 0..2 {
            put(&mut slots, 0, 0, 1, 100);
        }
        assert!(slots.reserve(0, 0, to(1), 1).is_none());
        assert_eq!(slots.len(), 2);
    }

    #[test]
    fn a_reservation_without_commit_leaves_nothing() {
        let mut slots = Slots::new(2, 100);
        slots.reserve(0, 0, to(1), 10).unwrap();
        put(&mut slots, 0, 0, 2, 10);
        assert_eq!(shape(&slots, 0, 64), [(2, vec![10])]);
        assert_eq!(slots.free(), 1);
    }
}
