//! A line a minute of what the server has to do.

use crate::http::App;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tureen::runtime::ShardSnapshot;

const EVERY: Duration = Duration::from_secs(60);

/// What shards have done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Work {
    datagrams_in: u64,
    packets_out: u64,
    bytes_in: u64,
    bytes_out: u64,
    cpu: Duration,
}

impl Work {
    fn of(shards: &[ShardSnapshot]) -> Self {
        shards.iter().fold(Self::default(), |sum, shard| Self {
            datagrams_in: sum.datagrams_in.wrapping_add(shard.core.datagrams_received),
            packets_out: sum.packets_out.wrapping_add(shard.core.packets_sent),
            bytes_in: sum.bytes_in.wrapping_add(shard.core.bytes_received),
            bytes_out: sum.bytes_out.wrapping_add(shard.core.bytes_sent),
            cpu: sum.cpu.saturating_add(shard.cpu_time),
        })
    }
}

/// Bits per second of so many bytes in one turn.
fn bitrate(bytes: u64) -> u64 {
    bytes.saturating_mul(8) / EVERY.as_secs()
}

/// Logs the load, forever.
pub(crate) async fn tell_load(app: Arc<App>) {
    let mut turns = interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = Work::default();
    // The first turn is at once.
    turns.tick().await;
    loop {
        turns.tick().await;
        let Ok(shards) = app.rooms.worker().snapshot().await else { continue };
        let (census, now) = (app.rooms.census(), Work::of(&shards));
        let cpu = now.cpu.saturating_sub(before.cpu).as_secs_f64() / EVERY.as_secs_f64();
        tracing::info!(
            rooms = census.rooms,
            peers = census.peers,
            broadcasters = census.broadcasters,
            transports = shards.iter().map(|shard| shard.population.transports).sum::<usize>(),
            consumers = shards.iter().map(|shard| shard.population.consumers).sum::<usize>(),
            packets_in = now.datagrams_in.wrapping_sub(before.datagrams_in),
            packets_out = now.packets_out.wrapping_sub(before.packets_out),
            bits_in_per_second = bitrate(now.bytes_in.wrapping_sub(before.bytes_in)),
            bits_out_per_second = bitrate(now.bytes_out.wrapping_sub(before.bytes_out)),
            cores = format_args!("{cpu:.2}"),
            "load of the last minute"
        );
        before = now;
    }
}
