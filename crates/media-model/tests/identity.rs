//! Consumers whose SSRC and CNAME were settled before: they keep them, on whichever transport they are made anew.

mod support;

use support::{Bench, vp8, vp8_parameters};
use tureen_media_model::{
    CloseConsumer, CloseProducer, Consume, ConsumeError, ConsumerIdentity, ConsumerInfo, ProducerId,
    TransportId,
};
use tureen_rtp_dictionaries::{MediaKind, RtpEncodingParameters};
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket};
use tureen_rtp_wire::rtp::RtpPacket;

const SSRC: u32 = 5000;

fn consume_as(
    bench: &mut Bench,
    transport: TransportId,
    producer: ProducerId,
    identity: ConsumerIdentity,
) -> Result<ConsumerInfo, ConsumeError> {
    let mut options = bench.consumer_options(producer);
    options.identity = identity;
    bench.ask(Consume { transport, options })
}

fn identity() -> ConsumerIdentity {
    ConsumerIdentity { ssrc: Some(SSRC), cname: Some("someone".to_owned()) }
}

fn ssrcs(info: &ConsumerInfo) -> Vec<(Option<u32>, Option<u32>)> {
    let of = |it: &RtpEncodingParameters| (it.ssrc, it.rtx.map(|rtx| rtx.ssrc));
    info.rtp_parameters.encodings.iter().map(of).collect()
}

fn sent(bench: &mut Bench, socket: u32) -> Vec<(u32, u16)> {
    let (packets, _) = bench.sent_to(socket);
    let packets = packets.iter().map(|bytes| RtpPacket::parse(bytes).unwrap());
    packets.map(|packet| (packet.ssrc(), packet.sequence_number())).collect()
}

#[test]
fn a_given_ssrc_and_cname_are_on_the_wire() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let info = consume_as(&mut bench, target, producer.id, identity()).unwrap();
    assert_eq!(ssrcs(&info), [(Some(SSRC), Some(SSRC + 1))]);
    assert_eq!(info.rtp_parameters.rtcp.cname.as_deref(), Some("someone"));
    let other = bench.consume(target, producer.id);
    assert_ne!(other.rtp_parameters.rtcp.cname.as_deref(), Some("someone"));
    bench.receive(1, &vp8(1000, 1, 3000, true));
    assert!(sent(&mut bench, 2).iter().any(|(ssrc, _)| *ssrc == SSRC));
    bench.pass(1000);
    let (_, compounds) = bench.sent_to(2);
    let packets = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap().flatten());
    let names: Vec<_> = packets
        .filter_map(|packet| match packet {
            RtcpPacket::Sdes(description) => Some(description),
            _ => None,
        })
        .flat_map(|description| description.chunks().collect::<Vec<_>>())
        .map(|chunk| (chunk.ssrc(), chunk.cname().map(<[u8]>::to_vec)))
        .collect();
    assert!(names.contains(&(SSRC, Some(b"someone".to_vec()))), "{names:?}");
    let own = other.rtp_parameters.encodings[0].ssrc.unwrap();
    assert!(
        names.iter().any(|(ssrc, name)| *ssrc == own && name.as_deref() != Some(b"someone")),
        "{names:?}"
    );
}

#[test]
fn a_consumer_that_is_made_anew_goes_on_with_the_sequence_numbers() {
    let mut bench = Bench::new();
    let (source, target, elsewhere) = (bench.transport(1), bench.transport(2), bench.transport(3));
    let first = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let consumer = consume_as(&mut bench, target, first.id, identity()).unwrap();
    bench.receive(1, &vp8(1000, 1, 3000, true));
    bench.receive(1, &vp8(1000, 2, 6000, false));
    let before = sent(&mut bench, 2);
    assert_eq!(before.len(), 2);

    bench.ask(CloseConsumer { id: consumer.id }).unwrap();
    let again = consume_as(&mut bench, target, first.id, identity()).unwrap();
    bench.receive(1, &vp8(1000, 3, 9000, true));
    assert_eq!(sent(&mut bench, 2), [(SSRC, before[1].1.wrapping_add(1))], "of the same producer");

    bench.ask(CloseProducer { id: first.id }).unwrap();
    let second = bench.produce(source, MediaKind::Video, vp8_parameters(2000));
    consume_as(&mut bench, target, second.id, identity()).unwrap();
    bench.receive(1, &vp8(2000, 700, 1, true));
    assert_eq!(sent(&mut bench, 2), [(SSRC, before[1].1.wrapping_add(2))], "of another producer");
    assert_eq!(ssrcs(&again), [(Some(SSRC), Some(SSRC + 1))]);

    consume_as(&mut bench, elsewhere, second.id, identity()).unwrap();
    bench.receive(1, &vp8(2000, 701, 3001, true));
    assert_eq!(sent(&mut bench, 3).first().map(|(ssrc, _)| *ssrc), Some(SSRC), "on another transport");
}

#[test]
fn with_pipes_the_ssrcs_follow_one_another() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let mut parameters = vp8_parameters(1000);
    parameters.encodings.extend(vp8_parameters(2000).encodings);
    let producer = bench.produce(source, MediaKind::Video, parameters);
    let mut options = bench.consumer_options(producer.id);
    (options.identity, options.pipe) = (identity(), true);
    let info = bench.ask(Consume { transport: target, options }).unwrap();
    assert_eq!(ssrcs(&info), [(Some(SSRC), Some(SSRC + 2)), (Some(SSRC + 1), Some(SSRC + 3))]);
}

#[test]
fn what_is_in_use_or_too_long_is_refused() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    consume_as(&mut bench, target, producer.id, identity()).unwrap();
    for ssrc in [SSRC - 1, SSRC, SSRC + 1] {
        let identity = ConsumerIdentity { ssrc: Some(ssrc), cname: None };
        let refused = consume_as(&mut bench, target, producer.id, identity).unwrap_err();
        assert_eq!(refused, ConsumeError::DuplicateSsrc(ssrc.max(SSRC)));
        assert!(refused.to_string().starts_with("identity.ssrc"));
    }
    let remote = ConsumerIdentity { ssrc: Some(1000), cname: None };
    let refused = consume_as(&mut bench, source, producer.id, remote).unwrap_err();
    assert_eq!(refused, ConsumeError::DuplicateSsrc(1000), "the remote's own");
    for cname in [String::new(), "x".repeat(256)] {
        let identity = ConsumerIdentity { ssrc: None, cname: Some(cname) };
        assert_eq!(consume_as(&mut bench, target, producer.id, identity).unwrap_err(), ConsumeError::Cname);
    }
}

#[test]
fn long_cnames_leave_room_for_every_sender_report() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let mut expected: Vec<u32> = (0..20).map(|index| SSRC + 10 * index).collect();
    for ssrc in &expected {
        let identity = ConsumerIdentity { ssrc: Some(*ssrc), cname: Some("x".repeat(255)) };
        consume_as(&mut bench, target, producer.id, identity).unwrap();
    }
    bench.receive(1, &vp8(1000, 1, 3000, true));
    bench.pass(600);
    let (_, compounds) = bench.sent_to(2);
    let packets = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap().flatten());
    let mut reported: Vec<u32> = packets
        .filter_map(|packet| match packet {
            RtcpPacket::SenderReport(report) => Some(report.ssrc()),
            _ => None,
        })
        .collect();
    reported.sort_unstable();
    expected.sort_unstable();
    assert_eq!(reported, expected);
}
