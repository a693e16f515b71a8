//! A packet's way through the Core: forwarded, renumbered, repaired, asked for.

mod support;

use support::{Bench, vp8, vp8_parameters};
use tureen_media_model::{
    Consume, ConsumeError, ConsumerEvent, ConsumerNumbering, ConsumerTraceFlags, Event, GetConsumerStats,
    GetProducerStats, PauseConsumer, ResumeConsumer, TraceConsumer, TraceInfo,
};
use tureen_rtp_dictionaries::MediaKind;
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket, RtcpWriter};
use tureen_rtp_wire::rtp::RtpPacket;

fn rtcp(fill: impl FnOnce(&mut RtcpWriter<'_>)) -> Vec<u8> {
    let mut buffer = vec![0; 1200];
    let mut writer = RtcpWriter::new(&mut buffer);
    writer.receiver_report(5, &[]).unwrap();
    fill(&mut writer);
    let len = writer.finish();
    buffer.truncate(len);
    buffer
}

fn count_plis(compounds: &[Vec<u8>]) -> usize {
    let packets = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap());
    packets.filter(|packet| matches!(packet, Ok(RtcpPacket::Pli(_)))).count()
}

#[test]
fn a_key_frame_starts_a_consumer_and_packets_are_rewritten() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let consumer = bench.consume(target, producer.id);
    bench.receive(1, &vp8(1000, 10, 3000, false));
    assert!(bench.sent_to(2).0.is_empty(), "nothing before a key frame");
    assert_eq!(count_plis(&bench.sent_to(1).1), 1, "a key frame is asked for");

    bench.receive(1, &vp8(1000, 11, 6000, true));
    bench.receive(1, &vp8(1000, 12, 9000, false));
    let (sent, _) = bench.sent_to(2);
    assert_eq!(sent.len(), 2);
    let packets: Vec<_> = sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap()).collect();
    let ssrc = consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    assert!(packets.iter().all(|packet| packet.ssrc() == ssrc && packet.payload_type() == 101));
    assert_eq!(packets[1].sequence_number(), packets[0].sequence_number().wrapping_add(1));
    assert_eq!(packets[1].timestamp().wrapping_sub(packets[0].timestamp()), 3000);
    assert_eq!(packets[0].extension(1), Some(consumer.rtp_parameters.mid.as_deref().unwrap().as_bytes()));
    assert_eq!(packets[0].extension(4).map(<[u8]>::len), Some(3), "abs-send-time");

    let stats = bench.ask(GetConsumerStats { id: consumer.id }).unwrap();
    assert_eq!(stats.outbound[0].packet_count, 2);
    assert_eq!(stats.inbound.unwrap().packet_count, 3);
}

#[test]
fn a_lost_packet_is_asked_for_and_a_nack_is_answered_by_rtx() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let consumer = bench.consume(target, producer.id);
    bench.receive(1, &vp8(1000, 1, 3000, true));
    bench.receive(1, &vp8(1000, 3, 9000, false));
    bench.sent_to(1);
    bench.pass(50);
    let (_, asked) = bench.sent_to(1);
    let lost: Vec<u16> = asked
        .iter()
        .flat_map(|bytes| Compound::parse(bytes).unwrap())
        .filter_map(|packet| match packet {
            Ok(RtcpPacket::Nack(nack)) => Some(nack.lost().collect::<Vec<_>>()),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(lost.first(), Some(&2));

    // The retransmission arrives in its own stream and reaches the consumer in its old place.
    let mut rtx = vp8(1001, 77, 6000, false);
    rtx[1] = 0x80 | 97;
    rtx.splice(12..12, [0, 2]);
    bench.receive(1, &rtx);
    let (sent, _) = bench.sent_to(2);
    let numbers: Vec<u16> =
        sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap().sequence_number()).collect();
    assert_eq!(numbers, [numbers[0], numbers[0] + 2, numbers[0] + 1]);
    let stats = bench.ask(GetProducerStats { id: producer.id }).unwrap();
    assert_eq!((stats[0].stream.packets_repaired, stats[0].stream.packets_retransmitted), (1, 1));

    let encoding = &consumer.rtp_parameters.encodings[0];
    let nack = rtcp(|writer| writer.nack(5, encoding.ssrc.unwrap(), [numbers[1]]).unwrap());
    bench.receive(2, &nack);
    let (sent, _) = bench.sent_to(2);
    let packet = RtpPacket::parse(&sent[0]).unwrap();
    assert_eq!((packet.ssrc(), packet.payload_type()), (encoding.rtx.unwrap().ssrc, 102));
    assert_eq!(packet.payload()[..2], numbers[1].to_be_bytes());
    bench.receive(2, &nack);
    assert!(bench.sent_to(2).0.is_empty(), "not twice within a round trip");
}

#[test]
fn a_consumer_under_its_receivers_numbers_sends_and_repairs_with_them() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let mut options = bench.consumer_options(producer.id);
    options.rtp_capabilities = serde_json::from_value(serde_json::json!({
        "codecs": [
            {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000, "preferredPayloadType": 45,
             "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]},
            {"kind": "video", "mimeType": "video/rtx", "clockRate": 90000, "preferredPayloadType": 101,
             "parameters": {"apt": 45}}
        ],
        "headerExtensions": [
            {"kind": "video", "uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "preferredId": 9}
        ]
    }))
    .unwrap();
    options.numbering = ConsumerNumbering::Receiver;
    options.mid = Some("sixteen-bytes-is".to_owned());
    let consumer = bench.ask(Consume { transport: target, options }).unwrap();
    let numbers: Vec<u8> = consumer.rtp_parameters.codecs.iter().map(|codec| codec.payload_type).collect();
    assert_eq!(
        numbers,
        [45, 101],
        "101 is the router's number of VP8 and the receiver's of its retransmissions"
    );
    bench
        .ask(TraceConsumer { id: consumer.id, flags: ConsumerTraceFlags { rtp: true, ..Default::default() } })
        .unwrap();

    bench.receive(1, &vp8(1000, 11, 6000, true));
    let (sent, _) = bench.sent_to(2);
    let packet = RtpPacket::parse(&sent[0]).unwrap();
    assert_eq!(packet.payload_type(), 45);
    assert_eq!(packet.extension(9), Some(&b"sixteen-bytes-is"[..]));
    let traced = std::iter::from_fn(|| bench.core.poll_event()).find_map(|event| match event {
        Event::Consumer(_, ConsumerEvent::Trace(trace)) => Some(trace.info),
        _ => None,
    });
    assert!(matches!(traced, Some(TraceInfo::Rtp(packet)) if packet.payload_type == 45));

    let encoding = &consumer.rtp_parameters.encodings[0];
    let nack = rtcp(|writer| writer.nack(5, encoding.ssrc.unwrap(), [packet.sequence_number()]).unwrap());
    bench.receive(2, &nack);
    let (sent, _) = bench.sent_to(2);
    let packet = RtpPacket::parse(&sent[0]).unwrap();
    assert_eq!((packet.ssrc(), packet.payload_type()), (encoding.rtx.unwrap().ssrc, 101));

    // Without RTX the packet itself goes out again, under the same number.
    let mut options = bench.consumer_options(producer.id);
    options.rtp_capabilities = serde_json::from_value(serde_json::json!({
        "codecs": [{"kind": "video", "mimeType": "video/VP8", "clockRate": 90000, "preferredPayloadType": 45,
                    "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]}]
    }))
    .unwrap();
    options.numbering = ConsumerNumbering::Receiver;
    let plain = bench.ask(Consume { transport: target, options }).unwrap();
    bench.receive(1, &vp8(1000, 12, 9000, true));
    let ssrc = plain.rtp_parameters.encodings[0].ssrc.unwrap();
    let (sent, _) = bench.sent_to(2);
    let of_plain = |bytes: &&Vec<u8>| RtpPacket::parse(bytes).unwrap().ssrc() == ssrc;
    let sequence_number = RtpPacket::parse(sent.iter().find(of_plain).unwrap()).unwrap().sequence_number();
    bench.receive(2, &rtcp(|writer| writer.nack(5, ssrc, [sequence_number]).unwrap()));
    let (sent, _) = bench.sent_to(2);
    let again = RtpPacket::parse(sent.iter().find(of_plain).unwrap()).unwrap();
    assert_eq!((again.payload_type(), again.sequence_number()), (45, sequence_number));
}

#[test]
fn a_mid_that_no_header_extension_has_room_for_is_refused() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    for mid in ["", "seventeen-bytes-x"] {
        let mut options = bench.consumer_options(producer.id);
        options.mid = Some(mid.to_owned());
        let refused = bench.ask(Consume { transport: target, options }).map(|_| ());
        assert_eq!(refused, Err(ConsumeError::Mid), "{mid}");
    }
}

#[test]
fn packets_as_long_as_an_ethernet_frame_holds_are_forwarded() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let consumer = bench.consume(target, producer.id);
    for (sequence_number, len) in (1..).zip([100, 1200, 1400, 1472]) {
        let mut long = vp8(1000, sequence_number, 3000, true);
        long.resize(len, 0x55);
        bench.receive(1, &long);
        let (sent, _) = bench.sent_to(2);
        let payload = |bytes: &[u8]| RtpPacket::parse(bytes).unwrap().payload().len();
        assert_eq!(sent.iter().map(|bytes| payload(bytes)).collect::<Vec<_>>(), [len - 12], "{len} bytes");
    }
    let stats = bench.ask(GetConsumerStats { id: consumer.id }).unwrap();
    assert_eq!(stats.outbound[0].packet_count, 4);
}

#[test]
fn a_paused_consumer_resumes_on_a_key_frame_without_a_gap() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let consumer = bench.consume(target, producer.id);
    bench.receive(1, &vp8(1000, 1, 3000, true));
    bench.ask(PauseConsumer { id: consumer.id }).unwrap();
    bench.receive(1, &vp8(1000, 2, 6000, false));
    bench.pass(2000);
    bench.sent_to(1);
    bench.ask(ResumeConsumer { id: consumer.id }).unwrap();
    bench.receive(1, &vp8(1000, 3, 9000, false));
    assert_eq!(count_plis(&bench.sent_to(1).1), 1);
    bench.receive(1, &vp8(1000, 4, 12_000, true));
    let (sent, _) = bench.sent_to(2);
    let numbers: Vec<u16> =
        sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap().sequence_number()).collect();
    assert_eq!(numbers.len(), 2);
    assert_eq!(numbers[1], numbers[0].wrapping_add(1));
    let events = bench.events();
    let of_consumer: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Consumer(id, event) if *id == consumer.id => Some(event.clone()),
            _ => None,
        })
        .collect();
    assert!(of_consumer.contains(&ConsumerEvent::Paused { effective: true }));
    assert!(of_consumer.contains(&ConsumerEvent::Resumed { effective: true }));
}

#[test]
fn many_plis_become_one_request_a_second() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let consumer = bench.consume(target, producer.id);
    bench.receive(1, &vp8(1000, 1, 3000, true));
    bench.pass(1500);
    bench.sent_to(1);
    let ssrc = consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    let pli = rtcp(|writer| writer.pli(5, ssrc).unwrap());
    for n in 0..200u16 {
        bench.receive(2, &pli);
        bench.receive(1, &vp8(1000, 2 + n, 3000 * u32::from(n), true));
        bench.pass(10);
    }
    let asked = count_plis(&bench.sent_to(1).1);
    assert!((1..=3).contains(&asked), "{asked} in two seconds");
}

#[test]
fn what_is_malformed_or_foreign_is_counted_and_disturbs_nothing() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    bench.consume(target, producer.id);
    bench.receive(1, &vp8(1000, 1, 3000, true));
    bench.sent_to(2);
    let whole = vp8(1000, 2, 6000, false);
    for cut in 0..12 {
        bench.receive(1, &whole[..cut]);
    }
    bench.receive(1, &vp8(4242, 2, 6000, false));
    bench.receive(1, &[0x80, 200, 0, 9, 1, 2]);
    let mut padded = whole.clone();
    padded[0] |= 0x20;
    *padded.last_mut().unwrap() = 255;
    bench.receive(1, &padded);
    assert!(bench.sent_to(2).0.is_empty());
    let counters = *bench.core.counters();
    assert!(
        counters.rejected >= 12 && counters.unknown_stream == 1 && counters.bad_rtcp == 1,
        "{counters:?}"
    );
    bench.receive(1, &whole);
    assert_eq!(bench.sent_to(2).0.len(), 1);
}

#[test]
fn a_limit_on_what_comes_in_is_told_as_remb_and_lifted() {
    use tureen_media_model::SetMaxIncomingBitrate;
    let mut bench = Bench::new();
    let source = bench.transport(1);
    bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    bench.receive(1, &vp8(1000, 1, 3000, true));
    let rembs = |bench: &mut Bench| -> Vec<u64> {
        bench.pass(2000);
        let (_, compounds) = bench.sent_to(1);
        let packets = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap());
        let told = packets.filter_map(|packet| match packet {
            Ok(RtcpPacket::Remb(remb)) => Some(remb.bitrate()),
            _ => None,
        });
        told.collect()
    };
    assert_eq!(rembs(&mut bench), [0; 0]);
    bench.ask(SetMaxIncomingBitrate { id: source, bitrate: 500_000 }).unwrap();
    let told = rembs(&mut bench);
    assert!(
        !told.is_empty() && told.iter().all(|&bitrate| (499_000..=500_000).contains(&bitrate)),
        "{told:?}"
    );
    bench.ask(SetMaxIncomingBitrate { id: source, bitrate: 0 }).unwrap();
    assert!(rembs(&mut bench).iter().all(|&bitrate| bitrate > 4_000_000_000));
    for _ in 0..4 {
        rembs(&mut bench);
    }
    assert_eq!(rembs(&mut bench), [0; 0], "the end of a limit is not told for ever");
}
