//! RED (RFC 2198): whole to consumers that take it, its primary block to others, on every way that a packet can go.

mod support;

use support::{Bench, audio, capabilities, red_capabilities, red_parameters, red_payload};
use tureen_media_model::{
    Consume, ConsumerEvent, ConsumerInfo, ConsumerNumbering, ConsumerOptions, ConsumerTraceFlags,
    DumpProducer, Event, GetConsumerStats, ProducerId, TraceConsumer, TraceInfo,
};
use tureen_rtp_dictionaries::{MediaKind, RtpCapabilities};
use tureen_rtp_wire::rtcp::RtcpWriter;
use tureen_rtp_wire::rtp::RtpPacket;

const SSRC: u32 = 1000;
const OPUS: u8 = 111;
const RED: u8 = 63;

/// A microphone on socket 1, a viewer without RED on socket 2 and one with it on socket 3.
struct Call {
    bench: Bench,
    producer: ProducerId,
    plain: ConsumerInfo,
    with_red: ConsumerInfo,
}

impl Call {
    fn new(change: impl Fn(ConsumerOptions) -> ConsumerOptions) -> Self {
        let mut bench = Bench::new();
        let source = bench.transport(1);
        let producer = bench.produce(source, MediaKind::Audio, red_parameters(SSRC)).id;
        let plain = consume(&mut bench, 2, producer, capabilities(), &change);
        let with_red = consume(&mut bench, 3, producer, red_capabilities(), &change);
        Self { bench, producer, plain, with_red }
    }

    fn receive(&mut self, payload_type: u8, sequence_number: u16, payload: &[u8]) {
        self.bench.receive(1, &audio(SSRC, payload_type, sequence_number, payload));
    }

    /// Payload type and payload of what the viewers were sent since the last call.
    fn sent(&mut self) -> [Vec<(u8, Vec<u8>)>; 2] {
        [2, 3].map(|socket| {
            let (sent, _) = self.bench.sent_to(socket);
            let packets = sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap());
            packets.map(|packet| (packet.payload_type(), packet.payload().to_vec())).collect()
        })
    }
}

fn consume(
    bench: &mut Bench,
    socket: u32,
    producer: ProducerId,
    rtp_capabilities: RtpCapabilities,
    change: impl Fn(ConsumerOptions) -> ConsumerOptions,
) -> ConsumerInfo {
    let transport = bench.transport(socket);
    let options = ConsumerOptions { rtp_capabilities, ..bench.consumer_options(producer) };
    bench.ask(Consume { transport, options: change(options) }).unwrap()
}

/// As [`red_payload`], of 20 ms of Opus each.
fn frames(block_type: u8, redundant: u8, primary: u8) -> Vec<u8> {
    red_payload(block_type, &[0x78, redundant, 1], &[0x78, primary])
}

fn opus(number: u8) -> Vec<u8> {
    vec![0x78, number]
}

#[test]
fn red_goes_whole_to_who_takes_it_and_its_primary_block_to_others() {
    let mut call = Call::new(|options| options);
    call.receive(RED, 1, &frames(OPUS, 0, 1));
    call.receive(RED, 2, &frames(OPUS, 1, 2));
    let [plain, with_red] = call.sent();
    assert_eq!(plain, [(100, opus(1)), (100, opus(2))]);
    // The blocks are named as the consumer's parameters name them.
    assert_eq!(with_red, [(105, frames(100, 0, 1)), (105, frames(100, 1, 2))]);
    let parameters = serde_json::to_value(&call.with_red.rtp_parameters).unwrap();
    assert_eq!(parameters["codecs"][1]["parameters"][""], "100/100");
    let sent = call.bench.ask(GetConsumerStats { id: call.plain.id }).unwrap().outbound.remove(0);
    assert_eq!((sent.packet_count, call.bench.core.counters().dropped), (2, 0));
}

#[test]
fn a_source_that_changes_between_red_and_opus_loses_nothing() {
    for first in [RED, OPUS] {
        let mut call = Call::new(|options| options);
        for number in 1..=6 {
            let is_red = (number % 2 == 1) == (first == RED);
            let number8 = number as u8;
            match is_red {
                true => call.receive(RED, number, &frames(OPUS, 0, number8)),
                false => call.receive(OPUS, number, &opus(number8)),
            }
        }
        let (sent, _) = call.bench.sent_to(2);
        let packets: Vec<_> = sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap()).collect();
        assert_eq!(packets.len(), 6);
        for (number, packet) in (1u8..).zip(&packets) {
            let distance = u16::from(number) - 1;
            assert_eq!((packet.payload_type(), packet.payload()), (100, &opus(number)[..]));
            assert_eq!(packet.sequence_number(), packets[0].sequence_number().wrapping_add(distance));
            let since = packet.timestamp().wrapping_sub(packets[0].timestamp());
            assert_eq!(since, 960 * u32::from(distance));
        }
        let [_, with_red] = call.sent();
        let types: Vec<u8> = with_red.iter().map(|(payload_type, _)| *payload_type).collect();
        assert_eq!(
            types,
            if first == RED { [105, 100, 105, 100, 105, 100] } else { [100, 105, 100, 105, 100, 105] }
        );
        assert_eq!(call.bench.core.counters().discarded, 0);
        let dump = call.bench.ask(DumpProducer { id: call.producer }).unwrap();
        let stream = &dump.rtp_streams[0];
        assert!(stream.use_dtx && stream.use_nack && stream.payload_type == OPUS, "what is in RED counts");
    }
}

#[test]
fn the_blocks_of_a_receiver_with_numbers_of_its_own_have_these() {
    let mut capabilities = red_capabilities();
    for codec in &mut capabilities.codecs {
        match codec.mime_type.subtype() {
            "opus" => codec.preferred_payload_type = 96,
            "red" => codec.preferred_payload_type = 97,
            _ => {}
        }
    }
    let mut call = Call::new(|options| options);
    let own = |options| ConsumerOptions { numbering: ConsumerNumbering::Receiver, ..options };
    consume(&mut call.bench, 4, call.producer, capabilities, own);
    call.receive(RED, 1, &frames(OPUS, 0, 1));
    let (sent, _) = call.bench.sent_to(4);
    let packet = RtpPacket::parse(&sent[0]).unwrap();
    assert_eq!((packet.payload_type(), packet.payload()), (97, &frames(96, 0, 1)[..]));
}

#[test]
fn a_nack_is_answered_with_the_same_packet() {
    let mut call = Call::new(|options| ConsumerOptions { enable_rtx: Some(true), ..options });
    let consumers = [(2, call.plain.clone()), (3, call.with_red.clone())];
    for number in 1..=3 {
        call.receive(RED, number, &frames(OPUS, 0, number as u8));
    }
    call.receive(OPUS, 4, &opus(4));
    for (socket, consumer) in consumers {
        let (first, _) = call.bench.sent_to(socket);
        assert_eq!(first.len(), 4);
        let ssrc = consumer.rtp_parameters.encodings[0].ssrc.unwrap();
        let lost: Vec<u16> = first.iter().map(|it| RtpPacket::parse(it).unwrap().sequence_number()).collect();
        let mut nack = vec![0; 200];
        let mut writer = RtcpWriter::new(&mut nack);
        writer.receiver_report(5, &[]).unwrap();
        writer.nack(5, ssrc, lost).unwrap();
        let len = writer.finish();
        call.bench.receive(socket, &nack[..len]);
        assert_eq!(call.bench.sent_to(socket).0, first, "by socket {socket}");
    }
    assert_eq!(call.bench.core.counters().retransmissions, 8);
}

#[test]
fn silence_is_told_by_the_primary_block() {
    let mut call = Call::new(|options| ConsumerOptions { ignore_dtx: true, ..options });
    call.receive(RED, 1, &red_payload(OPUS, &[0x78], &opus(1)));
    call.receive(RED, 2, &red_payload(OPUS, &opus(1), &[0x78]));
    call.receive(OPUS, 3, &[0x78]);
    call.receive(RED, 4, &red_payload(OPUS, &[], &opus(4)));
    let [plain, with_red] = call.sent();
    assert_eq!(plain, [(100, opus(1)), (100, opus(4))]);
    assert_eq!(with_red.len(), 2);
    assert_eq!(call.bench.core.counters().dropped, 4);

    let mut call = Call::new(|options| options);
    call.receive(RED, 2, &red_payload(OPUS, &opus(1), &[0x78]));
    assert_eq!(call.sent()[0], [(100, vec![0x78])], "it goes on unless told otherwise");
}

#[test]
fn broken_red_is_counted_and_nothing_else_is_lost() {
    let mut call = Call::new(|options| options);
    let broken: [&[u8]; 7] = [
        &[0x80 | OPUS, 0, 0],
        &[0x80 | OPUS, 0, 0, 9, OPUS, 1],
        &[0x80 | OPUS, 0, 0, 0],
        &[0x80 | RED, 0, 0, 0, OPUS, 1],
        &[RED, OPUS, 1],
        // A primary block of nothing, and one of a payload type that is none of the source's.
        &[OPUS],
        &[77, 1],
    ];
    for (number, payload) in (1..).zip(broken) {
        call.receive(RED, number, payload);
        assert_eq!(call.bench.core.counters().bad_payload, u64::from(number));
    }
    assert_eq!(call.sent(), [vec![], vec![]]);
    call.receive(RED, 8, &frames(OPUS, 0, 8));
    let [plain, with_red] = call.sent();
    assert_eq!((plain, with_red), (vec![(100, opus(8))], vec![(105, frames(100, 0, 8))]));
}

#[test]
fn pipes_carry_red_where_the_far_end_takes_it() {
    let mut call = Call::new(|options| ConsumerOptions { pipe: true, ..options });
    call.receive(RED, 1, &frames(OPUS, 0, 1));
    let [plain, with_red] = call.sent();
    assert_eq!((plain, with_red), (vec![(100, opus(1))], vec![(105, frames(100, 0, 1))]));
}

#[test]
fn a_trace_tells_what_was_sent() {
    let mut call = Call::new(|options| options);
    let id = call.plain.id;
    let flags = ConsumerTraceFlags { rtp: true, ..Default::default() };
    call.bench.ask(TraceConsumer { id, flags }).unwrap();
    call.receive(RED, 1, &frames(OPUS, 0, 1));
    let traced = call.bench.events().into_iter().find_map(|event| match event {
        Event::Consumer(_, ConsumerEvent::Trace(trace)) => Some(trace.info),
        _ => None,
    });
    let Some(TraceInfo::Rtp(traced)) = traced else { panic!("a trace") };
    assert_eq!((traced.payload_type, traced.payload_size, traced.size), (100, 2, 14));
}
