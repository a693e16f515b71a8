//! Writes the seed corpora: `cargo run -p tureen-fuzz-targets --example make_corpus`. The same files each time.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::path::Path;
use tureen_rtp_wire::NtpTime;
use tureen_rtp_wire::payload::flexfec::Parity;
use tureen_rtp_wire::rtcp::{FirEntry, ReportBlock, RtcpWriter, SenderInfo};
use tureen_rtp_wire::rtp::{ExtensionForm, RtpHeader, RtpWriter};
use tureen_rtp_wire::stun::{StunClass, StunWriter};

type Corpus = Vec<Vec<u8>>;

fn main() -> std::io::Result<()> {
    let corpora = [
        ("rtp_packet", rtp_packets()),
        ("rtcp_compound", rtcp_compounds()),
        ("payload_descriptors", payload_descriptors()),
        ("red", red()),
        ("layer_selector", layer_selector()),
        ("vp8_rewrite", vp8_rewrite()),
        ("vp9", vp9()),
        ("dd_rewrite", dd_rewrite()),
        ("srtp_open", random(16, 200, 3)),
        ("rtp_parameters", rtp_parameters()),
        ("core_datagrams", core_datagrams()),
        ("core_operations", core_operations()),
        ("congestion_send", steps(16, 240, 17)),
        ("sdp_offer", offers()),
        ("whip_request", requests()),
        ("stun", stun()),
        ("ice_server", steps(16, 160, 11)),
        ("dtls_records", dtls_records()),
        ("webrtc_transport", steps(16, 240, 13)),
        ("ws_message", ws_messages()),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    for (target, files) in corpora {
        let folder = root.join(target);
        std::fs::create_dir_all(&folder)?;
        for (index, bytes) in files.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{index:02}")), bytes)?;
        }
    }
    Ok(())
}

fn random(count: usize, len: usize, seed: u64) -> Corpus {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut file = || {
        let mut bytes = vec![0; len];
        rng.fill_bytes(&mut bytes);
        bytes
    };
    (0..count).map(|_| file()).collect()
}

fn rtp_packets() -> Corpus {
    let header = RtpHeader { marker: true, payload_type: 96, sequence_number: 7, timestamp: 9, ssrc: 11 };
    let mut all = Corpus::new();
    for (csrcs, form, payload, padding) in [
        (0, ExtensionForm::OneByte, 20, 0),
        (2, ExtensionForm::OneByte, 50, 4),
        (15, ExtensionForm::TwoByte, 100, 0),
        (0, ExtensionForm::TwoByte, 0, 8),
    ] {
        for extensions in [0_u8, 1, 4] {
            let mut buffer = [0; 600];
            let mut writer = RtpWriter::new(&mut buffer, &header, form).expect("room");
            (0..csrcs).for_each(|csrc| writer.csrc(csrc).expect("room"));
            for id in 1..=extensions {
                writer.push_extension(id, &[id; 5][..usize::from(id)]).expect("room");
            }
            writer.payload(&vec![0x55; payload]).expect("room");
            if padding > 0 {
                writer.padding(padding).expect("room");
            }
            let len = writer.finish();
            all.push(buffer[..len].to_vec());
        }
    }
    // What the crate `rtp` panics on, and an element that overruns.
    all.push(vec![0x90, 0x60, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 0xbe, 0xde, 0, 1, 0x1f, 1, 2, 3]);
    all
}

/// A wish for an encoding, a key frame, then frames, wishes and steps of time as they fall.
fn layer_selector() -> Corpus {
    let mut rng = Pcg64Mcg::seed_from_u64(17);
    // By format: the payload of a key frame, and of a frame of temporal layer 1.
    let payloads: [[&[u8]; 2]; 3] = [
        [&[0x90, 0xe0, 0x81, 0x2c, 9, 0x00, 0x00, 1], &[0x90, 0xe0, 0x81, 0x2d, 9, 0x60, 0x01, 1]],
        [&[0xac, 1, 0x00, 1, 0], &[0xec, 1, 0x30, 1, 0]],
        [&[0x65, 0x88], &[0x41, 0x9a]],
    ];
    let mut file = |index: u32| {
        let [key, delta] = payloads[index as usize % 3];
        let mut bytes = vec![index as u8 % 3, 0, 0x1c, 7, 0];
        for _ in 0..60 {
            let [chance, encoding] = [rng.next_u32() % 16, rng.next_u32() % 3];
            let payload = if chance < 4 { key } else { delta };
            match chance {
                15 => bytes.extend([rng.next_u32() as u8 % 8, rng.next_u32() as u8, 0, 9]),
                14 => bytes.extend([5, 0, 0x20, 0x20]),
                13 => bytes.extend([7, encoding as u8]),
                _ => {
                    bytes.extend([0x48, encoding as u8, payload.len() as u8]);
                    bytes.extend_from_slice(payload);
                }
            }
        }
        bytes
    };
    let mut all: Corpus = (0..12).map(&mut file).collect();
    // By dependency descriptor: a key frame of an L1T2 structure, then frames of both layers, and a wish for the lower one.
    let mut file = vec![3, 0, 0x1c];
    file.extend([0x49, 0, STRUCTURE_L1T2.len() as u8]);
    file.extend(STRUCTURE_L1T2);
    for picture in 2..8 {
        file.extend([7, 0, 0x49, 0, 3, 0xc0 | (picture % 2), 0, picture]);
        file.extend([0, if picture < 4 { 0 } else { 0x1c }]);
    }
    all.push(file);
    all
}

/// A dependency descriptor that brings one spatial and two temporal layers.
const STRUCTURE_L1T2: [u8; 14] =
    [0x80, 0x00, 0x01, 0x80, 0x00, 0x14, 0xea, 0xa8, 0x60, 0x41, 0x4d, 0x14, 0x10, 0x20];

fn rtcp_compounds() -> Corpus {
    let info = SenderInfo { ntp: NtpTime::new(5, 6), rtp_timestamp: 7, packet_count: 8, octet_count: 9 };
    let blocks = [ReportBlock { ssrc: 1, ..block() }, ReportBlock { ssrc: 2, ..block() }];
    type Fill = fn(&mut RtcpWriter<'_>, &SenderInfo, &[ReportBlock]);
    let fills: [Fill; 8] = [
        |writer, info, blocks| writer.sender_report(1, info, blocks).expect("room"),
        |writer, _, blocks| writer.receiver_report(1, blocks).expect("room"),
        |writer, _, _| writer.source_description(1, b"cname", &[]).expect("room"),
        |writer, _, _| writer.nack(1, 2, [5, 6, 9, 20, 22, 400, 65_535]).expect("room"),
        |writer, _, _| writer.pli(1, 2).expect("room"),
        |writer, _, _| writer.fir(1, &[FirEntry { ssrc: 2, sequence_number: 3 }]).expect("room"),
        |writer, _, _| writer.remb(1, 1_000_000, &[2, 3]).expect("room"),
        |writer, _, _| writer.extended_report(1, Some(NtpTime::new(5, 6)), &[]).expect("room"),
    ];
    let mut all = Corpus::new();
    for (index, fill) in fills.iter().enumerate() {
        let mut buffer = [0; 600];
        let mut writer = RtcpWriter::new(&mut buffer);
        fill(&mut writer, &info, &blocks);
        // Each alone, and each in front of a report and a goodbye.
        if index % 2 == 1 {
            fills[0](&mut writer, &info, &blocks);
            writer.bye(&[1], Some(b"done")).expect("room");
        }
        let len = writer.finish();
        all.push(buffer[..len].to_vec());
    }
    all.push(vec![0x84, 0xce, 0, 1, 0, 0, 0, 1]);
    all.push(vec![0x81, 0xcd, 0, 1, 0, 0, 0, 1]);
    // Transport-wide feedback: one run of small deltas.
    all.push(vec![0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 0, 3, 0, 0, 1, 0, 0x20, 3, 4, 4]);
    all
}

fn block() -> ReportBlock {
    ReportBlock {
        ssrc: 0,
        fraction_lost: 4,
        cumulative_lost: -3,
        highest_sequence_number: 70_000,
        jitter: 5,
        last_sender_report: 6,
        delay_since_last_sender_report: 7,
    }
}

fn payload_descriptors() -> Corpus {
    let bodies: [(u8, &[u8]); 16] = [
        (1, &[0x78, 1, 2, 3]),
        (1, &[0xf8]),
        (2, &[0x10, 0x00, 0x9d]),
        (2, &[0x90, 0xe0, 0x92, 0x34, 0x56, 0x60, 0x00, 1, 2]),
        (2, &[0xb0, 0xf0, 0x12, 0x56, 0xa7, 0x01, 9]),
        (2, &[0x90, 0xc0, 0x05, 0x09, 0x10, 0, 0, 0x9d, 1, 0x2a, 0x80, 2, 0x68, 1]),
        (3, &[0x8c, 0x92, 0x34, 1]),
        (3, &[0xae, 0x85, 0x11, 0x22, 0x07, 1, 2]),
        (3, &[0x8a, 0x81, 0x00, 0x38, 0x02, 0x80, 0x01, 0x68, 1, 0x04, 1]),
        (4, &[0x67, 0x42, 0xe0, 0x1f]),
        (4, &[0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xce]),
        (4, &[0x7c, 0x85, 1, 2, 3]),
        (5, &[0x40, 0x01, 1, 2]),
        (5, &[0x62, 0x01, 0x93, 1, 2]),
        (6, &[0x18, 0x0a, 0x0b, 0, 0, 0]),
        (6, &[0x28, 0x02, 0x12, 0x00, 0x32, 1]),
    ];
    let mut all: Corpus =
        bodies.iter().map(|(format, body)| [&[*format, 0x12, 0x85, 77], *body].concat()).collect();
    // Dependency descriptors: a structure, then frames that name its templates.
    let mut file = vec![7, STRUCTURE_L1T2.len() as u8];
    file.extend(STRUCTURE_L1T2);
    file.extend([3, 0xc0, 0x00, 0x02, 3, 0xc1, 0x00, 0x03, 5, 0xc1, 0x00, 0x04, 0x18, 0x33]);
    all.push(file);
    all.extend(random(4, 60, 8).into_iter().map(|bytes| [&[7, 20], &bytes[..]].concat()));
    all.extend([parity(3), parity(20)]);
    all
}

/// Parity of every second one of so many packets, and all of them but the first.
fn parity(packets: u16) -> Vec<u8> {
    let (mut parity, mut others) = (Parity::new(), Vec::new());
    for number in (65_530..).take(usize::from(packets)).step_by(2) {
        let header = RtpHeader {
            marker: false,
            payload_type: 101,
            sequence_number: number as u16,
            timestamp: number * 9,
            ssrc: 7,
        };
        let mut buffer = [0; 100];
        let mut writer = RtpWriter::new(&mut buffer, &header, ExtensionForm::OneByte).expect("room");
        writer.payload(&[number as u8; 40][..20 + (number % 7) as usize]).expect("room");
        let len = writer.finish();
        parity.add(&buffer[..len]).expect("within the span");
        others.push([&(len as u16).to_be_bytes(), &buffer[..len]].concat());
    }
    let mut payload = vec![0; parity.payload_len()];
    parity.write(7, &mut payload).expect("room");
    [&[15, payload.len() as u8], &payload[..], &others[1..].concat()].concat()
}

/// Payload type, a number to add, and a payload: of a redundant block or two, of the primary one alone, and broken.
fn red() -> Corpus {
    let bodies: [&[u8]; 9] = [
        &[0xef, 0x0f, 0x00, 3, 111, 0x78, 1, 2, 0x78, 3, 4, 5],
        &[0xef, 0x1e, 0x00, 2, 0xef, 0x0f, 0x00, 3, 111, 0x78, 1, 0x78, 2, 3, 0x78, 4, 5, 6],
        &[111, 0x78, 1, 2, 3],
        &[0xef, 0x0f, 0x00, 1, 111, 0x78, 0x78],
        &[0xef, 0x0f, 0x00, 0, 111, 0x78, 1],
        &[0x80, 0xff, 0xfc, 2, 0, 7, 7, 8, 8],
        &[0xef, 0x0f, 0x00, 9, 111, 0x78, 1],
        &[0xef, 0x0f, 0x00],
        &[63, 111, 0x78, 1],
    ];
    let mut all: Corpus = bodies.iter().map(|body| [&[63, 0xf5], *body].concat()).collect();
    // As many blocks as there may be, and a redundant one of the greatest length.
    all.push([&[63, 1][..], &[0xef, 0, 0, 1].repeat(31), &[111], &[0x78; 40]].concat());
    all.push([&[63, 1][..], &[0xef, 0x0f, 0x03, 0xff, 111], &[0x78; 1030]].concat());
    all
}

/// Runs of pictures of two packets each, some left out, in both widths.
fn vp8_rewrite() -> Corpus {
    let mut rng = Pcg64Mcg::seed_from_u64(18);
    let mut file = |index: u16| {
        let mut bytes = Vec::new();
        for picture in 0..20u16 {
            let id = (0x7ff0 + index * 4000 + picture) & 0x7fff;
            let [high, low] = (id | 0x8000).to_be_bytes();
            let operation = (rng.next_u32() % 10) as u8;
            for first in [0x90, 0x80] {
                let layers = [picture as u8, (picture % 3) as u8 * 64, 1, 9];
                let id: &[u8] = if index.is_multiple_of(2) { &[high, low] } else { &[low & 0x7f] };
                let payload = [&[first, [0xe0, 0xf0, 0xc0][usize::from(index % 3)]], id, &layers].concat();
                bytes.extend([operation, payload.len() as u8]);
                bytes.extend(payload);
            }
        }
        bytes
    };
    (0..8).map(&mut file).collect()
}

fn vp9() -> Corpus {
    let payloads: [&[u8]; 9] = [
        &[0x8c, 0x92, 0x34, 1],
        &[0xac, 0x05, 0x10, 9, 0, 1],
        &[0xac, 0x85, 0x06, 0x10, 9, 0, 1],
        &[0x2c, 0x32, 9, 0, 1],
        &[0xf5, 0x05, 0x35, 0x03, 0x06, 0, 1],
        &[0xd4, 0x85, 0x11, 0x07, 0x05, 0x02, 0, 1],
        &[0x8a, 0x81, 0x00, 0x38, 0x02, 0x80, 0x01, 0x68, 1, 0x04, 1, 1],
        &[0xaa, 0x81, 0x02, 0, 9, 0x38, 1, 0x40, 0, 0xb4, 2, 0x80, 1, 0x68, 2, 4, 1, 0x30, 0xff],
        &[0x0c, 1, 2],
    ];
    payloads.iter().map(|payload| [&[0x12, 0x85, 77], *payload].concat()).collect()
}

/// Structures, and frames that name their templates: as they are, with masks, and with values of their own.
fn dd_rewrite() -> Corpus {
    let packet = |offset: u16, mask: u32, value: &[u8]| {
        let [high, low] = offset.to_be_bytes();
        let [a, b, c, d] = mask.to_be_bytes();
        [&[high, low, a, b, c, d, value.len() as u8], value].concat()
    };
    let frames: [&[u8]; 5] = [
        &[0xc0, 0x00, 0x02],
        &[0xc1, 0xff, 0xff],
        &[0xc1, 0x00, 0x04, 0x18, 0x33],
        &[0xc1, 0x00, 0x05, 0x50],
        &[0x81, 0x00, 0x06, 0x48],
    ];
    let mut all: Corpus = (1..=4u16)
        .map(|index| {
            let mut bytes = packet(index, u32::from(index), &STRUCTURE_L1T2);
            for frame in frames.iter().take(1 + usize::from(index)) {
                bytes.extend(packet(index * 16_000, u32::from(index) - 1, frame));
            }
            bytes
        })
        .collect();
    all.extend(random(4, 80, 19).into_iter().map(|bytes| [&[0, 1, 0, 0, 0, 3, 20], &bytes[..]].concat()));
    all
}

fn rtp_parameters() -> Corpus {
    let codecs = [
        r#"{"kind":"audio","mimeType":"audio/opus","clockRate":48000,"channels":2}"#,
        r#"{"kind":"video","mimeType":"video/VP8","clockRate":90000}"#,
        r#"{"kind":"video","mimeType":"video/H264","clockRate":90000,"parameters":{"packetization-mode":1,"profile-level-id":"42e01f","level-asymmetry-allowed":1}}"#,
        r#"{"kind":"video","mimeType":"video/VP9","clockRate":90000,"parameters":{"profile-id":2}}"#,
    ];
    let video = |pt: u8, mime: &str, parameters: &str, encodings: &str| {
        format!(
            r#"{{"mid":"v","codecs":[{{"mimeType":"{mime}","payloadType":{pt},"clockRate":90000,"parameters":{parameters},"rtcpFeedback":[{{"type":"nack"}},{{"type":"nack","parameter":"pli"}},{{"type":"transport-cc"}},{{"type":"goog-remb"}}]}},{{"mimeType":"video/rtx","payloadType":{},"clockRate":90000,"parameters":{{"apt":{pt}}}}}],"headerExtensions":[{{"uri":"urn:ietf:params:rtp-hdrext:sdes:mid","id":1}},{{"uri":"http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time","id":4}}],"encodings":{encodings},"rtcp":{{"cname":"c"}}}}"#,
            pt + 1
        )
    };
    let h264 = r#"{"packetization-mode":1,"profile-level-id":"42e01f"}"#;
    let cases = [
        ("video", video(96, "video/VP8", "{}", r#"[{"ssrc":1,"rtx":{"ssrc":2}}]"#)),
        ("video", video(102, "video/H264", h264, r#"[{"rid":"r0","maxBitrate":100000},{"rid":"r1"}]"#)),
        ("video", video(98, "video/VP9", r#"{"profile-id":2}"#, r#"[{"ssrc":1,"scalabilityMode":"L3T3"}]"#)),
        ("audio", r#"{"codecs":[{"mimeType":"audio/opus","payloadType":111,"clockRate":48000,"channels":2,"parameters":{"useinbandfec":1}}],"encodings":[{"ssrc":5}]}"#.to_owned()),
        ("audio", r#"{"codecs":[],"encodings":[]}"#.to_owned()),
    ];
    let router = format!("[{}]", codecs.join(","));
    let receiver = r#"{"codecs":[{"kind":"audio","mimeType":"audio/opus","preferredPayloadType":100,"clockRate":48000,"channels":2},{"kind":"video","mimeType":"video/VP8","preferredPayloadType":101,"clockRate":90000,"rtcpFeedback":[{"type":"nack"}]},{"kind":"video","mimeType":"video/rtx","preferredPayloadType":102,"clockRate":90000,"parameters":{"apt":101}}],"headerExtensions":[{"kind":"video","uri":"urn:ietf:params:rtp-hdrext:sdes:mid","preferredId":1}]}"#;
    let mut all = Corpus::new();
    for (kind, parameters) in cases {
        for capabilities in [receiver, "null"] {
            let json = format!(
                r#"{{"mediaCodecs":{router},"kind":"{kind}","rtpParameters":{parameters},"rtpCapabilities":{capabilities}}}"#
            );
            all.push(json.into_bytes());
        }
    }
    all
}

/// Scripts of [`tureen_fuzz_targets::core_datagrams`]: media, with feedback, attackers, pauses and time between.
fn core_datagrams() -> Corpus {
    let mut rng = Pcg64Mcg::seed_from_u64(9);
    let mut all = Corpus::new();
    for flavour in 0..10_u8 {
        let mut file = vec![0xff, 0xf0, 0x00, 0x10];
        for round in 0..120_u32 {
            let draw = rng.next_u32().to_be_bytes();
            // A frame's packet: a key frame now and then, deltas else; audio every fourth.
            let key = if round % 30 == 0 { 0x00 } else { 0x10 };
            file.extend([0x00, key | u8::from(round % 4 == 3), 4, draw[0], draw[1], draw[2], draw[3]]);
            // The sixth mixes those before it.
            let flavour = if flavour == 6 { 1 + round / 10 % 5 } else { u32::from(flavour) };
            match (flavour, round % 10) {
                (_, 0) => file.extend([6, 10]),
                (1, 5) => file.extend([11, 0, draw[0], 0, draw[1], 0xff, draw[2]]),
                (2, 5) => file.extend([12, 2, draw[0]]),
                (3, 5) => file.extend([8 | draw[0] & 0xf0, draw[1], 0, 3, 1, 2, 3]),
                (4, 5) => file.extend([13 | (draw[0] & 0xf0), draw[1], draw[2]]),
                (5, 5) => file.extend([0x00, 0x0a, draw[0] & 7, 4, 1, 2, 3, 4]),
                (7, 5) => file.extend([7, draw[0]]),
                (8, 3) => file.extend([
                    9 | draw[0] & 0x30,
                    6,
                    0x80,
                    0xc8 | draw[1] & 7,
                    0,
                    2,
                    0,
                    0,
                    0,
                    1,
                    0,
                    0,
                    0,
                    2,
                ]),
                (9, 5) => file.extend([0x00, 0x70, 4, 5, 0x90, 0x80, 0x81, 2, 0x10]),
                _ => {}
            }
        }
        all.push(file);
    }
    all.extend(random(6, 800, 10));
    all
}

/// Scripts of [`tureen_fuzz_targets::core_operations`]: a full house first, then anything.
fn core_operations() -> Corpus {
    let mut all = Corpus::new();
    for (seed, tail) in random(12, 240, 11).into_iter().enumerate() {
        let mut file = vec![0, 0, 0, 1];
        for transport in 0..6 {
            file.extend([1, transport & 1, transport, 0]);
        }
        for producer in 0..6 {
            file.extend([3 | producer << 4, producer, producer, producer]);
        }
        for consumer in 0..12 {
            file.extend([5, (consumer + 2) % 6, consumer, (consumer * seed as u8) % 6, consumer & 1]);
        }
        file.extend(tail);
        all.push(file);
    }
    all
}

/// What a browser trickles, and what restarts ICE.
const FRAGMENT: &[u8] = b"a=ice-options:trickle ice2\r\na=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n\
a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0\r\na=end-of-candidates\r\n";

/// An offer that a client made.
fn recorded(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/sdp-bridge/tests/fixtures");
    std::fs::read(folder.join(format!("{name}.sdp"))).expect("a recorded offer")
}

/// Texts of [`tureen_fuzz_targets::sdp_offer`].
fn offers() -> Corpus {
    let names = [
        "aiortc-datachannel",
        "aiortc-sendonly",
        "chromium-datachannel-and-media",
        "chromium-red-first",
        "chromium-simulcast-paused",
        "chromium-stopped",
        "chromium-svc-av1",
        "firefox-datachannel-and-media",
        "firefox-maxbundle",
        "firefox-simulcast",
        "firefox-stopped",
        "webrtcbin-sendrecv",
    ];
    let mut all: Corpus = names.into_iter().map(recorded).collect();
    all.push(FRAGMENT.to_vec());
    all
}

/// Three texts each, of [`tureen_fuzz_targets::whip_request`].
fn requests() -> Corpus {
    let pairs = [
        ("aiortc-sendonly", "chromium-recvonly"),
        ("chromium-simulcast", "aiortc-recvonly"),
        ("chromium-svc-vp9", "firefox-recvonly"),
        ("firefox-simulcast", "webrtcbin-recvonly"),
        ("firefox-svc-av1", "chromium-recv-all-extensions"),
        ("webrtcbin-sendrecv", "firefox-recvonly"),
    ];
    let join = |(publisher, viewer)| [&*recorded(publisher), &*recorded(viewer), FRAGMENT].join(&0);
    pairs.into_iter().map(join).collect()
}

/// Attributes, and messages that parse: a request as an ICE agent makes it, and one that lists what was not understood.
fn stun() -> Corpus {
    let mut all = random(6, 120, 5);
    for (class, attributes) in [
        (
            StunClass::Request,
            &[(0x0006_u16, &b"fragment:peer"[..]), (0x0024, &[0x6e, 0, 1, 0xff]), (0x0025, &[])][..],
        ),
        (StunClass::Error, &[(0x0009, &[0, 0, 4, 20]), (0x000a, &[0x70, 0x01])]),
        (
            StunClass::Success,
            &[(0x0020, &[0, 1, 0x12, 0x34, 1, 2, 3, 4]), (0x0008, &[7; 20]), (0x8028, &[1; 4])],
        ),
    ] {
        let mut buffer = [0; 256];
        let mut writer = StunWriter::new(&mut buffer, class, *b"transaction!").expect("room");
        attributes.iter().for_each(|(kind, value)| writer.attribute(*kind, value).expect("room"));
        let len = writer.finish();
        all.push(buffer[..len].to_vec());
    }
    all
}

/// Steps of a stateful target: noise, of which the targets make the most.
fn steps(count: usize, len: usize, seed: u64) -> Corpus {
    let mut all = random(count, len, seed);
    all.extend(random(count / 2, len / 4, seed + 1));
    all
}

/// Every role and version, known and unknown peers, undisturbed and disturbed.
fn dtls_records() -> Corpus {
    let mut all: Corpus = (0..16).map(|flags| vec![flags]).collect();
    for (flags, mut steps) in (0..16).zip(random(16, 60, 17)) {
        steps.insert(0, flags);
        all.push(steps);
    }
    all
}

/// Conversations from the first message to the last, right and wrong.
fn ws_messages() -> Corpus {
    let request = |id: usize, method: &str, data: &str| {
        format!(r#"{{"request":true,"id":{id},"method":"{method}","data":{data}}}"#)
    };
    let opus = r#"{"codecs":[{"mimeType":"audio/opus","payloadType":111,"clockRate":48000,"channels":2}],"encodings":[{"ssrc":7}]}"#;
    let capabilities = r#"{"codecs":[{"kind":"audio","mimeType":"audio/opus","preferredPayloadType":100,"clockRate":48000,"channels":2}],"headerExtensions":[]}"#;
    let fingerprint = ["AB"; 32].join(":");
    let calls: &[(&str, String)] = &[
        ("getRouterRtpCapabilities", "null".to_owned()),
        ("createWebRtcTransport", r#"{"producing":true,"consuming":false,"forceTcp":false}"#.to_owned()),
        (
            "join",
            format!(r#"{{"displayName":"Peer 1","device":{{"name":"x"}},"rtpCapabilities":{capabilities}}}"#),
        ),
        (
            "connectWebRtcTransport",
            format!(
                r#"{{"transportId":"$T","dtlsParameters":{{"role":"client","fingerprints":[{{"algorithm":"sha-256","value":"{fingerprint}"}}]}}}}"#
            ),
        ),
        (
            "produce",
            format!(r#"{{"transportId":"$T","kind":"audio","rtpParameters":{opus},"appData":{{"a":1}}}}"#),
        ),
        ("pauseProducer", r#"{"producerId":"$P"}"#.to_owned()),
        ("resumeProducer", r#"{"producerId":"$P"}"#.to_owned()),
        ("getProducerStats", r#"{"producerId":"$P"}"#.to_owned()),
        ("getTransportStats", r#"{"transportId":"$T"}"#.to_owned()),
        ("restartIce", r#"{"transportId":"$T"}"#.to_owned()),
        ("changeDisplayName", r#"{"displayName":"Peer 2"}"#.to_owned()),
        (
            "setConsumerPreferredLayers",
            r#"{"consumerId":"$C","spatialLayer":1,"temporalLayer":0}"#.to_owned(),
        ),
        ("setConsumerPriority", r#"{"consumerId":"$C","priority":2}"#.to_owned()),
        ("pauseConsumer", r#"{"consumerId":"$C"}"#.to_owned()),
        ("requestConsumerKeyFrame", r#"{"consumerId":"$C"}"#.to_owned()),
        ("produceData", "{}".to_owned()),
        ("closeProducer", r#"{"producerId":"$P"}"#.to_owned()),
        ("applyNetworkThrottle", "{}".to_owned()),
    ];
    let texts: Vec<String> =
        calls.iter().enumerate().map(|(id, (method, data))| request(id, method, data)).collect();
    let mut all: Corpus = texts.iter().map(|text| text.clone().into_bytes()).collect();
    all.push(texts.join("\0").into_bytes());
    all.push(texts.iter().rev().map(String::as_str).collect::<Vec<_>>().join("\0").into_bytes());
    for text in [
        "",
        "[]",
        r#"{"response":true,"id":1,"ok":true}"#,
        r#"{"notification":true,"method":"hello"}"#,
        r#"{"request":true,"id":1}"#,
        r#"{"request":true,"id":1,"method":"join","data":7}"#,
    ] {
        all.push(text.as_bytes().to_vec());
    }
    all
}
