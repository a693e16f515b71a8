//! What packets say of when they were captured (abs-capture-time), and what becomes of it.

mod support;

use std::time::Duration;
use support::{Bench, capabilities, packet_with, vp8_parameters, vp8_with};
use tureen_media_model::{Consume, TransportId};
use tureen_rtp_dictionaries::{MediaKind, RtpCapabilities, RtpParameters};
use tureen_rtp_wire::NtpTime;
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket, RtcpWriter, SenderInfo};
use tureen_rtp_wire::rtp::extension::AbsCaptureTime;
use tureen_rtp_wire::rtp::{RtpHeader, RtpPacket};

const URI: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
/// The ids at the source and at the viewer.
const SENT_AS: u8 = 9;
const GOT_AS: u8 = 10;
const VIDEO: u32 = 1000;
const AUDIO: u32 = 3000;
/// The source's wall clock when something is captured.
const CAPTURE: NtpTime = NtpTime::new(777, 1 << 31);

fn with_capture_time(parameters: &RtpParameters) -> RtpParameters {
    let mut parameters = serde_json::to_value(parameters).unwrap();
    let entry = serde_json::json!({"uri": URI, "id": SENT_AS});
    parameters["headerExtensions"].as_array_mut().unwrap().push(entry);
    serde_json::from_value(parameters).unwrap()
}

fn opus_parameters() -> RtpParameters {
    serde_json::from_value(serde_json::json!({
        "mid": "a",
        "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 111}],
        "headerExtensions": [],
        "encodings": [{"ssrc": AUDIO}],
        "rtcp": {"cname": "tester"}
    }))
    .unwrap()
}

fn viewer_capabilities() -> RtpCapabilities {
    let mut capabilities = serde_json::to_value(capabilities()).unwrap();
    let entries = capabilities["headerExtensions"].as_array_mut().unwrap();
    for kind in ["audio", "video"] {
        entries.push(serde_json::json!({"kind": kind, "uri": URI, "preferredId": GOT_AS}));
    }
    serde_json::from_value(capabilities).unwrap()
}

/// A publisher on socket 1 whose viewer is on socket 2.
struct Call {
    bench: Bench,
    source: TransportId,
    viewer: TransportId,
    next: u16,
}

impl Call {
    fn new() -> Self {
        let mut bench = Bench::new();
        let (source, viewer) = (bench.transport(1), bench.transport(2));
        Self { bench, source, viewer, next: 1 }
    }

    fn with_video() -> Self {
        let mut call = Self::new();
        call.add(MediaKind::Video, &vp8_parameters(VIDEO));
        call
    }

    fn add(&mut self, kind: MediaKind, parameters: &RtpParameters) {
        let producer = self.bench.produce(self.source, kind, with_capture_time(parameters));
        let mut options = self.bench.consumer_options(producer.id);
        options.rtp_capabilities = viewer_capabilities();
        self.bench.ask(Consume { transport: self.viewer, options }).unwrap();
    }

    /// A picture that says when it was captured; what of that comes to the viewer.
    fn show(&mut self, capture: AbsCaptureTime) -> Option<AbsCaptureTime> {
        let value = octets(capture);
        self.next += 1;
        let timestamp = u32::from(self.next) * 3000;
        let packet = vp8_with(VIDEO, self.next, timestamp, true, &[(SENT_AS, &value)]);
        self.bench.receive(1, &packet);
        let (sent, _) = self.bench.sent_to(2);
        AbsCaptureTime::parse(RtpPacket::parse(sent.last()?).ok()?.extension(GOT_AS)?)
    }

    fn report(&mut self, ssrc: u32, ntp: NtpTime, rtp_timestamp: u32) {
        let mut buffer = [0; 200];
        let mut writer = RtcpWriter::new(&mut buffer);
        let info = SenderInfo { ntp, rtp_timestamp, packet_count: 1, octet_count: 1 };
        writer.sender_report(ssrc, &info, &[]).unwrap();
        let len = writer.finish();
        self.bench.receive(1, &buffer[..len]);
    }

    fn our_clock(&self) -> NtpTime {
        NtpTime::new(3_900_000_000, 0) + Duration::from_nanos(self.bench.now.as_nanos())
    }
}

fn octets(capture: AbsCaptureTime) -> Vec<u8> {
    let mut value = vec![0; if capture.clock_offset.is_some() { 16 } else { 8 }];
    assert!(capture.write(&mut value));
    value
}

/// What the source's clock is ahead of ours by, in units of 2^-32 s, if `theirs` is what it reads now.
fn ahead(theirs: NtpTime, call: &Call) -> i64 {
    theirs.0.wrapping_sub(call.our_clock().0).cast_signed()
}

#[test]
fn a_capture_time_is_told_in_our_clock() {
    let mut call = Call::with_video();
    let expected = ahead(CAPTURE, &call);
    let got = call.show(AbsCaptureTime { capture: CAPTURE, clock_offset: Some(0) });
    assert_eq!(got, Some(AbsCaptureTime { capture: CAPTURE, clock_offset: Some(expected) }));
}

#[test]
fn a_sender_report_knows_the_clock_better_than_a_capture() {
    let mut call = Call::with_video();
    call.show(AbsCaptureTime { capture: CAPTURE, clock_offset: Some(0) });
    // The report leaves 80 ms after the capture of what came at the same moment.
    let now = CAPTURE + Duration::from_millis(80);
    call.report(VIDEO, now, 3000);
    let expected = ahead(now, &call);
    let got = call.show(AbsCaptureTime { capture: CAPTURE, clock_offset: Some(0) });
    assert_eq!(got.unwrap().clock_offset, Some(expected));
}

#[test]
fn what_was_captured_elsewhere_keeps_its_clock() {
    let mut call = Call::with_video();
    call.show(AbsCaptureTime { capture: CAPTURE, clock_offset: None });
    call.report(VIDEO, NtpTime::new(5000, 0), 3000);
    let expected = ahead(NtpTime::new(5000, 0), &call);
    // The capturer's clock is two seconds behind that of the sender, which forwards.
    let behind = -2 << 32;
    let got = call.show(AbsCaptureTime { capture: CAPTURE, clock_offset: Some(behind) });
    assert_eq!(got, Some(AbsCaptureTime { capture: CAPTURE, clock_offset: Some(expected + behind) }));
}

#[test]
fn a_capture_time_of_an_unknown_clock_stays_as_it_is() {
    let mut call = Call::with_video();
    let capture = AbsCaptureTime { capture: CAPTURE, clock_offset: None };
    assert_eq!(call.show(capture), Some(capture));
    call.report(VIDEO, NtpTime::new(5000, 0), 3000);
    assert_eq!(call.show(capture), Some(capture));
}

/// Of a stream's report to the viewer: our wall clock at the capture of what has the `timestamp`.
fn reported_capture(
    reports: &[Vec<u8>],
    clock_rate: u32,
    timestamp: impl Fn(u32) -> Option<u32>,
) -> Option<f64> {
    let parsed = reports.iter().filter_map(|bytes| Compound::parse(bytes).ok());
    let mut infos = Vec::new();
    for compound in parsed {
        for packet in compound {
            if let Ok(RtcpPacket::SenderReport(report)) = packet {
                infos.push((report.ssrc(), report.info()));
            }
        }
    }
    infos.into_iter().find_map(|(ssrc, info)| {
        let behind = info.rtp_timestamp.wrapping_sub(timestamp(ssrc)?).cast_signed();
        let ntp = f64::from(info.ntp.seconds()) + f64::from(info.ntp.fraction()) / 2f64.powi(32);
        Some(ntp - f64::from(behind) / f64::from(clock_rate))
    })
}

#[test]
fn capture_times_keep_sound_and_picture_together_without_reports() {
    let mut call = Call::with_video();
    call.add(MediaKind::Audio, &opus_parameters());
    let value = octets(AbsCaptureTime { capture: CAPTURE, clock_offset: Some(0) });
    call.bench.receive(1, &vp8_with(VIDEO, 1, 90_000, true, &[(SENT_AS, &value)]));
    // The sound of the same moment takes 200 ms longer.
    call.bench.pass(200);
    let header =
        RtpHeader { marker: false, payload_type: 111, sequence_number: 1, timestamp: 48_000, ssrc: AUDIO };
    call.bench.receive(1, &packet_with(&header, &[(SENT_AS, &value)], &[1; 40]));
    let (media, mut reports) = call.bench.sent_to(2);
    let sent: Vec<_> = media
        .iter()
        .map(|bytes| RtpPacket::parse(bytes).unwrap())
        .map(|packet| (packet.ssrc(), packet.payload_type(), packet.timestamp()))
        .collect();
    let [(video, _, picture), (audio, _, sound)] = sent[..] else { panic!("two packets: {sent:?}") };
    call.bench.pass(6000);
    reports.extend(call.bench.sent_to(2).1);
    let seen = reported_capture(&reports, 90_000, |ssrc| (ssrc == video).then_some(picture)).unwrap();
    let heard = reported_capture(&reports, 48_000, |ssrc| (ssrc == audio).then_some(sound)).unwrap();
    assert!((seen - heard).abs() < 0.002, "seen at {seen}, heard at {heard}");
}
