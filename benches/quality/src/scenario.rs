//! The scenarios: what the network does, and for how long. Must not know what is measured.

use crate::rival::RivalKind;
use std::time::Duration;
use tureen_rtp_wire::Time;
use tureen_sim::link::{LinkConfig, Loss, QueueLimit, RateChange};

/// Bits per second of sound, in packets of [`AUDIO_PACKET`] bytes each 20 ms.
pub const AUDIO_BITRATE: u64 = 32_000;
/// Bytes of a packet of sound.
pub const AUDIO_PACKET: u16 = 80;
/// The rates of the source.
pub const LADDER: &[u64] = &[150_000, 500_000, 1_500_000, 2_800_000];
const TALL_LADDER: &[u64] = &[150_000, 500_000, 1_500_000, 2_800_000, 8_000_000];

/// One scenario. Those that say nothing else have 120 s, 20 ms each way, 1 ms of jitter and a queue of 300 ms.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// For the command line.
    pub name: &'static str,
    /// What happens.
    pub about: &'static str,
    /// How long it takes.
    pub duration: Duration,
    /// Capacity in bits per second from a second on, ascending from 0.
    pub capacity: Vec<(u64, u64)>,
    /// One way.
    pub delay: Duration,
    /// More delay, drawn for each packet.
    pub jitter: Duration,
    /// Drop-tail.
    pub queue: Duration,
    /// Behind the bottleneck.
    pub loss: Loss,
    /// Nothing passes between these seconds, in either direction.
    pub outage: Option<(u64, u64)>,
    /// Share of the publisher's packets that reach the server late, repaired.
    pub uplink_loss: f64,
    /// How many watch.
    pub viewers: usize,
    /// They share the bottleneck; otherwise each has one of that capacity.
    pub shared: bool,
    /// A flow that goes by losses shares it too.
    pub rival: Option<RivalKind>,
    /// The source's rates.
    pub ladder: &'static [u64],
}

impl Scenario {
    fn new(name: &'static str, about: &'static str, capacity: &[(u64, u64)]) -> Self {
        Self {
            name,
            about,
            duration: Duration::from_secs(120),
            capacity: capacity.to_vec(),
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(1),
            queue: Duration::from_millis(300),
            loss: Loss::None,
            outage: None,
            uplink_loss: 0.0,
            viewers: 1,
            shared: true,
            rival: None,
            ladder: LADDER,
        }
    }

    /// The scenario of this name.
    pub fn find(name: &str) -> Option<Self> {
        scenarios().into_iter().find(|scenario| scenario.name == name)
    }

    /// Bits per second that the bottleneck carries at this time.
    pub fn capacity_at(&self, now: Time) -> u64 {
        let seconds = now.as_millis() / 1000;
        if self.is_out(now) {
            return 0;
        }
        self.capacity.iter().rev().find(|(from, _)| *from <= seconds).map_or(0, |&(_, rate)| rate)
    }

    /// Whether nothing passes.
    pub fn is_out(&self, now: Time) -> bool {
        let seconds = now.as_millis() / 1000;
        self.outage.is_some_and(|(from, to)| (from..to).contains(&seconds))
    }

    /// All that the source has, with sound.
    pub fn demand(&self) -> u64 {
        self.ladder.last().copied().unwrap_or(0) + AUDIO_BITRATE
    }

    /// The most of a capacity that the ladder lets be used.
    pub fn best(&self, capacity: u64) -> u64 {
        let fits = |rung: &&u64| **rung + AUDIO_BITRATE <= capacity;
        self.ladder.iter().rev().find(fits).copied().unwrap_or(0) + AUDIO_BITRATE
    }

    /// The link from the server.
    pub fn link(&self) -> LinkConfig {
        let first = self.capacity.first().map_or(0, |&(_, rate)| rate);
        let at = |seconds: u64| Time::from_millis(seconds * 1000);
        let mut schedule: Vec<RateChange> = self
            .capacity
            .iter()
            .skip(1)
            .map(|&(from, rate)| RateChange { at: at(from), rate: Some(rate) })
            .collect();
        if let Some((from, to)) = self.outage {
            schedule.push(RateChange { at: at(from), rate: Some(0) });
            schedule.push(RateChange { at: at(to), rate: Some(first) });
            schedule.sort_by_key(|change| change.at);
        }
        LinkConfig {
            rate: Some(first),
            schedule,
            queue: QueueLimit::Delay(self.queue),
            delay: self.delay,
            jitter: self.jitter,
            loss: self.loss,
            ..LinkConfig::default()
        }
    }
}

const M: u64 = 1_000_000;

/// All scenarios.
pub fn scenarios() -> Vec<Scenario> {
    let flat = &[(0, 3 * M)][..];
    let new = Scenario::new;
    let millis = Duration::from_millis;
    let rival = |name, about, kind, queue| Scenario {
        rival: Some(kind),
        queue: millis(queue),
        ..new(name, about, &[(0, 4 * M)])
    };
    let bursts = Loss::GilbertElliott { to_bad: 0.0051, to_good: 0.25, good_loss: 0.0, bad_loss: 1.0 };
    vec![
        new("steady-3", "3 Mbit/s", flat),
        new("steady-1", "1 Mbit/s", &[(0, M)]),
        new("steady-0.4", "0.4 Mbit/s", &[(0, 400_000)]),
        Scenario { ladder: TALL_LADDER, ..new("start", "10 Mbit/s, a source of 8", &[(0, 10 * M)]) },
        new("step", "3, 0.5 from 40 s, 3 from 80 s", &[(0, 3 * M), (40, M / 2), (80, 3 * M)]),
        new("cycle", "3 and 1 Mbit/s, 30 s each", &[(0, 3 * M), (30, M), (60, 3 * M), (90, M)]),
        Scenario { loss: Loss::Random(0.02), ..new("loss-random", "3 Mbit/s, 2% lost", flat) },
        Scenario { loss: bursts, ..new("loss-bursts", "3 Mbit/s, 2% lost in bursts of 4", flat) },
        Scenario { loss: Loss::Random(0.05), ..new("loss-5", "3 Mbit/s, 5% lost", flat) },
        Scenario { delay: millis(150), ..new("far", "3 Mbit/s, 150 ms each way", flat) },
        Scenario { jitter: millis(100), ..new("jitter", "3 Mbit/s, 100 ms of jitter", flat) },
        Scenario { outage: Some((60, 65)), ..new("outage", "3 Mbit/s, nothing from 60 to 65 s", flat) },
        Scenario { uplink_loss: 0.05, ..new("uplink", "3 Mbit/s, 5% lost before the server", flat) },
        Scenario { viewers: 4, ..new("fair", "4 viewers behind 4 Mbit/s", &[(0, 4 * M)]) },
        rival("rival-100", "a CUBIC flow at 4 Mbit/s, queue of 100 ms", RivalKind::Cubic, 100),
        rival("rival-300", "the same, queue of 300 ms", RivalKind::Cubic, 300),
        rival("quic-100", "a QUIC connection at 4 Mbit/s, queue of 100 ms", RivalKind::Quic, 100),
        rival("quic-300", "the same, queue of 300 ms", RivalKind::Quic, 300),
        Scenario {
            viewers: 100,
            shared: false,
            duration: Duration::from_secs(15),
            ..new("crowd", "100 join within 1 s, 3 Mbit/s each", flat)
        },
    ]
}
