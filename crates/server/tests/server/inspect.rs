//! `tureen inspect` on captures that are written here.

use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tureen_rtp_wire::rtcp::RtcpWriter;
use tureen_server::inspect::{CaptureError, KnownFrom, Report, StreamReport, inspect};

/// A datagram at a time in milliseconds, from 192.0.2.1:1000 to 192.0.2.2:2000.
type Sent = (u64, Vec<u8>);

fn ip(payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(28 + payload.len()).unwrap();
    let mut bytes = vec![0x45, 0];
    bytes.extend(len.to_be_bytes());
    bytes.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    bytes.extend([0x03, 0xe8, 0x07, 0xd0]);
    bytes.extend((len - 20).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    bytes
}

fn write_pcap(path: &Path, sent: &[Sent]) {
    let header = PcapHeader { datalink: DataLink::RAW, ..PcapHeader::default() };
    let mut writer = PcapWriter::with_header(std::fs::File::create(path).unwrap(), header).unwrap();
    for (at, payload) in sent {
        let bytes = ip(payload);
        let len = u32::try_from(bytes.len()).unwrap();
        writer.write_packet(&PcapPacket::new(Duration::from_millis(*at), len, &bytes)).unwrap();
    }
}

fn capture(sent: &[Sent]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcap");
    write_pcap(&path, sent);
    (directory, path)
}

fn report(sent: &[Sent]) -> Report {
    let (_directory, path) = capture(sent);
    inspect(&path, &[]).unwrap()
}

fn rtp(ssrc: u32, payload_type: u8, number: u16, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type | u8::from(marker) << 7];
    packet.extend(number.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

fn stream(report: &Report, ssrc: u32) -> &StreamReport {
    report.streams.iter().find(|stream| stream.ssrc == ssrc).unwrap_or_else(|| panic!("{ssrc}: {report:?}"))
}

/// Ten seconds of Opus, a packet each 20 ms, from just before the wrap of the sequence number.
fn opus() -> Vec<Sent> {
    let packet =
        |i: u16| rtp(1111, 101, i.wrapping_add(65_500), u32::from(i) * 960, i == 0, &[0xf8, 1, 2, 3]);
    (0..500).map(|i| (u64::from(i) * 20, packet(i))).collect()
}

/// Two seconds of VP8, 30 frames a second of two packets, a key frame each second.
fn vp8() -> Vec<Sent> {
    let key = [0x10, 0x00, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00];
    let delta = [0x10, 0x01, 0, 0, 1, 2, 3];
    let frame = |i: u16| {
        let payload: &[u8] = if i.is_multiple_of(30) { &key } else { &delta };
        let (at, timestamp) = (u64::from(i) * 1000 / 30, u32::from(i) * 3000);
        [
            (at, rtp(2222, 96, 2 * i, timestamp, false, payload)),
            (at, rtp(2222, 96, 2 * i + 1, timestamp, true, &[0x00, 9, 9, 9])),
        ]
    };
    (0..60).flat_map(frame).collect()
}

#[test]
fn loss_reordering_duplicates_and_jitter_are_counted() {
    let mut sent = opus();
    let steady = report(&sent);
    let stream_of = stream(&steady, 1111);
    assert_eq!((stream_of.lost, stream_of.reordered, stream_of.duplicates), (0, 0, 0));
    assert!(stream_of.jitter_ms.unwrap() < 0.01);
    assert_eq!(stream_of.sequence, (65_500, 65_999));

    sent.remove(100);
    sent.remove(200);
    let (a, b) = (sent[300].1.clone(), sent[301].1.clone());
    (sent[300].1, sent[301].1) = (b, a);
    sent.push(sent.last().unwrap().clone());
    sent.iter_mut().skip(1).step_by(2).for_each(|(at, _)| *at += 8);
    let report = report(&sent);
    let stream_of = stream(&report, 1111);
    assert_eq!((stream_of.lost, stream_of.reordered, stream_of.duplicates), (2, 1, 1));
    assert_eq!(stream_of.packets, 499);
    assert!((4.0..12.0).contains(&stream_of.jitter_ms.unwrap()), "{stream_of:?}");
    assert!((9.9..10.1).contains(&stream_of.duration_seconds));
    let bitrate = stream_of.bytes as f64 * 8.0 / stream_of.duration_seconds;
    assert!((stream_of.bitrate - bitrate).abs() < 1.0);
}

#[test]
fn codecs_are_guessed_and_key_frames_counted() {
    let mut sent = opus();
    sent.extend(vp8());
    sent.sort_by_key(|(at, _)| *at);
    let report = report(&sent);
    let audio = stream(&report, 1111).codec.clone().unwrap();
    assert_eq!((audio.name.as_str(), audio.clock_rate, audio.known_from), ("opus", 48_000, KnownFrom::Guess));
    let video = stream(&report, 2222);
    assert_eq!(video.codec.as_ref().unwrap().name, "VP8");
    assert_eq!((video.key_frames, video.frames, video.markers), (Some(2), 60, 60));
}

#[test]
fn a_hint_beats_a_guess_and_the_profile_is_known() {
    let sent: Vec<Sent> = (0..10u16)
        .flat_map(|i| {
            [
                (u64::from(i), rtp(1, 96, i, 0, false, &[0x67, 1])),
                (u64::from(i), rtp(2, 0, i, 0, false, &[1])),
            ]
        })
        .collect();
    let (_directory, path) = capture(&sent);
    let report = inspect(&path, &["96=H264/90000".parse().unwrap()]).unwrap();
    let hinted = stream(&report, 1).codec.clone().unwrap();
    assert_eq!((hinted.name.as_str(), hinted.known_from), ("H264", KnownFrom::Hint));
    assert_eq!(stream(&report, 1).key_frames, Some(1));
    let known = stream(&report, 2).codec.clone().unwrap();
    assert_eq!((known.name.as_str(), known.known_from), ("PCMU", KnownFrom::Profile));
}

#[test]
fn retransmissions_are_recognised() {
    let mut sent = vp8();
    for (i, number) in [3u16, 9, 20, 55].into_iter().enumerate() {
        let (at, original) =
            sent.iter().find(|(_, packet)| packet[2..4] == number.to_be_bytes()).unwrap().clone();
        let timestamp = u32::from_be_bytes(original[4..8].try_into().unwrap());
        let payload = [&original[2..4], &original[12..]].concat();
        sent.push((at + 100, rtp(3333, 97, 7 + i as u16, timestamp, false, &payload)));
    }
    sent.sort_by_key(|(at, _)| *at);
    let report = report(&sent);
    assert_eq!(stream(&report, 3333).rtx_of, Some(2222));
    assert_eq!(stream(&report, 2222).rtx_of, None);
}

#[test]
fn control_is_summed_up_by_type() {
    let rtcp = |write: &dyn Fn(&mut RtcpWriter<'_>)| {
        let mut buffer = [0; 256];
        let mut writer = RtcpWriter::new(&mut buffer);
        write(&mut writer);
        let len = writer.finish();
        buffer[..len].to_vec()
    };
    let sent = [
        (0, rtcp(&|writer| writer.nack(1, 2222, [5, 7, 300]).unwrap())),
        (1, rtcp(&|writer| writer.pli(1, 2222).unwrap())),
        (2, rtcp(&|writer| writer.pli(1, 2222).unwrap())),
        (3, rtcp(&|writer| writer.remb(1, 500_000, &[2222]).unwrap())),
        (4, rtcp(&|writer| writer.bye(&[2222], Some(b"done")).unwrap())),
        (5, b"\x81\xCD\x00\x01\x00\x00\x00\x01".to_vec()),
        (6, vec![0; 20]),
        (7, b"hello".to_vec()),
    ];
    let report = report(&sent);
    let field = |kind: &str, name: &str| {
        let control = report.control.iter().find(|control| control.key.kind == kind).unwrap();
        (control.summary.count, control.summary.fields.get(name).cloned().unwrap_or_default())
    };
    assert_eq!(field("nack", "packetsAskedFor"), (1, 3.into()));
    assert_eq!(field("pli", "").0, 2);
    assert_eq!(field("remb", "bitrate"), (1, 500_000.0.into()));
    assert_eq!(field("bye", "reason"), (1, "done".into()));
    assert_eq!(report.datagrams["RTCP"], 5);
    assert_eq!(report.datagrams["RTCP that does not parse or is encrypted"], 1);
    assert_eq!(report.datagrams["STUN"], 1);
    assert_eq!(report.datagrams["other UDP"], 1);
}

#[test]
fn pcapng_says_the_same_as_pcap() {
    let directory = tempfile::tempdir().unwrap();
    let (pcap, pcapng) = (directory.path().join("a.pcap"), directory.path().join("a.pcapng"));
    write_pcap(&pcap, &opus());
    let mut writer = PcapNgWriter::new(std::fs::File::create(&pcapng).unwrap()).unwrap();
    let interface = InterfaceDescriptionBlock { linktype: DataLink::RAW, snaplen: 0, options: Vec::new() };
    writer.write_pcapng_block(interface).unwrap();
    for (at, payload) in opus() {
        let data = ip(&payload);
        let original_len = u32::try_from(data.len()).unwrap();
        // Written as it stands, and an interface that says nothing counts microseconds.
        let timestamp = Duration::from_nanos(at * 1000);
        let (data, options) = (Cow::Owned(data), Vec::new());
        let packet = EnhancedPacketBlock { interface_id: 0, timestamp, original_len, data, options };
        writer.write_pcapng_block(packet).unwrap();
    }
    drop(writer);
    assert_eq!(inspect(&pcapng, &[]).unwrap(), inspect(&pcap, &[]).unwrap());
}

#[test]
fn broken_files_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x");
    assert!(matches!(inspect(&path, &[]), Err(CaptureError::Read { .. })));
    for bytes in [&b""[..], b"abc", b"what is this"] {
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(inspect(&path, &[]), Err(CaptureError::Format { .. })), "{bytes:?}");
    }
    std::fs::write(&path, b"\xa1\xb2\xc3\xd4").unwrap();
    assert!(matches!(inspect(&path, &[]), Err(CaptureError::Truncated(0))));

    let (_directory, path) = capture(&opus());
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 10]).unwrap();
    let report = inspect(&path, &[]).unwrap();
    assert_eq!(stream(&report, 1111).packets, 499, "what is there is explained");
    assert!(report.problem.unwrap().contains("packet 500"));
}

#[test]
fn a_damaged_file_never_panics() {
    let (_directory, path) = capture(&opus()[..20]);
    let whole = std::fs::read(&path).unwrap();
    for at in 0..200 {
        let mut damaged = whole.clone();
        damaged[at] = damaged[at].wrapping_mul(31).wrapping_add(97);
        std::fs::write(&path, &damaged).unwrap();
        let _ = inspect(&path, &[]);
    }
}

#[test]
fn the_program_prints_tables_and_json() {
    let (_directory, path) = capture(&opus());
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_tureen")).arg("inspect").arg(&path).args(arguments).output().unwrap()
    };
    let output = run(&[]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("500 frames") && text.contains("opus/48000") && text.contains("1111"), "{text}");
    let output = run(&["--json", "--payload-type", "101=opus/48000"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["streams"][0]["codec"]["knownFrom"], "hint");
    assert_eq!(run(&["--payload-type", "x"]).status.code(), Some(2));

    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 10]).unwrap();
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("ends in the middle of packet 500"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("499 frames"));
}
