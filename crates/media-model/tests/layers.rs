//! Which layers of a source a consumer gets, and how it goes from one to another.

mod support;

use support::{Bench, packet, relay, vp8, vp8_parameters};
use tureen_media_model::{
    Consume, ConsumerEvent, ConsumerId, ConsumerInfo, Event, GetConsumerStats, MirrorSource, PauseConsumer,
    PublishSource, ResumeConsumer, SetPreferredLayers, ShardId,
};
use tureen_rtp_dictionaries::{MediaKind, MediaLayers, RtpParameters};
use tureen_rtp_wire::NtpTime;
use tureen_rtp_wire::payload::{vp8::Descriptor, vp9};
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket, RtcpWriter, SenderInfo};
use tureen_rtp_wire::rtp::{RtpHeader, RtpPacket};

/// The SSRCs of the encodings; their timestamps start as far apart.
const ENCODINGS: [u32; 3] = [1000, 2000, 3000];

fn parameters(encodings: &[u32], mode: Option<&str>) -> RtpParameters {
    let mut parameters = serde_json::to_value(vp8_parameters(1000)).unwrap();
    let encoding = |ssrc| match mode {
        Some(mode) => serde_json::json!({"ssrc": ssrc, "scalabilityMode": mode}),
        None => serde_json::json!({"ssrc": ssrc}),
    };
    parameters["encodings"] = encodings.iter().map(encoding).collect();
    serde_json::from_value(parameters).unwrap()
}

/// A publisher of several encodings at 30 frames a second, and a viewer.
struct Call {
    bench: Bench,
    consumer: ConsumerInfo,
    /// By encoding, the next sequence number.
    next: [u16; 3],
    frames: u32,
}

impl Call {
    fn new(encodings: &[u32], mode: Option<&str>, preferred_layers: Option<MediaLayers>) -> Self {
        Self::of(parameters(encodings, mode), preferred_layers)
    }

    fn of(parameters: RtpParameters, preferred_layers: Option<MediaLayers>) -> Self {
        let mut bench = Bench::new();
        let (source, target) = (bench.transport(1), bench.transport(2));
        let producer = bench.produce(source, MediaKind::Video, parameters);
        let mut options = bench.consumer_options(producer.id);
        options.preferred_layers = preferred_layers;
        let consumer = bench.ask(Consume { transport: target, options }).unwrap();
        Self { bench, consumer, next: [100, 200, 300], frames: 0 }
    }

    fn id(&self) -> ConsumerId {
        self.consumer.id
    }

    fn number(&mut self, encoding: usize) -> u16 {
        let number = self.next[encoding];
        self.next[encoding] += 1;
        number
    }

    fn timestamp(&self, encoding: usize) -> u32 {
        ENCODINGS[encoding] * 1000 + self.frames * 3000
    }

    /// A frame of each of `encodings`, a key frame where one was asked for. Then its time passes.
    fn frame(&mut self, encodings: &[usize], key_frames: &[usize]) {
        for &encoding in encodings {
            let number = self.number(encoding);
            let bytes =
                vp8(ENCODINGS[encoding], number, self.timestamp(encoding), key_frames.contains(&encoding));
            self.bench.receive(1, &bytes);
        }
        self.tick();
    }

    fn tick(&mut self) {
        self.frames += 1;
        self.bench.pass(33);
    }

    /// Frames that answer key-frame requests, for a while.
    fn run(&mut self, encodings: &[usize], frames: usize) -> Vec<(u16, u32)> {
        let mut sent = Vec::new();
        for _ in 0..frames {
            let asked = self.asked();
            self.frame(encodings, &asked);
            sent.extend(self.got());
        }
        sent
    }

    /// The encodings whose key frames were asked for.
    fn asked(&mut self) -> Vec<usize> {
        let (_, compounds) = self.bench.sent_to(1);
        let packets = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap());
        let asked = packets.filter_map(|packet| match packet.unwrap() {
            RtcpPacket::Pli(pli) => ENCODINGS.iter().position(|ssrc| *ssrc == pli.media_ssrc),
            _ => None,
        });
        asked.collect()
    }

    /// Sequence numbers and timestamps that the viewer got.
    fn got(&mut self) -> Vec<(u16, u32)> {
        let (sent, _) = self.bench.sent_to(2);
        let packets = sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap());
        packets.map(|packet| (packet.sequence_number(), packet.timestamp())).collect()
    }

    fn prefer(&mut self, spatial_layer: u8, temporal_layer: Option<u8>) -> MediaLayers {
        let layers = MediaLayers { spatial_layer, temporal_layer };
        let id = self.id();
        self.bench.ask(SetPreferredLayers { id, layers }).unwrap().expect("it has layers")
    }

    /// The layers that were told last, if any were.
    fn told(&mut self) -> Option<Option<MediaLayers>> {
        let mut layers = self.bench.events().into_iter().filter_map(|event| match event {
            Event::Consumer(_, ConsumerEvent::Layers(layers)) => Some(layers),
            _ => None,
        });
        layers.next_back()
    }

    fn told_spatial(&mut self) -> Option<Option<u8>> {
        self.told().map(|layers| layers.map(|layers| layers.spatial_layer))
    }
}

#[test]
fn the_best_encoding_is_followed_until_another_is_preferred() {
    let mut call = Call::new(&ENCODINGS, Some("L1T3"), None);
    let first = call.run(&[0], 3);
    assert_eq!(call.told(), Some(Some(MediaLayers { spatial_layer: 0, temporal_layer: Some(2) })));
    let second = call.run(&[0, 1, 2], 6);
    assert_eq!(call.told_spatial(), Some(Some(2)));
    // The first frame was no key frame; one of encoding 0 left before that of its own instant that was switched to.
    assert_eq!((first.len(), second.len()), (2, 7));
    assert_eq!(second[0].0, first[1].0.wrapping_add(1));

    // A second later, so that nothing asked for before is in the way.
    call.run(&[0, 1, 2], 30);
    assert_eq!(call.prefer(0, None), MediaLayers { spatial_layer: 0, temporal_layer: Some(2) });
    assert_eq!(call.asked(), [0], "at once, and of the target alone");
    call.frame(&[0, 1, 2], &[]);
    assert_eq!(call.got().len(), 1);
    assert_eq!(call.told(), None, "the old one goes on meanwhile");
    call.frame(&[0, 1, 2], &[0]);
    assert_eq!(call.got().len(), 1);
    assert_eq!(call.told_spatial(), Some(Some(0)));
}

#[test]
fn numbers_and_timestamps_go_on_over_switches() {
    let mut call = Call::new(&ENCODINGS, None, Some(MediaLayers { spatial_layer: 0, temporal_layer: None }));
    let mut sent = call.run(&[0, 1, 2], 10);
    for spatial_layer in [2, 0, 1, 2, 1, 0] {
        call.prefer(spatial_layer, None);
        sent.extend(call.run(&[0, 1, 2], 40));
        assert_eq!(call.told_spatial(), Some(Some(spatial_layer)));
    }
    // The first frame was no key frame; a switch upwards shows its instant twice.
    assert_eq!(sent.len(), 9 + 6 * 40 + 3);
    assert_continuous_numbers(&sent);
    let steps: Vec<u32> = sent.windows(2).map(|pair| pair[1].1.wrapping_sub(pair[0].1)).collect();
    assert_eq!(steps.iter().filter(|step| **step == 1).count(), 3);
    assert!(steps.iter().all(|step| *step == 1 || (2969..=3000).contains(step)), "{steps:?}");
}

#[test]
fn a_layer_that_stops_is_left_and_rejoined() {
    let mut call = Call::new(&ENCODINGS, None, None);
    call.run(&[0, 1, 2], 40);
    assert_eq!(call.told_spatial(), Some(Some(2)));
    // A second, and two frames for the answer.
    let sent = call.run(&[0, 1], 33);
    assert!(!sent.is_empty());
    assert_eq!(call.told_spatial(), Some(Some(1)));
    call.run(&[0, 1, 2], 3);
    assert_eq!(call.told_spatial(), Some(Some(2)));
}

#[test]
fn a_picture_that_stands_still_leaves_no_layer() {
    let mut call = Call::new(&ENCODINGS, None, None);
    call.run(&[0, 1, 2], 40);
    assert_eq!(call.told_spatial(), Some(Some(2)));
    for _ in 0..3 {
        call.bench.pass(1200);
        call.run(&[0, 1, 2], 1);
    }
    assert_eq!(call.told(), None);
}

#[test]
fn what_is_preferred_and_dead_is_replaced_by_the_lowest_above() {
    let mut call = Call::new(&ENCODINGS, None, Some(MediaLayers { spatial_layer: 0, temporal_layer: None }));
    call.run(&[1, 2], 3);
    assert_eq!(call.told_spatial(), Some(Some(1)));
    call.run(&[0, 1, 2], 3);
    assert_eq!(call.told_spatial(), Some(Some(0)));
}

/// A VP8 packet with a temporal layer.
fn layered(number: u16, timestamp: u32, layer: u8, sync: bool, key_frame: bool) -> Vec<u8> {
    let payload =
        [0x90, 0xe0, 0x80, number as u8, 7, layer << 6 | u8::from(sync) << 5, u8::from(!key_frame), 0, 0, 0];
    let header =
        RtpHeader { marker: true, payload_type: 96, sequence_number: number, timestamp, ssrc: ENCODINGS[0] };
    packet(&header, &payload)
}

fn temporal_layers_are_left_out(encodings: &[u32]) {
    let wanted = MediaLayers { spatial_layer: 0, temporal_layer: Some(0) };
    let mut call = Call::new(encodings, Some("L1T3"), Some(wanted));
    let mut got = Vec::new();
    // Layers 0 2 1 2, each entered from the base; from the second round on layer 1 is wanted.
    for round in 0..4u16 {
        for (place, layer) in [0u8, 2, 1, 2].into_iter().enumerate() {
            let number = call.number(0);
            let timestamp = call.timestamp(0);
            let bytes = layered(number, timestamp, layer, layer > 0 && place < 3, round == 0 && place == 0);
            call.bench.receive(1, &bytes);
            let (sent, _) = call.bench.sent_to(2);
            let packets = sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap());
            got.extend(packets.map(|packet| {
                let vp8 = Descriptor::parse(packet.payload()).unwrap();
                (packet.sequence_number(), vp8.picture_id.unwrap().value, vp8.temporal_layer.unwrap())
            }));
            call.tick();
        }
        if round == 1 {
            assert_eq!(call.told(), Some(Some(wanted)));
            call.prefer(0, Some(1));
        }
    }
    assert_eq!(call.told(), Some(Some(MediaLayers { spatial_layer: 0, temporal_layer: Some(1) })));
    assert_eq!(got.iter().map(|(.., layer)| *layer).collect::<Vec<_>>(), [0, 0, 0, 1, 0, 1]);
    for (index, (number, picture_id, _)) in (0u16..).zip(&got) {
        assert_eq!((number.wrapping_sub(got[0].0), picture_id - got[0].1), (index, index));
    }
    let drops = call.bench.ask(GetConsumerStats { id: call.consumer.id }).unwrap().outbound[0].packet_count;
    assert_eq!(drops, 6);
}

#[test]
fn temporal_layers_of_simulcast_are_left_out() {
    temporal_layers_are_left_out(&ENCODINGS);
}

#[test]
fn temporal_layers_of_a_lone_stream_are_left_out() {
    temporal_layers_are_left_out(&ENCODINGS[..1]);
}

fn vp9_parameters(encodings: serde_json::Value) -> RtpParameters {
    let mut parameters = serde_json::to_value(vp8_parameters(1000)).unwrap();
    parameters["codecs"] = serde_json::json!([{
        "mimeType": "video/VP9", "clockRate": 90000, "payloadType": 98,
        "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]
    }]);
    parameters["encodings"] = encodings;
    serde_json::from_value(parameters).unwrap()
}

/// Picture id and TL0PICIDX of a VP9 packet.
fn vp9_ids(packet: &[u8]) -> (u16, u8) {
    let packet = RtpPacket::parse(packet).unwrap();
    let vp9 = vp9::Descriptor::parse(packet.payload()).unwrap();
    (vp9.picture_id.unwrap().value, vp9.layers.unwrap().tl0_pic_idx.unwrap())
}

#[test]
fn picture_ids_of_vp9_go_on_over_switches_and_are_the_same_when_sent_again() {
    let encodings = serde_json::json!([{"ssrc": ENCODINGS[0]}, {"ssrc": ENCODINGS[1]}]);
    let lowest = MediaLayers { spatial_layer: 0, temporal_layer: None };
    let mut call = Call::of(vp9_parameters(encodings), Some(lowest));
    let mut sent = Vec::new();
    for frame in 0..90u16 {
        if frame == 40 || frame == 80 {
            assert_eq!(call.told_spatial(), Some(Some(u8::from(frame == 80))));
            call.prefer(u8::from(frame == 40), None);
        }
        let asked = call.asked();
        for encoding in [0, 1] {
            let picture_id = [32_750, 500][encoding] + frame;
            let [high, low] = picture_id.to_be_bytes();
            let first = 0xac | u8::from(!asked.contains(&encoding)) << 6;
            let payload =
                [first, 0x80 | high, low, 0x10, [250u8, 9][encoding].wrapping_add(frame as u8), 1, 2, 3];
            let header = RtpHeader {
                marker: true,
                payload_type: 98,
                sequence_number: call.number(encoding),
                timestamp: call.timestamp(encoding),
                ssrc: ENCODINGS[encoding],
            };
            call.bench.receive(1, &packet(&header, &payload));
        }
        sent.extend(call.bench.sent_to(2).0);
        call.tick();
    }
    assert_eq!(call.told_spatial(), Some(Some(0)));
    let ids: Vec<_> = sent.iter().map(|packet| vp9_ids(packet)).collect();
    assert_eq!(ids[0], (32_751, 251), "as they came, before the first switch");
    let next = |(picture_id, tl0): (u16, u8)| ((picture_id + 1) & 0x7fff, tl0.wrapping_add(1));
    assert!(ids.windows(2).all(|pair| pair[1] == next(pair[0])), "{ids:?}");
    let ssrc = call.consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    for first_sent in &sent[sent.len() - 15..] {
        let number = RtpPacket::parse(first_sent).unwrap().sequence_number();
        let mut nack = [0; 100];
        let mut writer = RtcpWriter::new(&mut nack);
        writer.receiver_report(5, &[]).unwrap();
        writer.nack(5, ssrc, [number]).unwrap();
        let len = writer.finish();
        call.bench.receive(2, &nack[..len]);
        let again = call.bench.sent_to(2).0;
        assert_eq!(again.len(), 1);
        let [first_sent, again] = [first_sent, &again[0]].map(|bytes| RtpPacket::parse(bytes).unwrap());
        assert_eq!((again.sequence_number(), again.payload()), (number, first_sent.payload()));
    }
}

/// The layer frames of a VP9 picture with three spatial layers, a packet each (RFC 9628 section 4.2, non-flexible mode), all of
/// temporal layer 0. Layers depend on the ones below in key pictures alone (K-SVC).
fn vp9_picture(first: u16, timestamp: u32, key_picture: bool) -> [Vec<u8>; 3] {
    [0u8, 1, 2].map(|spatial| {
        let inter_layer = key_picture && spatial > 0;
        let layers = spatial << 1 | u8::from(inter_layer) | 0x10;
        let payload = [0xac | u8::from(!key_picture) << 6, 9, layers, 5, 0, 0, 0];
        let header = RtpHeader {
            marker: spatial == 2,
            payload_type: 98,
            sequence_number: first + u16::from(spatial),
            timestamp,
            ssrc: ENCODINGS[0],
        };
        packet(&header, &payload)
    })
}

#[test]
fn spatial_layers_of_vp9_are_left_out_and_entered_at_a_key_picture() {
    let encodings = serde_json::json!([{"ssrc": 1000, "scalabilityMode": "L3T3_KEY"}]);
    let mut call = Call::of(vp9_parameters(encodings), None);
    let mut markers = Vec::new();
    let mut numbers = Vec::new();
    for picture in 0..40u16 {
        match picture {
            1 => {
                assert_eq!(call.told(), Some(Some(MediaLayers { spatial_layer: 2, temporal_layer: Some(2) })))
            }
            2 => assert_eq!(call.prefer(1, Some(2)).spatial_layer, 1),
            35 => {
                assert_eq!(call.told_spatial(), Some(Some(1)));
                call.asked();
                call.prefer(2, None);
                assert_eq!(call.asked(), [0], "a key picture is asked for at once");
            }
            _ => {}
        }
        let key_picture = picture == 0 || picture == 37;
        for bytes in vp9_picture(100 + 3 * picture, call.timestamp(0), key_picture) {
            call.bench.receive(1, &bytes);
        }
        let (sent, _) = call.bench.sent_to(2);
        let packets: Vec<_> = sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap()).collect();
        markers.push(packets.iter().map(|packet| packet.marker()).collect::<Vec<_>>());
        numbers.extend(packets.iter().map(|packet| packet.sequence_number()));
        call.tick();
    }
    assert_eq!(call.told_spatial(), Some(Some(2)));
    let whole = vec![false, false, true];
    for (picture, markers) in markers.iter().enumerate() {
        let expected = if (2..37).contains(&picture) { &whole[1..] } else { &whole };
        assert_eq!(markers, expected, "picture {picture}");
    }
    assert!(numbers.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == 1));
}

#[test]
fn what_overtook_its_key_frame_follows_it() {
    let mut call = Call::new(&ENCODINGS, None, None);
    call.run(&[0], 3);
    let (first, timestamp) = (call.next[1], call.timestamp(1));
    // The stream shows itself, then its key frame comes late.
    for (number, key_frame) in [(first, false), (first + 2, false), (first + 3, false), (first + 1, true)] {
        let later = u32::from(number - first) * 3000;
        call.bench.receive(1, &vp8(ENCODINGS[1], number, timestamp + later, key_frame));
    }
    let sent = call.got();
    assert_eq!(sent.len(), 3);
    for pair in sent.windows(2) {
        assert_eq!((pair[1].0.wrapping_sub(pair[0].0), pair[1].1.wrapping_sub(pair[0].1)), (1, 3000));
    }
}

fn sender_report(ssrc: u32, ntp: NtpTime, rtp_timestamp: u32) -> Vec<u8> {
    let mut buffer = vec![0; 200];
    let mut writer = RtcpWriter::new(&mut buffer);
    let info = SenderInfo { ntp, rtp_timestamp, packet_count: 1, octet_count: 1 };
    writer.sender_report(ssrc, &info, &[]).unwrap();
    writer.source_description(ssrc, b"tester", &[]).unwrap();
    let len = writer.finish();
    buffer.truncate(len);
    buffer
}

#[test]
fn a_switch_keeps_the_time_of_capture_once_sender_reports_told_it() {
    let mut call = Call::new(&ENCODINGS, None, Some(MediaLayers { spatial_layer: 0, temporal_layer: None }));
    call.run(&[0, 1, 2], 40);
    for encoding in [0, 1] {
        let report = sender_report(ENCODINGS[encoding], NtpTime::new(5000, 0), call.timestamp(encoding));
        call.bench.receive(1, &report);
    }
    let before = call.run(&[0], 1)[0];
    call.prefer(1, None);
    call.asked();
    // The frame after the next was captured 67 ms later; it comes after 50.
    call.bench.pass(17);
    call.frames += 1;
    let (number, timestamp) = (call.number(1), call.timestamp(1));
    call.bench.receive(1, &vp8(ENCODINGS[1], number, timestamp, true));
    let after = call.got()[0];
    assert_eq!((after.0.wrapping_sub(before.0), after.1.wrapping_sub(before.1)), (1, 6000));
}

#[test]
fn of_two_key_frames_of_one_instant_the_one_that_is_waited_for_is_seen() {
    let lowest = MediaLayers { spatial_layer: 0, temporal_layer: None };
    let mut call = Call::new(&ENCODINGS, None, Some(lowest));
    let before = call.run(&[0, 1, 2], 40);
    call.prefer(1, None);
    call.asked();
    call.frame(&[0, 1, 2], &[0, 1, 2]);
    let mut sent = vec![*before.last().unwrap()];
    sent.extend(call.got());
    sent.extend(call.run(&[0, 1, 2], 10));
    assert_eq!(call.told_spatial(), Some(Some(1)));
    assert_continuous_numbers(&sent);
    assert_eq!(sent.len(), 12, "one of each instant");
    let steps = sent.windows(2).map(|pair| pair[1].1.wrapping_sub(pair[0].1));
    // They go by arrival here, on which the pass of a frame's time is 33 ms.
    assert!(steps.clone().all(|step| (2970..=3000).contains(&step)), "{:?}", steps.collect::<Vec<_>>());
}

#[test]
fn a_key_frame_that_waited_in_vain_is_sent_with_what_came_behind_it() {
    let lowest = MediaLayers { spatial_layer: 0, temporal_layer: None };
    let mut call = Call::new(&ENCODINGS, None, Some(lowest));
    let before = call.run(&[0, 1, 2], 40);
    call.prefer(1, None);
    call.asked();
    call.frame(&[0], &[0]);
    assert_eq!(call.got(), []);
    call.frame(&[0], &[]);
    let mut sent = vec![*before.last().unwrap()];
    sent.extend(call.got());
    assert_eq!(sent.len(), 3, "50 ms are over");
    sent.extend(call.run(&[0], 3));
    assert_continuous_numbers(&sent);
    assert!(sent.windows(2).all(|pair| pair[1].1.wrapping_sub(pair[0].1) == 3000), "{sent:?}");
}

#[test]
fn a_pause_ends_in_layers_that_are_told_again() {
    let mut call = Call::new(&ENCODINGS, None, None);
    let before = call.run(&[0, 1, 2], 40);
    assert_eq!(call.told_spatial(), Some(Some(2)));
    let id = call.id();
    call.bench.ask(PauseConsumer { id }).unwrap();
    assert_eq!(call.told_spatial(), Some(None));
    assert_eq!(call.run(&[0, 1, 2], 10), []);
    call.bench.ask(ResumeConsumer { id }).unwrap();
    let after = call.run(&[0, 1, 2], 10);
    assert_eq!(call.told_spatial(), Some(Some(2)));
    assert_eq!(after[0].0, before.last().unwrap().0.wrapping_add(1));
    assert_continuous_numbers(&after);
}

fn assert_continuous_numbers(sent: &[(u16, u32)]) {
    assert!(sent.windows(2).all(|pair| pair[1].0.wrapping_sub(pair[0].0) == 1), "{sent:?}");
}

#[test]
fn consumers_on_another_shard_choose_too() {
    let (mut home, mut far) = (Bench::new(), Bench::on_shard(1));
    let (source, target) = (home.transport(1), far.transport(2));
    let producer = home.produce(source, MediaKind::Video, parameters(&ENCODINGS[..2], None));
    let reports = [0, 1].map(|at| sender_report(ENCODINGS[at], NtpTime::new(5000, 0), ENCODINGS[at] * 1000));
    home.receive(1, &vp8(1000, 1, 1_000_000, true));
    home.receive(1, &vp8(2000, 1, 2_000_000, true));
    home.receive(1, &reports[0]);
    let description = home.ask(PublishSource { producer: producer.id, to: ShardId(1) }).unwrap();
    far.ask(MirrorSource { source: description }).unwrap();
    relay(&mut far, &mut home);
    relay(&mut home, &mut far);
    let consumer = far.consume(target, producer.id);
    far.ask(SetPreferredLayers {
        id: consumer.id,
        layers: MediaLayers { spatial_layer: 0, temporal_layer: None },
    })
    .unwrap();
    home.receive(1, &reports[1]);
    let mut sent = Vec::new();
    for (number, key_frame) in [(2u16, true), (3, false)] {
        home.receive(1, &vp8(1000, number, 1_000_000 + u32::from(number) * 3000, key_frame));
        relay(&mut home, &mut far);
        sent.extend(far.sent_to(2).0);
    }
    far.ask(SetPreferredLayers {
        id: consumer.id,
        layers: MediaLayers { spatial_layer: 1, temporal_layer: None },
    })
    .unwrap();
    home.receive(1, &vp8(2000, 5, 2_015_000, true));
    relay(&mut home, &mut far);
    sent.extend(far.sent_to(2).0);
    let packets = sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap());
    let timestamps: Vec<_> = packets.map(|packet| packet.timestamp()).collect();
    assert_eq!(timestamps, [1_006_000, 1_009_000, 1_015_000], "no time passed, but the reports tell");
}
