//! Parity (FlexFEC) towards viewers on long ways that lose packets: what they miss can be made of it, octet for octet.

mod support;

use std::collections::BTreeMap;
use support::{Bench, packet, parity_capabilities, vp8_parameters};
use tureen_media_model::{Consume, ConsumerInfo, GetConsumerStats, PauseConsumer, ResumeConsumer};
use tureen_rtp_dictionaries::{ConsumerType, FecMechanism, MediaKind, RtpEncodingFec};
use tureen_rtp_wire::NtpTime;
use tureen_rtp_wire::payload::flexfec::FlexFecPayload;
use tureen_rtp_wire::rtcp::{ReportBlock, RtcpWriter};
use tureen_rtp_wire::rtp::{ExtensionForm, RtpHeader, RtpPacket, RtpWriter};

const SOURCE: u32 = 1000;
/// The id of absolute send times.
const ABS_SEND_TIME: u8 = 4;
/// 5%, in 256ths.
const LOSSY: u8 = 13;

struct Call {
    bench: Bench,
    consumer: ConsumerInfo,
    sent: u16,
    /// What arrived, as its receiver takes it: without the time at which it was sent.
    media: BTreeMap<u16, Vec<u8>>,
    parity: Vec<Vec<u8>>,
}

impl Call {
    fn new() -> Self {
        let mut bench = Bench::new();
        let source = bench.transport(1);
        let viewer = bench.transport(2);
        let producer = bench.produce(source, MediaKind::Video, vp8_parameters(SOURCE));
        let mut options = bench.consumer_options(producer.id);
        options.rtp_capabilities = parity_capabilities();
        let consumer = bench.ask(Consume { transport: viewer, options }).unwrap();
        Self { bench, consumer, sent: 0, media: BTreeMap::new(), parity: Vec::new() }
    }

    fn ssrc(&self) -> u32 {
        self.consumer.rtp_parameters.encodings[0].ssrc.unwrap()
    }

    fn fec(&self) -> RtpEncodingFec {
        self.consumer.rtp_parameters.encodings[0].fec.unwrap()
    }

    /// Sends so many pictures of one packet each, one in 8 ms.
    fn send(&mut self, packets: u16) {
        for _ in 0..packets {
            let number = self.sent;
            self.sent += 1;
            let [high, low] = (number & 0x7fff).to_be_bytes();
            let is_delta = u8::from(number > 0);
            let mut payload =
                vec![0x90, 0x80, high | 0x80, low, is_delta, 2, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xf0, 0];
            payload.extend((0..200 + number % 700).map(|octet| (octet + number) as u8));
            let timestamp = u32::from(number) * 720;
            let header = RtpHeader {
                marker: true,
                payload_type: 96,
                sequence_number: number,
                timestamp,
                ssrc: SOURCE,
            };
            self.bench.receive(1, &packet(&header, &payload));
            self.bench.pass(8);
            self.take();
        }
    }

    fn take(&mut self) {
        let (fec, ssrc) = (self.fec().ssrc, self.ssrc());
        let (rtp, _) = self.bench.sent_to(2);
        for bytes in rtp {
            let read = RtpPacket::parse(&bytes).unwrap();
            if read.ssrc() == fec {
                assert_eq!(read.payload_type(), 106);
                self.parity.push(read.payload().to_vec());
            } else if read.ssrc() == ssrc {
                self.media.insert(read.sequence_number(), without_time(&read));
            }
        }
    }

    /// The viewer reports losses over a way of so many milliseconds there and back.
    fn report(&mut self, fraction_lost: u8, round_trip: u64) {
        self.bench.pass(round_trip);
        self.take();
        // As if the sender report were of the beginning of time, and had lain at the viewer until now but for the way.
        let delay = (self.bench.now.as_millis() - round_trip) * 65_536 / 1000;
        let block = ReportBlock {
            ssrc: self.ssrc(),
            fraction_lost,
            last_sender_report: NtpTime::new(3_900_000_000, 0).compact(),
            delay_since_last_sender_report: delay as u32,
            ..ReportBlock::default()
        };
        self.tell(|writer| writer.receiver_report(9, &[block]).unwrap());
    }

    fn nack(&mut self, lost: &[u16]) {
        let ssrc = self.ssrc();
        self.tell(|writer| {
            writer.receiver_report(9, &[]).unwrap();
            writer.nack(9, ssrc, lost.iter().copied()).unwrap();
        });
    }

    fn tell(&mut self, write: impl FnOnce(&mut RtcpWriter<'_>)) {
        let mut buffer = [0; 500];
        let mut writer = RtcpWriter::new(&mut buffer);
        write(&mut writer);
        let len = writer.finish();
        self.bench.receive(2, &buffer[..len]);
    }

    fn settle(&mut self, fraction_lost: u8, round_trip: u64) {
        for _ in 0..10 {
            self.report(fraction_lost, round_trip);
        }
        self.parity.clear();
    }
}

/// The packet with zeros for the time at which it was sent.
fn without_time(read: &RtpPacket<'_>) -> Vec<u8> {
    let header = RtpHeader {
        marker: read.marker(),
        payload_type: read.payload_type(),
        sequence_number: read.sequence_number(),
        timestamp: read.timestamp(),
        ssrc: read.ssrc(),
    };
    let mut bytes = vec![0; 1500];
    let mut writer = RtpWriter::new(&mut bytes, &header, ExtensionForm::OneByte).unwrap();
    for (id, value) in read.extensions() {
        let value = if id == ABS_SEND_TIME { &[0; 3] } else { value };
        writer.push_extension(id, value).unwrap();
    }
    writer.payload(read.payload()).unwrap();
    let len = writer.finish();
    bytes.truncate(len);
    bytes
}

#[test]
fn a_viewer_that_takes_it_has_a_stream_of_it() {
    let call = Call::new();
    assert_eq!(call.consumer.consumer_type, ConsumerType::Simple);
    assert_eq!(call.fec(), RtpEncodingFec { mechanism: FecMechanism::FlexFec, ssrc: call.ssrc() + 2 });
    let codecs = &call.consumer.rtp_parameters.codecs;
    let parity = codecs.iter().find(|codec| codec.payload_type == 106).unwrap();
    assert_eq!(parity.mime_type.to_string(), "video/flexfec-03");
    assert!(!codecs.iter().any(|codec| codec.apt() == Some(106)), "nothing repairs it");
}

#[test]
fn whatever_one_packet_is_missing_can_be_made_of_the_others() {
    let mut call = Call::new();
    call.send(3);
    call.settle(LOSSY, 200);
    call.send(66);
    assert_eq!(call.parity.len(), 6, "one for eleven");
    let mut covered = 0;
    for payload in &call.parity {
        let parity = FlexFecPayload::parse(payload).unwrap();
        assert_eq!(parity.ssrc(), call.ssrc());
        for missing in parity.sequence_numbers() {
            let others = parity.sequence_numbers().filter(|number| *number != missing);
            let others: Vec<&[u8]> = others.map(|number| &call.media[&number][..]).collect();
            let mut recovered = [0; 1500];
            let len = parity.recover(missing, others, &mut recovered).unwrap();
            assert_eq!(recovered[..len], call.media[&missing]);
            covered += 1;
        }
    }
    assert_eq!(covered, 66);
    let stats = call.bench.ask(GetConsumerStats { id: call.consumer.id }).unwrap();
    assert_eq!(stats.outbound[0].packet_count, 69, "it counts as no packet of media");
}

#[test]
fn short_ways_sure_ways_and_bursts_have_no_use_for_it() {
    for (fraction_lost, round_trip) in [(LOSSY, 40), (0, 200)] {
        let mut call = Call::new();
        call.send(3);
        call.settle(fraction_lost, round_trip);
        call.send(40);
        assert_eq!(call.parity.len(), 0, "{fraction_lost} lost, {round_trip} ms");
    }
    let mut call = Call::new();
    call.send(30);
    call.settle(LOSSY, 200);
    let first = *call.media.keys().next().unwrap();
    for burst in 0..6 {
        let lost: Vec<u16> = (0..4).map(|at| first.wrapping_add(burst * 5 + at)).collect();
        call.nack(&lost);
    }
    call.settle(LOSSY, 200);
    call.send(40);
    assert_eq!(call.parity.len(), 0, "it is of no use where several are lost in a row");
}

#[test]
fn a_pause_begins_anew() {
    let mut call = Call::new();
    call.send(3);
    call.settle(LOSSY, 200);
    call.send(8);
    let id = call.consumer.id;
    call.bench.ask(PauseConsumer { id }).unwrap();
    call.send(30);
    call.bench.ask(ResumeConsumer { id }).unwrap();
    call.send(30);
    for payload in &call.parity {
        let parity = FlexFecPayload::parse(payload).unwrap();
        assert!(parity.sequence_numbers().all(|number| call.media.contains_key(&number)));
    }
}
