//! The bitrate that a path carries, estimated by the receiver (draft-ietf-rmcat-gcc-02), to be told in REMB messages
//! (draft-alvestrand-rmcat-remb-03).
//!
//! Must not know streams: all packets of a transport share the path.

use crate::arrival_group::ArrivalGroups;
use crate::overuse::OveruseDetector;
use crate::rate_control::RateControl;
use crate::throughput::Throughput;
use std::time::Duration;
use tureen_rtp_wire::Time;

/// Without packets for this long, what is known of queues is void; the estimate stays.
const SILENCE: Duration = Duration::from_secs(2);
/// The bounds of the time between two messages.
const MIN_INTERVAL: Duration = Duration::from_millis(200);
const MAX_INTERVAL: Duration = Duration::from_secs(1);
/// Bits of a message with what is around it, and the part of the bitrate that messages may take: 5 percent (RFC 3550
/// section 6.2).
const MESSAGE_BITS: u64 = 80 * 8;
const MESSAGES_PER_BITRATE: u64 = 20;

/// Estimates from packets with absolute send times.
///
/// For each packet: [`on_packet`](Self::on_packet). At [`next_deadline`](Self::next_deadline): [`poll`](Self::poll).
#[derive(Clone, Debug)]
pub struct RembEstimator {
    groups: ArrivalGroups,
    detector: OveruseDetector,
    control: RateControl,
    throughput: Throughput,
    max: Option<u64>,
    last_packet: Option<Time>,
    /// When a bitrate was told last, and which.
    told: Option<(Time, u64)>,
    deadline: Time,
}

impl Default for RembEstimator {
    fn default() -> Self {
        Self::new()
    }
}

impl RembEstimator {
    /// An estimator that has seen nothing. It has its memory in itself, some 700 bytes.
    pub fn new() -> Self {
        Self {
            groups: ArrivalGroups::default(),
            detector: OveruseDetector::new(),
            control: RateControl::new(),
            throughput: Throughput::new(),
            max: None,
            last_packet: None,
            told: None,
            deadline: Time::NEVER,
        }
    }

    /// Takes a packet: the value of its abs-send-time extension (24 bits, 2^-18 s; higher bits are ignored) and its size
    /// in bytes.
    pub fn on_packet(&mut self, now: Time, abs_send_time: u32, size: usize) {
        if self.last_packet.is_some_and(|last| now.since(last) > SILENCE) {
            self.groups = ArrivalGroups::default();
            self.detector = OveruseDetector::new();
            self.throughput = Throughput::new();
        }
        self.last_packet = Some(now);
        self.throughput.add(now, size);
        if let Some(delta) = self.groups.add(now, abs_send_time & 0x00ff_ffff) {
            let usage = self.detector.update(delta);
            if let Some(incoming) = self.throughput.bitrate(now) {
                self.control.update(now, usage, incoming);
            }
        }
        self.deadline = self.due(now);
    }

    /// Sets the most that is ever told, in bits per second; `None` for no limit.
    pub const fn set_max(&mut self, max: Option<u64>) {
        self.max = max;
    }

    /// Tells of the measured round trip to the sender; 200 ms until then.
    pub const fn set_round_trip(&mut self, round_trip: Duration) {
        self.control.set_round_trip(round_trip);
    }

    /// Bits per second that the path is believed to carry, at most the limit. `None` until enough has come.
    pub fn estimate(&self) -> Option<u64> {
        // Positive, and far below 2^64.
        let estimate = self.control.estimate()? as u64;
        Some(self.max.map_or(estimate, |max| estimate.min(max)))
    }

    /// When to poll next; [`Time::NEVER`] while there is nothing to tell.
    pub const fn next_deadline(&self) -> Time {
        self.deadline
    }

    /// The bitrate to tell now, if it is time: at once when it fell by more than 3 percent, else every 200 to 1000 ms while
    /// packets come.
    pub fn poll(&mut self, now: Time) -> Option<u64> {
        if now < self.deadline {
            return None;
        }
        self.deadline = Time::NEVER;
        let bitrate = self.estimate()?;
        self.told = Some((now, bitrate));
        Some(bitrate)
    }

    fn due(&self, now: Time) -> Time {
        match (self.estimate(), self.told) {
            (None, _) => Time::NEVER,
            (Some(_), None) => now,
            (Some(bitrate), Some((_, told))) if bitrate < told - told / 100 * 3 => now,
            (Some(bitrate), Some((at, _))) => at + interval(bitrate),
        }
    }
}

fn interval(bitrate: u64) -> Duration {
    let millis = MESSAGE_BITS * MESSAGES_PER_BITRATE * 1000 / bitrate.max(1);
    Duration::from_millis(millis).clamp(MIN_INTERVAL, MAX_INTERVAL)
}
