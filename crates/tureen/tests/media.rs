//! Media and feedback through the handles, on one shard and across two.

mod support;

use pollster::block_on;
use std::sync::{Arc, Mutex};
use support::{Kept, Log, PATIENCE, Stage, audio, consumer, eventually, rtp_packet, video};
use tureen::{ConsumerEvent, SendError, Transport as _};

const PLI_SUBTYPE: u8 = 1;
const PAYLOAD_SPECIFIC_FEEDBACK: u8 = 206;

#[test]
fn a_packet_reaches_a_consumer_on_the_same_shard_and_on_another() {
    for shards in [1, 2] {
        let stage = Stage::with_shards(shards);
        let (source, sink) = (stage.transport_on(0), stage.transport_on(shards - 1));
        let producer = audio(&source, 1000);
        let consumer = consumer(&sink, &producer);
        let received = Arc::new(Mutex::new(Vec::new()));
        let in_listener = Arc::clone(&received);
        let _kept =
            consumer.on_rtp(move |packet| in_listener.lock().expect("not poisoned").push(packet.clone()));
        for number in 0..20 {
            producer.send(rtp_packet(1000, 111, number, &[b'a' + number as u8])).expect("it is taken");
        }
        eventually("all packets", || received.lock().expect("not poisoned").len() >= 20);
        let received = received.lock().expect("not poisoned");
        let ssrc = consumer.rtp_parameters().encodings[0].ssrc.expect("an ssrc");
        for (number, packet) in received.iter().enumerate() {
            assert_eq!(packet[8..12], ssrc.to_be_bytes(), "the consumer's own SSRC");
            assert_eq!(packet[1] & 0x7f, 100, "the router's payload type");
            assert_eq!(packet.last(), Some(&(b'a' + number as u8)), "in order");
        }
    }
}

#[test]
fn typed_packets_go_in_and_come_out() {
    let stage = Stage::new();
    let (source, sink) = (stage.transport(), stage.transport());
    let producer = audio(&source, 1000);
    let consumer = consumer(&sink, &producer);
    let log = Log::default();
    let in_listener = log.clone();
    let _kept = consumer.on_rtp_packet(move |packet| {
        in_listener.write(format!("{} {:?}", packet.header.payload_type, packet.payload));
    });
    let header = rtp::header::Header {
        version: 2,
        payload_type: 111,
        sequence_number: 7,
        ssrc: 1000,
        ..Default::default()
    };
    let packet = rtp::packet::Packet { header, payload: bytes::Bytes::from_static(b"sound") };
    producer.send_packet(&packet).expect("it is taken");
    assert_eq!(log.wait(1), [r#"100 b"sound""#]);
}

#[test]
fn a_key_frame_request_reaches_the_source_from_another_shard() {
    for shards in [1, 2] {
        let stage = Stage::with_shards(shards);
        let (source, sink) = (stage.transport_on(0), stage.transport_on(shards - 1));
        let producer = video(&source, 3000);
        let log = Log::default();
        let in_listener = log.clone();
        let _kept = source.on_rtcp(move |compound| {
            let plis = packets(compound)
                .filter(|(subtype, kind)| (*subtype, *kind) == (PLI_SUBTYPE, PAYLOAD_SPECIFIC_FEEDBACK));
            plis.for_each(|_| in_listener.write("pli"));
        });
        // The source is known by what it sends.
        producer.send(rtp_packet(3000, 96, 1, &[0x10, 0x01])).expect("it is taken");
        let consumer = consumer(&sink, &producer);
        block_on(consumer.request_key_frame()).expect("the consumer is open");
        log.wait(1);
    }
}

/// Subtype and packet type of each RTCP packet in a compound (RFC 3550 section 6.4).
fn packets(compound: &[u8]) -> impl Iterator<Item = (u8, u8)> + '_ {
    let mut rest = compound;
    std::iter::from_fn(move || {
        let (first, kind) = (*rest.first()?, *rest.get(1)?);
        let words = usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]));
        rest = rest.get(4 + 4 * words..)?;
        Some((first & 0x1f, kind))
    })
}

#[test]
fn rtcp_of_the_program_counts_as_the_endpoints() {
    let stage = Stage::new();
    let (source, sink) = (stage.transport(), stage.transport());
    let producer = video(&source, 3000);
    let consumer = consumer(&sink, &producer);
    block_on(consumer.enable_trace_event(&["pli", "nonsense"])).expect("the consumer is open");
    let log = Log::default();
    let in_listener = log.clone();
    let _kept = consumer.on_trace(move |trace| {
        let json = serde_json::to_value(trace).expect("a trace serialises");
        in_listener.write(format!("{} {}", json["type"], json["direction"]));
    });
    let ssrc = consumer.rtp_parameters().encodings[0].ssrc.expect("an ssrc");
    let pli = rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication {
        sender_ssrc: 1,
        media_ssrc: ssrc,
    };
    sink.send_rtcp_packets(&[Box::new(pli)]).expect("it is taken");
    assert_eq!(log.wait(1), [r#""pli" "in""#]);
    assert_eq!(block_on(consumer.dump()).expect("it is open").trace_event_types, ["pli"]);
    block_on(consumer.enable_trace_event(&[])).expect("the consumer is open");
    assert!(block_on(consumer.dump()).expect("it is open").trace_event_types.is_empty());
}

#[test]
fn a_paused_consumer_or_producer_passes_nothing_on() {
    let stage = Stage::new();
    let (source, sink) = (stage.transport(), stage.transport());
    let producer = audio(&source, 1000);
    let consumer = consumer(&sink, &producer);
    let mut events = consumer.events();
    let payloads = |events: &mut tureen::EventStream<ConsumerEvent>| -> Vec<u8> {
        let rtp = std::iter::from_fn(|| events.try_next());
        rtp.filter_map(
            |event| if let ConsumerEvent::Rtp(packet) = event { packet.last().copied() } else { None },
        )
        .collect()
    };
    let mut seen = Vec::new();
    producer.send(rtp_packet(1000, 111, 1, b"a")).expect("it is taken");
    eventually("the first packet", || {
        seen.extend(payloads(&mut events));
        seen == b"a"
    });
    block_on(consumer.pause()).expect("it is open");
    producer.send(rtp_packet(1000, 111, 2, b"b")).expect("it is taken");
    eventually("the second packet is received", || received_packets(&producer) >= 2);
    block_on(consumer.resume()).expect("it is open");
    block_on(producer.pause()).expect("it is open");
    producer.send(rtp_packet(1000, 111, 3, b"c")).expect("it is taken");
    eventually("the third packet is received", || received_packets(&producer) >= 3);
    block_on(producer.resume()).expect("it is open");
    producer.send(rtp_packet(1000, 111, 4, b"d")).expect("it is taken");
    eventually("the fourth packet", || {
        seen.extend(payloads(&mut events));
        seen.len() >= 2
    });
    assert_eq!(seen, b"ad");
}

fn received_packets(producer: &tureen::Producer) -> u64 {
    block_on(producer.get_stats()).expect("it is open").iter().map(|stream| stream.packet_count).sum()
}

#[test]
fn statistics_tell_of_the_source_on_another_shard_too() {
    for shards in [1, 2] {
        let stage = Stage::with_shards(shards);
        let (source, sink) = (stage.transport_on(0), stage.transport_on(shards - 1));
        let producer = audio(&source, 1000);
        let consumer = consumer(&sink, &producer);
        for number in 0..5 {
            producer.send(rtp_packet(1000, 111, number, b"x")).expect("it is taken");
        }
        let mut json = serde_json::Value::Null;
        eventually("statistics of both sides", || {
            let stats = block_on(consumer.get_stats()).expect("it is open");
            json = serde_json::to_value(&stats).expect("statistics serialise");
            json[0]["packetCount"] == 5 && json[1]["packetCount"] == 5
        });
        assert_eq!((&json[0]["type"], &json[1]["type"]), (&"outbound-rtp".into(), &"inbound-rtp".into()));
        let stats =
            serde_json::to_value(block_on(source.get_stats()).expect("it is open")).expect("it serialises");
        assert_eq!(stats["type"], "direct-transport");
        assert!(stats["rtpBytesReceived"].as_u64().is_some_and(|bytes| bytes > 0), "{stats}");
    }
}

#[test]
fn scores_come_as_events_and_stay_readable() {
    let stage = Stage::new();
    let (source, sink) = (stage.transport(), stage.transport());
    let producer = audio(&source, 1000);
    let consumer = consumer(&sink, &producer);
    assert_eq!(consumer.score().score, 10);
    let log = Log::default();
    let mut kept = Kept::default();
    for line in ["score", "again"] {
        let log = log.clone();
        kept.add(producer.on_score(move |scores| log.write(format!("{line} {}", scores[0].ssrc))));
    }
    kept.add(producer.observer().on_score({
        let log = log.clone();
        move |scores| log.write(format!("observer {}", scores[0].ssrc))
    }));
    producer.send(rtp_packet(1000, 111, 1, b"x")).expect("it is taken");
    assert_eq!(log.wait(3)[..3], ["score 1000", "again 1000", "observer 1000"]);
    assert_eq!(producer.score()[0].ssrc, 1000);
    assert_eq!(producer.score()[0].encoding_idx, 0);
}

#[test]
fn only_fit_packets_are_taken() {
    let stage = Stage::new();
    let source = stage.transport();
    let producer = audio(&source, 1000);
    assert_eq!(
        producer.send(bytes::Bytes::from_static(b"\x80\xc8\x00\x00")),
        Err(SendError::WrongKind("RTP"))
    );
    assert_eq!(source.send_rtcp(rtp_packet(1000, 111, 1, b"x")), Err(SendError::WrongKind("RTCP")));
    assert_eq!(producer.send(rtp_packet(1, 111, 1, &[0; 70_000])), Err(SendError::TooLong(70_012)));
    let options = tureen::PlainTransportOptions::new(tureen::ListenInfo::loopback());
    let plain = block_on(stage.router.create_plain_transport(options)).expect("a transport");
    let options = tureen::ProducerOptions::new(tureen::dictionaries::MediaKind::Audio, support::opus(5));
    let elsewhere = block_on(plain.produce(options)).expect("a producer");
    assert_eq!(elsewhere.send(rtp_packet(5, 111, 1, b"x")), Err(SendError::NotDirect));
}

#[test]
fn a_stream_that_is_not_read_loses_packets_and_nothing_else() {
    let stage = Stage::new();
    let (source, sink) = (stage.transport(), stage.transport());
    let producer = audio(&source, 1000);
    let consumer = consumer(&sink, &producer);
    let mut lagging = consumer.events();
    let log = Log::default();
    let in_listener = log.clone();
    let _kept = consumer.on_rtp(move |_| in_listener.write("rtp"));
    for number in 0..400 {
        while producer.send(rtp_packet(1000, 111, number, b"x")).is_err() {
            std::thread::yield_now();
        }
    }
    log.wait(400);
    producer.close();
    let mut lost = 0;
    let mut read = 0;
    let mut last = None;
    let start = std::time::Instant::now();
    while let Some(event) = block_on(lagging.next()) {
        assert!(start.elapsed() < PATIENCE);
        match event {
            ConsumerEvent::Lagged(count) => lost += count,
            ConsumerEvent::Rtp(_) => read += 1,
            event => last = Some(event),
        }
    }
    assert!(lost >= 400 - 256, "{lost}");
    assert_eq!(read + lost, 400, "each packet is told or counted");
    assert!(matches!(last, Some(ConsumerEvent::ProducerClose)), "{last:?}");
}

#[test]
fn a_turned_source_is_told() {
    let stage = Stage::new();
    let source = stage.transport();
    let mut parameters = support::vp8(3000);
    parameters.header_extensions =
        support::from_json(serde_json::json!([{"uri": "urn:3gpp:video-orientation", "id": 5}]));
    let options = tureen::ProducerOptions::new(tureen::dictionaries::MediaKind::Video, parameters);
    let producer = block_on(source.produce(options)).expect("a producer");
    let log = Log::default();
    let mut kept = Kept::default();
    for name in ["public", "observer"] {
        let log = log.clone();
        let listener = move |turned: &tureen::model::VideoOrientation| {
            log.write(format!("{name} {} {} {}", turned.camera, turned.flip, turned.rotation));
        };
        kept.add(match name {
            "public" => producer.on_video_orientation_change(listener),
            _ => producer.observer().on_video_orientation_change(listener),
        });
    }
    // One-byte header extensions (RFC 8285 section 4.2): id 5, one byte, camera bit and 90 degrees.
    let mut bytes = rtp_packet(3000, 96, 1, &[0xbe, 0xde, 0, 1, 0x50, 0b1001, 0, 0]).to_vec();
    bytes[0] |= 0x10;
    bytes.extend(key_frame(1));
    producer.send(bytes.into()).expect("it is taken");
    assert_eq!(log.wait(2), ["public true false 90", "observer true false 90"]);
}

/// A VP8 key frame of 320 by 240 in one packet (RFC 7741 section 4.2, RFC 6386 section 9.1).
fn key_frame(picture_id: u16) -> [u8; 14] {
    let [high, low] = picture_id.to_be_bytes();
    [0x90, 0x80, high | 0x80, low, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00]
}

#[test]
fn the_layers_that_anybody_wants_are_told() {
    let stage = Stage::new();
    let (source, sink) = (stage.transport(), stage.transport());
    let mut parameters = support::vp8(3000);
    parameters.encodings = support::from_json(serde_json::json!([{"ssrc": 3000}, {"ssrc": 3001}]));
    let options = tureen::ProducerOptions::new(tureen::dictionaries::MediaKind::Video, parameters);
    let producer = block_on(source.produce(options)).expect("a producer");
    let spatial = |layers: Option<tureen::dictionaries::MediaLayers>| layers.map(|it| it.spatial_layer);
    assert_eq!(spatial(producer.wanted_layers()), Some(1), "a publisher begins with all");
    let log = Log::default();
    let mut kept = Kept::default();
    let write = |name: &'static str| {
        let log = log.clone();
        move |layers: &Option<tureen::dictionaries::MediaLayers>| {
            log.write(format!("{name} {:?}", layers.map(|layers| layers.spatial_layer)));
        }
    };
    kept.add(producer.on_wanted_layers_change(write("public")));
    kept.add(producer.observer().on_wanted_layers_change(write("observer")));
    assert_eq!(log.wait(2)[..2], ["public None", "observer None"]);
    assert_eq!(producer.wanted_layers(), None);
    let consumer = consumer(&sink, &producer);
    assert_eq!(log.wait(4)[2..4], ["public Some(1)", "observer Some(1)"]);
    assert_eq!(spatial(producer.wanted_layers()), Some(1));
    consumer.close();
}

#[test]
fn the_layers_in_use_are_told() {
    let stage = Stage::new();
    let (source, sink) = (stage.transport(), stage.transport());
    let mut parameters = support::vp8(3000);
    parameters.encodings = support::from_json(serde_json::json!([{"ssrc": 3000}, {"ssrc": 3001}]));
    let options = tureen::ProducerOptions::new(tureen::dictionaries::MediaKind::Video, parameters);
    let producer = block_on(source.produce(options)).expect("a producer");
    assert_eq!(producer.producer_type(), tureen::dictionaries::ProducerType::Simulcast);
    let consumer = consumer(&sink, &producer);
    let wanted = tureen::dictionaries::MediaLayers { spatial_layer: 0, temporal_layer: None };
    let preferred =
        block_on(consumer.set_preferred_layers(wanted)).expect("it is open").expect("it has layers");
    assert_eq!(preferred.spatial_layer, 0);
    assert_eq!(consumer.preferred_layers(), Some(preferred));
    let log = Log::default();
    let mut kept = Kept::default();
    let write = |name: &'static str| {
        let log = log.clone();
        move |layers: &Option<tureen::dictionaries::MediaLayers>| {
            log.write(format!("{name} {:?}", layers.map(|layers| layers.spatial_layer)));
        }
    };
    kept.add(consumer.on_layers_change(write("public")));
    kept.add(consumer.observer().on_layers_change(write("observer")));
    for number in 1..4 {
        producer.send(rtp_packet(3000, 96, number, &key_frame(number))).expect("it is taken");
    }
    assert_eq!(log.wait(2)[..2], ["public Some(0)", "observer Some(0)"]);
    assert_eq!(consumer.current_layers().map(|layers| layers.spatial_layer), Some(0));
}
