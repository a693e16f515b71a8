//! The Core: all state of one shard, and the surface that drivers turn.
//!
//! Turn it like this: hand in what arrived ([`Core::handle_batch`], [`Core::handle_command`], [`Core::handle_relay`]), then
//! take out what follows ([`Core::poll_event`], [`Core::poll_relay`], [`Core::poll_released_socket`]) until nothing is left, and
//! sleep no longer than [`Core::poll_timeout`] says; then call [`Core::handle_timeout`]. Packets leave through the
//! [`Egress`](tureen_transport::Egress) given along. Time and randomness come from outside: the same input and seed give the same output.

use crate::arena::{Arena, Key};
use crate::consumer::Consumer;
use crate::data::{DataCounters, DataModel};
use crate::event::EventQueue;
use crate::id::{ConsumerId, ProducerId, RouterId, RtpObserverId, ShardId, TransportId};
use crate::observers::{Observing, RtpObserver};
use crate::producer::Producer;
use crate::relay::{RelayBatch, RelayOut};
use crate::router::Router;
use crate::sockets::SocketTable;
use crate::source::{Burst, Source};
use crate::switches::SwitchCause;
use crate::timers::{Timer, Timers};
use crate::transport_state::{TransportState, TransportTag};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use tureen_forwarding::DropCounters;
use tureen_forwarding::store::STORE_STRIDE;
use tureen_rtp_wire::{Time, WallClock};
use tureen_transport::{Component, Destination, Lane, SocketId, Transport};

/// How a Core is made.
#[derive(Clone, Copy, Debug)]
pub struct CoreConfig {
    /// The shard that it is.
    pub shard: ShardId,
    /// What its random numbers follow from. They name streams; none is a secret.
    pub seed: u64,
    /// NTP time of the driver's clock.
    pub wall_clock: WallClock,
}

/// What a Core has done, for metrics. Bytes are those of whole datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreCounters {
    /// Datagrams that came in.
    pub datagrams_received: u64,
    /// Bytes of those.
    pub bytes_received: u64,
    /// RTP packets that went out, retransmissions included.
    pub packets_sent: u64,
    /// Bytes of those, and of the RTCP compounds.
    pub bytes_sent: u64,
    /// RTCP compounds that went out.
    pub rtcp_sent: u64,
    /// Retransmissions among the packets.
    pub retransmissions: u64,
    /// Datagrams that belong to no transport.
    pub unknown_socket: u64,
    /// Datagrams that transports dropped.
    pub rejected: u64,
    /// RTP packets of no known producer.
    pub unknown_stream: u64,
    /// RTP packets with a payload type that their producer does not have, or a payload that does not parse.
    pub bad_payload: u64,
    /// RTP packets that came twice or too late.
    pub discarded: u64,
    /// RTCP compounds that do not parse.
    pub bad_rtcp: u64,
    /// Reports on what arrived (transport-wide feedback, RFC 8888) that nobody asked their sender for.
    pub unwanted_feedback: u64,
    /// Packets that RFC 8888 feedback told of and that were not sent, or too long ago. Those that were given up while they waited for room
    /// on the path are among them.
    pub unknown_reported: u64,
    /// Packets that consumers dropped.
    pub dropped: u64,
    /// Packets relayed to other shards.
    pub relayed: u64,
    /// Key frames asked for.
    pub key_frame_requests: u64,
    /// Consumers that started from what came since the last key frame, without asking for one.
    pub replays: u64,
    /// Messages.
    pub data: DataCounters,
}

/// How many objects a Core holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Population {
    /// Routers.
    pub routers: usize,
    /// Transports.
    pub transports: usize,
    /// Producers.
    pub producers: usize,
    /// Sources: of its producers, and mirrors of those of other shards.
    pub sources: usize,
    /// Consumers.
    pub consumers: usize,
    /// RTP observers.
    pub rtp_observers: usize,
    /// Data producers.
    pub data_producers: usize,
    /// Sources of data: of its data producers, and mirrors of those of other shards.
    pub data_sources: usize,
    /// Data consumers.
    pub data_consumers: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) routers: FxHashMap<RouterId, Key<Router>>,
    pub(crate) transports: FxHashMap<TransportId, Key<TransportTag>>,
    pub(crate) producers: FxHashMap<ProducerId, Key<Producer>>,
    pub(crate) sources: FxHashMap<ProducerId, Key<Source>>,
    pub(crate) consumers: FxHashMap<ConsumerId, Key<Consumer>>,
    pub(crate) observers: FxHashMap<RtpObserverId, Key<RtpObserver>>,
}

/// The last datagram of a transport that is gone.
#[derive(Debug)]
pub(crate) struct Farewell {
    pub(crate) lane: Lane,
    pub(crate) to: Destination,
    pub(crate) bytes: Box<[u8]>,
}

/// What transports that are gone leave behind.
#[derive(Debug, Default)]
pub(crate) struct Leavings {
    /// Their sockets.
    pub(crate) released: VecDeque<SocketId>,
    pub(crate) farewells: Vec<Farewell>,
}

/// Routers, transports, producers and consumers of one shard.
pub struct Core<T> {
    pub(crate) config: CoreConfig,
    pub(crate) rng: Pcg64Mcg,
    pub(crate) routers: Arena<Router>,
    pub(crate) transports: Arena<TransportState<T>, TransportTag>,
    pub(crate) producers: Arena<Producer>,
    pub(crate) sources: Arena<Source>,
    pub(crate) consumers: Arena<Consumer>,
    pub(crate) data: DataModel,
    pub(crate) index: Index,
    pub(crate) sockets: SocketTable,
    pub(crate) timers: Timers,
    pub(crate) events: EventQueue,
    pub(crate) relay: RelayOut,
    pub(crate) observing: Observing,
    /// Sources with packets that wait for the end of the batch.
    pub(crate) waiting: Vec<Key<Source>>,
    /// Consumers that are to switch layers, have done so, or could not.
    pub(crate) switched: Vec<Key<Consumer>>,
    /// Where payloads of a burst are copied that each consumer patches.
    pub(crate) scratch: Box<[u8]>,
    pub(crate) leavings: Leavings,
    pub(crate) counters: CoreCounters,
    pub(crate) tally: ConsumerTally,
}

/// What is counted of consumers beyond their own counters.
#[derive(Debug, Default)]
pub(crate) struct ConsumerTally {
    /// Switches, by cause.
    pub(crate) switches: [u64; SwitchCause::COUNT],
    /// What those dropped that are gone.
    pub(crate) past_drops: DropCounters,
}

impl<T> std::fmt::Debug for Core<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("config", &self.config)
            .field("population", &self.population())
            .finish_non_exhaustive()
    }
}

impl<T> Core<T> {
    /// How many objects it holds.
    pub fn population(&self) -> Population {
        Population {
            routers: self.routers.len(),
            transports: self.transports.len(),
            producers: self.producers.len(),
            sources: self.sources.len(),
            consumers: self.consumers.len(),
            rtp_observers: self.observing.observers.len(),
            data_producers: self.data.producers.len(),
            data_sources: self.data.sources.len(),
            data_consumers: self.data.consumers.len(),
        }
    }
}

impl<T: Transport> Core<T> {
    /// An empty Core.
    pub fn new(config: CoreConfig) -> Self {
        Self {
            config,
            rng: Pcg64Mcg::seed_from_u64(config.seed),
            routers: Arena::default(),
            transports: Arena::default(),
            producers: Arena::default(),
            sources: Arena::default(),
            consumers: Arena::default(),
            data: DataModel::default(),
            index: Index::default(),
            sockets: SocketTable::default(),
            timers: Timers::default(),
            events: EventQueue::default(),
            relay: RelayOut::default(),
            observing: Observing::default(),
            waiting: Vec::new(),
            switched: Vec::new(),
            scratch: vec![0; Burst::CAPACITY * STORE_STRIDE].into_boxed_slice(),
            leavings: Leavings::default(),
            counters: CoreCounters::default(),
            tally: ConsumerTally::default(),
        }
    }

    /// The next deadline and what it is for.
    pub fn poll_timeout(&self) -> Option<(Time, Timer)> {
        self.timers.next()
    }

    /// A socket whose transport is gone: to be closed.
    pub fn poll_released_socket(&mut self) -> Option<SocketId> {
        self.leavings.released.pop_front()
    }

    /// A batch for another shard. Give emptied batches back in `recycled`.
    pub fn poll_relay(&mut self, recycled: &mut Vec<RelayBatch>) -> Option<(ShardId, RelayBatch)> {
        self.relay.take(recycled)
    }

    /// The direct transport behind a lane, and the component.
    pub fn lane_owner(&self, lane: Lane) -> Option<(TransportId, Component)> {
        let transport = self.transports.at(lane.0 / 2)?;
        Some((transport.id, if lane.0.is_multiple_of(2) { Component::Rtp } else { Component::Rtcp }))
    }

    /// What it has done so far.
    pub fn counters(&self) -> &CoreCounters {
        &self.counters
    }

    /// Traces that were lost because nobody took them.
    pub fn lost_traces(&self) -> u64 {
        self.events.lost_traces()
    }

    /// A random SSRC in the range that mediasoup uses for what it makes up itself, with room for `count` behind it.
    pub(crate) fn draw_ssrc(&mut self, count: u32) -> u32 {
        100_000_000 + self.rng.next_u32() % (900_000_000 - count)
    }
}
