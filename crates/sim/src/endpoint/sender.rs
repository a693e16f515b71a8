//! A model sender: frames at a steady pace, key frames when asked, retransmissions when asked, sender reports.

use super::media::{FrameTag, ModelCodec};
use super::{RtcpBox, RtxIds, compound};
use bytes::Bytes;
use rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtcp::receiver_report::ReceiverReport;
use rtcp::reception_report::ReceptionReport;
use rtcp::sender_report::SenderReport;
use rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use std::collections::VecDeque;
use std::time::Duration;
use tureen_rtp_dictionaries::MediaKind;
use tureen_rtp_wire::{Time, WallClock};
use webrtc_util::marshal::Marshal as _;

/// How a [`Sender`] sends.
#[derive(Clone, Debug)]
pub struct SenderConfig {
    /// What it sends.
    pub codec: ModelCodec,
    /// Its SSRC.
    pub ssrc: u32,
    /// Its payload type.
    pub payload_type: u8,
    /// How it answers NACKs; `None`: by sending the packet again.
    pub rtx: Option<RtxIds>,
    /// Its MID and the id of the header extension that carries it.
    pub mid: Option<(u8, String)>,
    /// Packets of a frame; audio has one.
    pub frame_packets: u8,
    /// Packets of a key frame.
    pub key_frame_packets: u8,
    /// Bytes of a packet behind its headers.
    pub payload_size: usize,
    /// The first sequence number.
    pub first_sequence_number: u16,
    /// The first timestamp.
    pub first_timestamp: u32,
    /// The first picture id, 15 bits.
    pub first_picture_id: u16,
    /// How much faster than virtual time its clocks go, in millionths: that of its media and that of its reports.
    pub drift: i32,
}

impl SenderConfig {
    /// A sender of `codec`: three packets a frame and six a key frame of 900 bytes, or one of 80 for audio.
    pub fn new(codec: ModelCodec, ssrc: u32, payload_type: u8) -> Self {
        let video = codec.kind() == MediaKind::Video;
        Self {
            codec,
            ssrc,
            payload_type,
            rtx: None,
            mid: None,
            frame_packets: if video { 3 } else { 1 },
            key_frame_packets: if video { 6 } else { 1 },
            payload_size: if video { 900 } else { 80 },
            first_sequence_number: 1000,
            first_timestamp: 500_000,
            first_picture_id: 77,
            drift: 0,
        }
    }
}

/// What a [`Sender`] did and heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SenderStats {
    /// Frames sent.
    pub frames: u32,
    /// Key frames among them.
    pub key_frames: u32,
    /// Packets sent, retransmissions aside.
    pub packets: u64,
    /// Packets sent again.
    pub retransmissions: u64,
    /// Packets that NACKs asked for.
    pub nacked: u64,
    /// Packets asked for that are no longer there.
    pub nacks_unanswered: u64,
    /// When PLIs and FIRs came.
    pub key_frame_requests: Vec<Time>,
    /// Report blocks about this sender.
    pub reports: u64,
    /// Cumulative loss of the last report block.
    pub reported_lost: u32,
}

/// How long packets are kept for NACKs.
const HISTORY: Duration = Duration::from_secs(2);
const REPORT_INTERVAL: Duration = Duration::from_millis(1000);

#[derive(Debug)]
struct Sent {
    at: Time,
    packet: rtp::packet::Packet,
}

/// A model sender of one stream.
#[derive(Debug)]
pub struct Sender {
    config: SenderConfig,
    wall_clock: WallClock,
    running: bool,
    sequence_number: u16,
    rtx_sequence_number: u16,
    timestamp: u32,
    picture_id: u16,
    octets: u32,
    want_key_frame: bool,
    next_frame: Time,
    /// When the newest frame was captured, and its timestamp.
    captured: (Time, u32),
    next_report: Time,
    history: VecDeque<Sent>,
    stats: SenderStats,
}

impl Sender {
    /// A sender whose first frame, a key frame, is due at `now`.
    pub fn new(config: SenderConfig, wall_clock: WallClock, now: Time) -> Self {
        Self {
            sequence_number: config.first_sequence_number,
            rtx_sequence_number: 7,
            timestamp: config.first_timestamp,
            picture_id: config.first_picture_id & 0x7fff,
            octets: 0,
            want_key_frame: true,
            next_frame: now,
            captured: (now, config.first_timestamp),
            next_report: now + REPORT_INTERVAL,
            history: VecDeque::new(),
            stats: SenderStats::default(),
            running: true,
            config,
            wall_clock,
        }
    }

    /// How it sends.
    pub fn config(&self) -> &SenderConfig {
        &self.config
    }

    /// When a frame was captured, if it never stopped since `began`.
    pub fn captured_at(&self, began: Time, frame: u32) -> Time {
        began + self.passes(self.config.codec.frame_interval()) * frame
    }

    /// What it did and heard.
    pub fn stats(&self) -> &SenderStats {
        &self.stats
    }

    /// Stops sending, reports included.
    pub fn stop(&mut self) {
        self.running = false;
    }

    /// Sends again, from a key frame on.
    pub fn start(&mut self, now: Time) {
        self.running = true;
        self.want_key_frame = true;
        self.next_frame = now;
    }

    /// Goes on as another process behind the same SSRC would: other sequence numbers, timestamps and picture ids.
    pub fn restart(&mut self, now: Time, sequence_number: u16, timestamp: u32, picture_id: u16) {
        (self.sequence_number, self.timestamp) = (sequence_number, timestamp);
        self.picture_id = picture_id & 0x7fff;
        self.history.clear();
        self.start(now);
    }

    /// When [`Sender::on_deadline`] is due.
    pub fn next_deadline(&self) -> Time {
        if self.running { self.next_frame.min(self.next_report) } else { Time::NEVER }
    }

    /// Sends what is due.
    pub fn on_deadline(&mut self, now: Time, out: &mut Vec<Vec<u8>>) {
        if !self.running {
            return;
        }
        if self.next_frame <= now {
            self.captured = (self.next_frame, self.timestamp);
            self.send_frame(now, out);
            self.next_frame += self.passes(self.config.codec.frame_interval());
        }
        if self.next_report <= now {
            out.push(self.sender_report(now));
            self.next_report += REPORT_INTERVAL;
        }
    }

    /// Takes one packet of a compound.
    pub fn on_rtcp(&mut self, now: Time, packet: &RtcpBox, out: &mut Vec<Vec<u8>>) {
        let any = packet.as_any();
        if let Some(nack) = any.downcast_ref::<TransportLayerNack>() {
            if nack.media_ssrc == self.config.ssrc {
                let lost = nack.nacks.iter().flat_map(|pair| pair.packet_list());
                lost.for_each(|sequence_number| self.retransmit(sequence_number, out));
            }
        } else if let Some(pli) = any.downcast_ref::<PictureLossIndication>() {
            self.on_key_frame_request(now, pli.media_ssrc);
        } else if let Some(fir) = any.downcast_ref::<FullIntraRequest>() {
            fir.fir.iter().for_each(|entry| self.on_key_frame_request(now, entry.ssrc));
        } else if let Some(report) = any.downcast_ref::<ReceiverReport>() {
            self.on_reports(&report.reports);
        } else if let Some(report) = any.downcast_ref::<SenderReport>() {
            self.on_reports(&report.reports);
        }
    }

    fn on_key_frame_request(&mut self, now: Time, ssrc: u32) {
        if ssrc == self.config.ssrc {
            self.stats.key_frame_requests.push(now);
            self.want_key_frame = true;
        }
    }

    fn on_reports(&mut self, reports: &[ReceptionReport]) {
        for report in reports.iter().filter(|report| report.ssrc == self.config.ssrc) {
            self.stats.reports += 1;
            self.stats.reported_lost = report.total_lost;
        }
    }

    fn send_frame(&mut self, now: Time, out: &mut Vec<Vec<u8>>) {
        let is_key_frame =
            std::mem::take(&mut self.want_key_frame) && self.config.codec.kind() == MediaKind::Video;
        let count = if is_key_frame { self.config.key_frame_packets } else { self.config.frame_packets };
        for index in 0..count {
            let tag = FrameTag { frame: self.stats.frames, index, count, is_key_frame };
            let payload = self.config.codec.write(&tag, self.picture_id, self.config.payload_size);
            let packet = self.packet(payload.into(), index + 1 == count);
            out.push(write(&packet));
            self.octets = self.octets.wrapping_add(packet.payload.len() as u32);
            self.stats.packets += 1;
            self.history.push_back(Sent { at: now, packet });
            self.sequence_number = self.sequence_number.wrapping_add(1);
        }
        while self.history.front().is_some_and(|sent| now.since(sent.at) > HISTORY) {
            self.history.pop_front();
        }
        let ticks =
            self.config.codec.frame_interval().as_micros() * u128::from(self.config.codec.clock_rate());
        self.timestamp = self.timestamp.wrapping_add((ticks / 1_000_000) as u32);
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        self.stats.frames += 1;
        self.stats.key_frames += u32::from(is_key_frame);
    }

    fn packet(&self, payload: Bytes, is_last: bool) -> rtp::packet::Packet {
        let mut header = rtp::header::Header {
            version: 2,
            marker: is_last && self.config.codec.kind() == MediaKind::Video,
            payload_type: self.config.payload_type,
            sequence_number: self.sequence_number,
            timestamp: self.timestamp,
            ssrc: self.config.ssrc,
            ..Default::default()
        };
        if let Some((id, mid)) = &self.config.mid {
            header.set_extension(*id, Bytes::from(mid.clone())).expect("a MID fits a one-byte element");
        }
        rtp::packet::Packet { header, payload }
    }

    fn retransmit(&mut self, sequence_number: u16, out: &mut Vec<Vec<u8>>) {
        self.stats.nacked += 1;
        let found = self.history.iter().find(|sent| sent.packet.header.sequence_number == sequence_number);
        let Some(mut packet) = found.map(|sent| sent.packet.clone()) else {
            self.stats.nacks_unanswered += 1;
            return;
        };
        if let Some(rtx) = self.config.rtx {
            packet.payload = [&sequence_number.to_be_bytes()[..], &packet.payload].concat().into();
            packet.header.ssrc = rtx.ssrc;
            packet.header.payload_type = rtx.payload_type;
            packet.header.sequence_number = self.rtx_sequence_number;
            self.rtx_sequence_number = self.rtx_sequence_number.wrapping_add(1);
        }
        self.stats.retransmissions += 1;
        out.push(write(&packet));
    }

    /// The virtual time in which this much passes on its clocks.
    fn passes(&self, local: Duration) -> Duration {
        let nanos = local.as_nanos() as i128 * 1_000_000 / i128::from(1_000_000 + self.config.drift);
        Duration::from_nanos(nanos as u64)
    }

    /// What its clocks say has passed in this much virtual time.
    fn local(&self, passed: Duration) -> Duration {
        let nanos = passed.as_nanos() as i128 * i128::from(1_000_000 + self.config.drift) / 1_000_000;
        Duration::from_nanos(nanos as u64)
    }

    fn sender_report(&self, now: Time) -> Vec<u8> {
        let (at, timestamp) = self.captured;
        let since =
            self.local(now.since(at)).as_micros() * u128::from(self.config.codec.clock_rate()) / 1_000_000;
        let reading = Time::ZERO + self.local(now.since(Time::ZERO));
        let report = SenderReport {
            ssrc: self.config.ssrc,
            ntp_time: self.wall_clock.ntp(reading).0,
            rtp_time: timestamp.wrapping_add(since as u32),
            packet_count: self.stats.packets as u32,
            octet_count: self.octets,
            ..Default::default()
        };
        compound(&[Box::new(report)])
    }
}

fn write(packet: &rtp::packet::Packet) -> Vec<u8> {
    packet.marshal().expect("what a model sender builds can be written").to_vec()
}
