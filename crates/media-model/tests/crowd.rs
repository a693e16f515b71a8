//! A crowd that comes at once to a publisher of several encodings: each of those is asked for two key frames a second at most.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;
use support::{Bench, vp8, vp8_parameters};
use tureen_media_model::{Consume, KeyFrameCache, Produce, ProducerId, ProducerOptions};
use tureen_rtp_dictionaries::{MediaKind, MediaLayers};
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket};

const ENCODINGS: [u32; 3] = [1000, 2000, 3000];
const JOINERS: u32 = 100;
/// Milliseconds from the Core to an endpoint, or back.
const DELAY: u64 = 20;
/// Milliseconds of a frame.
const FRAME: u64 = 40;

#[derive(Default)]
struct Outcome {
    /// Requests of each encoding within the second, by SSRC.
    requests: BTreeMap<u32, usize>,
    /// Milliseconds.
    longest_wait: u64,
}

/// The SSRCs of which key frames are asked for.
fn requests(bench: &mut Bench) -> Vec<u32> {
    let (_, compounds) = bench.sent_to(1);
    let packets = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap());
    let requests = packets.filter_map(|packet| match packet {
        Ok(RtcpPacket::Pli(pli)) => Some(pli.media_ssrc),
        _ => None,
    });
    requests.collect()
}

/// A publisher of three encodings, whose key frames come when they are asked for, for `quiet` milliseconds; then a hundred joiners within a
/// second, half of whom want the lowest encoding.
fn crowd(key_frame_cache: Option<KeyFrameCache>, quiet: u64) -> Outcome {
    let mut bench = Bench::new();
    let source = bench.transport(1);
    let mut parameters = serde_json::to_value(vp8_parameters(1000)).unwrap();
    parameters["encodings"] = ENCODINGS.iter().map(|ssrc| serde_json::json!({"ssrc": ssrc})).collect();
    let producer = ProducerId(bench.id());
    let options = ProducerOptions {
        id: producer,
        kind: MediaKind::Video,
        rtp_parameters: serde_json::from_value(parameters).unwrap(),
        paused: false,
        key_frame_request_delay: Duration::ZERO,
        key_frame_cache,
        content_hint: None,
    };
    bench.ask(Produce { transport: source, options }).unwrap();
    let mut outcome = Outcome::default();
    // By encoding, when the publisher hears that a key frame is wanted.
    let mut wanted = [Some(0); 3];
    let mut joined: BTreeMap<u32, u64> = BTreeMap::new();
    let mut served = 0;
    for millis in 0..quiet + 2500 {
        if let Some(since) = millis.checked_sub(quiet)
            && since.is_multiple_of(10)
            && since / 10 < u64::from(JOINERS)
        {
            let socket = 2 + (since / 10) as u32;
            let transport = bench.transport(socket);
            let mut options = bench.consumer_options(producer);
            let spatial_layer = if socket.is_multiple_of(2) { 0 } else { 2 };
            options.preferred_layers = Some(MediaLayers { spatial_layer, temporal_layer: None });
            bench.ask(Consume { transport, options }).unwrap();
            joined.insert(socket, millis);
        }
        if millis.is_multiple_of(FRAME) {
            let number = (millis / FRAME) as u16;
            for (ssrc, wanted) in ENCODINGS.into_iter().zip(&mut wanted) {
                let key_frame = wanted.take_if(|at| *at <= millis).is_some();
                bench.receive(1, &vp8(ssrc, number, u32::from(number) * 3600, key_frame));
            }
        }
        let at_once = requests(&mut bench).into_iter().map(|ssrc| (ssrc, millis));
        bench.pass(1);
        for (ssrc, at) in at_once.chain(requests(&mut bench).into_iter().map(|ssrc| (ssrc, millis + 1))) {
            let encoding = ENCODINGS.iter().position(|other| *other == ssrc).unwrap();
            // There and, with the frame, back.
            wanted[encoding] = Some(at + 2 * DELAY);
            if (quiet..quiet + 1000).contains(&at) {
                *outcome.requests.entry(ssrc).or_default() += 1;
            }
        }
        joined.retain(|socket, at| {
            let has_picture = !bench.sent_to(*socket).0.is_empty();
            if has_picture {
                served += 1;
                outcome.longest_wait = outcome.longest_wait.max(millis + DELAY - *at);
            }
            !has_picture
        });
    }
    assert_eq!(served, JOINERS, "everybody has a picture");
    outcome
}

#[test]
fn each_encoding_is_asked_twice_at_most_and_nobody_waits_for_more_than_half_a_second() {
    for phase in (0..40).step_by(9) {
        let outcome = crowd(None, 4000 + phase);
        assert!(!outcome.requests.is_empty() && outcome.requests.values().all(|count| *count <= 2));
        assert!(outcome.longest_wait <= 500 + 4 * DELAY, "{} ms", outcome.longest_wait);
    }
}

#[test]
fn with_key_frames_at_hand_none_is_asked_for() {
    let cache = KeyFrameCache { max_age: Duration::from_secs(5), ..KeyFrameCache::default() };
    let outcome = crowd(Some(cache), 2000);
    assert!(outcome.requests.is_empty(), "{:?}", outcome.requests);
    assert!(outcome.longest_wait <= DELAY + 1, "{} ms", outcome.longest_wait);
}
