//! The systems that drive the same sender: this project's estimator, and others in its place. Must not know streams or layers.

use rtc_interceptor::{Acknowledgement, BandwidthEstimator, Gcc, PacketReport};
use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};
use tureen_congestion::send::{
    Estimator, EstimatorConfig, LEAST_BITRATE, Outcome, PacketResult, Probe, SentPacket,
};
use tureen_rtp_wire::Time;

/// Who estimates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// The congestion crate.
    Tureen,
    /// `Gcc` of `rtc-interceptor`.
    Gcc,
    /// A pair of endpoints of `str0m`.
    Str0m,
}

impl System {
    /// Those that this project's is compared with.
    pub const OTHERS: &[Self] = &[Self::Gcc, Self::Str0m];

    /// The other system of this name.
    pub fn find_other(name: &str) -> Option<Self> {
        Self::OTHERS.iter().copied().find(|system| system.name() == name)
    }

    /// For the command line, tables and the names of files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tureen => "tureen",
            Self::Gcc => "gcc",
            Self::Str0m => "str0m",
        }
    }

    /// What it is, in a line.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Tureen => "this project's estimator, pacer and allocator",
            Self::Gcc => "rtc-interceptor's GCC, with a pacer at its target and this project's allocator",
            Self::Str0m => {
                "a pair of str0m's endpoints, with their pacer, probes, reports and repairs, and this project's allocator"
            }
        }
    }
}

/// An estimator of one transport.
#[derive(Debug)]
pub enum Controller {
    /// The congestion crate's.
    Tureen(Box<Estimator>),
    /// Somebody else's, behind the reports that it wants.
    Gcc(Box<GccSender>),
}

impl Controller {
    /// This project's, at its start.
    pub fn own() -> Self {
        Self::Tureen(Box::default())
    }

    /// `Gcc`, at its start.
    pub fn gcc() -> Self {
        Self::Gcc(Box::new(GccSender::new(EstimatorConfig::default())))
    }

    /// Bits per second that may be sent for long.
    pub fn target_bitrate(&self) -> u64 {
        match self {
            Self::Tureen(estimator) => estimator.target_bitrate(),
            Self::Gcc(gcc) => gcc.target_bitrate(),
        }
    }

    /// What of it is for layers.
    pub fn media_bitrate(&self) -> u64 {
        match self {
            Self::Tureen(estimator) => estimator.media_bitrate(),
            Self::Gcc(gcc) => gcc.target_bitrate(),
        }
    }

    /// At which packets leave.
    pub fn pacing_bitrate(&self) -> u64 {
        match self {
            Self::Tureen(estimator) => estimator.pacing_bitrate(),
            Self::Gcc(gcc) => gcc.target_bitrate(),
        }
    }

    /// Says what would be sent if it could.
    pub fn set_wanted(&mut self, next: u64, all: u64) {
        match self {
            Self::Tureen(estimator) => estimator.set_wanted(next, all),
            Self::Gcc(gcc) => gcc.wanted = all,
        }
    }

    /// Takes a packet that leaves.
    pub fn on_sent(&mut self, now: Time, packet: SentPacket) {
        match self {
            Self::Tureen(estimator) => estimator.on_sent(now, packet),
            Self::Gcc(gcc) => gcc.on_sent(now, packet),
        }
    }

    /// Takes a report.
    pub fn on_feedback(&mut self, now: Time, results: impl Iterator<Item = PacketResult>) {
        match self {
            Self::Tureen(estimator) => estimator.on_feedback(now, results),
            Self::Gcc(gcc) => gcc.on_feedback(now, results),
        }
    }

    /// When it wants to be woken.
    pub fn poll_timeout(&self) -> Time {
        match self {
            Self::Tureen(estimator) => estimator.poll_timeout(),
            Self::Gcc(gcc) => gcc.poll_timeout(),
        }
    }

    /// Wakes it.
    pub fn on_timeout(&mut self, now: Time) -> Option<Probe> {
        match self {
            Self::Tureen(estimator) => estimator.on_timeout(now),
            Self::Gcc(gcc) => {
                gcc.estimator.handle_timeout(gcc.instant(now));
                None
            }
        }
    }
}

/// A packet on which nothing was reported.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    id: u64,
    at: Time,
    packet: SentPacket,
}

/// Packets that are remembered.
const HISTORY: usize = 4096;
/// As the congestion crate has it: the estimate is of no use above so many times what is wanted.
const MAX_SURPLUS: f64 = 1.15;

/// `Gcc` with a history of what was sent.
pub struct GccSender {
    estimator: Gcc,
    epoch: Instant,
    under_way: VecDeque<UnderWay>,
    sent: u64,
    wanted: u64,
}

impl fmt::Debug for GccSender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GccSender").field("target", &self.target_bitrate()).finish_non_exhaustive()
    }
}

impl GccSender {
    fn new(config: EstimatorConfig) -> Self {
        let [start, min, max] =
            [config.start_bitrate, config.min_bitrate.max(LEAST_BITRATE), config.max_bitrate]
                .map(|rate| rate as f64);
        Self {
            estimator: Gcc::new(start, min, max),
            epoch: Instant::now(),
            under_way: VecDeque::with_capacity(HISTORY),
            sent: 0,
            wanted: config.max_bitrate,
        }
    }

    fn instant(&self, time: Time) -> Instant {
        self.epoch + Duration::from_nanos(time.as_nanos())
    }

    /// What is more than is wanted by far is no use to anybody, and not told.
    fn target_bitrate(&self) -> u64 {
        self.estimator.target_bitrate().min(self.wanted as f64 * MAX_SURPLUS) as u64
    }

    fn on_sent(&mut self, now: Time, packet: SentPacket) {
        if self.under_way.len() == HISTORY {
            self.under_way.pop_front();
        }
        self.sent += 1;
        self.under_way.push_back(UnderWay { id: self.sent, at: now, packet });
    }

    fn on_feedback(&mut self, now: Time, results: impl Iterator<Item = PacketResult>) {
        let mut reports: Vec<PacketReport> = results.filter_map(|result| self.report(result)).collect();
        reports.sort_by_key(|report| report.id);
        let now = self.instant(now);
        self.estimator.on_reports(now, &reports);
    }

    /// What is new in a result: a packet is told of once.
    fn report(&mut self, result: PacketResult) -> Option<PacketReport> {
        let known = |sent: &UnderWay| sent.packet.sequence_number == result.sequence_number;
        let at = self.under_way.iter().rposition(known)?;
        let UnderWay { id, at, packet } = self.under_way.remove(at)?;
        let arrival = match result.outcome {
            Outcome::ArrivedAt(at) => u64::try_from(at.as_micros()).ok().map(Duration::from_micros),
            _ => None,
        };
        Some(PacketReport {
            ssrc: 1,
            id,
            rtp_sequence_number: packet.sequence_number,
            is_twcc: true,
            twcc_sequence_number: packet.sequence_number,
            size: usize::from(packet.size),
            arrived: result.outcome != Outcome::Missing,
            departure: self.instant(at),
            arrival,
            ecn: Acknowledgement::lost(0).ecn,
        })
    }

    fn poll_timeout(&self) -> Time {
        let due = self.estimator.poll_timeout().map(|due| due.saturating_duration_since(self.epoch));
        due.map_or(Time::NEVER, |due| Time::ZERO + due)
    }
}
