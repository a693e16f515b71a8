//! Feedback in a neutral form: which packets arrived, when by the receiver's clock, and how they were marked.
//!
//! Readers fill it from transport-wide feedback and from RFC 8888. Must not know what an estimator makes of it.

use tureen_rtp_wire::Ecn;
use tureen_rtp_wire::rtcp::{Arrival, CongestionFeedback, TransportFeedback};

/// A reading of the receiver's clock: microseconds from an origin of its own. It rises over the wraps of the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiverTime(i64);

impl ReceiverTime {
    /// `micros` microseconds after the receiver's origin.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the receiver's origin.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It had not arrived when this was said. A later report may say otherwise.
    Missing,
    /// It arrived, and the report does not say when.
    Arrived,
    /// It arrived at this time.
    ArrivedAt(ReceiverTime),
}

/// What a report says of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketResult {
    /// The transport-wide sequence number that the sender gave it.
    pub sequence_number: u16,
    /// What became of it.
    pub outcome: Outcome,
    /// Its mark on arrival.
    pub ecn: Ecn,
}

/// Follows a clock of so many bits over its wraps.
#[derive(Clone, Copy, Debug, Default)]
struct Unwrap {
    last: Option<i64>,
}

impl Unwrap {
    /// The reading nearest to the one before, of a clock that wraps after 2^`bits` (below 63).
    fn extend(&mut self, reading: i64, bits: u32) -> i64 {
        let shift = 64 - bits;
        let extended = match self.last {
            None => reading,
            Some(last) => last.wrapping_add((reading.wrapping_sub(last) << shift) >> shift),
        };
        self.last = Some(extended);
        extended
    }
}

/// Reads the reports of one receiver. It follows the receiver's clock from report to report.
///
/// A receiver sends one kind of report; a reader that is given both takes their times for those of two clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct FeedbackReader {
    transport: Unwrap,
    congestion: Unwrap,
}

/// Units of the delta of transport-wide feedback in one of its reference time, and the microseconds of one.
const TICKS_PER_REFERENCE: i64 = 256;
const TICK_MICROS: i64 = 250;

impl FeedbackReader {
    /// A reader that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// What transport-wide feedback says (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1), in ascending
    /// order of sequence numbers. It carries no ECN marks.
    pub fn transport<'a>(
        &mut self,
        feedback: &TransportFeedback<'a>,
    ) -> impl Iterator<Item = PacketResult> + use<'a> {
        let reference = self.transport.extend(i64::from(feedback.reference_time()), 24);
        let mut ticks = reference.wrapping_mul(TICKS_PER_REFERENCE);
        feedback.packets().map(move |status| {
            let outcome = status.delta.map_or(Outcome::Missing, |delta| {
                ticks = ticks.wrapping_add(i64::from(delta));
                Outcome::ArrivedAt(ReceiverTime(ticks.wrapping_mul(TICK_MICROS)))
            });
            PacketResult { sequence_number: status.sequence_number, outcome, ecn: Ecn::NotCapable }
        })
    }

    /// What RFC 8888 feedback says, stream by stream. `streams` knows the transport-wide numbers of packets; packets that
    /// it does not know are left out.
    pub fn congestion<'a, 's>(
        &mut self,
        feedback: &CongestionFeedback<'a>,
        streams: &'s StreamIndex,
    ) -> impl Iterator<Item = PacketResult> + use<'a, 's> {
        // In units of 2^-16 s; offsets come in units of 2^-10 s.
        let reported = self.congestion.extend(i64::from(feedback.report_timestamp()), 32);
        let packets = feedback.streams().flat_map(|stream| {
            stream.packets().map(move |(sequence_number, report)| (stream.ssrc, sequence_number, report))
        });
        packets.filter_map(move |(ssrc, sequence_number, report)| {
            let sequence_number = streams.get(ssrc, sequence_number)?;
            let outcome = match report.map(|report| report.arrival) {
                None => Outcome::Missing,
                Some(Arrival::Before(offset)) => {
                    Outcome::ArrivedAt(micros(reported - i64::from(offset) * 64))
                }
                Some(Arrival::OutOfRange | Arrival::Unavailable) => Outcome::Arrived,
            };
            let ecn = report.map_or(Ecn::NotCapable, |report| Ecn::from_bits(report.ecn));
            Some(PacketResult { sequence_number, outcome, ecn })
        })
    }
}

/// From units of 2^-16 s.
const fn micros(units: i64) -> ReceiverTime {
    ReceiverTime(units.wrapping_mul(15_625) >> 10)
}

/// Places of an index, and packets that each remembers.
const STREAM_PLACES: usize = 2048;
const PER_PLACE: usize = 2;

#[derive(Clone, Copy, Debug, Default)]
struct StreamSlot {
    ssrc: u32,
    sequence_number: u16,
    transport: u16,
}

type StreamPlace = [Option<StreamSlot>; PER_PLACE];

/// Which transport-wide number the packets of streams were sent under, for reports that name streams (RFC 8888).
///
/// It remembers 4096 packets at the most. Of more than two that want the same place the last two have it.
#[derive(Clone, Debug)]
pub struct StreamIndex {
    places: Box<[StreamPlace]>,
}

impl Default for StreamIndex {
    fn default() -> Self {
        Self::new()
    }
}

impl StreamIndex {
    /// An index without packets. All its memory, 48 KiB, is reserved here.
    pub fn new() -> Self {
        Self { places: vec![[None; PER_PLACE]; STREAM_PLACES].into_boxed_slice() }
    }

    /// Remembers that a packet of a stream was sent as number `transport`.
    #[inline]
    pub fn insert(&mut self, ssrc: u32, sequence_number: u16, transport: u16) {
        if let Some([newest, before]) = self.places.get_mut(place(ssrc, sequence_number)) {
            let again = newest.is_some_and(|it| (it.ssrc, it.sequence_number) == (ssrc, sequence_number));
            if !again {
                *before = *newest;
            }
            *newest = Some(StreamSlot { ssrc, sequence_number, transport });
        }
    }

    /// The transport-wide number of a packet that is remembered: of one that was sent more than once the last.
    pub fn get(&self, ssrc: u32, sequence_number: u16) -> Option<u16> {
        let mut known = self.places.get(place(ssrc, sequence_number))?.iter().flatten();
        let found = known.find(|slot| slot.ssrc == ssrc && slot.sequence_number == sequence_number);
        found.map(|slot| slot.transport)
    }
}

/// Packets that follow each other in a stream lie beside each other, each stream from a place of its own.
const fn place(ssrc: u32, sequence_number: u16) -> usize {
    let start = ssrc.wrapping_mul(0x9e37_79b1) >> 16;
    (start as usize + sequence_number as usize) % STREAM_PLACES
}

#[cfg(test)]
mod tests {
    use super::*;
    use tureen_rtp_wire::rtcp::{Compound, PacketReport, RtcpPacket, RtcpWriter};

    fn read(bytes: &[u8]) -> RtcpPacket<'_> {
        Compound::parse(bytes).expect("a compound").next().expect("of one packet").expect("that reads")
    }

    #[test]
    fn transport_wide_times_rise_over_the_wrap() {
        let mut reader = FeedbackReader::new();
        let mut times = Vec::new();
        for reference in [0x7f_ffff, -0x80_0000, -0x7f_ffff] {
            let mut buffer = [0; 64];
            let mut writer = RtcpWriter::new(&mut buffer);
            let statuses = [Some(4), None, Some(8)].into_iter();
            writer.transport_feedback(1, 2, 10, reference, 0, statuses).expect("it fits");
            let len = writer.finish();
            let RtcpPacket::TransportFeedback(feedback) = read(&buffer[..len]) else { panic!("feedback") };
            let results: Vec<_> = reader.transport(&feedback).collect();
            assert_eq!(results[1].outcome, Outcome::Missing);
            for result in results {
                if let Outcome::ArrivedAt(at) = result.outcome {
                    times.push(at.as_micros());
                }
            }
        }
        let steps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(steps, [2_000, 62_000, 2_000, 62_000, 2_000]);
    }

    #[test]
    fn rfc_8888_names_streams_and_marks() {
        let mut index = StreamIndex::new();
        index.insert(7, 65_535, 100);
        index.insert(7, 0, 101);
        index.insert(8, 3, 102);
        let ce = PacketReport { ecn: 3, arrival: Arrival::Before(512) };
        let late = PacketReport { ecn: 1, arrival: Arrival::OutOfRange };
        let mut buffer = [0; 128];
        let mut writer = RtcpWriter::new(&mut buffer);
        writer
            .congestion_feedback(9, 2 << 16, |blocks| {
                blocks.stream(7, 65_535, [Some(ce), None])?;
                blocks.stream(8, 3, [Some(late), Some(ce)])
            })
            .expect("it fits");
        let len = writer.finish();
        let RtcpPacket::CongestionFeedback(feedback) = read(&buffer[..len]) else { panic!("feedback") };
        let results: Vec<_> = FeedbackReader::new().congestion(&feedback, &index).collect();
        let at = ReceiverTime::from_micros(1_500_000);
        let result = |sequence_number, outcome, ecn| PacketResult { sequence_number, outcome, ecn };
        assert_eq!(
            results,
            [
                result(100, Outcome::ArrivedAt(at), Ecn::CongestionExperienced),
                result(101, Outcome::Missing, Ecn::NotCapable),
                result(102, Outcome::Arrived, Ecn::Capable1),
            ],
            "the packet that the index does not know is left out"
        );
    }

    #[test]
    fn two_streams_that_meet_in_the_index_are_both_found() {
        let mut index = StreamIndex::new();
        let (first, second) = (1, 1 + (1 << 27));
        for number in 0..u16::MAX {
            index.insert(first, number, number);
            index.insert(second, number.wrapping_add(7), number.wrapping_add(1));
            for back in 0..100.min(number) {
                let number = number - back;
                assert_eq!(index.get(first, number), Some(number));
                assert_eq!(index.get(second, number.wrapping_add(7)), Some(number.wrapping_add(1)));
            }
        }
    }

    #[test]
    fn a_packet_that_is_sent_again_has_its_last_number_and_drives_out_nobody() {
        let mut index = StreamIndex::new();
        let beside = 9 + STREAM_PLACES as u16;
        index.insert(7, beside, 1);
        for transport in 2..5 {
            index.insert(7, 9, transport);
        }
        assert_eq!((index.get(7, 9), index.get(7, beside)), (Some(4), Some(1)));
        assert_eq!(index.get(8, 9), None);
    }
}
