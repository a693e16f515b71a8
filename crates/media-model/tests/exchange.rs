//! A remote that starts its encoder anew comes with another SSRC under the old name.

mod support;

use support::{Bench, relay, vp8_parameters, vp8_with};
use tureen_media_model::{
    ConsumerInfo, GetProducerStats, MirrorSource, ProducerInfo, PublishSource, ShardId,
};
use tureen_rtp_dictionaries::{MediaKind, RtpParameters};
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket, RtcpWriter};
use tureen_rtp_wire::rtp::RtpPacket;

const MID: u8 = 6;
const RID: u8 = 7;

/// Streams that are known by MID, and by RID if `rids` are given.
fn parameters(ssrc: Option<u32>, rids: &[&str]) -> RtpParameters {
    let mut parameters = serde_json::to_value(vp8_parameters(1000)).unwrap();
    parameters["headerExtensions"].as_array_mut().unwrap().extend([
        serde_json::json!({"uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": MID}),
        serde_json::json!({"uri": "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", "id": RID}),
    ]);
    parameters["encodings"] = match ssrc {
        Some(ssrc) => serde_json::json!([{"ssrc": ssrc, "rtx": {"ssrc": ssrc + 1}}]),
        None => rids.iter().map(|rid| serde_json::json!({"rid": rid})).collect(),
    };
    serde_json::from_value(parameters).unwrap()
}

fn named(ssrc: u32, sequence_number: u16, timestamp: u32, key_frame: bool, rid: Option<&str>) -> Vec<u8> {
    let mut names: Vec<(u8, &[u8])> = vec![(MID, b"v")];
    names.extend(rid.map(|rid| (RID, rid.as_bytes())));
    vp8_with(ssrc, sequence_number, timestamp, key_frame, &names)
}

fn call(parameters: RtpParameters) -> (Bench, ProducerInfo, ConsumerInfo) {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, parameters);
    let consumer = bench.consume(target, producer.id);
    (bench, producer, consumer)
}

/// Sequence number and timestamp of what the consumer got.
fn got(bench: &mut Bench) -> Vec<(u16, u32)> {
    let (sent, _) = bench.sent_to(2);
    let packets = sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap());
    packets.map(|packet| (packet.sequence_number(), packet.timestamp())).collect()
}

fn key_frames_asked(bench: &mut Bench) -> Vec<u32> {
    let (_, compounds) = bench.sent_to(1);
    let packets = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap());
    let asked = packets.filter_map(|packet| match packet.unwrap() {
        RtcpPacket::Pli(pli) => Some(pli.media_ssrc),
        _ => None,
    });
    asked.collect()
}

fn takes_over(parameters: RtpParameters, rid: Option<&str>) {
    let (mut bench, producer, consumer) = call(parameters);
    bench.receive(1, &named(1000, 100, 3000, true, rid));
    bench.receive(1, &named(1000, 101, 6000, false, rid));
    let before = got(&mut bench);
    assert_eq!(before.len(), 2);

    bench.pass(1900);
    bench.receive(1, &named(5000, 99, 7_000_000, true, rid));
    assert_eq!(got(&mut bench), [], "the old one may come back");
    key_frames_asked(&mut bench);

    bench.pass(100);
    bench.receive(1, &named(5000, 100, 7_009_000, false, rid));
    assert_eq!(got(&mut bench), [], "a key frame first");
    assert_eq!(key_frames_asked(&mut bench), [5000]);
    bench.receive(1, &named(5000, 101, 7_012_000, true, rid));
    bench.receive(1, &named(5000, 102, 7_015_000, false, rid));
    let (sequence_number, timestamp) = before[1];
    // Two seconds of a clock of 90 kHz have passed.
    let expected = [
        (sequence_number.wrapping_add(1), timestamp.wrapping_add(180_000)),
        (sequence_number.wrapping_add(2), timestamp.wrapping_add(183_000)),
    ];
    assert_eq!(got(&mut bench), expected);

    bench.receive(1, &named(1000, 102, 9000, false, rid));
    assert_eq!(got(&mut bench), [], "the old one is over");
    let stats = bench.ask(GetProducerStats { id: producer.id }).unwrap();
    assert_eq!(stats.iter().map(|stats| stats.stream.ssrc).collect::<Vec<_>>(), [5000]);

    // What the old stream sent is not sent again, though the new one has a packet of that number; what the new one sent is.
    let ssrc = consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    for (number, answers) in [(sequence_number, 0), (expected[0].0, 1)] {
        let mut nack = [0; 100];
        let mut writer = RtcpWriter::new(&mut nack);
        writer.receiver_report(5, &[]).unwrap();
        writer.nack(5, ssrc, [number]).unwrap();
        let len = writer.finish();
        bench.receive(2, &nack[..len]);
        assert_eq!(got(&mut bench).len(), answers);
    }
}

#[test]
fn another_ssrc_under_the_same_mid_and_rid_takes_over_after_silence() {
    takes_over(parameters(None, &["lo", "hi"]), Some("lo"));
}

#[test]
fn another_ssrc_under_the_same_mid_takes_over_from_a_declared_one_after_silence() {
    takes_over(parameters(Some(1000), &[]), None);
}

#[test]
fn a_stream_that_goes_on_keeps_its_place() {
    let (mut bench, ..) = call(parameters(Some(1000), &[]));
    for number in 0..30u16 {
        bench.receive(1, &named(1000, number, u32::from(number) * 9000, number == 0, None));
        bench.receive(1, &named(5000, number, 0, true, None));
        bench.pass(100);
    }
    assert_eq!(got(&mut bench).len(), 30);
    assert_eq!(bench.core.counters().unknown_stream, 30);
}

#[test]
fn consumers_on_another_shard_go_on_as_well() {
    let (mut home, mut away) = (Bench::new(), Bench::on_shard(1));
    let (source, target) = (home.transport(1), away.transport(2));
    let producer = home.produce(source, MediaKind::Video, parameters(None, &["lo"]));
    let description = home.ask(PublishSource { producer: producer.id, to: ShardId(1) }).unwrap();
    away.ask(MirrorSource { source: description }).unwrap();
    away.consume(target, producer.id);
    home.receive(1, &named(1000, 100, 3000, true, Some("lo")));
    relay(&mut home, &mut away);
    let before = got(&mut away);
    assert_eq!(before.len(), 1);

    home.pass(2000);
    away.pass(2000);
    key_frames_asked(&mut home);
    home.receive(1, &named(5000, 10, 7_000_000, false, Some("lo")));
    relay(&mut home, &mut away);
    assert_eq!(got(&mut away), [], "a key frame first");
    home.receive(1, &named(5000, 11, 7_003_000, true, Some("lo")));
    relay(&mut home, &mut away);
    let (sequence_number, timestamp) = before[0];
    assert_eq!(got(&mut away), [(sequence_number.wrapping_add(1), timestamp.wrapping_add(180_000))]);
}
