//! A consumer that starts from what came since the last key frame: whole, in order, close together, and nobody is asked for anything.

mod support;

use std::time::Duration;
use support::{Bench, address, vp8_parameters};
use tureen_media_model::{
    ConnectTransport, ConsumerInfo, DumpProducer, GetConsumerStats, KeyFrameCache, MirrorSource,
    PauseConsumer, PauseProducer, Produce, ProducerId, ProducerOptions, PublishSource, ResumeConsumer,
    ResumeProducer, ShardId, TransportId,
};
use tureen_rtp_dictionaries::{MediaKind, RtpParameters};
use tureen_rtp_wire::payload::vp8::Descriptor;
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket, RtcpWriter};
use tureen_rtp_wire::rtp::{RtpHeader, RtpPacket};
use tureen_transport::PlainConnectOptions;

/// Packets of a frame.
const PIECES: u16 = 4;
/// Bytes of the payload of a packet.
const SIZE: usize = 1000;
/// They wrap on the way.
const FIRST_TIMESTAMP: u32 = u32::MAX - 30_000;

/// A publisher at 30 frames a second, of one encoding or more.
struct Stage {
    bench: Bench,
    producer: ProducerId,
    ssrcs: Vec<u32>,
    next: Vec<u16>,
    frame: u32,
}

/// What a viewer got: sequence number, timestamp, picture id, whether it starts a key frame.
type Got = (u16, u32, u16, bool);

impl Stage {
    fn new(cache: Option<KeyFrameCache>) -> Self {
        Self::with(cache, &[1000])
    }

    fn with(key_frame_cache: Option<KeyFrameCache>, ssrcs: &[u32]) -> Self {
        let mut bench = Bench::new();
        let transport = bench.transport(1);
        let mut parameters = serde_json::to_value(vp8_parameters(1000)).unwrap();
        if ssrcs.len() > 1 {
            parameters["encodings"] = ssrcs.iter().map(|ssrc| serde_json::json!({"ssrc": ssrc})).collect();
        }
        let rtp_parameters: RtpParameters = serde_json::from_value(parameters).unwrap();
        let id = ProducerId(bench.id());
        let options = ProducerOptions {
            id,
            kind: MediaKind::Video,
            rtp_parameters,
            paused: false,
            key_frame_request_delay: Duration::ZERO,
            key_frame_cache,
            content_hint: None,
        };
        bench.ask(Produce { transport, options }).unwrap();
        Self { bench, producer: id, ssrcs: ssrcs.to_vec(), next: vec![65_500; ssrcs.len()], frame: 1 }
    }

    fn pieces(&mut self, encoding: usize, key_frame: bool) -> Vec<Vec<u8>> {
        let first = self.next[encoding];
        self.next[encoding] = first.wrapping_add(PIECES);
        let [high, low] = (self.frame as u16 & 0x7fff).to_be_bytes();
        let pieces = (0..PIECES).map(|piece| {
            let header = RtpHeader {
                marker: piece == PIECES - 1,
                payload_type: 96,
                sequence_number: first.wrapping_add(piece),
                timestamp: FIRST_TIMESTAMP.wrapping_add(self.frame * 3000),
                ssrc: self.ssrcs[encoding],
            };
            let start = if piece == 0 { 0x90 } else { 0x80 };
            let mut payload = vec![start, 0x80, high | 0x80, low, u8::from(!key_frame)];
            payload.resize(SIZE, piece as u8);
            support::packet(&header, &payload)
        });
        pieces.collect()
    }

    /// A frame of every encoding; then its time passes.
    fn frame(&mut self, key_frame: bool) {
        for encoding in 0..self.ssrcs.len() {
            for piece in self.pieces(encoding, key_frame) {
                self.bench.receive(1, &piece);
            }
        }
        self.tick();
    }

    fn tick(&mut self) {
        self.frame += 1;
        self.bench.pass(33);
    }

    fn film(&mut self, frames: usize) {
        self.frame(true);
        (1..frames).for_each(|_| self.frame(false));
        self.plis();
    }

    fn join(&mut self, socket: u32) -> (TransportId, ConsumerInfo) {
        let transport = self.bench.transport(socket);
        (transport, self.bench.consume(transport, self.producer))
    }

    fn plis(&mut self) -> usize {
        let (_, compounds) = self.bench.sent_to(1);
        let packets = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap());
        packets.filter(|packet| matches!(packet, Ok(RtcpPacket::Pli(_)))).count()
    }

    fn got(&mut self, socket: u32) -> Vec<Got> {
        got(&mut self.bench, socket)
    }
}

fn got(bench: &mut Bench, socket: u32) -> Vec<Got> {
    let (sent, _) = bench.sent_to(socket);
    let packets = sent.iter().map(|bytes| {
        let packet = RtpPacket::parse(bytes).unwrap();
        let descriptor = Descriptor::parse(packet.payload()).unwrap();
        let id = descriptor.picture_id.unwrap().value;
        (packet.sequence_number(), packet.timestamp(), id, descriptor.is_key_frame())
    });
    packets.collect()
}

/// Whole frames from a key frame on, without a gap, each later than the one before and with the next picture id.
#[track_caller]
fn assert_watchable(got: &[Got]) {
    assert!(got.first().is_some_and(|first| first.3), "it starts on a key frame: {got:?}");
    assert!(got.windows(2).all(|pair| pair[1].0 == pair[0].0.wrapping_add(1)), "{got:?}");
    for pair in got.chunks(usize::from(PIECES)).collect::<Vec<_>>().windows(2) {
        let (frame, next) = (pair[0], pair[1]);
        assert_eq!(frame.len(), usize::from(PIECES));
        assert!(frame.iter().all(|piece| (piece.1, piece.2) == (frame[0].1, frame[0].2)));
        assert!(next[0].1.wrapping_sub(frame[0].1).cast_signed() > 0, "{frame:?} {next:?}");
        assert_eq!(next[0].2, frame[0].2 + 1);
    }
}

fn cache(max_bytes: usize, millis: u64) -> Option<KeyFrameCache> {
    Some(KeyFrameCache { max_bytes, max_age: Duration::from_millis(millis) })
}

#[test]
fn a_joiner_gets_the_run_whole_and_then_what_is_live() {
    for ssrcs in [&[1000][..], &[1000, 2000, 3000]] {
        let mut stage = Stage::with(cache(524_288, 2000), ssrcs);
        stage.film(50);
        let asked_before = stage.bench.core.counters().key_frame_requests;
        let (_, consumer) = stage.join(2);
        assert_eq!(stage.got(2).len(), 64, "the first portion, at once");
        stage.bench.out.sent.clear();

        let (_, other) = stage.join(3);
        stage.bench.pass(20);
        for _ in 0..10 {
            stage.frame(false);
        }
        let got = stage.got(3);
        assert_eq!(got.len(), 60 * usize::from(PIECES));
        assert_watchable(&got);
        let ends = |frame: usize| got[frame * usize::from(PIECES)].1;
        assert!(ends(49).wrapping_sub(ends(0)) < 9000, "50 frames within 100 ms");
        for frame in 1..50 {
            assert!((90..=97).contains(&ends(frame).wrapping_sub(ends(frame - 1))), "about 1 ms apart");
        }
        assert!((50..60).all(|frame| ends(frame).wrapping_sub(ends(frame - 1)) == 3000), "live ones stay");
        assert_eq!(ends(59), FIRST_TIMESTAMP.wrapping_add(60 * 3000));

        assert_eq!(stage.plis(), 0);
        assert_eq!(stage.bench.core.counters().key_frame_requests, asked_before);
        assert_eq!(stage.bench.core.counters().replays, 2);
        for consumer in [consumer, other] {
            let stats = stage.bench.ask(GetConsumerStats { id: consumer.id }).unwrap();
            assert_eq!(stats.outbound[0].packet_count, 60 * u64::from(PIECES));
        }
    }
}

#[test]
fn live_packets_wait_behind_the_run() {
    let mut stage = Stage::new(cache(524_288, 2000));
    stage.film(50);
    stage.join(2);
    // The first of four portions has left; more comes while the others wait.
    stage.frame(false);
    stage.frame(false);
    let got = stage.got(2);
    assert_watchable(&got);
    assert_eq!(got.len(), 52 * usize::from(PIECES));
}

#[test]
fn without_the_option_the_source_is_asked() {
    let mut stage = Stage::new(None);
    stage.film(10);
    stage.bench.pass(1000);
    stage.join(2);
    assert_eq!((stage.got(2).len(), stage.plis()), (0, 1));
}

#[test]
fn a_run_that_is_too_old_too_large_or_has_a_hole_is_not_used() {
    // (limits, frames, a piece is lost)
    for (limits, frames, lossy) in [
        (cache(524_288, 1000), 31, false),
        (cache(40_000, 2000), 11, false),
        (cache(524_288, 2000), 10, true),
    ] {
        let mut stage = Stage::new(limits);
        stage.film(frames - 2);
        if lossy {
            let pieces = stage.pieces(0, false);
            pieces.iter().skip(1).for_each(|piece| stage.bench.receive(1, piece));
            stage.tick();
        } else {
            stage.frame(false);
        }
        stage.frame(false);
        stage.bench.pass(10);
        stage.plis();
        stage.join(2);
        stage.bench.pass(500);
        assert_eq!((stage.got(2).len(), stage.plis()), (0, 1), "{limits:?}");
        assert_eq!(stage.bench.core.counters().replays, 0);
        stage.frame(true);
        assert_watchable(&stage.got(2));
    }
}

#[test]
fn the_limits_are_limits_of_what_is_used() {
    // A packet has 12 octets of header before its payload.
    for (limits, frames) in [(cache(40_480, 2000), 10), (cache(524_288, 1000), 31)] {
        let mut stage = Stage::new(limits);
        stage.film(frames);
        stage.bench.now = tureen_rtp_wire::Time::from_millis(stage.bench.now.as_millis() - 33);
        stage.join(2);
        stage.bench.pass(33);
        assert_eq!((stage.got(2).len(), stage.plis()), (frames * usize::from(PIECES), 0), "{limits:?}");
    }
}

#[test]
fn whoever_comes_back_from_a_pause_starts_from_the_run_ahead_of_what_they_had() {
    let mut stage = Stage::new(cache(524_288, 2000));
    let (_, consumer) = stage.join(2);
    stage.film(20);
    stage.bench.ask(PauseConsumer { id: consumer.id }).unwrap();
    (0..20).for_each(|_| stage.frame(false));
    stage.bench.ask(ResumeConsumer { id: consumer.id }).unwrap();
    stage.bench.pass(15);
    (0..3).for_each(|_| stage.frame(false));
    let got = stage.got(2);
    assert_eq!((got.len(), stage.plis()), ((20 + 43) * usize::from(PIECES), 0));
    assert_watchable(&got);
    assert_eq!(got.iter().filter(|piece| piece.3).count(), 2);
}

#[test]
fn a_pause_in_the_middle_of_a_run_ends_it() {
    let mut stage = Stage::new(cache(524_288, 2000));
    stage.film(50);
    let (_, consumer) = stage.join(2);
    assert_eq!(stage.got(2).len(), 64);
    stage.bench.ask(PauseConsumer { id: consumer.id }).unwrap();
    stage.bench.pass(50);
    assert_eq!(stage.got(2).len(), 0);
    stage.frame(false);
    stage.bench.ask(ResumeConsumer { id: consumer.id }).unwrap();
    stage.bench.pass(50);
    let got = stage.got(2);
    assert_eq!((got.len(), stage.plis()), (51 * usize::from(PIECES), 0));
    assert!(got.windows(2).all(|pair| pair[1].0 == pair[0].0.wrapping_add(1)));
}

#[test]
fn a_producer_that_paused_since_the_key_frame_is_asked() {
    let mut stage = Stage::new(cache(524_288, 2000));
    stage.film(10);
    let id = stage.producer;
    stage.bench.ask(PauseProducer { id }).unwrap();
    stage.frame(false);
    stage.bench.ask(ResumeProducer { id }).unwrap();
    stage.bench.pass(600);
    stage.plis();
    stage.join(2);
    assert_eq!((stage.got(2).len(), stage.plis()), (0, 1));
}

#[test]
fn a_transport_that_connects_later_gets_the_run_then() {
    let mut stage = Stage::new(cache(524_288, 2000));
    stage.film(10);
    let transport = stage.bench.unconnected_transport(2);
    let producer = stage.producer;
    stage.bench.consume(transport, producer);
    stage.frame(false);
    assert_eq!(stage.got(2).len(), 0);
    let remote = address(10_002);
    let options =
        PlainConnectOptions { ip: Some(remote.ip()), port: Some(remote.port()), ..Default::default() };
    stage.bench.ask(ConnectTransport { id: transport, options }).unwrap().unwrap();
    assert_eq!((stage.got(2).len(), stage.plis()), (11 * usize::from(PIECES), 0));
}

#[test]
fn a_nack_for_a_packet_of_the_run_is_answered() {
    let mut stage = Stage::new(cache(1_000_000, 5000));
    stage.film(100);
    let (_, consumer) = stage.join(2);
    stage.bench.pass(50);
    let got = stage.got(2);
    assert_eq!(got.len(), 100 * usize::from(PIECES));
    assert_watchable(&got);
    let ssrc = consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    // More than two seconds old, and part of the run.
    let lost = [got[1].0, got[2].0, got[390].0];
    let mut buffer = vec![0; 1200];
    let mut writer = RtcpWriter::new(&mut buffer);
    writer.receiver_report(5, &[]).unwrap();
    writer.nack(5, ssrc, lost).unwrap();
    let len = writer.finish();
    stage.bench.receive(2, &buffer[..len]);
    let (repaired, _) = stage.bench.sent_to(2);
    let originals: Vec<_> = repaired
        .iter()
        .map(|bytes| {
            let packet = RtpPacket::parse(bytes).unwrap();
            (u16::from_be_bytes(packet.payload()[..2].try_into().unwrap()), packet.timestamp())
        })
        .collect();
    assert_eq!(originals, [(got[1].0, got[1].1), (got[2].0, got[2].1), (got[390].0, got[390].1)]);
}

#[test]
fn where_the_egress_is_full_the_run_waits_and_loses_nothing() {
    let mut stage = Stage::new(cache(524_288, 2000));
    stage.film(50);
    stage.bench.out.full = true;
    stage.join(2);
    stage.bench.pass(40);
    assert_eq!(stage.got(2).len(), 0);
    stage.bench.out.full = false;
    stage.bench.pass(40);
    stage.frame(false);
    let got = stage.got(2);
    assert_eq!(got.len(), 51 * usize::from(PIECES));
    assert_watchable(&got);
}

/// Lets all that waits cross between two shards, both ways.
fn cross(stage: &mut Stage, far: &mut Bench) {
    for _ in 0..3 {
        while let Some((_, batch)) = stage.bench.core.poll_relay(&mut Vec::new()) {
            far.now = stage.bench.now;
            far.core.handle_relay(far.now, &batch, &mut far.out);
        }
        while let Some((_, batch)) = far.core.poll_relay(&mut Vec::new()) {
            stage.bench.core.handle_relay(stage.bench.now, &batch, &mut stage.bench.out);
        }
    }
}

#[test]
fn a_new_mirror_is_given_the_run_of_the_home() {
    let mut stage = Stage::new(cache(524_288, 2000));
    stage.film(10);
    stage.bench.pass(500);
    stage.plis();
    let mut far = Bench::on_shard(1);
    let transport = far.transport(2);
    let source = stage.bench.ask(PublishSource { producer: stage.producer, to: ShardId(1) }).unwrap();
    far.ask(MirrorSource { source }).unwrap();
    cross(&mut stage, &mut far);
    far.now = stage.bench.now;
    far.consume(transport, stage.producer);
    cross(&mut stage, &mut far);
    assert_eq!((stage.plis(), far.core.counters().replays), (0, 1));
    let run = got(&mut far, 2);
    assert_eq!(run.len(), 10 * usize::from(PIECES));
    assert_watchable(&run);
}

/// Packets that cross while the mirror is being told of what came before it are newer, and the older ones are too late.
#[test]
fn what_a_new_mirror_is_given_too_late_does_no_harm() {
    let mut stage = Stage::new(cache(524_288, 2000));
    stage.film(5);
    let mut far = Bench::on_shard(1);
    let transport = far.transport(2);
    let source = stage.bench.ask(PublishSource { producer: stage.producer, to: ShardId(1) }).unwrap();
    far.ask(MirrorSource { source }).unwrap();
    stage.frame(false);
    cross(&mut stage, &mut far);
    stage.bench.pass(1000);
    stage.plis();
    far.now = stage.bench.now;
    far.consume(transport, stage.producer);
    cross(&mut stage, &mut far);
    assert_eq!((stage.plis(), far.core.counters().replays), (1, 0));
    assert!(got(&mut far, 2).is_empty());
}

#[test]
fn another_shard_has_a_run_of_its_own() {
    let mut stage = Stage::new(cache(524_288, 2000));
    let mut far = Bench::on_shard(1);
    let (first, second) = (far.transport(2), far.transport(3));
    let source = stage.bench.ask(PublishSource { producer: stage.producer, to: ShardId(1) }).unwrap();
    far.ask(MirrorSource { source }).unwrap();
    cross(&mut stage, &mut far);
    stage.film(10);
    cross(&mut stage, &mut far);
    stage.bench.pass(1000);
    stage.plis();
    for (socket, transport) in [(2, first), (3, second)] {
        far.now = stage.bench.now;
        far.consume(transport, stage.producer);
        cross(&mut stage, &mut far);
        assert_eq!(stage.plis(), 0);
        let run = got(&mut far, socket);
        assert_eq!(run.len(), 10 * usize::from(PIECES));
        assert_watchable(&run);
    }
    // A pause crosses, and ends the run there too.
    let id = stage.producer;
    stage.bench.ask(PauseProducer { id }).unwrap();
    stage.bench.ask(ResumeProducer { id }).unwrap();
    cross(&mut stage, &mut far);
    assert_eq!(stage.plis(), 1);
    assert_eq!(far.core.counters().replays, 2);
}

#[test]
fn a_viewer_who_watches_already_switches_as_before() {
    let mut stage = Stage::with(cache(524_288, 2000), &[1000, 2000, 3000]);
    stage.film(5);
    let transport = stage.bench.transport(2);
    let mut options = stage.bench.consumer_options(stage.producer);
    options.preferred_layers =
        Some(tureen_rtp_dictionaries::MediaLayers { spatial_layer: 0, temporal_layer: None });
    let consumer = stage.bench.ask(tureen_media_model::Consume { transport, options }).unwrap();
    assert_eq!((stage.got(2).len(), stage.plis()), (5 * usize::from(PIECES), 0));
    stage.bench.pass(500);
    let layers = tureen_rtp_dictionaries::MediaLayers { spatial_layer: 2, temporal_layer: None };
    stage.bench.ask(tureen_media_model::SetPreferredLayers { id: consumer.id, layers }).unwrap();
    assert_eq!((stage.got(2).len(), stage.plis()), (0, 1));
}

#[test]
fn the_option_is_told_in_the_dump() {
    for limits in [None, cache(4096, 100)] {
        let mut stage = Stage::new(limits);
        let id = stage.producer;
        assert_eq!(stage.bench.ask(DumpProducer { id }).unwrap().key_frame_cache, limits);
    }
}
