//! What a shard reports of itself for metrics.

use std::time::Duration;
use tureen_media_model::{ConsumerFigures, CoreCounters, Population, ShardId};

/// Figures of one shard since it started.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ShardSnapshot {
    /// The shard.
    pub shard: ShardId,
    /// What its Core has done: packets and bytes in and out, and drops by reason.
    pub core: CoreCounters,
    /// What its consumers have done and wait for.
    pub consumers: ConsumerFigures,
    /// Objects in it.
    pub population: Population,
    /// Its sockets and queues.
    pub io: IoCounters,
    /// Turns of its loop.
    pub turns: TurnCounters,
    /// Sockets open.
    pub sockets: usize,
    /// Trace events lost because the program did not take them in time.
    pub traces_lost: u64,
    /// CPU time of its thread.
    pub cpu_time: Duration,
}

/// What the sockets and queues of a shard have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IoCounters {
    /// Receive calls that failed for another reason than that nothing was there.
    pub receive_errors: u64,
    /// Datagrams handed to the system.
    pub datagrams_sent: u64,
    /// Bytes of those.
    pub bytes_sent: u64,
    /// System calls for that.
    pub send_calls: u64,
    /// Messages among them that carried more than one datagram (UDP_SEGMENT).
    pub segmented_messages: u64,
    /// Datagrams that the system refused, or that found no slot.
    pub sends_dropped: u64,
    /// Packets of direct transports that the program did not take in time.
    pub direct_packets_dropped: u64,
    /// Packets for other shards that found the way full.
    pub relay_packets_dropped: u64,
}

/// Turns of a shard's loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TurnCounters {
    /// All.
    pub all: u64,
    /// Those in which a deadline was reached.
    pub timed: u64,
    /// Those that found nothing to do.
    pub idle: u64,
}
