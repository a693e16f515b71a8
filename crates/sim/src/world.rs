//! Cores, links and hosts in one virtual time that jumps to the next packet or deadline.
//!
//! Everything follows from the seed and the calls, so the trace of two runs is the same, byte for byte. The world reads no
//! clock and knows no media; what packets mean is the business of the Cores and of the hosts' model endpoints.

use crate::batch::{One, Outbox};
use crate::capture::Capture;
use crate::endpoint::{Host, Receiver, Sender};
use crate::link::{Delivery, Link, LinkConfig, LinkStats};
use crate::trace::Trace;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tureen_media_model::{
    ConsumerId, Core, CoreConfig, CoreCounters, Event, Population, ProducerId, RelayBatch, Request, ShardId,
    TransportId,
};
use tureen_rtp_wire::{NtpTime, Time, WallClock};
use tureen_transport::{Arrival, BoundSocket, Destination, PlainTransport, SocketId};

/// How long a relay batch takes from shard to shard.
const RELAY_DELAY: Duration = Duration::from_micros(20);
/// 2024-01-01T00:00:00Z: what the wall clock shows at [`Time::ZERO`].
const EPOCH: NtpTime = NtpTime::new(3_913_056_000, 0);
/// A multiplier that spreads one seed over many generators (the golden ratio in 64 bits).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A host of a [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub(crate) usize);

#[derive(Debug)]
struct Shard {
    core: Core<PlainTransport>,
    timeouts: u64,
}

#[derive(Debug)]
struct Attached {
    host: Host,
    shard: usize,
    socket: SocketId,
    transport: TransportId,
    up: Link,
    down: Link,
    capture: Option<Capture>,
}

#[derive(Debug)]
enum Arriving {
    AtCore { shard: usize, arrival: Arrival, bytes: Vec<u8> },
    AtHost { host: usize, from: SocketAddr, bytes: Vec<u8> },
    Relay { shard: usize, batch: RelayBatch },
}

/// Shards, hosts and the links between them.
#[derive(Debug)]
pub struct World {
    pub(crate) now: Time,
    seed: u64,
    wall_clock: WallClock,
    shards: Vec<Shard>,
    hosts: Vec<Attached>,
    by_address: BTreeMap<SocketAddr, usize>,
    pub(crate) senders: BTreeMap<ProducerId, (HostId, usize, ShardId)>,
    pub(crate) receivers: BTreeMap<ConsumerId, (HostId, usize)>,
    pub(crate) next_id: u128,
    heap: BinaryHeap<Reverse<(Time, u64)>>,
    arriving: BTreeMap<u64, Arriving>,
    next_arrival: u64,
    events: Vec<(Time, ShardId, Event)>,
    released: Vec<SocketId>,
    trace: Trace,
    outbox: Outbox,
    scratch: Vec<Vec<u8>>,
}

impl World {
    /// A world with one shard.
    pub fn new(seed: u64) -> Self {
        Self::with_shards(seed, 1)
    }

    /// A world with `shards` shards, 1 to 255. There is one router, which spans all of them.
    pub fn with_shards(seed: u64, shards: u8) -> Self {
        let wall_clock = WallClock::new(EPOCH);
        let core = |shard: u8| {
            let seed = seed ^ SPREAD.wrapping_mul(u64::from(shard) + 1);
            Core::new(CoreConfig { shard: ShardId(shard), seed, wall_clock })
        };
        let mut world = Self {
            now: Time::from_millis(1000),
            seed,
            wall_clock,
            shards: (0..shards.max(1)).map(|shard| Shard { core: core(shard), timeouts: 0 }).collect(),
            hosts: Vec::new(),
            by_address: BTreeMap::new(),
            senders: BTreeMap::new(),
            receivers: BTreeMap::new(),
            next_id: 1,
            heap: BinaryHeap::new(),
            arriving: BTreeMap::new(),
            next_arrival: 0,
            events: Vec::new(),
            released: Vec::new(),
            trace: Trace::default(),
            outbox: Outbox::default(),
            scratch: Vec::new(),
        };
        world.create_routers();
        world
    }

    /// Virtual time. It starts at one second.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The clock that sender reports go by.
    pub fn wall_clock(&self) -> WallClock {
        self.wall_clock
    }

    /// The shards.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.shards.len()).map(|shard| ShardId(shard as u8))
    }

    /// What happened, a line an event.
    pub fn trace(&self) -> &str {
        self.trace.text()
    }

    /// What the Cores told so far, and when.
    pub fn events(&self) -> &[(Time, ShardId, Event)] {
        &self.events
    }

    /// Sockets that Cores gave back.
    pub fn released_sockets(&self) -> &[SocketId] {
        &self.released
    }

    /// How often a shard's Core was called because a deadline had come.
    pub fn timeouts(&self, shard: ShardId) -> u64 {
        self.shards[usize::from(shard.0)].timeouts
    }

    /// The counters of a shard's Core.
    pub fn counters(&self, shard: ShardId) -> CoreCounters {
        *self.shards[usize::from(shard.0)].core.counters()
    }

    /// How many objects a shard's Core holds.
    pub fn population(&self, shard: ShardId) -> Population {
        self.shards[usize::from(shard.0)].core.population()
    }

    /// Makes a request of a shard's Core, and lets it have its effect.
    pub fn request<R: Request<PlainTransport>>(&mut self, shard: ShardId, request: R) -> R::Reply {
        let index = usize::from(shard.0);
        let reply = self.shards[index].core.handle_command(self.now, request.into());
        self.drain(index);
        R::reply(reply).expect("a Core answers a request with the reply of its name")
    }

    /// Attaches a host to a shard: a transport with a socket of its own, and a link in each direction.
    pub(crate) fn attach(
        &mut self,
        shard: ShardId,
        transport: TransportId,
        up: LinkConfig,
        down: LinkConfig,
    ) -> HostId {
        let index = self.hosts.len();
        let number = u8::try_from(index % 250).expect("below 250") + 1;
        let address = SocketAddr::from((Ipv4Addr::new(10, 1, (index / 250) as u8, number), 5004));
        let socket = SocketId(index as u32);
        let local = self.local_address(shard, socket);
        let seed = self.seed ^ SPREAD.wrapping_mul(1000 + index as u64);
        self.by_address.insert(address, index);
        self.hosts.push(Attached {
            host: Host::new(address, local),
            shard: usize::from(shard.0),
            socket,
            transport,
            up: Link::new(up, seed),
            down: Link::new(down, seed.rotate_left(32)),
            capture: None,
        });
        HostId(index)
    }

    /// The socket of the next host to be attached to `shard`.
    pub(crate) fn next_socket(&self, shard: ShardId) -> BoundSocket {
        let id = SocketId(self.hosts.len() as u32);
        BoundSocket { id, local: self.local_address(shard, id) }
    }

    fn local_address(&self, shard: ShardId, socket: SocketId) -> SocketAddr {
        let port = 40_000 + u16::try_from(socket.0).expect("fewer hosts than ports");
        SocketAddr::from((Ipv4Addr::new(10, 0, 0, shard.0 + 1), port))
    }

    /// A host.
    pub fn host(&self, id: HostId) -> &Host {
        &self.hosts[id.0].host
    }

    /// A host, to be changed.
    pub fn host_mut(&mut self, id: HostId) -> &mut Host {
        &mut self.hosts[id.0].host
    }

    /// The transport that a host is attached to.
    pub fn transport_of(&self, id: HostId) -> TransportId {
        self.hosts[id.0].transport
    }

    /// The shard that a host is attached to.
    pub fn shard_of(&self, id: HostId) -> ShardId {
        ShardId(self.hosts[id.0].shard as u8)
    }

    /// What a host's links did: towards the shard, and back.
    pub fn link_stats(&self, id: HostId) -> (LinkStats, LinkStats) {
        (self.hosts[id.0].up.stats(), self.hosts[id.0].down.stats())
    }

    /// Puts other links in place of a host's. What is under way still arrives.
    pub fn relink(&mut self, id: HostId, up: LinkConfig, down: LinkConfig) {
        let seed = self.seed ^ SPREAD.wrapping_mul(self.next_arrival + 7);
        let attached = &mut self.hosts[id.0];
        attached.up = Link::new(up, seed);
        attached.down = Link::new(down, seed.rotate_left(32));
    }

    /// The model sender behind a producer.
    pub fn sender(&self, producer: ProducerId) -> &Sender {
        let (host, index, _) = self.senders[&producer];
        &self.host(host).senders[index]
    }

    /// The model sender behind a producer, to be changed.
    pub fn sender_mut(&mut self, producer: ProducerId) -> &mut Sender {
        let (host, index, _) = self.senders[&producer];
        &mut self.host_mut(host).senders[index]
    }

    /// The model receiver behind a consumer.
    pub fn receiver(&self, consumer: ConsumerId) -> &Receiver {
        let (host, index) = self.receivers[&consumer];
        &self.host(host).receivers[index]
    }

    /// Starts recording what a host's interface sees.
    pub fn start_capture(&mut self, id: HostId) {
        self.hosts[id.0].capture = Some(Capture::new());
    }

    /// Ends the recording; returns it as a pcap file. `None` if there was none.
    pub fn take_capture(&mut self, id: HostId) -> Option<Vec<u8>> {
        self.hosts[id.0].capture.take().map(Capture::into_bytes)
    }

    /// Lets a datagram arrive at the socket of a host's transport now, from any address: what an attacker can do.
    pub fn inject(&mut self, at: HostId, from: SocketAddr, bytes: Vec<u8>) {
        let (shard, socket) = (self.hosts[at.0].shard, self.hosts[at.0].socket);
        let arrival = Arrival { socket, source: from };
        self.enqueue(self.now, Arriving::AtCore { shard, arrival, bytes });
    }

    /// Lets a host send a datagram over its link now.
    pub fn send_from(&mut self, id: HostId, bytes: Vec<u8>) {
        self.host_sends(id.0, vec![bytes]);
    }

    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now + duration);
    }

    /// Lets time pass until `end`, all that is due then included.
    pub fn run_until(&mut self, end: Time) {
        while let Some(at) = self.next_deadline().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.step();
        }
        self.now = self.now.max(end);
    }

    fn next_deadline(&self) -> Option<Time> {
        let packet = self.heap.peek().map(|Reverse((at, _))| *at);
        let cores = self.shards.iter().filter_map(|shard| shard.core.poll_timeout()).map(|(at, _)| at);
        let hosts = self.hosts.iter().map(|attached| attached.host.next_deadline());
        cores.chain(packet).chain(hosts).min().filter(|&at| at != Time::NEVER)
    }

    /// Does all that is due now: first what arrives, then deadlines.
    fn step(&mut self) {
        while let Some(&Reverse((at, number))) = self.heap.peek().filter(|Reverse((at, _))| *at <= self.now) {
            debug_assert!(at <= self.now, "packets arrive in order");
            self.heap.pop();
            if let Some(arriving) = self.arriving.remove(&number) {
                self.arrive(arriving);
            }
        }
        for shard in 0..self.shards.len() {
            self.fire(shard);
        }
        for host in 0..self.hosts.len() {
            if self.hosts[host].host.next_deadline() <= self.now {
                let mut out = std::mem::take(&mut self.scratch);
                self.hosts[host].host.on_deadline(self.now, &mut out);
                self.host_sends(host, out);
            }
        }
    }

    fn fire(&mut self, index: usize) {
        let shard = &mut self.shards[index];
        let Some((_, reason)) = shard.core.poll_timeout().filter(|(at, _)| *at <= self.now) else { return };
        self.trace.timeout(self.now, index, reason);
        shard.timeouts += 1;
        shard.core.handle_timeout(self.now, &mut self.outbox);
        let next = shard.core.poll_timeout();
        assert!(next.is_none_or(|(at, _)| at > self.now), "hot timer: {next:?} at {:?}", self.now);
        self.drain(index);
    }

    fn arrive(&mut self, arriving: Arriving) {
        match arriving {
            Arriving::AtCore { shard, arrival, bytes } => {
                let mut batch = One::new(arrival, bytes);
                self.shards[shard].core.handle_batch(self.now, &mut batch, &mut self.outbox);
                self.drain(shard);
            }
            Arriving::Relay { shard, batch } => {
                self.shards[shard].core.handle_relay(self.now, &batch, &mut self.outbox);
                self.drain(shard);
            }
            Arriving::AtHost { host, from, bytes } => {
                let attached = &mut self.hosts[host];
                if let Some(capture) = &mut attached.capture {
                    capture.add(self.now, from, attached.host.address, &bytes);
                }
                let mut out = std::mem::take(&mut self.scratch);
                attached.host.on_datagram(self.now, from, &bytes, &mut out);
                self.host_sends(host, out);
            }
        }
    }

    /// Takes all out of a Core that it has to say and to send.
    fn drain(&mut self, index: usize) {
        let shard = ShardId(index as u8);
        for (to, bytes) in self.outbox.take() {
            self.core_sends(index, to, bytes);
        }
        while let Some(event) = self.shards[index].core.poll_event() {
            self.trace.event(self.now, index, &event);
            self.events.push((self.now, shard, event));
        }
        while let Some(socket) = self.shards[index].core.poll_released_socket() {
            self.released.push(socket);
        }
        let mut recycled = Vec::new();
        while let Some((to, batch)) = self.shards[index].core.poll_relay(&mut recycled) {
            self.trace.relay(self.now, index, usize::from(to.0), batch.packets());
            if usize::from(to.0) < self.shards.len() {
                self.enqueue(self.now + RELAY_DELAY, Arriving::Relay { shard: usize::from(to.0), batch });
            }
        }
    }

    fn core_sends(&mut self, shard: usize, to: Destination, bytes: Vec<u8>) {
        let Destination::Socket { socket, remote } = to else { return };
        let from = self.local_address(ShardId(shard as u8), socket);
        let Some(&host) = self.by_address.get(&remote) else {
            self.trace.datagram(self.now, from, remote, &bytes, None);
            return;
        };
        let delivery = self.hosts[host].down.send(self.now, bytes.len());
        self.trace.datagram(self.now, from, remote, &bytes, Some(delivery));
        for at in delivery.arrivals() {
            self.enqueue(at, Arriving::AtHost { host, from, bytes: bytes.clone() });
        }
    }

    fn host_sends(&mut self, index: usize, mut datagrams: Vec<Vec<u8>>) {
        for bytes in datagrams.drain(..) {
            let attached = &mut self.hosts[index];
            let (from, to) = (attached.host.address, attached.host.peer);
            if let Some(capture) = &mut attached.capture {
                capture.add(self.now, from, to, &bytes);
            }
            let delivery: Delivery = attached.up.send(self.now, bytes.len());
            self.trace.datagram(self.now, from, to, &bytes, Some(delivery));
            let (shard, socket) = (self.hosts[index].shard, self.hosts[index].socket);
            for at in delivery.arrivals() {
                let arrival = Arrival { socket, source: from };
                self.enqueue(at, Arriving::AtCore { shard, arrival, bytes: bytes.clone() });
            }
        }
        self.scratch = datagrams;
    }

    fn enqueue(&mut self, at: Time, arriving: Arriving) {
        self.heap.push(Reverse((at, self.next_arrival)));
        self.arriving.insert(self.next_arrival, arriving);
        self.next_arrival += 1;
    }
}
