//! What a transport may send: the estimate of its path, the pacer, and the share of each consumer.
//!
//! Puts the parts of `tureen_congestion` together for one transport. Must not know packets, selectors or other transports; who carries out
//! what is said here is `path::pacing` and `control::allocating`.

mod marks;
mod rates;

pub use rates::LayerRates;

use self::marks::Marks;
use crate::arena::Key;
use crate::options::OutgoingBitrates;
use crate::timers::{Armed, Timer, Timers};
use crate::transport_state::TransportTag;
use std::time::Duration;
use tureen_congestion::allocator::{Allocator, Grant, GrantReason};
use tureen_congestion::send::{
    Estimator, EstimatorConfig, EstimatorState, FeedbackReader, Pacer, PacerConfig, PacketKind, ProbeId,
    PushError, Release, SentPacket, StreamIndex,
};
use tureen_rtp_wire::rtcp::{CongestionFeedback, TransportFeedback};
use tureen_rtp_wire::{Ecn, Time};

/// A remote that has told nothing of what arrives this long after the first numbered packet will not: nothing is held back from it.
const PATIENCE: Duration = Duration::from_secs(2);
/// What the layers of sources take is looked at so often.
const LADDERS_EVERY: Duration = Duration::from_millis(200);
/// What may leave at once: longer than the pacer's own default, so that a picture of everyday size is one segmented send.
const BURST: Duration = Duration::from_millis(20);
/// Pictures that wait for longer are given up: stores keep them for little longer.
const LONGEST_WAIT: Duration = Duration::from_millis(1_800);
/// Where something else is to be sent instead, those are given up that wait for longer than this.
pub(crate) const LONG_WAIT: Duration = Duration::from_millis(800);
/// While somebody gets nothing, something is sent so often.
const SIGN_EVERY: Duration = Duration::from_millis(500);
/// What has no layers to give up is sent at this part of its rate at least, in hundredths.
const FIXED_PERCENT: u64 = 125;
/// A change is told that is more than this part of what was told last, in hundredths, so often at the most...
const NOTICEABLE_PERCENT: u64 = 5;
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// ...and an estimate that comes to less, or more, than these parts of it, that often.
const FAR_BELOW_PERCENT: u64 = 75;
const FAR_ABOVE_PERCENT: u64 = 150;
const TOLD_EVERY_FAR: Duration = Duration::from_millis(200);

/// The name of a packet that waits: where it goes, and the number that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queued {
    pub(crate) ssrc: u32,
    pub(crate) sequence_number: u16,
    /// It was sent before.
    pub(crate) again: bool,
}

/// What the sending half of a transport has: the numbers that it gives, and what follows from what the remote says of them.
#[derive(Debug, Default)]
pub(crate) struct Sending {
    /// The next transport-wide sequence number.
    pub(crate) sequence_number: u16,
    /// None where nobody estimates: no consumer has negotiated what it takes, or the transport does not want it.
    pub(crate) control: Option<Box<SendControl>>,
}

impl Sending {
    /// Takes note of a packet that left under the next number; how it is to be marked.
    #[inline]
    pub(crate) fn on_sent(
        &mut self,
        now: Time,
        name: PacketName,
        size: usize,
        kind: PacketKind,
        probe: Option<ProbeId>,
    ) -> Ecn {
        let number = self.sequence_number;
        self.sequence_number = number.wrapping_add(1);
        let control = self.control.as_mut();
        control.map_or(Ecn::NotCapable, |control| control.on_sent(now, name, number, size, kind, probe))
    }

    /// Sees that what waits leaves in time.
    #[inline]
    pub(crate) fn arm(&mut self, timers: &mut Timers, key: Key<TransportTag>) {
        if let Some(control) = &mut self.control {
            let deadline = control.deadline();
            control.timer.arm(timers, deadline, Timer::Sending(key));
        }
    }
}

/// By what reports name packets. A remote keeps to one way: the clocks of two would be told apart by nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reports {
    TransportWide,
    ByStream,
}

/// A report that was not asked for, and is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unwanted;

/// What came of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Packets in it that nobody remembers.
    pub(crate) unknown: u64,
}

/// The stream and number of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PacketName {
    pub(crate) ssrc: u32,
    pub(crate) sequence_number: u16,
}

/// What is told of the path, in bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathNews {
    /// At which everybody has all.
    pub(crate) desired: u64,
    /// The part of that which is granted.
    pub(crate) granted: u64,
    /// The estimate.
    pub(crate) available: u64,
}

impl PathNews {
    /// Whether there is something in it for those who know `told`.
    fn is_noticeable(self, told: Self) -> bool {
        let differs = |now: u64, told: u64| now.abs_diff(told) > told / 100 * NOTICEABLE_PERCENT;
        differs(self.desired, told.desired)
            || differs(self.granted, told.granted)
            || differs(self.available, told.available)
    }

    /// Whether there is something in it that cannot wait.
    fn is_far(self, told: Self) -> bool {
        let told = told.available / 100;
        self.available < told * FAR_BELOW_PERCENT || self.available > told * FAR_ABOVE_PERCENT
    }
}

/// How the path from the remote's reports is known, as mediasoup names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// Nothing yet, since the first packet.
    Nothing { first: Option<Time> },
    /// Nothing, for too long.
    Silence,
    /// Reports of what arrived, by transport-wide sequence numbers or by streams.
    Reports(Reports),
    /// Estimates of the remote.
    Remb,
}

/// Estimate, pacer and shares of one transport.
#[derive(Debug)]
pub(crate) struct SendControl {
    estimator: Estimator,
    reader: FeedbackReader,
    /// Packets by their names, where reports name them so.
    streams: Option<StreamIndex>,
    marks: Marks,
    pacer: Pacer<Queued>,
    pub(crate) allocator: Allocator,
    heard: Heard,
    /// Bits per second of what has no layers.
    fixed: u64,
    ladders_at: Option<Time>,
    told: Option<(Time, PathNews)>,
    /// Not even the lowest layer of somebody fits.
    starves: bool,
    last_sent: Option<Time>,
    pub(crate) timer: Armed,
}

impl SendControl {
    pub(crate) fn new(bitrates: OutgoingBitrates) -> Self {
        let config = PacerConfig { burst: BURST, wait: LONGEST_WAIT, ..PacerConfig::default() };
        let mut control = Self {
            estimator: Estimator::new(estimator_config(bitrates)),
            reader: FeedbackReader::new(),
            streams: None,
            marks: Marks::default(),
            pacer: Pacer::new(config),
            allocator: Allocator::new(),
            heard: Heard::Nothing { first: None },
            fixed: 0,
            ladders_at: None,
            told: None,
            starves: false,
            last_sent: None,
            timer: Armed::default(),
        };
        control.follow_rate();
        control
    }

    pub(crate) fn set_bitrates(&mut self, bitrates: OutgoingBitrates) {
        self.estimator.set_bounds(estimator_config(bitrates));
        self.follow_rate();
    }

    /// Whether what it says counts: a remote that says nothing is sent everything.
    pub(crate) fn governs(&self) -> bool {
        self.heard != Heard::Silence
    }

    /// Whether a packet of `size` bytes may leave at once; what may not is to be [queued](Self::queue).
    #[inline]
    pub(crate) fn admits(&mut self, now: Time, size: usize, kind: PacketKind) -> bool {
        self.pacer.admit(now, saturating(size), kind) || !self.governs()
    }

    pub(crate) fn queue(
        &mut self,
        now: Time,
        packet: Queued,
        size: usize,
        kind: PacketKind,
    ) -> Result<(), PushError> {
        self.pacer.push(now, packet, saturating(size), kind)
    }

    /// Forgets what waits to be sent to `ssrc`.
    pub(crate) fn forget(&mut self, ssrc: u32) {
        self.pacer.retain(|packet| packet.ssrc != ssrc);
    }

    /// What leaves next, if anything does now.
    pub(crate) fn release(&mut self, now: Time) -> Option<Release<Queued>> {
        self.pacer.poll(now)
    }

    /// From now on packets are known by their names too.
    pub(crate) fn expect_stream_reports(&mut self) {
        self.streams.get_or_insert_default();
    }

    /// Takes note of a packet that left under a number, and says how it is to be marked if its reports can tell of marks.
    #[inline]
    pub(crate) fn on_sent(
        &mut self,
        now: Time,
        name: PacketName,
        sequence_number: u16,
        size: usize,
        kind: PacketKind,
        probe: Option<ProbeId>,
    ) -> Ecn {
        if let Heard::Nothing { first } = &mut self.heard {
            first.get_or_insert(now);
        }
        self.last_sent = Some(now);
        self.estimator.on_sent(now, SentPacket { sequence_number, size: saturating(size), kind, probe });
        let Some(streams) = &mut self.streams else { return Ecn::NotCapable };
        streams.insert(name.ssrc, name.sequence_number, sequence_number);
        self.marks.of_next()
    }

    pub(crate) fn on_transport_feedback(
        &mut self,
        now: Time,
        feedback: &TransportFeedback<'_>,
    ) -> Result<Told, Unwanted> {
        if self.heard == Heard::Reports(Reports::ByStream) {
            return Err(Unwanted);
        }
        self.heard = Heard::Reports(Reports::TransportWide);
        self.marks.give_up();
        self.estimator.on_feedback(now, self.reader.transport(feedback));
        self.follow_rate();
        Ok(Told::default())
    }

    /// Takes RFC 8888 feedback. What it says of packets that were not sent is left out, and counted.
    pub(crate) fn on_stream_feedback(
        &mut self,
        now: Time,
        feedback: &CongestionFeedback<'_>,
    ) -> Result<Told, Unwanted> {
        let streams = self.streams.as_ref().ok_or(Unwanted)?;
        if self.heard == Heard::Reports(Reports::TransportWide) {
            return Err(Unwanted);
        }
        self.heard = Heard::Reports(Reports::ByStream);
        let all: u64 = feedback.streams().map(|stream| stream.packets().len() as u64).sum();
        let (mut known, marks) = (0, &mut self.marks);
        let results = self.reader.congestion(feedback, streams).inspect(|result| {
            known += 1;
            marks.note(result);
        });
        self.estimator.on_feedback(now, results);
        self.follow_rate();
        Ok(Told { unknown: all.saturating_sub(known) })
    }

    /// Takes an estimate of the remote, in bits per second.
    pub(crate) fn on_remb(&mut self, bitrate: u64) -> Told {
        if !self.has_reports() {
            self.heard = Heard::Remb;
        }
        self.estimator.on_remb(bitrate);
        self.follow_rate();
        Told::default()
    }

    /// When to call [`on_timeout`](Self::on_timeout), and to ask for what leaves.
    pub(crate) fn deadline(&self) -> Time {
        self.pacer
            .next_deadline()
            .min(self.estimator.poll_timeout())
            .min(self.silence())
            .min(self.next_look())
            .min(self.next_sign())
    }

    /// Does what the clock asks for, and says whether shares may be others now.
    pub(crate) fn on_timeout(&mut self, now: Time) -> bool {
        let is_silent = now >= self.silence();
        if is_silent {
            self.heard = Heard::Silence;
            self.marks.give_up();
        }
        if now < self.estimator.poll_timeout() {
            return is_silent || now >= self.next_look();
        }
        if let Some(probe) = self.estimator.on_timeout(now) {
            self.pacer.start_probe(now, probe);
        }
        self.follow_rate();
        true
    }

    /// Whether a packet of padding is to leave: where nothing is sent nothing is reported, and nobody would learn that there is room again.
    pub(crate) fn wants_sign(&self, now: Time) -> bool {
        now >= self.next_sign()
    }

    fn next_sign(&self) -> Time {
        match self.last_sent.filter(|_| self.starves && self.has_reports()) {
            Some(last) => last + SIGN_EVERY,
            None => Time::NEVER,
        }
    }

    fn has_reports(&self) -> bool {
        matches!(self.heard, Heard::Reports(_))
    }

    /// When to look at what layers take, where no report comes that often: while something is sent.
    fn next_look(&self) -> Time {
        let reports_come = self.has_reports() && !self.starves;
        let begun = !matches!(self.heard, Heard::Nothing { first: None } | Heard::Silence);
        let last = self.ladders_at.filter(|_| begun && !reports_come);
        last.map_or(Time::NEVER, |last| last + LADDERS_EVERY)
    }

    /// When a remote that has said nothing counts as one that never will.
    fn silence(&self) -> Time {
        match self.heard {
            Heard::Nothing { first: Some(first) } => first + PATIENCE,
            _ => Time::NEVER,
        }
    }

    /// Whether ladders are to be set anew; they are then.
    pub(crate) fn takes_ladders(&mut self, now: Time) -> bool {
        let due = self.ladders_at.is_none_or(|at| now.since(at) >= LADDERS_EVERY);
        if due {
            self.ladders_at = Some(now);
        }
        due
    }

    /// What the shares go by has changed.
    pub(crate) const fn forget_ladders(&mut self) {
        self.ladders_at = None;
    }

    /// Bits per second of what is sent whatever the path carries.
    pub(crate) fn set_fixed(&mut self, bitrate: u64) {
        self.fixed = bitrate;
        self.allocator.set_reserved(bitrate);
    }

    /// Shares anew; says whether anybody's share has changed.
    pub(crate) fn share(&mut self, now: Time) -> bool {
        let changed = self.allocator.update(now, self.estimator.media_bitrate(), self.pacer.backlog());
        let (next, all) = self.allocator.wanted();
        self.estimator.set_wanted(next, all);
        self.starves = self.allocator.grants().any(|grant| is_starved(&grant));
        self.follow_rate();
        changed
    }

    /// Bits per second that may be sent; `None` where nobody says.
    pub(crate) fn available(&self) -> Option<u64> {
        self.governs().then(|| self.estimator.target_bitrate())
    }

    pub(crate) fn state(&self) -> EstimatorState {
        self.estimator.state()
    }

    /// How long what waits takes.
    pub(crate) const fn backlog(&self) -> Duration {
        self.pacer.backlog()
    }

    /// Whether the estimate is the remote's own.
    pub(crate) fn is_remb(&self) -> bool {
        self.heard == Heard::Remb
    }

    /// What is to be told of the path, if that is so different from what was told last; it is then.
    pub(crate) fn take_news(&mut self, now: Time) -> Option<PathNews> {
        if !self.governs() {
            return None;
        }
        let available = self.estimator.target_bitrate();
        let news =
            PathNews { desired: self.allocator.wanted().1, granted: self.allocator.granted(), available };
        let is_due = self.told.is_none_or(|(at, told)| {
            let passed = now.since(at);
            passed >= TOLD_EVERY && news.is_noticeable(told) || passed >= TOLD_EVERY_FAR && news.is_far(told)
        });
        is_due.then(|| self.told.insert((now, news)).1)
    }

    fn follow_rate(&mut self) {
        self.pacer.set_bitrate(self.estimator.pacing_bitrate().max(self.fixed / 100 * FIXED_PERCENT));
    }
}

/// Whether somebody gets nothing who could be sent something: a source that sends nothing starves nobody.
pub(crate) fn is_starved(grant: &Grant) -> bool {
    grant.step.is_none() && grant.reason != GrantReason::NoLayers
}

fn estimator_config(bitrates: OutgoingBitrates) -> EstimatorConfig {
    let OutgoingBitrates { initial, min, max } = bitrates;
    let default = EstimatorConfig::default();
    let or = |bitrate: u32, default: u64| if bitrate == 0 { default } else { u64::from(bitrate) };
    EstimatorConfig {
        start_bitrate: u64::from(initial),
        min_bitrate: or(min, default.min_bitrate),
        max_bitrate: or(max, default.max_bitrate),
    }
}

fn saturating(size: usize) -> u16 {
    u16::try_from(size).unwrap_or(u16::MAX)
}
