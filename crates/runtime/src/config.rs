//! How a runtime is started. Must not know how shards work inside.

use crate::clock::Clock;
use std::time::Duration;
use tureen_media_model::ShardId;

/// How a [`Runtime`](crate::Runtime) is started.
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// How many shards, 1 to 255. Default `None`: one for each core that this process may use.
    pub shards: Option<u8>,
    /// Whether shard threads are pinned to cores. Default `None`: where there are no more shards than cores.
    pub pin: Option<bool>,
    /// Seed of the Cores' generators; with the same seed and input they do the same. Default `None`: from the operating
    /// system. Keys never come from it.
    pub seed: Option<u64>,
    /// The clock that every shard reads. Default: one that starts now.
    pub clock: Clock,
    /// Queue lengths.
    pub queues: QueueSizes,
    /// How long packets may be held back to go out in larger batches, and only while more input is waiting.
    /// Default 0: packets leave after each receive batch. At most 10 ms.
    pub egress_hold: Duration,
    /// Whether sockets use the portable calls, one datagram each, even where the system has batches and offloads (GRO,
    /// UDP_SEGMENT). Default `false`.
    pub portable_io: bool,
    /// How long a shutdown waits for shard threads. Default 2 s.
    pub shutdown_timeout: Duration,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            shards: None,
            pin: None,
            seed: None,
            clock: Clock::start(),
            queues: QueueSizes::default(),
            egress_hold: Duration::ZERO,
            portable_io: false,
            shutdown_timeout: Duration::from_secs(2),
        }
    }
}

/// Lengths of the queues around a shard, each at least 1. Nothing waits for room in any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSizes {
    /// Calls that wait for a shard; one more fails with [`CallError::Busy`](crate::CallError::Busy). Default 4096.
    pub calls: usize,
    /// Packets that the program sent on direct transports of a shard and that wait there. Default 2048.
    pub program_packets: usize,
    /// Events of all shards that wait for the program. When there is no room they stay in the Cores, where they
    /// coalesce. Direct packets take at most three quarters, and are dropped beyond. Default 8192.
    pub events: usize,
    /// Relay batches on the way from one shard to another; media beyond is dropped. Default 512:
    /// a shard that the system keeps from running for a while loses nothing of a call.
    pub relay_batches: usize,
}

impl Default for QueueSizes {
    fn default() -> Self {
        Self { calls: 4096, program_packets: 2048, events: 8192, relay_batches: 512 }
    }
}

/// The longest [`RuntimeConfig::egress_hold`].
pub const MAX_EGRESS_HOLD: Duration = Duration::from_millis(10);

impl RuntimeConfig {
    pub(crate) fn check(&self) -> Result<(), StartError> {
        if self.shards == Some(0) {
            return Err(StartError::NoShards);
        }
        if self.egress_hold > MAX_EGRESS_HOLD {
            return Err(StartError::EgressHold(self.egress_hold));
        }
        let QueueSizes { calls, program_packets, events, relay_batches } = self.queues;
        let queues = [
            ("queues.calls", calls),
            ("queues.program_packets", program_packets),
            ("queues.events", events),
            ("queues.relay_batches", relay_batches),
        ];
        match queues.into_iter().find(|(_, size)| *size == 0) {
            Some((field, _)) => Err(StartError::EmptyQueue(field)),
            None => Ok(()),
        }
    }

    pub(crate) fn shard_count(&self, cores: usize) -> u8 {
        self.shards.unwrap_or_else(|| u8::try_from(cores.max(1)).unwrap_or(u8::MAX))
    }
}

/// Why a runtime could not start. Nothing of it is left running then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// `shards` is 0.
    #[error("shards must be 1 to 255")]
    NoShards,
    /// `egress_hold` is too long.
    #[error("egress_hold must be at most {MAX_EGRESS_HOLD:?}, not {0:?}")]
    EgressHold(Duration),
    /// A queue has no room.
    #[error("{0} must be at least 1")]
    EmptyQueue(&'static str),
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system: {0}")]
    Entropy(#[from] EntropyError),
    /// A shard's poller or thread could not be made.
    #[error("shard {}: {what}: {source}", shard.0)]
    Shard {
        /// The shard.
        shard: ShardId,
        /// What failed.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

/// The operating system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness")]
pub struct EntropyError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_field_is_named() {
        let refused = |change: fn(&mut RuntimeConfig)| {
            let mut config = RuntimeConfig::default();
            change(&mut config);
            config.check().expect_err("the config is bad").to_string()
        };
        assert!(refused(|config| config.shards = Some(0)).contains("shards"));
        assert!(refused(|config| config.egress_hold = Duration::from_secs(1)).contains("egress_hold"));
        assert!(refused(|config| config.queues.calls = 0).contains("queues.calls"));
        assert!(refused(|config| config.queues.program_packets = 0).contains("queues.program_packets"));
        assert!(refused(|config| config.queues.events = 0).contains("queues.events"));
        assert!(refused(|config| config.queues.relay_batches = 0).contains("queues.relay_batches"));
    }

    #[test]
    fn the_default_is_one_shard_a_core() {
        let config = RuntimeConfig::default();
        assert!(config.check().is_ok());
        assert_eq!(config.shard_count(3), 3);
        assert_eq!(config.shard_count(0), 1);
        assert_eq!(config.shard_count(1000), 255);
    }
}
