//! One RTP stream to one receiver: what was sent, what the receiver says about it, and what may be sent again.
//!
//! Sees rewrites and sizes, never packets; the store that retransmissions come from belongs to the source.

use crate::parity::{FecConfig, ParitySender};
use crate::rate::{RATE_WINDOW, RateWindow};
use crate::reception::round_trip_time;
use crate::repair::{REPAIR_DEADLINE_VIDEO, RepairShare, ResendRefusal, ResendRefusals, ResendTimes};
use crate::rtx::{RtxConfig, RtxHeader, RtxSender};
use crate::score::{Interval, ScoreHistory, send_score};
use crate::sent_log::{SentLog, SentPacket};
use crate::timestamp_map::clock_units;
use std::time::Duration;
use tureen_rtp_wire::rtcp::{ReportBlock, SenderInfo};
use tureen_rtp_wire::{NtpTime, Time};

/// What a stream is made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendStreamConfig {
    /// SSRC of the media.
    pub ssrc: u32,
    /// Payload type of the media.
    pub payload_type: u8,
    /// Clock rate in Hz.
    pub clock_rate: u32,
    /// The retransmission stream (RFC 4588); without one, packets are sent again as they were.
    pub rtx: Option<RtxConfig>,
    /// First sequence number of the retransmission stream; should be random.
    pub rtx_first_sequence_number: u16,
    /// The parity stream (FlexFEC), if the receiver takes one.
    pub fec: Option<FecConfig>,
    /// First sequence number of the parity stream; should be random.
    pub fec_first_sequence_number: u16,
    /// Packets that can be sent again, 0 if the receiver sends no NACK; see [`SENT_LOG_VIDEO`](crate::sent_log::SENT_LOG_VIDEO) and
    /// [`SENT_LOG_AUDIO`](crate::sent_log::SENT_LOG_AUDIO).
    pub log_capacity: usize,
}

/// A packet to send again: its source, the changes it had, and the retransmission header if it goes out on a stream of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resend {
    /// What it was.
    pub packet: SentPacket,
    /// How it goes out; `None`: exactly as the first time.
    pub rtx: Option<RtxHeader>,
}

/// Totals of a stream, as the statistics of a consumer have them (`outbound-rtp`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendStats {
    /// Packets of the media stream, without retransmissions.
    pub packet_count: u64,
    /// Their bytes.
    pub byte_count: u64,
    /// Cumulative loss that the receiver reported; may be negative.
    pub packets_lost: i32,
    /// Loss of its last interval, in 256ths.
    pub fraction_lost: u8,
    /// Jitter that it reported, in units of the stream's clock.
    pub jitter: u32,
    /// Retransmissions sent.
    pub packets_retransmitted: u64,
    /// Packets sent again at least once.
    pub packets_repaired: u64,
    /// Packets asked for that were not sent again, by reason.
    pub refused: ResendRefusals,
    /// Bytes of retransmissions.
    pub bytes_retransmitted: u64,
    /// Packets of parity sent.
    pub parity_packets: u64,
    /// Their bytes, headers included.
    pub parity_bytes: u64,
    /// NACK messages received.
    pub nack_count: u64,
    /// Packets asked for in them.
    pub nack_packet_count: u64,
    /// PLIs received.
    pub pli_count: u64,
    /// FIRs received.
    pub fir_count: u64,
    /// Round trip to the receiver, if measured.
    pub round_trip_time: Option<Duration>,
    /// 0 to 10.
    pub score: u8,
}

/// A source's clock that says something further from when its packets leave is not believed: longer ways are not used for conversations.
const MAX_CAPTURE_DEVIATION: Duration = Duration::from_secs(10);

/// The totals when the score was last computed.
#[derive(Clone, Copy, Debug, Default)]
struct ScorePrior {
    sent: u64,
    lost: i32,
    repaired: u64,
    retransmitted: u64,
}

/// What ties the stream's clock to ours for sender reports.
#[derive(Clone, Copy, Debug)]
struct LastPacket {
    timestamp: u32,
    at: Time,
}

/// One RTP stream to one receiver.
#[derive(Clone, Debug)]
pub struct SendStream {
    config: SendStreamConfig,
    rtx: Option<RtxSender>,
    parity: Option<Box<ParitySender>>,
    log: Option<SentLog>,
    stats: SendStats,
    payload_bytes: u64,
    last: Option<LastPacket>,
    score: ScoreHistory,
    score_prior: ScorePrior,
    rate: RateWindow,
    repair_deadline: Duration,
    repair_share: RepairShare,
}

impl SendStream {
    /// A stream that has sent nothing. All its memory is reserved here.
    pub fn new(config: SendStreamConfig) -> Self {
        Self {
            config,
            rtx: config.rtx.map(|rtx| RtxSender::new(rtx, config.rtx_first_sequence_number)),
            parity: config.fec.map(|fec| Box::new(ParitySender::new(fec, config.fec_first_sequence_number))),
            log: (config.log_capacity > 0).then(|| SentLog::new(config.log_capacity)),
            stats: SendStats::default(),
            payload_bytes: 0,
            last: None,
            score: ScoreHistory::default(),
            score_prior: ScorePrior::default(),
            rate: RateWindow::new(RATE_WINDOW),
            repair_deadline: REPAIR_DEADLINE_VIDEO,
            repair_share: RepairShare::new(),
        }
    }

    /// The same whose packets are of use for so long after they were first sent, instead of [`REPAIR_DEADLINE_VIDEO`].
    pub const fn with_repair_deadline(mut self, deadline: Duration) -> Self {
        self.repair_deadline = deadline;
        self
    }

    /// What the stream was made from.
    pub const fn config(&self) -> &SendStreamConfig {
        &self.config
    }

    /// Takes note of a packet that goes out at `now`, of `size` bytes in all and `payload_size` without header and padding.
    #[inline]
    pub fn on_sent(&mut self, now: Time, packet: SentPacket, size: usize, payload_size: usize) {
        self.stats.packet_count += 1;
        self.stats.byte_count += size as u64;
        self.payload_bytes += payload_size as u64;
        self.rate.add(now, size);
        self.repair_share.earn(size);
        let timestamp = packet.rewrite.timestamp;
        if self.last.is_none_or(|last| {
            timestamp != last.timestamp && timestamp.wrapping_sub(last.timestamp) < 1 << 31
        }) {
            self.last = Some(LastPacket { timestamp, at: now });
        }
        if let Some(log) = &mut self.log {
            log.insert(now, packet);
        }
        if let Some(parity) = &mut self.parity {
            parity.on_sent(now, packet.rewrite.sequence_number);
        }
    }

    /// Takes note of a packet that has its number and waits to go out: [`logged`](Self::logged) finds it, and [`on_sent`](Self::on_sent)
    /// follows when it leaves.
    pub fn park(&mut self, now: Time, packet: SentPacket) {
        if let Some(log) = &mut self.log {
            log.insert(now, packet);
        }
    }

    /// The packet that has this number, be it sent or [parked](Self::park), if that was not too long ago.
    pub fn logged(&self, sequence_number: u16) -> Option<SentPacket> {
        self.log.as_ref()?.get(sequence_number)
    }

    /// Whether packets can wait: what was sent is remembered.
    pub const fn can_park(&self) -> bool {
        self.log.is_some()
    }

    /// Frames up to `timestamp` are about to be sent at once, and the one of that timestamp arrived at `at`: sender reports go by that
    /// until a later one is sent.
    pub const fn anchor(&mut self, timestamp: u32, at: Time) {
        self.last = Some(LastPacket { timestamp, at });
    }

    /// Counts a NACK message that asks for `packets` packets; each is then asked for with [`resend`](Self::resend).
    pub fn on_nack(&mut self, packets: usize) {
        self.stats.nack_count += 1;
        self.stats.nack_packet_count += packets as u64;
    }

    /// Counts a PLI.
    pub fn on_pli(&mut self) {
        self.stats.pli_count += 1;
    }

    /// Counts a FIR.
    pub fn on_fir(&mut self) {
        self.stats.fir_count += 1;
    }

    /// The packet that was sent as `sequence_number`, to be sent again at `now`: once a round trip, if it arrives while it is of use, and within
    /// the share of repairs; see [`repair`](crate::repair). Follow up with [`on_resent`](Self::on_resent) when it left, or with
    /// [`refuse`](Self::refuse).
    pub fn resend(&mut self, now: Time, sequence_number: u16) -> Result<Resend, ResendRefusal> {
        let times = ResendTimes::of(self.stats.round_trip_time, self.repair_deadline);
        let log = self.log.as_mut().ok_or(ResendRefusal::Unknown)?;
        let (packet, first) = log.resend(now, times, sequence_number)?;
        if !self.repair_share.has_room() {
            return Err(ResendRefusal::OverShare);
        }
        log.repeat(now, sequence_number);
        self.stats.packets_repaired += u64::from(first);
        Ok(Resend { packet, rtx: self.rtx.as_mut().map(|rtx| rtx.encapsulate(sequence_number)) })
    }

    /// Counts a packet that was asked for and is not sent again.
    pub fn refuse(&mut self, reason: ResendRefusal) {
        self.stats.refused.add(reason);
    }

    /// The parity stream, if it has one.
    pub fn parity(&self) -> Option<&ParitySender> {
        self.parity.as_deref()
    }

    /// The same, to take from it what parity is due of.
    pub fn parity_mut(&mut self) -> Option<&mut ParitySender> {
        self.parity.as_deref_mut()
    }

    /// Counts a packet of parity of `size` bytes that left at `now`.
    pub fn on_parity_sent(&mut self, now: Time, size: usize) {
        self.stats.parity_packets += 1;
        self.stats.parity_bytes += size as u64;
        self.rate.add(now, size);
        if let Some(parity) = &mut self.parity {
            parity.on_parity_sent(now, size);
        }
    }

    /// Counts a retransmission of `size` bytes that left at `now`.
    pub fn on_resent(&mut self, now: Time, size: usize) {
        self.stats.packets_retransmitted += 1;
        self.stats.bytes_retransmitted += size as u64;
        self.rate.add(now, size);
        self.repair_share.spend(size);
    }

    /// Forgets what was sent, so that it is not sent again: the source's stream was exchanged, and its numbers mean other packets.
    pub fn forget_sent(&mut self) {
        if let Some(log) = &mut self.log {
            log.clear();
        }
        if let Some(parity) = &mut self.parity {
            parity.forget();
        }
    }

    /// The retransmission stream, if it has one.
    pub const fn rtx(&self) -> Option<&RtxSender> {
        self.rtx.as_ref()
    }

    /// The next packet of the retransmission stream that is not a repair: padding, if the stream has one.
    pub fn rtx_mut(&mut self) -> Option<&mut RtxSender> {
        self.rtx.as_mut()
    }

    /// What a sender report says at `now`, `ntp` being the wall clock then (RFC 3550 section 6.4.1): `captured` is the timestamp of what
    /// is captured at that moment, if the source told; else, or if that cannot be, it follows from when the last packet left. `None` before the
    /// first packet.
    pub fn sender_info(&self, now: Time, ntp: NtpTime, captured: Option<u32>) -> Option<SenderInfo> {
        let last = self.last?;
        let passed = clock_units(now.since(last.at), self.config.clock_rate);
        let by_departure = last.timestamp.wrapping_add(passed);
        let limit = clock_units(MAX_CAPTURE_DEVIATION, self.config.clock_rate);
        let believable = |it: &u32| (it.wrapping_sub(by_departure) as i32).unsigned_abs() <= limit;
        Some(SenderInfo {
            ntp,
            rtp_timestamp: captured.filter(believable).unwrap_or(by_departure),
            packet_count: self.stats.packet_count as u32,
            octet_count: self.payload_bytes as u32,
        })
    }

    /// Takes the receiver's report on this stream, which arrived at `arrival`, and scores the interval since the last. Returns
    /// the round trip that it closes.
    pub fn on_report_block(&mut self, arrival: NtpTime, report: &ReportBlock) -> Option<Duration> {
        let rtt = round_trip_time(arrival, report.last_sender_report, report.delay_since_last_sender_report);
        self.stats.round_trip_time = rtt.or(self.stats.round_trip_time);
        self.stats.packets_lost = report.cumulative_lost;
        self.stats.fraction_lost = report.fraction_lost;
        self.stats.jitter = report.jitter;
        if let Some(parity) = &mut self.parity {
            parity.follow(report.fraction_lost, self.stats.round_trip_time);
        }
        let total = ScorePrior {
            sent: self.stats.packet_count,
            lost: report.cumulative_lost,
            repaired: self.stats.packets_repaired,
            retransmitted: self.stats.packets_retransmitted,
        };
        let prior = std::mem::replace(&mut self.score_prior, total);
        self.score.add(send_score(Interval {
            expected: total.sent.saturating_sub(prior.sent),
            lost: u64::try_from(i64::from(total.lost) - i64::from(prior.lost)).unwrap_or(0),
            repaired: total.repaired.saturating_sub(prior.repaired),
            retransmitted: total.retransmitted.saturating_sub(prior.retransmitted),
        }));
        rtt
    }

    /// The score, 0 to 10.
    pub const fn score(&self) -> u8 {
        self.score.score()
    }

    /// Round trip to the receiver, if measured.
    pub const fn rtt(&self) -> Option<Duration> {
        self.stats.round_trip_time
    }

    /// Bits per second of media and retransmissions.
    pub fn bitrate(&self, now: Time) -> u64 {
        self.rate.bitrate(now)
    }

    /// The totals so far.
    pub fn stats(&self) -> SendStats {
        SendStats { score: self.score(), ..self.stats }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{PayloadPatch, Rewrite};

    fn stream(rtx: bool) -> SendStream {
        SendStream::new(SendStreamConfig {
            ssrc: 1,
            payload_type: 96,
            clock_rate: 90_000,
            rtx: rtx.then_some(RtxConfig { ssrc: 2, payload_type: 97 }),
            rtx_first_sequence_number: 500,
            log_capacity: 64,
            ..SendStreamConfig::default()
        })
    }

    fn packet(sequence_number: u16, timestamp: u32) -> SentPacket {
        let rewrite = Rewrite { sequence_number, timestamp, marker: None, payload: PayloadPatch::None };
        SentPacket { encoding: 0, source: u32::from(sequence_number), rewrite }
    }

    fn report(
        cumulative_lost: i32,
        last_sender_report: u32,
        delay_since_last_sender_report: u32,
    ) -> ReportBlock {
        ReportBlock {
            ssrc: 1,
            fraction_lost: 25,
            cumulative_lost,
            jitter: 7,
            last_sender_report,
            delay_since_last_sender_report,
            ..ReportBlock::default()
        }
    }

    #[test]
    fn sender_reports_extrapolate_the_timestamp() {
        let mut stream = stream(false);
        assert_eq!(stream.sender_info(Time::ZERO, NtpTime(0), None), None);
        // Three packets of one frame: the first of them ties the clocks.
        for (sequence, millis) in [(1, 1000), (2, 1005), (3, 1010)] {
            stream.on_sent(Time::from_millis(millis), packet(sequence, 9000), 1212, 1200);
        }
        let info = stream.sender_info(Time::from_millis(1100), NtpTime(77), None).unwrap();
        let expected =
            SenderInfo { ntp: NtpTime(77), rtp_timestamp: 18_000, packet_count: 3, octet_count: 3600 };
        assert_eq!(info, expected);
        // 200 ms ahead of what left; an hour is not believed.
        for (captured, told) in [(36_000, 36_000), (18_000 + 3600 * 90_000u32, 18_000)] {
            let info = stream.sender_info(Time::from_millis(1100), NtpTime(77), Some(captured)).unwrap();
            assert_eq!(info.rtp_timestamp, told);
        }
    }

    #[test]
    fn a_nack_is_answered_once_a_round_trip() {
        let mut stream = stream(true);
        stream.on_sent(Time::from_millis(0), packet(9, 1), 100, 88);
        let resend = stream.resend(Time::from_millis(50), 9).unwrap();
        assert_eq!(resend.packet, packet(9, 1));
        let expected = RtxHeader { ssrc: 2, payload_type: 97, sequence_number: 500, prefix: [0, 9] };
        assert_eq!(resend.rtx, Some(expected));
        stream.on_resent(Time::from_millis(50), 102);
        assert_eq!(stream.resend(Time::from_millis(149), 9), Err(ResendRefusal::TooSoon));
        let resend = stream.resend(Time::from_millis(150), 9).unwrap();
        assert_eq!(resend.rtx.map(|rtx| rtx.sequence_number), Some(501));
        stream.on_resent(Time::from_millis(150), 102);
        assert_eq!(stream.resend(Time::from_millis(150), 10), Err(ResendRefusal::Unknown));
        let stats = stream.stats();
        assert_eq!(
            (stats.packets_retransmitted, stats.packets_repaired, stats.bytes_retransmitted),
            (2, 1, 204)
        );
    }

    #[test]
    fn repairs_stay_within_their_share() {
        let mut stream = stream(true);
        let mut asked = 0u16;
        let mut resent = 0;
        for number in 0..2000u16 {
            let now = Time::from_millis(u64::from(number) * 10);
            stream.on_sent(now, packet(number, 0), 1000, 988);
            asked += 1;
            match stream.resend(now, number) {
                Ok(_) => {
                    stream.on_resent(now, 1000);
                    resent += 1;
                }
                Err(reason) => {
                    assert_eq!(reason, ResendRefusal::OverShare);
                    stream.refuse(reason);
                }
            }
        }
        // What was saved up, and half of what came since.
        assert!((1190..=1210).contains(&resent), "{resent}");
        let refused = stream.stats().refused.get(ResendRefusal::OverShare);
        assert_eq!(refused, u64::from(asked) - resent);
    }

    #[test]
    fn without_rtx_the_packet_goes_out_as_it_was() {
        let mut stream = stream(false);
        stream.on_sent(Time::ZERO, packet(9, 1), 100, 88);
        assert_eq!(stream.resend(Time::ZERO, 9), Ok(Resend { packet: packet(9, 1), rtx: None }));
    }

    #[test]
    fn sender_reports_go_by_the_newest_frame_of_what_is_sent_at_once() {
        let mut stream = stream(false);
        stream.anchor(90_000, Time::from_millis(1000));
        for (sequence, timestamp) in [(1, 89_900), (2, 90_000)] {
            stream.on_sent(Time::from_millis(1020), packet(sequence, timestamp), 100, 88);
        }
        let ntp = NtpTime::new(1, 0);
        let at = |stream: &SendStream, millis| {
            stream.sender_info(Time::from_millis(millis), ntp, None).unwrap().rtp_timestamp
        };
        assert_eq!(at(&stream, 1020), 90_000 + 1800);
        stream.on_sent(Time::from_millis(1040), packet(3, 93_000), 100, 88);
        assert_eq!(at(&stream, 1040), 93_000);
    }

    #[test]
    fn report_blocks_give_round_trip_loss_and_score() {
        let mut stream = stream(false);
        for sequence in 0..100 {
            stream.on_sent(Time::ZERO, packet(sequence, 0), 100, 88);
        }
        let arrival = NtpTime::new(0x0000_b710, 0x8000_0000);
        let rtt = stream.on_report_block(arrival, &report(10, 0xb705_2000, 0x0005_4000));
        assert_eq!(rtt, Some(Duration::from_millis(6125)));
        let stats = stream.stats();
        assert_eq!((stats.packets_lost, stats.fraction_lost, stats.jitter), (10, 25, 7));
        assert_eq!(stats.score, 7); // 0.9^4 x 10
        // The next interval sent nothing: (7 + 2 x 10) / 3. The round trip is kept.
        assert_eq!(stream.on_report_block(arrival, &report(8, 0, 0)), None);
        assert_eq!((stream.score(), stream.rtt()), (9, rtt));
    }
}
