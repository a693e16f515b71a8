//! The estimate of what a transport may send, from what its receiver reports.
//!
//! It puts together what the files beside it know: what was sent, what arrived, how delays and losses are, what probes found.
//! Must not know streams, layers, or when the pacer sends.

use super::arrivals::{Arrival, Arrivals, lost_bytes};
use super::delay::{DelaySignal, DelayTracker};
use super::history::{History, PacketKind, SentPacket};
use super::loss::LossTracker;
use super::probe::{Probe, Prober, Want};
use super::rate::{Bounds, Judgement, RateController, RateReason};
use super::report::{Outcome, PacketResult};
use crate::throughput::Throughput;
use std::time::Duration;
use tureen_rtp_wire::{Ecn, Time};

/// The lowest bitrate that a bound may have, in bits per second.
pub const LEAST_BITRATE: u64 = 5_000;
/// The highest.
pub const MOST_BITRATE: u64 = 10_000_000_000;
/// The round trip until one is measured.
const DEFAULT_ROUND_TRIP: Duration = Duration::from_millis(200);
/// Packets under way and no report for this long, or for three round trips, is silence; and each time this long again.
const SILENCE: Duration = Duration::from_millis(600);
const SILENT_STEP: Duration = Duration::from_millis(500);
/// After so many steps nothing is expected any more.
const SILENT_STEPS: u32 = 20;
/// Probes wait this long after a fall.
const AFTER_FALL: Duration = Duration::from_millis(800);
/// Below this part of the estimate, what is sent is limited by who sends.
const APPLICATION_LIMITED: f64 = 0.85;
/// Weight of a second in what was sent before.
const SENT_WEIGHT: f64 = 0.2;
/// The share of losses whose repair nobody has to make room for, and how soon above it all of it counts: at 1/30.
const REPAIRS_IN_MARGIN: f64 = 0.02;
const REPAIRS_STEEP: f64 = 2.5;
/// Arrivals of one report that are put in order together.
const BATCH: usize = 512;

/// Where an estimator starts, and what it stays within. Bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EstimatorConfig {
    /// The estimate until there are reports. Default 300,000.
    pub start_bitrate: u64,
    /// The estimate does not fall below. Default 30,000; at least [`LEAST_BITRATE`].
    pub min_bitrate: u64,
    /// It does not grow above. Default, and at most, [`MOST_BITRATE`]; a value below the minimum counts as that.
    pub max_bitrate: u64,
}

impl Default for EstimatorConfig {
    fn default() -> Self {
        Self { start_bitrate: 300_000, min_bitrate: 30_000, max_bitrate: MOST_BITRATE }
    }
}

impl EstimatorConfig {
    fn bounds(self) -> Bounds {
        let min = self.min_bitrate.clamp(LEAST_BITRATE, MOST_BITRATE);
        Bounds { min: min as f64, max: self.max_bitrate.clamp(min, MOST_BITRATE) as f64 }
    }
}

/// What is known of the way, for those who ask why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EstimatorState {
    /// Bits per second that may be sent for long.
    pub target_bitrate: u64,
    /// Bits per second at which packets may leave now.
    pub pacing_bitrate: u64,
    /// Why the target is what it is.
    pub reason: RateReason,
    /// Bits per second that arrived over the last half second; `None` until enough was reported.
    pub acknowledged_bitrate: Option<u64>,
    /// How long the last packet that was reported queued.
    pub queue: Duration,
    /// From the sending of a packet to the report on it, smoothed.
    pub round_trip: Duration,
    /// Share of packets lost over the last second, 0 to 1.
    pub loss: f64,
    /// Bytes of which nothing was reported yet.
    pub bytes_under_way: u64,
    /// Less is sent than the target allows.
    pub application_limited: bool,
    /// Somebody else is believed to fill the queue.
    pub competing: bool,
}

#[derive(Clone, Copy, Debug)]
struct ArrivedPacket {
    at: i64,
    sent: Time,
    sequence_number: u16,
    size: u16,
    probe: Option<super::ProbeId>,
}

/// When reports came, and when one has to.
#[derive(Clone, Copy, Debug)]
struct Reports {
    any: bool,
    /// Since when a report is waited for; `None` if none is.
    waiting: Option<Time>,
    silent_steps: u32,
}

/// Estimates what may be sent on one transport.
///
/// For each packet: [`on_sent`](Self::on_sent). For each report: [`on_feedback`](Self::on_feedback). At
/// [`poll_timeout`](Self::poll_timeout): [`on_timeout`](Self::on_timeout). Then [`media_bitrate`](Self::media_bitrate) is for
/// whoever chooses layers, and [`pacing_bitrate`](Self::pacing_bitrate) for the pacer.
#[derive(Clone, Debug)]
pub struct Estimator {
    history: History,
    sent: Throughput,
    arrivals: Arrivals,
    delay: DelayTracker,
    loss: LossTracker,
    prober: Prober,
    rate: RateController,
    want: Want,
    batch: Vec<ArrivedPacket>,
    newest_sent: Option<Time>,
    last_arrived: Option<u16>,
    round_trip: Option<Duration>,
    reports: Reports,
    /// Of the last report.
    queue: Duration,
    loss_share: f64,
    application_limited: bool,
    judged: Time,
    /// Bits per second that were sent, smoothed over some seconds.
    sent_before: f64,
}

impl Default for Estimator {
    fn default() -> Self {
        Self::new(EstimatorConfig::default())
    }
}

impl Estimator {
    /// An estimator of a transport on which nothing was sent. All its memory, some 130 KiB, is reserved here.
    pub fn new(config: EstimatorConfig) -> Self {
        let bounds = config.bounds();
        Self {
            history: History::new(),
            sent: Throughput::new(),
            arrivals: Arrivals::new(),
            delay: DelayTracker::new(),
            loss: LossTracker::new(),
            prober: Prober::new(),
            rate: RateController::new(config.start_bitrate as f64, bounds),
            want: Want { next: bounds.max, all: bounds.max },
            batch: Vec::with_capacity(BATCH),
            newest_sent: None,
            last_arrived: None,
            round_trip: None,
            reports: Reports { any: false, waiting: None, silent_steps: 0 },
            queue: Duration::ZERO,
            loss_share: 0.0,
            application_limited: false,
            judged: Time::ZERO,
            sent_before: 0.0,
        }
    }

    /// Takes a packet that leaves now.
    pub fn on_sent(&mut self, now: Time, packet: SentPacket) {
        self.history.insert(now, packet);
        self.reports.waiting.get_or_insert(now);
        if packet.probe.is_some() {
            self.prober.on_sent(now, packet);
        }
        if packet.kind != PacketKind::Padding {
            self.sent.add(now, usize::from(packet.size));
        }
    }

    /// Takes a report, as a [`FeedbackReader`](super::FeedbackReader) reads it. What it says of packets that were not sent, or
    /// were told of before, is left out.
    pub fn on_feedback(&mut self, now: Time, report: impl IntoIterator<Item = PacketResult>) {
        self.newest_sent = None;
        let mut told = false;
        for result in report {
            told |= self.on_result(now, result);
        }
        self.put_in_order(now);
        if !told {
            return;
        }
        self.reports.any = true;
        self.reports.silent_steps = 0;
        self.reports.waiting = (self.history.under_way() > 0).then_some(now);
        self.judge(now);
    }

    /// Takes a bitrate that the receiver told (REMB), in bits per second: without reports it is the estimate, with reports
    /// a bound of it.
    pub fn on_remb(&mut self, bitrate: u64) {
        let bitrate = bitrate.min(MOST_BITRATE) as f64;
        self.rate.set_remb(Some(bitrate), self.reports.any);
    }

    /// Tells what would be sent if it could, in bits per second: `next`, the lowest rate that would let more be sent than
    /// now, and `all`, the one that would be enough for everything. Probes go there. Nothing is known of either at first.
    pub fn set_wanted(&mut self, next: u64, all: u64) {
        let all = all.min(MOST_BITRATE);
        self.want = Want { next: next.min(all) as f64, all: all as f64 };
    }

    /// Sets the bounds anew. The start is left out of account.
    pub fn set_bounds(&mut self, config: EstimatorConfig) {
        self.rate.set_bounds(config.bounds());
    }

    /// When to call [`on_timeout`](Self::on_timeout); [`Time::NEVER`] if nothing is due.
    pub fn poll_timeout(&self) -> Time {
        self.silence_deadline().min(self.probe_deadline())
    }

    /// Looks at what is due. A probe that it gives is to be sent now: [`Pacer::start_probe`](super::Pacer::start_probe).
    pub fn on_timeout(&mut self, now: Time) -> Option<Probe> {
        if now >= self.silence_deadline() {
            self.on_silence(now);
        }
        if now < self.probe_deadline() {
            return None;
        }
        self.prober.poll(now, self.rate.estimate(), self.want_within_bounds(), self.delay.spread())
    }

    /// Bits per second that may be sent for long.
    pub fn target_bitrate(&self) -> u64 {
        self.rate.estimate() as u64
    }

    /// What of the target is left when the packets that are lost are sent again: for whoever chooses layers of streams that
    /// are repaired. Bits per second. The first hundredths of losses are left to the margin that steps have.
    pub fn media_bitrate(&self) -> u64 {
        let lost = self.loss.smoothed();
        let repairs = ((lost - REPAIRS_IN_MARGIN) * REPAIRS_STEEP).clamp(0.0, lost);
        (self.rate.estimate() * (1.0 - repairs)) as u64
    }

    /// Bits per second at which packets may leave now: above the target, and below what the link carries while its queue drains.
    pub fn pacing_bitrate(&self) -> u64 {
        self.rate.pacing() as u64
    }

    /// What is known of the way.
    pub fn state(&self) -> EstimatorState {
        EstimatorState {
            target_bitrate: self.target_bitrate(),
            pacing_bitrate: self.pacing_bitrate(),
            reason: self.rate.reason(),
            acknowledged_bitrate: self.arrivals.bitrate().map(|bitrate| bitrate as u64),
            queue: self.queue,
            round_trip: self.round_trip(),
            loss: self.loss_share,
            bytes_under_way: self.history.under_way(),
            application_limited: self.application_limited,
            competing: self.rate.is_competing(),
        }
    }

    fn round_trip(&self) -> Duration {
        self.round_trip.unwrap_or(DEFAULT_ROUND_TRIP)
    }

    /// Whether the result said something new.
    fn on_result(&mut self, now: Time, result: PacketResult) -> bool {
        let known = match result.outcome {
            Outcome::Missing => {
                let known = self.history.missing(result.sequence_number);
                if known.is_some() {
                    self.loss.on_missing(now);
                }
                return known.is_some();
            }
            Outcome::Arrived | Outcome::ArrivedAt(_) => self.history.arrived(result.sequence_number),
        };
        let Some(known) = known else { return false };
        self.loss.on_arrived(now, known.was_missing, result.ecn == Ecn::CongestionExperienced);
        if let Outcome::ArrivedAt(at) = result.outcome {
            if self.batch.len() == BATCH {
                self.put_in_order(now);
            }
            let sequence_number = result.sequence_number;
            let (sent, size, probe) = (known.at, known.size, known.probe);
            self.batch.push(ArrivedPacket { at: at.as_micros(), sent, sequence_number, size, probe });
        }
        true
    }

    /// Hands on what arrived, in the order in which it did.
    fn put_in_order(&mut self, now: Time) {
        self.batch.sort_unstable_by_key(|packet| (packet.at, packet.sent, packet.sequence_number));
        let mut newest = self.newest_sent;
        for packet in self.batch.drain(..) {
            let skipped =
                self.last_arrived.map_or(0, |last| packet.sequence_number.wrapping_sub(last).wrapping_sub(1));
            self.last_arrived = Some(packet.sequence_number);
            let bytes = u32::from(packet.size) + lost_bytes(skipped, packet.size);
            let queued = self.delay.on_packet(packet.sent, packet.at, bytes);
            let arrival = Arrival { at: packet.at, size: packet.size, queued, skipped };
            self.arrivals.add(arrival);
            if let Some(id) = packet.probe {
                self.prober.on_arrived(id, packet.at, packet.size);
            }
            newest = Some(newest.map_or(packet.sent, |newest: Time| newest.max(packet.sent)));
        }
        if newest != self.newest_sent
            && let Some(sent) = newest
        {
            let sample = now.since(sent);
            self.round_trip = Some(self.round_trip.map_or(sample, |known| (known * 7 + sample) / 8));
        }
        self.newest_sent = newest;
    }

    fn judge(&mut self, now: Time) {
        let delay = self.delay.take_signal();
        let is_short = delay.is_some_and(DelaySignal::is_short);
        let loss = self.loss.take_signal(now, is_short);
        self.loss_share = loss.share;
        let sent = self.sent.bitrate(now).unwrap_or(0.0);
        let passed = now.since(self.judged).min(Duration::from_secs(1)).as_secs_f64();
        self.judged = now;
        let sent_before = self.sent_before;
        self.sent_before += (sent - sent_before) * passed * SENT_WEIGHT;
        self.application_limited = sent < APPLICATION_LIMITED * self.rate.estimate();
        if let Some(delay) = delay {
            self.queue = Duration::from_micros(delay.last_queue.max(0.0) as u64);
        }
        let judgement = Judgement {
            now,
            delay,
            loss,
            acknowledged: self.arrivals.bitrate(),
            busy: delay
                .and_then(|delay| self.arrivals.busy_bitrate(delay.queued_above(), delay.loses_behind())),
            round_trip: self.round_trip(),
            sent,
            sent_before,
            application_limited: self.application_limited,
            newest_sent: self.newest_sent,
            want: self.want,
        };
        let before = self.rate.decreased();
        let again = self.rate.update(&judgement);
        self.delay.hold_least_delay(self.rate.is_competing());
        if again {
            self.delay.restart();
            self.loss.forget();
            self.prober.restart(now);
            return;
        }
        if self.rate.decreased() != before {
            if self.rate.reason() == RateReason::Loss {
                self.loss.on_fall(loss.share);
            }
            self.prober.postpone(now + AFTER_FALL);
        } else if let Some(result) = self.prober.take_result(now) {
            self.rate.on_probe(result);
        }
    }

    fn on_silence(&mut self, now: Time) {
        self.reports.silent_steps += 1;
        if self.reports.silent_steps > SILENT_STEPS {
            self.history.give_up();
            self.reports.waiting = None;
            self.reports.silent_steps = 0;
            return;
        }
        self.reports.waiting = Some(now);
        self.rate.on_silence();
        self.prober.postpone(now + AFTER_FALL);
    }

    fn silence_deadline(&self) -> Time {
        let Some(waiting) = self.reports.waiting.filter(|_| self.reports.any) else { return Time::NEVER };
        let patience =
            if self.reports.silent_steps == 0 { SILENCE.max(self.round_trip() * 3) } else { SILENT_STEP };
        waiting + patience
    }

    fn probe_deadline(&self) -> Time {
        // Before a report, one probe is sent on trust and no more: the receiver may be of the kind that reports nothing.
        let on_trust = self.reports.any || !self.prober.has_asked();
        let sends = self.reports.waiting.is_some() || self.reports.any;
        if !on_trust || !sends || !self.rate.may_probe() {
            return Time::NEVER;
        }
        self.prober.deadline(self.rate.estimate(), self.want_within_bounds())
    }

    /// What is wanted, as far as the estimate may grow: beyond that a probe finds nothing that counts.
    fn want_within_bounds(&self) -> Want {
        let most = self.rate.most();
        Want { next: self.want.next.min(most), all: self.want.all.min(most) }
    }
}
