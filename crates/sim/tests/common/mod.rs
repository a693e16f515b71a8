//! What several scenario tests share.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::time::Duration;
use tureen_media_model::{ProducerId, ShardId};
use tureen_sim::World;
use tureen_sim::endpoint::ReceiverStats;
use tureen_sim::link::{LinkConfig, Loss};

/// The first shard.
pub(crate) const S0: ShardId = ShardId(0);
/// The second.
pub(crate) const S1: ShardId = ShardId(1);

/// A link with random loss, and a delay in milliseconds.
pub(crate) fn lossy(loss: f64, delay: u64) -> LinkConfig {
    LinkConfig { loss: Loss::Random(loss), delay: Duration::from_millis(delay), ..LinkConfig::default() }
}

/// Stops a source and lets everything arrive that is under way.
pub(crate) fn settle(world: &mut World, producer: ProducerId) {
    world.sender_mut(producer).stop();
    world.run_for(Duration::from_secs(3));
}

/// Nothing was missing, came twice, was altered or could not be decoded.
#[track_caller]
pub(crate) fn lossless(seen: &ReceiverStats) {
    assert_eq!((seen.missing, seen.gaps, seen.duplicates, seen.jumps), (0, 0, 0, 0), "{seen:?}");
    assert_eq!((seen.corrupt, seen.broken), (0, 0), "{seen:?}");
    assert_eq!((seen.picture_id_breaks, seen.timestamp_breaks), (0, 0), "{seen:?}");
}
