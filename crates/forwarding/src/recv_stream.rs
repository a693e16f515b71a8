//! One RTP stream from its source: which packets count, what is missing, how good it is, and what to ask the source for.
//!
//! Sees the fields of packets, never their bytes; knows no consumer. What it wants to send (NACK, PLI, FIR, reports) it hands out when
//! polled.

use crate::key_frame::{KeyFrameRequest, KeyFrameRequests, KeyFrameRequestsConfig};
use crate::nack::NackGenerator;
use crate::rate::{RATE_WINDOW, RATE_WINDOW_DTX, RateWindow};
use crate::reception::{ReceivedSenderInfo, Reception, round_trip_time};
use crate::rtx::RtxConfig;
use crate::score::{MAX_SCORE, ScoreHistory, receive_score};
use crate::seen::{Seen, SeenWindow};
use crate::sequence::{MAX_DROPOUT, SequenceStep};
use std::time::Duration;
use tureen_rtp_wire::rtcp::{ReportBlock, SenderInfo};
use tureen_rtp_wire::{NtpTime, Time};

/// A stream without packets for this long is inactive if others of its source go on: a layer that its sender gave up. Pictures that stand
/// still silence all layers alike.
pub const ABANDONED_TIMEOUT: Duration = Duration::from_millis(1000);
/// A stream without packets for this long is inactive.
pub const INACTIVITY_TIMEOUT: Duration = Duration::from_millis(1500);
/// The same for a stream that uses discontinuous transmission.
pub const INACTIVITY_TIMEOUT_DTX: Duration = Duration::from_millis(5000);

/// Packets of which is known whether they came, for streams with NACK and without.
const SEEN_WITH_NACK: usize = 16_384;
const SEEN_WITHOUT_NACK: usize = 2048;

/// What is known of a stream before its first packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecvStreamConfig {
    /// SSRC of the media.
    pub ssrc: u32,
    /// Payload type of the media; packets of another one are refused.
    pub payload_type: u8,
    /// Clock rate in Hz.
    pub clock_rate: u32,
    /// The retransmission stream (RFC 4588), if negotiated.
    pub rtx: Option<RtxConfig>,
    /// Ask for lost packets again (`nack`).
    pub use_nack: bool,
    /// Ask for key frames by PLI (`nack pli`).
    pub use_pli: bool,
    /// Ask for key frames by FIR (`ccm fir`), if not by PLI.
    pub use_fir: bool,
    /// Discontinuous transmission: longer windows for bit rate and inactivity.
    pub use_dtx: bool,
    /// Score 0 when packets stay away. Of use where a source has more than one stream.
    pub check_inactivity: bool,
    /// Least time between two key-frame requests.
    pub key_frame_request_delay: Duration,
    /// Spatial layers whose bit rates are kept apart, at most 8; 0 and 1 are the same.
    pub spatial_layers: u8,
    /// Temporal layers whose bit rates are kept apart, at most 8; 0 and 1 are the same.
    pub temporal_layers: u8,
}

/// The fields of a packet that a stream looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketInfo {
    /// Sequence number; of a retransmission, the original one.
    pub sequence_number: u16,
    /// Timestamp.
    pub timestamp: u32,
    /// Payload type; of a retransmission, the original one; of RED, that of its primary block.
    pub payload_type: u8,
    /// Bytes of the whole packet.
    pub size: usize,
    /// Whether it belongs to a key frame, as far as the codec can tell.
    pub is_key_frame: bool,
    /// Its spatial layer.
    pub spatial_layer: u8,
    /// Its temporal layer.
    pub temporal_layer: u8,
}

/// What a stream makes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Received {
    /// It counts, and is seen for the first time.
    Accepted {
        /// Its number; the low 16 bits are the one on the wire.
        extended_sequence: u64,
        /// No packet after it has come yet.
        is_newest: bool,
    },
    /// It counts, and is the first after the source restarted with other sequence numbers. What was known about missing packets
    /// is void.
    Resynced {
        /// Its number, above all before it.
        extended_sequence: u64,
    },
    /// It came before.
    Duplicate,
    /// It is so old that nobody knows whether it came.
    TooOld,
    /// Its number is out of range; if the next one follows it, the source has restarted (RFC 3550 appendix A.1).
    OutOfRange,
    /// Its payload type is not the stream's.
    WrongPayloadType,
}

impl Received {
    /// The number of a packet that counts.
    pub const fn extended_sequence(self) -> Option<u64> {
        match self {
            Self::Accepted { extended_sequence, .. } | Self::Resynced { extended_sequence } => {
                Some(extended_sequence)
            }
            _ => None,
        }
    }
}

/// Totals of a stream, as the statistics of a producer have them (`inbound-rtp`). Bit rates are asked for apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecvStats {
    /// Packets of the media stream, without retransmissions and duplicates.
    pub packet_count: u64,
    /// Their bytes.
    pub byte_count: u64,
    /// Expected less received; negative if more came than were expected.
    pub packets_lost: i64,
    /// Loss of the last report interval, in 256ths.
    pub fraction_lost: u8,
    /// In units of the stream's clock.
    pub jitter: u32,
    /// Packets that did not count: duplicates, out of range, too old, wrong payload type.
    pub packets_discarded: u64,
    /// Retransmissions received, whether of use or not.
    pub packets_retransmitted: u64,
    /// Retransmissions that brought a missing packet.
    pub packets_repaired: u64,
    /// Retransmissions that did not count.
    pub rtx_packets_discarded: u64,
    /// NACK messages sent.
    pub nack_count: u64,
    /// Packets asked for in them.
    pub nack_packet_count: u64,
    /// PLIs sent.
    pub pli_count: u64,
    /// FIRs sent.
    pub fir_count: u64,
    /// Round trip to the source, if it answers receiver reference time reports (RFC 3611).
    pub round_trip_time: Option<Duration>,
    /// 0 to 10.
    pub score: u8,
}

/// Counters that nothing else keeps.
#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    bytes: u64,
    discarded: u64,
    retransmitted: u64,
    repaired: u64,
    rtx_discarded: u64,
    nacks: u64,
    nacked_packets: u64,
}

/// The totals when the score was last computed.
#[derive(Clone, Copy, Debug, Default)]
struct ScorePrior {
    expected: u64,
    received: u64,
    repaired: u64,
    retransmitted: u64,
}

/// One RTP stream from its source.
///
/// For each packet: [`on_packet`](Self::on_packet) or [`on_rtx_packet`](Self::on_rtx_packet). At [`next_deadline`](Self::next_deadline):
/// [`poll_nack`](Self::poll_nack), [`poll_key_frame_request`](Self::poll_key_frame_request),
/// [`poll_inactivity`](Self::poll_inactivity), in any order.
#[derive(Clone, Debug)]
pub struct RecvStream {
    config: RecvStreamConfig,
    media: Reception,
    rtx: Option<Reception>,
    seen: SeenWindow,
    nack: Option<NackGenerator>,
    key_frames: KeyFrameRequests,
    counters: Counters,
    score: ScoreHistory,
    score_prior: ScorePrior,
    rate: RateWindow,
    /// By spatial layer, then temporal; empty if there is but one layer.
    layer_rates: Box<[RateWindow]>,
    rtt: Option<Duration>,
    last_packet: Option<Time>,
    inactive: bool,
    paused: bool,
    resting: bool,
    rest_ended: Time,
}

impl RecvStream {
    /// A stream of which nothing has come. All its memory is reserved here.
    pub fn new(config: RecvStreamConfig) -> Self {
        let window = if config.use_dtx { RATE_WINDOW_DTX } else { RATE_WINDOW };
        let layers =
            usize::from(config.spatial_layers.clamp(1, 8)) * usize::from(config.temporal_layers.clamp(1, 8));
        let key_frames = KeyFrameRequestsConfig {
            use_pli: config.use_pli,
            use_fir: config.use_fir,
            delay: config.key_frame_request_delay,
        };
        Self {
            config,
            media: Reception::new(config.clock_rate),
            rtx: config.rtx.map(|_| Reception::new(config.clock_rate)),
            seen: SeenWindow::new(if config.use_nack { SEEN_WITH_NACK } else { SEEN_WITHOUT_NACK }),
            nack: config.use_nack.then(NackGenerator::new),
            key_frames: KeyFrameRequests::new(key_frames),
            counters: Counters::default(),
            score: ScoreHistory::default(),
            score_prior: ScorePrior::default(),
            rate: RateWindow::new(window),
            layer_rates: vec![RateWindow::new(window); if layers > 1 { layers } else { 0 }]
                .into_boxed_slice(),
            rtt: None,
            last_packet: None,
            inactive: false,
            paused: false,
            resting: false,
            rest_ended: Time::ZERO,
        }
    }

    /// What the stream was made from.
    pub const fn config(&self) -> &RecvStreamConfig {
        &self.config
    }

    /// Takes a packet of the media stream.
    pub fn on_packet(&mut self, now: Time, packet: &PacketInfo) -> Received {
        if packet.payload_type != self.config.payload_type {
            return self.discard(Received::WrongPayloadType);
        }
        let (extended_sequence, is_newest) = match self.media.step(packet.sequence_number) {
            SequenceStep::Jump => return self.discard(Received::OutOfRange),
            SequenceStep::Resynced(extended_sequence) => {
                self.restart(extended_sequence);
                self.seen.insert(extended_sequence);
                self.count_media(now, extended_sequence, packet);
                return Received::Resynced { extended_sequence };
            }
            SequenceStep::Newest(extended_sequence) => (extended_sequence, true),
            SequenceStep::Late(extended_sequence) => (extended_sequence, false),
        };
        if self.last_packet.is_none() {
            self.restart(extended_sequence);
        }
        match self.seen.insert(extended_sequence) {
            Seen::Before => return self.discard(Received::Duplicate),
            Seen::Forgotten => return self.discard(Received::TooOld),
            Seen::First => self.count_media(now, extended_sequence, packet),
        }
        Received::Accepted { extended_sequence, is_newest }
    }

    /// Takes a packet of the retransmission stream, `rtx_sequence_number` being its own number there and `packet` the original it
    /// carries. It counts only if the original was not seen.
    pub fn on_rtx_packet(&mut self, now: Time, rtx_sequence_number: u16, packet: &PacketInfo) -> Received {
        self.counters.retransmitted += 1;
        if let Some(rtx) = &mut self.rtx
            && rtx.step(rtx_sequence_number) != SequenceStep::Jump
        {
            rtx.count(now, packet.timestamp);
        }
        let received = self.place_original(packet);
        match received {
            Received::Accepted { extended_sequence, .. } => self.count_repair(now, extended_sequence, packet),
            _ => self.counters.rtx_discarded += 1,
        }
        received
    }

    /// Counts a packet of the retransmission stream that carries no original: padding that probes for bandwidth.
    pub fn on_rtx_padding(&mut self, now: Time, rtx_sequence_number: u16, timestamp: u32) {
        if let Some(rtx) = &mut self.rtx
            && rtx.step(rtx_sequence_number) != SequenceStep::Jump
        {
            rtx.count(now, timestamp);
        }
    }

    /// Takes a sender report, and scores the interval since the last. Says whether the score changed.
    pub fn on_sender_report(&mut self, now: Time, info: SenderInfo) -> bool {
        self.media.on_sender_info(now, info);
        if self.inactive {
            return false;
        }
        let total = ScorePrior {
            expected: self.media.expected(),
            received: self.media.received(),
            repaired: self.counters.repaired,
            retransmitted: self.counters.retransmitted,
        };
        let prior = std::mem::replace(&mut self.score_prior, total);
        self.score.add(receive_score(
            total.expected.saturating_sub(prior.expected),
            total.received.saturating_sub(prior.received),
            total.repaired.saturating_sub(prior.repaired),
            total.retransmitted.saturating_sub(prior.retransmitted),
            self.config.rtx.is_some(),
        ))
    }

    /// Takes a sender report of the retransmission stream.
    pub fn on_rtx_sender_report(&mut self, now: Time, info: SenderInfo) {
        if let Some(rtx) = &mut self.rtx {
            rtx.on_sender_info(now, info);
        }
    }

    /// The last sender report and when it came.
    pub const fn sender_report(&self) -> Option<ReceivedSenderInfo> {
        self.media.sender()
    }

    /// Takes the source's answer to a receiver reference time report (RFC 3611 section 4.5), which arrived at `arrival`.
    pub fn on_dlrr(&mut self, arrival: NtpTime, last_rr: u32, delay: u32) {
        self.rtt = round_trip_time(arrival, last_rr, delay).or(self.rtt);
    }

    /// The report block for the media stream; ends the interval of the fraction lost. `None` before the first packet.
    pub fn report_block(&mut self, now: Time) -> Option<ReportBlock> {
        self.media.report(now, self.config.ssrc)
    }

    /// The report block for the retransmission stream, if it has sent anything.
    pub fn rtx_report_block(&mut self, now: Time) -> Option<ReportBlock> {
        let ssrc = self.config.rtx?.ssrc;
        self.rtx.as_mut()?.report(now, ssrc)
    }

    /// A consumer needs a key frame; see [`KeyFrameRequests::request`].
    pub fn request_key_frame(&mut self) {
        self.key_frames.request();
    }

    /// The stream is new, so a key frame is asked for without waiting; see [`KeyFrameRequests::force`].
    pub fn force_key_frame(&mut self) {
        self.key_frames.force();
    }

    /// Calls `sink` with each sequence number to ask for now, in ascending order, and returns how many there were: all go into one
    /// NACK message.
    pub fn poll_nack(&mut self, now: Time, sink: &mut impl FnMut(u16)) -> usize {
        let Some(nack) = &mut self.nack else {
            return 0;
        };
        let count = nack.poll(now, self.rtt, sink);
        if count > 0 {
            self.counters.nacks += 1;
            self.counters.nacked_packets += count as u64;
        }
        count
    }

    /// The key-frame request to send now, if one is due.
    pub fn poll_key_frame_request(&mut self, now: Time) -> Option<KeyFrameRequest> {
        self.key_frames.poll(now)
    }

    /// Whether the stream has just become inactive. Its score is 0 then, until the next packet.
    pub fn poll_inactivity(&mut self, now: Time) -> bool {
        self.end_silence(now, self.inactivity_timeout())
    }

    /// The same while another stream of the source goes on: after [`ABANDONED_TIMEOUT`].
    pub fn poll_abandonment(&mut self, now: Time) -> bool {
        self.end_silence(now, ABANDONED_TIMEOUT)
    }

    /// Whether [`poll_abandonment`](Self::poll_abandonment) would end it, or [`poll_rest`](Self::poll_rest) let it rest.
    pub fn is_abandoned(&self, now: Time) -> bool {
        !self.inactive && now >= self.silent_until(ABANDONED_TIMEOUT)
    }

    fn end_silence(&mut self, now: Time, timeout: Duration) -> bool {
        let ends = !self.inactive && now >= self.silent_until(timeout);
        if ends {
            self.inactive = true;
            self.score.reset(0);
        }
        ends
    }

    /// Where silence is allowed: once packets stayed away for [`ABANDONED_TIMEOUT`], the stream rests until the next one. It keeps its
    /// score, and does not become inactive. Says whether it has just begun to.
    pub fn poll_rest(&mut self, now: Time) -> bool {
        let begins = self.is_abandoned(now);
        self.resting |= begins;
        begins
    }

    /// Silence is no longer allowed; it counts from `now`. Says whether the stream rested.
    pub fn end_rest(&mut self, now: Time) -> bool {
        if self.resting {
            self.rest_ended = now;
        }
        std::mem::take(&mut self.resting)
    }

    /// When to poll next: [`Time::ZERO`] for at once, [`Time::NEVER`] for not at all.
    pub fn next_deadline(&self) -> Time {
        let nack = self.nack.as_ref().map_or(Time::NEVER, NackGenerator::next_deadline);
        let inactivity = if self.inactive { Time::NEVER } else { self.inactivity_deadline() };
        nack.min(self.key_frames.next_deadline()).min(inactivity)
    }

    /// The source pauses on purpose: nothing is missing, and silence is not inactivity.
    pub fn pause(&mut self) {
        self.paused = true;
        self.forget_missing();
        self.media.reset_jitter();
    }

    /// The source goes on; inactivity is measured from `now`.
    pub fn resume(&mut self, now: Time) {
        self.paused = false;
        self.forget_missing();
        self.media.reset_jitter();
        if self.last_packet.is_some() {
            self.last_packet = Some(now);
        }
    }

    /// When the last packet came, or the stream was resumed after that; `None` before the first.
    pub const fn last_packet(&self) -> Option<Time> {
        self.last_packet
    }

    /// Whether packets stay away.
    pub const fn is_inactive(&self) -> bool {
        self.inactive
    }

    /// The score, 0 to 10.
    pub const fn score(&self) -> u8 {
        self.score.score()
    }

    /// Round trip to the source, if measured.
    pub const fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// Bits per second of media and repairs.
    pub fn bitrate(&self, now: Time) -> u64 {
        self.rate.bitrate(now)
    }

    /// Bits per second of one layer. A stream with one layer has it in layer (0, 0).
    pub fn layer_bitrate(&self, now: Time, spatial_layer: u8, temporal_layer: u8) -> u64 {
        if self.layer_rates.is_empty() && (spatial_layer, temporal_layer) == (0, 0) {
            return self.bitrate(now);
        }
        let rate =
            self.layer_index(spatial_layer, temporal_layer).and_then(|index| self.layer_rates.get(index));
        rate.map_or(0, |rate| rate.bitrate(now))
    }

    /// The totals so far.
    pub fn stats(&self) -> RecvStats {
        RecvStats {
            packet_count: self.media.received(),
            byte_count: self.counters.bytes,
            packets_lost: self.media.lost(),
            fraction_lost: self.media.fraction_lost(),
            jitter: self.media.jitter(),
            packets_discarded: self.counters.discarded,
            packets_retransmitted: self.counters.retransmitted,
            packets_repaired: self.counters.repaired,
            rtx_packets_discarded: self.counters.rtx_discarded,
            nack_count: self.counters.nacks,
            nack_packet_count: self.counters.nacked_packets,
            pli_count: self.key_frames.pli_count(),
            fir_count: self.key_frames.fir_count(),
            round_trip_time: self.rtt,
            score: self.score(),
        }
    }

    fn discard(&mut self, received: Received) -> Received {
        self.counters.discarded += 1;
        received
    }

    /// The source starts (again) with `extended_sequence`.
    fn restart(&mut self, extended_sequence: u64) {
        self.seen.restart(extended_sequence);
        self.forget_missing();
    }

    fn forget_missing(&mut self) {
        if let Some(nack) = &mut self.nack {
            nack.reset();
        }
    }

    /// Where an original stands that a retransmission brings.
    fn place_original(&mut self, packet: &PacketInfo) -> Received {
        if packet.payload_type != self.config.payload_type {
            return Received::WrongPayloadType;
        }
        let sequence = self.media.sequence();
        let (Some(newest), Some(extended_sequence)) =
            (sequence.newest(), sequence.locate(packet.sequence_number))
        else {
            return Received::OutOfRange;
        };
        if extended_sequence < self.media.base() {
            return Received::TooOld;
        }
        if extended_sequence >= newest + u64::from(MAX_DROPOUT) {
            return Received::OutOfRange;
        }
        match self.seen.insert(extended_sequence) {
            Seen::Before => Received::Duplicate,
            Seen::Forgotten => Received::TooOld,
            Seen::First => {
                self.media.sequence_mut().advance_to(extended_sequence);
                Received::Accepted { extended_sequence, is_newest: extended_sequence > newest }
            }
        }
    }

    fn count_media(&mut self, now: Time, extended_sequence: u64, packet: &PacketInfo) {
        self.media.count(now, packet.timestamp);
        self.counters.bytes += packet.size as u64;
        if self.note(now, extended_sequence, packet) {
            self.counters.retransmitted += 1;
            self.counters.repaired += 1;
        }
    }

    fn count_repair(&mut self, now: Time, extended_sequence: u64, packet: &PacketInfo) {
        if self.note(now, extended_sequence, packet) {
            self.counters.repaired += 1;
        }
    }

    /// What media and repairs have in common. Says whether the packet had been asked for.
    fn note(&mut self, now: Time, extended_sequence: u64, packet: &PacketInfo) -> bool {
        if self.inactive {
            self.inactive = false;
            self.score.reset(MAX_SCORE);
        }
        self.resting = false;
        self.last_packet = Some(now);
        self.rate.add(now, packet.size);
        if let Some(index) = self.layer_index(packet.spatial_layer, packet.temporal_layer)
            && let Some(rate) = self.layer_rates.get_mut(index)
        {
            rate.add(now, packet.size);
        }
        self.key_frames.on_packet(packet.timestamp, packet.size, packet.is_key_frame);
        let Some(nack) = self.nack.as_mut().filter(|_| !self.paused) else {
            return false;
        };
        let outcome = nack.on_packet(now, extended_sequence, packet.is_key_frame);
        if outcome.key_frame_needed {
            self.key_frames.request();
        }
        outcome.repaired
    }

    fn layer_index(&self, spatial_layer: u8, temporal_layer: u8) -> Option<usize> {
        let temporal_layers = self.config.temporal_layers.clamp(1, 8);
        (temporal_layer < temporal_layers)
            .then(|| usize::from(spatial_layer) * usize::from(temporal_layers) + usize::from(temporal_layer))
    }

    fn inactivity_deadline(&self) -> Time {
        self.silent_until(self.inactivity_timeout())
    }

    fn inactivity_timeout(&self) -> Duration {
        if self.config.use_dtx { INACTIVITY_TIMEOUT_DTX } else { INACTIVITY_TIMEOUT }
    }

    /// When a silence that began with the last packet has lasted for `timeout`.
    fn silent_until(&self, timeout: Duration) -> Time {
        match self.last_packet {
            Some(last) if self.config.check_inactivity && !self.paused && !self.resting => {
                last.max(self.rest_ended) + timeout
            }
            _ => Time::NEVER,
        }
    }
}
