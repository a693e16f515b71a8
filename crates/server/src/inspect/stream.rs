//! What one SSRC of one 5-tuple sent. Must not know other streams.

use super::hint::{Codec, Evidence, KnownFrom, PayloadTypeHint, format_of, from_profile, guess_clock};
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use tureen_rtp_wire::payload::{PayloadDescriptor, PayloadFormat};

/// Formats whose key frames can be told.
const VIDEO: [PayloadFormat; 5] =
    [PayloadFormat::Vp8, PayloadFormat::Vp9, PayloadFormat::H264, PayloadFormat::H265, PayloadFormat::Av1];
/// So many packets back a retransmission is recognised.
const RECENT: usize = 512;
/// So many of a stream's first packets show whether it is one of retransmissions.
const RTX_SAMPLE: u32 = 200;

/// An RTP packet, as far as streams look at it.
pub(super) struct Packet<'a> {
    /// Nanoseconds.
    pub(super) at: u64,
    /// Of the whole packet.
    pub(super) bytes: usize,
    pub(super) header: &'a rtp::header::Header,
    pub(super) payload: &'a [u8],
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    payload_types: BTreeMap<u8, u64>,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    payload_bytes: u64,
    pub(super) markers: u64,
    pub(super) reordered: u64,
    pub(super) padding_only: u64,
    /// Arrival in nanoseconds and timestamp of every packet.
    arrivals: Vec<(u64, u32)>,
    /// Extended sequence numbers (RFC 3550 appendix A.1).
    sequence: HashSet<i64>,
    highest: i64,
    lowest: i64,
    /// Timestamps of key frames, for each of [`VIDEO`].
    key_frames: [BTreeSet<u32>; VIDEO.len()],
    evidence: Evidence,
    /// Sequence number and timestamp of the last packets.
    recent: VecDeque<(u16, u32)>,
    /// Packets that were looked at as retransmissions, and how many fit each other stream.
    rtx_looked_at: u32,
    rtx_votes: BTreeMap<u32, u32>,
}

impl Stream {
    pub(super) fn add(&mut self, packet: &Packet<'_>) {
        let header = packet.header;
        *self.payload_types.entry(header.payload_type).or_default() += 1;
        self.bytes += packet.bytes as u64;
        self.payload_bytes += packet.payload.len() as u64;
        self.markers += u64::from(header.marker);
        self.count(header.sequence_number);
        self.packets += 1;
        self.arrivals.push((packet.at, header.timestamp));
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((header.sequence_number, header.timestamp));
        if packet.payload.is_empty() {
            self.padding_only += 1;
            return;
        }
        self.evidence.add(packet.payload);
        for (format, key_frames) in VIDEO.into_iter().zip(&mut self.key_frames) {
            if PayloadDescriptor::parse(format, packet.payload)
                .is_some_and(|descriptor| descriptor.is_key_frame())
            {
                key_frames.insert(header.timestamp);
            }
        }
    }

    fn count(&mut self, sequence_number: u16) {
        if self.packets == 0 {
            (self.highest, self.lowest) = (sequence_number.into(), sequence_number.into());
            self.sequence.insert(self.highest);
            return;
        }
        // Truncation is meant: what counts is the distance modulo 2^16, as a signed number.
        let distance = sequence_number.wrapping_sub(self.highest as u16) as i16;
        let extended = self.highest.saturating_add(distance.into());
        let new = self.sequence.insert(extended);
        self.reordered += u64::from(new && extended < self.highest);
        self.highest = self.highest.max(extended);
        self.lowest = self.lowest.min(extended);
    }

    /// Whether its first packets may still show that it holds retransmissions.
    pub(super) fn wants_rtx_votes(&self) -> bool {
        self.rtx_looked_at < RTX_SAMPLE
    }

    /// Whether a packet with this original sequence number (RFC 4588 section 4) and timestamp may repeat one of this stream.
    pub(super) fn could_have_sent(&self, original: u16, timestamp: u32) -> bool {
        let near =
            self.recent.back().is_some_and(|&(last, _)| last.wrapping_sub(original) < 2 * RECENT as u16);
        near && self.recent.iter().any(|&(_, sent)| sent == timestamp)
    }

    pub(super) fn vote_rtx(&mut self, of: impl Iterator<Item = u32>) {
        self.rtx_looked_at += 1;
        for ssrc in of {
            *self.rtx_votes.entry(ssrc).or_default() += 1;
        }
    }

    /// The SSRC that nearly all of its packets repeat.
    pub(super) fn rtx_of(&self) -> Option<u32> {
        let (&ssrc, &votes) = self.rtx_votes.iter().max_by_key(|&(_, &votes)| votes)?;
        (votes >= 2 && u64::from(votes) * 10 >= u64::from(self.rtx_looked_at) * 9).then_some(ssrc)
    }

    /// The payload type of most packets.
    pub(super) fn payload_type(&self) -> u8 {
        self.payload_types
            .iter()
            .max_by_key(|&(_, &count)| count)
            .map_or(0, |(&payload_type, _)| payload_type)
    }

    pub(super) fn payload_types(&self) -> Vec<u8> {
        self.payload_types.keys().copied().collect()
    }

    pub(super) fn duplicates(&self) -> u64 {
        self.packets.saturating_sub(self.sequence.len() as u64)
    }

    /// Sequence numbers between the lowest and the highest that never came.
    pub(super) fn lost(&self) -> u64 {
        let span = self.highest.abs_diff(self.lowest).saturating_add(1);
        if self.packets == 0 { 0 } else { span.saturating_sub(self.sequence.len() as u64) }
    }

    pub(super) fn lowest_and_highest(&self) -> (i64, i64) {
        (self.lowest, self.highest)
    }

    /// First and last arrival, in nanoseconds.
    pub(super) fn span(&self) -> (u64, u64) {
        let arrivals = || self.arrivals.iter().map(|&(at, _)| at);
        (arrivals().min().unwrap_or_default(), arrivals().max().unwrap_or_default())
    }

    /// Different timestamps.
    pub(super) fn frames(&self) -> u64 {
        self.arrivals.iter().map(|&(_, timestamp)| timestamp).collect::<HashSet<_>>().len() as u64
    }

    pub(super) fn codec(&self, hints: &[PayloadTypeHint]) -> Option<Codec> {
        let payload_type = self.payload_type();
        if let Some(hint) = hints.iter().find(|hint| hint.payload_type == payload_type) {
            return Some(hint.codec.clone());
        }
        from_profile(payload_type).or_else(|| {
            let clock_rate = self.clock();
            let name = self.evidence.codec(clock_rate)?;
            let clock_rate = clock_rate.unwrap_or(90_000);
            Some(Codec { name: name.to_owned(), clock_rate, known_from: KnownFrom::Guess })
        })
    }

    /// The clock that its timestamps go by, judged over half a second at least.
    pub(super) fn clock(&self) -> Option<u32> {
        let (&(first_at, first), &(last_at, last)) = (self.arrivals.first()?, self.arrivals.last()?);
        let nanoseconds = last_at.checked_sub(first_at).filter(|&nanoseconds| nanoseconds >= 500_000_000)?;
        guess_clock(last.wrapping_sub(first).into(), nanoseconds)
    }

    /// Interarrival jitter in milliseconds (RFC 3550 section 6.4.1), at the end of the stream.
    pub(super) fn jitter_ms(&self, clock_rate: u32) -> f64 {
        let mut jitter = 0.0;
        for pair in self.arrivals.windows(2) {
            let &[(at, timestamp), (next_at, next_timestamp)] = pair else { continue };
            let apart = (next_at as f64 - at as f64) / 1e6;
            // Signed, since packets may be out of order.
            let sent_apart =
                f64::from(next_timestamp.wrapping_sub(timestamp) as i32) * 1e3 / f64::from(clock_rate);
            jitter += ((apart - sent_apart).abs() - jitter) / 16.0;
        }
        jitter
    }

    /// Key frames, where the codec has such that can be told.
    pub(super) fn key_frames(&self, codec: &str) -> Option<u64> {
        let format = format_of(codec);
        let index = VIDEO.iter().position(|&video| video == format)?;
        self.key_frames.get(index).map(|key_frames| key_frames.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(packets: impl IntoIterator<Item = (u16, u32, u64)>) -> Stream {
        let mut stream = Stream::default();
        for (sequence_number, timestamp, at) in packets {
            let header =
                rtp::header::Header { sequence_number, timestamp, payload_type: 96, ..Default::default() };
            stream.add(&Packet { at, bytes: 20, header: &header, payload: &[0x41, 1, 2, 3] });
        }
        stream
    }

    #[test]
    fn loss_order_and_duplicates_survive_the_wrap() {
        let stream = stream([65_533, 65_534, 0, 65_535, 0, 3].map(|number| (number, 0, 0)));
        assert_eq!((stream.lost(), stream.reordered, stream.duplicates()), (2, 1, 1));
        assert_eq!(stream.lowest_and_highest(), (65_533, 65_539));
    }

    #[test]
    fn a_steady_stream_has_its_clock_and_no_jitter() {
        let stream = stream((0..100u16).map(|i| (i, u32::from(i) * 960, u64::from(i) * 20_000_000)));
        assert_eq!(stream.clock(), Some(48_000));
        assert!(stream.jitter_ms(48_000) < 1e-6);
        assert_eq!(stream.frames(), 100);
    }

    #[test]
    fn a_late_packet_shows_as_jitter() {
        let stream = stream([(0, 0, 0), (1, 960, 36_000_000)]);
        assert!((stream.jitter_ms(48_000) - 1.0).abs() < 1e-9, "16 ms late, of which a sixteenth counts");
    }
}
