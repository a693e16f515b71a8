//! A model receiver: puts packets in order, judges each frame, asks for what is missing, reports.

use super::media::{ModelCodec, Piece};
use super::{RtcpBox, RtxIds, compound};
use rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtcp::receiver_report::ReceiverReport;
use rtcp::reception_report::ReceptionReport;
use rtcp::sender_report::SenderReport;
use rtcp::transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tureen_rtp_dictionaries::MediaKind;
use tureen_rtp_wire::Time;

/// How a [`Receiver`] receives.
#[derive(Clone, Debug)]
pub struct ReceiverConfig {
    /// What it expects.
    pub codec: ModelCodec,
    /// The SSRC that it expects.
    pub ssrc: u32,
    /// The payload type that it expects.
    pub payload_type: u8,
    /// The retransmission stream; `None`: lost packets come again as they were.
    pub rtx: Option<RtxIds>,
    /// Whether it asks for what is missing.
    pub nack: bool,
    /// How long it waits for a missing packet before it goes on without it. Default 1.5 s.
    pub patience: Duration,
    /// Asks for key frames this often, needed or not.
    pub pli_flood: Option<Duration>,
    /// Notes when each frame was captured, see [`Receiver::shown`]. Default `false`.
    pub note_capture: bool,
}

impl ReceiverConfig {
    /// A receiver that asks for what is missing.
    pub fn new(codec: ModelCodec, ssrc: u32, payload_type: u8) -> Self {
        let patience = Duration::from_millis(1500);
        Self {
            codec,
            ssrc,
            payload_type,
            rtx: None,
            nack: true,
            patience,
            pli_flood: None,
            note_capture: false,
        }
    }
}

/// What a [`Receiver`] saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverStats {
    /// Packets of the media stream, duplicates and repetitions included.
    pub packets: u64,
    /// Different packets that arrived, in either stream.
    pub distinct: u64,
    /// Packets that came again though they were there, on the media stream.
    pub duplicates: u64,
    /// Sequence numbers that were missing when a later one came.
    pub missing: u64,
    /// Missing packets that came after a NACK.
    pub repaired: u64,
    /// Missing packets that came by themselves.
    pub late: u64,
    /// Sequence numbers that were given up.
    pub gaps: u64,
    /// Retransmissions that nobody needed.
    pub useless_repairs: u64,
    /// Packets that claim a number more than 3000 from the newest.
    pub jumps: u64,
    /// Packets with a wrong payload type, or whose payload is not what a model sender writes.
    pub corrupt: u64,
    /// Frames that could be decoded.
    pub frames: u64,
    /// Key frames among them.
    pub key_frames: u64,
    /// Frames that came, whole or not, and could not be decoded.
    pub broken: u64,
    /// Decodable frames whose picture id does not follow the one before.
    pub picture_id_breaks: u64,
    /// Decodable frames whose timestamp is not above the one before.
    pub timestamp_breaks: u64,
    /// The longest run without a decodable frame, in milliseconds.
    pub longest_freeze: u64,
    /// NACKed sequence numbers.
    pub nacked: u64,
    /// PLIs sent.
    pub plis: u64,
    /// Sender reports received.
    pub sender_reports: u64,
}

const NACK_DELAY: Duration = Duration::from_millis(10);
const NACK_INTERVAL: Duration = Duration::from_millis(60);
const PLI_INTERVAL: Duration = Duration::from_millis(500);
const REPORT_INTERVAL: Duration = Duration::from_millis(1000);
const OWN_SSRC: u32 = 0x0bad_cafe;
const MAX_JUMP: u64 = 3000;

/// A frame that could be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its number at the source.
    pub frame: u32,
    /// When it could be.
    pub at: Time,
    /// When it was captured, in nanoseconds of the wall clock that the newest sender report tells of.
    pub captured: i128,
}

/// What was shown when.
#[derive(Debug, Default)]
struct Show {
    /// Wall clock and timestamp of the newest sender report.
    clock: Option<(u64, u32)>,
    frames: Vec<Shown>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    piece: Piece,
    timestamp: u32,
    marker: bool,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    since: Time,
    due: Time,
    asked: bool,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    piece: Piece,
    timestamp: u32,
    next_index: u8,
}

#[derive(Clone, Copy, Debug, Default)]
struct Interval {
    expected: u64,
    received: u64,
}

/// A model receiver of one stream.
#[derive(Debug)]
pub struct Receiver {
    config: ReceiverConfig,
    newest: Option<u64>,
    first: u64,
    /// The sequence number to be consumed next.
    next: u64,
    held: BTreeMap<u64, Held>,
    missing: BTreeMap<u64, Missing>,
    given_up: BTreeSet<u64>,
    assembling: Option<Frame>,
    decoded: Option<Frame>,
    last_picture: Option<u16>,
    last_timestamp: Option<u32>,
    first_frame_at: Option<Time>,
    last_frame_at: Option<Time>,
    wants_key_frame: bool,
    next_pli: Time,
    next_report: Time,
    reported: Interval,
    sender_report: Option<(u32, Time)>,
    show: Show,
    stats: ReceiverStats,
}

impl Receiver {
    /// A receiver that has seen nothing.
    pub fn new(config: ReceiverConfig, now: Time) -> Self {
        Self {
            next_pli: config.pli_flood.map_or(Time::NEVER, |every| now + every),
            newest: None,
            first: 0,
            next: 0,
            held: BTreeMap::new(),
            missing: BTreeMap::new(),
            given_up: BTreeSet::new(),
            assembling: None,
            decoded: None,
            last_picture: None,
            last_timestamp: None,
            first_frame_at: None,
            last_frame_at: None,
            wants_key_frame: false,
            next_report: now + REPORT_INTERVAL,
            reported: Interval::default(),
            sender_report: None,
            show: Show::default(),
            stats: ReceiverStats::default(),
            config,
        }
    }

    /// How it receives.
    pub fn config(&self) -> &ReceiverConfig {
        &self.config
    }

    /// What it saw.
    pub fn stats(&self) -> ReceiverStats {
        self.stats
    }

    /// The first sequence number, and how many there are up to the newest. What came of them and is not missing makes up
    /// the rest.
    pub fn span(&self) -> (u16, u64) {
        (self.first as u16, self.newest.map_or(0, |newest| newest - self.first + 1))
    }

    /// When the first frame was decoded.
    pub fn first_frame_at(&self) -> Option<Time> {
        self.first_frame_at
    }

    /// The frame number decoded last.
    pub fn last_frame(&self) -> Option<u32> {
        self.decoded.map(|frame| frame.piece.tag.frame)
    }

    /// When [`Receiver::on_deadline`] is due.
    pub fn next_deadline(&self) -> Time {
        let missing =
            self.missing.values().map(|missing| missing.due.min(missing.since + self.config.patience));
        let pli =
            if self.wants_key_frame || self.config.pli_flood.is_some() { self.next_pli } else { Time::NEVER };
        missing.chain([pli, self.next_report]).min().unwrap_or(Time::NEVER)
    }

    /// Takes a packet; says whether it is one of its streams.
    pub fn on_rtp(&mut self, now: Time, packet: &rtp::packet::Packet) -> bool {
        let header = &packet.header;
        if header.ssrc == self.config.ssrc {
            self.stats.packets += 1;
            let fits = header.payload_type == self.config.payload_type;
            let piece = self.config.codec.read(&packet.payload).filter(|piece| fits && piece.intact);
            match piece {
                Some(piece) => {
                    let held = Held { piece, timestamp: header.timestamp, marker: header.marker };
                    self.accept(now, header.sequence_number, held, false);
                }
                None => self.stats.corrupt += 1,
            }
            return true;
        }
        let Some(rtx) = self.config.rtx.filter(|rtx| rtx.ssrc == header.ssrc) else { return false };
        let original = packet.payload.get(..2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
        let piece = packet
            .payload
            .len()
            .checked_sub(2)
            .and_then(|_| self.config.codec.read(&packet.payload.slice(2..)));
        match (original, piece.filter(|piece| piece.intact && header.payload_type == rtx.payload_type)) {
            (Some(original), Some(piece)) => {
                let held = Held { piece, timestamp: header.timestamp, marker: header.marker };
                self.accept(now, original, held, true);
            }
            _ => self.stats.corrupt += 1,
        }
        true
    }

    /// Takes one packet of a compound.
    pub fn on_rtcp(&mut self, now: Time, packet: &RtcpBox) {
        let report = packet.as_any().downcast_ref::<SenderReport>();
        if let Some(report) = report.filter(|report| report.ssrc == self.config.ssrc) {
            self.stats.sender_reports += 1;
            self.sender_report = Some(((report.ntp_time >> 16) as u32, now));
            self.show.clock = Some((report.ntp_time, report.rtp_time));
        }
    }

    fn accept(&mut self, now: Time, sequence_number: u16, held: Held, is_rtx: bool) {
        let Some(newest) = self.newest else {
            let extended = 0x1_0000 + u64::from(sequence_number);
            (self.newest, self.first, self.next) = (Some(extended), extended, extended);
            self.stats.distinct += 1;
            self.held.insert(extended, held);
            self.consume(now);
            return;
        };
        let step = i64::from(sequence_number.wrapping_sub(newest as u16) as i16);
        let extended = newest.saturating_add_signed(step);
        if step.unsigned_abs() > MAX_JUMP {
            self.stats.jumps += 1;
            return;
        }
        if extended > newest {
            self.newest = Some(extended);
            self.stats.missing += extended - newest - 1;
            let missing = Missing { since: now, due: now + NACK_DELAY, asked: false };
            self.missing.extend((newest + 1..extended).map(|lost| (lost, missing)));
        } else if let Some(missing) = self.missing.remove(&extended) {
            self.stats.repaired += u64::from(missing.asked);
            self.stats.late += u64::from(!missing.asked);
        } else {
            match is_rtx || self.given_up.contains(&extended) {
                true => self.stats.useless_repairs += 1,
                false => self.stats.duplicates += 1,
            }
            return;
        }
        self.stats.distinct += 1;
        self.held.insert(extended, held);
        self.consume(now);
    }

    /// Hands packets on in order, as far as there is no hole.
    fn consume(&mut self, now: Time) {
        loop {
            if let Some(held) = self.held.remove(&self.next) {
                self.assemble(now, &held);
            } else if self.given_up.contains(&self.next) {
                self.lose_frame();
            } else {
                return;
            }
            self.next += 1;
        }
    }

    fn lose_frame(&mut self) {
        self.stats.broken += u64::from(self.assembling.take().is_some());
        self.decoded = None;
    }

    fn assemble(&mut self, now: Time, held: &Held) {
        let tag = held.piece.tag;
        if tag.index == 0 {
            self.stats.broken += u64::from(self.assembling.is_some());
            self.assembling = Some(Frame { piece: held.piece, timestamp: held.timestamp, next_index: 1 });
        } else {
            let fits = |frame: &Frame| {
                frame.piece.tag.frame == tag.frame
                    && frame.next_index == tag.index
                    && frame.timestamp == held.timestamp
                    && frame.piece.picture_id == held.piece.picture_id
            };
            match &mut self.assembling {
                Some(frame) if fits(frame) => frame.next_index += 1,
                // The rest of a frame that was lost already.
                None if self.decoded.is_none() => {}
                _ => {
                    self.assembling = None;
                    self.decoded = None;
                    self.stats.broken += 1;
                }
            }
        }
        let marker_is_right =
            held.marker == (tag.index + 1 == tag.count) || self.config.codec.kind() == MediaKind::Audio;
        self.stats.corrupt += u64::from(!marker_is_right);
        if let Some(frame) = self.assembling.take_if(|frame| frame.next_index == tag.count) {
            self.decode(now, frame);
        }
        let waits = self.config.codec.kind() == MediaKind::Video && self.decoded.is_none();
        if waits && !self.wants_key_frame && self.assembling.is_none() {
            self.next_pli = self.next_pli.min(now);
        }
        self.wants_key_frame = waits && self.assembling.is_none();
    }

    fn decode(&mut self, now: Time, frame: Frame) {
        let tag = frame.piece.tag;
        let follows = self.decoded.is_some_and(|last| last.piece.tag.frame + 1 == tag.frame);
        if self.config.codec.kind() == MediaKind::Video && !tag.is_key_frame && !follows {
            self.stats.broken += 1;
            self.decoded = None;
            return;
        }
        if let (Some(last), Some(id)) = (self.last_picture, frame.piece.picture_id) {
            self.stats.picture_id_breaks += u64::from(id.wrapping_sub(last) & 0x7fff != 1);
        }
        if let Some(last) = self.last_timestamp {
            let forward = frame.timestamp.wrapping_sub(last) as i32 > 0;
            self.stats.timestamp_breaks += u64::from(!forward);
        }
        if let Some(last) = self.last_frame_at {
            self.stats.longest_freeze = self.stats.longest_freeze.max(now.since(last).as_millis() as u64);
        }
        if let Some(captured) = self.captured(frame.timestamp).filter(|_| self.config.note_capture) {
            self.show.frames.push(Shown { frame: tag.frame, at: now, captured });
        }
        self.last_picture = frame.piece.picture_id;
        self.last_timestamp = Some(frame.timestamp);
        self.first_frame_at.get_or_insert(now);
        self.last_frame_at = Some(now);
        self.decoded = Some(frame);
        self.stats.frames += 1;
        self.stats.key_frames += u64::from(tag.is_key_frame);
    }

    /// The wall clock at `timestamp`, in nanoseconds, if a sender report told.
    fn captured(&self, timestamp: u32) -> Option<i128> {
        let (ntp, rtp) = self.show.clock?;
        let since = i128::from(timestamp.wrapping_sub(rtp) as i32) * 1_000_000_000;
        let report = (i128::from(ntp) * 1_000_000_000) >> 32;
        Some(report + since / i128::from(self.config.codec.clock_rate()))
    }

    /// The frames that were decoded since the first sender report, if those are noted.
    pub fn shown(&self) -> &[Shown] {
        &self.show.frames
    }

    /// Gives up, asks and reports what is due.
    pub fn on_deadline(&mut self, now: Time, out: &mut Vec<Vec<u8>>) {
        self.give_up(now);
        self.send_nack(now, out);
        self.send_pli(now, out);
        if self.next_report <= now {
            out.push(self.report(now));
            self.next_report += REPORT_INTERVAL;
        }
    }

    fn give_up(&mut self, now: Time) {
        let patience = self.config.patience;
        let lost: Vec<u64> = self
            .missing
            .iter()
            .filter(|(_, missing)| now >= missing.since + patience)
            .map(|(&sequence, _)| sequence)
            .collect();
        for sequence in lost {
            self.missing.remove(&sequence);
            self.given_up.insert(sequence);
            self.stats.gaps += 1;
        }
        self.consume(now);
    }

    fn send_nack(&mut self, now: Time, out: &mut Vec<Vec<u8>>) {
        let mut lost = Vec::new();
        for (&sequence, missing) in self.missing.iter_mut().filter(|(_, missing)| missing.due <= now) {
            missing.due = now + NACK_INTERVAL;
            if self.config.nack {
                missing.asked = true;
                lost.push(sequence as u16);
            }
        }
        if lost.is_empty() {
            return;
        }
        self.stats.nacked += lost.len() as u64;
        out.push(compound(&[
            Box::new(ReceiverReport { ssrc: OWN_SSRC, ..Default::default() }),
            Box::new(TransportLayerNack {
                sender_ssrc: OWN_SSRC,
                media_ssrc: self.config.ssrc,
                nacks: nack_pairs_from_sequence_numbers(&lost),
            }),
        ]));
    }

    fn send_pli(&mut self, now: Time, out: &mut Vec<Vec<u8>>) {
        let wanted = self.wants_key_frame || self.config.pli_flood.is_some();
        if !wanted || self.next_pli > now {
            return;
        }
        self.next_pli = now + self.config.pli_flood.unwrap_or(PLI_INTERVAL);
        self.stats.plis += 1;
        out.push(compound(&[
            Box::new(ReceiverReport { ssrc: OWN_SSRC, ..Default::default() }),
            Box::new(PictureLossIndication { sender_ssrc: OWN_SSRC, media_ssrc: self.config.ssrc }),
        ]));
    }

    fn report(&mut self, now: Time) -> Vec<u8> {
        let (_, expected) = self.span();
        let total = Interval { expected, received: self.stats.distinct };
        let expected_now = total.expected - self.reported.expected;
        let lost_now = expected_now.saturating_sub(total.received - self.reported.received);
        self.reported = total;
        let (last_sender_report, delay) = self
            .sender_report
            .map_or((0, 0), |(ntp, at)| (ntp, (now.since(at).as_micros() * 65_536 / 1_000_000) as u32));
        let block = ReceptionReport {
            ssrc: self.config.ssrc,
            fraction_lost: (lost_now * 256).checked_div(expected_now).unwrap_or(0).min(255) as u8,
            total_lost: expected.saturating_sub(self.stats.distinct) as u32,
            last_sequence_number: self.newest.map_or(0, |newest| (newest - 0x1_0000) as u32),
            jitter: 0,
            last_sender_report,
            delay,
        };
        let reports = if self.newest.is_some() { vec![block] } else { Vec::new() };
        compound(&[Box::new(ReceiverReport { ssrc: OWN_SSRC, reports, ..Default::default() })])
    }
}
