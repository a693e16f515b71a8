//! What a viewer gets over a path that carries less than there is: layers by the estimate, packets by the pacer.

mod support;

use proptest::prelude::*;
use std::collections::VecDeque;
use support::{Bench, capabilities, packet, vp8_parameters};
use tureen_congestion::TransportFeedbackGenerator;
use tureen_media_model::{
    BweTrace, Consume, ConsumerExplanation, ConsumerInfo, Event, ExplainConsumer, GetConsumerStats,
    GetTransportStats, Obstacle, OutgoingBitrateError, OutgoingBitrates, SetMaxOutgoingBitrate,
    SetMinOutgoingBitrate, SetPreferredLayers, SwitchCause, Trace, TraceInfo, TraceTransport, TransportEvent,
    TransportId, TransportOptions, TransportStats, TransportTraceFlags,
};
use tureen_rtp_dictionaries::{MediaKind, MediaLayers, RtpCapabilities};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket, RtcpWriter};
use tureen_rtp_wire::rtp::{RtpHeader, RtpPacket};

const ENCODINGS: [u32; 3] = [1000, 2000, 3000];
/// Bits per second of each, at 30 frames a second.
const BITRATES: [u32; 3] = [150_000, 500_000, 1_500_000];
const FRAME_MILLIS: u64 = 33;
const DELAY_MILLIS: u64 = 20;
const QUEUE_MILLIS: u64 = 300;
const TRANSPORT_WIDE: u8 = 5;
/// Where the clock begins, in milliseconds.
const BEGINNING: u64 = 1000;

fn viewer_capabilities(feedback: &str) -> RtpCapabilities {
    let mut capabilities = serde_json::to_value(capabilities()).unwrap();
    for codec in capabilities["codecs"].as_array_mut().unwrap() {
        if codec["mimeType"] == "video/VP8" {
            codec["rtcpFeedback"].as_array_mut().unwrap().push(serde_json::json!({"type": feedback}));
        }
    }
    if feedback == "transport-cc" {
        capabilities["headerExtensions"].as_array_mut().unwrap().push(serde_json::json!({
            "kind": "video", "preferredId": TRANSPORT_WIDE,
            "uri": "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
        }));
    }
    serde_json::from_value(capabilities).unwrap()
}

/// A queue in front of a bottleneck, and a delay behind it.
struct Link {
    /// Bits per second.
    capacity: u64,
    /// When what waits has gone through, in microseconds.
    busy_until: u64,
    under_way: VecDeque<(u64, Vec<u8>)>,
    lost: u64,
}

impl Link {
    fn queue_millis(&self, now: Time) -> u64 {
        self.busy_until.saturating_sub(now.as_nanos() / 1000) / 1000
    }

    fn send(&mut self, now: Time, bytes: Vec<u8>) {
        if self.queue_millis(now) > QUEUE_MILLIS {
            self.lost += 1;
            return;
        }
        let start = self.busy_until.max(now.as_nanos() / 1000);
        self.busy_until = start + bytes.len() as u64 * 8_000_000 / self.capacity;
        self.under_way.push_back((self.busy_until + DELAY_MILLIS * 1000, bytes));
    }

    fn arrived(&mut self, now: Time) -> Option<Vec<u8>> {
        let due = self.under_way.front().is_some_and(|(at, _)| *at <= now.as_nanos() / 1000);
        due.then(|| self.under_way.pop_front()).flatten().map(|(_, bytes)| bytes)
    }
}

/// How the viewer lets itself be known.
#[derive(Clone, Copy, PartialEq)]
enum Telling {
    Reports,
    Nothing,
    Remb(u64),
}

struct Call {
    bench: Bench,
    viewer: TransportId,
    consumer: ConsumerInfo,
    link: Link,
    telling: Telling,
    /// A fifth of a second with large frames is followed by one with small ones.
    is_uneven: bool,
    /// A key frame is as large as so many others.
    key_frame: usize,
    arrivals: TransportFeedbackGenerator,
    next: [u16; 3],
    frames: u32,
    millis: u64,
    events: Vec<Event>,
    /// Of the media that arrived: how many packets, and the highest sequence number.
    got: (u64, Option<u16>),
    /// Sequence numbers that were left out.
    holes: u64,
}

impl Call {
    fn new(capacity: u64, telling: Telling) -> Self {
        let mut bench = Bench::new();
        let source = bench.transport(1);
        let outgoing = Some(OutgoingBitrates::default());
        let viewer = bench.transport_with(2, TransportOptions { outgoing, ..Default::default() });
        let mut parameters = serde_json::to_value(vp8_parameters(1000)).unwrap();
        parameters["encodings"] = ENCODINGS.iter().map(|ssrc| serde_json::json!({"ssrc": ssrc})).collect();
        let parameters = serde_json::from_value(parameters).unwrap();
        let producer = bench.produce(source, MediaKind::Video, parameters);
        let mut options = bench.consumer_options(producer.id);
        options.rtp_capabilities = viewer_capabilities(match telling {
            Telling::Remb(_) => "goog-remb",
            _ => "transport-cc",
        });
        let consumer = bench.ask(Consume { transport: viewer, options }).unwrap();
        Self {
            bench,
            viewer,
            consumer,
            link: Link { capacity, busy_until: 0, under_way: VecDeque::new(), lost: 0 },
            telling,
            is_uneven: false,
            key_frame: 6,
            arrivals: TransportFeedbackGenerator::new(),
            next: [100, 200, 300],
            frames: 0,
            millis: 0,
            events: Vec::new(),
            got: (0, None),
            holes: 0,
        }
    }

    fn frame(&mut self, encoding: usize, is_key_frame: bool) {
        let bytes = BITRATES[encoding] as usize / 8 * FRAME_MILLIS as usize / 1000;
        let percent = match (self.is_uneven, self.frames / 6 % 2) {
            (false, _) => 100,
            (true, 0) => 160,
            (true, _) => 40,
        };
        let bytes = if is_key_frame { bytes * self.key_frame } else { bytes * percent / 100 };
        let packets = bytes.div_ceil(1100);
        for index in 0..packets {
            let sequence_number = self.next[encoding];
            self.next[encoding] = sequence_number.wrapping_add(1);
            let [high, low] = (self.frames as u16 & 0x7fff).to_be_bytes();
            let starts = u8::from(index == 0) << 4;
            let mut payload = vec![0x80 | starts, 0x80, high | 0x80, low, u8::from(!is_key_frame)];
            payload.extend([0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00]);
            payload.resize(bytes / packets, 0);
            let (marker, ssrc) = (index + 1 == packets, ENCODINGS[encoding]);
            let timestamp = ssrc * 1000 + self.frames * 90 * FRAME_MILLIS as u32;
            let header = RtpHeader { marker, payload_type: 96, sequence_number, timestamp, ssrc };
            self.bench.receive(1, &packet(&header, &payload));
        }
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

    fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            if self.millis.is_multiple_of(FRAME_MILLIS) {
                let asked = self.asked();
                for encoding in 0..ENCODINGS.len() {
                    self.frame(encoding, asked.contains(&encoding) || self.frames == 0);
                }
                self.frames += 1;
            }
            self.bench.pass(1);
            let now = self.bench.now;
            let (media, _) = self.bench.sent_to(2);
            media.into_iter().for_each(|bytes| self.link.send(now, bytes));
            while let Some(bytes) = self.link.arrived(now) {
                self.take(&bytes);
            }
            self.tell();
            self.events.extend(self.bench.events());
            self.millis += 1;
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let packet = RtpPacket::parse(bytes).unwrap();
        let number = packet.extension(TRANSPORT_WIDE).map(|value| u16::from_be_bytes([value[0], value[1]]));
        if let Some(number) = number {
            self.arrivals.record(self.bench.now, number);
        }
        if packet.payload_type() == 101 {
            let number = packet.sequence_number();
            let newer = self.got.1.map_or(1, |last| number.wrapping_sub(last));
            if (1..0x8000).contains(&newer) {
                self.holes += u64::from(newer - 1);
                self.got.1 = Some(number);
            }
            self.got.0 += 1;
        }
    }

    fn tell(&mut self) {
        let mut buffer = [0; 1200];
        let mut writer = RtcpWriter::new(&mut buffer);
        let ssrc = self.consumer.rtp_parameters.encodings[0].ssrc.unwrap();
        writer.receiver_report(9, &[]).unwrap();
        let wrote = match self.telling {
            Telling::Reports => self.arrivals.poll(self.bench.now, 9, ssrc, &mut writer),
            Telling::Remb(bitrate) if self.millis % 500 == 499 => writer.remb(9, bitrate, &[ssrc]).is_ok(),
            Telling::Remb(_) | Telling::Nothing => false,
        };
        if wrote {
            let len = writer.finish();
            self.bench.receive(2, &buffer[..len]);
        }
    }

    fn explain(&mut self) -> ConsumerExplanation {
        self.bench.ask(ExplainConsumer { id: self.consumer.id }).unwrap()
    }

    fn layer(&mut self) -> Option<u8> {
        self.explain().current_layers.map(|layers| layers.spatial_layer)
    }

    fn stats(&mut self) -> TransportStats {
        self.bench.ask(GetTransportStats { id: self.viewer }).unwrap()
    }

    /// Asks for what becomes of the estimate.
    fn trace(&mut self) {
        let flags = TransportTraceFlags { probation: true, bwe: true };
        self.bench.ask(TraceTransport { id: self.viewer, flags }).unwrap();
    }

    fn traces(&self) -> impl Iterator<Item = &Trace> {
        self.events.iter().filter_map(|event| match event {
            Event::Transport(_, TransportEvent::Trace(trace)) => Some(trace),
            _ => None,
        })
    }

    /// What was told of the estimate, with the milliseconds since the beginning.
    fn estimates(&self) -> Vec<(u64, BweTrace)> {
        let of = |trace: &Trace| match trace.info {
            TraceInfo::Bwe(bwe) => Some((trace.timestamp - BEGINNING, bwe)),
            _ => None,
        };
        self.traces().filter_map(of).collect()
    }

    /// The layer after each of so many steps of time.
    fn layers(&mut self, steps: usize, millis: u64) -> Vec<Option<u8>> {
        (0..steps)
            .map(|_| {
                self.run(millis);
                self.layer()
            })
            .collect()
    }
}

#[test]
fn a_viewer_gets_what_its_path_carries() {
    let mut call = Call::new(5_000_000, Telling::Reports);
    let start = call.layers(8, 500);
    assert_eq!(start.last(), Some(&Some(2)), "{start:?}");
    assert_eq!(call.explain().obstacle, None);

    call.run(11_000);
    call.link.capacity = 400_000;
    let fall = call.layers(4, 500);
    assert_eq!(fall.last(), Some(&Some(0)), "{fall:?}");
    call.run(500);
    let queue = call.link.queue_millis(call.bench.now);
    assert!(queue < 50, "{queue} ms wait in front of the bottleneck");
    let told = call.explain();
    assert!(matches!(told.obstacle, Some(Obstacle::Bandwidth { available_bitrate: 150_000..=450_000 })));
    assert_eq!(told.switches[0].cause, SwitchCause::Bandwidth);
    let path = told.path.unwrap();
    assert!((150_000..=450_000).contains(&path.available_bitrate), "{path:?}");
    assert!((39.0..120.0).contains(&path.round_trip_time), "{path:?}");

    call.link.capacity = 5_000_000;
    let rise = call.layers(10, 500);
    assert_eq!(rise.last(), Some(&Some(2)), "{rise:?}");
}

#[test]
fn a_path_that_turns_narrow_and_wide_again_is_followed() {
    let mut call = Call::new(3_000_000, Telling::Reports);
    call.run(15_000);
    call.link.capacity = 700_000;
    let fall = call.layers(6, 500);
    assert_eq!(fall.last(), Some(&Some(1)), "{fall:?}");
    let narrow = call.layers(34, 500);
    assert!(narrow.iter().all(|layer| *layer == Some(1)), "{narrow:?}");
    call.link.capacity = 3_000_000;
    let rise = call.layers(16, 500);
    assert_eq!(rise.last(), Some(&Some(2)), "{rise:?}");
}

#[test]
fn frames_of_uneven_size_cost_no_layer() {
    let mut call = Call::new(3_000_000, Telling::Reports);
    call.is_uneven = true;
    call.run(8000);
    let before = call.explain().switch_count;
    let layers = call.layers(60, 500);
    assert!(layers.iter().all(|layer| *layer == Some(2)), "{layers:?}");
    assert_eq!(call.explain().switch_count, before);
    for bitrate in granted(&mut call) {
        assert!((1_300_000..1_800_000).contains(&bitrate), "{bitrate}");
    }
}

/// What the layers that are granted are told to take, four times within as many seconds.
fn granted(call: &mut Call) -> Vec<u32> {
    let one = |call: &mut Call| {
        call.run(1000);
        call.explain().path.unwrap().granted_bitrate
    };
    (0..4).map(|_| one(call)).collect()
}

#[test]
fn a_key_frame_that_takes_a_second_is_not_given_up() {
    let mut call = Call::new(3_000_000, Telling::Reports);
    call.run(6000);
    assert_eq!(call.layer(), Some(2));
    call.key_frame = 35;
    // The viewer lost its picture.
    let mut buffer = [0; 100];
    let mut writer = RtcpWriter::new(&mut buffer);
    writer.receiver_report(9, &[]).unwrap();
    writer.pli(9, call.consumer.rtp_parameters.encodings[0].ssrc.unwrap()).unwrap();
    let len = writer.finish();
    call.bench.receive(2, &buffer[..len]);
    let layers = call.layers(30, 100);
    assert!(layers.iter().all(Option::is_some), "something always flows: {layers:?}");
}

#[test]
fn the_path_is_not_overrun_while_it_carries_little() {
    let mut call = Call::new(900_000, Telling::Reports);
    call.run(5000);
    let (lost, mut worst) = (call.link.lost, 0);
    for _ in 0..1000 {
        call.run(20);
        worst = worst.max(call.link.queue_millis(call.bench.now));
    }
    assert_eq!(call.layer(), Some(1));
    assert!(worst < 150, "{worst} ms wait in front of the bottleneck");
    assert_eq!(call.link.lost, lost, "nothing is lost that need not be");
}

#[test]
fn a_path_that_does_not_carry_the_lowest_layer_gets_none_until_it_does() {
    let mut call = Call::new(5_000_000, Telling::Reports);
    call.run(15_000);
    call.link.capacity = 80_000;
    call.run(8000);
    let told = call.explain();
    assert_eq!(told.current_layers, None);
    assert!(matches!(told.obstacle, Some(Obstacle::Bandwidth { .. })), "{:?}", told.obstacle);
    assert!(told.packets_dropped["congestion"] > 0);
    call.link.capacity = 5_000_000;
    let back = call.layers(20, 500);
    assert!(back.last().unwrap().is_some(), "{back:?}");
    assert!(call.stats().outgoing.probation_bytes_sent > 0, "where nothing is sent, padding finds out");
}

#[test]
fn a_viewer_who_does_not_report_is_sent_everything_after_two_seconds() {
    let mut call = Call::new(5_000_000, Telling::Nothing);
    call.run(1500);
    assert!(call.layer() < Some(2));
    call.run(1500);
    assert_eq!(call.layer(), Some(2));
    assert_eq!(call.explain().obstacle, None);
    assert_eq!(call.stats().outgoing.available_outgoing_bitrate, None);
}

#[test]
fn a_viewer_who_estimates_is_believed() {
    let mut call = Call::new(5_000_000, Telling::Remb(700_000));
    call.run(4000);
    assert_eq!(call.layer(), Some(1));
    call.telling = Telling::Remb(3_000_000);
    call.run(4000);
    assert_eq!(call.layer(), Some(2));
    assert_eq!(call.stats().outgoing.available_outgoing_bitrate, Some(3_000_000));
}

#[test]
fn bounds_hold_and_wrong_ones_are_refused() {
    let mut call = Call::new(5_000_000, Telling::Reports);
    // What is lost soon after it was won is not tried again for a while.
    call.run(15_000);
    let id = call.viewer;
    call.bench.ask(SetMaxOutgoingBitrate { id, bitrate: 600_000 }).unwrap();
    call.run(500);
    assert_eq!(call.layer(), Some(1));
    let stats = call.stats();
    assert_eq!(stats.outgoing.max_outgoing_bitrate, Some(600_000));
    assert!(stats.outgoing.available_outgoing_bitrate.unwrap() <= 600_000);
    let refused = call.bench.ask(SetMinOutgoingBitrate { id, bitrate: 700_000 });
    assert_eq!(refused, Err(OutgoingBitrateError::MinAboveMax { min: 700_000, max: 600_000 }));
    let refused = call.bench.ask(SetMaxOutgoingBitrate { id, bitrate: 29_999 });
    assert_eq!(refused, Err(OutgoingBitrateError::MaxTooLow(29_999)));
    let refused = call.bench.ask(SetMinOutgoingBitrate { id, bitrate: 1 });
    assert_eq!(refused, Err(OutgoingBitrateError::MinTooLow(1)));
    call.bench.ask(SetMaxOutgoingBitrate { id, bitrate: 0 }).unwrap();
    call.run(4000);
    assert_eq!(call.layer(), Some(2));
    let plain = call.bench.transport(3);
    let refused = call.bench.ask(SetMaxOutgoingBitrate { id: plain, bitrate: 600_000 });
    assert_eq!(refused, Err(OutgoingBitrateError::NoEstimate));
}

#[test]
fn what_is_preferred_is_had_at_once_where_there_is_room() {
    let mut call = Call::new(5_000_000, Telling::Reports);
    call.run(4000);
    let id = call.consumer.id;
    let layers = |spatial_layer| MediaLayers { spatial_layer, temporal_layer: None };
    call.bench.ask(SetPreferredLayers { id, layers: layers(0) }).unwrap();
    call.run(200);
    assert_eq!(call.layer(), Some(0));
    call.run(5000);
    call.bench.ask(SetPreferredLayers { id, layers: layers(2) }).unwrap();
    call.run(200);
    assert_eq!(call.layer(), Some(2));
}

#[test]
fn changes_of_the_estimate_and_probes_are_traced_where_asked_for() {
    let mut call = Call::new(1_200_000, Telling::Reports);
    call.trace();
    call.run(10_000);
    let is_probation = |trace: &Trace| matches!(trace.info, TraceInfo::Probation { .. });
    assert!(call.traces().any(is_probation));
    let estimates = call.estimates();
    assert!((3..40).contains(&estimates.len()), "{} in ten seconds", estimates.len());
    assert_eq!(estimates[0].1.start_bitrate, 600_000);
    let (_, last) = estimates.last().unwrap();
    assert!(last.available_bitrate > 600_000 && last.desired_bitrate > 1_500_000, "{last:?}");
}

#[test]
fn an_estimate_is_told_seldom_and_not_without_need() {
    let mut call = Call::new(3_000_000, Telling::Reports);
    call.trace();
    call.run(15_000);
    call.link.capacity = 400_000;
    call.run(5000);
    call.link.capacity = 3_000_000;
    call.run(10_000);
    let estimates = call.estimates();
    for pair in estimates.windows(2) {
        let [(before, told), (at, now)] = pair else { unreachable!() };
        let parts = |trace: &BweTrace| {
            [trace.desired_bitrate, trace.effective_desired_bitrate, trace.available_bitrate].map(f64::from)
        };
        let [_, _, available] = parts(now).map(|bitrate| bitrate / f64::from(told.available_bitrate));
        let is_far = !(0.76..=1.49).contains(&available);
        assert!(at - before >= if is_far { 200 } else { 1000 }, "{pair:?}");
        let differs = |(now, told): (f64, f64)| (now - told).abs() > told * 0.049;
        assert!(parts(now).into_iter().zip(parts(told)).any(differs), "{pair:?}");
    }
    let mut narrow = estimates.iter().filter(|(at, _)| (15_000..17_000).contains(at));
    assert!(narrow.any(|(_, told)| told.available_bitrate < 1_000_000), "{estimates:?}");
    let (_, last) = estimates.last().unwrap();
    assert!(last.available_bitrate > 1_500_000, "{last:?}");
    assert!(last.effective_desired_bitrate > 1_300_000, "{last:?}");
}

#[test]
fn nothing_is_told_of_a_path_that_nobody_reports_on() {
    let mut call = Call::new(5_000_000, Telling::Nothing);
    call.trace();
    call.run(6000);
    assert!(call.estimates().iter().all(|(at, _)| *at <= 2500), "{:?}", call.estimates());
}

#[test]
fn packets_that_wait_keep_their_order_and_count_once() {
    let mut call = Call::new(5_000_000, Telling::Reports);
    call.run(6000);
    call.run(1000);
    assert_eq!(call.holes, 0, "what waits is neither lost nor overtaken");
    let stats = call.bench.ask(GetConsumerStats { id: call.consumer.id }).unwrap();
    let under_way = call.link.under_way.len() as u64;
    let sent = stats.outbound[0].packet_count;
    assert!((call.got.0..=call.got.0 + under_way).contains(&sent), "{sent} sent, {} came", call.got.0);
}

#[test]
fn a_path_that_was_narrow_from_the_first_is_found_to_be_wide() {
    let mut call = Call::new(97_948, Telling::Reports);
    call.run(1500);
    call.link.capacity = 8_000_000;
    call.run(5000);
    assert!(call.layer().is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the path does: nothing panics, no timer is hot, and who can be served is in the end.
    #[test]
    fn any_path_is_survived(capacities in prop::collection::vec(20_000_u64..20_000_000, 1..5)) {
        let mut call = Call::new(capacities[0], Telling::Reports);
        for capacity in capacities {
            call.link.capacity = capacity;
            call.run(1500);
        }
        call.link.capacity = 8_000_000;
        call.run(60_000);
        prop_assert!(call.layer().is_some());
        let (at, _) = call.bench.core.poll_timeout().unwrap();
        prop_assert!(at > call.bench.now);
    }
}
